//! What a person might not expect of a reused result: things that a step uses and that are not part of its key.

use serde::{Deserialize, Serialize};
use unstale_buildkit::llb::{MountKind, Op, Vertex};

/// Something that BuildKit does not look at when it reuses a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The contents of secrets.
    Secrets,
    /// The contents of a cache mount.
    CacheMount,
    /// What is fetched from a network.
    Network,
}

impl Note {
    /// A sentence for people.
    pub fn text(self) -> &'static str {
        match self {
            Note::Secrets => "the contents of secrets are not part of its key",
            Note::CacheMount => "what the cache mount holds is not part of its key",
            Note::Network => "what it fetches from the network is not part of its key",
        }
    }
}

/// Programs that fetch things. Only told to people; nothing is decided by it.
const FETCHERS: [&str; 24] = [
    "apk", "apt", "apt-get", "aria2c", "bun", "bundle", "cargo", "composer", "curl", "dnf", "gem", "git",
    "go", "gradle", "gradlew", "mvn", "npm", "pip", "pip3", "pnpm", "poetry", "uv", "wget", "yarn",
];

/// The note that a reused step deserves, the most surprising one first.
pub fn note(vertex: &Vertex) -> Option<Note> {
    let Op::Exec(exec) = &vertex.op else { return None };
    let mounts = |test: fn(&MountKind) -> bool| exec.mounts.iter().any(|mount| test(&mount.kind));
    if !exec.secret_env.is_empty() || mounts(|kind| matches!(kind, MountKind::Secret { .. })) {
        return Some(Note::Secrets);
    }
    let words = exec
        .args
        .iter()
        .flat_map(|arg| arg.split(|c: char| c.is_whitespace() || ";&|()`'\"".contains(c)))
        .map(|word| word.rsplit('/').next().unwrap_or(word));
    if exec.network != "NONE" && words.into_iter().any(|word| FETCHERS.contains(&word)) {
        return Some(Note::Network);
    }
    mounts(|kind| matches!(kind, MountKind::Cache { .. })).then_some(Note::CacheMount)
}
