//! Names of what is in registries, as the OCI distribution specification and Docker's habits have them.

use std::fmt;
use std::str::FromStr;

/// The registry of names without a host, as credentials are stored for it.
const DEFAULT_HOST: &str = "docker.io";

/// Where images of Docker Hub without an owner are.
const DEFAULT_OWNER: &str = "library";

/// The tag of a name without one.
const DEFAULT_TAG: &str = "latest";

/// The longest path of a repository, with its host, in characters (Docker's bound; the specification advises the same).
const LONGEST: usize = 255;

/// A repository: a registry's host, and a path there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    host: String,
    path: String,
}

/// Something in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The repository.
    pub repository: Repository,
    /// A tag, or a digest such as `sha256:…`.
    pub object: String,
}

/// A text that is no name of something in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of {what}")]
pub struct InvalidReference {
    text: String,
    what: &'static str,
}

impl Repository {
    /// The host with its port, as in image names; `docker.io` for Docker Hub.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path at the host: `team/cache`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Something in it.
    pub fn at(&self, object: impl Into<String>) -> Reference {
        Reference {
            repository: self.clone(),
            object: object.into(),
        }
    }
}

impl FromStr for Repository {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Repository, InvalidReference> {
        let (host, path) = match text.split_once('/') {
            Some((host, path)) if host == "localhost" || host.contains(['.', ':']) => (host, path.to_owned()),
            Some(_) => (DEFAULT_HOST, text.to_owned()),
            None => (DEFAULT_HOST, format!("{DEFAULT_OWNER}/{text}")),
        };
        let is_path = path.split('/').all(is_component);
        if !is_host(host) || !is_path || host.len() + path.len() >= LONGEST {
            return Err(InvalidReference {
                text: text.to_owned(),
                what: "a repository",
            });
        }
        Ok(Repository {
            host: host.to_owned(),
            path,
        })
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Reference, InvalidReference> {
        let invalid = || InvalidReference {
            text: text.to_owned(),
            what: "something in a registry",
        };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            // A port has a path behind it.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (name, None),
        };
        let is_fine = tag.is_none_or(is_tag) && digest.is_none_or(is_digest);
        if !is_fine {
            return Err(invalid());
        }
        Ok(Reference {
            repository: name.parse().map_err(|_| invalid())?,
            object: digest.or(tag).unwrap_or(DEFAULT_TAG).to_owned(),
        })
    }
}

/// A host name or an IPv4 address, or an IPv6 address in brackets; with a port or without.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    let v6 = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    port.is_none_or(is_port)
        && v6.map_or_else(|| is_name(name), |v6| v6.parse::<std::net::Ipv6Addr>().is_ok())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends_well = |b: Option<&u8>| b.is_some_and(|b| is_plain(*b));
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let mut separators = separators.filter(|separator| !separator.is_empty());
    let bytes = text.as_bytes();
    ends_well(bytes.first())
        && ends_well(bytes.last())
        && separators
            .all(|separator| matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = text.bytes().next().is_some_and(is_word);
    first && text.len() <= 128 && text.bytes().all(|b| is_word(b) || b".-".contains(&b))
}

fn is_digest(text: &str) -> bool {
    let hex = text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("sha512:"));
    hex.is_some_and(|hex| {
        matches!(hex.len(), 64 | 128) && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.object.contains(':') { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.repository, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_docker_does() {
        let hex = "0f".repeat(32);
        for (text, full) in [
            ("app", "docker.io/library/app:latest".to_owned()),
            ("team/app:1", "docker.io/team/app:1".to_owned()),
            ("reg:5000/app", "reg:5000/app:latest".to_owned()),
            ("localhost/a/b__c:v1.0", "localhost/a/b__c:v1.0".to_owned()),
            ("[::1]:5000/app:x", "[::1]:5000/app:x".to_owned()),
            (
                &format!("reg.example/app:1@sha256:{hex}"),
                format!("reg.example/app@sha256:{hex}"),
            ),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), full);
        }
    }

    #[test]
    fn what_would_leave_its_place_in_a_url_is_no_name() {
        for text in [
            "",
            "/",
            "a//b",
            "reg:5000/",
            "reg:port/a",
            "reg:5000/App",
            "reg.example/a/../b",
            "reg.example/a?x",
            "reg.example/a#x",
            "user@reg.example/a",
            "a:",
            "a:-x",
            "a@sha256:0f",
            "reg.example/a%2f",
            "reg.example/a-",
            "reg.example/a._b",
            "[::x]/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_written_is_read_again(text in "[a-z0-9./:@_-]{1,40}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
            }
        }
    }
}
