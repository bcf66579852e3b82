//! Which repository is meant: `owner/name`, or the URL of a git remote. Pure.

use std::fmt;
use std::str::FromStr;

/// The longest name of an owner or a repository that is taken for one. GitHub allows 100 characters for a repository.
const LONGEST: usize = 100;

/// A repository on GitHub, by its owner's and its own name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

/// The text is not `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a GitHub repository")]
pub struct InvalidRepository(String);

impl InvalidRepository {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        Some("write it as owner/name, as GITHUB_REPOSITORY has it".to_owned())
    }
}

impl Repository {
    /// The account that owns it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name, without the owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Reads `owner/name`, as `GITHUB_REPOSITORY` has it. What gets through is safe as two segments of a URL's path.
impl FromStr for Repository {
    type Err = InvalidRepository;

    fn from_str(text: &str) -> Result<Self, InvalidRepository> {
        let consists_of = |part: &str, others: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
            (1..=LONGEST).contains(&part.len()) && part.chars().all(is_allowed)
        };
        text.split_once('/')
            .filter(|(owner, name)| consists_of(owner, "-_") && consists_of(name, "-_."))
            .filter(|(_, name)| !matches!(*name, "." | ".."))
            .map(|(owner, name)| Repository {
                owner: owner.to_owned(),
                name: name.to_owned(),
            })
            .ok_or_else(|| {
                // Whoever gives a URL here may give a password with it.
                let text = text.rsplit('@').next().unwrap_or_default();
                InvalidRepository(text.chars().take(2 * LONGEST).collect())
            })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A repository on a certain server, as a git remote names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The server's name in lower case, without a port.
    pub host: String,
    /// The repository.
    pub repository: Repository,
}

impl Remote {
    /// Reads the URL of a git remote, in every form that GitHub hands out: `https://host/owner/name.git`,
    /// `ssh://git@host/owner/name.git` and `git@host:owner/name.git`. [`None`] for a path, and for a URL whose path is no
    /// `owner/name`. A user name or password in the URL is left behind.
    pub fn parse(url: &str) -> Option<Remote> {
        let url = url.trim();
        let (authority, path) = match url.split_once("://") {
            Some(("https" | "http" | "ssh" | "git+ssh" | "git", rest)) => rest.split_once('/')?,
            Some(_) => return None,
            // As git has it: with a slash before the first colon it is a path.
            None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
        };
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
        let is_in_a_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !host.chars().all(is_in_a_name) {
            return None;
        }
        let path = path.trim_matches('/');
        let repository = path.strip_suffix(".git").unwrap_or(path).parse().ok()?;
        Some(Remote { host, repository })
    }

    /// The address of the server's API, where its name alone tells that it is GitHub's. [`None`] for every other server:
    /// a token is not to be sent there unless the user names the address.
    pub fn api_url(&self) -> Option<String> {
        match self.host.as_str() {
            "github.com" | "www.github.com" | "ssh.github.com" => Some("https://api.github.com".to_owned()),
            // Enterprise Cloud with data residency.
            host if host.ends_with(".ghe.com") => Some(format!("https://api.{host}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn remote(url: &str) -> Option<String> {
        Remote::parse(url).map(|remote| format!("{} {}", remote.host, remote.repository))
    }

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        let repository: Repository = "octo-org/hello.world_1".parse().unwrap();
        assert_eq!(
            (repository.owner(), repository.name()),
            ("octo-org", "hello.world_1")
        );
        for text in [
            "", "name", "/name", "owner/", "a/b/c", "a/..", "a/.", "../b", "a b/c", "a/b?c", "a/b#c",
            "a/%2e%2e", "ä/b", "a/b\n",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text:?}");
        }
        assert!(format!("a/{}", "b".repeat(101)).parse::<Repository>().is_err());
        let error = "https://x:secret@github.com/a/b"
            .parse::<Repository>()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"github.com/a/b\" is not the name of a GitHub repository"
        );
        assert!(error.hint().is_some());
    }

    #[test]
    fn every_form_of_a_remote_is_read() {
        for url in [
            "https://github.com/octo/hello",
            "https://github.com/octo/hello.git",
            "https://github.com/octo/hello/",
            "https://GitHub.com:443/octo/hello.git",
            "https://x-access-token:secret@github.com/octo/hello.git\n",
            "ssh://git@github.com/octo/hello.git",
            "ssh://git@github.com:22/octo/hello",
            "git+ssh://git@github.com/octo/hello.git",
            "git@github.com:octo/hello.git",
            "github.com:octo/hello",
            "git@github.com:/octo/hello.git",
        ] {
            assert_eq!(remote(url).as_deref(), Some("github.com octo/hello"), "{url}");
        }
    }

    #[test]
    fn what_is_no_remote_of_a_server_is_none() {
        for url in [
            "",
            "/srv/git/octo/hello.git",
            "./octo:hello/x",
            "../hello.git",
            "file:///srv/octo/hello",
            "ext::sh -c whoami",
            "https://github.com",
            "https://github.com/hello",
            "https://github.com/a/b/c",
            "https:///octo/hello",
            "git@:octo/hello",
            "https://[::1]/octo/hello",
            "https://evil.example\\@github.com/a/..",
        ] {
            assert_eq!(remote(url), None, "{url}");
        }
    }

    #[test]
    fn the_api_of_an_unknown_server_is_not_guessed() {
        let api = |url: &str| Remote::parse(url).unwrap().api_url();
        assert_eq!(
            api("git@github.com:a/b").as_deref(),
            Some("https://api.github.com")
        );
        assert_eq!(
            api("ssh://git@ssh.github.com:443/a/b").as_deref(),
            Some("https://api.github.com")
        );
        assert_eq!(
            api("https://octo.ghe.com/a/b").as_deref(),
            Some("https://api.octo.ghe.com")
        );
        for url in [
            "https://gitlab.com/a/b",
            "https://github.com.evil.example/a/b",
            "https://evilghe.com/a/b",
        ] {
            assert_eq!(api(url), None, "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-zA-Z0-9._/@:-]{0,40}|\\PC{0,40}") {
            if let Ok(repository) = text.parse::<Repository>() {
                prop_assert_eq!(repository.to_string(), text);
            } else if let Some(remote) = Remote::parse(&text) {
                prop_assert!(remote.repository.to_string().parse::<Repository>().is_ok());
                prop_assert!(text.to_lowercase().contains(&remote.host));
            }
        }
    }
}
