//! What a target is with all that it inherits, what a group stands for, and what a value is with the variables' defaults.
//!
//! The rules are those of `docker buildx bake` (`Target.Merge` in `bake/bake.go`): maps are merged entry by entry,
//! `cache-from`, `secret` and `no-cache-filter` are added up, everything else is replaced.
//! `null` says nothing.

use std::collections::{HashMap, HashSet};

use super::model::{BakeFile, Items, Named, Target};
use super::tree::{Entry, Form, Value};

/// How deep targets may inherit, and variables refer to each other.
const DEEPEST: usize = 32;

/// The longest text that is made of variables.
const LONGEST: usize = 64 * 1024;

impl BakeFile {
    /// A target with what it inherits. The places stay those of where each thing is said.
    pub fn resolved(&self, name: &str) -> Option<Target> {
        self.whole(name, &mut HashMap::new(), DEEPEST)
    }

    /// Each target is put together once; one that is asked for while that goes on is part of a circle, and adds nothing.
    fn whole<'a>(
        &'a self,
        name: &str,
        known: &mut HashMap<&'a str, Option<Target>>,
        depth: usize,
    ) -> Option<Target> {
        if let Some(known) = known.get(name) {
            return known.clone();
        }
        let own = self.target(name)?;
        let depth = depth.checked_sub(1)?;
        known.insert(&own.name, None);
        let mut whole = Target {
            name: own.name.clone(),
            name_span: own.name_span,
            span: own.span,
            inherits: own.inherits.clone(),
            ..Target::default()
        };
        for parent in own.inherits.iter().flat_map(|parents| &parents.value) {
            if let Some(parent) = self.whole(&parent.value.text, known, depth) {
                whole.merge(&parent);
            }
        }
        whole.merge(own);
        known.insert(&own.name, Some(whole.clone()));
        Some(whole)
    }

    /// The targets that a name stands for: itself, or those of a group and of the groups in it.
    pub fn targets_of(&self, name: &str) -> Vec<&Target> {
        let mut found = Vec::new();
        let mut visited = HashSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if !visited.insert(name) {
                continue;
            }
            match self.groups.iter().rev().find(|group| group.name == name) {
                Some(group) => open.extend(group.targets.iter().rev().map(|item| item.value.text.as_str())),
                None => found.extend(self.target(name)),
            }
        }
        found
    }

    /// What a value is with the variables' defaults. [`None`] where only bake can tell: functions, conditions, variables
    /// without a default.
    pub fn resolve(&self, value: &Value) -> Option<String> {
        self.resolve_within(value, DEEPEST)
    }

    fn resolve_within(&self, value: &Value, depth: usize) -> Option<String> {
        match value.form {
            Form::Literal => Some(value.text.clone()),
            Form::Null => None,
            Form::Expression => self.variable(&value.text, depth),
            Form::Template => {
                let mut resolved = String::new();
                let mut rest = value.text.as_str();
                while let Some(at) = rest.find("${") {
                    // `$${` is a literal `${`.
                    if rest[..at].ends_with('$') {
                        resolved.push_str(&rest[..at]);
                        resolved.push('{');
                        rest = &rest[at + 2..];
                        continue;
                    }
                    let (inner, after) = rest[at + 2..].split_once('}')?;
                    resolved.push_str(&rest[..at]);
                    resolved.push_str(&self.variable(inner.trim(), depth)?);
                    rest = after;
                    if resolved.len() > LONGEST {
                        return None;
                    }
                }
                // An escape (`\n`) or a directive (`%{if}`) is bake's to understand.
                if rest.contains("%{") || value.text.contains('\\') {
                    return None;
                }
                resolved.push_str(rest);
                Some(resolved)
            }
        }
    }

    fn variable(&self, name: &str, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let variable = self
            .variables
            .iter()
            .rev()
            .find(|variable| variable.name == name)?;
        self.resolve_within(variable.default.as_ref()?, depth)
    }
}

