//! `moby.sshforward.v1.SSH`: a step's ssh connections, forwarded to an agent's socket on this machine.

use super::{Failure, Failures};
use crate::proto::ssh::{BytesMessage, CheckAgentRequest, CheckAgentResponse, ssh_server};
use std::collections::HashMap;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// The agent that a request without an id means.
const DEFAULT_ID: &str = "default";
/// The request metadata in which the daemon names the agent.
const ID_KEY: &str = "buildkit.ssh.id";

pub(super) struct Ssh {
    agents: HashMap<String, PathBuf>,
    failures: Failures,
}

impl Ssh {
    pub(super) fn new(agents: HashMap<String, PathBuf>, failures: Failures) -> Ssh {
        Ssh { agents, failures }
    }

    fn socket(&self, id: &str) -> Result<(String, &PathBuf), Status> {
        let id = if id.is_empty() { DEFAULT_ID } else { id };
        let socket = self.agents.get(id);
        Ok((
            id.to_owned(),
            socket.ok_or_else(|| Status::not_found(format!("no ssh agent {id}")))?,
        ))
    }
}

#[tonic::async_trait]
impl ssh_server::Ssh for Ssh {
    type ForwardAgentStream = ReceiverStream<Result<BytesMessage, Status>>;

    async fn check_agent(
        &self,
        request: Request<CheckAgentRequest>,
    ) -> Result<Response<CheckAgentResponse>, Status> {
        self.socket(&request.into_inner().id)?;
        Ok(Response::new(CheckAgentResponse {}))
    }

    async fn forward_agent(
        &self,
        request: Request<Streaming<BytesMessage>>,
    ) -> Result<Response<Self::ForwardAgentStream>, Status> {
        let id = request
            .metadata()
            .get(ID_KEY)
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let (id, socket) = self.socket(&id)?;
        let agent = UnixStream::connect(socket).await.map_err(|source| {
            let status = Status::unavailable(format!("ssh agent {id}: {source}"));
            self.failures.set(Failure::Agent {
                id,
                path: socket.clone(),
                source,
            });
            status
        })?;
        let (mut from_agent, mut to_agent) = agent.into_split();
        let mut incoming = request.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                if to_agent.write_all(&message.data).await.is_err() {
                    break;
                }
            }
        });
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(read @ 1..) = from_agent.read(&mut buffer).await {
                if sender
                    .send(Ok(BytesMessage {
                        data: buffer[..read].to_vec(),
                    }))
                    .await
                    .is_err()
                {
                    break;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
