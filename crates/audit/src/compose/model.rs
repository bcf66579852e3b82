//! What rules need to know of a Compose file: each value with its place.

use crate::Span;
use std::sync::Arc;

/// Where a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the checked folder.
    pub path: Arc<str>,
    /// The folder that relative paths in the value are relative to.
    pub folder: Arc<str>,
    /// The whole entry (key and value) or item.
    pub span: Span,
    /// The value alone.
    pub value: Span,
    /// The anchor that it was reached by, if it stands in a part that others use too (`<<: *common`).
    pub anchor: Option<Arc<str>>,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub place: Place,
}

/// A text and its place. Variables in it are not replaced: see [`interpolate`](super::interpolate).
pub type Text = Located<String>;

/// An entry of a mapping, or an item `NAME=value` of a list: an arg, a variable, a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// Where the name is written, without the value.
    pub name_span: Span,
    /// The value; nothing where it comes from the environment.
    pub value: Option<String>,
    /// The entry or item.
    pub place: Place,
}

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    /// The `build:` entry.
    pub place: Option<Place>,
    /// Whether it is only a context: `build: ./app`.
    pub is_short: bool,
    /// The folder or URL.
    pub context: Option<Text>,
    /// The file, relative to the context.
    pub dockerfile: Option<Text>,
    /// A Dockerfile in the Compose file.
    pub dockerfile_inline: Option<Text>,
    /// Build args.
    pub args: Vec<Pair>,
    /// The stage.
    pub target: Option<Text>,
    /// Where cached results are read from.
    pub cache_from: Vec<Text>,
    /// Where cached results are written to.
    pub cache_to: Vec<Text>,
    /// Whether the cache is not used.
    pub no_cache: Option<Located<bool>>,
    /// Whether base images are always pulled.
    pub pull: Option<Located<bool>>,
    /// Platforms.
    pub platforms: Vec<Text>,
    /// More names of the image.
    pub tags: Vec<Text>,
    /// Build secrets.
    pub secrets: Vec<Grant>,
    /// Named contexts.
    pub additional_contexts: Vec<Pair>,
    /// Labels of the image.
    pub labels: Vec<Pair>,
    /// The network of `RUN` steps.
    pub network: Option<Text>,
}

/// What kind of mount a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// A volume with a name.
    Named,
    /// A volume without a name.
    Anonymous,
    /// A folder or file of the host.
    Bind,
    /// Memory.
    Tmpfs,
    /// What the files do not say: a variable decides, or another type.
    Other,
}

/// A volume of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its kind.
    pub kind: MountKind,
    /// The volume's name or the host's path.
    pub source: Option<String>,
    /// Where it is in the container.
    pub target: String,
    /// Whether it cannot be written to.
    pub read_only: bool,
    /// The item.
    pub place: Place,
}

/// A config or secret that a service gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name at the top of the file.
    pub source: String,
    /// Where it is in the container.
    pub target: Option<String>,
    /// The item.
    pub place: Place,
}

/// `command` or `entrypoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The words of a list, or the one text that is split as a shell would.
    pub words: Vec<Text>,
    /// Whether it is a list.
    pub is_list: bool,
    /// The entry.
    pub place: Place,
}

/// How a service's health is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// The test.
    pub test: Option<Command>,
    /// `disable: true`, or a test `NONE`.
    pub is_disabled: bool,
    /// The entry.
    pub place: Place,
}

/// A service that another one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The other service.
    pub service: String,
    /// `service_started`, `service_healthy` or `service_completed_successfully`.
    pub condition: String,
    /// The entry or item.
    pub place: Place,
}

/// A rule of `develop.watch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// `sync`, `rebuild`, `restart`, `sync+restart` …
    pub action: Option<Text>,
    /// The path that is watched.
    pub path: Option<Text>,
    /// Where it goes to in the container.
    pub target: Option<Text>,
    /// The item.
    pub place: Place,
}

/// `extends`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extends {
    /// The file; the same one if there is none.
    pub file: Option<Text>,
    /// The service.
    pub service: String,
    /// The entry.
    pub place: Place,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The key.
    pub name_span: Span,
    /// The entry.
    pub place: Place,
    /// The image's name.
    pub image: Option<Text>,
    /// How it is built.
    pub build: Option<Build>,
    /// The container's name.
    pub container_name: Option<Text>,
    /// Volumes and binds.
    pub volumes: Vec<Mount>,
    /// Configs.
    pub configs: Vec<Grant>,
    /// Secrets.
    pub secrets: Vec<Grant>,
    /// Variables.
    pub environment: Vec<Pair>,
    /// Files of variables.
    pub env_file: Vec<Text>,
    /// What runs.
    pub command: Option<Command>,
    /// What runs it.
    pub entrypoint: Option<Command>,
    /// How its health is checked.
    pub healthcheck: Option<Healthcheck>,
    /// What it waits for.
    pub depends_on: Vec<Dependency>,
    /// When the image is pulled or built.
    pub pull_policy: Option<Text>,
    /// The platform.
    pub platform: Option<Text>,
    /// The profiles that it belongs to.
    pub profiles: Vec<Text>,
    /// When it is restarted.
    pub restart: Option<Text>,
    /// `deploy.replicas` or `scale`.
    pub replicas: Option<Text>,
    /// `develop.watch`.
    pub watch: Vec<Watch>,
    /// Labels of the container.
    pub labels: Vec<Pair>,
    /// The service that it is made of.
    pub extends: Option<Extends>,
    /// Keys that are not of the specification.
    pub unknown: Vec<Text>,
    /// What it takes out of the files below it, as paths of keys: `ports`, `build.args`, `environment.X`; empty for the
    /// whole service. From `!reset` and `!override`.
    pub clears: Vec<String>,
    /// Whether the whole service is taken out: `!reset`.
    pub is_reset: bool,
}

/// A volume, network, config or secret at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Whether it is made outside of the project.
    pub is_external: bool,
    /// `driver_opts.device` of a volume: the path that it is bound to.
    pub device: Option<Text>,
    /// `file` of a config or secret.
    pub file: Option<Text>,
    /// The entry.
    pub place: Place,
}

/// An `include`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// The files, merged as with `-f`.
    pub paths: Vec<Text>,
    /// What relative paths in them are relative to; the first file's folder if there is none.
    pub project_directory: Option<Text>,
    /// The item.
    pub place: Place,
}
