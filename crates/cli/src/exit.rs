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
/// `check`: the worst finding is worth knowing.
pub const FINDINGS_INFO: u8 = 11;
/// `check`: the worst finding is of low severity.
pub const FINDINGS_LOW: u8 = 12;
/// `check`: the worst finding is of medium severity.
pub const FINDINGS_MEDIUM: u8 = 13;
/// `check`: the worst finding is of high severity, or a line of the contract does not hold.
pub const FINDINGS_HIGH: u8 = 14;
/// At least one service was not built.
pub const BUILD_FAILED: u8 = 20;
/// Something that was to be cleared is left and may answer a step, or that cannot be ruled out.
pub const CLEAR_NOT_PROVEN: u8 = 21;
/// The user stopped the command.
pub const INTERRUPTED: u8 = 130;
