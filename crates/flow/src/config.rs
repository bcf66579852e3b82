//! `unstale.toml`: what a project sets once for everybody who builds it.

use serde::{Deserialize, Deserializer};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use unstale_registry::Repository;

/// The file's name. It stands in the project's folder, beside the Compose file.
pub const FILE_NAME: &str = "unstale.toml";

/// The settings of a project. Every one has a default; an unknown one is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the commit reaches the images.
    pub commit: CommitConfig,
    /// How builds are run.
    pub build: BuildConfig,
    /// Where builds keep their cache beside the builder.
    pub cache: CacheConfig,
    /// What is checked, and what does not matter.
    pub check: unstale_audit::Settings,
    /// What must stay true.
    pub contract: unstale_audit::contract::Contract,
}

/// `[commit]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct CommitConfig {
    /// The build argument that carries the commit to Dockerfiles that declare it.
    pub arg: String,
    /// Which commit the build argument carries.
    pub scope: CommitScope,
    /// Whether images get `org.opencontainers.image.revision`.
    pub label: bool,
}

impl Default for CommitConfig {
    fn default() -> CommitConfig {
        CommitConfig {
            arg: "GIT_COMMIT_HASH".to_owned(),
            scope: CommitScope::Head,
            label: true,
        }
    }
}

/// Which commit the build argument carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitScope {
    /// The commit that is checked out. Every commit runs the steps that use the argument.
    #[default]
    Head,
    /// The commit that last changed the service's inputs. An unchanged service runs nothing.
    Service,
}

/// `[build]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct BuildConfig {
    /// A stand-alone BuildKit to build on, as `--builder` takes it.
    pub builder: Option<String>,
    /// Let the other services finish when one fails, as `--keep-going` does.
    pub keep_going: bool,
}

/// `[cache]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct CacheConfig {
    /// A repository of a registry, for caches alone, that the machines which build the project share.
    #[serde(deserialize_with = "repository")]
    pub shared: Option<Repository>,
}

fn repository<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Repository>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file exists and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be. The cause shows the place.
    #[error("cannot use {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// `commit.arg` is not a name that a Dockerfile can declare.
    #[error("cannot use {}: commit.arg {name:?} is not the name of a build argument", path.display())]
    ArgName {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

impl ConfigError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Read { .. } => None,
            ConfigError::Parse { .. } => Some("correct the line, or take it out to get the default".into()),
            ConfigError::ArgName { .. } => {
                Some("use letters, digits and `_`, such as GIT_COMMIT_HASH".into())
            }
        }
    }
}

impl Config {
    /// Reads a project's settings; without a file, the defaults.
    pub fn load(project_dir: &Path) -> Result<Config, ConfigError> {
        let path = project_dir.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // A project folder that is no folder is said where it is used.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Config::default());
            }
            Err(source) => return Err(ConfigError::Read { path, source }),
        };
        let config: Config = match toml::from_str(&text) {
            Ok(config) => config,
            Err(source) => {
                return Err(ConfigError::Parse {
                    path,
                    source: Box::new(source),
                });
            }
        };
        let name = &config.commit.arg;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ConfigError::ArgName {
                path,
                name: name.clone(),
            });
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
        Config::load(dir.path())
    }

    #[test]
    fn no_file_means_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::load(dir.path()).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(
            (config.commit.arg.as_str(), config.commit.scope),
            ("GIT_COMMIT_HASH", CommitScope::Head)
        );
    }

    #[test]
    fn settings_are_read() {
        let config =
            load("[commit]\narg = \"REV\"\nscope = \"service\"\nlabel = false\n[build]\nkeep-going = true\n")
                .unwrap();
        assert_eq!(
            config.commit,
            CommitConfig {
                arg: "REV".into(),
                scope: CommitScope::Service,
                label: false
            }
        );
        assert!(config.build.keep_going);
    }

    #[test]
    fn a_shared_cache_is_a_repository_without_a_tag() {
        let config = load("[cache]\nshared = \"reg.example:5000/team/cache\"\n").unwrap();
        let shared = config.cache.shared.map(|repository| repository.to_string());
        assert_eq!(shared.as_deref(), Some("reg.example:5000/team/cache"));
        assert_eq!(load("[cache]\n").unwrap().cache.shared, None);
        for text in ["reg.example/team/cache:latest", "Reg/Cache", ""] {
            let loaded = load(&format!("[cache]\nshared = \"{text}\"\n"));
            assert!(matches!(loaded, Err(ConfigError::Parse { .. })), "{text}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_an_error_that_shows_it() {
        let Err(ConfigError::Parse { source, .. }) = load("[commit]\nscop = \"service\"\n") else {
            panic!()
        };
        assert!(source.to_string().contains("scop"), "{source}");
        assert!(matches!(
            load("[commit]\narg = \"A B\"\n"),
            Err(ConfigError::ArgName { .. })
        ));
    }
}
