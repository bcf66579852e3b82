//! `unstale check`.

use crate::args::{CheckArgs, CheckFormat, ConfidenceArg, FailOn, SeverityArg};
use crate::failure::Failure;
use crate::render::check::{self as view, ChangedFile, CheckView, Fixed, RuleInfo};
use crate::{exit, render};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;
use unstale_audit::rules::{RULES, Rule};
use unstale_audit::{Applicability, Confidence, FileKind, Severity};
use unstale_flow::check::{Action, CheckReport, CheckRequest, check, rule};

pub fn run(args: CheckArgs) -> Result<ExitCode, Failure> {
    if args.list_rules {
        list_rules(args.format);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(name) = &args.explain {
        let rule = info(rule(name)?);
        render::data(&match args.format {
            CheckFormat::Markdown => view::pages::page(&rule),
            _ => view::rules::explain(&rule, render::data_has_colour()),
        });
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let request = request(&args)?;
    let report = check(&request)?;
    let fixed: Vec<Fixed> = fixed(&report);
    let changed: Vec<ChangedFile<'_>> = changed(&report);
    for refused in &report.refused {
        let path = report.project.file(refused.file).source.path();
        let (title, rule, reason) = (&refused.title, refused.rule, refused.reason);
        render::warning(&format!("{path}: not fixed: {title} ({rule}): {reason}"));
    }
    if let Some(count) = report.recorded {
        render::note(&format!("the baseline knows {count} findings"));
        return Ok(ExitCode::SUCCESS);
    }
    let rules = |id: &str| unstale_audit::rules::find(id).map_or_else(|| unknown(id), info);
    let shown = CheckView {
        project: &report.project,
        findings: &report.findings,
        notes: &report.notes,
        contract: (!report.contract.is_empty()).then_some(&report.contract[..]),
        fixed: &fixed,
        suppressed: report.suppressed,
        unsure: report.unsure.len(),
        files: report
            .project
            .files()
            .filter(|(_, file)| file.kind != FileKind::Package)
            .count(),
        elapsed: started.elapsed(),
        rules: &rules,
    };
    match args.format {
        _ if args.diff => match std::io::stdout().is_terminal() {
            true => render::data(&view::diff::diff_for_terminal(
                &changed,
                render::data_has_colour(),
            )),
            false => render::exact(&view::diff::diff(&changed)),
        },
        CheckFormat::Markdown if args.fix => render::data(&view::fixed::table(&fixed, &changed)),
        CheckFormat::Markdown => render::data(&view::github::job_summary(&shown)),
        CheckFormat::Text => {
            if args.contract {
                render::data(&view::contract::text(&report.project, &report.contract));
            } else {
                render::data(&view::text::text(&shown, view::text::Look::of_stdout()));
            }
            if args.fix {
                render::data(&view::fixed::text(&fixed, &changed));
            }
        }
        CheckFormat::Json => render::data(&view::json::json(&shown)),
        CheckFormat::Sarif => render::data(&view::sarif::sarif(&shown)),
        CheckFormat::Github => render::data(&view::github::github(&shown)),
        CheckFormat::Gitlab => render::data(&view::gitlab::gitlab(&shown)),
        CheckFormat::Junit => render::data(&view::junit::junit(&shown)),
    }
    Ok(ExitCode::from(code(&report, args.fail_on)))
}

fn request(args: &CheckArgs) -> Result<CheckRequest, Failure> {
    let boldest = match args.bold {
        true => Applicability::Unsafe,
        false => Applicability::Safe,
    };
    if args.bold && !args.fix && !args.diff {
        return Err(Failure::usage("--unsafe goes with --fix or --diff".to_owned()));
    }
    let action = match &args.write_baseline {
        Some(path) => Action::WriteBaseline(path.clone()),
        None if args.contract => Action::Contract,
        None if args.diff => Action::Diff(boldest),
        None if args.fix => Action::Fix(boldest),
        None => Action::Report,
    };
    Ok(CheckRequest {
        cwd: super::current_folder()?,
        paths: args.paths.clone(),
        rules: args.rules.clone(),
        min_severity: match args.min_severity {
            SeverityArg::Info => Severity::Info,
            SeverityArg::Low => Severity::Low,
            SeverityArg::Medium => Severity::Medium,
            SeverityArg::High => Severity::High,
        },
        min_confidence: args.min_confidence.map(|least| match least {
            ConfidenceArg::Low => Confidence::Low,
            ConfidenceArg::Medium => Confidence::Medium,
            ConfidenceArg::High => Confidence::High,
        }),
        baseline: args.baseline.clone(),
        action,
    })
}

/// The code of the worst finding, if it is bad enough.
fn code(report: &CheckReport, fail_on: FailOn) -> u8 {
    let least = match fail_on {
        FailOn::None => return exit::OK,
        FailOn::Info => Severity::Info,
        FailOn::Low => Severity::Low,
        FailOn::Medium => Severity::Medium,
        FailOn::High => Severity::High,
    };
    if !report.contract_holds() {
        return exit::FINDINGS_HIGH;
    }
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    match worst.filter(|worst| *worst >= least) {
        None => exit::OK,
        Some(Severity::Info) => exit::FINDINGS_INFO,
        Some(Severity::Low) => exit::FINDINGS_LOW,
        Some(Severity::Medium) => exit::FINDINGS_MEDIUM,
        Some(Severity::High) => exit::FINDINGS_HIGH,
    }
}

fn list_rules(format: CheckFormat) {
    let all: Vec<RuleInfo> = RULES.iter().map(info).collect();
    render::data(&match format {
        CheckFormat::Json => view::json::rules(&all),
        CheckFormat::Markdown => view::pages::index(&all),
        _ => view::rules::list(&all),
    });
}

/// What is known of a rule, for rendering.
fn info(rule: &Rule) -> RuleInfo {
    RuleInfo {
        id: rule.id.to_owned(),
        summary: rule.summary.to_owned(),
        documentation: rule.documentation(),
        severity: rule.severity,
        fixable: rule.fixable,
        url: None,
    }
}

fn unknown(id: &str) -> RuleInfo {
    RuleInfo {
        id: id.to_owned(),
        summary: String::new(),
        documentation: String::new(),
        severity: Severity::Info,
        fixable: false,
        url: None,
    }
}

/// One row for each fix and file that it changed.
fn fixed(report: &CheckReport) -> Vec<Fixed> {
    let rows = report.applied.iter().flat_map(|applied| {
        applied.files.iter().map(|&file| Fixed {
            path: report.project.file(file).source.path().to_owned(),
            change: applied.change.clone(),
            impact: applied.impact.clone(),
        })
    });
    rows.collect()
}

fn changed(report: &CheckReport) -> Vec<ChangedFile<'_>> {
    let files = report.changed.iter().map(|file| ChangedFile {
        path: &file.path,
        before: Some(&file.before),
        after: &file.after,
    });
    files.collect()
}
