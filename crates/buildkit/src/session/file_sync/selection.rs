//! Which folder a request of the daemon is for, and which part of it: the request's metadata, decoded.

use tonic::Status;
use tonic::metadata::MetadataMap;
use unstale_context::Selector;

/// Reads which folder and which part of it a request is for.
pub(super) fn wanted(metadata: &MetadataMap) -> Result<(String, Selector), Status> {
    let name = values(metadata, "dir-name").pop().unwrap_or_default();
    let selector = Selector {
        include: values(metadata, "include-patterns"),
        exclude: values(metadata, "exclude-patterns"),
        follow: values(metadata, "followpaths"),
    };
    Ok((name, selector))
}

/// The values of a metadata key. Since BuildKit 0.12, one value that is not ASCII makes all values of its key
/// query-escaped, and `<key>-encoded` says so.
fn values(metadata: &MetadataMap, key: &str) -> Vec<String> {
    let flag = format!("{key}-encoded");
    let encoded = metadata
        .get(flag.as_str())
        .is_some_and(|value| matches!(value.as_bytes(), b"1" | b"true"));
    let raw = metadata.get_all(key);
    let text = raw
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if encoded {
        text.map(|value| unescape(&value)).collect()
    } else {
        text.collect()
    }
}

/// Undoes Go's `url.QueryEscape`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
                continue;
            }
            (b'+', ..) => bytes.push(b' '),
            (&byte, ..) => bytes.push(byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_metadata_is_read() {
        let mut metadata = MetadataMap::new();
        metadata.insert("dir-name", "context".parse().unwrap());
        metadata.append("exclude-patterns", "caf%C3%A9%2F%2A".parse().unwrap());
        metadata.append("exclude-patterns", "a+b%2".parse().unwrap());
        metadata.insert("exclude-patterns-encoded", "1".parse().unwrap());
        metadata.append("followpaths", "100%25".parse().unwrap());
        let (name, selector) = wanted(&metadata).unwrap();
        assert_eq!(name, "context");
        assert_eq!(selector.exclude, ["café/*", "a b%2"]);
        assert_eq!(selector.follow, ["100%25"], "plain values are taken as they are");
    }
}
