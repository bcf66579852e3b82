//! Which files are read, and as what: by their paths, and by their first bytes where a path does not say.
//!
//! Only names and bytes: nothing here looks at a disk.

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A Dockerfile or Containerfile.
    Dockerfile,
    /// A Compose file.
    Compose,
    /// A shell script.
    Script,
    /// A Makefile.
    Makefile,
    /// A workflow or a composite action of GitHub Actions.
    GithubWorkflow,
    /// A pipeline of GitLab CI.
    GitlabPipeline,
    /// `docker-bake.hcl`, `docker-bake.json` and their overrides.
    Bake,
    /// What a build context leaves out: `.dockerignore`, `<Dockerfile>.dockerignore`, `.containerignore`.
    DockerIgnore,
    /// `package.json` or `composer.json`, where a Dockerfile installs what it lists.
    Package,
}

/// Folders of inputs and outputs of tests: what is in them is no part of what the project builds.
const TEST_DATA: &[&str] = &[
    "__fixtures__",
    "__snapshots__",
    "fixtures",
    "test-data",
    "test_data",
    "testdata",
    "testfiles",
];

/// Whether a file is not the project's own way to build, by its path within what is checked: data of a test, or a dependency
/// that a package manager put into the tree (`vendor/OWNER/NAME/…` of Go and Composer). Such a file counts where it is named.
pub fn is_aside(path: &str) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let parts: Vec<&str> = folder.split('/').collect();
    let vendor = parts.iter().position(|part| *part == "vendor");
    vendor.is_some_and(|at| parts.len() > at + 2) || parts.iter().any(|part| TEST_DATA.contains(part))
}

/// How many bytes of a file [`FileKind::of_content`] looks at.
pub const CONTENT_HEAD: usize = 1024;

/// Templates, documentation, copies: what is made of a Dockerfile or becomes one is none.
const NO_DOCKERFILE: &[&str] = &[
    "adoc",
    "asc",
    "bak",
    "diff",
    "dockerignore",
    "containerignore",
    "ejs",
    "erb",
    "gotmpl",
    "hbs",
    "htm",
    "html",
    "in",
    "j2",
    "jinja",
    "jinja2",
    "json",
    "jsonnet",
    "lock",
    "m4",
    "map",
    "markdown",
    "md",
    "mdx",
    "mustache",
    "njk",
    "orig",
    "patch",
    "pdf",
    "png",
    "rego",
    "rej",
    "rst",
    "sed",
    "svg",
    "swp",
    "template",
    "tera",
    "tmpl",
    "tt",
    "toml",
    "tpl",
    "txt",
    "xml",
    "yaml",
    "yml",
];

/// Source code; `Dockerfile.go` may be either, and its content decides.
const SOURCE_CODE: &[&str] = &[
    "c", "cc", "cljs", "cpp", "cs", "dart", "ex", "exs", "go", "groovy", "h", "hs", "java", "js", "jsx",
    "kt", "lua", "mjs", "php", "pl", "ps1", "py", "rb", "rs", "scala", "swift", "ts", "tsx", "vim", "vue",
];

/// What a Makefile is made of, or what speaks about it.
const NO_MAKEFILE: &[&str] = &[
    "am", "em", "in", "j2", "md", "orig", "pl", "rej", "rst", "template", "tmpl", "tpl", "txt",
];

impl FileKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Dockerfile => "a Dockerfile",
            FileKind::Compose => "a Compose file",
            FileKind::Script => "a shell script",
            FileKind::Makefile => "a Makefile",
            FileKind::GithubWorkflow => "a GitHub workflow",
            FileKind::GitlabPipeline => "a GitLab pipeline",
            FileKind::Bake => "a bake file",
            FileKind::DockerIgnore => "an ignore file",
            FileKind::Package => "a package manifest",
        }
    }
}

