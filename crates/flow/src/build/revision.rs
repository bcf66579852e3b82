//! Layer 1 in the image: the label that says which commit the service's inputs are.
//!
//! The label stands in the image's configuration, which no step depends on. It names the commit that last changed
//! the service's own inputs, so that an unchanged service keeps its image identity when other files of the
//! repository change. Inputs are the files that the graph takes from local folders, the Dockerfile, and the ignore
//! files.

use super::request::{CONTEXT, folder_name};
use super::spec::{Context, DockerfileSource, NamedContext, ServiceBuild};
use crate::git::Inputs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unstale_buildkit::llb::{Graph, local_sources};
use unstale_context::{ContextError, Matcher, Selector};

/// The OCI annotation key for the commit of the sources.
pub const REVISION_LABEL: &str = "org.opencontainers.image.revision";

/// The local folders of a build by the graph's names for them.
pub fn folders(build: &ServiceBuild) -> BTreeMap<String, PathBuf> {
    let mut folders = BTreeMap::new();
    if let Context::Folder(path) = &build.context {
        folders.insert(CONTEXT.to_owned(), path.clone());
    }
    for (name, context) in &build.named_contexts {
        if let NamedContext::Folder(path) = context {
            folders.insert(folder_name(name), path.clone());
        }
    }
    folders
}

/// The inputs of a service's build.
pub struct ServiceInputs {
    folders: Vec<(PathBuf, Vec<Matcher>)>,
    files: Vec<PathBuf>,
}

impl ServiceInputs {
    /// Reads the inputs off the graph.
    pub fn new(build: &ServiceBuild, graph: &Graph) -> Result<ServiceInputs, ContextError> {
        let roots = folders(build);
        let mut folders = Vec::new();
        for (name, sources) in local_sources(graph) {
            let Some(root) = roots.get(&name) else { continue };
            let matchers = sources
                .into_iter()
                .map(|source| Selector::new(source.include, source.exclude, source.follow).matcher())
                .collect::<Result<_, _>>()?;
            folders.push((canonical(root), matchers));
        }
        let mut files = Vec::new();
        if let (DockerfileSource::File(path), Context::Folder(context)) = (&build.dockerfile, &build.context)
        {
            let path = match (path.parent(), path.file_name()) {
                (Some(folder), Some(name)) => canonical(folder).join(name),
                _ => path.clone(),
            };
            let mut ignore_file = path.clone().into_os_string();
            ignore_file.push(".dockerignore");
            files.extend([
                path,
                PathBuf::from(ignore_file),
                canonical(context).join(".dockerignore"),
            ]);
        }
        Ok(ServiceInputs { folders, files })
    }
}

/// A path as git names it: without symbolic links.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

impl Inputs for ServiceInputs {
    fn roots(&self) -> Vec<PathBuf> {
        self.folders
            .iter()
            .map(|(root, _)| root)
            .chain(&self.files)
            .cloned()
            .collect()
    }

    fn selects(&self, path: &Path) -> bool {
        let below = |(root, matchers): &(PathBuf, Vec<Matcher>)| {
            let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
            relative.is_some_and(|path| matchers.iter().any(|matcher| matcher.selects(path, false)))
        };
        self.files.iter().any(|file| file == path) || self.folders.iter().any(below)
    }

    fn enters(&self, folder: &Path) -> bool {
        let below = |(root, matchers): &(PathBuf, Vec<Matcher>)| {
            let relative = folder.strip_prefix(root).ok().and_then(Path::to_str);
            relative.is_some_and(|path| matchers.iter().any(|matcher| matcher.enters(path)))
        };
        self.folders.iter().any(|(root, _)| root.starts_with(folder)) || self.folders.iter().any(below)
    }
}

/// Adds a label to an image configuration. A label that the build sets itself is left alone; a configuration that
/// cannot be read is given back as it was.
pub fn with_label(config: &[u8], name: &str, value: &str) -> Vec<u8> {
    let unchanged = || config.to_vec();
    let Ok(mut image) = serde_json::from_slice::<serde_json::Value>(config) else {
        return unchanged();
    };
    let Some(settings) = image.get_mut("config").and_then(|config| config.as_object_mut()) else {
        return unchanged();
    };
    let labels = settings.entry("Labels").or_insert_with(|| serde_json::json!({}));
    if labels.is_null() {
        *labels = serde_json::json!({});
    }
    let Some(labels) = labels.as_object_mut() else {
        return unchanged();
    };
    labels.entry(name).or_insert_with(|| value.into());
    serde_json::to_vec(&image).unwrap_or_else(|_| unchanged())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(config: &[u8]) -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(config).unwrap()["config"]["Labels"].clone()
    }

    #[test]
    fn the_label_is_added_and_the_rest_is_kept() {
        let config =
            br#"{"os":"linux","config":{"Cmd":["sh"],"Labels":{"a":"b"}},"moby.buildkit.buildinfo.v1":"x"}"#;
        let labelled = with_label(config, REVISION_LABEL, "abc");
        assert_eq!(
            labels(&labelled),
            serde_json::json!({"a": "b", REVISION_LABEL: "abc"})
        );
        let mut without: serde_json::Value = serde_json::from_slice(&labelled).unwrap();
        without["config"]["Labels"]
            .as_object_mut()
            .unwrap()
            .remove(REVISION_LABEL);
        assert_eq!(
            without,
            serde_json::from_slice::<serde_json::Value>(config).unwrap()
        );
    }

    #[test]
    fn labels_may_be_missing_or_null() {
        for config in [&br#"{"config":{}}"#[..], br#"{"config":{"Labels":null}}"#] {
            assert_eq!(
                labels(&with_label(config, "k", "v")),
                serde_json::json!({"k": "v"})
            );
        }
    }

    #[test]
    fn the_builds_own_label_wins_and_nonsense_is_left_alone() {
        let own = br#"{"config":{"Labels":{"k":"own"}}}"#;
        assert_eq!(
            labels(&with_label(own, "k", "v")),
            serde_json::json!({"k": "own"})
        );
        for odd in [
            &b"not json"[..],
            b"[]",
            br#"{"config":7}"#,
            br#"{"config":{"Labels":[]}}"#,
        ] {
            assert_eq!(with_label(odd, "k", "v"), odd);
        }
    }
}
