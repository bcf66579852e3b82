//! `unstale check`: what is read, what of it is checked, and what is written back. The judgement is `unstale-audit`'s.

pub mod discover;
mod read;
pub mod write;

use crate::config::{ConfigError, FILE_NAME};
use discover::DiscoverError;
pub use read::{add_named, tree};
use std::path::{Path, PathBuf};
use unstale_audit::baseline::{Baseline, BaselineError};
use unstale_audit::contract::{Contract, Line};
use unstale_audit::rules::{self, Rule};
use unstale_audit::{Applicability, Applied, Checker, Confidence, Finding, Project, Refused, Severity, mend};
use write::WriteError;

/// What is checked, and what becomes of it.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The folder that relative paths start from.
    pub cwd: PathBuf,
    /// Files and folders; none for the current folder.
    pub paths: Vec<PathBuf>,
    /// Rules that run alone; none for all that are on.
    pub rules: Vec<String>,
    /// Findings below are left out.
    pub min_severity: Severity,
    /// Findings below are left out; none for what the settings say.
    pub min_confidence: Option<Confidence>,
    /// Known findings; none for what the settings name.
    pub baseline: Option<PathBuf>,
    /// What is done beside looking.
    pub action: Action,
}

/// What is done beside looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Report,
    /// The contract is checked, and nothing else.
    Contract,
    /// Fixes are worked out, and nothing is written.
    Diff(Applicability),
    /// Fixes are applied, and written.
    Fix(Applicability),
    /// All findings become known.
    WriteBaseline(PathBuf),
}

/// How a check ended.
#[derive(Debug)]
pub struct CheckReport {
    /// What was read; with fixes that were written, as it is after them.
    pub project: Project,
    /// What was found; with fixes that were written, what is left.
    pub findings: Vec<Finding>,
    /// How many more there were that a comment, a setting or the baseline knows.
    pub suppressed: usize,
    /// What is not sure enough to be told.
    pub unsure: Vec<Finding>,
    /// The lines of the contract.
    pub contract: Vec<Line>,
    /// The fixes that were applied.
    pub applied: Vec<Applied>,
    /// The fixes that were not.
    pub refused: Vec<Refused>,
    /// The files that fixes change.
    pub changed: Vec<Changed>,
    /// What a person has to know beside findings.
    pub notes: Vec<String>,
    /// How many findings the baseline that was written knows.
    pub recorded: Option<usize>,
}

/// A file that fixes change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Relative to the checked folder.
    pub path: String,
    /// What it was.
    pub before: String,
    /// What it is then.
    pub after: String,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The paths cannot be walked.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no such rule.
    #[error("no rule is called {name:?}")]
    NoRule {
        /// What was asked for.
        name: String,
        /// The rule whose name is most like it.
        like: Option<&'static str>,
    },
    /// The paths hold nothing that is checked.
    #[error(
        "nothing to check: no Dockerfile, Compose file, script, Makefile, CI workflow or bake file is there"
    )]
    Nothing,
    /// There is no contract.
    #[error("nothing to check: {FILE_NAME} states no [contract]")]
    NoContract,
    /// A path pattern of the settings is malformed.
    #[error("cannot use the paths of {FILE_NAME}")]
    Pattern(#[from] unstale_context::ContextError),
    /// The baseline cannot be read.
    #[error("cannot read {}", path.display())]
    ReadBaseline {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The baseline is none.
    #[error("cannot use {}", path.display())]
    Baseline {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BaselineError,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl CheckError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            CheckError::Discover(error) => error.hint(),
            CheckError::Config(error) => error.hint(),
            CheckError::NoRule { like: Some(like), .. } => Some(format!("did you mean {like}?")),
            CheckError::NoRule { like: None, .. } => Some("see: unstale check --list-rules".into()),
            CheckError::Nothing => Some("name the files or folders to check".into()),
            CheckError::NoContract => {
                Some("unstale init writes one from what it finds in the project".into())
            }
            CheckError::Baseline { .. } => Some("write it again: unstale check --write-baseline".into()),
            CheckError::Write(_) => Some("files written before this one stay changed".into()),
            CheckError::Pattern(_) | CheckError::ReadBaseline { .. } => None,
        }
    }
}

/// The rule with a name.
///
/// # Errors
/// If there is none.
pub fn rule(name: &str) -> Result<&'static Rule, CheckError> {
    rules::find(name).ok_or_else(|| CheckError::NoRule {
        name: name.to_owned(),
        like: most_like(name),
    })
}

/// The rule whose name shares the most with a misspelt one.
fn most_like(name: &str) -> Option<&'static str> {
    let words: Vec<&str> = name.split(['-', '_', ' ']).collect();
    let shared = |rule: &&Rule| rule.id.split('-').filter(|word| words.contains(word)).count();
    let best = rules::RULES.iter().max_by_key(shared)?;
    (shared(&best) > 0).then_some(best.id)
}

