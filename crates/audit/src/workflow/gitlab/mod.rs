//! What a pipeline of GitLab CI says.
//!
//! Source of what is inherited and merged how: GitLab's "CI/CD YAML syntax reference".

mod inherit;
mod reader;
#[cfg(test)]
mod tests;

use super::values::{Pair, Text};
use crate::{MappedText, Span};

/// A pipeline: one file of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// What else belongs to it.
    pub includes: Vec<Include>,
    /// Variables of all jobs.
    pub variables: Vec<Pair>,
    /// Jobs in order, hidden ones (`.name`) too.
    pub jobs: Vec<GitlabJob>,
}

/// What is included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// `local`, `project`, `remote`, `template` or `component`.
    pub kind: String,
    /// The path, address or name.
    pub target: Text,
}

/// A job with what it inherits from `extends` and from the defaults, as far as this file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitlabJob {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The whole job.
    pub span: Span,
    /// Whether it never runs by itself (`.name`).
    pub hidden: bool,
    /// Its stage.
    pub stage: Option<Text>,
    /// The image that it runs in.
    pub image: Option<Image>,
    /// Containers beside it.
    pub services: Vec<Image>,
    /// Its own variables and those of what it extends.
    pub variables: Vec<Pair>,
    /// The lines of `before_script` and `script`, which one shell runs.
    pub script: Script,
    /// The lines of `after_script`, which another shell runs, after a failure too.
    pub after_script: Script,
    /// What it keeps from pipeline to pipeline.
    pub caches: Vec<Cache>,
    /// When it runs.
    pub rules: Vec<Rule>,
    /// `when` of the job itself.
    pub when: Option<Text>,
    /// Whether the pipeline goes on when it fails.
    pub allow_failure: Option<Text>,
    /// The jobs that it waits for.
    pub needs: Vec<Text>,
    /// What it extends, in this file or elsewhere.
    pub extends: Vec<Text>,
    /// Where it is deployed to.
    pub environment: Option<Text>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub name: Text,
    /// What a service is called (`alias`).
    pub alias: Option<Text>,
}

/// Lines that one shell runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The entries of the lists, each a line or more.
    pub lines: Vec<MappedText>,
    /// All of them as one text.
    pub text: MappedText,
}

/// What is kept from pipeline to pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cache {
    /// Where that stands.
    pub span: Span,
    /// Its key as a text.
    pub key: Option<Text>,
    /// The files that make its key.
    pub key_files: Vec<Text>,
    /// What stands before the key that is made of files.
    pub key_prefix: Option<Text>,
    /// Keys that are taken if there is none of its own.
    pub fallback_keys: Vec<Text>,
    /// What is kept.
    pub paths: Vec<Text>,
    /// `pull`, `push` or `pull-push`.
    pub policy: Option<Text>,
}

/// When a job runs: one of its `rules`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where that stands.
    pub span: Span,
    /// `if`.
    pub condition: Option<Text>,
    /// `when`.
    pub when: Option<Text>,
    /// Files that must have changed.
    pub changes: Vec<Text>,
}

impl Pipeline {
    /// A job.
    pub fn job(&self, name: &str) -> Option<&GitlabJob> {
        self.jobs.iter().find(|job| job.name == name)
    }
}