impl FileKind {
    /// What a file is by its path, relative or not, with `/` between its parts. [`None`] for what is not read, and for what
    /// only its content tells ([`FileKind::depends_on_content`]).
    pub fn of_path(path: &str) -> Option<FileKind> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) => (stem, extension.to_ascii_lowercase()),
            None => (name, String::new()),
        };
        match extension.as_str() {
            "yml" | "yaml" => return of_yaml(folder, stem),
            "sh" | "bash" | "ksh" => return Some(FileKind::Script),
            "mk" | "mak" => return Some(FileKind::Makefile),
            "dockerignore" | "containerignore" => return Some(FileKind::DockerIgnore),
            "hcl" if has_word(stem, "bake") && !is_of_templates(folder) => return Some(FileKind::Bake),
            "json" if stem.starts_with("docker-bake") || stem.ends_with(".docker-bake") => {
                return (!is_of_templates(folder)).then_some(FileKind::Bake);
            }
            _ => {}
        }
        if is_dockerfile_name(name)
            && ![NO_DOCKERFILE, SOURCE_CODE]
                .concat()
                .contains(&extension.as_str())
        {
            return Some(FileKind::Dockerfile);
        }
        let makefile = ["Makefile", "makefile", "GNUmakefile"]
            .iter()
            .find_map(|base| name.strip_prefix(base));
        match makefile {
            Some("") => Some(FileKind::Makefile),
            Some(rest) if rest.starts_with('.') && !NO_MAKEFILE.contains(&extension.as_str()) => {
                Some(FileKind::Makefile)
            }
            _ => None,
        }
    }

    /// Whether the first bytes of a file have to be looked at: its name has no extension, or says two things.
    pub fn depends_on_content(path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        if FileKind::of_path(path).is_some() {
            return false;
        }
        match name.rsplit_once('.') {
            None => true,
            Some((_, extension)) => {
                name.starts_with("Dockerfile.")
                    && SOURCE_CODE.contains(&extension.to_ascii_lowercase().as_str())
            }
        }
    }

    /// What a file whose path does not tell is by its first bytes ([`CONTENT_HEAD`]): a script or a Makefile by `#!`, a
    /// Dockerfile by its first instruction.
    pub fn of_content(head: &[u8]) -> Option<FileKind> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let head = &head[..head.len().min(CONTENT_HEAD)];
        if head.contains(&0) {
            return None;
        }
        let text = String::from_utf8_lossy(head);
        if let Some(line) = text.strip_prefix("#!") {
            return of_interpreter(line.lines().next().unwrap_or_default());
        }
        is_dockerfile_text(&text).then_some(FileKind::Dockerfile)
    }

    /// What a file that somebody named is, whatever its name: by its path, then by its content.
    pub fn of_named(path: &str, head: &[u8]) -> Option<FileKind> {
        FileKind::of_path(path)
            .or_else(|| FileKind::of_content(head))
            .or_else(|| of_structure(path, head))
    }
}

fn of_yaml(folder: &str, stem: &str) -> Option<FileKind> {
    let parent_is = |wanted: &str| {
        folder
            .strip_suffix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    if [".github/workflows", ".gitea/workflows", ".forgejo/workflows"]
        .into_iter()
        .any(parent_is)
        || stem == "action"
    {
        return Some(FileKind::GithubWorkflow);
    }
    let of_gitlab = |part: &str| format!("/{folder}/").contains(part);
    if stem.ends_with(".gitlab-ci") || of_gitlab("/.gitlab-ci/") || of_gitlab("/.gitlab/ci/") {
        return Some(FileKind::GitlabPipeline);
    }
    let compose =
        has_word(stem, "compose") || stem.starts_with("docker-compose") || stem.starts_with("docker-stack");
    compose.then_some(FileKind::Compose)
}

/// Whether a name has a word between dots, dashes and underscores.
fn has_word(name: &str, word: &str) -> bool {
    name.split(['.', '-', '_']).any(|part| part == word)
}

fn is_dockerfile_name(name: &str) -> bool {
    ["Dockerfile", "Containerfile", "dockerfile", "containerfile"]
        .into_iter()
        .any(|word| has_word(name, word))
        || ["Dockerfile", "Containerfile"]
            .into_iter()
            .any(|word| name.starts_with(word) || name.ends_with(word))
}

/// What the line behind `#!` runs.
fn of_interpreter(line: &str) -> Option<FileKind> {
    let mut words = line.split_whitespace().peekable();
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut program = base(words.next()?);
    // `env -S A=1 bash`, `busybox sh`, s6's `with-contenv bash`: the program comes behind.
    if ["env", "busybox", "with-contenv"].contains(&program.as_str()) {
        program = base(words.find(|word| !word.starts_with('-') && !word.contains('='))?);
    }
    match program.as_str() {
        "sh" | "bash" | "dash" | "ash" | "ksh" | "ksh93" | "mksh" => Some(FileKind::Script),
        "make" | "gmake" => Some(FileKind::Makefile),
        _ => None,
    }
}

/// Whether the first thing that is no comment is `FROM image` or `ARG name`, as it must be in a Dockerfile.
fn is_dockerfile_text(text: &str) -> bool {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = first else {
        // Only comments so far: a parser directive is found nowhere else.
        return text.lines().next().is_some_and(|line| {
            let comment = line.trim_start_matches('#').trim_start();
            line.starts_with('#')
                && comment
                    .to_ascii_lowercase()
                    .replace(' ', "")
                    .starts_with("syntax=docker")
        });
    };
    let mut words = line.split_whitespace();
    let instruction = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
    match instruction {
        word if word.eq_ignore_ascii_case("from") => match rest.as_slice() {
            [image] | [image, _, _] => {
                let named = rest.len() == 1 || rest[1].eq_ignore_ascii_case("as");
                named && image.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '$')
            }
            _ => false,
        },
        "ARG" => !rest.is_empty(),
        _ => false,
    }
}

