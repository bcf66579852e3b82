//! Names of images, and which of them the project makes itself, so that no registry is asked for them.

use crate::compose::project::ComposeProject;
use crate::docker::{Action, ImageTransfer};
use crate::facts::{Build, Via};
use crate::{Content, Project};
use std::collections::{BTreeMap, BTreeSet};

/// The name of an image without anything that is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// Without what Docker adds by itself: `debian` for `docker.io/library/debian`.
    pub repository: String,
    /// The tag; [`None`] if none is written.
    pub tag: Option<String>,
    /// Whether it names a content: `@sha256:…`.
    pub has_digest: bool,
}

/// Who makes an image of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// CI, which pushes it to a registry.
    Ci,
    /// A script, a Compose or a bake file: it is there without a registry.
    Here,
}

/// The images that files of the project make.
#[derive(Debug, Default)]
pub struct MadeImages {
    /// Repositories that are known.
    repositories: BTreeMap<String, Maker>,
    /// Last parts of repositories whose beginning is a variable.
    endings: BTreeMap<String, Maker>,
    /// What repositories begin with whose end is a variable; each ends with `/`.
    beginnings: BTreeMap<String, Maker>,
    /// What scripts that load images from archives name.
    loaded: BTreeSet<String>,
    /// Names of contexts that builds are given, which stand where an image's name can.
    contexts: BTreeSet<String>,
}

/// First parts of tags that are moved to a newer image as a habit.
const MOVING: &[&str] = &[
    "canary",
    "current",
    "daily",
    "dev",
    "devel",
    "develop",
    "development",
    "edge",
    "head",
    "latest",
    "lts",
    "main",
    "mainline",
    "master",
    "next",
    "nightly",
    "rolling",
    "sid",
    "snapshot",
    "stable",
    "testing",
    "trunk",
    "unstable",
    "weekly",
];

/// Docker's official images that people build on and run, as far as they matter here: names without a folder.
const OFFICIAL: &str = "\
    adminer almalinux alpine alt amazoncorretto amazonlinux archlinux bash buildpack-deps busybox caddy \
    cassandra centos chronograf clearlinux clojure composer consul couchbase couchdb crate dart debian \
    docker drupal eclipse-mosquitto eclipse-temurin elasticsearch elixir erlang fedora flink fluentd gcc \
    ghost golang gradle groovy haproxy haskell httpd hylang ibmjava influxdb java jetty joomla jruby \
    julia kibana kong logstash mariadb matomo maven mediawiki memcached mono mongo mongo-express mysql \
    nats neo4j nextcloud nginx node odoo openjdk opensuse oraclelinux percona perl photon php phpmyadmin \
    postgres pypy python r-base rabbitmq redis redmine registry rockylinux ros ruby rust sapmachine solr \
    sonarqube storm swift telegraf tomcat traefik ubuntu varnish vault wordpress yourls zookeeper";

/// The last releases of images that had ended by the beginning of 2025; `MAX` for all of a number. Source: endoflife.date.
const ENDED: &[(&str, (u32, u32))] = &[
    ("alpine", (3, 17)),
    ("centos", (8, u32::MAX)),
    ("debian", (10, u32::MAX)),
    ("golang", (1, 21)),
    ("node", (16, u32::MAX)),
    ("php", (8, 0)),
    ("postgres", (12, u32::MAX)),
    ("python", (3, 8)),
    ("ruby", (3, 0)),
    ("ubuntu", (18, 4)),
];

/// Releases for which Docker's official images are made no more. Source: the same.
const ENDED_NAMES: &[&str] = &[
    "bionic", "buster", "jessie", "stretch", "trusty", "wheezy", "xenial",
];

