//! Reads workflows and actions of GitHub Actions.

use super::model::{Container, Input, Job, Matrix, Permissions, Run, Step, Trigger, Workflow};
use super::shell::Shell;
use super::uses::Uses;
use super::values::{Pair, Text, Values};
use crate::yaml::{Node, Yaml};
use crate::{Source, Span};

impl Workflow {
    /// Reads a workflow or an action. What is not as it should be is as if it were missing.
    pub fn of(source: &Source, yaml: &Yaml) -> Workflow {
        let Some(root) = yaml.root().filter(|root| root.is_mapping()) else {
            return Workflow::default();
        };
        let reader = Reader {
            values: Values::of(source),
        };
        match root.get("runs") {
            Some(runs) if root.get("jobs").is_none() => reader.action(root, runs),
            _ => reader.workflow(root),
        }
    }
}

/// `defaults.run`.
#[derive(Clone, Default)]
struct Defaults {
    shell: Option<Text>,
    working_directory: Option<Text>,
}

struct Reader<'a> {
    values: Values<'a>,
}

impl Reader<'_> {
    fn text(&self, node: Node<'_>) -> Option<Text> {
        self.values.text(node)
    }

    fn texts(&self, node: Node<'_>) -> Vec<Text> {
        self.values.texts(node)
    }

    fn defaults(&self, node: Node<'_>, outer: &Defaults) -> Defaults {
        let run = |key| {
            let value = node.lookup(["defaults", "run", key]);
            value.and_then(|value| self.text(value))
        };
        Defaults {
            shell: run("shell").or_else(|| outer.shell.clone()),
            working_directory: run("working-directory").or_else(|| outer.working_directory.clone()),
        }
    }

    fn workflow(&self, root: Node<'_>) -> Workflow {
        let defaults = self.defaults(root, &Defaults::default());
        let jobs = root.get("jobs").into_iter().flat_map(Node::merged_entries);
        Workflow {
            name: root.get("name").and_then(|node| self.text(node)),
            triggers: root.get("on").map_or_else(Vec::new, |on| self.triggers(on)),
            permissions: root.get("permissions").map(|node| self.permissions(node)),
            env: self.pairs_of(root, "env"),
            concurrency: self.concurrency(root),
            jobs: jobs
                .take_while(|_| self.values.take(0))
                .filter_map(|entry| {
                    let id = self.text(entry.key)?;
                    Some(self.job(id, entry.span, entry.value, &defaults))
                })
                .collect(),
            ..Workflow::default()
        }
    }

    fn action(&self, root: Node<'_>, runs: Node<'_>) -> Workflow {
        let steps = runs.get("steps");
        let job = Job {
            span: steps.map_or(runs.span(), Node::span),
            steps: self.steps(steps, &Defaults::default(), false, false),
            ..Job::default()
        };
        Workflow {
            name: root.get("name").and_then(|node| self.text(node)),
            inputs: root.get("inputs").map_or_else(Vec::new, |node| self.inputs(node)),
            using: Some(
                runs.get("using")
                    .and_then(|node| self.text(node))
                    .unwrap_or(Text {
                        value: String::new(),
                        span: runs.span(),
                    }),
            ),
            image: runs.get("image").and_then(|node| self.text(node)),
            jobs: steps.map_or_else(Vec::new, |_| vec![job]),
            ..Workflow::default()
        }
    }

    fn triggers(&self, on: Node<'_>) -> Vec<Trigger> {
        if !on.is_mapping() {
            let trigger = |text: Text| Trigger {
                name: text.value,
                span: text.span,
                inputs: Vec::new(),
                cron: Vec::new(),
                filters: Vec::new(),
            };
            return self.texts(on).into_iter().map(trigger).collect();
        }
        let trigger = |entry: crate::yaml::Entry<'_>| {
            let name = self.text(entry.key)?;
            let crons = entry.value.items().filter_map(|item| item.get("cron"));
            let filters = entry.value.entries().filter(|_| entry.value.is_mapping());
            Some(Trigger {
                inputs: entry
                    .value
                    .get("inputs")
                    .map_or_else(Vec::new, |node| self.inputs(node)),
                cron: crons.filter_map(|node| self.text(node)).collect(),
                filters: filters
                    .filter_map(|filter| Some((filter.key.as_str()?.to_owned(), self.texts(filter.value))))
                    .filter(|(_, values)| !values.is_empty())
                    .collect(),
                name: name.value,
                span: name.span,
            })
        };
        on.merged_entries().into_iter().filter_map(trigger).collect()
    }

    fn inputs(&self, node: Node<'_>) -> Vec<Input> {
        let input = |entry: crate::yaml::Entry<'_>| {
            Some(Input {
                name: entry.key.as_str()?.to_owned(),
                span: entry.key.span(),
                kind: entry.value.get("type").and_then(|node| self.text(node)),
                default: entry.value.get("default").and_then(|node| self.text(node)),
            })
        };
        node.merged_entries().into_iter().filter_map(input).collect()
    }

    fn permissions(&self, node: Node<'_>) -> Permissions {
        Permissions {
            span: node.span(),
            all: node.as_str().map(str::to_owned),
            scopes: self.values.pairs(node),
        }
    }

    fn job(&self, id: Text, span: Span, node: Node<'_>, defaults: &Defaults) -> Job {
        let runs_on = node
            .get("runs-on")
            .map_or_else(Vec::new, |node| match node.get("labels") {
                Some(labels) => self.texts(labels),
                None => self.texts(node),
            });
        let container = node.get("container").and_then(|node| self.container("", node));
        let windows = runs_on
            .iter()
            .any(|label| label.value.to_ascii_lowercase().contains("windows"));
        let services = node.get("services").into_iter().flat_map(Node::merged_entries);
        let defaults = self.defaults(node, defaults);
        Job {
            id: id.value,
            id_span: id.span,
            span,
            name: node.get("name").and_then(|node| self.text(node)),
            needs: node.get("needs").map_or_else(Vec::new, |node| self.texts(node)),
            condition: node.get("if").and_then(|node| self.text(node)),
            matrix: node.lookup(["strategy", "matrix"]).map(|node| self.matrix(node)),
            services: services
                .filter_map(|entry| self.container(entry.key.as_str()?, entry.value))
                .collect(),
            env: self.pairs_of(node, "env"),
            outputs: self.pairs_of(node, "outputs"),
            permissions: node.get("permissions").map(|node| self.permissions(node)),
            concurrency: self.concurrency(node),
            continue_on_error: node.get("continue-on-error").and_then(|node| self.text(node)),
            steps: self.steps(node.get("steps"), &defaults, container.is_some(), windows),
            uses: self.uses(node),
            with: self.pairs_of(node, "with"),
            runs_on,
            container,
        }
    }

    fn container(&self, name: &str, node: Node<'_>) -> Option<Container> {
        Some(Container {
            name: name.to_owned(),
            image: node
                .get("image")
                .and_then(|node| self.text(node))
                .or_else(|| self.text(node))?,
            env: self.pairs_of(node, "env"),
        })
    }

    fn steps(
        &self,
        steps: Option<Node<'_>>,
        defaults: &Defaults,
        container: bool,
        windows: bool,
    ) -> Vec<Step> {
        steps
            .map_or_else(Vec::new, |steps| in_order(steps, GROUPS))
            .into_iter()
            .take_while(|_| self.values.take(0))
            .map(|node| {
                let own = |key: &str| node.get(key).and_then(|node| self.text(node));
                let shell = own("shell").or_else(|| defaults.shell.clone());
                let run = node.get("run").and_then(|run| {
                    Some(Run {
                        script: self.values.mapped(run)?,
                        span: run.span(),
                        shell: Shell::of_github(
                            shell.as_ref().map(|shell| shell.value.as_str()),
                            container,
                            windows,
                        ),
                        working_directory: own("working-directory")
                            .or_else(|| defaults.working_directory.clone()),
                    })
                });
                Step {
                    span: node.span(),
                    name: own("name"),
                    id: own("id"),
                    condition: own("if"),
                    uses: self.uses(node),
                    with: self.pairs_of(node, "with"),
                    with_span: node.get_entry("with").map(|entry| entry.span),
                    run,
                    env: self.pairs_of(node, "env"),
                    continue_on_error: own("continue-on-error"),
                }
            })
            .collect()
    }

    fn pairs_of(&self, node: Node<'_>, key: &str) -> Vec<Pair> {
        node.get(key)
            .map_or_else(Vec::new, |node| self.values.pairs(node))
    }

    fn uses(&self, node: Node<'_>) -> Option<Uses> {
        let uses = node.get("uses")?;
        Some(Uses::of(&self.values.mapped(uses)?, uses.span()))
    }

    fn concurrency(&self, node: Node<'_>) -> Option<Text> {
        let concurrency = node.get("concurrency")?;
        concurrency
            .get("group")
            .and_then(|node| self.text(node))
            .or_else(|| self.text(concurrency))
    }

    fn matrix(&self, node: Node<'_>) -> Matrix {
        let axes = node.merged_entries().into_iter().filter_map(|entry| {
            let name = entry.key.as_str()?;
            (!["include", "exclude"].contains(&name)).then(|| (name.to_owned(), self.texts(entry.value)))
        });
        let included = node.get("include");
        let items = included
            .into_iter()
            .flat_map(Node::items)
            .flat_map(Node::merged_entries);
        let item =
            |entry: crate::yaml::Entry<'_>| Some((entry.key.as_str()?.to_owned(), self.text(entry.value)?));
        let is_written = |node: Node<'_>| !self.text(node).is_some_and(|text| text.value.contains("${{"));
        Matrix {
            span: node.span(),
            axes: axes.collect(),
            included: items.filter_map(item).collect(),
            is_literal: is_written(node) && node.entries().all(|entry| is_written(entry.value)),
        }
    }
}

/// How deep groups of steps may lie within each other.
const GROUPS: usize = 4;

/// The steps of a list, those of its groups too: `parallel`, which waits for all of its steps, and `sequential` within it.
fn in_order(steps: Node<'_>, depth: usize) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    for step in steps.items() {
        match step.get("parallel").or_else(|| step.get("sequential")) {
            Some(group) if depth > 0 => found.extend(in_order(group, depth - 1)),
            _ => found.push(step),
        }
    }
    found
}
