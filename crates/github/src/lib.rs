//! The caches of GitHub Actions: listing those of a repository and deleting them one by one, through GitHub's REST API.
//!
//! Nothing here decides which caches go, reads the environment's tokens, or prints. A token is what the caller gives, and
//! is in no error, no log and no `Debug` text. Every wait and every answer is bounded.

mod answer;
mod client;
mod error;
mod repository;

pub use client::{Cache, Client, Filter};
pub use error::GithubError;
pub use repository::{InvalidRepository, Remote, Repository};
