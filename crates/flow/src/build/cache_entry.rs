//! The entries of `cache_from` and `cache_to`: an image name, or `type=KIND,name=value,…`.

use std::collections::BTreeMap;
use unstale_buildkit::gateway::CacheEntry;

/// Reads an entry. The error says what about it cannot be honoured.
pub fn parse(text: &str) -> Result<CacheEntry, String> {
    if !text.split(',').any(|part| part.contains('=')) {
        if text.is_empty() {
            return Err("an empty entry".to_owned());
        }
        let attrs = BTreeMap::from([("ref".to_owned(), text.to_owned())]);
        return Ok(CacheEntry {
            kind: "registry".to_owned(),
            attrs,
        });
    }
    let mut attrs = BTreeMap::new();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is not name=value"))?;
        attrs.insert(name.trim().to_lowercase(), value.to_owned());
    }
    let kind = attrs
        .remove("type")
        .ok_or_else(|| format!("{text:?} has no type="))?;
    match kind.as_str() {
        "registry" if !attrs.contains_key("ref") => Err(format!("{text:?} has no ref=")),
        "registry" | "inline" => Ok(CacheEntry { kind, attrs }),
        "local" | "gha" | "s3" | "azblob" => Err(format!(
            "the cache type {kind:?} is not supported yet; use registry or inline"
        )),
        other => Err(format!("BuildKit has no cache type {other:?}")),
    }
}

/// Where an entry's cache is.
#[derive(Debug, PartialEq, Eq)]
pub enum Reference<'a> {
    /// Under a name, in a registry or among the engine's images.
    Name(&'a str),
    /// In a folder.
    Folder(&'a str),
    /// Where only its kind of cache knows, or nowhere: a word for it.
    Elsewhere(&'a str),
}

/// Finds out where an entry's cache is, of whatever kind it is.
pub fn reference(text: &str) -> Reference<'_> {
    if !text.contains('=') {
        return Reference::Name(text);
    }
    let attribute = |wanted: &str| {
        let mut parts = text.split(',').filter_map(|part| part.split_once('='));
        parts
            .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let kind = attribute("type").unwrap_or("unknown");
    match (kind, attribute("ref"), attribute("src")) {
        ("registry", Some(name), _) => Reference::Name(name),
        ("local", _, Some(folder)) => Reference::Folder(folder),
        _ => Reference::Elsewhere(kind),
    }
}

/// The frontend's option for cache imports: JSON in the spelling of BuildKit's `CacheOptionsEntry`.
pub fn imports_option(entries: &[CacheEntry]) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| serde_json::json!({ "Type": entry.kind, "Attrs": entry.attrs }))
        .collect();
    serde_json::Value::from(entries).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_cache_is_found_also_of_kinds_that_are_not_built_with() {
        assert_eq!(reference("app:cache"), Reference::Name("app:cache"));
        assert_eq!(
            reference("type=registry,ref=r:5000/a"),
            Reference::Name("r:5000/a")
        );
        assert_eq!(reference("src=/c,type=local"), Reference::Folder("/c"));
        assert_eq!(reference("type=gha,scope=main"), Reference::Elsewhere("gha"));
    }

    #[test]
    fn an_image_name_is_a_registry_entry() {
        let entry = parse("registry.example:5000/app:cache").unwrap();
        assert_eq!(
            (entry.kind.as_str(), entry.attrs["ref"].as_str()),
            ("registry", "registry.example:5000/app:cache")
        );
    }

    #[test]
    fn attributes_are_read() {
        let entry = parse("type=registry,ref=localhost:5000/app:cache,mode=max").unwrap();
        assert_eq!(entry.attrs["mode"], "max");
        assert_eq!(
            parse("type=inline").unwrap(),
            CacheEntry {
                kind: "inline".into(),
                attrs: BTreeMap::new()
            }
        );
    }

    #[test]
    fn what_cannot_be_honoured_is_said() {
        for (text, word) in [
            ("", "empty"),
            ("type=local,src=.cache", "\"local\""),
            ("type=magic", "\"magic\""),
            ("ref=a", "no type="),
            ("type=registry", "no ref="),
            ("type=registry,ref", "\"ref\""),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }
}
