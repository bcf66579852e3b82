//! What is read of each form.

use super::project::{context_of, dockerfile_of, load};
use super::*;
use crate::yaml::tests::{files_below, yamlish};
use proptest::prelude::*;
use std::collections::BTreeMap;

pub(super) fn read(path: &str, text: &str) -> ComposeFile {
    ComposeFile::read(&Source::new(path, text)).unwrap()
}

fn service(text: &str) -> (ComposeFile, Service) {
    let file = read("compose.yaml", text);
    let service = file.services[0].clone();
    (file, service)
}

fn values(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(|text| text.value.as_str()).collect()
}

pub(super) fn pairs(pairs: &[Pair]) -> Vec<(&str, Option<&str>)> {
    pairs
        .iter()
        .map(|pair| (pair.name.as_str(), pair.value.as_deref()))
        .collect()
}

#[test]
fn a_build_in_its_short_form_is_a_context() {
    let text = "services:\n  web:\n    build: ./web # here\n    image: web\n";
    let (_, web) = service(text);
    let build = web.build.unwrap();
    assert!(build.is_short);
    let context = build.context.unwrap();
    assert_eq!(context.value, "./web");
    assert_eq!(context.place.value.slice(text), "./web");
    assert_eq!(context.place.span.slice(text), "build: ./web");
    assert_eq!(web.name_span.slice(text), "web");
    assert_eq!(
        web.place.span.slice(text),
        "web:\n    build: ./web # here\n    image: web"
    );
    assert_eq!(web.image.unwrap().place.span.slice(text), "image: web");
}

#[test]
fn a_build_in_its_long_form() {
    let text = "\
services:
  web:
    build:
      context: web
      dockerfile: deploy/Dockerfile
      target: prod
      args:
        A: 1
        B:
        C: \"${C:-x}\"
      cache_from: [type=gha, web:latest]
      cache_to:
        - type=inline
      no_cache: true
      pull: false
      platforms: [linux/amd64]
      tags: [web:1]
      secrets: [npm, {source: key, target: /k}]
      additional_contexts: {base: ../base}
      labels: [a=b]
      network: host
";
    let (file, web) = service(text);
    let build = web.build.unwrap();
    assert_eq!(
        pairs(&build.args),
        [("A", Some("1")), ("B", None), ("C", Some("${C:-x}"))]
    );
    assert_eq!(build.args[2].place.span.slice(text), "C: \"${C:-x}\"");
    assert_eq!(build.args[1].place.span.slice(text), "B:");
    assert_eq!(values(&build.cache_from), ["type=gha", "web:latest"]);
    assert_eq!(build.cache_to[0].place.span.slice(text), "type=inline");
    assert_eq!(build.no_cache.as_ref().map(|found| found.value), Some(true));
    assert_eq!(
        build.pull.as_ref().map(|found| found.place.span.slice(text)),
        Some("pull: false")
    );
    assert_eq!(
        (values(&build.platforms), values(&build.tags)),
        (vec!["linux/amd64"], vec!["web:1"])
    );
    assert_eq!(build.secrets[1].target.as_deref(), Some("/k"));
    assert_eq!(pairs(&build.additional_contexts), [("base", Some("../base"))]);
    assert_eq!(pairs(&build.labels), [("a", Some("b"))]);
    assert_eq!(
        build.network.as_ref().map(|found| found.value.as_str()),
        Some("host")
    );
    assert_eq!(context_of(&build).as_deref(), Some("web"));
    assert_eq!(dockerfile_of(&build).as_deref(), Some("web/deploy/Dockerfile"));
    let removal = file.removal(&build.args[0].place).unwrap();
    assert_eq!(removal[0].slice(text), "        A: 1\n");
    let removal = file.removal(&build.cache_to[0].place).unwrap();
    assert_eq!(removal[0].slice(text), "      cache_to:\n        - type=inline\n");
}

#[test]
fn args_of_a_list_have_names_and_places() {
    let text = "services:\n  web:\n    build:\n      args:\n        - A=1=2\n        - \"B\"\n";
    let (file, web) = service(text);
    let args = web.build.unwrap().args;
    assert_eq!(pairs(&args), [("A", Some("1=2")), ("B", None)]);
    assert_eq!(args[0].name_span.slice(text), "A");
    assert_eq!(args[1].name_span.slice(text), "B");
    assert_eq!(args[1].place.span.slice(text), "\"B\"");
    assert_eq!(
        file.removal(&args[0].place).unwrap()[0].slice(text),
        "        - A=1=2\n"
    );
}

