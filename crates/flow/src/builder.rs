//! The builder of a command: an engine with its own BuildKit, or a stand-alone BuildKit beside an engine.

use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;
use unstale_buildkit::control::Client;
use unstale_buildkit::transport::{Connect, Stream, Transport, Wire};
use unstale_docker::endpoint::{Host, HostError, Tls};
use unstale_docker::engine::ApiVersion;
use unstale_docker::{
    Endpoint, EndpointError, Engine, EngineError, Environment, Identity, ImageStore, Selection, Source, dial,
};

use crate::build::request::Target;

/// The first Engine API version whose socket speaks gRPC itself.
const DIRECT_API: ApiVersion = ApiVersion { major: 1, minor: 53 };

/// What the command line says about the builder.
#[derive(Debug, Clone, Default)]
pub struct BuilderOptions {
    /// `--host` and `--context`: the engine.
    pub engine: Selection,
    /// `--builder`: a stand-alone BuildKit, as `unix://PATH` or `tcp://HOST:PORT`.
    pub builder: Option<String>,
    /// `--builder-ca`: the authority that the builder's certificate must be from.
    pub ca: Option<PathBuf>,
    /// `--builder-cert` and `--builder-key`: our own certificate.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why there is no builder.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The engine's address cannot be found out.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The engine cannot be reached or used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// `--builder` is not an address.
    #[error("cannot use the builder address {address:?}")]
    Address {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: HostError,
    },
    /// The builder does not answer as a BuildKit.
    #[error("no BuildKit answers at {address}")]
    BuildKit {
        /// Where it was expected.
        address: String,
        /// Why.
        #[source]
        source: unstale_buildkit::Error,
    },
}

impl BuilderError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            BuilderError::Endpoint(error) => error.hint(),
            BuilderError::Engine(error) => error.hint(),
            BuilderError::Address { source, .. } => source
                .hint()
                .or_else(|| Some("give --builder as unix:///path/buildkitd.sock or tcp://host:port".into())),
            BuilderError::BuildKit { .. } => {
                Some("check that the daemon runs there, and the certificates if it uses TLS".into())
            }
        }
    }
}

/// A connected builder.
pub struct Builder {
    /// The engine that gets the images.
    pub engine: Engine,
    /// Who the engine is.
    pub identity: Identity,
    /// The way to the BuildKit.
    pub transport: Transport,
    /// The connection to the BuildKit.
    pub client: Client,
    /// Where the images go from it.
    pub target: Target,
    /// What the ledger calls this builder: `engine`, or the address of a stand-alone BuildKit.
    pub name: String,
    /// BuildKit's version, if it says so (0.11 and later).
    pub buildkit_version: Option<String>,
}

impl Builder {
    /// Connects to the engine, and to the stand-alone BuildKit if there is one.
    pub async fn connect(
        environment: &Environment,
        options: &BuilderOptions,
    ) -> Result<Builder, BuilderError> {
        let endpoint = Endpoint::resolve(environment, &options.engine)?;
        let engine = Engine::connect(endpoint.clone()).await?;
        let identity = engine.identity().await?;
        let (name, endpoint, first, target) = match &options.builder {
            None => {
                let direct = identity.api_version >= DIRECT_API;
                let wire = if direct { Wire::Direct } else { Wire::Upgraded };
                (
                    "engine".to_owned(),
                    endpoint,
                    wire,
                    Target::Engine(identity.storage),
                )
            }
            Some(address) => (
                address.clone(),
                builder_endpoint(address, options)?,
                Wire::Direct,
                Target::BuildKit,
            ),
        };
        let place = endpoint.host.to_string();
        let no_buildkit = |source| BuilderError::BuildKit {
            address: place.clone(),
            source,
        };
        let probed = Transport::probe(Arc::new(Dialer(endpoint)), first).await;
        let (transport, channel) = probed.map_err(no_buildkit)?;
        let client = Client::new(channel);
        let buildkit_version = client.version().await.map_err(no_buildkit)?;
        Ok(Builder {
            engine,
            identity,
            transport,
            client,
            target,
            name,
            buildkit_version,
        })
    }

