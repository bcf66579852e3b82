//! Projects and findings for the tests of this folder.

use super::{CheckView, ContractLine, Fixed, RuleInfo};
use std::ops::Range;
use std::time::Duration;
use unstale_audit::{
    Applicability, Confidence, Edit, File, FileId, FileKind, Finding, Fix, Location, Project, Severity,
    Source, Span, Tree,
};

/// Owns what a [`CheckView`] borrows.
pub(super) struct Sample {
    pub project: Project,
    pub findings: Vec<Finding>,
    pub notes: Vec<String>,
    pub contract: Option<Vec<ContractLine>>,
    pub fixed: Vec<Fixed>,
    pub suppressed: usize,
    pub unsure: usize,
}

impl Sample {
    pub fn new(files: &[(&str, &str)], find: impl FnOnce(&Project) -> Vec<Finding>) -> Sample {
        let file = |(path, text): &(&str, &str)| File::read(Source::new(*path, *text), FileKind::Dockerfile);
        let project = Project::new(files.iter().map(file), Tree::default());
        let findings = find(&project);
        Sample {
            project,
            findings,
            notes: Vec::new(),
            contract: None,
            fixed: Vec::new(),
            suppressed: 0,
            unsure: 0,
        }
    }

    pub fn view(&self) -> CheckView<'_> {
        CheckView {
            project: &self.project,
            findings: &self.findings,
            notes: &self.notes,
            contract: self.contract.as_deref(),
            fixed: &self.fixed,
            suppressed: self.suppressed,
            unsure: self.unsure,
            files: self.project.files().count(),
            elapsed: Duration::from_millis(12),
            rules: &rule,
        }
    }
}

pub(super) fn rule(id: &str) -> RuleInfo {
    RuleInfo {
        id: id.to_owned(),
        summary: format!("what `{id}` finds"),
        documentation: format!("What `{id}` finds.\n\n## Why\n\nBecause.\n"),
        severity: Severity::High,
        fixable: id == "inline-cache",
        url: None,
    }
}

pub(super) fn id(project: &Project, index: usize) -> FileId {
    project.files().nth(index).unwrap().0
}

pub(super) fn finding_at(project: &Project, file: usize, bytes: Range<usize>) -> Finding {
    Finding::new(
        "network-fetch-frozen",
        Severity::Medium,
        Confidence::Medium,
        "what is fetched stays as it is",
        (id(project, file), Span::new(bytes.start, bytes.end)),
    )
}

const COMPOSE: &str = "\
services:
  backend:
    build:
      context: .
      args:
        GIT_COMMIT_HASH: ${GIT_COMMIT_HASH}
        BUILDKIT_INLINE_CACHE: 1 # für CI, 日本
      cache_from:
        - shop-backend:latest
";

const SCRIPT: &str = "\
#!/bin/sh
docker build \\
  --build-arg BUILDKIT_INLINE_CACHE=1 \\
  --build-arg GIT_COMMIT_HASH=$(git rev-parse HEAD) .
docker builder prune -f || true
";

/// Two files with four findings of all kinds.
pub(super) fn shop() -> Sample {
    let files = [
        ("docker compose.yml", COMPOSE),
        ("scripts/build.sh", SCRIPT),
        ("Dockerfile", "FROM alpine\nRUN <<A\n1\n2\n3\n4\n5\n6\nA\n"),
    ];
    let mut sample = Sample::new(&files, findings);
    sample.suppressed = 2;
    sample.unsure = 3;
    sample.notes = vec!["secret/: permission denied".to_owned()];
    sample.fixed = vec![Fixed {
        path: "Makefile".to_owned(),
        change: "Removed --build-arg X=1".to_owned(),
        impact: "Cache clearing now works | for `all`".to_owned(),
    }];
    sample.contract = Some(vec![
        ContractLine {
            name: "GIT_COMMIT_HASH is passed to backend".to_owned(),
            holds: true,
            detail: None,
            location: None,
            hint: None,
        },
        ContractLine {
            name: "BUILDKIT_INLINE_CACHE not found in docker-compose.yml".to_owned(),
            holds: false,
            detail: Some("backend sets it".to_owned()),
            location: Some(Location {
                file: id(&sample.project, 0),
                span: span(COMPOSE, "BUILDKIT_INLINE_CACHE: 1"),
                label: None,
            }),
            hint: Some("unstale check --fix".to_owned()),
        },
    ]);
    sample
}

fn span(text: &str, words: &str) -> Span {
    let at = text.find(words).unwrap();
    Span::new(at, at + words.len())
}

fn findings(project: &Project) -> Vec<Finding> {
    let (compose, script, dockerfile) = (id(project, 0), id(project, 1), id(project, 2));
    let argument = span(COMPOSE, "BUILDKIT_INLINE_CACHE: 1");
    let line = "        BUILDKIT_INLINE_CACHE: 1 # für CI, 日本\n";
    let inline = Finding::new(
        "inline-cache",
        Severity::High,
        Confidence::High,
        "backend writes its cache into its image, and reads it back",
        (compose, argument),
    )
    .label("the cache is written here")
    .also(
        (compose, span(COMPOSE, "shop-backend:latest")),
        "and read back here",
    )
    .also(
        (script, span(SCRIPT, "BUILDKIT_INLINE_CACHE=1")),
        "the script does it too",
    )
    .help("leave the argument out")
    .fix(Fix {
        title: "remove BUILDKIT_INLINE_CACHE from backend".to_owned(),
        change: "Removed BUILDKIT_INLINE_CACHE from backend".to_owned(),
        impact: "Cache clearing now works for backend".to_owned(),
        applicability: Applicability::Safe,
        edits: vec![Edit {
            file: compose,
            span: span(COMPOSE, line),
            content: String::new(),
        }],
    });
    let prune = Finding::new(
        "prune-keeps-shared",
        Severity::Medium,
        Confidence::Medium,
        "`docker builder prune` without -a keeps what images share",
        (script, span(SCRIPT, "docker builder prune -f")),
    )
    .fix(Fix {
        title: "add -a".to_owned(),
        change: "Added -a".to_owned(),
        impact: "All is cleared".to_owned(),
        applicability: Applicability::Unsafe,
        edits: vec![
            Edit {
                file: script,
                span: Span::new(span(SCRIPT, "prune -f").end, span(SCRIPT, "prune -f").end),
                content: " -a".to_owned(),
            },
            Edit {
                file: script,
                span: span(SCRIPT, " || true"),
                content: String::new(),
            },
        ],
    });
    let long = finding_at(project, 2, 12..33);
    let low = Finding::new(
        "mutable-base-tag",
        Severity::Info,
        Confidence::Low,
        "the tag of alpine can move",
        (dockerfile, Span::new(5, 11)),
    );
    vec![inline, prune, long, low]
}
