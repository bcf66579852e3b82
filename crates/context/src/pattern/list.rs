//! Ordered lists of patterns: the last pattern that matches a path, or one of its parents, decides.

use super::{Pattern, Reason};
use crate::error::ContextError;

/// A list of patterns in the order of the file it came from.
#[derive(Debug)]
pub(crate) struct PatternList {
    name: &'static str,
    patterns: Vec<Pattern>,
    /// Where each pattern stands in the list that was parsed.
    positions: Vec<usize>,
    exclusions: bool,
}

/// What a list says about a path.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Whether the list matches the path.
    pub(crate) matched: bool,
    /// The pattern that decided, by its position in the list that was parsed; [`None`] if none matched.
    pub(crate) decided_by: Option<usize>,
    /// What the paths below need to know.
    pub(crate) state: ParentMatches,
}

/// Which patterns matched a folder, for the paths below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParentMatches(Option<Box<[bool]>>);

impl PatternList {
    /// Compiles `patterns`; blank ones are left out. `name` is the list's name in errors.
    pub(crate) fn parse<S: AsRef<str>>(name: &'static str, patterns: &[S]) -> Result<Self, ContextError> {
        let mut compiled = Vec::with_capacity(patterns.len());
        let mut positions = Vec::with_capacity(patterns.len());
        for (position, pattern) in patterns.iter().enumerate() {
            let pattern = pattern.as_ref();
            match Pattern::parse(pattern) {
                Ok(Some(parsed)) => {
                    compiled.push(parsed);
                    positions.push(position);
                }
                Ok(None) => {}
                Err(reason) => return Err(pattern_error(name, pattern, reason)),
            }
        }
        let exclusions = compiled.iter().any(Pattern::is_exclusion);
        Ok(Self {
            name,
            patterns: compiled,
            positions,
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

    /// Whether the list matches `path`, and what the paths below need to know; see [`PatternList::judge`].
    pub(crate) fn matches(
        &self,
        path: &str,
        parent: &ParentMatches,
    ) -> Result<(bool, ParentMatches), ContextError> {
        let verdict = self.judge(path, parent)?;
        Ok((verdict.matched, verdict.state))
    }

    /// Whether the list matches `path`, and by which pattern, given what it answered for the parent folder. With
    /// [`ParentMatches::default`] the parents are matched here.
    pub(crate) fn judge(&self, path: &str, parent: &ParentMatches) -> Result<Verdict, ContextError> {
        let mut matched = false;
        let mut decided_by = None;
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
                // A parent's match that changes nothing decides nothing.
                if matched == pattern.is_exclusion() {
                    decided_by = Some(self.positions[position]);
                }
                matched = !pattern.is_exclusion();
            }
        }
        Ok(Verdict {
            matched,
            decided_by,
            state: ParentMatches((!own.is_empty()).then_some(own)),
        })
    }
}

fn pattern_error(list: &'static str, pattern: &str, reason: Reason) -> ContextError {
    ContextError::Pattern {
        list,
        pattern: pattern.to_owned(),
        reason,
    }
}
