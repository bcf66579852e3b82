//! One step of fsutil's filtered walk: is this path sent, and is it worth looking below it?

use crate::error::ContextError;
use crate::follow::dedupe;
use crate::pattern::{ParentMatches, Pattern, PatternList};
use crate::selector::Selector;

/// Characters that make a pattern more than a plain path.
const WILDCARDS: [char; 6] = ['*', '[', ']', '?', '^', '\\'];

/// The compiled filter of one walk.
#[derive(Debug)]
pub(crate) struct Filter {
    include: Option<PatternList>,
    exclude: Option<PatternList>,
    /// No include pattern has a wildcard before its end: a folder outside of all of them need not be entered.
    plain_includes: bool,
    /// The same for the exceptions among the exclude patterns.
    plain_exceptions: bool,
}

/// What the filter says about one path.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The path itself is sent.
    pub(crate) selected: bool,
    /// Something below the path may be sent. Meaningful for folders only.
    pub(crate) descend: bool,
    /// The exclude pattern that decided over the path, by its position in the selector.
    pub(crate) decided_by: Option<usize>,
    /// What the paths below need to know.
    pub(crate) state: State,
}

/// What a folder matched, for the paths below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    include: ParentMatches,
    exclude: ParentMatches,
}

impl Filter {
    /// A filter of a selector whose follow paths have been resolved to `targets`, sorted or not.
    pub(crate) fn new(selector: &Selector, mut targets: Vec<String>) -> Result<Self, ContextError> {
        let mut include = Some(selector.include.clone());
        if !selector.follow.is_empty() {
            targets.sort_unstable();
            targets.dedup();
            // A target that is the root itself takes the targets away, not the include patterns.
            if let Some(targets) = dedupe(targets) {
                include = dedupe(selector.include.iter().cloned().chain(targets).collect());
            }
        }
        let include = include.filter(|patterns| !patterns.is_empty());
        let include = include
            .map(|patterns| PatternList::parse("include", &patterns))
            .transpose()?;
        let exclude = Some(&selector.exclude).filter(|patterns| !patterns.is_empty());
        let exclude = exclude
            .map(|patterns| PatternList::parse("exclude", patterns))
            .transpose()?;
        let plain = |list: &Option<PatternList>, exclusion| {
            let mut patterns = list.iter().flat_map(|list| list.patterns());
            patterns.all(|pattern| pattern.is_exclusion() != exclusion || !trunk(pattern).contains(WILDCARDS))
        };
        Ok(Self {
            plain_includes: plain(&include, false),
            plain_exceptions: plain(&exclude, true),
            include,
            exclude,
        })
    }

    /// Judges one path, given the state of its parent folder (`None` below the root).
    pub(crate) fn visit(
        &self,
        path: &str,
        is_dir: bool,
        parent: Option<&State>,
    ) -> Result<Visit, ContextError> {
        let root = State::default();
        let parent = parent.unwrap_or(&root);
        let mut visit = Visit {
            selected: true,
            descend: true,
            decided_by: None,
            state: State::default(),
        };
        if let Some(include) = &self.include {
            let (matched, state) = include.matches(path, &parent.include)?;
            visit.state.include = state;
            if !matched {
                visit.selected = false;
                if is_dir && self.plain_includes && !leads_to(path, include, false) {
                    visit.descend = false;
                    return Ok(visit);
                }
            }
        }
        if let Some(exclude) = &self.exclude {
            let verdict = exclude.judge(path, &parent.exclude)?;
            visit.state.exclude = verdict.state;
            visit.decided_by = verdict.decided_by;
            if verdict.matched {
                visit.selected = false;
                if is_dir
                    && self.plain_exceptions
                    && !(exclude.has_exclusions() && leads_to(path, exclude, true))
                {
                    visit.descend = false;
                }
            }
        }
        Ok(visit)
    }
}

/// Whether a pattern of the wanted kind lies in the folder `path` or is the folder itself.
fn leads_to(path: &str, list: &PatternList, exclusion: bool) -> bool {
    let folder = format!("{path}/");
    let mut patterns = list
        .patterns()
        .iter()
        .filter(|pattern| pattern.is_exclusion() == exclusion);
    patterns.any(|pattern| format!("{}/", trunk(pattern)).starts_with(&folder))
}

/// The pattern without a last `/**` and then a last `/*`.
fn trunk(pattern: &Pattern) -> &str {
    let text = pattern.text();
    let text = text.strip_suffix("/**").unwrap_or(text);
    text.strip_suffix("/*").unwrap_or(text)
}
