//! Paths of files within the checked folder.

/// A path that is written in a file of `folder`, relative to the checked folder: cleaned, with `/` between its parts, empty
/// for the checked folder itself. [`None`] for what is no path within it: absolute paths, addresses, variables, and what leads
/// out.
pub fn resolve(folder: &str, path: &str) -> Option<String> {
    let is_elsewhere = path.starts_with(['/', '~'])
        || path.contains("://")
        || path.contains(['$', '`', '\n'])
        || path.starts_with("git@")
        || path.starts_with("github.com/");
    if is_elsewhere {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn a_path_is_cleaned_and_stays_within_the_folder() {
        let resolved = |folder, path| resolve(folder, path);
        assert_eq!(resolved("a", "./b/../c").as_deref(), Some("a/c"));
        assert_eq!(resolved("a/b", "../..").as_deref(), Some(""));
        assert_eq!(resolved("", "..").as_deref(), None);
        for elsewhere in ["/abs", "https://x/y.git", "${DIR}/x", "git@host:x"] {
            assert_eq!(resolved("a", elsewhere), None, "{elsewhere}");
        }
    }
}
