//! The client against a server that answers as GitHub's documentation says, and against servers that do not.

// A test that cannot go on says so by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use testkit::web::{Answer, Request, Server};
use unstale_github::{Client, Filter, GithubError};

const TOKEN: &str = "ghs_S3cretTokenOfTheTest";

fn client_at(url: &str, patience: u64) -> Client {
    let repository = "octo/hello".parse().unwrap();
    Client::new(url, repository, TOKEN, Duration::from_secs(patience)).unwrap()
}

fn client(server: &Server) -> Client {
    client_at(&server.url, 0)
}

/// A page of a list, with the caches of these numbers.
fn page(total: usize, ids: impl Iterator<Item = usize>) -> Answer {
    let caches: Vec<String> = ids
        .map(|id| {
            format!(
                r#"{{"id":{id},"ref":"refs/heads/main","key":"key-{id}","version":"v","size_in_bytes":10,
                "last_accessed_at":"2026-01-02T03:04:05.123456789Z","created_at":"2026-01-01T00:00:00Z"}}"#
            )
        })
        .collect();
    let caches = caches.join(",");
    Answer::new(
        200,
        format!(r#"{{"total_count":{total},"actions_caches":[{caches}]}}"#),
    )
}

/// The page of `total` caches that a request asks for.
fn asked_for(request: &Request, total: usize) -> Answer {
    let number = |name| request.query(name).unwrap().parse::<usize>().unwrap();
    let (per_page, page_number) = (number("per_page"), number("page"));
    let first = (page_number - 1) * per_page;
    page(total, (first..total.min(first + per_page)).map(|index| index + 1))
}

/// The error with all its causes, and its `Debug` text, neither of which may hold the token.
#[track_caller]
fn told(error: &GithubError) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    let hint = error.hint().unwrap();
    for text in [&text, &hint, &format!("{error:?}")] {
        assert!(!text.contains("S3cret"), "{text}");
    }
    text
}

#[tokio::test]
async fn all_pages_are_listed_with_the_documented_headers() {
    for (total, requests) in [(0, 1), (1, 1), (99, 1), (100, 2), (101, 2), (250, 3)] {
        let server = Server::start(move |request, _| asked_for(request, total));
        let caches = client(&server).caches(&Filter::default()).await.unwrap();
        let ids: Vec<u64> = caches.iter().map(|cache| cache.id).collect();
        assert_eq!(ids, (1..=total as u64).collect::<Vec<_>>());
        let seen = server.requests();
        assert_eq!(seen.len(), requests, "{total}");
        for request in seen {
            assert!(request.line.starts_with("GET /repos/octo/hello/actions/caches?"));
            assert_eq!(request.query("per_page"), Some("100"));
            assert_eq!(request.query("sort"), Some("created_at"));
            assert_eq!((request.query("key"), request.query("ref")), (None, None));
            assert_eq!(request.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
            assert_eq!(request.header("accept"), Some("application/vnd.github+json"));
            assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
            assert!(request.header("user-agent").unwrap().starts_with("unstale/"));
        }
    }
}

#[tokio::test]
async fn pages_that_move_while_they_are_read_lose_and_double_nothing() {
    // A cache comes between the pages: the last one of the first page is the first one of the second.
    let server = Server::start(|request, _| match request.query("page") {
        Some("1") => page(101, 1..101),
        Some("2") => page(102, 100..103),
        _ => page(102, 0..0),
    });
    let caches = client(&server).caches(&Filter::default()).await.unwrap();
    assert_eq!(caches.len(), 102);
}

#[tokio::test]
async fn a_short_page_is_not_the_last_one_while_there_are_more() {
    let server = Server::start(|request, _| match request.query("page") {
        Some("1") => page(4, 1..3),
        Some("2") => page(4, 3..5),
        _ => page(4, 0..0),
    });
    let caches = client(&server).caches(&Filter::default()).await.unwrap();
    assert_eq!(caches.len(), 4);
}

#[tokio::test]
async fn a_filter_reaches_the_server_escaped() {
    let server = Server::start(|_, _| page(0, 0..0));
    let filter = Filter {
        key: Some("a b&page=9#%".to_owned()),
        reference: Some("refs/heads/main".to_owned()),
    };
    client(&server).caches(&filter).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.query("page"), Some("1"));
    assert_eq!(request.query("key"), Some("a+b%26page%3D9%23%25"));
    assert_eq!(request.query("ref"), Some("refs%2Fheads%2Fmain"));
}

