//! `--cache-from` and `--cache-to`.

use crate::Span;
use std::collections::BTreeMap;
use std::ops::Range;

/// A place that a cache is taken from or put to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// `registry`, `gha`, `local`, `inline`, `s3`, `azblob`; `registry` for a name alone.
    pub kind: String,
    /// The image's name, for a registry.
    pub reference: Option<String>,
    /// What else is said: `mode`, `scope`, `src`, `dest` …
    pub attributes: BTreeMap<String, String>,
    /// The words of the option, as indexes of the command's words.
    pub words: Range<usize>,
    /// Where the option stands in the file.
    pub span: Span,
}

impl Cache {
    /// Reads a value (<https://docs.docker.com/build/cache/backends/>): fields with commas, or a name alone.
    pub fn parse(value: &str, words: Range<usize>, span: Span) -> Cache {
        let fields: Vec<&str> = fields(value)
            .into_iter()
            .map(|field| field.trim().trim_matches('"'))
            .collect();
        let mut attributes: BTreeMap<String, String> = fields
            .iter()
            .filter_map(|field| field.split_once('='))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let alone = fields.first().filter(|field| !field.contains('='));
        let kind = attributes.remove("type").unwrap_or_else(|| "registry".to_owned());
        let reference = attributes
            .remove("ref")
            .or_else(|| alone.map(|field| (*field).to_owned()));
        Cache {
            kind,
            reference: reference.filter(|reference| !reference.is_empty()),
            attributes,
            words,
            span,
        }
    }

    /// The mode; `min` if none is said.
    pub fn mode(&self) -> &str {
        self.attributes.get("mode").map_or("min", String::as_str)
    }
}

/// What stands between commas. Those of an expression, `${{ format('a,{0}', b) }}`, and of a variable, `${NAME,,}`, part nothing.
fn fields(value: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = value[at..].find(['$', ',']) {
        let here = at + found;
        let rest = &value[here..];
        if rest.starts_with(',') {
            fields.push(&value[start..here]);
            start = here + 1;
            at = start;
        } else {
            let close = if rest.starts_with("${{") { "}}" } else { "}" };
            let end = rest.find(close).filter(|_| rest.starts_with("${"));
            at = here + end.map_or(1, |end| end + close.len());
        }
    }
    fields.push(&value[start..]);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_within_expressions_part_nothing() {
        let text = "type=gha,scope=${{ format('{0}-{1}', github.ref, 'x') }},mode=max";
        let cache = Cache::parse(text, 0..0, Span::default());
        assert_eq!(
            cache.attributes["scope"],
            "${{ format('{0}-{1}', github.ref, 'x') }}"
        );
        assert_eq!(cache.mode(), "max");
        let lower = Cache::parse("type=registry,ref=${NAME,,}:main,mode=max", 0..0, Span::default());
        assert_eq!(
            (lower.reference.as_deref(), lower.mode()),
            (Some("${NAME,,}:main"), "max")
        );
        let open = Cache::parse("type=gha,scope=$X,mode=${{ a", 0..0, Span::default());
        assert_eq!((open.attributes["scope"].as_str(), open.mode()), ("$X", "${{ a"));
    }
}