    /// The minor version of its BuildKit, `0.<minor>`.
    pub fn buildkit_minor(&self) -> u32 {
        self.buildkit_version
            .as_deref()
            .and_then(minor)
            .unwrap_or_else(|| minor_of_engine(self.identity.api_version))
    }

    /// One line for people, such as `docker 28.5.2 (containerd image store)`.
    pub fn describe(&self) -> String {
        let Identity { server_version, .. } = &self.identity;
        match self.target {
            Target::Engine(ImageStore::Classic) => format!("docker {server_version} (classic image store)"),
            Target::Engine(ImageStore::Containerd) => {
                format!("docker {server_version} (containerd image store)")
            }
            Target::BuildKit => {
                let version = self.buildkit_version.as_deref().unwrap_or("of unknown version");
                format!(
                    "buildkit {version} at {}, loading into docker {server_version}",
                    self.name
                )
            }
        }
    }
}

/// `25` of `v0.25.0`. Distributions build engines that call theirs `v0.0.0+unknown`.
fn minor(version: &str) -> Option<u32> {
    let mut parts = version.trim_start_matches('v').split(['.', '-', '+']);
    let major: u32 = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    match (major, minor) {
        (0, 0) => None,
        (0, minor) => Some(minor),
        _ => Some(u32::MAX),
    }
}

/// The BuildKit of a Docker Engine that does not say, by the version of its API: `vendor.mod` and `api/common.go` of moby's
/// releases from 24.0.9 to 28.5.2. Of several with one API, the last.
fn minor_of_engine(api: ApiVersion) -> u32 {
    match (api.major, api.minor) {
        (0, _) | (1, ..=41) => 8, // 20.10
        (1, 42) => 10,            // 23
        (1, 43) => 11,            // 24
        (1, 44) => 12,            // 25
        (1, 45) => 13,            // 26
        (1, 46) => 14,            // 27.0
        (1, 47) => 18,            // 27.5
        (1, 48 | 49) => 20,       // 28.0, 28.1
        (1, 50) => 22,            // 28.2
        (1, 51 | 52) => 25,       // 28.3 to 29.0
        _ => u32::MAX,
    }
}

fn builder_endpoint(address: &str, options: &BuilderOptions) -> Result<Endpoint, BuilderError> {
    let wants_tls = options.ca.is_some() || options.identity.is_some();
    let host = Host::parse(address, wants_tls);
    let host = host.map_err(|source| BuilderError::Address {
        address: address.to_owned(),
        source,
    })?;
    let tls = wants_tls.then(|| Tls {
        ca: options.ca.clone(),
        identity: options.identity.clone(),
        verify: true,
        server_name: None,
    });
    Ok(Endpoint {
        host,
        tls,
        source: Source::HostFlag,
    })
}

/// Connects to an endpoint of Docker's kind for the BuildKit client.
struct Dialer(Endpoint);

impl Connect for Dialer {
    fn connect(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let endpoint = self.0.clone();
        Box::pin(async move {
            match dial(&endpoint).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Stream>),
                Err(error) => Err(std::io::Error::new(error.source.kind(), error)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_buildkit_is_told_or_known_by_the_engine() {
        assert_eq!(minor("v0.25.1"), Some(25));
        assert_eq!(minor("v0.12.0-rc1"), Some(12));
        assert_eq!(minor("v1.2.0"), Some(u32::MAX));
        assert_eq!(minor("v0.0.0+unknown"), None);
        assert_eq!(minor(""), None);
        assert_eq!(minor_of_engine(ApiVersion { major: 1, minor: 41 }), 8);
        assert_eq!(minor_of_engine(ApiVersion { major: 1, minor: 51 }), 25);
    }
}
