//! What kind of file a path and its content are, as far as the corpus cares.
//!
//! Must not: read files, or stand in for the product's own discovery, which is what the corpus is to test.

/// The kinds of files that are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Dockerfile or Containerfile
    Dockerfile,
    /// A Compose file
    Compose,
    /// A shell script
    Script,
    /// A GitHub workflow or GitLab pipeline
    Workflow,
    /// A Makefile
    Makefile,
    /// A bake file
    Bake,
    /// An ignore file of a build context
    Ignore,
    /// A small file that other files' meaning depends on, such as `package.json`
    Marker,
}

impl Kind {
    /// All kinds, in the order of the reports.
    pub const ALL: [Kind; 8] = [
        Kind::Dockerfile,
        Kind::Compose,
        Kind::Script,
        Kind::Workflow,
        Kind::Makefile,
        Kind::Bake,
        Kind::Ignore,
        Kind::Marker,
    ];

    /// The kind's folder in the corpus; markers have none.
    pub fn folder(self) -> Option<&'static str> {
        match self {
            Kind::Dockerfile => Some("dockerfiles"),
            Kind::Compose => Some("compose"),
            Kind::Script => Some("scripts"),
            Kind::Workflow => Some("workflows"),
            Kind::Makefile => Some("makefiles"),
            Kind::Bake => Some("bake"),
            Kind::Ignore => Some("ignore"),
            Kind::Marker => None,
        }
    }

    /// The kind of the file at a path relative to its source, with `/` between the parts.
    pub fn of(path: &str, content: &[u8]) -> Option<Kind> {
        let lower = path.to_ascii_lowercase();
        let name = lower.rsplit('/').next().unwrap_or_default();
        by_name(name).or_else(|| match extension(name) {
            Some("yml" | "yaml") => yaml(&lower, name, content),
            Some(_) => None,
            None => has_shell_line(content).then_some(Kind::Script),
        })
    }

    /// Whether a file of this path can be of any kind: says no to most files without their content.
    pub fn is_possible(path: &str) -> bool {
        let lower = path.to_ascii_lowercase();
        let name = lower.rsplit('/').next().unwrap_or_default();
        by_name(name).is_some() || matches!(extension(name), None | Some("yml" | "yaml"))
    }
}

/// Files that say how a project is installed, and what git leaves out.
const MARKERS: [&str; 16] = [
    ".env",
    ".env.example",
    ".gitattributes",
    ".gitignore",
    "cargo.toml",
    "composer.json",
    "gemfile",
    "go.mod",
    "go.sum",
    "package-lock.json",
    "package.json",
    "pnpm-lock.yaml",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
    "yarn.lock",
];

/// Endings of files that merely have `Dockerfile` or the like in their names.
const OTHER: [&str; 24] = [
    "erb", "go", "html", "in", "j2", "java", "jinja", "jinja2", "js", "json", "lock", "m4", "md", "mustache",
    "patch", "py", "rb", "rs", "rst", "template", "tmpl", "toml", "ts", "txt",
];

fn by_name(name: &str) -> Option<Kind> {
    let starts = |beginning: &str| {
        let rest = name.strip_prefix(beginning);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_', '-']))
    };
    if MARKERS.contains(&name) {
        return Some(Kind::Marker);
    }
    if name.ends_with(".dockerignore") || name.ends_with(".containerignore") {
        return Some(Kind::Ignore);
    }
    let ending = extension(name);
    if matches!(ending, Some("hcl" | "json")) && name.contains("bake") {
        let named = name.starts_with("docker-bake") || ending == Some("hcl");
        return named.then_some(Kind::Bake);
    }
    if matches!(ending, Some("sh" | "bash")) {
        return Some(Kind::Script);
    }
    if matches!(ending, Some("yml" | "yaml")) || is_source(name) {
        return None;
    }
    if ["dockerfile", "containerfile"].into_iter().any(starts)
        || matches!(ending, Some("dockerfile" | "containerfile"))
    {
        return Some(Kind::Dockerfile);
    }
    (["makefile", "gnumakefile"].into_iter().any(starts) || ending == Some("mk")).then_some(Kind::Makefile)
}

fn is_source(name: &str) -> bool {
    extension(name).is_some_and(|ending| OTHER.contains(&ending))
}

/// The ending, of names that have more than that.
fn extension(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty()).then_some(ending)
}

