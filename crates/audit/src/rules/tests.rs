use super::*;
use crate::{Checker, Confidence, Project, Settings};
use std::path::Path;

#[test]
fn rules_are_in_order_and_named_like_their_files() {
    let ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    for rule in RULES {
        assert!(
            rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
            "{}",
            rule.id
        );
        assert!(!rule.summary.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn every_rule_is_documented() {
    for rule in RULES {
        let text = rule.documentation();
        for heading in ["## Why", "## Example", "## Instead"] {
            assert!(text.contains(heading), "{}: no {heading}", rule.id);
        }
        let about_fixes = text.contains("## Fix safety");
        assert_eq!(about_fixes, rule.fixable, "{}: fix safety", rule.id);
    }
}

/// The code blocks of a section as files: named by a line such as `` `scripts/build.sh`: `` before the block, else by
/// their language.
fn files_of(documentation: &str, heading: &str) -> Vec<(String, String)> {
    let section = documentation
        .split_once(&format!("## {heading}\n"))
        .map_or("", |(_, rest)| rest.split("\n## ").next().unwrap_or(rest));
    let mut files = Vec::new();
    let mut name = None;
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")) {
            name = Some(path.to_owned());
        }
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let text: String = lines
            .by_ref()
            .take_while(|line| !line.starts_with("```"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let path = name.take().unwrap_or_else(|| {
            match language {
                "dockerfile" => "Dockerfile",
                "yaml" => "compose.yaml",
                "sh" => "build.sh",
                "make" => "Makefile",
                "hcl" => "docker-bake.hcl",
                "dockerignore" => ".dockerignore",
                _ => panic!("no path for a block of {language:?}"),
            }
            .to_owned()
        });
        files.push((path, text));
    }
    files
}

/// Whether a rule finds something in these files.
fn finds(rule: &'static Rule, files: Vec<(String, String)>) -> bool {
    let checker = Checker::new(Settings::default(), &[]).unwrap();
    let report = checker.check(&Project::of_texts(files));
    report.findings.iter().any(|finding| finding.rule == rule.id)
}

/// What stands in the documentation is true.
#[test]
fn the_examples_are_found_and_what_stands_instead_is_not() {
    for rule in RULES {
        let text = rule.documentation();
        let example = files_of(&text, "Example");
        assert!(!example.is_empty(), "{}: no example", rule.id);
        assert!(finds(rule, example), "{}: the example is not found", rule.id);
        let instead = files_of(&text, "Instead");
        assert!(!finds(rule, instead), "{}: what stands instead is found", rule.id);
    }
}

/// The fixtures, which the program's own tests run too, without a program. `RULE=…` shows what is found in those of one.
#[test]
fn fixtures_hold() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/check/fixtures");
    let only = std::env::var("RULE").ok();
    let mut wrong = Vec::new();
    for rule in RULES {
        if only.as_ref().is_some_and(|only| only != rule.id) {
            continue;
        }
        for entry in std::fs::read_dir(fixtures.join(rule.id)).into_iter().flatten() {
            let folder = entry.unwrap().path();
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let mut files = Vec::new();
            collect(&folder, &folder, &mut files);
            let project = Project::of_texts(files);
            let settings = Settings {
                min_confidence: Some(Confidence::Low),
                ..Settings::default()
            };
            let report = Checker::new(settings, &[]).unwrap().check(&project);
            let own: Vec<_> = report
                .findings
                .iter()
                .filter(|finding| finding.rule == rule.id)
                .collect();
            if own.is_empty() == name.starts_with("bad-") {
                wrong.push(format!("{}/{name}: {} findings", rule.id, own.len()));
            }
            if only.is_some() {
                for finding in own {
                    let (file, span) = finding.place();
                    let source = &project.file(file).source;
                    let line = source.position(span.start).line;
                    println!(
                        "{name}/{}:{line}: {} [{:?}]",
                        source.path(),
                        finding.message,
                        span.slice(source.text())
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, text));
        }
    }
    files.sort();
}
