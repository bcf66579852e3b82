//! The names of shared caches: `cache-MARKER-SERVICE`, and `cache-MARKER-SERVICE-inline` for those in an image.

use super::marker::{Marker, NAME_LENGTH};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use unstale_buildkit::gateway::CacheEntry;

/// The tag of the marker.
pub(super) const MARKER: &str = "cache-epoch";

/// What the tags of caches begin with.
const PREFIX: &str = "cache-";

/// How much of a service's name is part of a tag, in characters: a tag has at most 128.
const SERVICE_LENGTH: usize = 64;

/// The ending of a cache that is in an image.
const INLINE: &str = "-inline";

/// Where the caches of a service are, of one marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The repository, without tag.
    pub repository: String,
    /// The tag of the cache that an exporter writes.
    pub tag: String,
    /// The tag of the image that holds a cache.
    pub inline_tag: String,
}

/// The tags of a repository with caches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    /// Caches that builds ask for.
    pub current: Vec<String>,
    /// Caches that no build asks for any more.
    pub old: Vec<String>,
    /// Something else.
    pub foreign: Vec<String>,
}

impl Tags {
    /// Sorts the tags of a repository; the marker's is left out.
    pub fn sorted(all: Vec<String>, marker: Option<&Marker>) -> Tags {
        let current = marker.map(|marker| format!("{PREFIX}{}-", marker.name));
        let mut tags = Tags::default();
        for tag in all {
            let is_current = current.as_ref().is_some_and(|current| tag.starts_with(current));
            match (is_cache(&tag), is_current) {
                _ if tag == MARKER => {}
                (true, true) => tags.current.push(tag),
                (true, false) => tags.old.push(tag),
                (false, _) => tags.foreign.push(tag),
            }
        }
        tags
    }
}

impl Place {
    /// Where the caches of a service are.
    pub fn new(repository: String, marker: &Marker, service: &str) -> Place {
        let tag = format!("{PREFIX}{}-{}", marker.name, tag_part(service));
        Place {
            repository,
            inline_tag: format!("{tag}{INLINE}"),
            tag,
        }
    }

    /// What a build imports, of what is there.
    pub fn imports(&self, present: &[String]) -> Vec<CacheEntry> {
        let tags = [&self.tag, &self.inline_tag]
            .into_iter()
            .filter(|tag| present.contains(tag));
        tags.map(|tag| self.entry(tag, [])).collect()
    }

    /// What a build writes, if its builder can.
    pub fn export(&self) -> CacheEntry {
        // A build is not worth less without it: see `ignore-error` of BuildKit 0.12.
        self.entry(&self.tag, [("mode", "max"), ("ignore-error", "true")])
    }

    fn entry<const N: usize>(&self, tag: &str, more: [(&str, &str); N]) -> CacheEntry {
        let reference = ("ref".to_owned(), format!("{}:{tag}", self.repository));
        let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
        CacheEntry {
            kind: "registry".to_owned(),
            attrs: BTreeMap::from_iter(more.into_iter().chain([reference])),
        }
    }
}

/// Whether a tag is one that unstale gives to a cache.
fn is_cache(tag: &str) -> bool {
    let rest = tag
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_at_checked(NAME_LENGTH));
    rest.is_some_and(|(marker, service)| {
        marker.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) && service.starts_with('-')
    })
}

/// A service's name as part of a tag. Names that do not fit get a digest, so that no two are alike.
fn tag_part(service: &str) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let ends_like_an_image = service.ends_with(INLINE);
    if service.len() <= SERVICE_LENGTH && service.chars().all(is_fine) && !ends_like_an_image {
        return service.to_owned();
    }
    let plain: String = service
        .chars()
        .filter(|c| is_fine(*c))
        .take(SERVICE_LENGTH)
        .collect();
    let digest = hex::encode(Sha256::digest(service));
    format!("{plain}-{}", &digest[..NAME_LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn marker() -> Marker {
        Marker {
            name: "0123456789ab".to_owned(),
            cleared: None,
        }
    }

    #[test]
    fn only_our_own_tags_are_caches() {
        let sorted = |tag: &str| Tags::sorted(vec![tag.to_owned()], Some(&marker()));
        assert_eq!(sorted("cache-0123456789ab-web").current.len(), 1);
        assert_eq!(sorted("cache-ba9876543210-web").old.len(), 1);
        assert_eq!(sorted("cache-epoch"), Tags::default());
        for tag in [
            "latest",
            "cache-0123456789ab",
            "cache-0123456789aX-web",
            "cache-é123456789ab-web",
        ] {
            assert_eq!(sorted(tag).foreign.len(), 1, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn every_service_has_tags_of_its_own(one in ".{1,90}", two in ".{1,90}") {
            prop_assume!(one != two);
            let tags = |service: &str| {
                let place = Place::new("reg.example/cache".to_owned(), &marker(), service);
                let inline = format!("{}:{}", place.repository, place.inline_tag);
                prop_assert!(inline.parse::<unstale_registry::Reference>().is_ok());
                Ok([place.tag, place.inline_tag])
            };
            let (one, two) = (tags(&one)?, tags(&two)?);
            prop_assert!(one.iter().all(|tag| !two.contains(tag)));
        }
    }
}