impl ImageName {
    /// Reads a name. [`None`] for what is none or not known: variables, templates.
    pub fn parse(text: &str) -> Option<ImageName> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let text = text.trim();
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(is_plain) {
            return None;
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (repository, tag) = split_tag(name);
        // What is left where a variable was.
        let is_cut = repository.contains("//") || repository.ends_with(['-', '_', '.', '/']);
        if is_cut
            || repository.is_empty()
            || repository.contains(':') && !repository.contains('/')
            || tag == Some("")
        {
            return None;
        }
        Some(ImageName {
            repository: normal(repository),
            tag: tag.map(str::to_owned),
            has_digest: digest.is_some(),
        })
    }

    /// The tag, if it is one that is moved as a habit; `latest` where none is written. A tag with a number in it names a
    /// version or a day.
    pub fn moving_tag(&self) -> Option<&str> {
        if self.has_digest {
            return None;
        }
        let tag = self.tag.as_deref().unwrap_or("latest");
        let first = tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
        let has_ended = self.is_official() && tag.split('-').any(|part| ENDED_NAMES.contains(&part));
        let is_moving =
            MOVING.contains(&first.as_str()) && !tag.contains(|c: char| c.is_ascii_digit()) && !has_ended;
        is_moving.then_some(tag)
    }

    /// Whether its tag names a release of one of Docker's images that gets no more of anything: it moves no more.
    pub fn has_ended(&self) -> bool {
        let Some((_, last)) = ENDED.iter().find(|(name, _)| *name == self.repository) else {
            return false;
        };
        let version = self
            .tag
            .as_deref()
            .unwrap_or_default()
            .split('-')
            .next()
            .unwrap_or_default();
        let mut numbers = version.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) <= *last,
            (Some(Ok(major)), None) => major < last.0 || major == last.0 && last.1 == u32::MAX,
            _ => false,
        }
    }

    /// With the tag that it means.
    pub fn full(&self) -> String {
        format!("{}:{}", self.repository, self.tag.as_deref().unwrap_or("latest"))
    }

    /// Whether it is one of Docker's official images.
    pub fn is_official(&self) -> bool {
        OFFICIAL.split_whitespace().any(|name| name == self.repository)
    }

    /// Whether a registry can have it. Names without a folder that are none of Docker's own are made on the machine: nobody else
    /// can push to such a name. `local/…` is what people call those that have a folder.
    pub fn is_pullable(&self) -> bool {
        let has_owner = self.repository.contains('/') && !self.repository.starts_with("local/");
        has_owner || self.is_official()
    }
}

fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

fn normal(repository: &str) -> String {
    let rest = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"]
        .iter()
        .find_map(|host| repository.strip_prefix(host))
        .unwrap_or(repository);
    rest.strip_prefix("library/").unwrap_or(rest).to_ascii_lowercase()
}

/// The text with a NUL for each variable and expression in it.
fn without_variables(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        result.push('\0');
        let closing = match after.chars().next() {
            Some('{') if after.starts_with("{{") => Some("}}"),
            Some('{') => Some("}"),
            Some('(') => Some(")"),
            _ => None,
        };
        rest = match closing {
            Some(closing) => after.split_once(closing).map_or("", |(_, rest)| rest),
            None => after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        };
    }
    result.push_str(rest);
    result
}

impl MadeImages {
    pub(super) fn of(project: &Project, builds: &[Build], compose: &[ComposeProject]) -> MadeImages {
        let mut made = MadeImages::default();
        for build in builds {
            let is_ci = is_ci(&project.file(build.file).content);
            let maker = match &build.via {
                Via::Step(..) if !build.push => Maker::Here,
                Via::Step(..) => Maker::Ci,
                Via::Command(..) if is_ci => Maker::Ci,
                _ => Maker::Here,
            };
            let names = build.tags.iter().map(|tag| tag.text.as_str());
            for name in names.chain(build.output_names()) {
                made.add(&in_environment(project, build, name), maker);
            }
        }
        made.add_commands(project);
        for service in compose.iter().flat_map(|compose| &compose.services) {
            let build = service.build.iter().flat_map(|build| &build.additional_contexts);
            made.contexts.extend(build.map(|pair| pair.name.clone()));
        }
        for (_, file) in project.files() {
            match &file.content {
                Content::GithubWorkflow(workflow) => {
                    for (job, step) in workflow.steps() {
                        let lines = |name| step.with(name).map_or(Vec::new(), |pair| pair.lines());
                        if step.is_action("docker/metadata-action") {
                            for item in lines("images") {
                                made.add(&workflow.with_environment(job, step, item.as_str()), Maker::Ci);
                            }
                        }
                        let contexts = lines("build-contexts");
                        let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
                        made.contexts
                            .extend(contexts.iter().map(|item| name(item.as_str())));
                    }
                }
                Content::Bake(bake) => {
                    let all = bake.targets.iter().filter_map(|target| target.contexts.as_ref());
                    let names = all
                        .flat_map(|contexts| &contexts.value)
                        .map(|entry| entry.name.clone());
                    made.contexts.extend(names);
                }
                _ => {}
            }
        }
        made
    }

