//! Builds of images.

use super::cache::Cache;
use super::option::{Argument, Flag, Flags};
use crate::Span;
use std::ops::Range;

/// `docker build`, `docker buildx build`, `podman build`, `buildah bud`, `buildctl build`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Build {
    /// The folder, the address, or `-`.
    pub context: Option<Argument>,
    /// `--file`.
    pub dockerfile: Option<String>,
    /// `--build-arg`.
    pub build_args: Vec<BuildArg>,
    /// `--cache-from`.
    pub cache_from: Vec<Cache>,
    /// `--cache-to`.
    pub cache_to: Vec<Cache>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--no-cache-filter`: stages.
    pub no_cache_filter: Vec<String>,
    /// `--pull`.
    pub pull: bool,
    /// `--tag`.
    pub tags: Vec<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--platform`, each one.
    pub platforms: Vec<String>,
    /// `--push`.
    pub push: bool,
    /// `--load`.
    pub load: bool,
    /// `--output`.
    pub outputs: Vec<String>,
    /// `--builder`.
    pub builder: Option<String>,
    /// `--secret`.
    pub secrets: Vec<String>,
    /// `--ssh`.
    pub ssh: Vec<String>,
    /// Whether it is surely BuildKit that builds: `buildx`, `buildctl`.
    pub is_buildkit: bool,
}

/// An argument of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildArg {
    /// Its name.
    pub name: String,
    /// Its value; none if it is that of the environment.
    pub value: Option<String>,
    /// The words of the option, as indexes of the command's words.
    pub words: Range<usize>,
    /// Where the option stands in the file.
    pub span: Span,
}

/// `docker buildx bake`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bake {
    /// `--file`; none for those that bake finds itself.
    pub files: Vec<String>,
    /// The targets and groups; none for `default`.
    pub targets: Vec<Argument>,
    /// `--set`: `target.key=value`.
    pub set: Vec<String>,
    /// `--push`.
    pub push: bool,
    /// `--load`.
    pub load: bool,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--pull`.
    pub pull: bool,
    /// `--builder`.
    pub builder: Option<String>,
    /// Whether nothing is built: `--print`, `--list`, `--check`.
    pub only_prints: bool,
}

pub(super) fn build_args<'a>(flags: impl Iterator<Item = &'a Flag>) -> Vec<BuildArg> {
    flags
        .filter_map(|flag| {
            let value = flag.value.as_deref()?;
            let (name, value) = match value.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (value, None),
            };
            Some(BuildArg {
                name: name.to_owned(),
                value,
                words: flag.words.clone(),
                span: flag.span,
            })
        })
        .collect()
}

fn caches(flags: &Flags, name: &str) -> Vec<Cache> {
    flags
        .all(name)
        .filter_map(|flag| {
            Some(Cache::parse(
                flag.value.as_deref()?,
                flag.words.clone(),
                flag.span,
            ))
        })
        .collect()
}

impl Build {
    pub(super) fn new(flags: &Flags, arguments: &[Argument], is_buildkit: bool) -> Build {
        let text = |name: &str| flags.value(name).map(str::to_owned);
        Build {
            // One argument is taken. A variable before it can hold options.
            context: arguments.last().cloned(),
            dockerfile: text("file"),
            build_args: build_args(flags.all("build-arg")),
            cache_from: caches(flags, "cache-from"),
            cache_to: caches(flags, "cache-to"),
            no_cache: flags.is_on("no-cache"),
            no_cache_filter: listed(flags, "no-cache-filter"),
            // podman's takes a policy: `--pull=never` is no pull.
            pull: flags.is_on("pull")
                && !matches!(flags.value("pull"), Some("never" | "missing" | "ifmissing")),
            tags: flags.values("tag"),
            target: text("target"),
            platforms: listed(flags, "platform"),
            push: flags.is_on("push"),
            load: flags.is_on("load"),
            outputs: flags.values("output"),
            builder: text("builder"),
            secrets: flags.values("secret"),
            ssh: flags.values("ssh"),
            is_buildkit,
        }
    }

    /// Of `buildctl build`.
    pub(super) fn of_buildctl(flags: &Flags) -> Build {
        let options = |prefix: &str| -> Vec<(&Flag, String)> {
            flags
                .all("opt")
                .filter_map(|flag| Some((flag, flag.value.as_deref()?.strip_prefix(prefix)?.to_owned())))
                .collect()
        };
        let last = |prefix: &str| options(prefix).pop().map(|(_, value)| value);
        let args = options("build-arg:").into_iter().map(|(flag, value)| {
            let (name, value) = match value.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (value, None),
            };
            BuildArg {
                name,
                value,
                words: flag.words.clone(),
                span: flag.span,
            }
        });
        Build {
            build_args: args.collect(),
            dockerfile: last("filename="),
            target: last("target="),
            platforms: last("platform=")
                .map_or_else(Vec::new, |value| value.split(',').map(str::to_owned).collect()),
            cache_from: caches(flags, "import-cache"),
            cache_to: caches(flags, "export-cache"),
            no_cache: flags.is_on("no-cache"),
            push: flags
                .values("output")
                .iter()
                .any(|output| output.contains("push=true")),
            outputs: flags.values("output"),
            secrets: flags.values("secret"),
            ssh: flags.values("ssh"),
            is_buildkit: true,
            ..Build::default()
        }
    }
}

impl Bake {
    pub(super) fn new(flags: &Flags, arguments: Vec<Argument>) -> Bake {
        Bake {
            files: flags.values("file"),
            targets: arguments,
            set: flags.values("set"),
            push: flags.is_on("push"),
            load: flags.is_on("load"),
            no_cache: flags.is_on("no-cache"),
            pull: flags.is_on("pull"),
            builder: flags.value("builder").map(str::to_owned),
            only_prints: flags.is_on("print")
                || ["list", "list-targets", "list-variables", "check"]
                    .iter()
                    .any(|name| flags.get(name).is_some()),
        }
    }
}

/// The values of an option that can hold several with commas.
fn listed(flags: &Flags, name: &str) -> Vec<String> {
    flags
        .values(name)
        .iter()
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}
