//! What a project sets about its checks: `[check]` in `unstale.toml`.

use crate::{Confidence, Severity, rules};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// `[check]`. Every setting has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// What a rule's findings count as, or `off`.
    #[serde(deserialize_with = "levels")]
    pub rules: BTreeMap<String, Level>,
    /// Findings that do not matter.
    pub ignore: Vec<Ignore>,
    /// Paths that are not checked: patterns as in `.dockerignore`, from the file's folder on.
    pub exclude: Vec<String>,
    /// A baseline file, from the file's folder on.
    pub baseline: Option<String>,
    /// Findings that are less sure are left out; none for [`Confidence::SHOWN`], and for all of them if rules run by name.
    pub min_confidence: Option<Confidence>,
}

/// What a rule's findings count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The rule does not run.
    Off,
    /// [`Severity::Info`]
    Info,
    /// [`Severity::Low`]
    Low,
    /// [`Severity::Medium`]
    Medium,
    /// [`Severity::High`]
    High,
}

impl Level {
    /// The severity, unless it is off.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Level::Off => None,
            Level::Info => Some(Severity::Info),
            Level::Low => Some(Severity::Low),
            Level::Medium => Some(Severity::Medium),
            Level::High => Some(Severity::High),
        }
    }
}

/// One `[[check.ignore]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignore {
    /// The rule.
    #[serde(deserialize_with = "rule")]
    pub rule: String,
    /// Where: patterns as in `.dockerignore`, from the file's folder on.
    pub paths: Vec<String>,
    /// Why.
    pub reason: String,
}

fn known(id: &str) -> Result<(), String> {
    match rules::find(id) {
        Some(_) => Ok(()),
        None => Err(format!(
            "no rule is called {id:?}; they are listed by: unstale check --list-rules"
        )),
    }
}

fn rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    known(&id).map_err(serde::de::Error::custom)?;
    Ok(id)
}

fn levels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Level>, D::Error> {
    let levels = BTreeMap::<String, Level>::deserialize(deserializer)?;
    for id in levels.keys() {
        known(id).map_err(serde::de::Error::custom)?;
    }
    Ok(levels)
}
