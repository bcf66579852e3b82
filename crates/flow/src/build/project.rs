//! One `build` from its beginning to its end: gathers what is to be built, connects, builds, records.

use super::epoch::{Epoch, Epochs};
use super::record::Recorder;
use super::rerun::reruns::Reruns;
use super::rerun::{Rerun, RerunError};
use super::schedule::{self, Plan};
use super::service::{ServiceReport, Shared};
use super::sharing::Sharing;
use super::spec::{ComposeInputs, FolderOptions, Overrides, ServiceBuild, SpecError};
use crate::builder::{Builder, BuilderError, BuilderOptions};
use crate::config::{Config, ConfigError};
use crate::event::{Commit, Event, ServiceOutcome};
use crate::git::{GitError, Repository};
use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::session::{Credential, Credentials};
use unstale_docker::compose::{ProjectOptions, Resolved, build_selection, rules};
use unstale_docker::{Compose, ComposeError, ConfigError as DockerConfigError, ConfigFile, Environment};
use unstale_registry::RegistryError;

/// What is to be built.
#[derive(Debug, Clone)]
pub enum What {
    /// Services of a Compose project; all that have something to build if none is named.
    Compose {
        /// Which project.
        options: ProjectOptions,
        /// Which services.
        services: Vec<String>,
    },
    /// A bare folder.
    Folder(FolderOptions),
}

/// A build as the command line describes it.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// What is to be built.
    pub what: What,
    /// What is changed in every service.
    pub overrides: Overrides,
    /// Which steps run whether they are in the cache or not.
    pub reruns: Vec<Rerun>,
    /// On which builder.
    pub builder: BuilderOptions,
    /// Let the other services finish when one fails.
    pub keep_going: bool,
    /// Reuse also what is from before the last clear.
    pub allow_old: bool,
    /// The command line, for the ledger.
    pub command: String,
    /// The folder that the command runs in.
    pub cwd: PathBuf,
}

/// Why a build could not begin. What fails later is in the [`BuildReport`].
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Compose cannot resolve the project.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// A service cannot be built as it is described.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A `--rerun` makes no sense.
    #[error(transparent)]
    Rerun(#[from] RerunError),
    /// There is no builder.
    #[error(transparent)]
    Builder(#[from] BuilderError),
    /// `unstale.toml` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Docker's own configuration cannot be used.
    #[error(transparent)]
    DockerConfig(#[from] DockerConfigError),
    /// Services are built from each other in a circle.
    #[error(transparent)]
    Cycle(#[from] unstale_docker::compose::CycleError),
    /// git cannot be asked.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Nothing is there to build.
    #[error("no service of the project has a build section")]
    NothingToBuild,
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
}

impl BuildError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            BuildError::Compose(error) => error.hint(),
            BuildError::Spec(error) => error.hint(),
            BuildError::Rerun(error) => error.hint(),
            BuildError::Builder(error) => error.hint(),
            BuildError::DockerConfig(error) => error.hint(),
            BuildError::NothingToBuild => {
                Some("add a build section to a service, or give a folder: unstale build ./app".into())
            }
            BuildError::Cycle(_) => Some("take one of the services out of the circle".into()),
            BuildError::Config(error) => error.hint(),
            BuildError::Git(_) | BuildError::Cancelled => None,
        }
    }
}

/// What came of a build.
pub struct BuildReport {
    /// The ledger's name for it.
    pub build_id: String,
    /// The builder, for people.
    pub builder: String,
    /// The commit that was built.
    pub commit: Option<Commit>,
    /// The services in the order of their names.
    pub services: Vec<ServiceReport>,
    /// The user stopped it.
    pub interrupted: bool,
}

impl BuildReport {
    /// True if every service was built.
    pub fn succeeded(&self) -> bool {
        !self.interrupted
            && self
                .services
                .iter()
                .all(|report| report.outcome == ServiceOutcome::Built)
    }
}

