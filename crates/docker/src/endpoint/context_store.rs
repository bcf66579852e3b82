//! Docker's context store: `contexts/meta/<sha256 of the name>/meta.json` beside config.json, and the TLS files in
//! `contexts/tls/<same id>/docker/`.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Endpoint, EndpointError, Host, Source, Tls, identity_in};
use crate::Environment;

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
struct DockerEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The engine that the context `name` stands for.
pub(super) fn endpoint(
    environment: &Environment,
    name: &str,
    source_setting: Source,
) -> Result<Endpoint, EndpointError> {
    let store = environment
        .docker_config_dir()
        .unwrap_or_default()
        .join("contexts");
    let id = hex::encode(Sha256::digest(name));
    let path = store.join("meta").join(&id).join("meta.json");
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| EndpointError::BrokenContext {
        name: name.to_owned(),
        path: path.clone(),
        source,
    };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(EndpointError::UnknownContext {
                name: name.to_owned(),
                source_setting,
                store,
            });
        }
        Err(error) => return Err(broken(error.into())),
    };
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| broken(error.into()))?;
    let docker = metadata
        .endpoints
        .docker
        .ok_or_else(|| broken("it names no Docker engine".into()))?;
    let files = store.join("tls").join(&id).join("docker");
    let tls = tls(&files, docker.skip_tls_verify);
    match Host::parse(&docker.host, tls.is_some()) {
        Ok(host) => {
            let tls = tls.filter(|_| matches!(host, Host::Tcp { .. }));
            Ok(Endpoint {
                host,
                tls,
                source: source_setting,
            })
        }
        Err(source) => Err(EndpointError::Host {
            value: docker.host,
            source_setting,
            source,
        }),
    }
}

/// A context uses TLS if it stores TLS files, or if it says not to verify.
fn tls(files: &Path, skip_verify: bool) -> Option<Tls> {
    let ca = Some(files.join("ca.pem")).filter(|path| path.exists());
    let identity = identity_in(files);
    (skip_verify || ca.is_some() || identity.is_some()).then_some(Tls {
        ca,
        identity,
        verify: !skip_verify,
        server_name: None,
    })
}
