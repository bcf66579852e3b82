//! The client against a real registry, and against servers that answer as the specifications say, or do not.

// A test that cannot go on says so by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use testkit::web::{Answer, Request, Server};
use testkit::{left_out, registry, unique};
use unstale_registry::{Client, Login, RegistryError};

const SECRET: &str = "S3cretOfTheTest";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn login(username: &str) -> Option<Login> {
    Some(Login {
        username: username.to_owned(),
        secret: SECRET.to_owned(),
    })
}

fn client(server: &Server, login: Option<Login>) -> Client {
    let host = server.url.strip_prefix("http://").unwrap();
    Client::new(format!("{host}/team/cache").parse().unwrap(), login, false).unwrap()
}

/// The error with all its causes and its hint, none of which may hold the password, nor may its `Debug` text.
#[track_caller]
fn told(error: &RegistryError) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let text = format!("{text}; {}", error.hint().unwrap());
    assert!(!format!("{text}{error:?}").contains(SECRET), "{text}");
    text
}

fn manifest(config: &str) -> String {
    let config =
        format!(r#"{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}}"#);
    format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{config}]}}"#)
}

#[tokio::test]
async fn what_is_written_is_there_and_what_is_deleted_is_gone() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    let name = format!("{}/{}", registry.host, unique("client"));
    let client = Client::new(name.parse().unwrap(), None, false).unwrap();
    assert_eq!(client.tags().await.unwrap(), Vec::<String>::new());
    assert_eq!(client.manifest("one").await.unwrap(), None);

    let config = client.put_blob(b"{}").await.unwrap();
    assert_eq!(client.blob(&config, 2).await.unwrap(), b"{}");
    let error = client.blob(&config, 1).await.unwrap_err();
    assert!(told(&error).contains("too long"), "{error}");
    let bytes = manifest(&config);
    for tag in ["one", "two"] {
        client
            .put_manifest(tag, MANIFEST, bytes.as_bytes())
            .await
            .unwrap();
    }
    let found = client.manifest("one").await.unwrap().unwrap();
    assert_eq!(found.bytes, bytes.as_bytes());
    assert_eq!(client.manifest(&found.digest).await.unwrap(), Some(found.clone()));
    let mut tags = client.tags().await.unwrap();
    tags.sort();
    assert_eq!(tags, ["one", "two"]);

    assert!(client.delete(&found.digest).await.unwrap());
    assert!(!client.delete(&found.digest).await.unwrap());
    assert_eq!(client.manifest("two").await.unwrap(), None);
}

#[tokio::test]
async fn a_login_is_sent_when_the_registry_asks_for_it_and_remembered() {
    let server = Server::start(|request, _| match request.header("authorization") {
        Some("Basic dTpTM2NyZXRPZlRoZVRlc3Q=") => Answer::new(200, r#"{"tags":["a"]}"#),
        _ => Answer::new(401, "").with("WWW-Authenticate: Basic realm=\"r\""),
    });
    let client = client(&server, login("u"));
    assert_eq!(client.tags().await.unwrap(), ["a"]);
    client.tags().await.unwrap();
    assert_eq!(
        server.requests().len(),
        3,
        "the second question has the login at once"
    );
}

/// A registry that wants tokens, with its own token service.
fn with_tokens() -> Server {
    Server::start(|request, _| {
        let host = request.header("host").unwrap();
        if request.line.contains("/token") {
            return Answer::new(200, r#"{"token":"t0ken"}"#);
        }
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"reg\",scope=\"repository:team/cache:delete\""
        );
        match request.header("authorization") {
            Some("Bearer t0ken") => Answer::new(202, ""),
            _ => Answer::new(401, "").with(&challenge),
        }
    })
}

#[tokio::test]
async fn a_token_is_fetched_for_the_scope_that_the_registry_names() {
    const ASKED: &str = "GET /token?service=reg&scope=repository%3Ateam%2Fcache%3Adelete";
    for (login, first) in [(login("u"), ASKED), (None, ASKED), (login(""), "POST /token")] {
        let server = with_tokens();
        assert!(client(&server, login.clone()).delete("sha256:00").await.unwrap());
        let asked = server.requests();
        assert_eq!((asked.len(), asked[1].line.as_str()), (3, first));
        let basic = asked[1]
            .header("authorization")
            .is_some_and(|value| value.starts_with("Basic "));
        assert_eq!(basic, login.is_some_and(|login| !login.username.is_empty()));
    }
}

#[tokio::test]
async fn what_the_registry_refuses_is_told() {
    const REFUSED: &str = r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
    for (status, words) in [
        (401, "wants another login; docker login 127.0.0.1"),
        (403, "team/cache: not for you; use a login that may do it"),
        (
            405,
            "does not allow deleting; allow it in the registry's configuration",
        ),
        (429, "too many requests; try again later"),
        (500, "answered 500: not for you"),
    ] {
        let server = Server::start(move |_: &Request, _| Answer::new(status, REFUSED));
        let error = client(&server, login("u")).delete("sha256:00").await.unwrap_err();
        let text = told(&error);
        assert!(text.contains(words), "{status}: {text}");
    }
    let nobody = Client::new("127.0.0.1:1/a".parse().unwrap(), login("u"), false).unwrap();
    let text = told(&nobody.tags().await.unwrap_err());
    assert!(
        text.starts_with("cannot reach the registry 127.0.0.1:1: Connection refused"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_not_what_was_asked_for_is_not_believed() {
    let digest = format!("sha256:{}", "00".repeat(32));
    let server = Server::start(|_, _| Answer::new(200, "something else"));
    let client = client(&server, None);
    assert!(client.manifest(&digest).await.is_err());
    assert!(client.blob(&digest, 100).await.is_err());
    assert!(client.tags().await.is_err());
    let endless = Server::start(|request, _| {
        let host = request.header("host").unwrap();
        let next = format!("Link: <http://{host}/v2/x>; rel=\"next\"");
        Answer::new(200, r#"{"tags":["a"]}"#).with(&next)
    });
    let error = self::client(&endless, None).tags().await.unwrap_err();
    assert!(told(&error).contains("does not end"), "{error}");
}