#[test]
fn what_comes_from_an_anchor_is_at_the_anchor() {
    let text = "\
x-args: &args
  A: 1
services:
  web:
    build:
      context: .
      args:
        <<: *args
        B: 2
  api:
    build: &api
      args: *args
  job:
    build: *api
";
    let file = read("compose.yaml", text);
    let args = |name: &str| file.service(name).unwrap().build.clone().unwrap().args;
    let web = args("web");
    assert_eq!(pairs(&web), [("B", Some("2")), ("A", Some("1"))]);
    assert_eq!(web[1].place.span.start, text.find("A: 1").unwrap());
    assert_eq!(web[1].place.anchor.as_deref(), Some("args"));
    assert_eq!(web[0].place.anchor, None);
    assert_eq!(args("job")[0].place.span, web[1].place.span);
    assert_eq!(file.uses_of("args").len(), 2);
    assert_eq!(values(&file.extensions), ["x-args"]);
    // Removing it would leave the anchor's users with nothing.
    assert_eq!(file.removal(&web[1].place), None);
}

#[test]
fn services_in_their_forms() {
    let text = "\
name: shop
services:
  web:
    container_name: shop-web
    volumes:
      - ./src:/app/src:ro
      - db:/data
      - /app/node_modules
      - type: bind
        source: ./x
        target: /x
        read_only: true
      - {type: volume, target: /y}
      - {type: tmpfs, target: /z}
    environment: [A=1, B]
    env_file: .env
    command: npm start
    entrypoint: [sh, -c]
    healthcheck: {test: [NONE]}
    depends_on: {db: {condition: service_healthy}}
    pull_policy: build
    platform: linux/arm64
    profiles: [debug]
    restart: always
    deploy: {replicas: 3}
    develop:
      watch:
        - {action: sync, path: ./src, target: /app/src}
    labels: {a: b}
    configs: [conf]
    secrets: [{source: s, target: t}]
    extends: {file: base.yml, service: base}
    biuld: .
    x-own: 1
volumes:
  db:
  ext: {external: true}
  host: {driver_opts: {type: none, device: /srv, o: bind}}
secrets:
  s: {file: ./s.txt}
include:
  - other.yml
  - path: [a.yml, b.yml]
    project_directory: sub
";
    let (file, web) = service(text);
    assert_eq!(file.name.as_ref().map(|name| name.value.as_str()), Some("shop"));
    let mounts: Vec<_> = web
        .volumes
        .iter()
        .map(|mount| {
            (
                mount.kind,
                mount.source.as_deref(),
                mount.target.as_str(),
                mount.read_only,
            )
        })
        .collect();
    use MountKind::{Anonymous, Bind, Named, Tmpfs};
    assert_eq!(
        mounts,
        [
            (Bind, Some("./src"), "/app/src", true),
            (Named, Some("db"), "/data", false),
            (Anonymous, None, "/app/node_modules", false),
            (Bind, Some("./x"), "/x", true),
            (Anonymous, None, "/y", false),
            (Tmpfs, None, "/z", false),
        ]
    );
    assert_eq!(pairs(&web.environment), [("A", Some("1")), ("B", None)]);
    assert_eq!(values(&web.env_file), [".env"]);
    let command = web.command.unwrap();
    assert_eq!(
        (values(&command.words), command.is_list),
        (vec!["npm start"], false)
    );
    assert_eq!(values(&web.entrypoint.unwrap().words), ["sh", "-c"]);
    assert!(web.healthcheck.unwrap().is_disabled);
    assert_eq!(web.depends_on[0].condition, "service_healthy");
    assert_eq!(web.replicas.unwrap().value, "3");
    assert_eq!(web.watch[0].action.as_ref().unwrap().value, "sync");
    assert_eq!(web.secrets[0].target.as_deref(), Some("t"));
    assert_eq!(web.extends.unwrap().service, "base");
    assert_eq!(values(&web.unknown), ["biuld"]);
    let volumes: Vec<_> = file
        .volumes
        .iter()
        .map(|volume| (volume.name.as_str(), volume.is_external))
        .collect();
    assert_eq!(volumes, [("db", false), ("ext", true), ("host", false)]);
    assert_eq!(file.volumes[2].device.as_ref().unwrap().value, "/srv");
    assert_eq!(file.secrets[0].file.as_ref().unwrap().value, "./s.txt");
    assert_eq!(values(&file.include[1].paths), ["a.yml", "b.yml"]);
}

#[test]
fn version_1_has_services_at_its_top() {
    let file = read(
        "docker-compose.yml",
        "web:\n  build: .\n  dockerfile: Dev.Dockerfile\ndb:\n  image: postgres\n",
    );
    assert!(file.is_legacy);
    assert_eq!(file.services.len(), 2);
    let build = file.services[0].build.clone().unwrap();
    assert_eq!(dockerfile_of(&build).as_deref(), Some("Dev.Dockerfile"));
    assert_eq!(
        read("a.yml", "version: '3'\nservices:\n  a: {image: b}\n")
            .version
            .unwrap()
            .value,
        "3"
    );
}

