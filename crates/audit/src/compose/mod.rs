//! Reads Compose files: services, builds, mounts, each with its place; and puts the files of a project together.
//!
//! It is for positions and facts of single files. What a project *is* for a build, Compose itself says (`unstale-docker`);
//! so nothing is validated here, no environment is read, and a value that is not understood is left out.

mod cursor;
mod interpolation;
mod merge;
mod model;
mod mount;
mod path;
pub mod project;
mod read;
#[cfg(test)]
mod tests;

use crate::yaml::{Node, Yaml, YamlError, edit};
use crate::{Source, Span};
use cursor::Cursor;
use std::sync::Arc;

pub use interpolation::{Interpolated, Variable, interpolate};
pub use model::*;
pub use path::{is_absolute, is_remote, resolve};

/// A Compose file.
#[derive(Debug, Clone)]
pub struct ComposeFile {
    path: Arc<str>,
    yaml: Yaml,
    /// `name`.
    pub name: Option<Text>,
    /// `version`.
    pub version: Option<Text>,
    /// Whether the services stand at the top, as in version 1.
    pub is_legacy: bool,
    /// The services, in order.
    pub services: Vec<Service>,
    /// Volumes at the top.
    pub volumes: Vec<Resource>,
    /// Configs at the top.
    pub configs: Vec<Resource>,
    /// Secrets at the top.
    pub secrets: Vec<Resource>,
    /// Other files that are a part of this one.
    pub include: Vec<Include>,
    /// Keys at the top that begin with `x-`.
    pub extensions: Vec<Text>,
}

/// Why a file is no Compose file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// It is no YAML.
    #[error("not YAML: {0}")]
    Yaml(#[from] YamlError),
    /// It is YAML of something else.
    #[error("not a compose file: no services")]
    Other,
}

impl ComposeFile {
    /// Reads a file. Paths in it are relative to its folder until a project says otherwise.
    ///
    /// # Errors
    /// The text is no YAML, or has nothing of a Compose file.
    pub fn read(source: &Source) -> Result<ComposeFile, ComposeError> {
        let yaml = Yaml::parse(source.text())?;
        let path: Arc<str> = source.path().into();
        let folder: Arc<str> = source.folder().into();
        let Some(root) = yaml.root().filter(|root| root.is_mapping()) else {
            return Err(ComposeError::Other);
        };
        let form = form(root).ok_or(ComposeError::Other)?;
        let root = Cursor::new(root, &path, &folder);
        let entries = match form {
            Form::Services => root
                .get("services")
                .map(|services| services.all_entries())
                .unwrap_or_default(),
            Form::Legacy => root.all_entries(),
        };
        let is_legacy = form == Form::Legacy;
        let services = entries
            .iter()
            .filter(|(name, cursor)| {
                // A service may be a null in an override, and a key may be an extension.
                let is_service = cursor.node.is_mapping() || cursor.is_reset();
                is_service && !name.starts_with("x-") && !(is_legacy && name == "version")
            })
            .map(|(name, cursor)| read::service(name, cursor))
            .collect();
        let at_top = |key| match is_legacy {
            true => Vec::new(),
            false => read::resources(&root, key),
        };
        let extensions = root
            .entries()
            .into_iter()
            .filter(|(key, _)| key.starts_with("x-"));
        Ok(ComposeFile {
            name: root.get_text("name"),
            version: root.get_text("version"),
            is_legacy,
            services,
            volumes: at_top("volumes"),
            configs: at_top("configs"),
            secrets: at_top("secrets"),
            include: read::includes(&root),
            extensions: extensions
                .map(|(value, cursor)| Located {
                    value,
                    place: cursor.place(),
                })
                .collect(),
            path,
            yaml,
        })
    }

    /// Relative to the checked folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text as a tree.
    pub fn yaml(&self) -> &Yaml {
        &self.yaml
    }

    /// A service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The node that a place of this file is about: the value of an entry, or an item.
    pub fn node(&self, place: &Place) -> Option<Node<'_>> {
        let is_it = |node: &Node<'_>| match node.entry() {
            Some(entry) => entry.value == *node && entry.span == place.span,
            None => node.outer_span() == place.span,
        };
        self.yaml.nodes().find(is_it)
    }

    /// What to remove so that the entry or item is gone, as [`edit::removal`] says.
    pub fn removal(&self, place: &Place) -> Option<Vec<Span>> {
        edit::removal(self.node(place)?)
    }

    /// Where an anchor is used.
    pub fn uses_of(&self, anchor: &str) -> Vec<Span> {
        let anchored = self
            .yaml
            .nodes()
            .filter(|node| node.anchor().is_some_and(|(name, _)| name == anchor));
        anchored.flat_map(Node::aliases).map(Node::span).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Services,
    /// Version 1.
    Legacy,
}

/// How many entries are enough to tell what a file is.
const LOOKED_AT: usize = 1_000;

/// Whether a file is a Compose file, by what it holds.
pub fn looks_like_compose(yaml: &Yaml) -> bool {
    yaml.root().and_then(form).is_some()
}

fn form(root: Node<'_>) -> Option<Form> {
    if !root.is_mapping() {
        return None;
    }
    // Keys that only other tools have.
    let is_other = [
        "apiVersion",
        "jobs",
        "stages",
        "AWSTemplateFormatVersion",
        "openapi",
        "swagger",
    ]
    .iter()
    .any(|key| root.get(key).is_some());
    if is_other {
        return None;
    }
    let is_service = |node: Node<'_>| {
        let has = |key: &str| node.get(key).is_some();
        let is_job = ["script", "stage", "rules", "trigger", "needs"]
            .iter()
            .any(|key| has(key));
        node.is_mapping() && !is_job && (has("image") || has("build") || has("extends"))
    };
    if let Some(services) = root.get("services") {
        let is_compose = services.is_mapping() || services.is_null();
        return is_compose.then_some(Form::Services);
    }
    if root.get("include").is_some_and(Node::is_sequence) {
        let is_local = |item: Node<'_>| item.as_str().is_some() || item.get("path").is_some();
        let is_gitlab = root
            .entries()
            .take(LOOKED_AT)
            .any(|entry| entry.value.get("script").is_some());
        let include = root.get("include")?;
        return (include.items().all(is_local) && !is_gitlab).then_some(Form::Services);
    }
    let is_top = |key: &str| {
        matches!(
            key,
            "volumes" | "networks" | "secrets" | "configs" | "version" | "name"
        )
    };
    let mut keys = root.entries().filter_map(|entry| entry.key.as_str());
    let has_resources = ["volumes", "networks", "secrets", "configs"]
        .iter()
        .any(|key| root.get(key).is_some_and(Node::is_mapping));
    if has_resources && keys.all(|key| is_top(key) || key.starts_with("x-")) {
        return Some(Form::Services);
    }
    let own = || {
        root.entries()
            .take(LOOKED_AT)
            .filter(|entry| entry.key.as_str() != Some("version"))
    };
    (own().next().is_some() && own().all(|entry| is_service(entry.value))).then_some(Form::Legacy)
}
