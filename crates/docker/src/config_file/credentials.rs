//! Registry credentials, found as the Docker CLI finds them: `DOCKER_AUTH_CONFIG`, the registry's credential
//! helper, the general credential store, the file itself (docker/cli, `cli/config/configfile`).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use tokio::process::Command;

use super::{Auth, ConfigError, ConfigFile};
use crate::Environment;
use crate::child::{self, ChildError};

/// The name that Docker Hub's login is kept under.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A helper may ask a key ring, and that one the user; but it must answer some day.
const HELPER_LIMIT: Duration = Duration::from_secs(60);

/// What a registry wants to know. [`fmt::Debug`] shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Empty if the secret is an identity token.
    pub username: String,
    /// A password, or an OAuth identity (refresh) token.
    pub secret: String,
}

impl Credential {
    /// Whether the secret is an identity token instead of a password.
    pub fn is_identity_token(&self) -> bool {
        self.username.is_empty()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A login exists, but it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The helper program is not installed.
    #[error("the credential helper {program} for {registry} is not on PATH")]
    HelperMissing {
        /// The program.
        program: String,
        /// The registry.
        registry: String,
    },
    /// The helper program gave no answer.
    #[error("the credential helper {program} failed for {registry}")]
    HelperRun {
        /// The program.
        program: String,
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: ChildError,
    },
    /// The helper program reported an error, or printed something that is no credential.
    #[error("the credential helper {program} failed for {registry}: {message}")]
    Helper {
        /// The program.
        program: String,
        /// The registry.
        registry: String,
        /// What it said.
        message: String,
    },
    /// An `auth` value that is not base64 of `user:password`.
    #[error("the login for {0} in Docker's configuration is not base64 of user:password")]
    Malformed(String),
    /// `DOCKER_AUTH_CONFIG` is no configuration.
    #[error("DOCKER_AUTH_CONFIG cannot be understood")]
    Variable(#[source] Box<ConfigError>),
}

impl CredentialError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::HelperMissing { program, .. } => Some(format!(
                "install {program}, or remove it from credsStore and credHelpers in Docker's config.json"
            )),
            Self::Malformed(registry) => Some(format!("log in again: docker login {registry}")),
            _ => None,
        }
    }
}

impl ConfigFile {
    /// The login for a registry, given as BuildKit names it (`registry-1.docker.io`, `ghcr.io`, `localhost:5000`);
    /// none is no error: the registry may allow anonymous reading.
    pub async fn credentials(
        &self,
        environment: &Environment,
        registry: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let server = server_address(registry);
        if let Some(text) = environment.var("DOCKER_AUTH_CONFIG") {
            let path = "DOCKER_AUTH_CONFIG".into();
            let config = Self::parse(text.as_bytes())
                .map_err(|source| CredentialError::Variable(Box::new(ConfigError { path, source })))?;
            if let Some(found) = config.stored(server)? {
                return Ok(Some(found));
            }
        }
        let helper = self
            .cred_helpers
            .get(server)
            .or_else(|| self.cred_helpers.get(hostname(server)));
        match helper
            .or(self.creds_store.as_ref())
            .filter(|name| !name.is_empty())
        {
            Some(helper) => ask_helper(environment, helper, server).await,
            None => self.stored(server),
        }
    }

    fn stored(&self, server: &str) -> Result<Option<Credential>, CredentialError> {
        let exact = self.auths.get_key_value(server);
        let found = exact.or_else(|| {
            self.auths
                .iter()
                .find(|(key, _)| hostname(key) == hostname(server))
        });
        match found {
            Some((registry, auth)) => auth.credential(registry),
            None => Ok(None),
        }
    }
}

impl Auth {
    fn credential(&self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        let present = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(secret) = present(&self.identitytoken) {
            return Ok(Some(Credential {
                username: String::new(),
                secret,
            }));
        }
        if let Some(auth) = present(&self.auth) {
            let decoded = decode(&auth).ok_or_else(|| CredentialError::Malformed(registry.to_owned()))?;
            return Ok(Some(decoded));
        }
        Ok(present(&self.username)
            .zip(present(&self.password))
            .map(|(username, secret)| Credential { username, secret }))
    }
}

