//! Paths that Compose files name, as paths of the checked folder.

use super::interpolation::interpolate;

/// A path as one relative to the checked folder, without `.` and with `..` taken off where it can be; `folder` is what it
/// is relative to. Empty for the checked folder itself; with `..` at its front for what lies outside.
///
/// Nothing for an absolute path, a URL or a git context, and where a variable without a default decides.
pub fn resolve(folder: &str, raw: &str) -> Option<String> {
    let path = interpolate(raw).value?;
    if path.is_empty() || is_remote(&path) || is_absolute(&path) {
        return None;
    }
    Some(join(folder, &path))
}

/// Whether it names something elsewhere: a URL, a git context, an image.
pub fn is_remote(path: &str) -> bool {
    path.contains("://")
        || [
            "git@",
            "github.com/",
            "docker-image:",
            "oci-layout:",
            "service:",
            "target:",
        ]
        .iter()
        .any(|prefix| path.starts_with(prefix))
}

/// Whether it begins at a root, of Windows too, or at a home folder.
pub fn is_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let has_drive = matches!(bytes, [drive, b':', b'/' | b'\\', ..] if drive.is_ascii_alphabetic());
    has_drive || path.starts_with(['/', '\\', '~'])
}

/// A path below a folder, both with `/`.
pub(super) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_checked_folder() {
        let found = |folder, path| resolve(folder, path);
        assert_eq!(found("deploy", "."), Some("deploy".into()));
        assert_eq!(found("", "./"), Some("".into()));
        assert_eq!(found("deploy/x", "../../app//src/./"), Some("app/src".into()));
        assert_eq!(found("deploy", "../../app"), Some("../app".into()));
        assert_eq!(found("", "${DIR:-app}/x"), Some("app/x".into()));
        for path in [
            "/app",
            "~/app",
            "C:\\app",
            "$DIR/app",
            "https://x.example/y.git",
            "git@x.example:y",
            "",
        ] {
            assert_eq!(found("a", path), None, "{path}");
        }
    }
}