#[tokio::test]
async fn a_cache_is_deleted_by_its_number_and_one_that_is_gone_is_no_error() {
    let server = Server::start(|request, _| match request.line.as_str() {
        "DELETE /api/v3/repos/octo/hello/actions/caches/7" => Answer::new(204, ""),
        _ => Answer::new(404, r#"{"message":"Not Found"}"#),
    });
    // Enterprise Server has its API below a path.
    let client = client_at(&format!("{}/api/v3/", server.url), 0);
    assert!(client.delete(7).await.unwrap());
    assert!(!client.delete(8).await.unwrap());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn each_refusal_is_an_error_of_its_own() {
    let refused = async |status: u16, body: &'static str| {
        let server = Server::start(move |_, _| Answer::new(status, body));
        let listed = client(&server).caches(&Filter::default()).await.unwrap_err();
        let deleted = client(&server).delete(1).await;
        assert_eq!(server.requests().len(), 2, "nothing is tried again");
        if let Err(deleted) = deleted {
            assert_eq!(told(&deleted), told(&listed));
        }
        listed
    };
    let error = refused(401, r#"{"message":"Bad credentials"}"#).await;
    assert!(matches!(error, GithubError::Unauthorized { .. }));
    assert_eq!(told(&error), "GitHub does not accept the token: Bad credentials");

    let error = refused(403, r#"{"message":"Resource not accessible by integration"}"#).await;
    assert!(matches!(error, GithubError::Forbidden { .. }));
    assert!(told(&error).ends_with("caches of octo/hello: Resource not accessible by integration"));
    assert!(error.hint().unwrap().contains("actions: write"));

    let error = refused(404, r#"{"message":"Not Found"}"#).await;
    assert!(matches!(error, GithubError::NotFound { .. }));

    let error = refused(502, "<html>bad gateway</html>").await;
    assert!(matches!(error, GithubError::Server { status: 502, .. }));
    assert_eq!(told(&error), "GitHub answered 502: <html>bad gateway</html>");

    let error = refused(422, "{}").await;
    assert!(matches!(error, GithubError::Unexpected { status: 422, .. }));
    told(&error);
}

#[tokio::test]
async fn only_204_means_that_a_cache_was_deleted() {
    for status in [200, 202, 302, 400, 500] {
        let server = Server::start(move |_, _| Answer::new(status, "{}"));
        assert!(client(&server).delete(1).await.is_err(), "{status}");
    }
}

#[tokio::test]
async fn the_token_goes_nowhere_else_with_a_redirect() {
    let elsewhere = Server::start(|_, _| page(0, 0..0));
    let location = format!("location: {}/repositories/1/actions/caches", elsewhere.url);
    let server = Server::start(move |_, _| Answer::new(301, "{}").with(&location));
    let error = client(&server).caches(&Filter::default()).await.unwrap_err();
    assert!(matches!(error, GithubError::Moved { .. }));
    told(&error);
    assert!(client(&server).delete(1).await.is_err());
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn a_short_rate_limit_is_waited_for_within_the_patience_of_one_call() {
    let server = Server::start(|request, before| match before {
        0 => Answer::new(429, "{}").with("retry-after: 1"),
        1 => Answer::new(403, r#"{"message":"You have exceeded a secondary rate limit"}"#)
            .with("retry-after: 1"),
        _ => asked_for(request, 3),
    });
    let begun = Instant::now();
    let client = client_at(&server.url, 2);
    assert_eq!(client.caches(&Filter::default()).await.unwrap().len(), 3);
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(server.requests().len(), 3);
    // A call of its own has a patience of its own.
    assert_eq!(client.caches(&Filter::default()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_server_that_always_says_later_ends_the_patience() {
    let server = Server::start(|_, _| Answer::new(429, "{}").with("retry-after: 0"));
    let error = client_at(&server.url, 2).delete(1).await.unwrap_err();
    assert!(matches!(error, GithubError::RateLimited { .. }));
    // Never without a second between two requests.
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_long_rate_limit_is_told_with_the_time_to_wait() {
    let limited = async |status, header: &'static str, reset: &'static str| {
        let server = Server::start(move |_, _| Answer::new(status, "{}").with(header).with(reset));
        let error = client_at(&server.url, 30)
            .caches(&Filter::default())
            .await
            .unwrap_err();
        assert_eq!(server.requests().len(), 1);
        told(&error);
        match error {
            GithubError::RateLimited { wait } => wait.as_secs(),
            error => panic!("{error:?}"),
        }
    };
    assert_eq!(limited(429, "retry-after: 61", "x: y").await, 61);
    assert_eq!(
        limited(403, "retry-after: 18446744073709551615", "x: y").await,
        u64::MAX
    );
    let wait = limited(403, "x-ratelimit-remaining: 0", "x-ratelimit-reset: 4102444800").await;
    assert!(wait > 1_000_000);
    assert_eq!(limited(429, "x: y", "x: y").await, 60);
}

#[tokio::test]
async fn an_answer_that_is_none_of_githubs_is_refused() {
    for body in [
        "",
        "<html>log in</html>",
        "{}",
        "[1",
        r#"{"total_count":"1","actions_caches":7}"#,
    ] {
        let server = Server::start(move |_, _| Answer::new(200, body));
        let error = client(&server).caches(&Filter::default()).await.unwrap_err();
        assert!(matches!(error, GithubError::Malformed { .. }), "{error:?}");
        told(&error);
    }
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Answer::new(200, vec![b' '; 64 << 20]));
    let error = client(&server).caches(&Filter::default()).await.unwrap_err();
    assert_eq!(told(&error), "cannot understand GitHub's answer: it is too long");
}

#[tokio::test]
async fn pages_without_an_end_are_not_read_for_ever() {
    let server = Server::start(|request, _| asked_for(request, usize::MAX / 200));
    let error = client(&server).caches(&Filter::default()).await.unwrap_err();
    assert!(
        matches!(error, GithubError::TooMany { most: 20_000, .. }),
        "{error:?}"
    );
    told(&error);
}

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_bring_it_into_an_error() {
    let filler = "x".repeat(290);
    for (status, body) in [
        (401, format!(r#"{{"message":"Bad token {TOKEN}"}}"#)),
        // The cut does not leave the beginning of it either.
        (500, format!("{filler}{TOKEN}")),
        (200, format!(r#"{{"total_count":"{TOKEN}"}}"#)),
    ] {
        let server = Server::start(move |_, _| Answer::new(status, body.clone()));
        let error = client(&server).caches(&Filter::default()).await.unwrap_err();
        assert!(!told(&error).contains("ghs_"), "{error}");
    }
    assert!(!format!("{:?}", client_at("https://api.github.com", 0)).contains("S3cret"));
}

#[tokio::test]
async fn a_connection_that_fails_or_breaks_is_an_error() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let server = Server::start(|_, _| Answer::new(200, "{").with("content-length: 100"));
    // The certificates of the system are there, and what answers speaks no TLS.
    let https = server.url.replace("http:", "https:");
    for url in [format!("http://{address}"), server.url.clone(), https] {
        let error = client_at(&url, 0).caches(&Filter::default()).await.unwrap_err();
        assert!(matches!(error, GithubError::Unreachable { .. }), "{error:?}");
        assert!(told(&error).starts_with("cannot reach 127.0.0.1: "));
    }
}

#[test]
fn a_token_is_sent_encrypted_or_not_at_all() {
    let new = |url: &str, token: &str| {
        Client::new(url, "octo/hello".parse().unwrap(), token, Duration::ZERO).map(drop)
    };
    for url in [
        "http://api.github.com",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "ftp://api.github.com",
        "api.github.com",
        "",
        "data:text/plain,x",
        "https://user:password@api.github.com",
    ] {
        let error = new(url, TOKEN).unwrap_err();
        assert!(matches!(error, GithubError::Address { .. }), "{url}");
        assert!(!told(&error).contains("password@"));
    }
    for url in [
        "https://api.github.com",
        "http://localhost:1",
        "http://[::1]:1/api/v3",
    ] {
        new(url, TOKEN).unwrap();
    }
    for token in ["", " \n", "S3cret\nX: y", "S3cret token", "S3cret\u{e4}"] {
        let error = new("https://api.github.com", token).unwrap_err();
        assert!(matches!(error, GithubError::Token), "{token:?}");
        told(&error);
    }
}
