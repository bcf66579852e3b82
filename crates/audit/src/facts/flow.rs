//! What runs one after another: a script with the scripts and functions that it calls, the steps of a job, a target of a
//! Makefile with its prerequisites.
//!
//! For rules that ask what comes before or after a command. Commands stand in the order in which they are reached; those
//! of both branches of a condition are there, and [`Item::excludes`] tells that they never run together. What cannot be
//! found (a script elsewhere, a target of another Makefile) is left out: it may do anything. Nothing is judged here.

mod build;
mod calls;
mod effect;
mod folder;
mod guards;
mod purpose;

#[cfg(test)]
mod tests;

pub use purpose::Purpose;

use crate::docker::DockerCommand;
use crate::shell::{Command, Errexit, Guard, Place, Swallow, SwallowKind};
use crate::workflow::{Job, Step};
use crate::{Content, EmbeddedScript, FileId, Project, ScriptPlace, Span};
use std::sync::Arc;

/// What runs one after another, from where somebody starts it.
#[derive(Debug)]
pub struct Flow {
    /// Where it starts.
    pub start: Start,
    /// Whether another flow runs it as a part of itself.
    pub is_called: bool,
    steps: Vec<Reached>,
}

/// Where a flow starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// A script.
    Script(FileId),
    /// A function that no command of its script calls.
    Function(FileId, String),
    /// A job of a workflow or of a pipeline, or an action: the index of the job.
    Job(FileId, usize),
    /// What a job of a pipeline does at its end: the index of the job.
    AfterJob(FileId, usize),
    /// A target of a Makefile: the index of the recipe.
    Target(FileId, usize),
}

impl Start {
    /// The file.
    pub fn file(&self) -> FileId {
        match self {
            Start::Script(file)
            | Start::Function(file, _)
            | Start::Job(file, _)
            | Start::AfterJob(file, _)
            | Start::Target(file, _) => *file,
        }
    }
}

/// Something that is reached, and how.
#[derive(Debug, Clone)]
struct Reached {
    what: What,
    /// The call through which it is reached.
    call: Option<Arc<Call>>,
    /// The folder that it runs in, if that is known.
    folder: Option<Arc<str>>,
    /// Whether a script that was sourced before has set errexit.
    errexit: bool,
}

/// What is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A command: the file, the index of the script among the file's, and of the command among the script's.
    Command(FileId, usize, usize),
    /// A step that is an action: the file, the index of the job, and of the step.
    Action(FileId, usize, usize),
}

impl What {
    fn file(self) -> FileId {
        match self {
            What::Command(file, ..) | What::Action(file, ..) => file,
        }
    }
}

/// A call of a script, a function, a target or an action.
#[derive(Debug)]
struct Call {
    what: What,
    /// Whether the called runs in the same shell: a function, or `source`.
    same_shell: bool,
    /// Whether a script that was sourced before has set errexit.
    errexit: bool,
    outer: Option<Arc<Call>>,
}

/// Something that a flow does: a command, or a step that is an action.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    project: &'a Project,
    /// Where it starts.
    pub start: &'a Start,
    reached: &'a Reached,
    /// How many come before it.
    pub index: usize,
}

/// A command whose failure is hidden.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    /// The file.
    pub file: FileId,
    /// The script that it stands in.
    pub script: &'a EmbeddedScript,
    /// The command.
    pub command: &'a Command,
    /// How its failure is hidden.
    pub swallow: &'a Swallow,
}

/// Every flow of a project in which something is done with Docker; none in a project that has nothing of it.
pub(super) fn of(project: &Project) -> Vec<Flow> {
    match project.docker_commands().next() {
        Some(_) => build::flows(project),
        None => Vec::new(),
    }
}

impl Project {
    /// Every flow.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.facts().flows.iter()
    }

    /// The flows that no other runs: what somebody starts.
    pub fn entries(&self) -> impl Iterator<Item = &Flow> {
        self.flows().filter(|flow| !flow.is_called)
    }
}

impl Flow {
    /// What it does, in order.
    pub fn items<'a>(&'a self, project: &'a Project) -> Vec<Item<'a>> {
        let item = |(index, reached)| Item {
            project,
            start: &self.start,
            reached,
            index,
        };
        self.steps.iter().enumerate().map(item).collect()
    }
}

