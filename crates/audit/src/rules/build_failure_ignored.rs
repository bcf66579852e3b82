//! A build whose failure does not keep the script from deploying: no `set -e`, `|| true`, a pipe that hides the status, `&`.
//!
//! ## Why
//!
//! When the build fails, the image from before is still there under the same name. A script that goes on starts or pushes that:
//! the deploy ends green, and the old code serves on. Nothing looks wrong but a line somewhere in the log.
//!
//! Found only where something follows that uses the image: `up`, `run`, `push`, `stack deploy`. What is missing in a script is
//! found once, at its first such build. Not found where there is no image from before: the script builds only if there is none, or
//! removes it. `build && up`, `if build; then up`, `|| exit` and a look at `$?` are fine.
//!
//! Nothing is found on a runner that is new for each run: it has no image from before.
//!
//! ## Example
//!
//! ```sh
//! #!/usr/bin/env bash
//! docker compose build
//! docker compose up -d
//! ```
//!
//! ## Instead
//!
//! ```sh
//! #!/usr/bin/env bash
//! set -e
//! docker compose build
//! docker compose up -d
//! ```
//!
//! ## Fix safety
//!
//! The fix sets `set -e` at the head of the script (`set -o pipefail` where a pipe hides the failure and the script is bash's), or
//! takes the `|| true` away. The script then also ends at other commands that fail: it is unsafe.

mod fix;

use super::Rule;
use super::by_place::ByPlace;
use crate::docker::{Action, Argument, Build, ComposeVerb, ImageTransfer};
use crate::facts::flow::{Hidden, Item, Start};
use crate::shell::{Check, SwallowKind};
use crate::{Confidence, FileId, Finding, Project, ScriptPlace, Severity};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule::new(
    "build-failure-ignored",
    "a failed build does not stop the deploy that follows",
    Severity::High,
    check,
)
.fixable();

/// How many builds of a flow are looked at.
const BUILDS: usize = 256;

fn check(project: &Project, findings: &mut Vec<Finding>) {
    let mut found = ByPlace::default();
    // What is missing in a script is one fault, however many builds there are.
    let mut missing: BTreeSet<(FileId, ScriptPlace)> = BTreeSet::new();
    for flow in project.entries() {
        let items = flow.items(project);
        for build in items.iter().filter(|item| item.only_builds()).take(BUILDS) {
            let Some((hidden, after, severity)) = follower(build, &items) else {
                continue;
            };
            // A new machine has no image from before.
            if build.is_on_new_machine() || builds_nothing(build) {
                continue;
            }
            let unset = hidden.swallow.kind == SwallowKind::NoErrexit;
            // Whoever calls the function may have set errexit.
            let elsewhere = matches!(flow.start, Start::Function(..));
            if unset && (elsewhere || handles_errors(&hidden)) {
                continue;
            }
            let goes_on = unset || hidden.swallow.kind == SwallowKind::AndList;
            if goes_on && is_looked_at(project, build) {
                continue;
            }
            if unset && !missing.insert((hidden.file, hidden.script.place)) {
                continue;
            }
            found.add(finding(project, build, &hidden, after, severity));
        }
    }
    findings.extend(found.into_findings());
}

/// The first use of what is built that is reached although the build has failed, and what hides the failure.
fn follower<'i, 'a>(build: &Item<'a>, items: &'i [Item<'a>]) -> Option<(Hidden<'a>, &'i Item<'a>, Severity)> {
    let mut names = Names::of(build);
    let removed = |before: &Item<'_>| {
        before.removes_images() && before.host() == build.host() && !before.excludes(build)
    };
    if has_no_old_image(build, &names) || items[..build.index].iter().any(removed) {
        return None;
    }
    for after in items.iter().skip(build.index + 1) {
        names.follow(after);
        let Some(severity) = names.used_by(build, after) else {
            continue;
        };
        if after.excludes(build) {
            continue;
        }
        if let Some(hidden) = build.hidden_from(after) {
            // Another way is tried, or it is asked for.
            let decided = matches!(
                hidden.swallow.kind,
                SwallowKind::OrFallback
                    | SwallowKind::Negated
                    | SwallowKind::Substitution
                    | SwallowKind::Condition
            );
            return (!decided).then_some((hidden, after, severity));
        }
    }
    None
}

