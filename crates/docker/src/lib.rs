//! The Docker side of unstale that is not BuildKit: which engine is meant ([`endpoint`]), a byte stream to it
//! ([`dial()`]), its API ([`Engine`]), the user's `config.json` ([`ConfigFile`]), and the Compose CLI as the one
//! resolver of Compose projects ([`compose`]).
//!
//! Nothing here decides what to build or prints; and nothing here reads the process's variables by itself: what
//! depends on them takes an [`Environment`]. (The `ssh` program inherits the process's own.)

pub mod buildx;
mod child;
pub mod compose;
pub mod config_file;
pub mod dial;
pub mod endpoint;
pub mod engine;
mod environment;

pub use child::ChildError;
pub use compose::{Compose, ComposeError, Project};
pub use config_file::{ConfigError, ConfigFile, Credential, CredentialError};
pub use dial::{ContainerEngine, DialError, Stream, dial, dial_container};
pub use endpoint::{Endpoint, EndpointError, Host, Selection, Source};
pub use engine::{Engine, EngineError, Identity, Image, ImageStore, registry_host};
pub use environment::Environment;
