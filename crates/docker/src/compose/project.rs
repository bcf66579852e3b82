//! A resolved Compose project, as far as building it is concerned.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A resolved project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The project's name.
    pub name: String,
    /// Its services. Those of inactive profiles are absent.
    pub services: BTreeMap<String, Service>,
    /// Its secrets, by the name that services use.
    pub secrets: BTreeMap<String, ProjectSecret>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `image`, if the project names one.
    pub image: Option<String>,
    /// `platform`, for running and building alike.
    pub platform: Option<String>,
    /// `build`; without it there is nothing to build.
    pub build: Option<BuildSpec>,
    /// The services that must run before this one. No order of building follows from it.
    pub depends_on: Vec<String>,
    /// `pull_policy`
    pub pull_policy: Option<String>,
}

/// A service's `build` section: every key of the Compose specification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildSpec {
    /// A folder (absolute) or a URL.
    pub context: String,
    /// The Dockerfile, absolute or relative to the context; [`None`] means `Dockerfile`.
    pub dockerfile: Option<String>,
    /// The Dockerfile's text, in place of a file.
    pub dockerfile_inline: Option<String>,
    /// Build arguments. [`None`] is an argument without a value anywhere: it is not passed.
    pub args: BTreeMap<String, Option<String>>,
    /// SSH agents and keys.
    pub ssh: Vec<Ssh>,
    /// Labels for the image.
    pub labels: BTreeMap<String, String>,
    /// Where to import cache from: an image name, or `type=…,…`.
    pub cache_from: Vec<String>,
    /// Where to export cache to: an image name, or `type=…,…`.
    pub cache_to: Vec<String>,
    /// Build every step anew.
    pub no_cache: bool,
    /// Build the steps of these stages anew.
    pub no_cache_filter: Vec<String>,
    /// Named contexts: a folder, a URL, `docker-image://…` or `service:NAME`.
    pub additional_contexts: BTreeMap<String, String>,
    /// Ask the registry for newer base images.
    pub pull: bool,
    /// Host name and address, in the order given; a name may come several times.
    pub extra_hosts: Vec<(String, String)>,
    /// Isolation technology; only Windows has a choice.
    pub isolation: Option<String>,
    /// The network mode of RUN steps.
    pub network: Option<String>,
    /// The stage to build.
    pub target: Option<String>,
    /// The project's secrets that steps may mount.
    pub secrets: Vec<SecretMount>,
    /// Size of `/dev/shm`, in bytes.
    pub shm_size: Option<u64>,
    /// Resource limits of RUN steps.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Platforms to build for.
    pub platforms: Vec<String>,
    /// Allow privileged steps.
    pub privileged: bool,
    /// What else steps are allowed to do, `network.host` for example.
    pub entitlements: Vec<String>,
    /// More names for the image.
    pub tags: Vec<String>,
    /// A provenance attestation: `true`, `false` or `mode=…`.
    pub provenance: Option<String>,
    /// An SBOM attestation: `true`, `false` or `generator=…`.
    pub sbom: Option<String>,
}

/// An entry of `build.ssh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The id that `RUN --mount=type=ssh` uses.
    pub id: String,
    /// A key file or agent socket; [`None`] is the agent of `SSH_AUTH_SOCK`.
    pub path: Option<PathBuf>,
}

/// An entry of `build.secrets`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretMount {
    /// The project's secret.
    pub source: String,
    /// The id that `RUN --mount=type=secret` uses, if not the secret's name.
    pub target: Option<String>,
    /// Owner. BuildKit takes it from the Dockerfile's mount, and Compose does not pass it on.
    pub uid: Option<String>,
    /// Group, likewise.
    pub gid: Option<String>,
    /// Mode as written, `0400` for example, likewise.
    pub mode: Option<String>,
}

impl SecretMount {
    /// The id that the Dockerfile knows the secret by.
    pub fn id(&self) -> &str {
        self.target.as_deref().unwrap_or(&self.source)
    }
}

/// Where a project's secret comes from. Never its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectSecret {
    /// A file.
    File(PathBuf),
    /// A variable of the project's environment, see [`super::Compose::project_environment`].
    Environment(String),
    /// Anything that a build cannot use, an `external` secret for example; with the key that says so.
    Other(String),
}

/// A resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// The limit that a process starts with; -1 is none.
    pub soft: i64,
    /// The limit that it may raise it to; -1 is none.
    pub hard: i64,
}
