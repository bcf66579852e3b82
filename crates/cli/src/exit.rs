//! The exit codes. They are part of the public interface, and documented in docs/exit-codes.md.

/// All went well.
pub const OK: u8 = 0;
/// Something went wrong that has no code of its own.
pub const ERROR: u8 = 1;
/// The command line cannot be understood.
pub const USAGE: u8 = 2;
/// There is nothing to work on.
pub const NO_INPUTS: u8 = 3;
/// Something would run (`plan --detailed-exitcode`), or is not what it should be.
pub const STALE: u8 = 10;
/// At least one service was not built.
pub const BUILD_FAILED: u8 = 20;
/// Something that was to be cleared is left and may answer a step, or that cannot be ruled out.
pub const CLEAR_NOT_PROVEN: u8 = 21;
/// The user stopped the command.
pub const INTERRUPTED: u8 = 130;