/// Builds. Events come as they happen; the report comes at the end.
pub async fn build(
    environment: &Environment,
    request: BuildRequest,
    events: mpsc::Sender<Event>,
    cancel: CancellationToken,
) -> Result<BuildReport, BuildError> {
    let begun = tokio::select! {
        begun = begin(environment, &request, Purpose::Build) => begun?,
        () = cancel.cancelled() => return Err(BuildError::Cancelled),
    };
    // What is refused here is no build yet, and not recorded.
    let plan = Plan::new(begun.builds())?;
    let reruns = Reruns::new(&request.reruns, &plan.services(), &plan.first())?;
    let folder = begun.gathered.folder.clone();
    let keep_going = request.keep_going || begun.config.build.keep_going;
    let (recorder, shared) = begun.share(environment, &request, reruns, &events).await;
    let (builder, commit) = (
        &shared.builder,
        shared.repository.as_ref().map(Repository::commit),
    );
    if let Some(epoch) = &shared.epochs.builder {
        let enforced = tokio::select! {
            enforced = epoch.enforce(&shared.builder) => enforced,
            () = cancel.cancelled() => return Err(BuildError::Cancelled),
        };
        if let Err(error) = enforced {
            // What is reused of it all the same is found after the build.
            let message = format!(
                "what is from before {} could not be deleted: {error}",
                epoch.describe()
            );
            let warning = Event::Warning {
                service: None,
                message,
            };
            let _ = events.send(warning).await;
        }
    }
    let build_id = recorder
        .begin(
            &request,
            &shared.project,
            &folder,
            builder,
            commit.as_ref(),
            &events,
        )
        .await;
    let started = Event::BuildStarted {
        build_id: build_id.clone(),
        builder: builder.describe(),
        commit: commit.clone(),
        services: plan.services(),
    };
    let _ = events.send(started).await;
    let services = schedule::run(
        plan,
        &shared,
        keep_going,
        &cancel,
        async |report: &ServiceReport| {
            recorder.service(&build_id, report, &events).await;
        },
    )
    .await;
    let report = BuildReport {
        build_id,
        builder: shared.builder.describe(),
        commit,
        services,
        interrupted: cancel.is_cancelled(),
    };
    recorder.finish(&report, &events).await;
    Ok(report)
}

/// Everything that a command needs before it looks at the first service.
pub(super) struct Begun {
    gathered: Gathered,
    builder: Builder,
    /// What the builder's cache holds, if nothing will change that.
    records: Option<Records>,
    config: Config,
    repository: Option<Repository>,
    /// The cache that machines share, or why it is not used.
    sharing: Option<Result<Sharing, RegistryError>>,
}

impl Begun {
    /// What is to be built.
    pub(super) fn builds(&self) -> Vec<ServiceBuild> {
        self.gathered.builds.clone()
    }

