//! What Compose is told to do.

use super::build::{BuildArg, build_args};
use super::option::{Argument, Flags};

/// Which project a command of Compose is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// `--file`, in order; none for those that Compose finds itself.
    pub files: Vec<String>,
    /// `--project-name`.
    pub name: Option<String>,
    /// `--project-directory`.
    pub directory: Option<String>,
    /// `--profile`.
    pub profiles: Vec<String>,
    /// `--env-file`.
    pub env_files: Vec<String>,
}

/// `docker compose build`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComposeBuild {
    /// The services; none for all.
    pub services: Vec<Argument>,
    /// `--build-arg`.
    pub build_args: Vec<BuildArg>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--pull`.
    pub pull: bool,
    /// `--push`.
    pub push: bool,
    /// `--builder`.
    pub builder: Option<String>,
}

/// `docker compose up` and `create`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComposeUp {
    /// The services; none for all.
    pub services: Vec<Argument>,
    /// `--build`.
    pub build: bool,
    /// `--no-build`.
    pub no_build: bool,
    /// `--force-recreate`.
    pub force_recreate: bool,
    /// `--no-recreate`.
    pub no_recreate: bool,
    /// `--pull`: `always`, `missing`, `never`.
    pub pull: Option<String>,
    /// `--detach`, or what implies it.
    pub detach: bool,
    /// `--no-deps`.
    pub no_deps: bool,
    /// `--renew-anon-volumes`.
    pub renew_anonymous_volumes: bool,
    /// `--remove-orphans`.
    pub remove_orphans: bool,
    /// `--wait`.
    pub wait: bool,
    /// `--no-start`, or `create`.
    pub no_start: bool,
}

/// `docker compose run` and `exec`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComposeRun {
    /// The service.
    pub service: Option<Argument>,
    /// What is run in it; none for what its image says.
    pub command: Vec<Argument>,
    /// `--build`.
    pub build: bool,
    /// `--pull`.
    pub pull: Option<String>,
}

/// Other commands of Compose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComposeVerb {
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
    /// `down`.
    Down,
    /// `pull`.
    Pull,
    /// `push`.
    Push,
    /// `config`.
    Config,
    /// `ps`, `logs`, `images`, `top`, `ls`, `version`, `port`, `events`, `stats`, `wait`: it only says something.
    Show,
    /// `watch`.
    Watch,
    /// Anything else.
    Other,
}

impl ComposeVerb {
    pub(super) fn of(name: &str) -> ComposeVerb {
        match name {
            "restart" => ComposeVerb::Restart,
            "start" => ComposeVerb::Start,
            "stop" => ComposeVerb::Stop,
            "kill" => ComposeVerb::Kill,
            "rm" => ComposeVerb::Rm,
            "down" => ComposeVerb::Down,
            "pull" => ComposeVerb::Pull,
            "push" => ComposeVerb::Push,
            "config" | "convert" => ComposeVerb::Config,
            "ps" | "logs" | "images" | "top" | "ls" | "version" | "port" | "events" | "stats" | "wait" => {
                ComposeVerb::Show
            }
            "watch" => ComposeVerb::Watch,
            _ => ComposeVerb::Other,
        }
    }
}

impl Project {
    pub(super) fn new(flags: &Flags) -> Project {
        Project {
            files: flags.values("file"),
            name: flags.value("project-name").map(str::to_owned),
            directory: flags
                .value("project-directory")
                .or_else(|| flags.value("workdir"))
                .map(str::to_owned),
            profiles: flags.values("profile"),
            env_files: flags.values("env-file"),
        }
    }
}

impl ComposeBuild {
    pub(super) fn new(flags: &Flags, services: Vec<Argument>) -> ComposeBuild {
        ComposeBuild {
            services,
            build_args: build_args(flags.all("build-arg")),
            no_cache: flags.is_on("no-cache"),
            pull: flags.is_on("pull"),
            push: flags.is_on("push"),
            builder: flags.value("builder").map(str::to_owned),
        }
    }
}

impl ComposeUp {
    pub(super) fn new(flags: &Flags, services: Vec<Argument>, creates: bool) -> ComposeUp {
        ComposeUp {
            services,
            build: flags.is_on("build"),
            no_build: flags.is_on("no-build"),
            force_recreate: flags.is_on("force-recreate"),
            no_recreate: flags.is_on("no-recreate"),
            pull: flags.value("pull").map(str::to_owned),
            detach: flags.is_on("detach") || flags.is_on("wait"),
            no_deps: flags.is_on("no-deps"),
            renew_anonymous_volumes: flags.is_on("renew-anon-volumes"),
            remove_orphans: flags.is_on("remove-orphans"),
            wait: flags.is_on("wait"),
            no_start: creates || flags.is_on("no-start"),
        }
    }
}

impl ComposeRun {
    pub(super) fn new(flags: &Flags, mut arguments: Vec<Argument>) -> ComposeRun {
        let command = arguments.split_off(arguments.len().min(1));
        ComposeRun {
            service: arguments.pop(),
            command,
            build: flags.is_on("build"),
            pull: flags.value("pull").map(str::to_owned),
        }
    }
}
