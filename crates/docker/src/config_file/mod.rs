//! Docker's `config.json`, as far as a build needs it. Read only: logging in and choosing contexts is the Docker
//! CLI's business.

mod credentials;
mod proxies;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

pub use credentials::{Credential, CredentialError};
pub use proxies::Proxies;

use crate::Environment;

/// The user's Docker client configuration; [`Default`] is that of a user who has none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigFile {
    /// Registry logins kept in the file itself.
    #[serde(deserialize_with = "null_as_default")]
    auths: BTreeMap<String, Auth>,
    /// Registry → credential helper.
    #[serde(deserialize_with = "null_as_default")]
    pub cred_helpers: BTreeMap<String, String>,
    /// The credential helper for every other registry.
    pub creds_store: Option<String>,
    /// Engine host → proxy settings; `default` is for every other engine.
    #[serde(deserialize_with = "null_as_default")]
    pub proxies: BTreeMap<String, Proxies>,
    /// The Docker context in use.
    pub current_context: Option<String>,
    /// Where else the CLI looks for its plugins.
    #[serde(rename = "cliPluginsExtraDirs", deserialize_with = "null_as_default")]
    pub cli_plugins_extra_dirs: Vec<PathBuf>,
}

/// One login of `auths`.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth(…)")
    }
}

/// config.json cannot be read or understood.
#[derive(Debug, thiserror::Error)]
#[error("cannot read Docker's configuration {}", path.display())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it. Says line and column, and never a value of the file.
    #[source]
    pub source: std::io::Error,
}

impl ConfigError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some("repair the file, or name another folder with DOCKER_CONFIG".to_owned())
    }
}

impl ConfigFile {
    /// Reads `config.json` of the environment's Docker configuration folder; without one, the default.
    pub fn load(environment: &Environment) -> Result<Self, ConfigError> {
        let Some(path) = environment.docker_config_dir().map(|dir| dir.join("config.json")) else {
            return Ok(Self::default());
        };
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfigError { path, source }),
        };
        Self::parse(&text).map_err(|source| ConfigError { path, source })
    }

    /// Reads the text of a config.json; an empty file is an empty configuration, as for the Docker CLI.
    fn parse(text: &[u8]) -> Result<Self, std::io::Error> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(text).map_err(|error| {
            // serde's own message quotes the offending value, which may be a secret.
            let place = format!(
                "{:?} error at line {} column {}",
                error.classify(),
                error.line(),
                error.column()
            );
            std::io::Error::new(std::io::ErrorKind::InvalidData, place.to_lowercase())
        })
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_file_is_an_empty_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::new([("DOCKER_CONFIG", dir.path())], None);
        assert!(ConfigFile::load(&environment).unwrap().current_context.is_none());
        std::fs::write(dir.path().join("config.json"), "\n").unwrap();
        assert!(ConfigFile::load(&environment).unwrap().current_context.is_none());
    }

    #[test]
    fn what_the_cli_writes_is_understood() {
        let text = br#"{
            "auths": {"https://index.docker.io/v1/": {}}, "HttpHeaders": {"x": "y"}, "credsStore": "pass",
            "credHelpers": null, "currentContext": "far", "cliPluginsExtraDirs": ["/opt/plugins"],
            "proxies": {"default": {"httpProxy": "http://p:1"}}
        }"#;
        let config = ConfigFile::parse(text).unwrap();
        assert_eq!(config.creds_store.as_deref(), Some("pass"));
        assert_eq!(config.current_context.as_deref(), Some("far"));
        assert_eq!(config.cli_plugins_extra_dirs, [PathBuf::from("/opt/plugins")]);
    }

    #[test]
    fn errors_and_debug_output_hold_no_secret() {
        let broken = br#"{"auths": {"r": {"auth": 5, "password": "hunter2"}}, "x": hunter2}"#;
        let error = ConfigFile::parse(broken).unwrap_err();
        assert_eq!(error.to_string(), "data error at line 1 column 26");
        let wrong_kind = br#"{"auths": "hunter2"}"#;
        assert!(
            !ConfigFile::parse(wrong_kind)
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
        let config = ConfigFile::parse(br#"{"auths": {"r": {"password": "hunter2"}}}"#).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
