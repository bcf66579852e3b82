//! What the engine's answers mean, with small servers that answer as engines do.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use super::*;
use crate::Endpoint;

/// A socket on which the first request gets `answer`.
fn answering(answer: &'static str) -> (tempfile::TempDir, Endpoint) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    (dir, Endpoint::unix(path))
}

async fn failure(endpoint: Endpoint) -> EngineError {
    Engine::connect(endpoint).await.unwrap_err()
}

#[tokio::test]
async fn no_engine_there_says_where_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = failure(Endpoint::unix(dir.path().join("none.sock"))).await;
    assert!(matches!(error, EngineError::Dial(_)), "{error:?}");
    assert!(error.to_string().contains("none.sock (set by --host)"), "{error}");
    assert!(error.hint().unwrap().contains("DOCKER_HOST"));
}

#[tokio::test]
async fn an_engine_of_unknown_versions_is_refused() {
    let (_dir, old) = answering("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"ApiVersion\":\"1.39\"}");
    assert!(matches!(failure(old).await, EngineError::TooOld { .. }));
    let (_dir, new) = answering(
        "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"ApiVersion\":\"2.9\",\"MinAPIVersion\":\"2.0\"}  ",
    );
    assert!(matches!(failure(new).await, EngineError::TooNew { .. }));
}

#[tokio::test]
async fn what_is_no_engine_is_said_to_be_none() {
    let (_dir, other) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert!(matches!(failure(other).await, EngineError::NotAnEngine { .. }));
    let (_dir, ssh) = answering("SSH-2.0-OpenSSH_9.2\r\n");
    assert!(matches!(
        failure(ssh).await,
        EngineError::NotAnEngine { source: Some(_), .. }
    ));
    let (_dir, website) = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnope\n");
    assert!(matches!(
        failure(website).await,
        EngineError::NotAnEngine { source: Some(_), .. }
    ));
    let (_dir, refused) =
        answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\n{\"message\":\"nope\"}");
    let refused = failure(refused).await.to_string();
    assert!(
        refused.starts_with("cannot ask the engine at unix://") && refused.ends_with("for its version: nope"),
        "{refused}"
    );
}

#[test]
fn versions_compare_as_numbers() {
    assert!(ApiVersion::parse("1.9") < ApiVersion::parse("1.41"));
    assert_eq!(ApiVersion::parse("1.41").unwrap().to_string(), "1.41");
    assert_eq!(ApiVersion::parse("x"), None);
}
