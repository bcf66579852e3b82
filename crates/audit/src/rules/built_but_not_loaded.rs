//! An image is built by a builder in a container and not loaded into the engine, and the same script or job uses the engine's
//! image of that name: an older one, or none.
//!
//! ## Why
//!
//! Builders of the drivers `docker-container`, `kubernetes` and `remote` keep what they build in their own cache. Without `--load`,
//! `--push` or `--output`, buildx only warns (*No output specified … Build result will only remain in the build cache*) and ends
//! well. What is run, tagged or pushed afterwards is the image that the engine had before, so that the build seems to have changed
//! nothing. `docker/setup-buildx-action` and `docker buildx create --use` make such a builder the one in use.
//!
//! ## Example
//!
//! `deploy.sh`:
//! ```sh
//! docker buildx create --name ci --use
//! docker buildx build -t web:latest .
//! docker run -d web:latest
//! ```
//!
//! ## Instead
//!
//! `deploy.sh`:
//! ```sh
//! docker buildx create --name ci --use
//! docker buildx build --load -t web:latest .
//! docker run -d web:latest
//! ```
//!
//! ## Fix safety
//!
//! With `--load`, the image replaces the one of that name in the engine, which is what the commands that follow use.
//!
//! ## References
//!
//! - <https://docs.docker.com/build/builders/drivers/>

use super::Rule;
use crate::docker::{Action, BuilderAction, ImageTransfer, Tool};
use crate::facts::caches::{images_of, written};
use crate::facts::names::{self, Likeness};
use crate::facts::units::Unit;
use crate::facts::{Build, DockerUse, Via};
use crate::shell::Editor;
use crate::workflow::Step;
use crate::{Applicability, Confidence, Content, Edit, FileId, Finding, Fix, Project, Severity, Span};

pub(super) const RULE: Rule = Rule::new(
    "built-but-not-loaded",
    "an image that stays in the builder, while an older one is used",
    Severity::High,
    check,
)
.fixable();

/// A builder that keeps what it builds, and where it is put to use.
#[derive(Debug, Clone, Copy)]
struct Keeper {
    place: (FileId, Span),
}

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let commands: Vec<DockerUse<'_>> = project.docker_commands().collect();
    for build in &project.facts().builds {
        let Some(unit) = Unit::of_build(project, build) else {
            continue;
        };
        if build.is_of_compose() || matches!(unit, Unit::Run(..)) || is_put_somewhere(build) {
            continue;
        }
        let of_unit: Vec<&DockerUse<'_>> = commands
            .iter()
            .filter(|used| Unit::of_script(used.file, used.script) == unit)
            .collect();
        let command = of_unit
            .iter()
            .find(|used| (used.file, used.command.span) == build.place())
            .copied();
        let Some(keeper) = keeper(project, build, command, &of_unit) else {
            continue;
        };
        let images = images_of(project, build);
        if let Some(user) = user(project, build, command, &of_unit, &images) {
            findings.push(finding(project, build, command, keeper, user));
        }
    }
}

/// Whether the result goes somewhere, as far as is known.
fn is_put_somewhere(build: &Build) -> bool {
    build.load || build.push || !build.outputs.is_empty() || build.is_open
}

