//! What a command line does.

use super::build::{Bake, Build};
use super::compose::{ComposeBuild, ComposeRun, ComposeUp, ComposeVerb};
use super::option::{Argument, Flags};

/// What a command line does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Builds an image.
    Build(Build),
    /// `buildx bake`.
    Bake(Bake),
    /// `compose build`.
    ComposeBuild(ComposeBuild),
    /// `compose up`, `compose create`.
    ComposeUp(ComposeUp),
    /// `compose run`.
    ComposeRun(ComposeRun),
    /// `compose exec`.
    ComposeExec(ComposeRun),
    /// Another command of Compose, with its services.
    Compose(ComposeVerb, Vec<Argument>),
    /// Clears.
    Prune(Prune),
    /// `run`, `create`.
    Run(Run),
    /// `exec`: the container first.
    Exec(Vec<Argument>),
    /// `restart`, `start`, `stop`, `kill`, `rm` of containers.
    Container(ContainerVerb, Vec<Argument>),
    /// `rmi`, `image rm`.
    RemoveImages(Vec<Argument>),
    /// `volume rm`.
    RemoveVolumes(Vec<Argument>),
    /// `pull`, `push`, `load`, `save`, `import`.
    Transfer(ImageTransfer, Vec<Argument>),
    /// `tag`: source and target.
    Tag(Vec<Argument>),
    /// `cp`: source and target.
    Copy(Vec<Argument>),
    /// `commit`: container and image.
    Commit(Vec<Argument>),
    /// `stack deploy`: the stack. Its files are `--compose-file`.
    StackDeploy(Vec<Argument>),
    /// `service update`: the service.
    ServiceUpdate(Vec<Argument>),
    /// `buildx create`, `use`, `rm`.
    Builder(BuilderAction),
    /// Anything else: its words, as far as they name it.
    Other(Vec<String>),
}

/// What is cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Of what.
    pub scope: PruneScope,
    /// `--all`.
    pub all: bool,
    /// `--force`: without a question.
    pub force: bool,
    /// `--volumes`.
    pub volumes: bool,
    /// `--filter`.
    pub filters: Vec<String>,
    /// `--builder`.
    pub builder: Option<String>,
    /// `--keep-storage`, `--reserved-space`, `--max-used-space`, `--min-free-space`, `--keep-duration`: something stays.
    pub keeps: Option<String>,
}

/// What a prune is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PruneScope {
    /// `docker builder prune`: the cache of the engine's own builder.
    Builder,
    /// `docker buildx prune`: the cache of the builder in use.
    Buildx,
    /// `buildctl prune`.
    Buildctl,
    /// `docker system prune`.
    System,
    /// `docker image prune`.
    Image,
    /// `docker container prune`.
    Container,
    /// `docker volume prune`.
    Volume,
    /// `docker network prune`.
    Network,
}

/// `docker run`, `docker create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The image.
    pub image: Option<Argument>,
    /// What is run in it.
    pub command: Vec<Argument>,
    /// `--volume` and `--mount`.
    pub volumes: Vec<String>,
    /// `--pull`: `always`, `missing`, `never`.
    pub pull: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--detach`.
    pub detach: bool,
    /// `--rm`.
    pub remove: bool,
    /// Whether it is not started: `create`.
    pub only_created: bool,
}

/// What is done to containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerVerb {
    /// `restart`.
    Restart,
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `kill`.
    Kill,
    /// `rm`.
    Rm,
}

/// How images are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageTransfer {
    /// `pull`.
    Pull,
    /// `push`.
    Push,
    /// `load`.
    Load,
    /// `save`.
    Save,
    /// `import`.
    Import,
}

/// What is done to builders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuilderAction {
    /// `buildx create`.
    Create {
        /// `--name`.
        name: Option<String>,
        /// `--driver`; `docker-container` if none is said.
        driver: Option<String>,
        /// `--use`.
        is_used: bool,
    },
    /// `buildx use`.
    Use(Vec<Argument>),
    /// `buildx rm`.
    Rm(Vec<Argument>),
    /// `buildx install`: `docker build` is buildx from then on.
    Install,
}

impl Prune {
    pub(super) fn new(scope: PruneScope, flags: &Flags) -> Prune {
        let keeps = [
            "keep-storage",
            "reserved-space",
            "max-used-space",
            "min-free-space",
            "keep-duration",
        ];
        Prune {
            scope,
            all: flags.is_on("all"),
            force: flags.is_on("force"),
            volumes: flags.is_on("volumes"),
            filters: flags.values("filter"),
            builder: flags.value("builder").map(str::to_owned),
            keeps: keeps.iter().find_map(|name| flags.value(name)).map(str::to_owned),
        }
    }
}

impl Run {
    pub(super) fn new(flags: &Flags, mut arguments: Vec<Argument>, only_created: bool) -> Run {
        let command = arguments.split_off(arguments.len().min(1));
        let mut volumes = flags.values("volume");
        volumes.extend(flags.values("mount"));
        Run {
            image: arguments.pop(),
            command,
            volumes,
            pull: flags.value("pull").map(str::to_owned),
            name: flags.value("name").map(str::to_owned),
            detach: flags.is_on("detach"),
            remove: flags.is_on("rm"),
            only_created,
        }
    }
}