#[test]
fn not_every_yaml_is_a_compose_file() {
    let looks = |text: &str| looks_like_compose(&Yaml::parse(text).unwrap());
    for text in [
        "services: {a: {image: b}}",
        "services:\n",
        "a: {build: .}",
        "include: [a.yml]",
        "volumes: {a: {}}",
    ] {
        assert!(looks(text), "{text}");
    }
    for text in [
        "on: push\njobs: {a: {services: {db: {image: x}}}}",
        "apiVersion: v1\nkind: Service\nspec: {}",
        "stages: [build]\nbuild: {image: x, script: [y]}",
        "include: [{local: x.yml}]\nbuild: {script: [y]}",
        "services: [docker:dind]\nbuild: {image: x, script: [y]}",
        "build: {image: x, script: [y]}",
        "- a",
        "a: 1",
        "version: 2\nupdates: []",
        "",
    ] {
        assert!(!looks(text), "{text}");
    }
}

#[test]
fn aliases_do_not_multiply() {
    let args: String = (0..5_000).map(|n| format!("  a{n}: 1\n")).collect();
    let services: String = (0..5_000)
        .map(|n| format!("  s{n}: {{image: x, build: {{args: *a}}, labels: {{<<: *a}}}}\n"))
        .collect();
    let text = format!("x-a: &a\n{args}services:\n{services}");
    let started = std::time::Instant::now();
    let file = read("compose.yaml", &text);
    let pairs: usize = file
        .services
        .iter()
        .flat_map(|service| &service.build)
        .map(|build| build.args.len())
        .sum();
    assert!(pairs < 1_000_000, "{pairs}");
    let legacy: String = (0..5_000).map(|n| format!("s{n}: *a\n")).collect();
    assert!(!looks_like_compose(
        &Yaml::parse(&format!("x-a: &a\n{args}{legacy}")).unwrap()
    ));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn dockerfiles_that_are_no_files_of_the_project() {
    let dockerfile = |build: &str| {
        let text = format!("services:\n  web:\n    build: {build}\n");
        dockerfile_of(service(&text).1.build.as_ref().unwrap())
    };
    assert_eq!(dockerfile("."), Some("Dockerfile".into()));
    assert_eq!(dockerfile("{dockerfile: ../x/D}"), Some("../x/D".into()));
    assert_eq!(dockerfile("https://git.example/x.git"), None);
    assert_eq!(dockerfile("{context: ., dockerfile_inline: FROM scratch}"), None);
    assert_eq!(dockerfile("${APP}"), None);
    assert_eq!(dockerfile("${APP:-app}"), Some("app/Dockerfile".into()));
}

proptest! {
    #[test]
    fn arbitrary_files_do_not_break_it(text in yamlish(), value in "\\PC{0,20}") {
        for text in [format!("services:\n  a:\n    build:\n      args: {text}\n"), format!("services:\n  a: {{image: '{value}', volumes: ['{value}'], build: '{value}'}}\n"), text] {
            if let Ok(file) = ComposeFile::read(&Source::new("a.yml", text)) {
                let project = load(&["a.yml".to_owned()], &|_| Some(&file));
                for service in &project.services {
                    let _ = service.build.as_ref().map(|build| (context_of(build), dockerfile_of(build)));
                }
            }
        }
    }
}

/// `UNSTALE_CORPUS=folder cargo test -p unstale-audit corpus_of_compose -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of Compose files in UNSTALE_CORPUS"]
#[allow(clippy::print_stdout)]
fn corpus_of_compose_files() {
    let mut files = Vec::new();
    for folder in std::env::var("UNSTALE_CORPUS").unwrap().split(':') {
        files_below(folder.as_ref(), &mut files);
    }
    let (mut read, mut services, mut builds, mut unread) = (0, 0, 0, Vec::new());
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for path in &files {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match ComposeFile::read(&Source::new(name.clone(), text.clone())) {
            Ok(file) => {
                read += 1;
                for service in &file.services {
                    services += 1;
                    assert_eq!(
                        service.name_span.slice(&text).trim_matches(['"', '\'']),
                        service.name,
                        "{name}"
                    );
                    for key in &service.unknown {
                        *unknown.entry(key.value.clone()).or_default() += 1;
                    }
                    let Some(build) = &service.build else { continue };
                    builds += 1;
                    for arg in &build.args {
                        assert!(file.node(&arg.place).is_some(), "{name} {}", arg.name);
                        let written = arg.name_span.slice(&text);
                        assert_eq!(written.trim_matches(['"', '\'']), arg.name, "{name}");
                    }
                }
                let project = load(std::slice::from_ref(&name), &|path| {
                    (path == name).then_some(&file)
                });
                assert!(project.services.len() <= file.services.len());
            }
            Err(error) => unread.push(format!("{name}: {error}")),
        }
    }
    println!(
        "{read} of {} read, {services} services, {builds} builds; unknown keys {unknown:?}",
        files.len()
    );
    unread.iter().for_each(|line| println!("{line}"));
    assert!(read > 0);
}
