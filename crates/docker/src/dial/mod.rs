//! A byte stream to an engine: unix socket, TCP (with TLS), or ssh. What is spoken over it is the caller's business:
//! HTTP for the Engine API, an upgraded HTTP/2 connection for BuildKit.

mod container;
mod program;
mod ssh;
mod tls;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::{Endpoint, Host};

pub use container::{ContainerEngine, dial_container};

/// A two-way byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A reachable engine accepts a connection well within this time.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// No connection to an engine.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to the Docker engine at {endpoint}")]
pub struct DialError {
    /// The engine.
    pub endpoint: Box<Endpoint>,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl DialError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let start = "start Docker (sudo systemctl start docker), or set DOCKER_HOST to a running engine";
        Some(match (self.source.kind(), &self.endpoint.host) {
            (io::ErrorKind::PermissionDenied, Host::Unix(_)) => {
                "add yourself to the docker group (sudo usermod -aG docker $USER) and log in again".to_owned()
            }
            (_, Host::Unix(_)) => start.to_owned(),
            (_, Host::Ssh { .. }) => {
                format!(
                    "check that this works without a password prompt: {}",
                    ssh::by_hand(&self.endpoint.host)
                )
            }
            (_, Host::Tcp { .. }) => {
                "check the address, and that the engine listens there with the same TLS settings".to_owned()
            }
        })
    }
}

/// Connects to the engine, within a bounded time.
pub async fn dial(endpoint: &Endpoint) -> Result<Box<dyn Stream>, DialError> {
    let connected = match tokio::time::timeout(CONNECT_LIMIT, connect(endpoint)).await {
        Ok(connected) => connected,
        Err(_) => {
            let message = format!("no answer within {} s", CONNECT_LIMIT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    };
    connected.map_err(|source| DialError {
        endpoint: Box::new(endpoint.clone()),
        source,
    })
}

async fn connect(endpoint: &Endpoint) -> io::Result<Box<dyn Stream>> {
    match &endpoint.host {
        Host::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Host::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            match &endpoint.tls {
                Some(settings) => Ok(Box::new(tls::connect(stream, host, settings).await?)),
                None => Ok(Box::new(stream)),
            }
        }
        Host::Ssh { .. } => Ok(Box::new(ssh::connect(&endpoint.host)?)),
    }
}

#[cfg(test)]
mod tests;
