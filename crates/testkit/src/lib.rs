//! Real engines for tests: private Docker daemons, a BuildKit daemon and a registry, and the fixtures that go with them.
//!
//! The `testkit` binary starts and stops them ([`up`]); a test asks for those that answer ([`engines`], [`buildkitd`],
//! [`registry`]), makes a [`Project`] and runs programs in its scrubbed environment. Nothing here is simulated: what
//! cannot be had on a machine is left out with a stated reason ([`left_out`]).
//!
//! Must not: touch an engine that it did not start, or be a dependency of anything but tests.

mod engine;
mod error;
pub mod false_hits;
mod home;
mod http;
mod lock;
pub mod measure;
mod project;
mod scratch;
mod services;
mod tree;
pub mod up;
pub mod web;

pub use engine::{Engine, Store, engine, engines};
pub use error::Error;
pub use home::Home;
pub use lock::EngineLock;
pub use measure::{Measured, Openings, measure};
pub use project::{Project, unique};
pub use scratch::{tool_path, unstale_binary};
pub use services::{Buildkitd, Registry, buildkitd, left_out, registry};
pub use tree::{Kind, Node, image_tree};
