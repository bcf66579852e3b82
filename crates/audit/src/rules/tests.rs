use super::*;
use crate::{Checker, File, FileKind, Settings, Source, Tree};

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
    let tree = Tree {
        files: files.iter().map(|(path, _)| path.clone()).collect(),
        ..Tree::default()
    };
    let files = files.into_iter().filter_map(|(path, text)| {
        let kind = FileKind::of_path(&path)?;
        Some(File::read(Source::new(path, text), kind))
    });
    let checker = Checker::new(Settings::default(), &[]).unwrap();
    let report = checker.check(&Project::new(files, tree));
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