/// Checks.
///
/// # Errors
/// If there is nothing to check, or what is needed for it cannot be read; with fixes, if one cannot be written.
pub fn check(request: &CheckRequest) -> Result<CheckReport, CheckError> {
    let only = request
        .rules
        .iter()
        .map(|name| rule(name))
        .collect::<Result<Vec<_>, _>>()?;
    let loaded = read::load(request)?;
    let mut settings = loaded.config.check.clone();
    settings.min_confidence = request.min_confidence.or(settings.min_confidence);
    let checker = Checker::new(settings, &only)?;
    let mut report = CheckReport {
        project: loaded.project,
        findings: Vec::new(),
        suppressed: 0,
        unsure: Vec::new(),
        contract: Vec::new(),
        applied: Vec::new(),
        refused: Vec::new(),
        changed: Vec::new(),
        notes: loaded.notes,
        recorded: None,
    };
    let contract = &loaded.config.contract;
    match &request.action {
        Action::Contract => {
            if contract.is_empty() {
                return Err(CheckError::NoContract);
            }
            report.contract = contract.check(&report.project);
            return Ok(report);
        }
        Action::Report | Action::WriteBaseline(_) => report.take(checker.check(&report.project)),
        Action::Diff(boldest) => {
            let mended = mend(&checker, report.project.clone(), *boldest);
            report.changed = changed(&report.project, &mended.project);
            (report.applied, report.refused) = (mended.applied, mended.refused);
            // Nothing is changed, so that all of it is still there.
            report.take(checker.check(&report.project));
        }
        Action::Fix(boldest) => {
            let mended = mend(&checker, report.project.clone(), *boldest);
            report.changed = changed(&report.project, &mended.project);
            (report.applied, report.refused) = (mended.applied, mended.refused);
            report.project = mended.project;
            report.take(mended.report);
            for file in &report.changed {
                write::replace(&loaded.root.join(&file.path), &file.after)?;
            }
        }
    }
    if let Action::WriteBaseline(path) = &request.action {
        // One that is told later, as less is asked for, was there before.
        report.findings.append(&mut report.unsure);
        let baseline = Baseline::of(&report.project, &report.findings);
        write::replace(&request.cwd.join(path), &baseline.to_text())?;
        report.recorded = Some(baseline.findings.len());
        return Ok(report);
    }
    if only.is_empty() {
        report.contract = contract.check(&report.project);
    }
    let baseline = request.baseline.clone().or_else(|| {
        let named = loaded.config.check.baseline.as_ref()?;
        Some(loaded.root.join(named))
    });
    if let Some(path) = baseline {
        // Of a part of the rules or of the files nobody knows what is gone.
        let is_whole = only.is_empty() && request.paths.is_empty();
        report.apply_baseline(&request.cwd.join(path), is_whole)?;
    }
    report
        .findings
        .retain(|finding| finding.severity >= request.min_severity);
    Ok(report)
}

impl CheckReport {
    fn take(&mut self, found: unstale_audit::Report) {
        self.findings = found.findings;
        self.suppressed = found.suppressed;
        self.unsure = found.unsure;
    }

    fn apply_baseline(&mut self, path: &Path, is_whole: bool) -> Result<(), CheckError> {
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(CheckError::ReadBaseline { path, source }),
        };
        let baseline = match Baseline::parse(&text) {
            Ok(baseline) => baseline,
            Err(source) => return Err(CheckError::Baseline { path, source }),
        };
        let (known, gone) = baseline.apply(&self.project, &mut self.findings, &mut self.unsure);
        self.suppressed += known;
        if is_whole && gone > 0 {
            let count = gone;
            self.notes.push(format!(
                "{count} of the baseline's findings are gone; unstale check --write-baseline takes them out"
            ));
        }
        Ok(())
    }

    /// Whether every line of the contract holds.
    pub fn contract_holds(&self) -> bool {
        self.contract.iter().all(|line| line.holds)
    }
}

fn changed(before: &Project, after: &Project) -> Vec<Changed> {
    let mut changed: Vec<_> = before
        .files()
        .zip(after.files())
        .filter(|((_, old), (_, new))| old.source.text() != new.source.text())
        .map(|((_, old), (_, new))| Changed {
            path: old.source.path().to_owned(),
            before: old.source.text().to_owned(),
            after: new.source.text().to_owned(),
        })
        .collect();
    changed.sort_by(|one, other| one.path.cmp(&other.path));
    changed
}

/// The contract that holds for a project as it is, or would with its faults mended.
///
/// # Errors
/// If there is nothing to check.
pub fn propose_contract(cwd: &Path) -> Result<Contract, CheckError> {
    let loaded = read::load(&CheckRequest {
        cwd: cwd.to_owned(),
        paths: Vec::new(),
        rules: Vec::new(),
        min_severity: Severity::Info,
        min_confidence: None,
        baseline: None,
        action: Action::Contract,
    })?;
    Ok(Contract::of(&loaded.project, &loaded.config.commit.arg))
}