    /// Opens the ledger, and brings everything into the form that all services share.
    pub(super) async fn share(
        self,
        environment: &Environment,
        request: &BuildRequest,
        reruns: Reruns,
        events: &mpsc::Sender<Event>,
    ) -> (Recorder, Arc<Shared>) {
        let (recorder, mut warnings) = Recorder::open(environment);
        let (index, warning) = recorder.hash_index();
        warnings.extend(warning);
        let sharing = self.sharing.transpose().unwrap_or_else(|error| {
            warnings.push(format!("the shared cache is not used: {error}"));
            None
        });
        let epoch = match recorder.ledger().filter(|_| !request.allow_old) {
            Some(ledger) => Epoch::of(&ledger, &self.builder),
            None => Ok(None),
        };
        let epoch = epoch.unwrap_or_else(|error| {
            warnings.push(format!(
                "what is from before the last clear may be reused: {error}"
            ));
            None
        });
        let shared = sharing.as_ref().and_then(|sharing| sharing.epoch.clone());
        if let Some((epoch, ahead)) = shared
            .as_ref()
            .and_then(|epoch| Some((epoch, epoch.ahead_of(SystemTime::now())?)))
        {
            warnings.push(format!(
                "{} is {} ahead of this machine's clock: until then every step runs, and nothing is imported",
                epoch.describe(),
                humantime::format_duration(Duration::from_secs(ahead.as_secs()))
            ));
        }
        let epochs = Epochs {
            builder: epoch,
            shared: shared.filter(|_| !request.allow_old),
        };
        for message in warnings {
            let warning = Event::Warning {
                service: None,
                message,
            };
            let _ = events.send(warning).await;
        }
        let overrides = &request.overrides;
        let shared = Shared {
            records: self.records,
            repository: self.repository,
            index: index.map(Arc::new),
            credentials: Arc::new(DockerCredentials {
                config: self.gathered.docker_config,
                environment: environment.clone(),
            }),
            events: events.clone(),
            counter: Arc::default(),
            reruns,
            config: self.config,
            project: self.gathered.project,
            folder: self.gathered.folder,
            allow_old: request.allow_old,
            epochs,
            sharing,
            ledger: recorder.ledger(),
            arg_overrides: overrides.args.keys().cloned().collect(),
            no_cache_flag: overrides.no_cache,
            witnesses: super::explain::Witnesses::default(),
            builder: self.builder,
        };
        (recorder, Arc::new(shared))
    }
}

/// What is to be built, gathered.
struct Gathered {
    builds: Vec<ServiceBuild>,
    /// The project's name for the ledger.
    project: String,
    folder: PathBuf,
    docker_config: ConfigFile,
}

/// What a command begins for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Build,
    /// Nothing will be run: what the builder's cache holds is read once for all services.
    Look,
}

/// The builder's answer to what its cache holds, which is on its way; [`None`] if it gave none.
pub(super) type Records = future::Shared<BoxFuture<'static, Option<Arc<Vec<UsageRecord>>>>>;

/// Everything that is needed before the first build: all of it is read from elsewhere, and at the same time.
pub(super) async fn begin(
    environment: &Environment,
    request: &BuildRequest,
    purpose: Purpose,
) -> Result<Begun, BuildError> {
    let folder = build_folder(request);
    let config = Config::load(&folder)?;
    let mut options = request.builder.clone();
    if options.builder.is_none() {
        options.builder.clone_from(&config.build.builder);
    }
    let connect = async {
        let builder = Builder::connect(environment, &options).await?;
        // A large cache takes longer to answer than everything else.
        let records = (purpose == Purpose::Look).then(|| {
            let client = builder.client.clone();
            let answer = tokio::spawn(async move { client.disk_usage().await.ok().map(Arc::new) });
            answer.map(|answer| answer.ok().flatten()).boxed().shared()
        });
        Ok::<_, BuilderError>((builder, records))
    };
    let (gathered, connected, repository) = tokio::join!(
        gather(environment, request, purpose, folder.clone()),
        connect,
        Repository::find(&folder),
    );
    let mut gathered = gathered?;
    let (builder, records) = connected?;
    let sharing = match &config.cache.shared {
        Some(repository) => {
            Some(Sharing::begin(environment, &builder, repository, purpose, &mut gathered.builds).await)
        }
        None => None,
    };
    Ok(Begun {
        gathered,
        builder,
        records,
        config,
        repository: repository?,
        sharing,
    })
}

async fn gather(
    environment: &Environment,
    request: &BuildRequest,
    purpose: Purpose,
    folder: PathBuf,
) -> Result<Gathered, BuildError> {
    let docker_config = ConfigFile::load(environment)?;
    let host = unstale_docker::Endpoint::resolve(environment, &request.builder.engine);
    let host = host.map(|endpoint| endpoint.host.to_string()).unwrap_or_default();
    let ambient = rules::ambient_args(environment, &docker_config, &host);
    let (builds, project) = match &request.what {
        What::Folder(options) => {
            let build = ServiceBuild::from_folder(options, &request.overrides, environment, &ambient)?;
            let project = build.service.clone();
            (vec![build], project)
        }
        What::Compose { options, services } => {
            let resolved = match purpose {
                Purpose::Build => Compose::resolve(environment, options, services).await?,
                Purpose::Look => Compose::resolve_to_look(environment, options, services).await?,
            };
            compose_builds(resolved, services, &ambient, &request.overrides)?
        }
    };
    for build in &builds {
        // Said before anything is started.
        build.read_dockerfile()?;
    }
    Ok(Gathered {
        builds,
        project,
        folder,
        docker_config,
    })
}

