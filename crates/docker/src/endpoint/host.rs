//! The grammar of a Docker host address, as `DOCKER_HOST` and contexts write it.

use std::fmt;
use std::path::PathBuf;

/// Docker's default socket on Linux.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port; an IPv6 address is kept without brackets.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `docker system dial-stdio` on another machine, through the `ssh` program.
    Ssh {
        /// The user to log in as, if not the one of ssh's configuration.
        user: Option<String>,
        /// Name, address, or an alias of ssh's configuration.
        host: String,
        /// The port, if not ssh's default.
        port: Option<u16>,
        /// The engine's socket over there, if not its default.
        socket: Option<String>,
    },
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// A Windows named pipe.
    #[error("Windows named pipes are not supported")]
    NamedPipe,
    /// A scheme that is none of unix, tcp and ssh.
    #[error("unknown scheme {0:?}")]
    Scheme(String),
    /// The part after the scheme.
    #[error("{0}")]
    Address(&'static str),
}

impl HostError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some("use unix:///path/to/docker.sock, tcp://host:port or ssh://user@host".to_owned())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh {
                user,
                host,
                port,
                socket,
            } => {
                write!(f, "ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                match host.contains(':') {
                    true => write!(f, "[{host}]")?,
                    false => write!(f, "{host}")?,
                }
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                write!(f, "{}", socket.as_deref().unwrap_or_default())
            }
        }
    }
}

impl Host {
    /// Reads an address as the Docker CLI does: no scheme means TCP, an empty address Docker's default, and the
    /// default port depends on TLS (docker/cli, `opts/hosts.go`).
    pub fn parse(value: &str, tls: bool) -> Result<Self, HostError> {
        let value = value.trim();
        if value.is_empty() {
            return Ok(match tls {
                true => Self::Tcp {
                    host: "localhost".to_owned(),
                    port: 2376,
                },
                false => Self::Unix(PathBuf::from(DEFAULT_SOCKET)),
            });
        }
        let (scheme, address) = value.split_once("://").unwrap_or(("tcp", value));
        match scheme {
            "unix" if address.is_empty() => Ok(Self::Unix(PathBuf::from(DEFAULT_SOCKET))),
            "unix" if address.contains("://") => Err(HostError::Address("not a socket path")),
            "unix" => Ok(Self::Unix(PathBuf::from(address))),
            "tcp" => {
                let (host, port) = authority(address.trim_end_matches('/'))?;
                let host = if host.is_empty() {
                    "localhost".to_owned()
                } else {
                    host
                };
                Ok(Self::Tcp {
                    host,
                    port: port.unwrap_or(if tls { 2376 } else { 2375 }),
                })
            }
            "ssh" => ssh(address),
            "npipe" => Err(HostError::NamedPipe),
            other => Err(HostError::Scheme(other.to_owned())),
        }
    }
}

fn ssh(address: &str) -> Result<Host, HostError> {
    let (login, socket) = match address.find('/') {
        Some(slash) => address.split_at(slash),
        None => (address, ""),
    };
    let (user, rest) = match login.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, login),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err(HostError::Address(
            "a password in an ssh:// address is not supported",
        ));
    }
    let (host, port) = authority(rest)?;
    // Names that begin with a dash would be read as options by the ssh program.
    if host.is_empty() || host.starts_with('-') || user.is_some_and(|u| u.is_empty() || u.starts_with('-')) {
        return Err(HostError::Address("no host name in the ssh:// address"));
    }
    Ok(Host::Ssh {
        user: user.map(str::to_owned),
        host,
        port,
        socket: Some(socket)
            .filter(|path| !matches!(*path, "" | "/"))
            .map(str::to_owned),
    })
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn authority(text: &str) -> Result<(String, Option<u16>), HostError> {
    if text.contains(['/', '?', '#', '@']) || text.contains(char::is_whitespace) {
        return Err(HostError::Address("expected host:port"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or(HostError::Address("unclosed bracket"))?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(HostError::Address("expected host:port")),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => Some(
            port.parse()
                .map_err(|_| HostError::Address("the port is not a number up to 65535"))?,
        ),
        None => None,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_they_print() {
        for text in [
            "unix:///run/user/1000/docker.sock",
            "tcp://10.0.0.1:2375",
            "tcp://[::1]:2376",
            "ssh://box",
            "ssh://me@box:2222",
            "ssh://me@[fe80::1]:22/run/docker.sock",
        ] {
            assert_eq!(Host::parse(text, false).unwrap().to_string(), text);
        }
    }

    #[test]
    fn defaults_are_the_docker_clis() {
        for (text, tls, expected) in [
            ("", false, "unix:///var/run/docker.sock"),
            ("", true, "tcp://localhost:2376"),
            ("unix://", false, "unix:///var/run/docker.sock"),
            ("tcp://", false, "tcp://localhost:2375"),
            ("build.example:1234", false, "tcp://build.example:1234"),
            ("tcp://build.example", true, "tcp://build.example:2376"),
            ("tcp://build.example/", false, "tcp://build.example:2375"),
            ("  tcp://a:1 ", false, "tcp://a:1"),
        ] {
            assert_eq!(Host::parse(text, tls).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        assert_eq!(
            Host::parse("npipe:////./pipe/docker_engine", false),
            Err(HostError::NamedPipe)
        );
        assert_eq!(
            Host::parse("fd://", false),
            Err(HostError::Scheme("fd".to_owned()))
        );
        for text in [
            "tcp://h:99999",
            "tcp://h:x",
            "tcp://h:1/path",
            "tcp://[::1",
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://a:b@h",
        ] {
            assert!(
                matches!(Host::parse(text, false), Err(HostError::Address(_))),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*", tls: bool) {
            let _ = Host::parse(&text, tls);
        }
    }
}