fn decode(auth: &str) -> Option<Credential> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    let text = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
        .decode(auth)
        .ok()?;
    let text = String::from_utf8(text).ok()?;
    let (username, secret) = text.split_once(':')?;
    let secret = secret.trim_matches('\0').to_owned();
    (!username.is_empty()).then(|| Credential {
        username: username.to_owned(),
        secret,
    })
}

/// The key that a registry's login is kept under.
fn server_address(registry: &str) -> &str {
    match hostname(registry) {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        _ => registry,
    }
}

/// A key of `auths` without scheme and path.
fn hostname(key: &str) -> &str {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

async fn ask_helper(
    environment: &Environment,
    helper: &str,
    server: &str,
) -> Result<Option<Credential>, CredentialError> {
    let program = format!("docker-credential-{helper}");
    let registry = server.to_owned();
    // A name with a slash would leave the folders of PATH.
    let Some(path) = environment
        .find_program(&program)
        .filter(|_| !helper.contains('/'))
    else {
        return Err(CredentialError::HelperMissing { program, registry });
    };
    let mut command = Command::new(path);
    command.arg("get").env_clear().envs(environment.variables());
    let done = match child::run(command, server.as_bytes(), HELPER_LIMIT).await {
        Ok(done) => done,
        Err(source) => {
            return Err(CredentialError::HelperRun {
                program,
                registry,
                source,
            });
        }
    };
    if !done.status.success() {
        // The protocol's errors come on standard output.
        let text = [done.stdout, done.stderr].concat();
        let message = String::from_utf8_lossy(&text).trim().to_owned();
        // The phrases of docker-credential-helpers for "this registry has no login".
        if message.contains("credentials not found") || message.contains("no credentials server URL") {
            return Ok(None);
        }
        return Err(CredentialError::Helper {
            program,
            registry,
            message,
        });
    }
    match serde_json::from_slice::<HelperAnswer>(&done.stdout) {
        Ok(answer) if answer.secret.is_empty() => Ok(None),
        Ok(answer) if answer.username == "<token>" => Ok(Some(Credential {
            username: String::new(),
            secret: answer.secret,
        })),
        Ok(answer) => Ok(Some(Credential {
            username: answer.username,
            secret: answer.secret,
        })),
        // Not the error's own text: it may quote the secret.
        Err(_) => {
            let message = "its answer is not the JSON of a credential".to_owned();
            Err(CredentialError::Helper {
                program,
                registry,
                message,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(text: &str) -> ConfigFile {
        ConfigFile::parse(text.as_bytes()).unwrap()
    }

    fn nothing() -> Environment {
        Environment::default()
    }

    fn login(username: &str, secret: &str) -> Option<Credential> {
        Some(Credential {
            username: username.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// A real helper program, that knows what the shell script says.
    fn with_helper(script: &str) -> (tempfile::TempDir, Environment) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let search = std::env::join_paths([dir.path(), std::path::Path::new("/bin")]).unwrap();
        let environment = Environment::new([("PATH", search)], None);
        (dir, environment)
    }

    #[tokio::test]
    async fn docker_hub_has_many_names_and_one_login() {
        let config =
            config(r#"{"auths": {"https://index.docker.io/v1/": {"auth": "dTpwOndpdGg6Y29sb25z"}}}"#);
        for name in [
            "registry-1.docker.io",
            "docker.io",
            "index.docker.io",
            "https://index.docker.io/v1/",
        ] {
            let found = config.credentials(&nothing(), name).await.unwrap();
            assert_eq!(found, login("u", "p:with:colons"), "{name}");
        }
        assert_eq!(config.credentials(&nothing(), "ghcr.io").await.unwrap(), None);
    }

    #[tokio::test]
    async fn scheme_and_path_of_a_key_do_not_matter_but_the_port_does() {
        let config =
            config(r#"{"auths": {"https://reg.example:5000/v2/": {"username": "u", "password": "p"}}}"#);
        assert_eq!(
            config.credentials(&nothing(), "reg.example:5000").await.unwrap(),
            login("u", "p")
        );
        assert_eq!(config.credentials(&nothing(), "reg.example").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_identity_token_wins_over_the_password() {
        let config = config(r#"{"auths": {"r.example": {"auth": "dTpw", "identitytoken": "tok"}}}"#);
        let found = config
            .credentials(&nothing(), "r.example")
            .await
            .unwrap()
            .unwrap();
        assert!(found.is_identity_token());
        assert_eq!(found.secret, "tok");
        assert!(!format!("{found:?}").contains("tok"));
    }

    #[tokio::test]
    async fn a_damaged_login_is_an_error_and_a_bare_entry_is_none() {
        let damaged = config(r#"{"auths": {"r.example": {"auth": "no base64!"}}}"#);
        let error = damaged.credentials(&nothing(), "r.example").await.unwrap_err();
        assert!(error.hint().unwrap().contains("docker login r.example"));
        let bare = config(r#"{"auths": {"r.example": {}}}"#);
        assert_eq!(bare.credentials(&nothing(), "r.example").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_registrys_helper_is_asked_with_the_servers_name() {
        let script = r#"read -r server; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$server" "$1-$server""#;
        let (_dir, environment) = with_helper(script);
        let config = config(r#"{"credHelpers": {"gcr.io": "test"}, "credsStore": "absent"}"#);
        let found = config.credentials(&environment, "gcr.io").await.unwrap();
        assert_eq!(found, login("get-gcr.io", "s"));
        let error = config.credentials(&environment, "ghcr.io").await.unwrap_err();
        assert!(
            matches!(&error, CredentialError::HelperMissing { program, .. } if program == "docker-credential-absent")
        );
    }

    #[tokio::test]
    async fn a_helper_without_a_login_is_no_error_and_a_failing_one_is() {
        let (_dir, environment) = with_helper("echo 'credentials not found in native keychain'; exit 1");
        let store = config(r#"{"credsStore": "test"}"#);
        assert_eq!(store.credentials(&environment, "r.example").await.unwrap(), None);
        let (_dir, environment) = with_helper("echo 'keyring is locked' >&2; exit 1");
        let error = store.credentials(&environment, "r.example").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the credential helper docker-credential-test failed for r.example: keyring is locked"
        );
    }

    #[tokio::test]
    async fn a_helpers_token_is_an_identity_token_and_its_garbage_is_not_shown() {
        let (_dir, environment) = with_helper(r#"echo '{"Username":"<token>","Secret":"tok"}'"#);
        let store = config(r#"{"credsStore": "test"}"#);
        let found = store
            .credentials(&environment, "r.example")
            .await
            .unwrap()
            .unwrap();
        assert!(found.is_identity_token());
        let (_dir, environment) = with_helper("echo hunter2");
        let error = store.credentials(&environment, "r.example").await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn a_helpers_name_cannot_leave_path() {
        let store = config(r#"{"credsStore": "../../bin/sh"}"#);
        let (_dir, environment) = with_helper("");
        let outcome = store.credentials(&environment, "r.example").await;
        assert!(matches!(outcome, Err(CredentialError::HelperMissing { .. })));
    }

    #[tokio::test]
    async fn the_variable_comes_before_the_file() {
        let file = config(r#"{"auths": {"r.example": {"username": "file", "password": "p"}}}"#);
        let variable = r#"{"auths": {"r.example": {"username": "variable", "password": "p"}}}"#;
        let environment = nothing().with("DOCKER_AUTH_CONFIG", variable);
        let found = file.credentials(&environment, "r.example").await.unwrap();
        assert_eq!(found, login("variable", "p"));
    }
}