impl Target {
    /// Lays `over` on top of what is known so far.
    fn merge(&mut self, over: &Target) {
        replace(&mut self.context, &over.context);
        replace(&mut self.dockerfile, &over.dockerfile);
        replace(&mut self.dockerfile_inline, &over.dockerfile_inline);
        replace(&mut self.stage, &over.stage);
        replace(&mut self.cache_to, &over.cache_to);
        replace(&mut self.tags, &over.tags);
        replace(&mut self.platforms, &over.platforms);
        replace(&mut self.output, &over.output);
        replace(&mut self.no_cache, &over.no_cache);
        replace(&mut self.pull, &over.pull);
        add_entries(&mut self.args, &over.args);
        add_entries(&mut self.contexts, &over.contexts);
        add_entries(&mut self.labels, &over.labels);
        add_items(&mut self.cache_from, &over.cache_from);
        add_items(&mut self.secret, &over.secret);
        add_items(&mut self.no_cache_filter, &over.no_cache_filter);
        self.matrix |= over.matrix;
    }
}

fn replace<T: Clone>(known: &mut Option<T>, over: &Option<T>) {
    if over.is_some() {
        known.clone_from(over);
    }
}

fn add_entries(known: &mut Option<Named<Vec<Entry>>>, over: &Option<Named<Vec<Entry>>>) {
    match (known.as_mut(), over) {
        (_, None) => {}
        (None, Some(_)) => known.clone_from(over),
        (Some(known), Some(over)) => {
            let said = || over.value.iter().filter(|entry| entry.value.form != Form::Null);
            let names: HashSet<&str> = said().map(|entry| entry.name.as_str()).collect();
            known.value.retain(|entry| !names.contains(entry.name.as_str()));
            known.value.extend(said().cloned());
        }
    }
}

fn add_items(known: &mut Option<Items>, over: &Option<Items>) {
    match (known.as_mut(), over) {
        (_, None) => {}
        (None, Some(_)) => known.clone_from(over),
        (Some(known), Some(over)) => {
            let there: HashSet<String> = known.value.iter().map(|item| item.value.text.clone()).collect();
            let new = over.value.iter().filter(|item| !there.contains(&item.value.text));
            known.value.extend(new.cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
variable "TAG" { default = "1.2" }
variable "REPO" { default = "acme/app" }
variable "IMAGE" { default = "${REPO}:${TAG}" }
variable "ENV_ONLY" {}
target "common" {
  context = "common"
  args = { A = "common", B = "common" }
  cache-from = ["type=gha"]
}
target "left" {
  inherits = ["common"]
  context = "left"
  cache-from = ["type=registry,ref=a"]
}
target "right" { inherits = ["common"] }
target "app" {
  inherits = ["left", "right"]
  args = { B = "app", A = null }
  tags = [IMAGE, "${IMAGE}-x", "${ENV_ONLY}", upper(TAG)]
}
target "circle" { inherits = ["circle"] }
group "all" { targets = ["app", "more"] }
group "more" { targets = ["right", "all"] }
"#;

    fn args(target: &Target) -> Vec<(&str, &str)> {
        let args = &target.args.as_ref().unwrap().value;
        args.iter()
            .map(|arg| (arg.name.as_str(), arg.value.text.as_str()))
            .collect()
    }

    #[test]
    fn a_target_is_what_it_says_over_what_it_inherits() {
        let file = BakeFile::of_hcl(FILE);
        assert_eq!(file.fault, None);
        let app = file.resolved("app").unwrap();
        assert_eq!(args(&app), [("A", "common"), ("B", "app")]);
        // The second parent brings the grandparent's context again, over that of the first.
        assert_eq!(app.context.unwrap().value.text, "common");
        let sources: Vec<String> = app
            .cache_from
            .unwrap()
            .value
            .into_iter()
            .map(|item| item.value.text)
            .collect();
        assert_eq!(sources, ["type=gha", "type=registry,ref=a"]);
        assert!(file.resolved("circle").is_some());
        assert!(file.resolved("nothing").is_none());
    }

    #[test]
    fn variables_are_replaced_by_their_defaults_and_the_rest_is_not_guessed() {
        let file = BakeFile::of_hcl(FILE);
        let tags = file.target("app").unwrap().tags.clone().unwrap().value;
        let resolved: Vec<Option<String>> = tags.iter().map(|tag| file.resolve(&tag.value)).collect();
        assert_eq!(
            resolved,
            [
                Some("acme/app:1.2".to_owned()),
                Some("acme/app:1.2-x".to_owned()),
                None,
                None
            ]
        );
    }

    #[test]
    fn a_group_stands_for_its_targets_once_each() {
        let file = BakeFile::of_hcl(FILE);
        let names = |name| {
            file.targets_of(name)
                .into_iter()
                .map(|target| target.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("all"), ["app", "right"]);
        assert_eq!(names("left"), ["left"]);
        assert!(names("nothing").is_empty());
    }
}