    fn add_commands(&mut self, project: &Project) {
        for found in project.docker_commands() {
            let source = &project.file(found.file).source;
            match &found.docker.action {
                Action::Tag(arguments)
                | Action::Commit(arguments)
                | Action::Transfer(ImageTransfer::Import, arguments) => {
                    if let [_, .., name] = arguments.as_slice() {
                        self.add(&name.text, Maker::Here);
                    }
                }
                Action::Transfer(ImageTransfer::Load, _) => {
                    // Which names an archive brings, only its maker says: what the script names is among them.
                    let text = source.text().replace(":-", " ");
                    let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
                    let words = text.split(|c| !is_part(c)).filter(|word| word.len() > 2);
                    self.loaded.extend(words.map(|word| split_tag(word).0.to_owned()));
                }
                Action::Other(words) if words.iter().any(|word| word == "imagetools") => {
                    let text = found.command.span.slice(source.text());
                    let mut words = text.split_whitespace();
                    while let Some(word) = words.next() {
                        if matches!(word, "-t" | "--tag") {
                            let name = words.next().unwrap_or_default();
                            self.add(name.trim_matches(['"', '\'']), Maker::Ci);
                        }
                    }
                }
                Action::Build(_) => {
                    for value in found.docker.flags.values("build-context") {
                        let name = value.split('=').next().unwrap_or_default();
                        self.contexts.insert(name.to_owned());
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, text: &str, maker: Maker) {
        let text = without_variables(text.trim());
        let (repository, _) = split_tag(&text);
        let insert = |map: &mut BTreeMap<String, Maker>, key: String| {
            let known = map.entry(key).or_insert(maker);
            *known = maker.max(*known);
        };
        let ending = repository.rsplit('/').next().unwrap_or_default();
        match repository.split_once('\0') {
            None if !repository.is_empty() => insert(&mut self.repositories, normal(repository)),
            None => {}
            Some(_) if !ending.contains('\0') => insert(&mut self.endings, ending.to_ascii_lowercase()),
            Some((before, _)) => {
                if let Some((beginning, _)) = before.rsplit_once('/') {
                    insert(&mut self.beginnings, format!("{}/", normal(beginning)));
                }
            }
        }
    }

    /// Who of the project makes an image of this repository, if anybody does.
    pub fn maker(&self, name: &ImageName) -> Option<Maker> {
        let repository = name.repository.as_str();
        let ending = repository.rsplit('/').next().unwrap_or_default();
        let begins = repository
            .match_indices('/')
            .filter_map(|(at, _)| self.beginnings.get(repository.get(..=at)?));
        let loaded = self.loaded.contains(repository).then_some(&Maker::Here);
        let known = [
            self.repositories.get(repository),
            self.endings.get(ending),
            loaded,
        ];
        known.into_iter().flatten().chain(begins).max().copied()
    }

    /// Whether a build gives a context of this name.
    pub fn is_context(&self, name: &str) -> bool {
        self.contexts.contains(name)
    }
}

/// A name that a step of a workflow gives, with the values of its environment.
fn in_environment(project: &Project, build: &Build, name: &str) -> String {
    let (Via::Step(job, step), Content::GithubWorkflow(workflow)) =
        (&build.via, &project.file(build.file).content)
    else {
        return name.to_owned();
    };
    let job = workflow.jobs.get(*job);
    match job.and_then(|job| Some((job, job.steps.get(*step)?))) {
        Some((job, step)) => workflow.with_environment(job, step, name),
        None => name.to_owned(),
    }
}

fn is_ci(content: &Content) -> bool {
    matches!(content, Content::GithubWorkflow(_) | Content::GitlabPipeline(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, FileKind, Source, Tree};

    #[test]
    fn a_name_is_read_as_the_engine_reads_it() {
        let parts = |text: &str| {
            let name = ImageName::parse(text)?;
            Some((name.repository.clone(), name.moving_tag().map(str::to_owned)))
        };
        let moving = |repository: &str, tag: &str| Some((repository.to_owned(), Some(tag.to_owned())));
        assert_eq!(parts("docker.io/library/debian"), moving("debian", "latest"));
        assert_eq!(
            parts("localhost:5000/app"),
            moving("localhost:5000/app", "latest")
        );
        assert_eq!(parts("nginx:stable-alpine"), moving("nginx", "stable-alpine"));
        for fixed in [
            "debian:stable-20240612",
            "debian:12",
            "debian:latest@sha256:ab",
            "node:lts-buster",
            "php:fpm",
        ] {
            assert_eq!(parts(fixed).map(|(_, tag)| tag), Some(None), "{fixed}");
        }
        for unknown in ["$BASE", "{{ image }}", "", "<image>", "a b"] {
            assert_eq!(parts(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn releases_that_have_ended_are_known() {
        let has_ended = |text: &str| ImageName::parse(text).unwrap().has_ended();
        for ended in [
            "alpine:3.4",
            "debian:10-slim",
            "ubuntu:18.04",
            "node:16",
            "python:2.7",
            "centos:7",
        ] {
            assert!(has_ended(ended), "{ended}");
        }
        for alive in [
            "alpine:3.22",
            "alpine:3",
            "debian:12",
            "ubuntu:24.04",
            "node:22",
            "python:3",
            "acme/app:1",
            "debian",
        ] {
            assert!(!has_ended(alive), "{alive}");
        }
    }

    #[test]
    fn names_of_steps_are_known_through_the_environment() {
        let workflow = "on: push\nenv:\n  IMAGE: ${{ vars.OWNER }}/server\njobs:\n  a:\n    env: { OTHER: corp/web }\n    steps:\n\
            \x20     - uses: docker/metadata-action@v5\n        with: { images: '${{ env.IMAGE }}' }\n\
            \x20     - uses: docker/build-push-action@v6\n        with: { push: true, tags: '${{ env.OTHER }}:latest' }\n";
        let source = Source::new(".github/workflows/a.yml", workflow);
        let project = Project::new([File::read(source, FileKind::GithubWorkflow)], Tree::default());
        let made = |name: &str| project.facts().images.maker(&ImageName::parse(name).unwrap());
        assert_eq!(made("acme/server"), Some(Maker::Ci));
        assert_eq!(made("corp/web"), Some(Maker::Ci));
        assert_eq!(made("acme/web"), None);
    }

    #[test]
    fn what_the_project_makes_is_known_through_variables_too() {
        let script = "docker build -t $REGISTRY/base:$TAG .\n\
            for name in a b; do docker build -t \"corp/${name}\" .; done\n\
            docker tag x own:latest\n\
            IMAGE=${IMAGE:-archived:latest}; docker load -i x.tar\n";
        let file = File::read(Source::new("make.sh", script), FileKind::Script);
        let project = Project::new([file], Tree::default());
        let made = |name: &str| project.facts().images.maker(&ImageName::parse(name).unwrap());
        for name in ["registry.example/base:1", "corp/a", "own", "archived"] {
            assert_eq!(made(name), Some(Maker::Here), "{name}");
        }
        for name in ["debian:12", "other/a", "bases"] {
            assert_eq!(made(name), None, "{name}");
        }
    }
}
