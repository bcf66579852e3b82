//! The builders that buildx has for this user, as its own files tell. The engines' own BuildKit (driver `docker`) is not
//! among them.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Environment;

/// A builder of buildx: each node has a cache of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    /// Its name, as `--builder` takes it.
    pub name: String,
    /// `docker-container`, `remote`, `kubernetes`
    pub driver: String,
    /// Its nodes.
    #[serde(default)]
    pub nodes: Vec<Node>,
}

/// One BuildKit of a builder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `remote`: where BuildKit listens. `docker-container`: the context or address of the engine that its container is in.
    #[serde(default)]
    pub endpoint: String,
    /// The driver's options, such as `cacert`.
    #[serde(default)]
    pub driver_opts: Option<BTreeMap<String, String>>,
}

impl Node {
    /// The container of a `docker-container` node.
    pub fn container(&self) -> String {
        format!("buildx_buildkit_{}", self.name)
    }

    /// One of the driver's options.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.driver_opts.as_ref()?.get(name).map(String::as_str)
    }
}

/// The builders, and the files that could not be read as one, each with the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instances {
    /// The builders, by name.
    pub found: Vec<Instance>,
    /// Files and reasons.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Reads buildx's files: `$BUILDX_CONFIG/instances`, or `buildx/instances` beside Docker's own configuration.
pub fn instances(environment: &Environment) -> Instances {
    let folder = environment
        .var_os("BUILDX_CONFIG")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(environment.docker_config_dir()?.join("buildx")));
    let mut instances = Instances::default();
    let Some(entries) = folder.and_then(|folder| folder.join("instances").read_dir().ok()) else {
        return instances;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let read = std::fs::read(&path).map_err(|error| error.to_string());
        let parsed = read.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
        match parsed {
            Ok(instance) => instances.found.push(instance),
            Err(error) => instances.unreadable.push((path, error)),
        }
    }
    instances
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As buildx 0.29 writes it.
    const REMOTE: &str = r#"{"Name":"far","Driver":"remote","Nodes":[{"Name":"far0","Endpoint":"tcp://127.0.0.1:1234",
        "Platforms":null,"DriverOpts":{"cacert":"/ca.pem"},"Flags":null,"Files":null}],"Dynamic":false}"#;

    #[test]
    fn a_builder_has_nodes_with_options() {
        let instance: Instance = serde_json::from_str(REMOTE).unwrap();
        assert_eq!(
            (instance.name.as_str(), instance.driver.as_str()),
            ("far", "remote")
        );
        let node = &instance.nodes[0];
        assert_eq!(node.endpoint, "tcp://127.0.0.1:1234");
        assert_eq!(node.option("cacert"), Some("/ca.pem"));
        assert_eq!(node.option("key"), None);
        assert_eq!(node.container(), "buildx_buildkit_far0");
    }
}