impl<'a> Item<'a> {
    /// The file that it stands in.
    pub fn file(&self) -> FileId {
        self.reached.what.file()
    }

    /// A file of the project by its path.
    pub fn file_of(&self, path: &str) -> Option<FileId> {
        self.project.find(path)
    }

    /// Where it stands.
    pub fn place(&self) -> (FileId, Span) {
        place(self.project, self.reached.what)
    }

    /// The command.
    pub fn command(&self) -> Option<&'a Command> {
        command(self.project, self.reached.what)
    }

    /// The function that it stands in.
    pub fn function(&self) -> Option<&'a str> {
        self.command()?.context.function.as_deref()
    }

    /// The command as one of Docker's.
    pub fn docker(&self) -> Option<&'a DockerCommand> {
        let What::Command(_, _, index) = self.reached.what else {
            return None;
        };
        let docker = &self.script()?.docker;
        let found = docker.binary_search_by_key(&index, |(own, _)| *own).ok()?;
        docker.get(found).map(|(_, docker)| docker)
    }

    /// The script that the command stands in.
    pub fn script(&self) -> Option<&'a EmbeddedScript> {
        script(self.project, self.reached.what)
    }

    /// The step of a workflow, if it is an action.
    pub fn action(&self) -> Option<&'a Step> {
        match self.reached.what {
            What::Action(file, job, step) => step_of(self.project, file, job, step),
            What::Command(..) => None,
        }
    }

    /// The job of a workflow that it runs in.
    pub fn job(&self) -> Option<&'a Job> {
        let Start::Job(file, job) = self.start else {
            return None;
        };
        match &self.project.file(*file).content {
            Content::GithubWorkflow(workflow) => workflow.jobs.get(*job),
            _ => None,
        }
    }

    /// The step of a workflow that it stands in or that calls what it stands in, outermost first.
    pub fn steps(&self) -> Vec<&'a Step> {
        let mut steps: Vec<&Step> = self
            .whats()
            .filter_map(|what| match what {
                What::Action(file, job, step) => step_of(self.project, file, job, step),
                What::Command(file, script, _) => match self.project.file(file).scripts.get(script)?.place {
                    ScriptPlace::Step(job, step) => step_of(self.project, file, job, step),
                    _ => None,
                },
            })
            .collect();
        steps.reverse();
        steps.dedup_by(|one, other| std::ptr::eq(*one, *other));
        steps
    }

    /// It, the call that reaches it, and so on, innermost first.
    fn whats(&self) -> impl Iterator<Item = What> {
        std::iter::once(self.reached.what).chain(self.calls().map(|call| call.what))
    }

    fn calls(&self) -> impl Iterator<Item = &'a Call> {
        std::iter::successors(self.reached.call.as_deref(), |call| call.outer.as_deref())
    }

    /// What must hold for it to run, in the scripts that call it as well, each with the file that says it.
    pub fn guards(&self) -> Vec<(FileId, &'a Arc<Guard>)> {
        let mut guards = Vec::new();
        for what in self.whats() {
            let own = command(self.project, what).map_or(&[][..], |command| &command.context.guards);
            for guard in own {
                let guard = (what.file(), guard);
                if !guards.contains(&guard) {
                    guards.push(guard);
                }
            }
        }
        guards
    }

    /// Whether it never runs in the same run as another: they stand in two branches.
    pub fn excludes(&self, other: &Item<'_>) -> bool {
        guards::exclude(&self.guards(), &other.guards())
    }

    /// The machine that it runs on as it is written, if not that of the flow; of several, the last that is reached.
    pub fn host(&self) -> Option<&'a str> {
        self.whats()
            .filter_map(|what| command(self.project, what))
            .find_map(|command| match command.context.remote() {
                Some(Place::Remote { host, .. }) => Some(host.as_str()),
                _ => None,
            })
    }

    /// Whether it is written before another of the same file, though it may run again behind that: a script that is called
    /// several times, each time for something else.
    pub fn is_written_before(&self, other: &Item<'_>) -> bool {
        let ((file, own), (other_file, other)) = (self.place(), other.place());
        file == other_file && own.start < other.start
    }

    /// The command that hides its failure from `after`, which comes behind it in the same flow: itself, or a call that reaches
    /// it. None if `after` is not reached when it fails.
    pub fn hidden_from(&self, after: &Item<'_>) -> Option<Hidden<'a>> {
        if after.needs(self) {
            return None;
        }
        let beyond: Vec<What> = after.whats().collect();
        let own: Vec<What> = self.whats().collect();
        let errexit = self.errexit();
        for (index, what) in own.iter().enumerate() {
            // What follows is reached by the same call: how that ends is none of its business.
            if beyond.contains(what) {
                return None;
            }
            let Some(command) = command(self.project, *what) else {
                continue;
            };
            let Some(swallow) = &command.context.swallowed else {
                continue;
            };
            let is_set = errexit.get(index).copied().unwrap_or_default();
            if !(swallow.kind == SwallowKind::NoErrexit && is_set) {
                return Some(Hidden {
                    file: what.file(),
                    script: script(self.project, *what)?,
                    command,
                    swallow,
                });
            }
        }
        None
    }

    /// Of it and of each call that reaches it, innermost first: whether the shell has errexit set. A sourced script and a
    /// function have that of whoever runs them, and set it for them.
    fn errexit(&self) -> Vec<bool> {
        let flags = std::iter::once(self.reached.errexit).chain(self.calls().map(|call| call.errexit));
        let mut set: Vec<bool> = self
            .whats()
            .zip(flags)
            .map(|(what, flag)| {
                let own = command(self.project, what).map(|command| command.context.errexit);
                flag || own == Some(Errexit::On)
            })
            .collect();
        let shared: Vec<bool> = self.calls().map(|call| call.same_shell).collect();
        for (index, shared) in shared.iter().enumerate() {
            set[index + 1] |= *shared && set[index];
        }
        for (index, shared) in shared.iter().enumerate().rev() {
            set[index] |= *shared && set[index + 1];
        }
        set
    }

    /// Whether a word of one means the same in the other although a variable is in it: they stand in the same file, and are
    /// reached by the same call if the shell's own variables (`$1`) are in it.
    pub fn shares(&self, other: &Item<'_>, word: &str) -> bool {
        if !word.contains('$') {
            return true;
        }
        let positional = word.split('$').skip(1).any(|rest| {
            let name = rest.trim_start_matches('{');
            name.starts_with(|c: char| c.is_ascii_digit() || "@*#".contains(c))
        });
        let same_call = match (&self.reached.call, &other.reached.call) {
            (None, None) => true,
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            _ => false,
        };
        self.file() == other.file() && (same_call || !positional)
    }

    /// Whether it runs only if `before` did not fail: `before && it`, `if before; then it`.
    fn needs(&self, before: &Item<'_>) -> bool {
        let guards = self.guards();
        before.whats().any(|what| {
            let Some(command) = command(self.project, what) else {
                return false;
            };
            guards.iter().any(|(file, guard)| {
                let within = guard.span.start <= command.span.start && command.span.end <= guard.span.end;
                *file == what.file() && !guard.negated && within
            })
        })
    }

    /// The folders that a path in its words can start from, the likeliest first: where the flow has gone, the checked
    /// folder, the folder of the file.
    pub fn folders(&self) -> Vec<String> {
        let own = self.project.file(self.file()).source.folder();
        folder::candidates(self.reached.folder.as_deref(), own)
    }
}

fn script(project: &Project, what: What) -> Option<&EmbeddedScript> {
    match what {
        What::Command(file, script, _) => project.file(file).scripts.get(script),
        What::Action(..) => None,
    }
}

fn command(project: &Project, what: What) -> Option<&Command> {
    match what {
        What::Command(_, _, index) => script(project, what)?.script.commands().get(index),
        What::Action(..) => None,
    }
}

fn step_of(project: &Project, file: FileId, job: usize, step: usize) -> Option<&Step> {
    match &project.file(file).content {
        Content::GithubWorkflow(workflow) => workflow.jobs.get(job)?.steps.get(step),
        _ => None,
    }
}

fn place(project: &Project, what: What) -> (FileId, Span) {
    match what {
        What::Command(file, ..) => {
            let span = command(project, what).map_or_else(Span::default, |command| command.span);
            (file, span)
        }
        What::Action(file, job, step) => {
            let step = step_of(project, file, job, step);
            let span = step.map_or_else(Span::default, |step| {
                step.uses.as_ref().map_or(step.span, |uses| uses.span)
            });
            (file, span)
        }
    }
}
