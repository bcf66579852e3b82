//! Where a reused result came from.

use serde::{Deserialize, Serialize};
use unstale_plan::{Past, Reason};

/// Where a reused result came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The kind of place.
    pub kind: OriginKind,
    /// The build that made it; none if no build of ours did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// That build's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it was made, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_ms: Option<i64>,
    /// The image or cache that it was imported from.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Why no more is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// An earlier build on this builder.
    Local,
    /// An imported cache.
    Imported,
    /// Another step of the same build.
    SameBuild,
    /// A base image.
    Base,
    /// It is not known.
    Unknown,
}

impl OriginKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            OriginKind::Local => "local",
            OriginKind::Imported => "imported",
            OriginKind::SameBuild => "same-build",
            OriginKind::Base => "base",
            OriginKind::Unknown => "unknown",
        }
    }
}

impl Origin {
    pub(super) fn new(kind: OriginKind) -> Origin {
        Origin {
            kind,
            build: None,
            commit: None,
            created_ms: None,
            reference: None,
            reason: None,
        }
    }

    /// Of a result that is remembered.
    pub(super) fn of(past: &Past) -> Origin {
        let kind = match past.imported {
            Some(_) => OriginKind::Imported,
            None => OriginKind::Local,
        };
        Origin {
            build: Some(past.build.clone()).filter(|build| !build.is_empty()),
            commit: past.commit.clone(),
            created_ms: past.made_ms,
            reference: past.imported.clone(),
            ..Origin::new(kind)
        }
    }

    /// What a prediction expects, if it expects a reuse.
    pub fn expected(reason: &Reason) -> Option<Origin> {
        match reason {
            Reason::Held(past) | Reason::NotNeeded(Some(past)) => Some(Origin::of(past)),
            Reason::Source => Some(Origin::new(OriginKind::Base)),
            _ => None,
        }
    }

    /// A few words for people, such as `build 1f2e3d4c5b6a (abc1234)`.
    pub fn summary(&self) -> String {
        let mut text = match (self.kind, &self.build, &self.reference) {
            (OriginKind::Imported, _, Some(reference)) => format!("imported from {reference}"),
            (OriginKind::Imported, ..) => "imported".to_owned(),
            (OriginKind::Local, Some(build), _) => format!("build {build}"),
            (OriginKind::Local, None, _) => "made here, not by unstale".to_owned(),
            (OriginKind::SameBuild, ..) => "made in this build".to_owned(),
            (OriginKind::Base, ..) => "base image".to_owned(),
            (OriginKind::Unknown, ..) => self.reason.clone().unwrap_or_else(|| "unknown".to_owned()),
        };
        if let Some(commit) = self.commit.as_deref().and_then(|commit| commit.get(..7)) {
            text.push_str(&format!(" ({commit})"));
        }
        text
    }
}
