//! An image registry: manifests and blobs read, written and deleted through the API of the OCI distribution
//! specification.
//!
//! Nothing here knows what a build cache is, or decides what is deleted. Every wait and every answer is bounded; a
//! password goes to the registry's own host, or to the one that it names for tokens, and never unencrypted unless the caller
//! allows that.

mod auth;
mod client;
mod error;
mod reference;

pub use auth::Login;
pub use client::{Client, Manifest};
pub use error::RegistryError;
pub use reference::{InvalidReference, Reference, Repository};
