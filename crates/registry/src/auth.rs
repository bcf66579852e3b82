//! Logging in: Basic, and the tokens that registries give for a scope.
//!
//! Source: "Token Authentication Specification" of the distribution project.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_auth::parser::ChallengeParser;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use std::fmt;

/// A user's name and password; without a name, the password is an identity token.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password, or the identity token.
    pub secret: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Login {
    /// As a header's value, which `Debug` does not show.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let pair = BASE64.encode(format!("{}:{}", self.username, self.secret));
        secret(&format!("Basic {pair}"))
    }
}

/// How a registry wants to be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    /// A token is to be had there, for this service and scope.
    Bearer {
        realm: Url,
        service: Option<String>,
        scope: Option<String>,
    },
}

/// Reads `WWW-Authenticate`. [`None`] for what is neither of the two.
pub(crate) fn challenge(header: &str) -> Option<Challenge> {
    let challenges = ChallengeParser::new(header).filter_map(Result::ok);
    challenges
        .filter_map(|challenge| {
            let parameter = |wanted: &str| {
                let (_, value) = challenge
                    .params
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
                Some(value.to_unescaped())
            };
            match challenge.scheme.to_ascii_lowercase().as_str() {
                "basic" => Some(Challenge::Basic),
                "bearer" => Some(Challenge::Bearer {
                    realm: Url::parse(&parameter("realm")?).ok()?,
                    service: parameter("service"),
                    scope: parameter("scope"),
                }),
                _ => None,
            }
        })
        .next()
}

/// The token in the answer of a token service.
pub(crate) fn token(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    secret(&format!("Bearer {}", answer.token.or(answer.access_token)?))
}

fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(
            challenge("Basic realm=\"Registry Realm\""),
            Some(Challenge::Basic)
        );
        let bearer = "Bearer realm=\"https://auth.example/token\",service=\"reg.example\",scope=\"repository:a/b:pull,push\"";
        assert_eq!(
            challenge(bearer),
            Some(Challenge::Bearer {
                realm: Url::parse("https://auth.example/token").unwrap(),
                service: Some("reg.example".to_owned()),
                scope: Some("repository:a/b:pull,push".to_owned()),
            })
        );
        assert_eq!(challenge("Negotiate"), None);
        assert_eq!(challenge("Bearer realm=\"nowhere\""), None);
    }

    #[test]
    fn no_secret_is_shown() {
        let login = Login {
            username: "u".to_owned(),
            secret: "hunter2".to_owned(),
        };
        assert!(!format!("{login:?}").contains("hunter2"));
        assert_eq!(format!("{:?}", login.basic().unwrap()), "Sensitive");
        assert!(token(br#"{"access_token":"t"}"#).unwrap().is_sensitive());
        assert!(token(br#"{"token":"a\nb"}"#).is_none());
    }
}
