//! `uses:` of a step or a job: an action, a workflow, an image.

use crate::{MappedText, Span};

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uses {
    /// As it stands.
    pub text: String,
    /// Where it stands, with its quotes.
    pub span: Span,
    /// What it is.
    pub target: Target,
}

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `owner/name/path@reference`.
    Repository {
        /// The owner.
        owner: String,
        /// The repository's name.
        name: String,
        /// The folder or file in it; empty for none.
        path: String,
        /// The branch, tag or commit; empty if it is missing.
        reference: String,
        /// Where the reference stands.
        reference_span: Span,
    },
    /// `./path`: of the same repository.
    Local(String),
    /// `docker://image`.
    Image(String),
    /// Neither.
    Unknown,
}

impl Uses {
    pub(super) fn of(text: &MappedText, span: Span) -> Uses {
        let whole = text.text().trim();
        Uses {
            text: whole.to_owned(),
            span,
            target: target(text, whole),
        }
    }

    /// Whether it is an action or a workflow of this name (`owner/name` or `owner/name/path`), whatever its version. Names are
    /// the same in upper and lower case.
    pub fn is(&self, wanted: &str) -> bool {
        let Target::Repository {
            owner, name, path, ..
        } = &self.target
        else {
            return false;
        };
        let own = match path.is_empty() {
            true => format!("{owner}/{name}"),
            false => format!("{owner}/{name}/{path}"),
        };
        own.eq_ignore_ascii_case(wanted)
    }

    /// Whether it is a repository's own action, of this name whoever owns it.
    pub fn is_named(&self, wanted: &str) -> bool {
        matches!(&self.target, Target::Repository { name, path, .. } if path.is_empty() && name.eq_ignore_ascii_case(wanted))
    }

    /// The branch, tag or commit.
    pub fn reference(&self) -> Option<&str> {
        match &self.target {
            Target::Repository { reference, .. } if !reference.is_empty() => Some(reference),
            _ => None,
        }
    }

    /// The number in a reference such as `v5` or `v5.1.0`.
    pub fn major_version(&self) -> Option<u32> {
        let number = self.reference()?.strip_prefix('v')?;
        number.split('.').next()?.parse().ok()
    }
}

fn target(text: &MappedText, whole: &str) -> Target {
    if let Some(image) = whole.strip_prefix("docker://") {
        return Target::Image(image.to_owned());
    }
    if whole.starts_with("./") || whole.starts_with("../") {
        return Target::Local(whole.to_owned());
    }
    let (place, reference) = whole.split_once('@').unwrap_or((whole, ""));
    let mut parts = place.splitn(3, '/');
    let (Some(owner), Some(name)) = (parts.next(), parts.next()) else {
        return Target::Unknown;
    };
    let start = text.text().find('@').map_or(text.text().len(), |at| at + 1);
    Target::Repository {
        owner: owner.to_owned(),
        name: name.to_owned(),
        path: parts.next().unwrap_or_default().to_owned(),
        reference: reference.to_owned(),
        reference_span: text.span(Span::new(start, start + reference.len())),
    }
}
