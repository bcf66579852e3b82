//! What a workflow or a composite action of GitHub Actions says.

use super::expressions;
use super::shell::Shell;
use super::uses::Uses;
use super::values::{Pair, Text};
use crate::{MappedText, Span};

/// A workflow (`.github/workflows/*.yml`) or an action (`action.yml`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workflow {
    /// Its name.
    pub name: Option<Text>,
    /// What starts it; none for an action.
    pub triggers: Vec<Trigger>,
    /// What an action takes, by name.
    pub inputs: Vec<Input>,
    /// What its token may do.
    pub permissions: Option<Permissions>,
    /// Environment of all jobs.
    pub env: Vec<Pair>,
    /// What the group is called in which one run waits for another.
    pub concurrency: Option<Text>,
    /// The jobs. The steps of a composite action are one job, whose id is empty.
    pub jobs: Vec<Job>,
    /// What an action is run by (`runs.using`): `composite`, `docker`, `node20`. [`None`] for a workflow.
    pub using: Option<Text>,
    /// The image of an action that is run by `docker`: `Dockerfile` or `docker://…`.
    pub image: Option<Text>,
}

/// Something that starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `push`, `pull_request_target`, `workflow_dispatch`, `schedule` …
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// What `workflow_dispatch` and `workflow_call` take.
    pub inputs: Vec<Input>,
    /// The times of `schedule`.
    pub cron: Vec<Text>,
    /// `branches`, `tags`, `paths`, `types` and their `-ignore`, in order, each with its texts.
    pub filters: Vec<(String, Vec<Text>)>,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its type, such as `boolean`.
    pub kind: Option<Text>,
    /// What it is unless it is given.
    pub default: Option<Text>,
}

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// Where that stands.
    pub span: Span,
    /// `read-all` or `write-all`.
    pub all: Option<String>,
    /// Scopes such as `packages`, each with what is allowed.
    pub scopes: Vec<Pair>,
}

/// A job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// Its id; empty for that of a composite action.
    pub id: String,
    /// Where the id stands.
    pub id_span: Span,
    /// The whole job.
    pub span: Span,
    /// Its name.
    pub name: Option<Text>,
    /// The runner's labels.
    pub runs_on: Vec<Text>,
    /// The jobs that it waits for.
    pub needs: Vec<Text>,
    /// `if`.
    pub condition: Option<Text>,
    /// `strategy.matrix`.
    pub matrix: Option<Matrix>,
    /// The image that the steps run in.
    pub container: Option<Container>,
    /// Containers beside it.
    pub services: Vec<Container>,
    /// Environment of its steps.
    pub env: Vec<Pair>,
    /// What other jobs can read.
    pub outputs: Vec<Pair>,
    /// What its token may do.
    pub permissions: Option<Permissions>,
    /// What the group is called in which one run waits for another.
    pub concurrency: Option<Text>,
    /// Whether the run goes on when it fails; an expression is possible.
    pub continue_on_error: Option<Text>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The workflow that it is (`uses` of a job).
    pub uses: Option<Uses>,
    /// What is given to that.
    pub with: Vec<Pair>,
}

/// `strategy.matrix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Where it stands.
    pub span: Span,
    /// Its dimensions with their values, as far as they are texts; `include` and `exclude` are none.
    pub axes: Vec<(String, Vec<Text>)>,
    /// What `include` adds, as far as it is texts.
    pub included: Vec<(String, Text)>,
    /// Whether all of it is written here; otherwise an expression makes it, or a part.
    pub is_literal: bool,
}

impl Matrix {
    /// The values of a dimension.
    pub fn axis(&self, name: &str) -> Option<&[Text]> {
        self.axes
            .iter()
            .find(|(axis, _)| axis == name)
            .map(|(_, values)| values.as_slice())
    }

    /// Every value that `matrix.NAME` can have; empty if that is not written here.
    pub fn values(&self, name: &str) -> Vec<&Text> {
        let included = self.included.iter().filter(|(axis, _)| axis == name);
        let all = self
            .axis(name)
            .unwrap_or_default()
            .iter()
            .chain(included.map(|(_, value)| value));
        match self.is_literal {
            true => all.collect(),
            false => Vec::new(),
        }
    }
}

/// A container that CI starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The service's name; empty for the container of a job.
    pub name: String,
    /// Its image.
    pub image: Text,
    /// Its environment.
    pub env: Vec<Pair>,
}

/// A step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The whole step.
    pub span: Span,
    /// Its name.
    pub name: Option<Text>,
    /// Its id.
    pub id: Option<Text>,
    /// `if`.
    pub condition: Option<Text>,
    /// The action that it runs.
    pub uses: Option<Uses>,
    /// What is given to the action.
    pub with: Vec<Pair>,
    /// Where `with` stands, with its name.
    pub with_span: Option<Span>,
    /// The script that it runs.
    pub run: Option<Run>,
    /// Its environment.
    pub env: Vec<Pair>,
    /// Whether the job goes on when it fails; an expression is possible.
    pub continue_on_error: Option<Text>,
}

/// A script of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The script, with `${{ }}` as it stands ([`super::expressions`]).
    pub script: MappedText,
    /// Where it stands, with its quotes or the `|` of its block.
    pub span: Span,
    /// What runs it.
    pub shell: Shell,
    /// The folder that it runs in, relative to the repository.
    pub working_directory: Option<Text>,
}

impl Step {
    /// Whether it runs an action, whatever its version: `docker/build-push-action`.
    pub fn is_action(&self, name: &str) -> bool {
        self.uses.as_ref().is_some_and(|uses| uses.is(name))
    }

    /// Whether it builds an image with `docker/build-push-action`, or with one that takes its place and its inputs: of another
    /// owner, by the same name.
    pub fn builds_image(&self) -> bool {
        self.uses
            .as_ref()
            .is_some_and(|uses| uses.is_named("build-push-action"))
    }

    /// An input that is given to the action. Names of inputs are the same in upper and lower case.
    pub fn with(&self, name: &str) -> Option<&Pair> {
        self.with.iter().find(|pair| pair.name.eq_ignore_ascii_case(name))
    }
}

impl Workflow {
    /// All steps with their jobs.
    pub fn steps(&self) -> impl Iterator<Item = (&Job, &Step)> {
        self.jobs
            .iter()
            .flat_map(|job| job.steps.iter().map(move |step| (job, step)))
    }

    /// Something that starts it.
    pub fn trigger(&self, name: &str) -> Option<&Trigger> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }

    /// Whether it is an action.
    pub fn is_action(&self) -> bool {
        self.using.is_some()
    }

    /// A variable of the environment that a step sees: its own, its job's or the workflow's.
    pub fn variable<'a>(&'a self, job: &'a Job, step: &'a Step, name: &str) -> Option<&'a Pair> {
        [&step.env, &job.env, &self.env]
            .into_iter()
            .find_map(|env| env.iter().find(|pair| pair.name == name))
    }

    /// A text of a step with the values of the variables that it names as `${{ env.NAME }}`; other expressions stay.
    pub fn with_environment(&self, job: &Job, step: &Step, text: &str) -> String {
        let mut result = String::new();
        let mut end = 0;
        for span in expressions(text) {
            let whole = span.slice(text);
            let inner = whole.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
            let name = inner.and_then(|inner| inner.trim().strip_prefix("env."));
            let value = name.and_then(|name| self.variable(job, step, name));
            result.push_str(text.get(end..span.start).unwrap_or_default());
            result.push_str(value.map_or(whole, |pair| pair.text()));
            end = span.end;
        }
        result.push_str(text.get(end..).unwrap_or_default());
        result
    }
}