/// The builder that the build is made by, if it keeps what it builds.
fn keeper(
    project: &Project,
    build: &Build,
    command: Option<&DockerUse<'_>>,
    of_unit: &[&DockerUse<'_>],
) -> Option<Keeper> {
    let before: Vec<&&DockerUse<'_>> = of_unit
        .iter()
        .filter(|used| used.command.span.start < build.span.start)
        .collect();
    let steps = steps_before(project, build);
    if let Some(command) = command {
        let installs =
            |used: &&&DockerUse<'_>| matches!(used.docker.action, Action::Builder(BuilderAction::Install));
        let is_alias = before.iter().any(installs)
            || steps
                .iter()
                .any(|step| step.with("install").is_some_and(|pair| pair.is_true()));
        // `docker build` takes the engine's builder, whichever buildx uses.
        let asks_buildx = command.docker.tool == Tool::Buildx || build.builder.is_some() || is_alias;
        let sets_output = command
            .command
            .assignments
            .iter()
            .any(|one| one.name == "BUILDX_NO_DEFAULT_LOAD");
        if !asks_buildx
            || sets_output
            || matches!(command.docker.tool, Tool::Buildctl | Tool::Podman | Tool::Buildah)
        {
            return None;
        }
    }
    let mut found: Option<Keeper> = None;
    let mut events: Vec<(usize, Option<Keeper>)> = Vec::new();
    for used in &before {
        let Action::Builder(action) = &used.docker.action else {
            continue;
        };
        let keeper = Keeper { place: used.place() };
        match action {
            BuilderAction::Create {
                name,
                driver,
                is_used,
            } => {
                let keeps = driver
                    .as_deref()
                    .is_none_or(|driver| matches!(driver, "docker-container" | "kubernetes" | "remote"))
                    && !used
                        .docker
                        .flags
                        .values("driver-opt")
                        .iter()
                        .any(|option| option.contains("default-load"));
                let is_named = build.builder.is_some() && *name == build.builder;
                if *is_used || is_named {
                    events.push((used.command.span.start, keeps.then_some(keeper)));
                }
            }
            BuilderAction::Use(arguments) => {
                let name = arguments.first().map(|argument| argument.text.as_str());
                let created = before.iter().find(|other| match &other.docker.action {
                    Action::Builder(BuilderAction::Create {
                        name: created,
                        driver,
                        ..
                    }) => created.as_deref() == name && driver.as_deref() != Some("docker"),
                    _ => false,
                });
                events.push((used.command.span.start, created.map(|_| keeper)));
            }
            _ => {}
        }
    }
    for step in steps {
        let is_docker = step
            .with("driver")
            .is_some_and(|pair| pair.text().trim() == "docker");
        let is_open = step
            .with("driver")
            .is_some_and(|pair| pair.text().contains("${{"));
        let loads = step
            .with("driver-opts")
            .is_some_and(|pair| pair.text().contains("default-load"));
        let keeper = Keeper {
            place: (build.file, step.uses.as_ref().map_or(step.span, |uses| uses.span)),
        };
        events.push((
            step.span.start,
            (!is_docker && !is_open && !loads).then_some(keeper),
        ));
    }
    events.sort_by_key(|(at, _)| *at);
    if let Some((_, last)) = events.last() {
        found = *last;
    }
    let is_default = build.builder.as_deref() == Some("default");
    found.filter(|_| !is_default)
}

/// The steps before the build's that put a builder to use.
fn steps_before<'a>(project: &'a Project, build: &Build) -> Vec<&'a Step> {
    let Content::GithubWorkflow(workflow) = &project.file(build.file).content else {
        return Vec::new();
    };
    let job = workflow.jobs.iter().find(|job| job.span.contains(build.span));
    let steps = job.into_iter().flat_map(|job| &job.steps);
    steps
        .filter(|step| step.is_action("docker/setup-buildx-action") && step.span.start < build.span.start)
        .collect()
}

