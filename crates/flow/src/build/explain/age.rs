//! How old the results in a cache are. BuildKit writes with each result when it was made (`CacheRecord` in its
//! `cache/remotecache/v1/spec.go`), also when it was imported from elsewhere before.

use super::super::request::Target;
use super::super::service::Shared;
use crate::registry;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use std::time::{Duration, SystemTime};
use unstale_buildkit::gateway::{CacheEntry, Job, Place};
use unstale_docker::ImageStore;
use unstale_registry::{Client, Reference};

/// The kind of the configuration of a cache that is no image.
pub(crate) const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

/// The longest configuration that is read, in bytes: some 200 for each step.
const LONGEST: usize = 64 << 20;

/// The age of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// There is no cache, or none with a result in it.
    Nothing,
    /// When its oldest result was made, by the clock of the builder that made it.
    Oldest(SystemTime),
    /// It cannot be told.
    Unknown,
}

/// Looks into the cache that an import leads to.
pub(super) async fn age(shared: &Shared, entry: &CacheEntry, job: &Job) -> Age {
    let name = match entry.attrs.get("ref") {
        Some(name) if entry.kind == "registry" => name,
        _ => return Age::Unknown,
    };
    // The classic store's engine takes an image of its own that has the name: see `imports`.
    let mut place = Place::Registry;
    if shared.builder.target == Target::Engine(ImageStore::Classic) {
        match shared.builder.engine.inspect_image(name).await {
            Ok(Some(_)) => place = Place::Engine,
            Ok(None) => {}
            Err(_) => return Age::Unknown,
        }
    }
    if let Ok((_, config)) = job.resolve_image(name, place).await {
        return in_image(&config).unwrap_or(Age::Unknown);
    }
    let Ok(Reference { repository, object }) = name.parse() else {
        return Age::Unknown;
    };
    let login = shared.login(repository.host()).await;
    match registry::connect(&shared.builder.engine, repository, login).await {
        Ok(client) => in_registry(&client, &object).await,
        Err(_) => Age::Unknown,
    }
}

async fn in_registry(client: &Client, object: &str) -> Age {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        #[serde(default)]
        manifests: Vec<Descriptor>,
        config: Option<Descriptor>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Descriptor {
        media_type: String,
        digest: String,
    }
    let manifest = match client.manifest(object).await {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Age::Nothing,
        Err(_) => return Age::Unknown,
    };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&manifest.bytes) else {
        return Age::Unknown;
    };
    // An index whose last entry it is (until BuildKit 0.11, and by choice), or the configuration of a manifest.
    let mut parts = manifest.manifests.into_iter().chain(manifest.config);
    let Some(config) = parts.find(|part| part.media_type == CACHE_CONFIG) else {
        return Age::Unknown;
    };
    match client.blob(&config.digest, LONGEST).await {
        Ok(config) => oldest(&config).unwrap_or(Age::Unknown),
        Err(_) => Age::Unknown,
    }
}

/// The cache in an image's configuration; [`None`] if it cannot be read.
fn in_image(config: &[u8]) -> Option<Age> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "moby.buildkit.cache.v0")]
        cache: Option<String>,
    }
    match serde_json::from_slice::<Config>(config).ok()?.cache {
        Some(cache) => oldest(&BASE64.decode(cache).ok()?),
        None => Some(Age::Nothing),
    }
}

/// The oldest of all results; [`None`] if the configuration cannot be read.
fn oldest(config: &[u8]) -> Option<Age> {
    /// An image holds the records alone.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Config {
        Cache {
            #[serde(default)]
            records: Vec<Record>,
        },
        Inline(Vec<Record>),
    }
    #[derive(Deserialize)]
    struct Record {
        #[serde(default)]
        layers: Vec<Result>,
        #[serde(default)]
        chains: Vec<Result>,
    }
    #[derive(Deserialize)]
    struct Result {
        #[serde(rename = "createdAt")]
        created: Option<String>,
    }
    let (Config::Cache { records } | Config::Inline(records)) = serde_json::from_slice(config).ok()?;
    let mut oldest = None;
    for result in records
        .iter()
        .flat_map(|record| record.layers.iter().chain(&record.chains))
    {
        let created = time(result.created.as_deref()?)?;
        oldest = Some(oldest.map_or(created, |oldest: SystemTime| oldest.min(created)));
    }
    Some(oldest.map_or(Age::Nothing, Age::Oldest))
}

/// A time as Go writes it: of RFC 3339, with the offset of the daemon's time zone.
fn time(text: &str) -> Option<SystemTime> {
    let Some((local, hours, minutes)) = text.len().checked_sub(6).and_then(|at| {
        let (local, offset) = text.split_at_checked(at)?;
        let (hours, minutes) = offset.get(1..)?.split_once(':')?;
        Some((local, hours.parse::<u64>().ok()?, minutes.parse::<u64>().ok()?))
    }) else {
        return humantime::parse_rfc3339_weak(text).ok();
    };
    let offset = Duration::from_secs(hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?);
    let local_time = humantime::parse_rfc3339_weak(local).ok()?;
    match text.as_bytes().get(local.len())? {
        b'+' => local_time.checked_sub(offset),
        b'-' => local_time.checked_add(offset),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_oldest_result_counts_of_layers_and_of_chains() {
        let config = br#"{"layers": [{"blob": "sha256:0"}], "records": [
            {"digest": "sha256:1"},
            {"digest": "sha256:2", "layers": [{"layer": 0, "createdAt": "1970-01-01T00:03:20Z"}]},
            {"digest": "sha256:3", "chains": [{"layers": [0], "createdAt": "1970-01-01T00:01:40.5Z"}]}]}"#;
        assert_eq!(
            oldest(config),
            Some(Age::Oldest(at(100) + Duration::from_millis(500)))
        );
        assert_eq!(
            oldest(br#"{"records": [{"digest": "sha256:1"}]}"#),
            Some(Age::Nothing)
        );
        assert_eq!(oldest(b"{}"), Some(Age::Nothing));
        assert_eq!(
            oldest(br#"{"records": [{"layers": [{"layer": 0}]}]}"#),
            None,
            "a result without a time"
        );
        assert_eq!(oldest(b"[]"), Some(Age::Nothing));
        assert_eq!(oldest(b"7"), None);
    }

    #[test]
    fn a_cache_in_an_image_is_found() {
        let cache = BASE64.encode(r#"[{"layers": [{"createdAt": "1970-01-01T00:01:40Z"}]}]"#);
        let config = format!("{{\"moby.buildkit.cache.v0\": \"{cache}\"}}");
        assert_eq!(in_image(config.as_bytes()), Some(Age::Oldest(at(100))));
        assert_eq!(in_image(b"{}"), Some(Age::Nothing));
        assert_eq!(in_image(br#"{"moby.buildkit.cache.v0": "?"}"#), None);
    }

    #[test]
    fn times_of_other_zones_are_the_same_moment() {
        for text in [
            "1970-01-01T03:20:00Z",
            "1970-01-01T05:20:00+02:00",
            "1970-01-01T00:50:00.0-02:30",
        ] {
            assert_eq!(time(text), Some(at(12_000)), "{text}");
        }
        for text in [
            "",
            "soon",
            "1970-01-01T00:00:00+é",
            "1970-01-01T00:00:00+99999999999999999999:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