/// Whether it is a command of Compose whose services are none that are built.
fn builds_nothing(build: &Item<'_>) -> bool {
    let Some(Action::ComposeBuild(own)) = build.docker().map(|docker| &docker.action) else {
        return false;
    };
    let is_named = |name: &str| own.services.is_empty() || own.services.iter().any(|one| one.text == name);
    build.compose_project().is_some_and(|compose| {
        let mut services = compose.services.iter().filter(|service| is_named(&service.name)).peekable();
        services.peek().is_some() && services.all(|service| service.build.is_none())
    })
}

/// Whether what follows the build looks at its status. A function's failure is that of its callers, unless this does.
fn is_looked_at(project: &Project, build: &Item<'_>) -> bool {
    let Some(command) = build.command() else {
        return false;
    };
    let text = project.file(build.file()).source.text();
    let behind = text
        .get(command.pipeline.end.max(command.statement.end)..)
        .unwrap_or_default();
    behind.chars().take(120).collect::<String>().contains("$?")
}

/// Whether there is no image from before: it is built only if there is none, or the script removes it.
fn has_no_old_image(build: &Item<'_>, names: &Names<'_>) -> bool {
    let asks = build.guards().iter().any(|(_, guard)| {
        // What a Makefile's `$(shell …)` asks is a name here, with `_` for blanks.
        let text = guard.condition.to_ascii_lowercase().replace('_', " ");
        let unset = guard
            .tests
            .iter()
            .any(|test| test.check == Check::Empty && test.variable.to_ascii_lowercase().contains("image"));
        unset
            || [
                "image inspect",
                "images -q",
                "image ls",
                "docker images",
                "docker inspect",
            ]
            .iter()
            .any(|words| text.contains(words))
    });
    let removes = build.script().is_some_and(|script| {
        script.docker.iter().any(|(_, docker)| match &docker.action {
            Action::RemoveImages(images) => {
                docker.flags.is_on("all") || images.iter().any(|image| names.has(&image.text))
            }
            _ => false,
        })
    });
    asks || removes
}

/// A script that ends at errors in another way: `trap … ERR`.
fn handles_errors(hidden: &Hidden<'_>) -> bool {
    hidden
        .script
        .script
        .commands()
        .iter()
        .any(|command| command.name() == "trap" && command.words.iter().any(|word| word.text == "ERR"))
}

/// What a build makes.
enum Names<'a> {
    /// The images of services; none for all.
    Services(&'a [Argument]),
    /// Images with these names.
    Images(Vec<String>),
    /// Nobody says.
    Any,
}

