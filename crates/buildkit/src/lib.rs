//! A BuildKit client: everything that is said to a BuildKit daemon, and nothing else.
//!
//! The crate opens a connection ([`transport`]), offers the daemon what it needs during a build
//! ([`session`]), asks the daemon's own Dockerfile frontend for the build graph ([`gateway`], [`llb`]),
//! runs the graph and follows its steps ([`control`], [`status`]); [`witness`] tells whether results are still found, and
//! [`sample`] is something small to build for its own sake.
//!
//! It does not know Compose, image names' meaning, the ledger or the terminal.

pub mod control;
mod direct;
pub mod error;
pub mod gateway;
pub mod llb;
pub mod prune;
pub mod sample;
pub mod session;
pub mod status;
pub mod transport;
pub mod witness;

mod proto {
    //! The generated messages under their BuildKit names.
    pub use bollard_buildkit_proto::fsutil::types as fsutil;
    pub use bollard_buildkit_proto::google::rpc;
    pub use bollard_buildkit_proto::health;
    pub use bollard_buildkit_proto::moby::buildkit::secrets::v1 as secrets;
    pub use bollard_buildkit_proto::moby::buildkit::v1 as control;
    pub use bollard_buildkit_proto::moby::buildkit::v1::frontend;
    pub use bollard_buildkit_proto::moby::filesync::packet as file_sync;
    pub use bollard_buildkit_proto::moby::filesync::v1 as filesync;
    pub use bollard_buildkit_proto::moby::sshforward::v1 as ssh;
    pub use bollard_buildkit_proto::pb;
}

pub use error::Error;
pub use transport::{Connect, Transport};

/// The largest gRPC message that is accepted from a daemon, in bytes. A graph of thousands of steps
/// and a burst of logs stay well below it; tonic's default of 4 MiB does not hold a large graph.
const MAX_MESSAGE: usize = 64 << 20;

/// A random identifier of 25 lower-case letters and digits, the form that BuildKit's own clients use for
/// sessions and build references.
pub fn random_id() -> String {
    use rand::Rng;
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..25)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}
