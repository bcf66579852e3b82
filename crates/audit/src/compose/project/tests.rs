//! What several files make together.

use super::*;
use crate::compose::tests::{pairs, read};

fn project(files: &[(&str, &str)], named: &[&str]) -> ComposeProject {
    let read: BTreeMap<&str, ComposeFile> = files
        .iter()
        .map(|(path, text)| (*path, read(path, text)))
        .collect();
    let named: Vec<String> = named.iter().map(|path| (*path).to_owned()).collect();
    load(&named, &|path| read.get(path))
}

#[test]
fn an_override_lies_over_its_base() {
    let base = "\
services:
  web:
    image: web:1
    build: {context: app, args: {A: 1, B: 1}}
    volumes: [./a:/data, x:/x]
    command: one
  db: {image: db}
  old: {image: old}
";
    let over = "\
services:
  web:
    image: web:2
    build: {args: [B=2, C=2], target: dev}
    volumes: [./b:/data]
    command: !reset null
  old: !reset null
";
    let project = project(
        &[("d/compose.yaml", base), ("d/compose.override.yml", over)],
        &["d/compose.yaml", "d/compose.override.yml"],
    );
    let names: Vec<_> = project
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["web", "db"]);
    let web = &project.services[0];
    let image = web.image.as_ref().unwrap();
    assert_eq!(
        (image.value.as_str(), &*image.place.path),
        ("web:2", "d/compose.override.yml")
    );
    let build = web.build.as_ref().unwrap();
    assert_eq!(
        pairs(&build.args),
        [("A", Some("1")), ("B", Some("2")), ("C", Some("2"))]
    );
    assert_eq!(&*build.args[0].place.path, "d/compose.yaml");
    assert_eq!(&*build.args[1].place.path, "d/compose.override.yml");
    assert_eq!(context_of(build).as_deref(), Some("d/app"));
    assert_eq!(dockerfile_of(build).as_deref(), Some("d/app/Dockerfile"));
    assert_eq!(web.volumes[0].source.as_deref(), Some("./b"));
    assert_eq!(web.volumes.len(), 2);
    assert!(web.command.is_none());
}

#[test]
fn a_marked_part_replaces_what_lies_below() {
    let base = "services:\n  web:\n    build: {context: ., args: {A: 1}, cache_from: [x]}\n    environment: {A: 1, B: 1}\n    volumes: [a:/a]\n";
    let over = "services:\n  web:\n    build:\n      args: !override {B: 2}\n      cache_from: !reset []\n    environment:\n      A: !reset null\n    volumes: !override [b:/b]\n";
    let project = project(&[("a.yml", base), ("b.yml", over)], &["a.yml", "b.yml"]);
    let web = &project.services[0];
    let build = web.build.as_ref().unwrap();
    assert_eq!(pairs(&build.args), [("B", Some("2"))]);
    assert!(build.cache_from.is_empty());
    assert_eq!(pairs(&web.environment), [("B", Some("1"))]);
    assert_eq!(web.volumes.len(), 1);
}

#[test]
fn paths_of_several_files_are_relative_to_the_first() {
    let project = project(
        &[
            ("compose.yaml", "services:\n  web: {build: {context: ./app}}\n"),
            (
                "deploy/prod.yml",
                "services:\n  web: {build: {context: ./prod}}\n",
            ),
        ],
        &["compose.yaml", "deploy/prod.yml", "none.yml"],
    );
    assert_eq!(
        context_of(project.services[0].build.as_ref().unwrap()).as_deref(),
        Some("prod")
    );
    assert_eq!(project.missing, ["none.yml"]);
}

#[test]
fn services_are_extended_and_included_across_files() {
    let project = project(
        &[
            (
                "compose.yaml",
                "include: [sub/compose.yaml]\nservices:\n  web:\n    extends: {file: base/base.yml, service: base}\n    image: web\n  own: {extends: web}\n",
            ),
            (
                "base/base.yml",
                "services:\n  base:\n    extends: root\n    build: {args: {A: 1}}\n  root: {build: {context: ../app}, restart: always}\n",
            ),
            ("sub/compose.yaml", "services:\n  db: {build: .}\n"),
        ],
        &["compose.yaml"],
    );
    let found = |name: &str| {
        project
            .services
            .iter()
            .find(|service| service.name == name)
            .unwrap()
    };
    for name in ["web", "own"] {
        let web = found(name);
        let build = web.build.as_ref().unwrap();
        assert_eq!(context_of(build).as_deref(), Some("app"), "{name}");
        assert_eq!(pairs(&build.args), [("A", Some("1"))]);
        assert_eq!(web.restart.as_ref().unwrap().value, "always");
        assert_eq!(&*web.restart.as_ref().unwrap().place.path, "base/base.yml");
    }
    assert_eq!(
        context_of(found("db").build.as_ref().unwrap()).as_deref(),
        Some("sub")
    );
    assert_eq!(
        project.files,
        ["compose.yaml", "sub/compose.yaml", "base/base.yml"]
    );
}

#[test]
fn circles_come_to_an_end() {
    let project = project(
        &[
            (
                "a.yml",
                "include: [b.yml, b.yml]\nservices:\n  x: {extends: y, image: i}\n  y: {extends: x}\n  z: {extends: {file: a.yml, service: z}}\n",
            ),
            ("b.yml", "include: [a.yml, b.yml]\nservices: {q: {image: r}}\n"),
        ],
        &["a.yml"],
    );
    assert_eq!(project.services.len(), 4);
}

#[test]
fn default_files_are_compose_s_own() {
    let found = default_files([
        "docker-compose.yml",
        "docker-compose.override.yml",
        "docker-compose.prod.yml",
        "a/compose.yml",
        "a/compose.yaml",
        "a/docker-compose.override.yaml",
        "b/compose.override.yml",
    ]);
    assert_eq!(
        found,
        [
            vec!["docker-compose.yml", "docker-compose.override.yml"],
            vec!["a/compose.yaml", "a/docker-compose.override.yaml"],
        ]
    );
}
