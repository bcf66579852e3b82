//! The session: a gRPC server on a connection that we opened, through which the daemon asks for what a
//! build needs from this machine.
//!
//! One service build has one session. It offers the folders of that build, its secrets, agents and
//! registry credentials, and nothing else; a name that was not registered does not exist for the daemon.

mod auth;
mod export;
mod file_sync;
mod health;
mod secrets;
mod ssh;

pub use auth::{Credential, Credentials};
pub use export::ImageStream;
pub use file_sync::{Folder, Transfer};
pub use secrets::Secret;

use crate::proto::{
    file_sync as file_sync_proto, filesync, health as health_proto, secrets as secrets_proto,
    ssh as ssh_proto,
};
use crate::transport::{Stream, Transport};
use crate::{Error, MAX_MESSAGE, random_id};
use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

/// What a session offers to the daemon.
#[derive(Default)]
pub struct Services {
    /// Folders by the name under which the build's graph asks for them (`context`, `dockerfile`, …).
    pub folders: HashMap<String, Folder>,
    /// Secrets by id.
    pub secrets: HashMap<String, Secret>,
    /// Sockets of ssh agents by id.
    pub agents: HashMap<String, PathBuf>,
    /// Where registry credentials come from; without it, registries are asked anonymously.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// Takes an image archive that the daemon exports to the client.
    pub image: Option<ImageStream>,
}

/// A failure on our side of a session. The daemon reports it only as text, so it is kept here as it was.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A folder of the build cannot be read as it should be.
    #[error("cannot send the build context {folder:?}")]
    Context {
        /// The name of the folder in the build's graph.
        folder: String,
        /// Why.
        #[source]
        source: unstale_context::ContextError,
    },
    /// A secret's file cannot be read.
    #[error("cannot read the secret {id:?} from {}", path.display())]
    Secret {
        /// The secret's id.
        id: String,
        /// The file that it should come from.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The credentials for a registry cannot be had.
    #[error("no credentials for {host}: {reason}")]
    Credentials {
        /// The registry.
        host: String,
        /// What the credential store said.
        reason: String,
    },
    /// An ssh agent cannot be reached.
    #[error("cannot reach the ssh agent {id:?} at {}", path.display())]
    Agent {
        /// The agent's id.
        id: String,
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// The first failure of a session; later ones are its consequences.
#[derive(Clone, Default)]
pub(crate) struct Failures(Arc<Mutex<Option<Failure>>>);

impl Failures {
    fn set(&self, failure: Failure) {
        if let Ok(mut slot) = self.0.lock() {
            slot.get_or_insert(failure);
        }
    }
}

/// An open session. Dropping it closes the connection, and with it whatever the daemon still does for it.
pub struct Session {
    id: String,
    failures: Failures,
    transfers: file_sync::Transfers,
    cancel: CancellationToken,
}

impl Session {
    /// Opens a session.
    ///
    /// `shared_key` names the tree that the folders come from: the daemon keeps what it received under it and
    /// asks only for what changed the next time, so it must be the same for the same tree, and never the same
    /// for two trees.
    pub async fn open(transport: &Transport, shared_key: &str, services: Services) -> Result<Session, Error> {
        let id = random_id();
        let mut headers = vec![
            ("X-Docker-Expose-Session-Uuid", id.clone()),
            ("X-Docker-Expose-Session-Name", "unstale".to_owned()),
            ("X-Docker-Expose-Session-Sharedkey", shared_key.to_owned()),
        ];
        for method in methods(&services) {
            headers.push(("X-Docker-Expose-Session-Grpc-Method", method.to_owned()));
        }
        let stream = transport.session(&headers).await?;
        let session = Session {
            id,
            failures: Failures::default(),
            transfers: file_sync::Transfers::default(),
            cancel: CancellationToken::new(),
        };
        session.serve(stream, services);
        Ok(session)
    }

    /// The session's identifier, by which a solve request names it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the first failure on our side, if there was one.
    pub fn take_failure(&self) -> Option<Failure> {
        self.failures.0.lock().ok().and_then(|mut slot| slot.take())
    }

    /// The folders' contents as they were sent so far, one entry per request of the daemon.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.transfers.all()
    }

    fn serve(&self, stream: Box<dyn Stream>, services: Services) {
        let failures = &self.failures;
        let Services {
            folders,
            secrets,
            agents,
            credentials,
            image,
        } = services;
        let folders = file_sync::FileSync::new(
            folders,
            self.transfers.clone(),
            failures.clone(),
            self.cancel.clone(),
        );
        let mut router = tonic::transport::Server::builder()
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .add_service(health_proto::health_server::HealthServer::new(health::Health))
            .add_service(
                file_sync_proto::file_sync_server::FileSyncServer::new(folders)
                    .max_decoding_message_size(MAX_MESSAGE),
            )
            .add_service(secrets_proto::secrets_server::SecretsServer::new(
                secrets::Secrets::new(secrets, failures.clone()),
            ));
        if let Some(credentials) = credentials {
            let auth = auth::Auth::new(credentials, failures.clone());
            router = router.add_service(filesync::auth_server::AuthServer::new(auth));
        }
        if !agents.is_empty() {
            let ssh = ssh::Ssh::new(agents, failures.clone());
            router = router.add_service(ssh_proto::ssh_server::SshServer::new(ssh));
        }
        if let Some(image) = image {
            let export = export::FileSend::new(image);
            router = router.add_service(
                filesync::file_send_server::FileSendServer::new(export)
                    .max_decoding_message_size(MAX_MESSAGE),
            );
        }
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(Connection(stream)));
        let closed = self.cancel.clone();
        tokio::spawn(async move {
            // The listener "stays open" until the session is dropped; the one connection is all it ever has.
            let incoming = incoming.chain(tokio_stream::pending());
            tokio::select! {
                () = closed.cancelled() => {}
                _ = router.serve_with_incoming(incoming) => {}
            }
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The methods that the daemon may call, in its notation. A daemon does not try what is not announced.
fn methods(services: &Services) -> Vec<&'static str> {
    let mut methods = vec![
        "/grpc.health.v1.Health/Check",
        "/moby.filesync.v1.FileSync/DiffCopy",
        "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    ];
    if services.credentials.is_some() {
        methods.push("/moby.filesync.v1.Auth/Credentials");
    }
    if !services.agents.is_empty() {
        methods.extend([
            "/moby.sshforward.v1.SSH/CheckAgent",
            "/moby.sshforward.v1.SSH/ForwardAgent",
        ]);
    }
    if services.image.is_some() {
        methods.push("/moby.filesync.v1.FileSend/DiffCopy");
    }
    methods
}

/// The session's one connection, as tonic wants to accept it.
struct Connection(Box<dyn Stream>);

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
