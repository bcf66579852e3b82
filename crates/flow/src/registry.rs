//! Registries, asked by us and not by the engine: without encryption where the engine does without it.

use unstale_docker::Engine;
use unstale_registry::{Client, Login, RegistryError, Repository};

/// A client for a repository, with a user name and a password if there is a login.
///
/// # Errors
/// If this program cannot speak HTTPS.
pub(crate) async fn connect(
    engine: &Engine,
    repository: Repository,
    login: Option<(String, String)>,
) -> Result<Client, RegistryError> {
    let login = login.map(|(username, secret)| Login { username, secret });
    // An engine that does not answer trusts nobody.
    let insecure = engine.trusts_blindly(repository.host()).await.unwrap_or(false);
    Client::new(repository, login, insecure)
}
