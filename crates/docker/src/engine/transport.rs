//! HTTP/1.1 over [`crate::dial()`]: one connection for each request, so that a request never waits for another and
//! never meets a connection that the engine has closed meanwhile.

use std::io;
use std::sync::Arc;

use bollard::BollardRequest;
use bollard::errors::Error as ApiError;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;

use super::{ANSWER_LIMIT, EngineError};
use crate::{Endpoint, Host, dial};

/// No answer to a plain question is longer.
const ANSWER_BYTES: usize = 64 << 20;

#[derive(Debug, Clone)]
pub(super) struct Transport {
    endpoint: Arc<Endpoint>,
}

impl Transport {
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends one request on a connection of its own.
    pub async fn send(self, mut request: BollardRequest) -> Result<Response<Incoming>, ApiError> {
        let stream = dial(&self.endpoint).await.map_err(io::Error::other)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends by itself when the answer has been read or dropped; a failure reaches the request.
        tokio::spawn(connection);
        // A connection, unlike a pooling client, takes the request as it goes on the wire.
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        let host = match &self.endpoint.host {
            Host::Tcp { host, .. } => HeaderValue::from_str(host).map_err(http::Error::from)?,
            Host::Unix(_) | Host::Ssh { .. } => HeaderValue::from_static("docker"),
        };
        request.headers_mut().insert(HOST, host);
        Ok(sender.send_request(request).await?)
    }

    /// Asks a question whose answer is one JSON document.
    pub async fn get_json<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, EngineError> {
        let broken = |source: Box<dyn std::error::Error + Send + Sync>| EngineError::Broken {
            what: what.to_owned(),
            source,
        };
        let request = Request::get(path).body(bollard::body_full(Bytes::new()));
        let request = request.map_err(|error| broken(error.into()))?;
        let exchange = async {
            let response = self.clone().send(request).await;
            let response = response.map_err(|error| EngineError::from_api(what, error))?;
            let status = response.status();
            let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
            let body = body.collect().await.map_err(broken)?.to_bytes();
            Ok::<_, EngineError>((status, body))
        };
        let answer = tokio::time::timeout(ANSWER_LIMIT, exchange).await;
        let (status, body) = answer.map_err(|_| EngineError::Timeout {
            what: what.to_owned(),
        })??;
        if !status.is_success() {
            let message = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.message);
            let message = message.unwrap_or_else(|_| String::from_utf8_lossy(&body).trim().to_owned());
            return Err(EngineError::Refused {
                what: what.to_owned(),
                status: status.as_u16(),
                message,
            });
        }
        serde_json::from_slice(&body).map_err(|error| broken(error.into()))
    }
}

#[derive(serde::Deserialize)]
struct Refusal {
    message: String,
}
