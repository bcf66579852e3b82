//! `moby.filesync.v1.Auth`: registry credentials for the daemon's pulls and pushes.

use super::{Failure, Failures};
use crate::proto::filesync::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse, GetTokenAuthorityRequest,
    GetTokenAuthorityResponse, VerifyTokenAuthorityRequest, VerifyTokenAuthorityResponse, auth_server,
};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// A user name and password for a registry. An empty user name marks the password as an identity token.
#[derive(Default)]
pub struct Credential {
    /// The user name.
    pub username: String,
    /// The password or identity token.
    pub secret: String,
}

/// A store of registry credentials.
pub trait Credentials: Send + Sync {
    /// The credentials for a registry host, `None` if there are none. The error is what the store said. Looking one
    /// up may start a helper program, for which the store sets a bound.
    fn credentials(&self, host: String) -> BoxFuture<'_, Result<Option<Credential>, String>>;
}

pub(super) struct Auth {
    credentials: Arc<dyn Credentials>,
    failures: Failures,
}

impl Auth {
    pub(super) fn new(credentials: Arc<dyn Credentials>, failures: Failures) -> Auth {
        Auth {
            credentials,
            failures,
        }
    }
}

#[tonic::async_trait]
impl auth_server::Auth for Auth {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> Result<Response<CredentialsResponse>, Status> {
        let host = request.into_inner().host;
        match self.credentials.credentials(host.clone()).await {
            // No credentials is an answer: the daemon then asks the registry anonymously.
            Ok(found) => {
                let Credential { username, secret } = found.unwrap_or_default();
                Ok(Response::new(CredentialsResponse { username, secret }))
            }
            Err(reason) => {
                let status = Status::failed_precondition(format!("no credentials for {host}: {reason}"));
                self.failures.set(Failure::Credentials { host, reason });
                Err(status)
            }
        }
    }

    // Without these three, which are not announced either, the daemon fetches its tokens itself.
    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unimplemented("tokens are fetched by the daemon"))
    }
}
