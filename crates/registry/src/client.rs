//! The client: requests and their bounds.

use crate::auth::{Challenge, challenge, token};
use crate::{Login, RegistryError, Repository};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, LOCATION, USER_AGENT, WWW_AUTHENTICATE,
};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long one request may take, with its whole answer.
const REQUEST: Duration = Duration::from_secs(30);

/// The longest manifest that is read, in bytes: registries take none that is longer (4 MiB by the specification).
const LONGEST_MANIFEST: usize = 4 << 20;

/// The longest answer of any other kind, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// How many pages of tags are asked for, of 1000 each.
const PAGES: usize = 100;

/// How much is shown of the words of a server, in characters.
const WORDS: usize = 300;

/// Docker Hub is called differently from what images are called by.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What may stand behind a name.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The digest of its bytes: `sha256:…`.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A client for one repository.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    repository: Repository,
    login: Option<Login>,
    /// What the registry wanted last.
    authorization: Mutex<Option<HeaderValue>>,
}

/// One request, which may have to be sent again with a login.
struct Request<'a> {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: &'a [u8],
}

impl Client {
    /// A client. Nothing is sent yet. Without encryption only if the registry is on this machine, or `insecure`. The
    /// environment's proxy variables count for other machines.
    ///
    /// # Errors
    /// [`RegistryError::Setup`].
    pub fn new(
        repository: Repository,
        login: Option<Login>,
        insecure: bool,
    ) -> Result<Client, RegistryError> {
        let host = repository.host();
        let is_here = is_here(host);
        let scheme = if is_here || insecure { "http" } else { "https" };
        let address = if host == HUB.0 { HUB.1 } else { host };
        let malformed = || RegistryError::Malformed {
            host: host.to_owned(),
            reason: "its name is part of no URL".to_owned(),
        };
        let base = format!("{scheme}://{address}/v2/{}/", repository.path());
        let base = Url::parse(&base).map_err(|_| malformed())?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // Blobs are often elsewhere. The login does not go along to another host.
            .redirect(Policy::limited(5))
            .referer(false);
        let http = if is_here { http.no_proxy() } else { http };
        let http = http.build().map_err(|source| RegistryError::Setup {
            host: host.to_owned(),
            source,
        })?;
        Ok(Client {
            http,
            base,
            repository,
            login,
            authorization: Mutex::new(None),
        })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The manifest of a tag or a digest; [`None`] if there is none.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn manifest(&self, object: &str) -> Result<Option<Manifest>, RegistryError> {
        let url = self.url(&["manifests", object])?;
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MANIFESTS))]);
        let response = self.send(Request::new(Method::GET, url, headers)).await?;
        match response.status() {
            StatusCode::OK => {
                let bytes = self.body(response, LONGEST_MANIFEST).await?;
                let digest = digest(&bytes);
                if object.starts_with("sha256:") && object != digest {
                    return Err(self.malformed("a manifest is not that of its digest"));
                }
                Ok(Some(Manifest { digest, bytes }))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response, "reading").await),
        }
    }

    /// The bytes of a blob, which are those of its digest.
    ///
    /// # Errors
    /// If the registry cannot be asked, refuses, or has not this blob; if it is longer than `most` bytes.
    pub async fn blob(&self, wanted: &str, most: usize) -> Result<Vec<u8>, RegistryError> {
        let url = self.url(&["blobs", wanted])?;
        let response = self
            .send(Request::new(Method::GET, url, HeaderMap::new()))
            .await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response, "reading").await);
        }
        let bytes = self.body(response, most).await?;
        match digest(&bytes) == wanted {
            true => Ok(bytes),
            false => Err(self.malformed("a blob is not that of its digest")),
        }
    }

    /// Stores a blob, and gives its digest.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn put_blob(&self, bytes: &[u8]) -> Result<String, RegistryError> {
        let digest = digest(bytes);
        let url = self.url(&["blobs", "uploads", ""])?;
        let response = self
            .send(Request::new(Method::POST, url.clone(), HeaderMap::new()))
            .await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.refusal(response, "writing").await);
        }
        let place = response
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let place = place.and_then(|place| url.join(place).ok());
        let Some(mut place) = place else {
            return Err(self.malformed("it names no place for a blob"));
        };
        if place.scheme() != url.scheme() && place.scheme() != "https" {
            return Err(self.malformed("it names a place without encryption"));
        }
        place.query_pairs_mut().append_pair("digest", &digest);
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))]);
        let request = Request {
            body: bytes,
            ..Request::new(Method::PUT, place, headers)
        };
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::CREATED => Ok(digest),
            _ => Err(self.refusal(response, "writing").await),
        }
    }

    /// Stores a manifest under a tag. Its blobs must be there already.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn put_manifest(
        &self,
        tag: &str,
        kind: &'static str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let url = self.url(&["manifests", tag])?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let request = Request {
            body: bytes,
            ..Request::new(Method::PUT, url, headers)
        };
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.refusal(response, "writing").await),
        }
    }

    /// Deletes a manifest, and with it every tag of it. `false` if there was none.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn delete(&self, digest: &str) -> Result<bool, RegistryError> {
        let url = self.url(&["manifests", digest])?;
        let response = self
            .send(Request::new(Method::DELETE, url, HeaderMap::new()))
            .await?;
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refusal(response, "deleting").await),
        }
    }

    /// The tags of the repository; none if there is no such repository.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn tags(&self) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            /// `null` where there is none.
            tags: Option<Vec<String>>,
        }
        let mut url = self.url(&["tags", "list"])?;
        url.query_pairs_mut().append_pair("n", "1000");
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let response = self
                .send(Request::new(Method::GET, url.clone(), HeaderMap::new()))
                .await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(tags),
                _ => return Err(self.refusal(response, "reading").await),
            }
            let next = response
                .headers()
                .get(LINK)
                .and_then(|value| value.to_str().ok())
                .and_then(next);
            let next = next.and_then(|next| url.join(next).ok());
            let body = self.body(response, LONGEST_ANSWER).await?;
            let page: Page =
                serde_json::from_slice(&body).map_err(|error| self.malformed(&error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
            match next {
                Some(next) if next.origin() == url.origin() => url = next,
                _ => return Ok(tags),
            }
        }
        Err(self.malformed("the list of tags does not end"))
    }

    /// Sends a request, and once more with what the registry wants for it.
    async fn send(&self, request: Request<'_>) -> Result<Response, RegistryError> {
        let known = self.authorization.lock().ok().and_then(|known| known.clone());
        let response = self.send_with(&request, known.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let wanted = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let wanted = wanted.filter_map(|value| challenge(value.to_str().ok()?)).next();
        let authorization = match wanted {
            Some(Challenge::Basic) => self.login.as_ref().and_then(Login::basic),
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => self.token(realm, service, scope).await?,
            None => None,
        };
        let Some(authorization) = authorization else {
            return Err(self.unauthorized());
        };
        let response = self.send_with(&request, Some(&authorization)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(self.unauthorized());
        }
        if let Ok(mut known) = self.authorization.lock() {
            *known = Some(authorization);
        }
        Ok(response)
    }

    async fn send_with(
        &self,
        request: &Request<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, RegistryError> {
        let mut sent = self
            .http
            .request(request.method.clone(), request.url.clone())
            .header(USER_AGENT, concat!("unstale/", env!("CARGO_PKG_VERSION")))
            .headers(request.headers.clone())
            .body(request.body.to_vec());
        // A place for a blob may be at another host, which gets no login.
        if let Some(authorization) = authorization.filter(|_| request.url.origin() == self.base.origin()) {
            sent = sent.header(AUTHORIZATION, authorization);
        }
        sent.send().await.map_err(|error| self.unreachable(error))
    }

    /// Asks for a token.
    async fn token(
        &self,
        mut realm: Url,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let is_encrypted = realm.scheme() == "https" || self.base.scheme() == "http";
        if !is_encrypted {
            let host = self.host();
            return Err(RegistryError::Unencrypted { host });
        }
        let asked: Vec<(&str, String)> = [("service", service), ("scope", scope)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let request = match &self.login {
            Some(login) if login.username.is_empty() => {
                let own = [
                    ("grant_type", "refresh_token"),
                    ("client_id", "unstale"),
                    ("refresh_token", &login.secret),
                ];
                let mut form = realm.clone();
                form.set_query(None);
                form.query_pairs_mut().extend_pairs(own).extend_pairs(&asked);
                let form = form.query().unwrap_or_default().to_owned();
                self.http
                    .post(realm)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form)
            }
            login => {
                realm.query_pairs_mut().extend_pairs(&asked);
                let request = self.http.get(realm);
                match login.as_ref().and_then(Login::basic) {
                    Some(basic) => request.header(AUTHORIZATION, basic),
                    None => request,
                }
            }
        };
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        match response.status() {
            StatusCode::OK => Ok(token(&self.body(response, LONGEST_ANSWER).await?)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            _ => Err(self.refusal(response, "reading").await),
        }
    }

    async fn body(&self, mut response: Response, most: usize) -> Result<Vec<u8>, RegistryError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > most {
                return Err(self.malformed("it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What an answer other than the wanted one means.
    async fn refusal(&self, response: Response, action: &'static str) -> RegistryError {
        let status = response.status();
        let message = match self.body(response, LONGEST_ANSWER).await {
            Ok(body) => message(&body),
            Err(error) => return error,
        };
        let host = self.host();
        match status {
            StatusCode::UNAUTHORIZED => self.unauthorized(),
            StatusCode::FORBIDDEN => RegistryError::Forbidden {
                repository: self.repository.to_string(),
                message,
            },
            StatusCode::METHOD_NOT_ALLOWED => RegistryError::NotAllowed { host, action },
            StatusCode::TOO_MANY_REQUESTS => RegistryError::TooMany { host },
            status => RegistryError::Unexpected {
                host,
                status: status.as_u16(),
                message,
            },
        }
    }

    fn url(&self, segments: &[&str]) -> Result<Url, RegistryError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(segments);
            }
            Err(()) => return Err(self.malformed("its name is part of no URL")),
        }
        Ok(url)
    }

    fn host(&self) -> String {
        self.repository.host().to_owned()
    }

    fn unauthorized(&self) -> RegistryError {
        RegistryError::Unauthorized {
            host: self.host(),
            with_login: self.login.is_some(),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> RegistryError {
        RegistryError::Unreachable {
            host: self.host(),
            error: error.without_url(),
        }
    }

    fn malformed(&self, reason: &str) -> RegistryError {
        RegistryError::Malformed {
            host: self.host(),
            reason: reason.to_owned(),
        }
    }
}

impl Request<'_> {
    fn new(method: Method, url: Url, headers: HeaderMap) -> Request<'static> {
        Request {
            method,
            url,
            headers,
            body: &[],
        }
    }
}

/// Whether a registry is on this machine: there Docker, too, speaks without encryption.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The address of the next page: `<…>; rel="next"`.
fn next(link: &str) -> Option<&str> {
    let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then_some(address)
}

/// The registry's own words in a refusal, cut to a length that can be shown.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Fault>,
    }
    #[derive(Deserialize)]
    struct Fault {
        code: String,
        #[serde(default)]
        message: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => {
            let faults = refusal.errors.iter().map(|fault| match fault.message.as_str() {
                "" => fault.code.clone(),
                message => message.to_owned(),
            });
            faults.collect::<Vec<_>>().join("; ")
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text: String = text.trim().chars().take(WORDS).collect();
    match text.is_empty() {
        true => "no reason given".to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_encryption() {
        let base = |name: &str, insecure| {
            let client = Client::new(name.parse().unwrap(), None, insecure).unwrap();
            client.url(&["manifests", "x"]).unwrap().to_string()
        };
        assert_eq!(
            base("app", false),
            "https://registry-1.docker.io/v2/library/app/manifests/x"
        );
        assert_eq!(
            base("localhost:5000/a", false),
            "http://localhost:5000/v2/a/manifests/x"
        );
        assert_eq!(base("[::1]:5000/a", false), "http://[::1]:5000/v2/a/manifests/x");
        assert_eq!(
            base("localhost.example/a", false),
            "https://localhost.example/v2/a/manifests/x"
        );
        assert_eq!(
            base("reg.lan:5000/a", true),
            "http://reg.lan:5000/v2/a/manifests/x"
        );
    }

    #[test]
    fn the_words_of_a_refusal_are_told() {
        let body = br#"{"errors":[{"code":"DENIED","message":"requested access is denied"},{"code":"UNSUPPORTED"}]}"#;
        assert_eq!(message(body), "requested access is denied; UNSUPPORTED");
        assert_eq!(message(b"<html>"), "<html>");
        assert_eq!(message(b" "), "no reason given");
        assert_eq!(
            next("</v2/a/tags/list?n=1&last=x>; rel=\"next\""),
            Some("/v2/a/tags/list?n=1&last=x")
        );
    }
}
