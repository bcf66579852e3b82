//! Reads pipelines of GitLab CI.

use std::collections::HashSet;

use super::inherit::{DEEPEST, chain, referenced, takes_default};
use super::{Cache, GitlabJob, Image, Include, Pipeline, Rule, Script};
use crate::workflow::values::{Pair, Text, Values, append};
use crate::yaml::{Node, Yaml};
use crate::{Source, Span};

/// Keys of a pipeline that are no jobs.
const KEYWORDS: &[&str] = &[
    "default",
    "include",
    "stages",
    "types",
    "variables",
    "workflow",
    "spec",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
];

impl Pipeline {
    /// Reads a pipeline. What is not as it should be is as if it were missing.
    pub fn of(source: &Source, yaml: &Yaml) -> Pipeline {
        // A document with `spec` before says what can be given to the file.
        let root = yaml
            .documents()
            .filter(|document| document.is_mapping())
            .find(|document| document.get("spec").is_none());
        let Some(root) = root else {
            return Pipeline::default();
        };
        let reader = Reader {
            values: Values::of(source),
            root,
        };
        Pipeline {
            includes: root
                .get("include")
                .map_or_else(Vec::new, |node| reader.includes(node)),
            variables: reader.pairs(&[root], "variables"),
            jobs: reader.jobs(),
        }
    }
}

struct Reader<'a, 'y> {
    values: Values<'a>,
    root: Node<'y>,
}

