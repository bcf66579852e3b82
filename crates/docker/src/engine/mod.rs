//! The Docker Engine API: who the engine is, and the few image operations around a build. BuildKit's own API is not
//! spoken here.

mod error;
mod identity;
mod image;
mod images;
mod load;
mod registry;
mod transport;

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker};

pub use error::EngineError;
pub use identity::{Identity, ImageStore};
use image::escape;
pub use image::{Image, RootFs};
pub use images::{ContainerUse, ListedImage};
pub use load::LoadedImages;
pub use registry::registry_host;

use crate::Endpoint;
use transport::Transport;

/// An answer to a request that does no work in the engine comes well within this time.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The oldest API that we speak: Docker Engine 20.10, the oldest engine that unstale is tested with.
pub const MINIMUM_API: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// A version of the Engine API, `1.51` for example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// Before the dot.
    pub major: usize,
    /// After the dot.
    pub minor: usize,
}

impl ApiVersion {
    /// Reads `MAJOR.MINOR`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A Docker engine that answers, at an API version that both sides speak.
#[derive(Debug, Clone)]
pub struct Engine {
    transport: Transport,
    api: Docker,
    version: ApiVersion,
}

impl Engine {
    /// Connects to the engine and agrees with it on an API version.
    pub async fn connect(endpoint: Endpoint) -> Result<Self, EngineError> {
        let transport = Transport::new(endpoint);
        let version = agree(&transport).await?;
        let client_version = ClientVersion {
            major_version: version.major,
            minor_version: version.minor,
        };
        let requests = transport.clone();
        // The address is only what bollard builds its URLs from; the transport knows the real one.
        let api = Docker::connect_with_custom_transport(
            move |request| requests.clone().send(request),
            Some("http://docker"),
            ANSWER_LIMIT.as_secs(),
            &client_version,
        );
        let api = api.map_err(|error| EngineError::from_api("set up the client", error))?;
        Ok(Self {
            transport,
            api,
            version,
        })
    }

    /// Where the engine is, and who said so.
    pub fn endpoint(&self) -> &Endpoint {
        self.transport.endpoint()
    }

    /// The API version in use.
    pub fn api_version(&self) -> ApiVersion {
        self.version
    }

    /// The whole Engine API, for what this crate has no words of its own for.
    pub fn api(&self) -> &Docker {
        &self.api
    }
}

/// How long the first question may take: whether an engine is there at all. A busy one answers it as fast as any.
const FIRST_ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The newest version that both sides speak. Asked without a version in the path: an engine refuses versions that it
/// does not know.
async fn agree(transport: &Transport) -> Result<ApiVersion, EngineError> {
    let endpoint = || Box::new(transport.endpoint().clone());
    let what = format!("ask the engine at {} for its version", transport.endpoint());
    let answer = tokio::time::timeout(FIRST_ANSWER_LIMIT, transport.get_json(&what, "/version"));
    let answer: bollard::models::SystemVersion = match answer.await {
        Ok(Err(EngineError::Broken { source, .. })) => {
            return Err(EngineError::NotAnEngine {
                endpoint: endpoint(),
                source: Some(source),
            });
        }
        Ok(Err(EngineError::Refused {
            status: 404, message, ..
        })) => {
            return Err(EngineError::NotAnEngine {
                endpoint: endpoint(),
                source: Some(format!("it answers {message:?}").into()),
            });
        }
        Ok(answer) => answer?,
        Err(_) => return Err(EngineError::Timeout { what }),
    };
    let parse = |text: Option<&str>| text.and_then(ApiVersion::parse);
    let Some(newest) = parse(answer.api_version.as_deref()) else {
        return Err(EngineError::NotAnEngine {
            endpoint: endpoint(),
            source: None,
        });
    };
    let ours = ApiVersion {
        major: API_DEFAULT_VERSION.major_version,
        minor: API_DEFAULT_VERSION.minor_version,
    };
    if newest < MINIMUM_API {
        return Err(EngineError::TooOld {
            endpoint: endpoint(),
            engine: newest,
        });
    }
    match parse(answer.min_api_version.as_deref()) {
        Some(oldest) if oldest > ours => Err(EngineError::TooNew {
            endpoint: endpoint(),
            engine: oldest,
            ours,
        }),
        _ => Ok(newest.min(ours)),
    }
}

#[cfg(test)]
mod tests;
