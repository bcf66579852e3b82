//! What is to be built for one service, gathered from the resolved Compose project or from a bare folder.
//!
//! A [`ServiceBuild`] is complete: building it asks neither Compose nor the environment again. What we cannot
//! build is refused here, naming the field, before anything is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unstale_buildkit::gateway::CacheEntry;
use unstale_docker::compose::{BuildSpec, Project, ProjectSecret, Service, Ssh, rules};
use unstale_docker::{Compose, Environment};

use super::cache_entry;

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

/// What a Compose project is read with.
pub struct ComposeInputs<'a> {
    /// The resolved project.
    pub project: &'a Project,
    /// The Compose CLI that resolved it.
    pub compose: &'a Compose,
    /// The project's environment with `.env`.
    pub environment: &'a BTreeMap<String, String>,
    /// The arguments that every build gets without anybody writing them ([`rules::ambient_args`]).
    pub ambient: &'a BTreeMap<String, String>,
}

impl ServiceBuild {
    /// Reads one service of a Compose project.
    pub fn from_compose(
        inputs: &ComposeInputs<'_>,
        service: &Service,
        overrides: &Overrides,
    ) -> Result<ServiceBuild, SpecError> {
        let ComposeInputs {
            project,
            compose,
            environment,
            ambient,
        } = *inputs;
        let build = service
            .build
            .clone()
            .ok_or_else(|| SpecError::NothingToBuild(service.name.clone()))?;
        let prefix = format!("services.{}.build.", service.name);
        let unsupported = |field: &str, problem: String| SpecError::Unsupported {
            field: format!("{prefix}{field}"),
            problem,
        };
        check_attestations(&build, &unsupported)?;
        if let Some(isolation) = build
            .isolation
            .as_deref()
            .filter(|mode| !matches!(*mode, "" | "default"))
        {
            return Err(unsupported(
                "isolation",
                format!("{isolation:?} exists on Windows only"),
            ));
        }
        let platforms =
            rules::build_platforms(service, environment).map_err(|error| SpecError::Unsupported {
                field: error.path,
                problem: error.problem,
            })?;
        let platform = match platforms.as_slice() {
            [] => None,
            [platform] => Some(platform.clone()),
            several => {
                let problem = format!("{} platforms at once are not supported; name one", several.len());
                return Err(unsupported("platforms", problem));
            }
        };
        let separator = rules::name_separator(compose.version(), environment);
        let mut images = vec![rules::image_name(project, service, separator)];
        images.extend(
            build
                .tags
                .iter()
                .filter(|tag| **tag != images[0])
                .cloned()
                .collect::<Vec<_>>(),
        );
        let secrets = secrets(&build, project, environment, &unsupported)?;
        let context = context(&build.context);
        let dockerfile = match (build.dockerfile_inline, &build.dockerfile) {
            (Some(_), Some(_)) => {
                let problem = "cannot be given together with dockerfile".to_owned();
                return Err(unsupported("dockerfile_inline", problem));
            }
            (Some(text), None) => DockerfileSource::Inline(text),
            (None, file) => DockerfileSource::File(in_context(&context, file.as_deref())),
        };
        let entry = |field: &str, text: &String| {
            cache_entry::parse(text).map_err(|problem| unsupported(field, problem))
        };
        Ok(ServiceBuild {
            args: rules::build_args(service, &overrides.args, environment, ambient),
            labels: rules::image_labels(project, service, compose.version()),
            named_contexts: named_contexts(&build.additional_contexts, &unsupported)?,
            cache_from: build
                .cache_from
                .iter()
                .map(|text| entry("cache_from", text))
                .collect::<Result<_, _>>()?,
            cache_to: build
                .cache_to
                .iter()
                .map(|text| entry("cache_to", text))
                .collect::<Result<_, _>>()?,
            network: network(build.network, &unsupported)?,
            ulimits: build
                .ulimits
                .into_iter()
                .map(|(name, limit)| (name, (limit.soft, limit.hard)))
                .collect(),
            service: service.name.clone(),
            images,
            platform,
            context,
            dockerfile,
            secrets,
            entitlements: build.entitlements,
            privileged: build.privileged,
            ssh: build.ssh,
            no_cache: build.no_cache || overrides.no_cache,
            no_cache_filter: build.no_cache_filter,
            pull: build.pull || overrides.pull,
            extra_hosts: build.extra_hosts,
            shm_size: build.shm_size,
            target: build.target,
            field_prefix: prefix,
        })
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

fn check_attestations(build: &BuildSpec, unsupported: &Unsupported<'_>) -> Result<(), SpecError> {
    for (field, value) in [("provenance", &build.provenance), ("sbom", &build.sbom)] {
        if value
            .as_deref()
            .is_some_and(|value| !matches!(value, "" | "false" | "disabled=true"))
        {
            let problem =
                "attestations are not supported: an attested image has a new identity after every build";
            return Err(unsupported(field, problem.to_owned()));
        }
    }
    Ok(())
}

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

fn secrets(
    build: &BuildSpec,
    project: &Project,
    environment: &BTreeMap<String, String>,
    unsupported: &Unsupported<'_>,
) -> Result<BTreeMap<String, SecretSource>, SpecError> {
    let mut secrets = BTreeMap::new();
    for mount in &build.secrets {
        let refuse = |problem: String| unsupported(&format!("secrets.{}", mount.source), problem);
        let source = match project.secrets.get(&mount.source) {
            Some(ProjectSecret::File(path)) => SecretSource::File(path.clone()),
            Some(ProjectSecret::Environment(name)) => match environment.get(name) {
                Some(value) => SecretSource::Value(value.clone()),
                None => return Err(refuse(format!("the variable {name} is not set"))),
            },
            Some(ProjectSecret::Other(kind)) => {
                return Err(refuse(format!(
                    "a build takes secrets from files and variables, not {kind}"
                )));
            }
            None => return Err(refuse("the project has no such secret".to_owned())),
        };
        for (attribute, value) in [("uid", &mount.uid), ("gid", &mount.gid), ("mode", &mount.mode)] {
            // Compose drops these silently; in a build only the Dockerfile's mount can set them.
            if value.is_some() {
                return Err(refuse(format!(
                    "set {attribute} in the Dockerfile's --mount=type=secret instead"
                )));
            }
        }
        secrets.insert(mount.id().to_owned(), source);
    }
    Ok(secrets)
}

/// True if a context is fetched by the builder: a git repository or an archive by URL. The rule is that of
/// docker/buildx (`build/opt.go`).
fn is_remote(context: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    schemes.iter().any(|scheme| context.starts_with(scheme))
}

fn context(context: &str) -> Context {
    if is_remote(context) {
        Context::Remote(context.to_owned())
    } else {
        Context::Folder(PathBuf::from(context))
    }
}

/// The Dockerfile's path: relative to a folder, or a plain name in a remote context.
fn in_context(context: &Context, file: Option<&str>) -> PathBuf {
    let file = file.filter(|file| !file.is_empty()).unwrap_or("Dockerfile");
    match context {
        Context::Folder(folder) => folder.join(file),
        Context::Remote(_) => PathBuf::from(file),
    }
}

fn named_contexts(
    contexts: &BTreeMap<String, String>,
    unsupported: &Unsupported<'_>,
) -> Result<BTreeMap<String, NamedContext>, SpecError> {
    let read = |(name, value): (&String, &String)| {
        let context = if let Some(service) = value.strip_prefix("service:") {
            NamedContext::Service(service.to_owned())
        } else if value.starts_with("docker-image://") || is_remote(value) {
            NamedContext::Remote(value.clone())
        } else if let Some((scheme, _)) = value.split_once("://") {
            let field = format!("additional_contexts.{name}");
            return Err(unsupported(
                &field,
                format!("{scheme}:// contexts are not supported"),
            ));
        } else {
            NamedContext::Folder(PathBuf::from(value))
        };
        Ok((name.clone(), context))
    };
    contexts.iter().map(read).collect()
}

/// A bare folder with a Dockerfile, as the command line describes it.
#[derive(Debug, Clone, Default)]
pub struct FolderOptions {
    /// The folder.
    pub path: PathBuf,
    /// `--dockerfile`, relative to the current folder.
    pub dockerfile: Option<PathBuf>,
    /// `--tag`.
    pub tags: Vec<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`.
    pub platform: Option<String>,
    /// `--secret id=…[,src=…|,env=…]`.
    pub secrets: Vec<String>,
    /// `--ssh default|id=path`.
    pub ssh: Vec<String>,
    /// `--label`.
    pub labels: Vec<String>,
    /// `--network`.
    pub network: Option<String>,
}

impl ServiceBuild {
    /// Reads the description of a bare folder.
    pub fn from_folder(
        options: &FolderOptions,
        overrides: &Overrides,
        environment: &Environment,
        ambient: &BTreeMap<String, String>,
    ) -> Result<ServiceBuild, SpecError> {
        let unsupported = |field: &str, problem: String| SpecError::Unsupported {
            field: format!("--{field}"),
            problem,
        };
        let folder = std::path::absolute(&options.path).unwrap_or_else(|_| options.path.clone());
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase());
        let name = name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "image".to_owned());
        let mut args = overrides.args.clone();
        for (name, value) in ambient {
            args.entry(name.clone()).or_insert_with(|| Some(value.clone()));
        }
        let args = args.into_iter().filter_map(|(name, value)| {
            // An empty variable is a value, too.
            let variable = || {
                let mut variables = environment.variables();
                let (_, value) = variables.find(|(variable, _)| *variable == name.as_str())?;
                value.to_str().map(str::to_owned)
            };
            Some((name.clone(), value.or_else(variable)?))
        });
        let args = args.collect();
        let labels = options.labels.iter().map(|label| match label.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (label.clone(), String::new()),
        });
        let dockerfile = options
            .dockerfile
            .clone()
            .map(|file| std::path::absolute(&file).unwrap_or(file));
        let secrets = options
            .secrets
            .iter()
            .map(|text| folder_secret(text, environment, &unsupported));
        Ok(ServiceBuild {
            images: if options.tags.is_empty() {
                vec![name.clone()]
            } else {
                options.tags.clone()
            },
            service: name,
            labels: labels.collect(),
            args,
            platform: options.platform.clone(),
            dockerfile: DockerfileSource::File(dockerfile.unwrap_or_else(|| folder.join("Dockerfile"))),
            context: Context::Folder(folder),
            secrets: secrets.collect::<Result<_, _>>()?,
            ssh: options.ssh.iter().map(|text| folder_ssh(text)).collect(),
            no_cache: overrides.no_cache,
            pull: overrides.pull,
            network: network(options.network.clone(), &unsupported)?,
            target: options.target.clone(),
            ..ServiceBuild::default()
        })
    }
}

/// `id=NAME[,src=FILE|,env=VARIABLE]`, as `docker build --secret` takes it.
fn folder_secret(
    text: &str,
    environment: &Environment,
    unsupported: &Unsupported<'_>,
) -> Result<(String, SecretSource), SpecError> {
    let refuse = |problem: String| unsupported("secret", problem);
    let (mut id, mut file, mut variable) = (None, None, None);
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("src" | "source", value)) => file = Some(PathBuf::from(value)),
            Some(("env", value)) => variable = Some(value.to_owned()),
            Some(("type", "file" | "env")) => {}
            _ => return Err(refuse(format!("{part:?} is none of id=, src=, env="))),
        }
    }
    let id = id.ok_or_else(|| refuse(format!("{text:?} has no id=")))?;
    let source = match (file, variable) {
        (Some(_), Some(_)) => return Err(refuse(format!("{text:?} has both src= and env="))),
        (Some(file), None) => SecretSource::File(file),
        (None, variable) => {
            let name = variable.unwrap_or_else(|| id.clone());
            let value = environment
                .var(&name)
                .ok_or_else(|| refuse(format!("the variable {name} is not set")))?;
            SecretSource::Value(value.to_owned())
        }
    };
    Ok((id, source))
}

/// `default` or `ID=PATH`, as `docker build --ssh` takes it.
fn folder_ssh(text: &str) -> Ssh {
    match text.split_once('=') {
        Some((id, path)) => Ssh {
            id: id.to_owned(),
            path: Some(PathBuf::from(path)),
        },
        None => Ssh {
            id: text.to_owned(),
            path: None,
        },
    }
}
