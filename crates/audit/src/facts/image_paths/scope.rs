//! The variables and the working folder at a place of a stage.

use super::clean;
use crate::Span;
use std::collections::{BTreeMap, BTreeSet};
use unstale_dockerfile::{Dockerfile, Instruction};

/// The working folders of well-known images that set one; all other official ones start at the root.
///
/// Source: the images' Dockerfiles.
const WORKDIRS: &[(&str, &str)] = &[
    ("drupal", "/opt/drupal"),
    ("golang", "/go"),
    ("httpd", "/usr/local/apache2"),
    ("php", "/var/www/html"),
    ("tomcat", "/usr/local/tomcat"),
    ("wordpress", "/var/www/html"),
];

/// Official images that start at the root.
const AT_ROOT: &[&str] = &[
    "alpine", "busybox", "debian", "fedora", "mariadb", "mysql", "nginx", "node", "openjdk", "postgres",
    "python", "redis", "ruby", "rust", "scratch", "ubuntu",
];

pub(super) struct StageScope<'a> {
    dockerfile: &'a Dockerfile,
    globals: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
    variables: BTreeSet<String>,
    workdir: Option<String>,
}

impl<'a> StageScope<'a> {
    /// At the beginning of a stage that is made from an image.
    pub fn new(dockerfile: &'a Dockerfile, base: &str) -> StageScope<'a> {
        let mut scope = StageScope {
            dockerfile,
            globals: BTreeMap::new(),
            values: BTreeMap::new(),
            variables: BTreeSet::new(),
            workdir: workdir_of(base),
        };
        let before = dockerfile
            .instructions
            .iter()
            .take_while(|instruction| instruction.keyword != "FROM");
        for instruction in before {
            scope.apply(instruction);
        }
        scope.globals = std::mem::take(&mut scope.values);
        scope
    }

    /// Begins a stage: arguments of the one that it is based on are gone, variables stay.
    pub fn enter(&mut self) {
        let variables = &self.variables;
        self.values.retain(|name, _| variables.contains(name));
    }

    pub fn workdir(&self) -> Option<&str> {
        self.workdir.as_deref()
    }

    /// What a word is, if every variable in it has a value here.
    pub fn expand(&self, instruction: &Instruction, word: &str, span: Span) -> Option<String> {
        let is_unknown = instruction.references.iter().any(|reference| {
            let has_other = matches!(reference.operator.as_deref(), Some(":-" | "-" | ":+" | "+"));
            span.contains(reference.span) && !has_other && !self.values.contains_key(&reference.name)
        });
        (!is_unknown).then(|| self.dockerfile.expand(word, &self.values))
    }

    /// A path as one from the root.
    pub fn absolute(&self, path: &str) -> Option<String> {
        match path.starts_with('/') {
            true => clean(path),
            false if path.contains([':', '~']) => None,
            false => clean(&format!(
                "{}/{path}",
                self.workdir.as_deref()?.trim_end_matches('/')
            )),
        }
    }

    /// Takes in what an `ARG`, `ENV` or `WORKDIR` sets.
    pub fn apply(&mut self, instruction: &Instruction) {
        match instruction.keyword.as_str() {
            "WORKDIR" => {
                let path = self.dockerfile_word(instruction);
                self.workdir = path.and_then(|path| self.absolute(&path));
            }
            "ARG" | "ENV" => {
                let is_variable = instruction.keyword == "ENV";
                for assignment in &instruction.assignments {
                    let name = self.dockerfile.expand(&assignment.name.raw, &self.values);
                    if !is_variable && self.variables.contains(&name) {
                        continue;
                    }
                    let value = match &assignment.value {
                        Some(word) => self.expand(instruction, &word.raw, word.span),
                        None => self.globals.get(&name).cloned(),
                    };
                    if is_variable {
                        self.variables.insert(name.clone());
                    }
                    match value {
                        Some(value) => drop(self.values.insert(name, value)),
                        None => drop(self.values.remove(&name)),
                    }
                }
            }
            _ => {}
        }
    }

    fn dockerfile_word(&self, instruction: &Instruction) -> Option<String> {
        self.expand(instruction, instruction.args.trim(), instruction.args_span)
    }
}

fn workdir_of(base: &str) -> Option<String> {
    let name = name_of(base);
    let set = WORKDIRS.iter().find(|(image, _)| *image == name);
    let root = AT_ROOT.contains(&name).then_some("/");
    set.map(|(_, folder)| *folder).or(root).map(str::to_owned)
}

/// The name of an image without its tag and the parts that may be left out.
pub(super) fn name_of(base: &str) -> &str {
    let name = base.split(['@', ':']).next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}
