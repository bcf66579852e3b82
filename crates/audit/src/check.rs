//! Runs the rules over a project, and takes out what is suppressed.

use crate::facts::{is_named_for_tests, is_of_tests};
use crate::rules::{RULES, Rule, SUPPRESSION};
use crate::settings::Settings;
use crate::{Confidence, Content, File, Finding, Project, Severity, suppress};
use unstale_context::{ContextError, Matcher, Selector};

/// The highest severity of a finding in a file that is there for tests: what is wrong in it may be meant to be, which no file
/// says, and is not deployed.
const MOST_IN_TESTS: Severity = Severity::Low;

/// Which rules run, and what of their findings counts.
#[derive(Debug)]
pub struct Checker {
    /// The rules that run.
    rules: Vec<&'static Rule>,
    /// The rules whose findings count, if not all that run.
    only: Vec<&'static str>,
    /// Findings that are less sure are left out.
    least: Confidence,
    settings: Settings,
    /// The compiled paths of `settings.ignore`, in its order.
    ignored: Vec<Matcher>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// In order of file, place and rule.
    pub findings: Vec<Finding>,
    /// How many more there were that a comment or a setting suppresses.
    pub suppressed: usize,
    /// What is not sure enough to be told, in the same order.
    pub unsure: Vec<Finding>,
}

impl Checker {
    /// With `only`, no rules but these run, and tell all that they find unless the settings say how sure it must be.
    ///
    /// # Errors
    /// If a path pattern of the settings is malformed.
    pub fn new(settings: Settings, only: &[&'static Rule]) -> Result<Checker, ContextError> {
        let is_on = |rule: &Rule| {
            let level = settings.rules.get(rule.id);
            level.is_none_or(|level| level.severity().is_some())
        };
        // Whether a suppression suppresses anything is known only if its rule runs.
        let judges_all = only.iter().any(|rule| rule.id == SUPPRESSION.id);
        let is_chosen = |rule: &&Rule| match only {
            [] => is_on(rule),
            _ => only.iter().any(|only| only.id == rule.id) || (judges_all && is_on(rule)),
        };
        let of_all = match only {
            [] => Confidence::SHOWN,
            _ => Confidence::Low,
        };
        let compile = |paths: &Vec<String>| Selector::new(paths.clone(), Vec::new(), Vec::new()).matcher();
        Ok(Checker {
            rules: RULES.iter().filter(is_chosen).collect(),
            only: only.iter().map(|rule| rule.id).collect(),
            least: settings.min_confidence.unwrap_or(of_all),
            ignored: settings
                .ignore
                .iter()
                .map(|ignore| compile(&ignore.paths))
                .collect::<Result<_, _>>()?,
            settings,
        })
    }

    /// Checks.
    pub fn check(&self, project: &Project) -> Report {
        let mut findings = Vec::new();
        for rule in &self.rules {
            rule.run(project, &mut findings);
        }
        findings.retain(|finding| project.is_reported(finding.place().0));
        for finding in &mut findings {
            let file = project.file(finding.place().0);
            if is_of_tests(file.source.path()) || is_test(file) {
                finding.severity = finding.severity.min(MOST_IN_TESTS);
                finding.confidence = Confidence::Low;
            }
            let level = self.settings.rules.get(finding.rule);
            if let Some(severity) = level.and_then(|level| level.severity()) {
                finding.severity = severity;
            }
        }
        let before = findings.len();
        findings.retain(|finding| !self.is_ignored(project, finding));
        let mut suppressed = before - findings.len();
        suppressed += suppress::by_comments(project, &mut findings, &|id| self.runs(id));
        findings.retain(|finding| self.only.is_empty() || self.only.contains(&finding.rule));
        sort(&mut findings);
        let (findings, unsure) = findings
            .into_iter()
            .partition(|finding| finding.confidence >= self.least);
        Report {
            findings,
            suppressed,
            unsure,
        }
    }

    fn runs(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| rule.id == id)
    }

    fn is_ignored(&self, project: &Project, finding: &Finding) -> bool {
        let path = project.file(finding.place().0).source.path();
        let mut pairs = self.settings.ignore.iter().zip(&self.ignored);
        pairs.any(|(ignore, paths)| ignore.rule == finding.rule && paths.selects(path, false))
    }
}

/// Whether a Dockerfile or Compose file is for tests by its own name: `compose.test.yaml`, `Dockerfile.e2e`. Workflows and scripts
/// are not: those of that name often build what is deployed.
fn is_test(file: &File) -> bool {
    matches!(file.content, Content::Compose(_) | Content::Dockerfile(_))
        && is_named_for_tests(file.source.name())
}

/// By place; what is the same twice stays once.
fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.place(), finding.rule);
        key(one)
            .cmp(&key(other))
            .then_with(|| one.message.cmp(&other.message))
    });
    findings.dedup();
}