impl<'y> Reader<'_, 'y> {
    fn jobs(&self) -> Vec<GitlabJob> {
        let entries = self.root.merged_entries().into_iter();
        entries
            .filter(|entry| {
                let keyword = entry.key.as_str().is_none_or(|name| KEYWORDS.contains(&name));
                !keyword && entry.value.is_mapping()
            })
            .take_while(|_| self.values.take(0))
            .filter_map(|entry| {
                let name = self.values.text(entry.key)?;
                Some(self.job(name, entry.span, entry.value))
            })
            .collect()
    }

    fn job(&self, name: Text, span: Span, node: Node<'y>) -> GitlabJob {
        let chain = chain(self.root, node);
        let text = |key: &str| first(&chain, key).and_then(|node| self.values.text(node));
        let mut script = Script::default();
        self.script(self.key(&chain, "before_script"), &mut script);
        self.script(first(&chain, "script"), &mut script);
        let mut after_script = Script::default();
        self.script(self.key(&chain, "after_script"), &mut after_script);
        let needs = first(&chain, "needs").into_iter().flat_map(Node::items);
        let rules = first(&chain, "rules").map_or_else(Vec::new, |rules| self.flat(rules));
        let services = self.key(&chain, "services").into_iter().flat_map(Node::items);
        let environment = first(&chain, "environment");
        GitlabJob {
            hidden: name.value.starts_with('.'),
            name: name.value,
            name_span: name.span,
            span,
            stage: text("stage"),
            image: self.key(&chain, "image").and_then(|node| self.image(node)),
            services: services.filter_map(|node| self.image(node)).collect(),
            variables: self.pairs(&chain, "variables"),
            script,
            after_script,
            caches: self.caches(&chain),
            rules: rules.into_iter().map(|node| self.rule(node)).collect(),
            when: text("when"),
            allow_failure: text("allow_failure"),
            needs: needs
                .filter_map(|node| self.values.text(node.get("job").unwrap_or(node)))
                .collect(),
            extends: node
                .get("extends")
                .map_or_else(Vec::new, |node| self.values.texts(node)),
            environment: environment.and_then(|node| self.values.text(node.get("name").unwrap_or(node))),
        }
    }

    /// A key that the defaults have too.
    fn key(&self, chain: &[Node<'y>], key: &str) -> Option<Node<'y>> {
        first(chain, key).or_else(|| {
            let default = self.root.get("default").and_then(|default| default.get(key));
            default
                .or_else(|| self.root.get(key))
                .filter(|_| takes_default(chain, key))
        })
    }

    /// Adds the lines of a script.
    fn script(&self, node: Option<Node<'y>>, script: &mut Script) {
        let Some(node) = node else {
            return;
        };
        for line in self.flat(node) {
            let Some(mapped) = self.values.mapped(line).filter(|_| !line.is_null()) else {
                continue;
            };
            if !script.text.text().is_empty() && !script.text.text().ends_with('\n') {
                let at = line.span().start;
                script.text.push_as("\n", Span::new(at, at));
            }
            append(&mut script.text, &mapped);
            script.lines.push(mapped);
        }
    }

    /// The scalars and mappings in a list with the lists in it, and what is referenced. Of a scalar, itself.
    fn flat(&self, node: Node<'y>) -> Vec<Node<'y>> {
        let mut flat = Vec::new();
        let mut open = vec![(node, DEEPEST)];
        while let Some((node, depth)) = open.pop() {
            if !self.values.take(0) {
                break;
            }
            let Some(depth) = depth.checked_sub(1) else {
                continue;
            };
            if node.resolved().tag() == Some("!reference") {
                open.extend(referenced(self.root, node).map(|node| (node, depth)));
            } else if node.is_sequence() {
                let items: Vec<Node<'y>> = node.items().collect();
                open.extend(items.into_iter().rev().map(|item| (item, depth)));
            } else {
                flat.push(node);
            }
        }
        flat
    }

    fn image(&self, node: Node<'y>) -> Option<Image> {
        Some(Image {
            name: self.values.text(node.get("name").unwrap_or(node))?,
            alias: node.get("alias").and_then(|node| self.values.text(node)),
        })
    }

    /// The pairs of a mapping in all that a job is made of; what comes first in the chain is heard.
    fn pairs(&self, chain: &[Node<'y>], key: &str) -> Vec<Pair> {
        let mut names = HashSet::new();
        let mut found = Vec::new();
        for mapping in chain
            .iter()
            .filter_map(|node| node.get(key))
            .filter(|node| node.is_mapping())
        {
            found.extend(
                self.values
                    .pairs(mapping)
                    .into_iter()
                    .filter(|pair| names.insert(pair.name.clone())),
            );
        }
        found
    }

    fn caches(&self, chain: &[Node<'y>]) -> Vec<Cache> {
        let Some(cache) = self.key(chain, "cache") else {
            return Vec::new();
        };
        if cache.is_sequence() {
            return self
                .flat(cache)
                .into_iter()
                .map(|node| self.cache(&[node]))
                .collect();
        }
        // Mappings are merged key by key.
        let merged: Vec<Node<'y>> = chain
            .iter()
            .filter_map(|node| node.get("cache"))
            .chain([cache])
            .take_while(|node| node.is_mapping())
            .collect();
        match merged.is_empty() {
            true => Vec::new(),
            false => vec![self.cache(&merged)],
        }
    }

    fn cache(&self, chain: &[Node<'y>]) -> Cache {
        let text = |key: &str| first(chain, key).and_then(|node| self.values.text(node));
        let texts = |key: &str| first(chain, key).map_or_else(Vec::new, |node| self.flat_texts(node));
        let key = first(chain, "key");
        Cache {
            span: chain.first().map_or(Span::default(), |node| node.span()),
            key: text("key"),
            key_files: key
                .and_then(|key| key.get("files"))
                .map_or_else(Vec::new, |node| self.flat_texts(node)),
            key_prefix: key
                .and_then(|key| key.get("prefix"))
                .and_then(|node| self.values.text(node)),
            fallback_keys: texts("fallback_keys"),
            paths: texts("paths"),
            policy: text("policy"),
        }
    }

    fn flat_texts(&self, node: Node<'y>) -> Vec<Text> {
        self.flat(node)
            .into_iter()
            .filter_map(|node| self.values.text(node))
            .collect()
    }

    fn rule(&self, node: Node<'y>) -> Rule {
        let text = |key: &str| node.get(key).and_then(|node| self.values.text(node));
        let changes = node
            .get("changes")
            .map(|changes| changes.get("paths").unwrap_or(changes));
        Rule {
            span: node.span(),
            condition: text("if"),
            when: text("when"),
            changes: changes.map_or_else(Vec::new, |node| self.flat_texts(node)),
        }
    }

    fn includes(&self, node: Node<'y>) -> Vec<Include> {
        let mut includes = Vec::new();
        for item in self.flat(node) {
            if let Some(target) = self.values.text(item) {
                let remote = target.value.contains("://");
                includes.push(Include {
                    kind: if remote { "remote" } else { "local" }.to_owned(),
                    target,
                });
                continue;
            }
            let kinds = ["local", "remote", "template", "component"];
            let project = item.get("project").map(|_| ("project", item.get("file")));
            let found = kinds
                .into_iter()
                .map(|kind| (kind, item.get(kind)))
                .find(|(_, target)| target.is_some())
                .or(project);
            if let Some((kind, Some(targets))) = found {
                includes.extend(self.values.texts(targets).into_iter().map(|target| Include {
                    kind: kind.to_owned(),
                    target,
                }));
            }
        }
        includes
    }
}

/// The value of a key in the first that has it.
fn first<'y>(chain: &[Node<'y>], key: &str) -> Option<Node<'y>> {
    chain.iter().find_map(|node| node.get(key))
}
