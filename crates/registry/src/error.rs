//! What can go wrong between us and a registry.

/// A registry has no answer, or one that says no. None of them holds a password or a token.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// This program cannot speak HTTPS here: no certificates, for example.
    #[error("cannot set up a connection to {host}")]
    Setup {
        /// The registry.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// It cannot be reached, or the connection broke, or took too long.
    #[error("cannot reach the registry {host}: {}", root(error))]
    Unreachable {
        /// The registry.
        host: String,
        /// Why. The message has its root, without the client's words on the way there.
        error: reqwest::Error,
    },
    /// 401: it does not take the login, or there is none.
    #[error("the registry {host} wants {}", if *.with_login { "another login" } else { "a login" })]
    Unauthorized {
        /// The registry.
        host: String,
        /// A login was given.
        with_login: bool,
    },
    /// The registry sends us for a token where the password would be readable.
    #[error("the registry {host} asks for the password without encryption")]
    Unencrypted {
        /// The registry.
        host: String,
    },
    /// 403: it takes the login, and it is not enough.
    #[error("the registry does not allow this for {repository}: {message}")]
    Forbidden {
        /// The repository.
        repository: String,
        /// The registry's words.
        message: String,
    },
    /// 405: the registry is not set up for deleting (or, rarely, for writing).
    #[error("the registry {host} does not allow {action}")]
    NotAllowed {
        /// The registry.
        host: String,
        /// What it does not allow.
        action: &'static str,
    },
    /// 429: too many requests.
    #[error("the registry {host} has had too many requests")]
    TooMany {
        /// The registry.
        host: String,
    },
    /// An HTTP status that the specification does not have for this.
    #[error("the registry {host} answered {status}: {message}")]
    Unexpected {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
    },
    /// The answer is not what the specification says.
    #[error("cannot understand the answer of the registry {host}: {reason}")]
    Malformed {
        /// The registry.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The innermost cause: `Connection refused (os error 111)`.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl RegistryError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            RegistryError::Setup { .. } => {
                "check that the system's certificates are installed (ca-certificates)".to_owned()
            }
            RegistryError::Unreachable { .. } => "check the network, and that the registry runs".to_owned(),
            RegistryError::Unauthorized { host, .. } => format!("docker login {host}"),
            RegistryError::Unencrypted { .. } => "give the registry's token service an https:// address".to_owned(),
            RegistryError::Forbidden { .. } => "use a login that may do it: docker login".to_owned(),
            RegistryError::NotAllowed { .. } => {
                "allow it in the registry's configuration (storage.delete.enabled in Docker's registry), or delete it with the \
                 registry's own tools"
                    .to_owned()
            }
            RegistryError::TooMany { .. } => "try again later".to_owned(),
            RegistryError::Unexpected { .. } | RegistryError::Malformed { .. } => {
                "check that it is a registry, and that no proxy answers in its place".to_owned()
            }
        })
    }
}
