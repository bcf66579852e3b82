//! The kinds of stores that a user can name.

use std::collections::BTreeSet;
use std::fmt;

/// A kind of store that can be cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The build cache of the engine and of every builder of buildx.
    Builder,
    /// The caches that `RUN --mount=type=cache` mounts.
    Mounts,
    /// The project's images, and those without a name.
    Images,
    /// What builds of the project import.
    Imports,
    /// The caches of GitHub Actions.
    Ci,
    /// What unstale remembers of the project's results, and the hashes of files.
    Ledger,
}

/// Every target, in the order in which they are named.
const ALL: [Target; 6] = [
    Target::Builder,
    Target::Mounts,
    Target::Images,
    Target::Imports,
    Target::Ci,
    Target::Ledger,
];

/// A word that names no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no target is called {0:?}")]
pub struct UnknownTarget(String);

impl UnknownTarget {
    /// A way forward.
    pub fn hint(&self) -> String {
        Target::known()
    }
}

impl Target {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Target::Builder => "builder",
            Target::Mounts => "mounts",
            Target::Images => "images",
            Target::Imports => "imports",
            Target::Ci => "ci",
            Target::Ledger => "ledger",
        }
    }

    /// The words that are targets, for people.
    pub(super) fn known() -> String {
        let names = ALL.map(Target::as_str).join(", ");
        format!("the targets are: {names}, all")
    }

    /// Whether a set is that of `all`.
    pub fn is_all(targets: &BTreeSet<Target>) -> bool {
        targets.len() == ALL.len()
    }

    /// Reads words, each of which may be a list with commas; `all` is every target.
    ///
    /// # Errors
    /// If a word names no target.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<Target>, UnknownTarget> {
        let mut targets = BTreeSet::new();
        let words = words.into_iter().flat_map(|words| words.split(','));
        for word in words.map(str::trim).filter(|word| !word.is_empty()) {
            match ALL.iter().find(|target| target.as_str() == word) {
                Some(target) => drop(targets.insert(*target)),
                None if word == "all" => targets.extend(ALL),
                None => return Err(UnknownTarget(word.to_owned())),
            }
        }
        Ok(targets)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_named_alone_in_lists_and_all_at_once() {
        let parse = |words: &[&str]| Target::parse(words.iter().copied());
        assert_eq!(parse(&["all"]).unwrap(), BTreeSet::from(ALL));
        assert_eq!(
            parse(&["images, mounts", "mounts"]).unwrap(),
            BTreeSet::from([Target::Mounts, Target::Images])
        );
        assert!(parse(&["", " "]).unwrap().is_empty());
        let error = parse(&["builder,image"]).unwrap_err();
        assert_eq!(error, UnknownTarget("image".to_owned()));
        assert!(error.hint().contains("images"));
    }
}
