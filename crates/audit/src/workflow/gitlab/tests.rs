//! What is read of pipelines.

use super::Pipeline;
use crate::yaml::Yaml;
use crate::{MappedText, Source, Span};

fn read(text: &str) -> Pipeline {
    let source = Source::new(".gitlab-ci.yml", text);
    Pipeline::of(&source, &Yaml::parse(text).unwrap())
}

const FILE: &str = r#"include:
  - local: /ci/build.yml
  - project: a/b
    file: [x.yml, y.yml]
  - https://example.com/z.yml
default:
  image: docker:27
  before_script:
    - docker info
variables:
  DOCKER_BUILDKIT: "0"
.build:
  services: [{ name: "docker:dind", alias: dind }]
  variables: { A: base, B: base }
  cache:
    key: "$CI_COMMIT_REF_SLUG"
    paths: [node_modules]
  script:
    - &login docker login
    - docker build .
.last: &last
  - echo last
build:
  extends: .build
  stage: build
  variables: { B: own }
  cache: { policy: pull }
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
      changes: { paths: [src] }
    - when: manual
deploy:
  extends: [.build, .none]
  before_script: []
  image: { name: alpine }
  needs: [build, { job: x }]
  script:
    - !reference [.build, script]
    - [one, [two]]
    - *last
    - |
      multi
      line
  after_script: docker system prune -f
  inherit: { default: false }
"#;

fn lines(lines: &[MappedText]) -> Vec<&str> {
    lines.iter().map(MappedText::text).collect()
}

#[test]
fn a_job_is_itself_over_what_it_extends_over_the_defaults() {
    let pipeline = read(FILE);
    let build = pipeline.job("build").unwrap();
    assert_eq!(build.image.as_ref().unwrap().name.value, "docker:27");
    assert_eq!(build.services[0].alias.as_ref().unwrap().value, "dind");
    assert_eq!(
        lines(&build.script.lines),
        ["docker info", "docker login", "docker build ."]
    );
    assert_eq!(
        build.script.text.text(),
        "docker info\ndocker login\ndocker build ."
    );
    let at = build.script.text.text().find("docker build").unwrap();
    assert_eq!(
        build.script.text.span(Span::new(at, at + 14)).slice(FILE),
        "docker build ."
    );
    let variables: Vec<(&str, &str)> = build
        .variables
        .iter()
        .map(|pair| (pair.name.as_str(), pair.text()))
        .collect();
    assert_eq!(variables, [("B", "own"), ("A", "base")]);
    let cache = &build.caches[0];
    assert_eq!(cache.key.as_ref().unwrap().value, "$CI_COMMIT_REF_SLUG");
    assert_eq!(cache.policy.as_ref().unwrap().value, "pull");
    assert_eq!(cache.paths[0].value, "node_modules");
    assert_eq!(build.rules.len(), 2);
    assert_eq!(build.rules[0].changes[0].value, "src");
    assert!(!build.hidden && pipeline.job(".build").unwrap().hidden);
}

#[test]
fn scripts_are_flat_with_what_they_reference() {
    let pipeline = read(FILE);
    let deploy = pipeline.job("deploy").unwrap();
    assert_eq!(
        lines(&deploy.script.lines),
        [
            "docker login",
            "docker build .",
            "one",
            "two",
            "echo last",
            "multi\nline\n"
        ]
    );
    assert_eq!(lines(&deploy.after_script.lines), ["docker system prune -f"]);
    assert_eq!(deploy.image.as_ref().unwrap().name.value, "alpine");
    let needs: Vec<&str> = deploy.needs.iter().map(|need| need.value.as_str()).collect();
    assert_eq!(needs, ["build", "x"]);
}

#[test]
fn included_files_are_told_by_kind() {
    let pipeline = read(FILE);
    let includes: Vec<(&str, &str)> = pipeline
        .includes
        .iter()
        .map(|include| (include.kind.as_str(), include.target.value.as_str()))
        .collect();
    assert_eq!(
        includes,
        [
            ("local", "/ci/build.yml"),
            ("project", "x.yml"),
            ("project", "y.yml"),
            ("remote", "https://example.com/z.yml"),
        ]
    );
    assert_eq!(pipeline.variables[0].text(), "0");
    assert_eq!(read("include: ci.yml\n").includes[0].kind, "local");
}

#[test]
fn circles_and_oddities_end() {
    let circle =
        read("a:\n  extends: b\n  script: [!reference [a, script]]\nb:\n  extends: a\n  script: x\n");
    assert!(circle.job("a").unwrap().script.lines.is_empty());
    assert_eq!(lines(&circle.job("b").unwrap().script.lines), ["x"]);
    let spec = read("spec:\n  inputs:\n    a:\n---\njob:\n  script: echo $[[ inputs.a ]]\n");
    assert_eq!(
        lines(&spec.job("job").unwrap().script.lines),
        ["echo $[[ inputs.a ]]"]
    );
    for text in [
        "",
        "[]",
        "a: {script: {x: y}}",
        "a: {script: [x: y, null, 1]}",
        "cache: x\na: {script: b, cache: [x, {key: {files: [l]}}]}",
    ] {
        read(text);
    }
    let own = read("a:\n  script: x\n  inherit: {default: [image]}\ndefault: {image: i, before_script: b}\n");
    let job = own.job("a").unwrap();
    assert_eq!(
        (
            job.image.as_ref().unwrap().name.value.as_str(),
            lines(&job.script.lines)
        ),
        ("i", vec!["x"])
    );
}
