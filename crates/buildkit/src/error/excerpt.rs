//! The part of a Dockerfile that a daemon's error is about.
//!
//! BuildKit sends it as a detail of the gRPC status: `errdefs.Source` (`solver/errdefs/errdefs.proto`), which
//! holds the whole file and the ranges of lines. Its details are protobuf messages written as JSON by Go's
//! encoder (`util/grpcerrors`), and their type's name ends in `+json`.

use crate::proto::rpc;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::Deserialize;

/// Lines of a file that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The file's name as the frontend was told it.
    pub file: String,
    /// The first line that the error is about, from 1.
    pub line: u32,
    /// The last line that the error is about.
    pub end_line: u32,
    /// The number and text of these lines and of some around them.
    pub lines: Vec<(u32, String)>,
}

impl Excerpt {
    /// The lines `line` to `end_line` of a file's text, with some around them.
    pub fn new(file: String, text: &str, line: u32, end_line: u32) -> Excerpt {
        let shown = line.saturating_sub(AROUND)..=end_line.saturating_add(AROUND);
        let lines = (1..)
            .zip(text.lines())
            .filter(|(number, _)| shown.contains(number));
        let lines = lines.map(|(number, text)| (number, text.to_owned())).collect();
        Excerpt {
            file,
            line,
            end_line,
            lines,
        }
    }
}

#[derive(Deserialize)]
struct Source {
    info: Info,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    filename: String,
    /// The file in base64.
    data: String,
}

#[derive(Deserialize)]
struct Range {
    start: Option<Position>,
    end: Option<Position>,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    line: i64,
}

/// Lines shown before and after the ones that an error is about.
const AROUND: u32 = 2;

/// Reads the excerpts in the details of a gRPC status.
pub(super) fn read(details: &[u8]) -> Vec<Excerpt> {
    let Ok(status) = rpc::Status::decode(details) else {
        return Vec::new();
    };
    let sources = status
        .details
        .iter()
        .filter(|detail| detail.type_url.ends_with("errdefs.Source+json"));
    let mut excerpts: Vec<Excerpt> = sources
        .filter_map(|detail| excerpt(serde_json::from_slice(&detail.value).ok()?))
        .collect();
    excerpts.dedup();
    excerpts
}

fn excerpt(source: Source) -> Option<Excerpt> {
    let number = |position: &Option<Position>| u32::try_from(position.as_ref()?.line).ok();
    let line = source
        .ranges
        .iter()
        .filter_map(|range| number(&range.start))
        .min()?;
    let end_line = source
        .ranges
        .iter()
        .filter_map(|range| number(&range.end))
        .max()
        .unwrap_or(line)
        .max(line);
    let text = STANDARD.decode(source.info.data).ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(Excerpt::new(source.info.filename, &text, line, end_line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::google::protobuf::Any;

    fn details(type_url: &str, start: i32, end: i32) -> Vec<u8> {
        let data = STANDARD.encode("FROM a\nRUN b\nRUN c\nRUN d\nRUN e\n");
        let source = serde_json::json!({
            "info": { "filename": "Dockerfile", "data": data, "definition": {}, "language": "Dockerfile" },
            "ranges": [{ "start": { "line": start }, "end": { "line": end } }],
        });
        let detail = Any {
            type_url: type_url.into(),
            value: source.to_string().into_bytes(),
        };
        rpc::Status {
            details: vec![detail],
            ..Default::default()
        }
        .encode_to_vec()
    }

    #[test]
    fn the_lines_around_an_error_are_read() {
        let read = read(&details("github.com/moby/buildkit/errdefs.Source+json", 4, 4));
        let [excerpt] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!(
            (excerpt.file.as_str(), excerpt.line, excerpt.end_line),
            ("Dockerfile", 4, 4)
        );
        let lines: Vec<_> = excerpt
            .lines
            .iter()
            .map(|(number, text)| (*number, text.as_str()))
            .collect();
        assert_eq!(lines, [(2, "RUN b"), (3, "RUN c"), (4, "RUN d"), (5, "RUN e")]);
    }

    #[test]
    fn anything_else_is_no_excerpt() {
        assert_eq!(read(b"\xff\xff"), []);
        assert_eq!(
            read(&details("github.com/moby/buildkit/errdefs.Vertex+json", 1, 1)),
            []
        );
        assert_eq!(
            read(&details("github.com/moby/buildkit/errdefs.Source+json", -1, -1)),
            []
        );
    }
}