/// A file's kind by its keys; a name alone tells little of YAML.
fn yaml(path: &str, name: &str, content: &[u8]) -> Option<Kind> {
    let text = String::from_utf8_lossy(content);
    let has = |key: &str| text.lines().any(|line| top_level_key(line) == Some(key));
    let nested = |key: &str| {
        let mut lines = text.lines().filter(|line| line.starts_with([' ', '\t']));
        lines.any(|line| {
            line.trim_start()
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(':'))
        })
    };
    if has("jobs") && (has("on") || path.contains(".github/workflows/")) {
        return Some(Kind::Workflow);
    }
    if path.contains(".gitlab-ci") || path.contains(".gitlab/ci/") {
        return (nested("script") || nested("extends") || has("include")).then_some(Kind::Workflow);
    }
    let of_another = ["kind", "apiversion", "jobs", "caproveroneclickapp"];
    if text
        .lines()
        .filter_map(top_level_key)
        .any(|key| of_another.contains(&key.to_ascii_lowercase().as_str()))
    {
        return None;
    }
    let has_service = nested("image") || nested("build");
    let is_named = name.contains("compose") && !name.starts_with("composer");
    let is_compose =
        has("services") && (has_service || is_named) || is_named && (has("include") || has_service);
    is_compose.then_some(Kind::Compose)
}

/// The key of a line such as `services:`, which nothing stands before.
fn top_level_key(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '#', '-']) {
        return None;
    }
    let (key, _) = line.split_once(':')?;
    Some(key.trim_end().trim_matches(['"', '\'']))
}

/// Whether a first line names a shell.
fn has_shell_line(content: &[u8]) -> bool {
    let head = &content[..content.len().min(80)];
    let Some(line) = head.strip_prefix(b"#!") else {
        return false;
    };
    let line = String::from_utf8_lossy(line);
    let line = line.lines().next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace();
    let program = words.next().and_then(|word| word.rsplit('/').next());
    let program = if program == Some("env") {
        words.next()
    } else {
        program
    };
    !content.contains(&0) && matches!(program, Some("sh" | "bash" | "dash" | "ash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_most_kinds() {
        let kind = |path| Kind::of(path, b"");
        for path in [
            "a/Dockerfile",
            "Dockerfile.dev",
            "web.dockerfile",
            "x/Containerfile",
            "Dockerfile-test",
        ] {
            assert_eq!(kind(path), Some(Kind::Dockerfile), "{path}");
        }
        for path in [
            "Dockerfile.j2",
            "dockerfile.go",
            "Dockerfiles",
            "docs/Dockerfile.md",
            "dockerfile.yml",
        ] {
            assert_eq!(kind(path), None, "{path}");
        }
        assert_eq!(kind("Dockerfile.dockerignore"), Some(Kind::Ignore));
        assert_eq!(kind(".dockerignore"), Some(Kind::Ignore));
        assert_eq!(kind("docker-bake.override.json"), Some(Kind::Bake));
        assert_eq!(kind("bakery.json"), None);
        assert_eq!(kind("rules.mk"), Some(Kind::Makefile));
        assert_eq!(kind("install.sh"), Some(Kind::Script));
        assert_eq!(kind("web/package.json"), Some(Kind::Marker));
    }

    #[test]
    fn yaml_is_told_by_its_keys() {
        let compose = b"services:\n  web:\n    image: nginx\n";
        assert_eq!(Kind::of("stack.yml", compose), Some(Kind::Compose));
        assert_eq!(
            Kind::of("docker-compose.yml", b"web:\n  build: .\n"),
            Some(Kind::Compose)
        );
        assert_eq!(
            Kind::of("deploy.yaml", b"kind: Pod\nservices:\n  image: x\n"),
            None
        );
        assert_eq!(Kind::of("values.yaml", b"services:\n  web: 1\n"), None);
        assert_eq!(Kind::of("composer.yml", b"a:\n  b: 1\n"), None);
        let workflow = b"'on': push\njobs:\n  a:\n    steps: []\n";
        assert_eq!(Kind::of("templates/ci.yml", workflow), Some(Kind::Workflow));
        assert_eq!(
            Kind::of(".github/workflows/a.yml", b"jobs:\n"),
            Some(Kind::Workflow)
        );
        assert_eq!(
            Kind::of(".gitlab-ci.yml", b"a:\n  script: make\n"),
            Some(Kind::Workflow)
        );
    }

    #[test]
    fn a_first_line_tells_a_script() {
        assert_eq!(Kind::of("bin/run", b"#!/usr/bin/env bash\n"), Some(Kind::Script));
        assert_eq!(Kind::of("bin/run", b"#! /bin/sh -e\n"), Some(Kind::Script));
        assert_eq!(Kind::of("bin/run", b"#!/usr/bin/env python3\n"), None);
        assert_eq!(Kind::of("bin/run", b"#!/bin/sh\n\0\0"), None);
        assert!(Kind::is_possible("bin/run"));
        assert!(!Kind::is_possible("logo.png"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(path: String, content: Vec<u8>) {
            let _ = Kind::of(&path, &content);
            let _ = Kind::is_possible(&path);
        }

        #[test]
        fn what_is_not_possible_is_no_kind(path in "[a-zA-Z./_-]{0,24}", content: String) {
            if !Kind::is_possible(&path) {
                proptest::prop_assert_eq!(Kind::of(&path, content.as_bytes()), None);
            }
        }
    }
}
