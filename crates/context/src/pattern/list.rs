//! Ordered lists of patterns: the last pattern that matches a path, or one of its parents, decides.

use super::{Pattern, Reason};
use crate::error::ContextError;

/// A list of patterns in the order of the file it came from.
#[derive(Debug)]
pub(crate) struct PatternList {
    name: &'static str,
    patterns: Vec<Pattern>,
    exclusions: bool,
}

/// Which patterns matched a folder, for the paths below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParentMatches(Option<Box<[bool]>>);

impl PatternList {
    /// Compiles `patterns`; blank ones are left out. `name` is the list's name in errors.
    pub(crate) fn parse<S: AsRef<str>>(name: &'static str, patterns: &[S]) -> Result<Self, ContextError> {
        let mut compiled = Vec::with_capacity(patterns.len());
        for pattern in patterns {
            let pattern = pattern.as_ref();
            match Pattern::parse(pattern) {
                Ok(Some(parsed)) => compiled.push(parsed),
                Ok(None) => {}
                Err(reason) => return Err(pattern_error(name, pattern, reason)),
            }
        }
        let exclusions = compiled.iter().any(Pattern::is_exclusion);
        Ok(Self {
            name,
            patterns: compiled,
            exclusions,
        })
    }

    /// The compiled patterns, in order.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether a pattern of the list begins with `!`.
    pub(crate) fn has_exclusions(&self) -> bool {
        self.exclusions
    }

    /// Whether the list matches `path`, given what it answered for the parent folder. With
    /// [`ParentMatches::default`] the parents are matched here.
    pub(crate) fn matches(
        &self,
        path: &str,
        parent: &ParentMatches,
    ) -> Result<(bool, ParentMatches), ContextError> {
        let mut matched = false;
        let mut own = vec![false; self.patterns.len()].into_boxed_slice();
        for (position, pattern) in self.patterns.iter().enumerate() {
            let mut hit = parent.0.as_ref().is_some_and(|parent| parent[position]);
            if !hit {
                // An inclusion cannot add to a match, nor an exclusion take from a miss.
                if pattern.is_exclusion() != matched {
                    continue;
                }
                let asked = |path| {
                    pattern
                        .matches(path)
                        .map_err(|reason| pattern_error(self.name, pattern.text(), reason))
                };
                hit = asked(path)?;
                if parent.0.is_none() {
                    for (slash, _) in path.match_indices('/') {
                        hit = hit || asked(&path[..slash])?;
                    }
                }
            }
            own[position] = hit;
            if hit {
                matched = !pattern.is_exclusion();
            }
        }
        Ok((matched, ParentMatches((!own.is_empty()).then_some(own))))
    }
}

fn pattern_error(list: &'static str, pattern: &str, reason: Reason) -> ContextError {
    ContextError::Pattern {
        list,
        pattern: pattern.to_owned(),
        reason,
    }
}
