//! What an answer of GitHub means. Pure: the clock is given.
//!
//! Sources: "Rate limits for the REST API" and "REST API endpoints for GitHub Actions cache" in GitHub's documentation.

use crate::client::Cache;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much is shown of the words of a server, in characters.
const WORDS: usize = 300;

/// What the documentation asks for where a secondary limit names no time.
const AT_LEAST: Duration = Duration::from_secs(60);

/// One page of a list of caches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// How many there are on all pages.
    pub total: u64,
    /// Those of this page.
    pub caches: Vec<Cache>,
}

#[derive(Deserialize)]
struct RawPage {
    total_count: u64,
    actions_caches: Vec<RawCache>,
}

/// The schema in the documentation demands no field; without an id and a key a cache is none.
#[derive(Deserialize)]
struct RawCache {
    id: u64,
    key: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    size_in_bytes: Option<u64>,
    created_at: Option<String>,
    last_accessed_at: Option<String>,
}

/// Reads one page of a list.
pub(crate) fn page(body: &[u8]) -> Result<Page, serde_json::Error> {
    let time = |text: Option<String>| humantime::parse_rfc3339_weak(text?.trim_end()).ok();
    let raw: RawPage = serde_json::from_slice(body)?;
    let caches = raw.actions_caches.into_iter().map(|raw| Cache {
        id: raw.id,
        key: raw.key,
        reference: raw.reference.unwrap_or_default(),
        bytes: raw.size_in_bytes.unwrap_or_default(),
        created: time(raw.created_at),
        last_used: time(raw.last_accessed_at),
    });
    Ok(Page {
        total: raw.total_count,
        caches: caches.collect(),
    })
}

/// GitHub's own words in a refusal, cut to a length that can be shown.
pub(crate) fn message(body: &str) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let text =
        serde_json::from_str(body).map_or_else(|_| body.to_owned(), |refusal: Refusal| refusal.message);
    let text: String = text.trim().chars().take(WORDS).collect();
    if text.is_empty() {
        "no reason given".to_owned()
    } else {
        text
    }
}

/// How long GitHub wants us to wait, if the answer is that of a rate limit; never zero.
pub(crate) fn rate_limit(
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: SystemTime,
) -> Option<Duration> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let header = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(seconds) = header("retry-after") {
        return Some(
            seconds
                .parse()
                .map_or(AT_LEAST, |seconds: u64| Duration::from_secs(seconds.max(1))),
        );
    }
    if header("x-ratelimit-remaining") == Some("0") {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let reset = header("x-ratelimit-reset").and_then(|seconds| seconds.parse::<u64>().ok());
        // The clocks' seconds do not begin at the same moment.
        return Some(reset.map_or(AT_LEAST, |reset| {
            Duration::from_secs(reset.saturating_sub(now).saturating_add(1))
        }));
    }
    let is_limit = status == StatusCode::TOO_MANY_REQUESTS || message.to_lowercase().contains("rate limit");
    is_limit.then_some(AT_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn wait(status: u16, headers: &[(&'static str, &str)], message: &str) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let status = StatusCode::from_u16(status).unwrap();
        rate_limit(status, &headers.collect(), message, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_rate_limit_is_told_from_a_missing_permission() {
        let plenty = [
            ("x-ratelimit-remaining", "4999"),
            ("x-ratelimit-reset", "1000060"),
        ];
        assert_eq!(wait(403, &plenty, "Resource not accessible by integration"), None);
        assert_eq!(wait(401, &[("retry-after", "5")], ""), None);
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1000060")];
        assert_eq!(wait(403, &used_up, ""), Some(61));
        assert_eq!(wait(429, &used_up, ""), Some(61));
        assert_eq!(
            wait(403, &plenty, "You have exceeded a secondary rate limit."),
            Some(60)
        );
        assert_eq!(wait(429, &plenty, ""), Some(60));
    }

    #[test]
    fn the_wait_is_what_github_asks_for_and_never_nothing() {
        assert_eq!(wait(429, &[("retry-after", "17")], ""), Some(17));
        assert_eq!(wait(429, &[("retry-after", "0")], ""), Some(1));
        assert_eq!(wait(429, &[("retry-after", "soon")], ""), Some(60));
        let max = u64::MAX.to_string();
        assert_eq!(wait(429, &[("retry-after", &max)], ""), Some(u64::MAX));
        let limit = |reset| {
            wait(
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)],
                "",
            )
        };
        assert_eq!(limit("999999"), Some(1));
        assert_eq!(limit("-1"), Some(60));
        assert_eq!(limit(&max), Some(u64::MAX - 1_000_000 + 1));
    }

    #[test]
    fn a_page_is_read_as_documented() {
        let body = br#"{"total_count": 1, "actions_caches": [{"id": 505, "ref": "refs/heads/main",
            "key": "Linux-node-958aff96", "version": "73885106",
            "last_accessed_at": "2019-01-24T22:45:36.000Z", "created_at": "2019-01-24T22:45:36.123456789Z",
            "size_in_bytes": 1024}]}"#;
        let read = page(body).unwrap();
        assert_eq!((read.total, read.caches.len()), (1, 1));
        let cache = &read.caches[0];
        assert_eq!((cache.id, cache.bytes), (505, 1024));
        assert_eq!(
            (cache.key.as_str(), cache.reference.as_str()),
            ("Linux-node-958aff96", "refs/heads/main")
        );
        let at = UNIX_EPOCH + Duration::from_secs(1_548_369_936);
        assert_eq!(cache.last_used, Some(at));
        assert_eq!(cache.created, Some(at + Duration::from_nanos(123_456_789)));
    }

    #[test]
    fn a_time_that_cannot_be_read_is_unknown_and_no_page_is_an_error() {
        let read = page(
            br#"{"total_count":1,"actions_caches":[{"id":1,"key":"k","ref":null,"created_at":"soon"}]}"#,
        );
        assert_eq!(
            read.unwrap().caches,
            [Cache {
                id: 1,
                key: "k".to_owned(),
                reference: String::new(),
                bytes: 0,
                created: None,
                last_used: None
            }]
        );
        for body in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"total_count":1,"actions_caches":[{"id":1}]}"#,
        ] {
            assert!(page(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_server() {
        assert_eq!(message(r#"{"message":"Bad credentials"}"#), "Bad credentials");
        assert_eq!(message("<html>502</html>\n"), "<html>502</html>");
        assert_eq!(message(" \n"), "no reason given");
        assert_eq!(message(&"\u{e4}".repeat(5000)).chars().count(), WORDS);
    }
}
