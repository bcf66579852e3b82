//! Who the engine is: what a ledger keys its records by, and what decides how a build must be exported.

use bollard::models::SystemInfo;

use super::{ApiVersion, Engine, EngineError};

/// Where an engine keeps its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStore {
    /// Docker's own store; an image's id is the digest of its config.
    Classic,
    /// containerd's store; an image's id is the digest of its manifest or index.
    Containerd,
}

/// An engine's identity and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The engine's own id: stable over restarts, different for different data directories.
    pub id: String,
    /// The host's name.
    pub name: String,
    /// `28.5.2` for example.
    pub server_version: String,
    /// The API version in use between us.
    pub api_version: ApiVersion,
    /// `linux`, as Go's GOOS.
    pub os: String,
    /// `x86_64`, as the kernel calls it.
    pub arch: String,
    /// Which image store.
    pub storage: ImageStore,
    /// The storage driver or snapshotter, `overlay2` or `overlayfs` for example.
    pub driver: String,
    /// The engine's clock when asked, RFC 3339 with nanoseconds.
    pub system_time: String,
}

impl Engine {
    /// Asks the engine who it is.
    pub async fn identity(&self) -> Result<Identity, EngineError> {
        let info = self.api.info().await;
        let info = info.map_err(|error| EngineError::from_api("ask the engine for its identity", error))?;
        Ok(Identity::from_info(info, self.version))
    }
}

impl Identity {
    pub(super) fn from_info(info: SystemInfo, api_version: ApiVersion) -> Self {
        // How moby tells its clients (daemon/containerd, `Status`).
        let containerd = info.driver_status.unwrap_or_default().iter().any(|pair| {
            pair.first().is_some_and(|key| key == "driver-type")
                && pair
                    .get(1)
                    .is_some_and(|value| value.starts_with("io.containerd.snapshotter"))
        });
        Self {
            id: info.id.unwrap_or_default(),
            name: info.name.unwrap_or_default(),
            server_version: info.server_version.unwrap_or_default(),
            api_version,
            os: info.os_type.unwrap_or_default(),
            arch: info.architecture.unwrap_or_default(),
            storage: if containerd {
                ImageStore::Containerd
            } else {
                ImageStore::Classic
            },
            driver: info.driver.unwrap_or_default(),
            system_time: info.system_time.unwrap_or_default(),
        }
    }
}
