//! Which Docker engine is meant, by the Docker CLI's own rules: explicit flags, `DOCKER_HOST`, `DOCKER_CONTEXT`,
//! `currentContext` of config.json, the default socket. Decides only; [`crate::dial()`] connects.

mod context_store;
mod host;

use std::fmt;
use std::path::{Path, PathBuf};

pub use host::{Host, HostError};

use crate::Environment;
use crate::config_file::{ConfigError, ConfigFile};

/// The name of the context that stands for `DOCKER_HOST` or the default socket.
const DEFAULT_CONTEXT: &str = "default";

/// What the caller asked for by flags. At most one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--host`
    pub host: Option<String>,
    /// `--context`
    pub context: Option<String>,
}

/// An engine's address, and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Where the engine listens.
    pub host: Host,
    /// TLS material, for TCP only.
    pub tls: Option<Tls>,
    /// The setting that named this engine.
    pub source: Source,
}

/// How a TCP connection is encrypted. Paths only: the files are read when dialling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority that signs the engine's certificate; without one the system's authorities count.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, where the engine asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether the engine's certificate is checked. Off only where the user switched it off.
    pub verify: bool,
    /// The name that the certificate must carry, where it is not the host's.
    pub server_name: Option<String>,
}

/// The setting that named an engine, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `--host`
    HostFlag,
    /// `--context NAME`
    ContextFlag(String),
    /// The variable `DOCKER_HOST`.
    DockerHost,
    /// The variable `DOCKER_CONTEXT`, with the context's name.
    DockerContext(String),
    /// `currentContext` of config.json, with the context's name.
    CurrentContext(String),
    /// Nothing was set: Docker's default.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostFlag => write!(f, "set by --host"),
            Self::ContextFlag(name) => write!(f, "set by --context {name}"),
            Self::DockerHost => write!(f, "set by DOCKER_HOST"),
            Self::DockerContext(name) => write!(f, "set by DOCKER_CONTEXT={name}"),
            Self::CurrentContext(name) => write!(f, "set by the current Docker context {name:?}"),
            Self::Default => write!(f, "Docker's default"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.host, self.source)
    }
}

/// Why no engine could be determined.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// `--host` and `--context` exclude each other.
    #[error("--host and --context cannot be given together")]
    Conflict,
    /// The address does not name an engine that can be reached.
    #[error("cannot use the Docker host {value:?}, {source_setting}")]
    Host {
        /// The address as it was set.
        value: String,
        /// Who set it.
        source_setting: Source,
        /// What is wrong with it.
        #[source]
        source: HostError,
    },
    /// A context that does not exist.
    #[error("no Docker context {name:?} in {}, {source_setting}", store.display())]
    UnknownContext {
        /// The context's name.
        name: String,
        /// Who set it.
        source_setting: Source,
        /// The context store.
        store: PathBuf,
    },
    /// A context whose files cannot be read or understood.
    #[error("cannot read the Docker context {name:?} from {}", path.display())]
    BrokenContext {
        /// The context's name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// config.json cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl EndpointError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Conflict => Some("give one of the two".to_owned()),
            Self::Host { source, .. } => source.hint(),
            Self::UnknownContext { .. } => Some("list the contexts with: docker context ls".to_owned()),
            Self::BrokenContext { name, .. } => {
                Some(format!("look at it with: docker context inspect {name}"))
            }
            Self::Config(error) => error.hint(),
        }
    }
}

impl Endpoint {
    /// Determines the engine by the Docker CLI's precedence (docker/cli, `cli/command/cli.go`).
    pub fn resolve(environment: &Environment, selection: &Selection) -> Result<Self, EndpointError> {
        let chosen = match (&selection.host, &selection.context) {
            (Some(_), Some(_)) => return Err(EndpointError::Conflict),
            (Some(host), None) => return Self::from_host(environment, host, Source::HostFlag),
            (None, Some(name)) => Some((name.clone(), Source::ContextFlag(name.clone()))),
            (None, None) if environment.var_os("DOCKER_HOST").is_some() => None,
            (None, None) => match environment.var("DOCKER_CONTEXT") {
                Some(name) => Some((name.to_owned(), Source::DockerContext(name.to_owned()))),
                None => ConfigFile::load(environment)?
                    .current_context
                    .filter(|name| !name.is_empty())
                    .map(|name| (name.clone(), Source::CurrentContext(name))),
            },
        };
        match chosen {
            Some((name, source)) if name != DEFAULT_CONTEXT => {
                context_store::endpoint(environment, &name, source)
            }
            _ => match environment.var_os("DOCKER_HOST") {
                Some(host) => Self::from_host(environment, &host.to_string_lossy(), Source::DockerHost),
                None => Self::from_host(environment, "", Source::Default),
            },
        }
    }

    /// The engine behind a unix socket, as a caller that started it knows it.
    pub fn unix(socket: impl Into<PathBuf>) -> Self {
        Self {
            host: Host::Unix(socket.into()),
            tls: None,
            source: Source::HostFlag,
        }
    }

    fn from_host(
        environment: &Environment,
        value: &str,
        source_setting: Source,
    ) -> Result<Self, EndpointError> {
        let tls = tls_from(environment);
        match Host::parse(value, tls.is_some()) {
            Ok(host) => {
                let tls = tls.filter(|_| matches!(host, Host::Tcp { .. }));
                Ok(Self {
                    host,
                    tls,
                    source: source_setting,
                })
            }
            Err(source) => Err(EndpointError::Host {
                value: value.to_owned(),
                source_setting,
                source,
            }),
        }
    }
}

/// The CLI's TLS variables: `DOCKER_TLS_VERIFY` (any value) encrypts and verifies, `DOCKER_TLS` encrypts only;
/// `DOCKER_CERT_PATH`, else the configuration folder, holds ca.pem, cert.pem and key.pem.
fn tls_from(environment: &Environment) -> Option<Tls> {
    let verify = environment.var_os("DOCKER_TLS_VERIFY").is_some();
    if !verify && environment.var_os("DOCKER_TLS").is_none() {
        return None;
    }
    let dir = environment
        .var_os("DOCKER_CERT_PATH")
        .map(PathBuf::from)
        .or(environment.docker_config_dir());
    let dir = dir.as_deref();
    let file = |name: &str| dir.map(|dir| dir.join(name));
    Some(Tls {
        ca: file("ca.pem").filter(|_| verify),
        identity: dir.and_then(identity_in),
        verify,
        server_name: None,
    })
}

/// cert.pem and key.pem of a folder, if both are there; an engine need not ask for them.
fn identity_in(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    let pair = (dir.join("cert.pem"), dir.join("key.pem"));
    (pair.0.exists() && pair.1.exists()).then_some(pair)
}

#[cfg(test)]
mod tests;
