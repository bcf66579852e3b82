//! Registries as the engine sees them: what it finds there, what it sends there, which of them it trusts without encryption.

use super::{Engine, EngineError, escape};
use bollard::auth::DockerCredentials;
use bollard::query_parameters::PushImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use std::time::Duration;

/// An engine that pushes says what it does all the time; this bound is only against waiting for ever.
const PUSH_LIMIT: Duration = Duration::from_secs(60 * 60);

impl Engine {
    /// The digest that a name has in its registry, as the engine sees it; [`None`] if there is nothing of that name. What
    /// it is does not matter: an image, a build cache. `login` is user name and password; without a name, the password is
    /// an identity token.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn registry_digest(
        &self,
        reference: &str,
        login: Option<(String, String)>,
    ) -> Result<Option<String>, EngineError> {
        let login = login.map(credentials);
        match self.api.inspect_registry_image(&escape(reference), login).await {
            Ok(found) => Ok(found.descriptor.digest),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => {
                let what = format!("look for {reference} in its registry");
                Err(EngineError::from_api(what, error))
            }
        }
    }

    /// Sends the image `repository:tag` to its registry. `login` is that of [`Engine::registry_digest`].
    ///
    /// # Errors
    /// If the engine has no such image, or the registry cannot be reached or refuses.
    pub async fn push(
        &self,
        repository: &str,
        tag: &str,
        login: Option<(String, String)>,
    ) -> Result<(), EngineError> {
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let api = self.api.clone().with_timeout(PUSH_LIMIT);
        let progress = api.push_image(&escape(repository), Some(options), login.map(credentials));
        let done = progress.try_for_each(|_| async { Ok(()) }).await;
        done.map_err(|error| EngineError::from_api(format!("push {repository}:{tag}"), error))
    }

    /// Whether the engine speaks with a registry without checking who it is: one of its `insecure-registries`.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn trusts_blindly(&self, host: &str) -> Result<bool, EngineError> {
        let info = self.api.info().await;
        let info = info.map_err(|error| EngineError::from_api("ask the engine for its registries", error))?;
        let known = info.registry_config.and_then(|config| config.index_configs);
        let index = known.and_then(|mut known| known.remove(host));
        Ok(index.is_some_and(|index| index.secure == Some(false)))
    }
}

fn credentials((username, secret): (String, String)) -> DockerCredentials {
    match username.as_str() {
        "" => DockerCredentials {
            identitytoken: Some(secret),
            ..Default::default()
        },
        _ => DockerCredentials {
            username: Some(username),
            password: Some(secret),
            ..Default::default()
        },
    }
}

/// The registry of an image's name, as credentials are stored for it.
pub fn registry_host(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
        _ => "docker.io",
    }
}
