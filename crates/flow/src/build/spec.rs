//! What is to be built for one service, gathered from the resolved Compose project or from a bare folder.
//!
//! A [`ServiceBuild`] is complete: building it asks neither Compose nor the environment again. What we cannot
//! build is refused here, naming the field, before anything is started.

mod compose;
mod folder;

pub use compose::ComposeInputs;
pub use folder::FolderOptions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unstale_buildkit::gateway::CacheEntry;
use unstale_docker::compose::Ssh;
use unstale_ledger::secret::Mask;

/// One service's build.
#[derive(Debug, Clone, Default)]
pub struct ServiceBuild {
    /// The service, or the folder's name for a bare folder.
    pub service: String,
    /// How messages name a field of this build, such as `services.web.build.`; empty for a bare folder.
    pub field_prefix: String,
    /// The image's names; the first is the service's.
    pub images: Vec<String>,
    /// The image's labels.
    pub labels: BTreeMap<String, String>,
    /// Build arguments with their values.
    pub args: BTreeMap<String, String>,
    /// The platform; `None` is the builder's own.
    pub platform: Option<String>,
    /// The main context.
    pub context: Context,
    /// Where the Dockerfile is.
    pub dockerfile: DockerfileSource,
    /// Named contexts.
    pub named_contexts: BTreeMap<String, NamedContext>,
    /// Secrets by the id that the Dockerfile uses.
    pub secrets: BTreeMap<String, SecretSource>,
    /// ssh agents and keys.
    pub ssh: Vec<Ssh>,
    /// Caches to consult.
    pub cache_from: Vec<CacheEntry>,
    /// Caches to write.
    pub cache_to: Vec<CacheEntry>,
    /// Run every step.
    pub no_cache: bool,
    /// Run every step of these stages.
    pub no_cache_filter: Vec<String>,
    /// Ask the registry for the base images.
    pub pull: bool,
    /// The network of RUN steps: `host` or `none`; `None` is BuildKit's default.
    pub network: Option<String>,
    /// Host names and addresses.
    pub extra_hosts: Vec<(String, String)>,
    /// The size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Limits by name: soft and hard.
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// The stage to build.
    pub target: Option<String>,
    /// Privileges that steps may use.
    pub entitlements: Vec<String>,
    /// Steps may use all privileges.
    pub privileged: bool,
}

/// Where the files of a build come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A URL that the builder fetches itself.
    Remote(String),
}

impl Default for Context {
    fn default() -> Context {
        Context::Folder(PathBuf::from("."))
    }
}

/// Where the Dockerfile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerfileSource {
    /// A file of this machine, or a name within a remote context.
    File(PathBuf),
    /// Text from the Compose file.
    Inline(String),
}

impl Default for DockerfileSource {
    fn default() -> DockerfileSource {
        DockerfileSource::File(PathBuf::from("Dockerfile"))
    }
}

/// A named context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Another service's image.
    Service(String),
    /// Something that the builder fetches itself: an image or a URL.
    Remote(String),
}

/// Where a secret comes from. The value of a variable is looked up when the spec is made.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// A value. It is never printed nor recorded.
    Value(String),
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretSource::File(path) => f.debug_tuple("File").field(path).finish(),
            SecretSource::Value(_) => f.write_str("Value(..)"),
        }
    }
}

/// Why something cannot be built as it is described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A field that the builder or this tool cannot honour.
    #[error("{field}: {problem}")]
    Unsupported {
        /// The field's path, such as `services.web.build.isolation`.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// The project has no such service.
    #[error("no such service: {0}")]
    NoService(String),
    /// A service that was asked for has nothing to build.
    #[error("service {0} has no build section")]
    NothingToBuild(String),
    /// A folder of the build does not exist.
    #[error("{field}: {} is not a folder", path.display())]
    NoFolder {
        /// The field that names it.
        field: String,
        /// The folder.
        path: PathBuf,
    },
    /// The Dockerfile cannot be read.
    #[error("{field}: cannot read {}: {reason}", path.display())]
    Dockerfile {
        /// The field that names it.
        field: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl SpecError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            SpecError::Unsupported { .. } => None,
            SpecError::NoService(_) => {
                Some("list the services with: docker compose config --services".into())
            }
            SpecError::NothingToBuild(service) => Some(format!(
                "add services.{service}.build to the Compose file, or leave the service out"
            )),
            SpecError::NoFolder { .. } => Some("create it, or correct the path".into()),
            SpecError::Dockerfile { .. } => {
                Some("create it, or name another one (build.dockerfile; --dockerfile for a folder)".into())
            }
        }
    }
}

/// What the command line changes in every service.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--build-arg`; without a value it is taken from the environment.
    pub args: BTreeMap<String, Option<String>>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--pull`.
    pub pull: bool,
}

impl ServiceBuild {
    /// Takes the values of secret build arguments out of what is shown.
    pub fn mask(&self) -> Mask {
        Mask::new(
            self.args
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    /// How a message names a field.
    pub fn field(&self, name: &str) -> String {
        format!("{}{name}", self.field_prefix)
    }

    /// An error about a field that cannot be honoured.
    pub fn unsupported(&self, field: &str, problem: impl Into<String>) -> SpecError {
        SpecError::Unsupported {
            field: self.field(field),
            problem: problem.into(),
        }
    }

    /// Checks that the build's folders exist and reads the Dockerfile. `None` for a Dockerfile that only the
    /// builder can read.
    pub fn read_dockerfile(&self) -> Result<Option<String>, SpecError> {
        if let Context::Folder(path) = &self.context {
            self.check_folder("context", path)?;
        }
        for (name, context) in &self.named_contexts {
            if let NamedContext::Folder(path) = context {
                self.check_folder(&format!("additional_contexts.{name}"), path)?;
            }
        }
        match (&self.dockerfile, &self.context) {
            (DockerfileSource::Inline(text), _) => Ok(Some(text.clone())),
            (DockerfileSource::File(_), Context::Remote(_)) => Ok(None),
            (DockerfileSource::File(path), Context::Folder(_)) => match std::fs::read(path) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) => Err(SpecError::Dockerfile {
                    field: self.field("dockerfile"),
                    path: path.clone(),
                    reason: error.to_string(),
                }),
            },
        }
    }

    fn check_folder(&self, field: &str, path: &Path) -> Result<(), SpecError> {
        if path.is_dir() {
            return Ok(());
        }
        Err(SpecError::NoFolder {
            field: self.field(field),
            path: path.to_path_buf(),
        })
    }

    /// The services whose images this build needs by `additional_contexts`: the context's name and the service.
    pub fn service_contexts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named_contexts
            .iter()
            .filter_map(|(name, context)| match context {
                NamedContext::Service(service) => Some((name.as_str(), service.as_str())),
                _ => None,
            })
    }
}

type Unsupported<'a> = dyn Fn(&str, String) -> SpecError + 'a;

fn network(network: Option<String>, unsupported: &Unsupported<'_>) -> Result<Option<String>, SpecError> {
    match network.as_deref() {
        None | Some("" | "default") => Ok(None),
        Some("host" | "none") => Ok(network),
        Some(other) => {
            let problem = format!("BuildKit knows the networks default, host and none, not {other:?}");
            Err(unsupported("network", problem))
        }
    }
}
