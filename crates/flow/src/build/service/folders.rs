//! What a session offers of this machine: folders and secrets.

use crate::build::request::{CONTEXT, DOCKERFILE};
use crate::build::revision::folders;
use crate::build::spec::{Context, DockerfileSource, SecretSource, ServiceBuild};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use unstale_buildkit::session::{Folder, Secret};
use unstale_context::HashIndex;

/// The folders that a session offers, by the graph's names.
pub(super) fn session_folders(
    build: &ServiceBuild,
    inline: Option<&InlineDockerfile>,
    index: Option<&Arc<HashIndex>>,
) -> HashMap<String, Folder> {
    let folder = |root: PathBuf| Folder::new(root, index.cloned());
    let mut offered: HashMap<_, _> = folders(build)
        .into_iter()
        .map(|(name, root)| (name, folder(root)))
        .collect();
    let dockerfile = match (&build.dockerfile, inline) {
        (_, Some(inline)) => Some(inline.0.path().to_path_buf()),
        (DockerfileSource::File(path), None) => path.parent().map(PathBuf::from),
        (DockerfileSource::Inline(_), None) => None,
    };
    let is_remote = matches!(build.context, Context::Remote(_)) && inline.is_none();
    if let Some(root) = dockerfile.filter(|_| !is_remote) {
        offered.insert(DOCKERFILE.to_owned(), folder(root));
    }
    debug_assert!(offered.contains_key(CONTEXT) || matches!(build.context, Context::Remote(_)));
    offered
}

/// The text of `dockerfile_inline` as a file, for as long as the build runs.
pub(super) struct InlineDockerfile(tempfile::TempDir);

impl InlineDockerfile {
    pub(super) fn write(build: &ServiceBuild) -> std::io::Result<Option<InlineDockerfile>> {
        let DockerfileSource::Inline(text) = &build.dockerfile else {
            return Ok(None);
        };
        let folder = tempfile::Builder::new().prefix("unstale-").tempdir()?;
        std::fs::write(folder.path().join("Dockerfile"), text)?;
        Ok(Some(InlineDockerfile(folder)))
    }
}

pub(super) fn secret(source: &SecretSource) -> Secret {
    match source {
        SecretSource::File(path) => Secret::File(path.clone()),
        SecretSource::Value(value) => Secret::Value(value.clone().into_bytes()),
    }
}
