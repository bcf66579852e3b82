//! Volumes, configs and secrets of a service, in their short and long forms.
//!
//! Source of the short form: the Compose specification, "volumes": `[SOURCE:]TARGET[:MODE]`.

use super::cursor::Cursor;
use super::interpolation::interpolate;
use super::model::{Grant, Mount, MountKind};
use super::path::is_absolute;

pub(super) fn mount(cursor: &Cursor<'_>) -> Option<Mount> {
    let place = cursor.place();
    if let Some(short) = cursor.node.as_str() {
        let (kind, source, target, read_only) = short_mount(short)?;
        return Some(Mount {
            kind,
            source,
            target,
            read_only,
            place,
        });
    }
    let word = |key: &str| cursor.get_text(key).map(|text| text.value);
    let source = word("source").or_else(|| word("src"));
    let kind = match (word("type").as_deref(), &source) {
        (Some("volume") | None, Some(_)) => MountKind::Named,
        (Some("volume") | None, None) => MountKind::Anonymous,
        (Some("bind"), _) => MountKind::Bind,
        (Some("tmpfs"), _) => MountKind::Tmpfs,
        _ => MountKind::Other,
    };
    let target = ["target", "dst", "destination"]
        .iter()
        .find_map(|key| word(key))?;
    Some(Mount {
        kind,
        source,
        target,
        read_only: cursor
            .get_bool("read_only")
            .is_some_and(|read_only| read_only.value),
        place,
    })
}

fn short_mount(short: &str) -> Option<(MountKind, Option<String>, String, bool)> {
    let parts = split(short);
    let (source, target, mode) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, mode, ..] => (Some(*source), *target, *mode),
        [] => return None,
    };
    if target.is_empty() {
        return None;
    }
    let read_only = mode.split(',').any(|word| word == "ro");
    let kind = source.map_or(MountKind::Anonymous, source_kind);
    Some((kind, source.map(str::to_owned), target.to_owned(), read_only))
}

/// Whether a short form's source is a path or a name.
fn source_kind(source: &str) -> MountKind {
    let is_path = |path: &str| is_absolute(path) || path.starts_with('.');
    match interpolate(source).value {
        Some(value) if is_path(&value) => MountKind::Bind,
        Some(value) if value.is_empty() => MountKind::Other,
        Some(value) if value.contains(['/', '\\']) => MountKind::Bind,
        Some(_) => MountKind::Named,
        // A name has no slash.
        None if is_path(source) || slash_outside_braces(source) => MountKind::Bind,
        None => MountKind::Other,
    }
}

fn slash_outside_braces(source: &str) -> bool {
    let mut depth = 0usize;
    source.chars().any(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && depth == 0
    })
}

/// Splits at colons that are neither in `${…}` nor after the letter of a drive.
fn split(short: &str) -> Vec<&str> {
    let bytes = short.as_bytes();
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0usize);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 => {
                let is_drive = at == start + 1
                    && bytes[start].is_ascii_alphabetic()
                    && matches!(bytes.get(at + 1), Some(b'/' | b'\\'));
                // `a:/x` is a volume with a short name as often as a drive: only a backslash, or a target after it, tells.
                let has_more = short[at + 1..].contains(':') || bytes.get(at + 1) == Some(&b'\\');
                if !(is_drive && has_more) {
                    parts.push(&short[start..at]);
                    start = at + 1;
                }
            }
            _ => {}
        }
    }
    parts.push(&short[start..]);
    parts
}

pub(super) fn grant(cursor: &Cursor<'_>) -> Option<Grant> {
    let place = cursor.place();
    let (source, target) = match cursor.node.as_str() {
        Some(name) => (name.to_owned(), None),
        None => (
            cursor.get_text("source")?.value,
            cursor.get_text("target").map(|text| text.value),
        ),
    };
    Some(Grant {
        source,
        target,
        place,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms() {
        let read = |short| short_mount(short).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("/data"), (MountKind::Anonymous, None, "/data".into(), false));
        assert_eq!(
            read("db:/data"),
            (MountKind::Named, some("db"), "/data".into(), false)
        );
        assert_eq!(
            read("./x:/y:ro,z"),
            (MountKind::Bind, some("./x"), "/y".into(), true)
        );
        assert_eq!(read("~/x:/y").0, MountKind::Bind);
        assert_eq!(
            read("C:\\x:/y:ro"),
            (MountKind::Bind, some("C:\\x"), "/y".into(), true)
        );
        assert_eq!(
            read("${DIR:-./x}:/y"),
            (MountKind::Bind, some("${DIR:-./x}"), "/y".into(), false)
        );
        assert_eq!(read("${NAME:-db}:/y").0, MountKind::Named);
        assert_eq!(read("${DIR}:/y").0, MountKind::Other);
        assert_eq!(read("${DIR}/x:/y").0, MountKind::Bind);
        assert_eq!(read("$PWD:/y").0, MountKind::Other);
    }
}
