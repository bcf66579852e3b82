//! How bytes reach a BuildKit daemon.
//!
//! Two ways are in use, and [`Transport::probe`] finds out which one an endpoint speaks:
//! Docker engines before API 1.53 hand their socket over after an HTTP/1.1 upgrade of `/grpc` and
//! `/session`; later engines and a stand-alone buildkitd speak gRPC on the socket itself, and carry the
//! session inside the `Control.Session` call.

use crate::proto::control::{BytesMessage, InfoRequest, control_client::ControlClient};
use crate::{Error, MAX_MESSAGE};
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

/// A connection to an endpoint: a socket, a TLS stream or a child process's pipes.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes raw connections to one endpoint. Each call makes a new connection and is itself bounded in time.
pub trait Connect: Send + Sync {
    /// Opens a connection.
    fn connect(&self) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;
}

/// How gRPC is spoken on an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// After an HTTP/1.1 upgrade (Docker engines before API 1.53).
    Upgraded,
    /// On the socket itself (Docker engines since API 1.53, buildkitd).
    Direct,
}

/// A way to open channels and sessions to one BuildKit daemon.
#[derive(Clone)]
pub struct Transport {
    connector: Arc<dyn Connect>,
    wire: Wire,
}

/// Bound for an upgrade or for the first answer on a new channel.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// What a daemon may answer to an upgrade before the header's end, in bytes.
const MAX_UPGRADE_ANSWER: usize = 16 << 10;

impl Transport {
    /// A transport whose wire is known.
    pub fn new(connector: Arc<dyn Connect>, wire: Wire) -> Transport {
        Transport { connector, wire }
    }

    /// Finds out how the endpoint speaks gRPC, trying `first` before the other way. The channel on which the daemon has
    /// answered comes along: a connection can be as dear as an ssh login.
    pub async fn probe(connector: Arc<dyn Connect>, first: Wire) -> Result<(Transport, Channel), Error> {
        let second = match first {
            Wire::Upgraded => Wire::Direct,
            Wire::Direct => Wire::Upgraded,
        };
        let preferred = Transport::new(connector.clone(), first);
        let failure = match preferred.answers().await {
            Ok(channel) => return Ok((preferred, channel)),
            Err(error @ Error::Connect(_)) => return Err(error),
            Err(error) => error,
        };
        let other = Transport::new(connector, second);
        match other.answers().await {
            Ok(channel) => Ok((other, channel)),
            // The first failure is the one that says what the endpoint should have been able to do.
            Err(_) => Err(failure),
        }
    }

    /// How this transport speaks gRPC.
    pub fn wire(&self) -> Wire {
        self.wire
    }

    async fn answers(&self) -> Result<Channel, Error> {
        let channel = self.channel().await?;
        let mut control = ControlClient::new(channel.clone());
        let info = tokio::time::timeout(HANDSHAKE, control.info(InfoRequest {}))
            .await
            .map_err(|_| Error::Timeout {
                call: "Control.Info",
                seconds: HANDSHAKE.as_secs(),
            })?;
        match info {
            Ok(_) => Ok(channel),
            // BuildKit before 0.11 has no such call, and says so as only a gRPC server does.
            Err(status) if status.code() == tonic::Code::Unimplemented => Ok(channel),
            Err(status) => Err(Error::Daemon {
                call: "Control.Info",
                status,
            }),
        }
    }

    /// Opens a gRPC channel for calls to the daemon.
    pub async fn channel(&self) -> Result<Channel, Error> {
        let (connector, wire) = (self.connector.clone(), self.wire);
        // The failure to connect is kept apart: tonic's error says only that there was one.
        let failure = Arc::new(std::sync::Mutex::new(None));
        let seen = failure.clone();
        let dial = tower::service_fn(move |_| {
            let (connector, seen) = (connector.clone(), seen.clone());
            async move {
                let stream = match wire {
                    Wire::Direct => connector.connect().await.map_err(Error::Connect),
                    Wire::Upgraded => upgrade(connector.as_ref(), "/grpc", &[]).await,
                };
                stream.map(TokioIo::new).map_err(|error| {
                    let text = error.to_string();
                    if let Ok(mut slot) = seen.lock() {
                        *slot = Some(error);
                    }
                    io::Error::other(text)
                })
            }
        });
        // The URI is only the :authority of the calls; the connector decides where they go.
        let channel = Endpoint::from_static("http://buildkit")
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .connect_with_connector(dial)
            .await;
        channel.map_err(|error| {
            let cause = failure.lock().ok().and_then(|mut slot| slot.take());
            cause.unwrap_or(Error::Channel(error))
        })
    }

