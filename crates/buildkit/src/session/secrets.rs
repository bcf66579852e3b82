//! `moby.buildkit.secrets.v1.Secrets`: the contents of build secrets, read when a step asks for them.

use super::{Failure, Failures};
use crate::proto::secrets::{GetSecretRequest, GetSecretResponse, secrets_server};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use tokio::io::AsyncReadExt;
use tonic::{Request, Response, Status};

/// The largest secret that BuildKit takes, in bytes (`secrets.MaxSecretSize`).
const MAX_SECRET: u64 = 500 << 10;

/// Where a secret's content comes from.
#[derive(Clone)]
pub enum Secret {
    /// A file, read at the moment that a step needs it.
    File(PathBuf),
    /// A value that is known already, such as one from the environment.
    Value(Vec<u8>),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::File(path) => f.debug_tuple("File").field(path).finish(),
            Secret::Value(_) => f.write_str("Value(..)"),
        }
    }
}

pub(super) struct Secrets {
    secrets: HashMap<String, Secret>,
    failures: Failures,
}

impl Secrets {
    pub(super) fn new(secrets: HashMap<String, Secret>, failures: Failures) -> Secrets {
        Secrets { secrets, failures }
    }
}

#[tonic::async_trait]
impl secrets_server::Secrets for Secrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = request.into_inner().id;
        let data = match self.secrets.get(&id) {
            // NotFound is what tells the daemon to apply the mount's `required`.
            None => return Err(Status::not_found(format!("secret {id}: not found"))),
            Some(Secret::Value(value)) => value.clone(),
            Some(Secret::File(path)) => read(path).await.map_err(|source| {
                let status = Status::internal(format!("secret {id}: {source}"));
                self.failures.set(Failure::Secret {
                    id: id.clone(),
                    path: path.clone(),
                    source,
                });
                status
            })?,
        };
        if data.len() as u64 > MAX_SECRET {
            return Err(Status::invalid_argument(format!(
                "secret {id} is larger than {MAX_SECRET} bytes"
            )));
        }
        Ok(Response::new(GetSecretResponse { data }))
    }
}

/// Reads a secret's file, never more than one byte past the limit.
async fn read(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    tokio::fs::File::open(path)
        .await?
        .take(MAX_SECRET + 1)
        .read_to_end(&mut data)
        .await?;
    Ok(data)
}
