//! The client: requests, their bounds, and the waits that GitHub asks for.

use crate::answer::{self, message, rate_limit};
use crate::{GithubError, Repository};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one request may take, with its whole answer.
const REQUEST: Duration = Duration::from_secs(30);

/// How many caches are asked for at once: the API's maximum.
const PER_PAGE: usize = 100;

/// How many pages are asked for. A list of caches that is longer is an error.
const PAGES: usize = 200;

/// The longest answer that is read, in bytes. A page has 100 caches, each with a key of up to 512 characters.
const LONGEST: usize = 1 << 20;

/// One cache of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// GitHub's number for it, by which it is deleted.
    pub id: u64,
    /// The key that workflows know it by. Whoever may run a workflow chooses it: it is text from elsewhere.
    pub key: String,
    /// The git reference that it was made on, such as `refs/heads/main`; empty if GitHub names none.
    pub reference: String,
    /// Its size.
    pub bytes: u64,
    /// When it was made, by GitHub's clock; [`None`] if GitHub does not say.
    pub created: Option<SystemTime>,
    /// When it was last restored, by GitHub's clock; [`None`] if GitHub does not say.
    pub last_used: Option<SystemTime>,
}

/// Which caches are listed: all, unless something is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those whose key is this or begins with it.
    pub key: Option<String>,
    /// Only those of this full git reference, such as `refs/heads/main` or `refs/pull/7/merge`.
    pub reference: Option<String>,
}

/// A client for the caches of one repository.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    caches: Url,
    repository: Repository,
    /// Marked as sensitive: `Debug` does not show it.
    authorization: HeaderValue,
    patience: Duration,
}