    /// Opens the byte stream on which the daemon calls *us*. `headers` are the session's
    /// `X-Docker-Expose-Session-*` fields.
    pub(crate) async fn session(&self, headers: &[(&'static str, String)]) -> Result<Box<dyn Stream>, Error> {
        match self.wire {
            Wire::Upgraded => upgrade(self.connector.as_ref(), "/session", headers).await,
            Wire::Direct => self.session_call(headers).await,
        }
    }

    /// The session as the payload of a `Control.Session` call.
    async fn session_call(&self, headers: &[(&'static str, String)]) -> Result<Box<dyn Stream>, Error> {
        let mut control = ControlClient::new(self.channel().await?).max_decoding_message_size(MAX_MESSAGE);
        let (outgoing, to_daemon) = tokio::sync::mpsc::channel::<BytesMessage>(16);
        let mut request = tonic::Request::new(ReceiverStream::new(to_daemon));
        let metadata: &mut MetadataMap = request.metadata_mut();
        for (name, value) in headers {
            let value = value
                .parse()
                .map_err(|_| Error::Protocol(format!("{name} is not a header value")))?;
            let key = tonic::metadata::MetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes())
                .map_err(|_| Error::Protocol(format!("{name} is not a header name")))?;
            metadata.append(key, value);
        }
        let (ours, theirs) = tokio::io::duplex(256 << 10);
        let (mut from_us, mut to_us) = tokio::io::split(theirs);
        // The daemon answers the call's header only with its first message, so the call must not be awaited
        // before our side can already be written to.
        tokio::spawn(async move {
            let mut incoming = match control.session(request).await {
                Ok(answer) => answer.into_inner(),
                Err(_) => return, // dropping our end closes the session, which the build's own call reports
            };
            while let Some(Ok(message)) = incoming.next().await {
                if to_us.write_all(&message.data).await.is_err() {
                    break;
                }
            }
            let _ = to_us.shutdown().await;
        });
        tokio::spawn(async move {
            let mut buffer = vec![0; 32 << 10];
            while let Ok(read @ 1..) = from_us.read(&mut buffer).await {
                if outgoing
                    .send(BytesMessage {
                        data: buffer[..read].to_vec(),
                    })
                    .await
                    .is_err()
                {
                    break;
                }
            }
        });
        Ok(Box::new(ours))
    }
}

/// Asks a Docker engine to hand its socket over for `path`, and returns the bare stream.
async fn upgrade(
    connector: &dyn Connect,
    path: &'static str,
    headers: &[(&'static str, String)],
) -> Result<Box<dyn Stream>, Error> {
    let mut stream = connector.connect().await.map_err(Error::Connect)?;
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n"
    );
    for (name, value) in headers {
        if value.contains(['\r', '\n']) {
            return Err(Error::Protocol(format!("{name} holds a line break")));
        }
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let answer = tokio::time::timeout(HANDSHAKE, async {
        stream.write_all(request.as_bytes()).await?;
        // Byte by byte: what follows the header already belongs to the upgraded stream.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && answer.len() < MAX_UPGRADE_ANSWER {
            answer.push(stream.read_u8().await?);
        }
        Ok(answer)
    });
    let answer = answer
        .await
        .map_err(|_| Error::Timeout {
            call: path,
            seconds: HANDSHAKE.as_secs(),
        })?
        // A server that does not understand the request closes the connection, in one way or another.
        .map_err(|error: io::Error| Error::Upgrade {
            path,
            answer: error.to_string(),
        })?;
    if answer.starts_with(b"HTTP/1.1 101") {
        return Ok(stream);
    }
    let first = String::from_utf8_lossy(&answer);
    Err(Error::Upgrade {
        path,
        answer: first.lines().next().unwrap_or_default().to_owned(),
    })
}
