//! The YAML that Compose prints, without YAML's guessing: every scalar is the text that it stands as, save null.
//! What v1 prints bare as a string (`1e3`) is a number to other readers; here, the reader of a field decides.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError};
use serde_json::{Map, Value};

/// All nodes of a document, aliases expanded. No project comes near.
const NODE_LIMIT: usize = 1_000_000;

/// Nesting; as deep as serde_json goes, by which the same project comes as JSON.
const DEPTH_LIMIT: usize = 128;

/// Why a text is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum YamlError {
    #[error("invalid YAML: {0}")]
    Syntax(#[from] ScanError),
    #[error("a key that is no scalar")]
    Key,
    #[error("more than {NODE_LIMIT} values, or {DEPTH_LIMIT} within each other")]
    TooLarge,
    #[error("an alias of nothing")]
    Alias,
}

/// A sequence or mapping that is still open.
enum Open {
    Sequence(Vec<Value>),
    /// The key waits for its value.
    Mapping(Map<String, Value>, Option<String>),
}

/// Reads the first document of `text`.
pub(super) fn document(text: &str) -> Result<Value, YamlError> {
    let mut open: Vec<(Open, usize)> = Vec::new();
    let mut anchors: BTreeMap<usize, (Value, usize)> = BTreeMap::new();
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        if open.len() > DEPTH_LIMIT {
            return Err(YamlError::TooLarge);
        }
        let (value, anchor) = match event?.0 {
            Event::SequenceStart(_, anchor, _) => {
                open.push((Open::Sequence(Vec::new()), anchor));
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push((Open::Mapping(Map::new(), None), anchor));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((Open::Sequence(values), anchor)) => (Value::Array(values), anchor),
                Some((Open::Mapping(map, _), anchor)) => (Value::Object(map), anchor),
                None => continue,
            },
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::Alias(anchor) => {
                let (value, size) = anchors.get(&anchor).ok_or(YamlError::Alias)?;
                nodes += size;
                if nodes > NODE_LIMIT {
                    return Err(YamlError::TooLarge);
                }
                (value.clone(), 0)
            }
            Event::DocumentEnd => break,
            _ => continue,
        };
        nodes += 1;
        if nodes > NODE_LIMIT {
            return Err(YamlError::TooLarge);
        }
        if anchor != 0 {
            anchors.insert(anchor, (value.clone(), size(&value)));
        }
        match open.last_mut() {
            Some((Open::Sequence(values), _)) => values.push(value),
            Some((Open::Mapping(map, key), _)) => match (key.take(), value) {
                (Some(key), value) => {
                    map.insert(key, value);
                }
                (None, Value::String(text)) => *key = Some(text),
                (None, _) => return Err(YamlError::Key),
            },
            None => return Ok(value),
        }
    }
    Ok(Value::Null)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::String(text.to_owned()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_keep_their_text() {
        let text =
            "a: 1e3\nb: 010\nc: yes\nd: 'null'\ne: null\nf: ~\ng:\nh: ''\n\"N\": 1.50\ni: >-\n  x\n  y\n";
        let expected = json!({
            "a": "1e3", "b": "010", "c": "yes", "d": "null", "e": null, "f": null, "g": null, "h": "", "N": "1.50", "i": "x y",
        });
        assert_eq!(document(text).unwrap(), expected);
    }

    #[test]
    fn structures_and_aliases_are_values() {
        let text = "x: &a {k: [1, [2]]}\ny: *a\nz: [*a, '*a']\n";
        let a = json!({"k": ["1", ["2"]]});
        assert_eq!(document(text).unwrap(), json!({"x": a, "y": a, "z": [a, "*a"]}));
        assert_eq!(document("").unwrap(), Value::Null);
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in ["a: [", "a: *b", "? [a]\n: b", "a: b: c"] {
            assert!(document(text).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(document(&deep).is_err());
    }

    #[test]
    fn aliases_of_aliases_have_an_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(matches!(document(&text), Err(YamlError::TooLarge)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[-a: \\[\\]{}&*\n'\"|>#?!\t]*") {
            let _ = document(&text);
        }
    }
}