impl Client {
    /// A client for the API at an address (`GITHUB_API_URL`) with a token. Nothing is sent yet. The environment's proxy
    /// variables count.
    ///
    /// `patience` is how long one call waits altogether where GitHub's rate limits ask for it.
    ///
    /// # Errors
    /// [`GithubError::Address`] for what is no `https://` URL (`http://` is taken for this machine alone: the token would
    /// be readable), [`GithubError::Token`], [`GithubError::Setup`].
    pub fn new(
        api_url: &str,
        repository: Repository,
        token: &str,
        patience: Duration,
    ) -> Result<Client, GithubError> {
        let address = |reason| GithubError::Address { reason };
        let mut caches = Url::parse(api_url.trim()).map_err(|_| address("is not a URL"))?;
        let host = caches.host_str().unwrap_or_default();
        let is_here = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_loopback());
        if !(caches.scheme() == "https" || caches.scheme() == "http" && is_here) {
            return Err(address("does not begin with https://"));
        }
        if !caches.username().is_empty() || caches.password().is_some() {
            return Err(address("holds a user name or a password"));
        }
        caches.set_query(None);
        caches.set_fragment(None);
        caches
            .path_segments_mut()
            .map_err(|()| address("is not a URL"))?
            .pop_if_empty()
            .extend([
                "repos",
                repository.owner(),
                repository.name(),
                "actions",
                "caches",
            ]);
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(GithubError::Token);
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| GithubError::Token)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .redirect(Policy::none())
            .referer(false);
        let http = if is_here { http.no_proxy() } else { http };
        Ok(Client {
            http: http.build().map_err(GithubError::Setup)?,
            caches,
            repository,
            authorization,
            patience,
        })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The caches of the repository, by their numbers. While caches come and go, the pages move, and some may be missed;
    /// an empty list is always the truth.
    ///
    /// # Errors
    /// If not all of them can be listed.
    pub async fn caches(&self, filter: &Filter) -> Result<Vec<Cache>, GithubError> {
        let mut patience = self.patience;
        // By number: where one is deleted meanwhile, the pages move.
        let mut caches = BTreeMap::new();
        let mut seen = 0;
        for page in 1..=PAGES {
            let mut url = self.caches.clone();
            url.query_pairs_mut()
                .append_pair("per_page", &PER_PAGE.to_string())
                .append_pair("page", &page.to_string())
                // The default order, by the last use, changes while builds run.
                .append_pair("sort", "created_at")
                .append_pair("direction", "asc");
            for (name, value) in [("key", &filter.key), ("ref", &filter.reference)] {
                if let Some(value) = value {
                    url.query_pairs_mut().append_pair(name, value);
                }
            }
            let (status, body) = self.request(Method::GET, url, &mut patience).await?;
            if status != StatusCode::OK {
                return Err(self.refusal(status, &body));
            }
            let answered = answer::page(&body).map_err(|error| self.malformed(&error.to_string()))?;
            let (count, total) = (answered.caches.len(), answered.total);
            seen += count as u64;
            caches.extend(answered.caches.into_iter().map(|cache| (cache.id, cache)));
            if count == 0 || count < PER_PAGE && seen >= total {
                return Ok(caches.into_values().collect());
            }
        }
        Err(GithubError::TooMany {
            repository: self.repository.clone(),
            most: PAGES * PER_PAGE,
        })
    }

    /// Deletes one cache. `false` if there is none of this number (any more); to a token that cannot see the
    /// repository, GitHub says the same, so that only a later list proves anything.
    ///
    /// # Errors
    /// If the cache is still there as far as is known.
    pub async fn delete(&self, id: u64) -> Result<bool, GithubError> {
        let url = format!("{}/{id}", self.caches);
        let url = Url::parse(&url).map_err(|error| self.malformed(&error.to_string()))?;
        let mut patience = self.patience;
        match self.request(Method::DELETE, url, &mut patience).await? {
            (StatusCode::NO_CONTENT, _) => Ok(true),
            (StatusCode::NOT_FOUND, _) => Ok(false),
            (status, body) => Err(self.refusal(status, &body)),
        }
    }

    /// Sends a request until it meets no rate limit, as long as the patience lasts.
    async fn request(
        &self,
        method: Method,
        url: Url,
        patience: &mut Duration,
    ) -> Result<(StatusCode, Vec<u8>), GithubError> {
        loop {
            let response = self
                .http
                .request(method.clone(), url.clone())
                .header(AUTHORIZATION, &self.authorization)
                .header(ACCEPT, "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28")
                // GitHub refuses requests without one.
                .header(USER_AGENT, concat!("unstale/", env!("CARGO_PKG_VERSION")))
                .send()
                .await
                .map_err(|error| self.unreachable(error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = self.body(response).await?;
            let Some(wait) = rate_limit(status, &headers, &self.message(&body), SystemTime::now()) else {
                return Ok((status, body));
            };
            if wait > *patience {
                return Err(GithubError::RateLimited { wait });
            }
            *patience -= wait;
            tokio::time::sleep(wait).await;
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, GithubError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > LONGEST {
                return Err(self.malformed("it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// What an answer other than the wanted one means.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> GithubError {
        let message = self.message(body);
        let repository = self.repository.clone();
        match status {
            StatusCode::UNAUTHORIZED => GithubError::Unauthorized { message },
            StatusCode::FORBIDDEN => GithubError::Forbidden { repository, message },
            StatusCode::NOT_FOUND => GithubError::NotFound { repository },
            status if status.is_redirection() => GithubError::Moved { repository },
            status if status.is_server_error() => GithubError::Server {
                status: status.as_u16(),
                message,
            },
            status => GithubError::Unexpected {
                status: status.as_u16(),
                message,
            },
        }
    }

    /// The server's words, without the token.
    fn message(&self, body: &[u8]) -> String {
        message(&self.mask(&String::from_utf8_lossy(body)))
    }

    fn malformed(&self, reason: &str) -> GithubError {
        GithubError::Malformed {
            reason: self.mask(reason),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> GithubError {
        GithubError::Unreachable {
            host: self.caches.host_str().unwrap_or_default().to_owned(),
            source: error.without_url(),
        }
    }

    /// Text from the server without the token, in case that it repeats what it was sent.
    fn mask(&self, text: &str) -> String {
        let authorization = self.authorization.to_str().unwrap_or_default();
        match authorization.strip_prefix("Bearer ") {
            Some(token) => text.replace(token, "[token]"),
            None => text.to_owned(),
        }
    }
}
