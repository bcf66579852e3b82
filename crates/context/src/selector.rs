//! The selection that the daemon asks for, and the pure question whether a path is part of it.

use crate::error::ContextError;
use crate::filter::{Filter, Visit};

/// What the daemon asks of a context folder in `FileSync.DiffCopy`: fsutil's filter.
///
/// A path is sent if it matches `include` (or `include` and `follow` are empty) and does not match `exclude`. Folders
/// above a sent path are sent with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    /// `include-patterns`: what to send. Empty for everything.
    pub include: Vec<String>,
    /// `exclude-patterns`: what to leave out, with `!` for exceptions; `.dockerignore`, as a rule.
    pub exclude: Vec<String>,
    /// `followpaths`: paths to include together with the targets of symbolic links on the way.
    pub follow: Vec<String>,
}

impl Selector {
    /// A selector of the three lists.
    pub fn new(include: Vec<String>, exclude: Vec<String>, follow: Vec<String>) -> Self {
        Self {
            include,
            exclude,
            follow,
        }
    }

    /// Compiles the patterns for use on names alone, as they come from a git tree, say: no file system is asked,
    /// so that follow paths count as include patterns and symbolic links are not followed.
    ///
    /// # Errors
    /// Fails on a malformed pattern.
    pub fn matcher(&self) -> Result<Matcher, ContextError> {
        let targets = self
            .follow
            .iter()
            .map(|path| crate::follow::cleaned(path))
            .collect();
        Ok(Matcher {
            filter: Filter::new(self, targets)?,
        })
    }
}

/// What [`Selector::exclude`] says about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pattern that decided, by its position in [`Selector::exclude`].
    pub pattern: usize,
    /// Whether the path is left out.
    pub excluded: bool,
}

/// A compiled [`Selector`].
#[derive(Debug)]
pub struct Matcher {
    filter: Filter,
}

impl Matcher {
    /// Whether the path itself is selected. `path` is relative to the context folder, with slashes.
    ///
    /// A folder that is not selected is sent nevertheless when something selected lies below it. A malformed escape or
    /// class that shows only in use ([`ContextError::Pattern`] in a snapshot) selects nothing here.
    pub fn selects(&self, path: &str, is_dir: bool) -> bool {
        self.visit(path, is_dir).is_some_and(|visit| visit.selected)
    }

    /// Which exclude pattern decided over the path: the one that leaves it out, or the `!` that brings it back. [`None`]
    /// if none speaks of it. Of a path in a folder that the walk does not enter, the pattern that keeps it from there.
    pub fn decision(&self, path: &str, is_dir: bool) -> Option<Decision> {
        let decision = |visit: Visit| {
            let pattern = visit.decided_by?;
            let excluded = !visit.selected;
            Some(Decision { pattern, excluded })
        };
        let mut parent = None;
        for (slash, _) in path.match_indices('/') {
            let visit = self.filter.visit(&path[..slash], true, parent.as_ref()).ok()?;
            if !visit.descend {
                return decision(visit);
            }
            parent = Some(visit.state);
        }
        decision(self.filter.visit(path, is_dir, parent.as_ref()).ok()?)
    }

    /// Whether something selected can lie below a folder.
    pub fn enters(&self, folder: &str) -> bool {
        self.visit(folder, true).is_some_and(|visit| visit.descend)
    }

    /// Judges a path; [`None`] if the walk would not come to it.
    fn visit(&self, path: &str, is_dir: bool) -> Option<Visit> {
        let mut parent = None;
        for (slash, _) in path.match_indices('/') {
            match self.filter.visit(&path[..slash], true, parent.as_ref()) {
                Ok(Visit {
                    descend: true, state, ..
                }) => parent = Some(state),
                _ => return None,
            }
        }
        self.filter.visit(path, is_dir, parent.as_ref()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matcher(exclude: &[String]) -> Matcher {
        Selector::new(Vec::new(), exclude.to_vec(), Vec::new())
            .matcher()
            .unwrap()
    }

    #[test]
    fn the_pattern_that_decides_is_the_last_that_changes_something() {
        let patterns = ["*", "", "!src", "src/x", "src/x/y"].map(str::to_owned);
        let decision = |path| matcher(&patterns).decision(path, false);
        let decided = |pattern, excluded| Some(Decision { pattern, excluded });
        assert_eq!(decision("a"), decided(0, true));
        assert_eq!(decision("src/a"), decided(2, false));
        assert_eq!(decision("src/x/y"), decided(3, true));
        assert_eq!(matcher(&patterns[3..]).decision("a", false), None);
    }

    proptest! {
        #[test]
        fn a_decision_says_what_the_walk_does(
            patterns in prop::collection::vec("!?[ab*]{1,2}(/[ab*]{1,2}){0,2}", 0..5),
            path in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        ) {
            let matcher = matcher(&patterns);
            let excluded = matcher.decision(&path, false).is_some_and(|decision| decision.excluded);
            prop_assert_eq!(excluded, !matcher.selects(&path, false));
        }
    }
}