/// The first command after the build that uses the engine's image, unless something has put it there meanwhile.
fn user<'a, 'p>(
    project: &Project,
    build: &Build,
    command: Option<&DockerUse<'_>>,
    of_unit: &[&'a DockerUse<'p>],
    images: &[String],
) -> Option<&'a DockerUse<'p>> {
    let means =
        |image: &str, likeness: Likeness| images.iter().any(|own| names::images(own, image) >= likeness);
    let is_elsewhere = |used: &DockerUse<'_>| {
        let remote = |used: &DockerUse<'_>| used.command.context.remote().cloned();
        command.map_or(remote(used).is_some(), |command| remote(used) != remote(command))
    };
    // Another build of that name that is loaded.
    let is_loaded = |before: usize| {
        project.facts().builds.iter().any(|other| {
            other.file == build.file
                && other.place() != build.place()
                && other.span.start < before
                && Unit::of_build(project, other) == Unit::of_build(project, build)
                && (other.load
                    || other.is_open
                    || !is_same_kind(build, other)
                    || other.outputs.iter().any(|one| one.contains("docker")))
                && images_of(project, other)
                    .iter()
                    .any(|image| means(image, Likeness::Possible))
        })
    };
    for used in of_unit
        .iter()
        .filter(|used| used.command.span.start > build.span.start)
    {
        let text = |argument: &crate::docker::Argument| match argument.text.contains("${__") {
            true => written(project, used.file, argument.span),
            false => argument.text.clone(),
        };
        let (gives, takes): (Vec<String>, Vec<String>) = match &used.docker.action {
            Action::Run(run) if run.pull.as_deref() != Some("always") => {
                (Vec::new(), run.image.iter().map(text).collect())
            }
            Action::Transfer(ImageTransfer::Pull, arguments) => {
                (arguments.iter().map(text).collect(), Vec::new())
            }
            Action::Transfer(ImageTransfer::Load | ImageTransfer::Import, _) => (images.to_vec(), Vec::new()),
            Action::Transfer(ImageTransfer::Push | ImageTransfer::Save, arguments) => {
                (Vec::new(), arguments.iter().map(text).collect())
            }
            Action::Tag(arguments) => (
                arguments.iter().skip(1).map(text).collect(),
                arguments.iter().take(1).map(text).collect(),
            ),
            _ => continue,
        };
        if is_elsewhere(used) {
            continue;
        }
        if takes.iter().any(|image| means(image, Likeness::Same)) {
            return (!is_loaded(used.command.span.start)).then_some(*used);
        }
        if gives.iter().any(|image| means(image, Likeness::Possible)) {
            return None;
        }
    }
    None
}

/// Whether both are asked of buildx; a plain `docker build` loads what it builds.
fn is_same_kind(one: &Build, other: &Build) -> bool {
    one.name == other.name || matches!((&one.via, &other.via), (Via::Step(..), Via::Step(..)))
}

fn finding(
    project: &Project,
    build: &Build,
    command: Option<&DockerUse<'_>>,
    keeper: Keeper,
    user: &DockerUse<'_>,
) -> Finding {
    let uses = user.name(project);
    let loads = match command {
        Some(_) => "`--load`",
        None => "`load: true`",
    };
    let several = build.platforms.len() > 1 || build.platforms.iter().any(|one| one.contains(','));
    let help = match several {
        true => "load it for one platform, or push it and pull what was pushed: an image of several platforms cannot be loaded into a classic image store".to_owned(),
        false => format!("add {loads}, so that the engine has the new image"),
    };
    Finding::new(
        RULE.id,
        Severity::High,
        match command {
            Some(_) => Confidence::Medium,
            None => Confidence::High,
        },
        format!(
            "{} leaves the image in the builder, and `{uses}` takes the one that the engine has",
            build.name
        ),
        build.place(),
    )
    .help(help)
    .also(keeper.place, "from here on, a builder in a container builds")
    .also(user.place(), "uses the engine's image")
    .fix(if several {
        None
    } else {
        fix(project, build, command)
    })
}

fn fix(project: &Project, build: &Build, command: Option<&DockerUse<'_>>) -> Option<Fix> {
    let edit = match command {
        Some(used) => Editor::new(used.file, &project.file(used.file).source).insert_words_after(
            used.command,
            used.docker.verb,
            "--load",
        )?,
        None => load_input(project, build)?,
    };
    Some(Fix {
        title: "load the image into the engine".to_owned(),
        change: "Loaded the image into the engine".to_owned(),
        impact: "What is built is what is used".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![edit],
    })
}

/// `load: true` as the first input of the step.
fn load_input(project: &Project, build: &Build) -> Option<Edit> {
    let read = project.file(build.file);
    let (Content::GithubWorkflow(workflow), Via::Step(job, step)) = (&read.content, &build.via) else {
        return None;
    };
    let step = workflow.jobs.get(*job)?.steps.get(*step)?;
    if step.with("load").is_some() {
        return None;
    }
    let first = step.with.first()?.span.start;
    let line = read.source.whole_lines(Span::new(first, first));
    let indent = Span::new(line.start, first).slice(read.source.text());
    indent.chars().all(|c| c == ' ').then(|| Edit {
        file: build.file,
        span: Span::new(first, first),
        content: format!("load: true\n{indent}"),
    })
}
