//! What two builds of a step are compared by, in a form that the ledger can keep: hashes of what is large, and no secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use unstale_buildkit::llb::{Graph, Op, Vertex};

use crate::key::{Key, Part};

/// What a step is compared by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The instruction as it is written.
    pub text: String,
    /// The operation, hashed.
    pub form: String,
    /// The inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<FactPart>,
    /// The environment of a process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// What else is set for the step, by name; hashed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What a base image's name stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// An input of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactPart {
    /// The digest of the selected content.
    Content(Option<String>),
    /// The step with this position in the graph.
    Step(usize),
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvValue {
    /// The value.
    Plain(String),
    /// The salted hash of a secret one.
    Salted(String),
}

impl EnvValue {
    /// What may be shown of it.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            EnvValue::Plain(value) => Some(value.clone()),
            EnvValue::Salted(_) => None,
        }
    }
}

/// What is said of the steps beside the graph.
pub struct Describe<'a> {
    /// The text of a step's instruction as it is written.
    pub text: &'a dyn Fn(&Vertex) -> String,
    /// What may be kept of a variable's value.
    pub env: &'a dyn Fn(&str, &str) -> EnvValue,
    /// What a base image stands for, by its vertex.
    pub base: &'a dyn Fn(usize) -> Option<String>,
}

/// The facts of every step, in the graph's order.
pub fn facts(graph: &Graph, keys: &[Key], describe: &Describe<'_>) -> Vec<Facts> {
    let steps = graph.vertices.iter().zip(keys).enumerate();
    steps
        .map(|(number, (vertex, key))| {
            let parts = key.parts.iter().map(|part| match part {
                Part::Content(digest) => FactPart::Content(digest.clone()),
                Part::Step { vertex, .. } => FactPart::Step(*vertex),
            });
            Facts {
                text: (describe.text)(vertex),
                form: key.form.clone(),
                parts: parts.collect(),
                env: environment(vertex, describe.env),
                settings: settings(vertex),
                platform: vertex.platform.clone(),
                base: (describe.base)(number),
            }
        })
        .collect()
}

fn environment(vertex: &Vertex, keep: &dyn Fn(&str, &str) -> EnvValue) -> BTreeMap<String, EnvValue> {
    let Op::Exec(exec) = &vertex.op else {
        return BTreeMap::new();
    };
    let pairs = exec
        .env
        .iter()
        .map(|entry| entry.split_once('=').unwrap_or((entry, "")));
    pairs
        .map(|(name, value)| (name.to_owned(), keep(name, value)))
        .collect()
}

fn settings(vertex: &Vertex) -> BTreeMap<String, String> {
    let Op::Exec(exec) = &vertex.op else {
        return BTreeMap::new();
    };
    let all: [(&str, Value); 9] = [
        ("command", json!(exec.args)),
        ("working directory", json!(exec.cwd)),
        ("user", json!(exec.user)),
        ("host name", json!(exec.hostname)),
        ("network", json!(exec.network)),
        ("privileges", json!([exec.security, exec.devices])),
        (
            "extra hosts",
            json!(exec.extra_hosts.iter().map(|(name, _)| name).collect::<Vec<_>>()),
        ),
        ("limits", json!([exec.ulimits, exec.cgroup_parent])),
        ("mounts", json!([exec.mounts, exec.secret_env])),
    ];
    let hash = |value: Value| hex::encode(&Sha256::digest(value.to_string())[..8]);
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), hash(value)))
        .collect()
}