/// Whether a folder holds what bake files are made from: a program completes them, and nobody builds them as they are.
fn is_of_templates(folder: &str) -> bool {
    folder
        .split('/')
        .any(|part| part == "template" || part == "templates")
}

/// YAML and HCL by what stands at the beginning of their lines.
fn of_structure(path: &str, head: &[u8]) -> Option<FileKind> {
    let text = String::from_utf8_lossy(head);
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    if path.ends_with(".hcl") || has("target \"") || has("group \"") {
        return (has("target \"") || has("group \"")).then_some(FileKind::Bake);
    }
    if has("services:") || has("include:") && has("name:") {
        return Some(FileKind::Compose);
    }
    if has("jobs:") || has("runs:") {
        return Some(FileKind::GithubWorkflow);
    }
    if has("stages:") || has("image:") || text.contains("\n  script:") {
        return Some(FileKind::GitlabPipeline);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use FileKind::*;

    fn all(kind: Option<FileKind>, paths: &[&str]) {
        for path in paths {
            assert_eq!(FileKind::of_path(path), kind, "{path}");
        }
    }

    #[test]
    fn dockerfiles() {
        let dockerfiles = [
            "Dockerfile",
            "a/b/Dockerfile",
            "Dockerfile.dev",
            "Dockerfile-alpine",
            "Dockerfile_x",
            "api.Dockerfile",
            "api.dockerfile",
            "Containerfile",
            "Containerfile.dev",
            "dockerfile",
            "prod-Dockerfile",
            "Dockerfile2",
            "Dockerfile.v1.2",
            "Dockerfile.node",
        ];
        all(Some(Dockerfile), &dockerfiles);
        all(
            None,
            &[
                "Dockerfile.md",
                "Dockerfile.j2",
                "Dockerfile.tmpl",
                "Dockerfile.erb",
                "Dockerfile-linux.template",
                "Dockerfile.in",
                "dockerfile.go",
                "dockerfile.py",
                "src/dockerfile.ts",
                "DockerfileParser.java",
                "dockerfile_test.go",
                "my-dockerfiles",
                "Dockerfile.yml",
                "Dockerfile.go",
            ],
        );
        assert!(FileKind::depends_on_content("Dockerfile.go"));
        assert!(!FileKind::depends_on_content("dockerfile.go"));
    }

    #[test]
    fn compose_files() {
        let files = [
            "compose.yaml",
            "compose.yml",
            "docker-compose.yml",
            "docker-compose.override.yaml",
            "docker-compose-dev.yml",
            "compose.prod.yaml",
            "compose-prod.yaml",
            "dev.compose.yml",
            "dev-compose.yml",
            "a/docker_compose.yml",
            "docker-stack.yml",
        ];
        all(Some(Compose), &files);
        all(
            None,
            &[
                "composer.yml",
                "compose.json",
                "docker-compose.yml.j2",
                "decompose.yaml",
                "values.yaml",
            ],
        );
    }

    #[test]
    fn workflows_and_pipelines() {
        let workflows = [
            ".github/workflows/ci.yml",
            "sub/.github/workflows/docker-compose.yaml",
            "action.yml",
            "a/action.yaml",
            ".forgejo/workflows/x.yml",
        ];
        all(Some(GithubWorkflow), &workflows);
        all(
            None,
            &[
                "x.github/workflows/ci.yml",
                ".github/workflows/sub/ci.yml",
                ".github/dependabot.yml",
            ],
        );
        all(
            Some(GitlabPipeline),
            &[
                ".gitlab-ci.yml",
                "a/.gitlab-ci.yaml",
                "build.gitlab-ci.yml",
                ".gitlab/ci/build.yml",
                ".gitlab-ci/x.yml",
            ],
        );
    }

    #[test]
    fn data_of_tests_and_dependencies_in_the_tree_are_aside() {
        for path in [
            "testdata/Dockerfile",
            "a/fixtures/b/compose.yaml",
            "vendor/github.com/x/Makefile",
            "a/vendor/b/c/Dockerfile",
        ] {
            assert!(is_aside(path), "{path}");
        }
        for path in [
            "Dockerfile",
            "fixtures",
            "tests/Dockerfile",
            "vendor/Dockerfile",
            "vendor/nginx/Dockerfile",
        ] {
            assert!(!is_aside(path), "{path}");
        }
    }

    #[test]
    fn the_other_kinds() {
        all(Some(Script), &["build.sh", "a/b.bash", "c.ksh"]);
        all(
            Some(Makefile),
            &[
                "Makefile",
                "GNUmakefile",
                "makefile",
                "rules.mk",
                "Makefile.docker",
            ],
        );
        all(
            None,
            &[
                "Makefile.am",
                "Makefile.in",
                "Makefile.md",
                "CMakefile",
                "a.py",
                "Makefiles",
            ],
        );
        all(
            Some(Bake),
            &[
                "docker-bake.hcl",
                "docker-bake.override.json",
                "4.6.1.docker-bake.json",
                "bake.hcl",
                "ci.bake.hcl",
                "docker-bake.dev.hcl",
            ],
        );
        all(None, &["main.hcl", "bake.json"]);
        all(
            Some(DockerIgnore),
            &[
                ".dockerignore",
                "Dockerfile.dockerignore",
                ".containerignore",
                "a/x.Dockerfile.dockerignore",
            ],
        );
    }

    #[test]
    fn files_without_an_extension_are_told_by_their_first_bytes() {
        for script in [
            "#!/bin/sh\n",
            "#! /usr/bin/env bash",
            "#!/usr/bin/env -S FOO=1 bash -e\n",
            "#!/usr/bin/with-contenv bash\r\n",
            "#!/bin/busybox sh\n",
            "\u{feff}#!/bin/bash",
        ] {
            assert_eq!(FileKind::of_content(script.as_bytes()), Some(Script), "{script}");
        }
        assert_eq!(FileKind::of_content(b"#!/usr/bin/make -f\n"), Some(Makefile));
        for other in [
            "#!/usr/bin/env python3\n",
            "#!\n",
            "#!/usr/bin/env",
            "",
            "MIT License\n",
            "from os import path\n",
            "ELF\0",
        ] {
            assert_eq!(FileKind::of_content(other.as_bytes()), None, "{other}");
        }
        for dockerfile in [
            "# syntax=docker/dockerfile:1\n",
            "\n# x\nFROM --platform=$P alpine AS x\nRUN x",
            "ARG V=1\n",
            "from scratch",
        ] {
            assert_eq!(
                FileKind::of_content(dockerfile.as_bytes()),
                Some(Dockerfile),
                "{dockerfile}"
            );
        }
    }

    #[test]
    fn named_files_may_have_any_name() {
        let of = |path, text: &str| FileKind::of_named(path, text.as_bytes());
        assert_eq!(of("stack.yml", "version: '3'\nservices:\n  a:\n"), Some(Compose));
        assert_eq!(of("ci.yml", "on: push\njobs:\n"), Some(GithubWorkflow));
        assert_eq!(
            of("build.yml", "build:\n  script:\n    - x\n"),
            Some(GitlabPipeline)
        );
        assert_eq!(of("x.hcl", "target \"a\" {\n}\n"), Some(Bake));
        assert_eq!(of("Dockerfile.j2", "FROM alpine\n"), Some(Dockerfile));
        assert_eq!(of("notes.txt", "hello\n"), None);
    }
}
