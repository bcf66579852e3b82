//! What can go wrong between us and GitHub.

use crate::Repository;
use humantime::format_duration;
use std::time::Duration;

/// GitHub has no answer, or one that says no. None of them holds the token.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The API's address cannot be used. It is not repeated: it may hold a password.
    #[error("the address of GitHub's API {reason}")]
    Address {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token is empty, or holds what no token has, such as a line break.
    #[error("the GitHub token is not a token")]
    Token,
    /// This program cannot speak HTTPS here: no certificates, for example.
    #[error("cannot set up a connection to GitHub")]
    Setup(#[source] reqwest::Error),
    /// The server cannot be reached, or the connection broke, or took too long.
    #[error("cannot reach {host}")]
    Unreachable {
        /// The server's name.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// 401: GitHub does not take the token.
    #[error("GitHub does not accept the token: {message}")]
    Unauthorized {
        /// GitHub's words.
        message: String,
    },
    /// 403: GitHub takes the token, and it is not enough.
    #[error("the token may not do this to the Actions caches of {repository}: {message}")]
    Forbidden {
        /// The repository.
        repository: Repository,
        /// GitHub's words.
        message: String,
    },
    /// 404: there is no such repository, or the token cannot see it; GitHub does not tell which.
    #[error("GitHub knows no repository {repository}, or the token cannot see it")]
    NotFound {
        /// The repository.
        repository: Repository,
    },
    /// The repository has another name by now. Redirects are not followed: the token would go along.
    #[error("{repository} has another name or place by now")]
    Moved {
        /// The repository.
        repository: Repository,
    },
    /// 403 or 429 because of too many requests, and the wait is longer than the caller's patience.
    #[error("GitHub's rate limit is reached: it wants us to wait {}", format_duration(*wait))]
    RateLimited {
        /// How long GitHub wants us to wait from now on.
        wait: Duration,
    },
    /// 5xx: it is GitHub's own trouble.
    #[error("GitHub answered {status}: {message}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// An HTTP status that the API's documentation does not have for this.
    #[error("GitHub answered {status}, which is not expected: {message}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// The answer is not what the API's documentation says.
    #[error("cannot understand GitHub's answer: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// There are more caches than are ever listed.
    #[error("{repository} has more than {most} Actions caches")]
    TooMany {
        /// The repository.
        repository: Repository,
        /// How many are listed at most.
        most: usize,
    },
}

impl GithubError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            GithubError::Address { .. } => {
                "GITHUB_API_URL is https://api.github.com, or https://HOST/api/v3 for GitHub Enterprise Server"
            }
            GithubError::Token => {
                "check the variable that the token comes from: it must hold the token alone"
            }
            GithubError::Setup(_) => "check that the system's certificates are installed (ca-certificates)",
            GithubError::Unreachable { .. } => {
                "check the network; behind a proxy, HTTPS_PROXY must be set for this program too"
            }
            GithubError::Unauthorized { .. } => "it is wrong, expired or revoked: give a valid one",
            GithubError::Forbidden { .. } => {
                "the token needs the permission `actions: write`; a workflow sets it under `permissions:`, a classic \
                 token has it with the scope `repo`"
            }
            GithubError::NotFound { .. } => {
                "check the name; a workflow's own token sees no private repository but its own"
            }
            GithubError::Moved { .. } => "name the repository as it is called now (owner/name)",
            GithubError::RateLimited { wait } => {
                return Some(format!("try again in {}", format_duration(*wait)));
            }
            GithubError::Server { .. } => {
                "try again later; https://www.githubstatus.com tells of known trouble"
            }
            GithubError::Malformed { .. } | GithubError::Unexpected { .. } => {
                "check that GITHUB_API_URL is the address of GitHub's API, and that no proxy answers in its place"
            }
            GithubError::TooMany { .. } => "delete some of them by their key first",
        };
        Some(hint.to_owned())
    }
}