impl<'a> Names<'a> {
    fn of(build: &Item<'a>) -> Names<'a> {
        match build.docker().map(|docker| &docker.action) {
            Some(Action::ComposeBuild(build)) => Names::Services(&build.services),
            Some(Action::Build(Build { tags, .. })) => Names::Images(tags.clone()),
            _ => Names::Any,
        }
    }

    /// Another name that an image gets: `docker tag`.
    fn follow(&mut self, item: &Item<'_>) {
        if let (Names::Images(names), Some(Action::Tag(words))) =
            (self, item.docker().map(|docker| &docker.action))
            && let [source, target] = words.as_slice()
            && names
                .iter()
                .any(|name| repository(name) == repository(&source.text))
            && names.len() < 32
        {
            names.push(target.text.clone());
        }
    }

    fn has(&self, image: &str) -> bool {
        match self {
            Names::Images(names) => names.iter().any(|name| repository(name) == repository(image)),
            Names::Services(_) => false,
            Names::Any => true,
        }
    }

    /// How bad it is that something uses the old image; none if it does not.
    fn used_by(&self, build: &Item<'_>, item: &Item<'_>) -> Option<Severity> {
        let docker = item.docker()?;
        let has = |image: &str| self.has(image) && build.shares(item, image);
        let meets = |services: &[Argument]| match self {
            Names::Services(built) => {
                let known = built.iter().chain(services).all(|service| service.known);
                built.is_empty()
                    || services.is_empty()
                    || !known
                    || built
                        .iter()
                        .any(|one| services.iter().any(|other| one.text == other.text))
            }
            Names::Images(_) => item.compose_project().is_some_and(|compose| {
                let named =
                    |name: &str| services.is_empty() || services.iter().any(|service| service.text == name);
                let own = compose
                    .services
                    .iter()
                    .filter(|service| named(&service.name) && service.build.is_none());
                own.filter_map(|service| service.image.as_ref())
                    .any(|image| self.has(&image.value))
            }),
            Names::Any => true,
        };
        let uses = match &docker.action {
            Action::ComposeUp(up) => !up.build && meets(&up.services),
            Action::Compose(ComposeVerb::Push, services) => meets(services),
            Action::Transfer(ImageTransfer::Push, images) => images.iter().any(|image| has(&image.text)),
            Action::Run(run) => {
                let image = run.image.as_ref()?;
                return has(&image.text).then_some(match run.detach {
                    true => Severity::High,
                    false => Severity::Medium,
                });
            }
            Action::StackDeploy(_) => true,
            Action::ServiceUpdate(_) => docker.flags.value("image").is_some_and(has),
            _ => false,
        };
        uses.then_some(Severity::High)
    }
}

/// The name of an image without its tag.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag))
            if !tag.contains('/') && !repository.ends_with('$') && !tag.starts_with('-') =>
        {
            repository
        }
        _ => name,
    }
}

fn finding(
    project: &Project,
    build: &Item<'_>,
    hidden: &Hidden<'_>,
    after: &Item<'_>,
    severity: Severity,
) -> Finding {
    let kind = hidden.swallow.kind;
    let (why, help) = match kind {
        SwallowKind::NoErrexit => (
            "the script goes on",
            "set `set -e` at the head of the script, or join the commands with `&&`",
        ),
        SwallowKind::ErrexitOff => ("`set +e` is on", "turn errexit on again before the build"),
        SwallowKind::AndList => (
            "the script goes on behind the list",
            "give each command of the list a line of its own under `set -e`, or join what follows with `&&`: for a list, \
             `set -e` looks at its last command alone",
        ),
        SwallowKind::Pipe => (
            "the pipe has the status of its last command",
            "set `set -o pipefail`",
        ),
        SwallowKind::Background => (
            "it runs in the background, and its status is lost",
            "wait for it by its process id: `wait \"$pid\"`",
        ),
        SwallowKind::Runner => ("its failure is ignored", "let the failure end the run"),
        _ => (
            "the failure is swallowed",
            "let the script end where the build fails",
        ),
    };
    let is_script = has_head(project, hidden);
    let help = match kind {
        SwallowKind::NoErrexit if !is_script => "join the commands with `&&`",
        _ => help,
    };
    let mut finding = Finding::new(
        RULE.id,
        severity,
        match kind {
            SwallowKind::Background => Confidence::Medium,
            _ => Confidence::High,
        },
        format!(
            "if `{}` fails, `{}` goes on with the old image",
            build.shown(),
            after.shown()
        ),
        build.place(),
    )
    .label(why)
    .help(help)
    .also(after.place(), "reached whether the build has failed or not");
    if (hidden.file, hidden.command.span) != build.place() {
        finding = finding.also((hidden.file, hidden.command.span), "this call hides the failure");
    }
    finding.fix(fix::of(project, hidden))
}

/// Whether options can be set at the head of a script. What stands in a recipe, a step or the words of another command has none,
/// and one that says that it is sourced would set them for the shell of the person.
fn has_head(project: &Project, hidden: &Hidden<'_>) -> bool {
    let source = &project.file(hidden.file).source;
    let mut comments = source.text().lines().filter(|line| line.trim_start().starts_with('#'));
    let is_sourced = comments.any(|line| line.contains(source.name()) && line.split_whitespace().any(|word| word == "source" || word == "."));
    hidden.script.place == ScriptPlace::Whole && hidden.command.context.depth == 0 && !is_sourced
}