fn compose_builds(
    resolved: Resolved,
    services: &[String],
    ambient: &BTreeMap<String, String>,
    overrides: &Overrides,
) -> Result<(Vec<ServiceBuild>, String), BuildError> {
    let Resolved {
        compose,
        project,
        variables,
    } = resolved;
    for name in services {
        match project.services.get(name) {
            None => return Err(SpecError::NoService(name.clone()).into()),
            Some(service) if service.build.is_none() => {
                return Err(SpecError::NothingToBuild(name.clone()).into());
            }
            Some(_) => {}
        }
    }
    let selected: BTreeSet<String> = build_selection(&project, services);
    if selected.is_empty() {
        return Err(BuildError::NothingToBuild);
    }
    let inputs = ComposeInputs {
        project: &project,
        compose: &compose,
        environment: &variables,
        ambient,
    };
    let builds = selected
        .iter()
        .filter_map(|name| project.services.get(name))
        .map(|service| ServiceBuild::from_compose(&inputs, service, overrides))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((builds, project.name.clone()))
}

/// The folder of the project: where `unstale.toml` stands, and where git is asked. The rule for Compose projects
/// is Compose's own; only the place is taken from it.
fn build_folder(request: &BuildRequest) -> PathBuf {
    match &request.what {
        What::Folder(options) => request.cwd.join(&options.path),
        What::Compose { options, .. } => project_folder(options, &request.cwd),
    }
}

/// The folder of a Compose project.
pub(crate) fn project_folder(options: &ProjectOptions, cwd: &Path) -> PathBuf {
    let absolute = |path: &Path| cwd.join(path);
    if let Some(folder) = &options.project_directory {
        return absolute(folder);
    }
    if let Some(file) = options.files.first().filter(|file| file.as_os_str() != "-") {
        return absolute(file)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_else(|| cwd.to_path_buf());
    }
    let names = [
        "compose.yaml",
        "compose.yml",
        "docker-compose.yml",
        "docker-compose.yaml",
    ];
    let holds = |folder: &&Path| names.iter().any(|name| folder.join(name).is_file());
    cwd.ancestors().find(holds).unwrap_or(cwd).to_path_buf()
}

/// Registry credentials from Docker's own configuration, for a session.
pub(crate) fn docker_credentials(environment: &Environment) -> Option<Arc<dyn Credentials>> {
    let config = ConfigFile::load(environment).ok()?;
    let environment = environment.clone();
    Some(Arc::new(DockerCredentials { config, environment }))
}

/// The login for a registry as user name and password, from Docker's own configuration.
pub(crate) async fn credentials(environment: &Environment, host: &str) -> Option<(String, String)> {
    let credentials = docker_credentials(environment)?;
    let login = credentials.credentials(host.to_owned()).await.ok().flatten()?;
    Some((login.username, login.secret))
}

/// Registry credentials from Docker's own configuration.
struct DockerCredentials {
    config: ConfigFile,
    environment: Environment,
}

impl Credentials for DockerCredentials {
    fn credentials(&self, host: String) -> BoxFuture<'_, Result<Option<Credential>, String>> {
        Box::pin(async move {
            let found = self.config.credentials(&self.environment, &host).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok(found.map(|found| Credential {
                username: if found.is_identity_token() {
                    String::new()
                } else {
                    found.username
                },
                secret: found.secret,
            }))
        })
    }
}
