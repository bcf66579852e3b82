//! Against the real Compose CLI of this machine; and against v1, if `UNSTALE_TEST_COMPOSE_V1` names its program.

// Helpers of tests are tests to us, but not to clippy.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unstale_docker::compose::{ProjectOptions, ProjectSecret, Ulimit, rules};
use unstale_docker::{Compose, ComposeError, Environment, Project};

const V1_VARIABLE: &str = "UNSTALE_TEST_COMPOSE_V1";

/// A Compose CLI and a folder for a project.
struct Lab {
    compose: Compose,
    dir: tempfile::TempDir,
}

impl Lab {
    /// The machine's Compose, with `variables` on top of the environment; says so where there is none.
    async fn new(variables: &[(&str, &str)]) -> Option<Self> {
        let mut environment = Environment::current();
        for (name, value) in variables {
            environment = environment.with(*name, *value);
        }
        match Compose::find(&environment).await {
            Ok(compose) => Some(Self {
                compose,
                dir: tempfile::tempdir().unwrap(),
            }),
            Err(error) => {
                println!("left out: {error}");
                None
            }
        }
    }

    async fn v1() -> Option<Self> {
        let Some(program) = std::env::var_os(V1_VARIABLE) else {
            println!("left out: {V1_VARIABLE} names no docker-compose v1");
            return None;
        };
        let folder = PathBuf::from(program).parent().unwrap().to_owned();
        let environment = Environment::new([("PATH", folder)], None);
        let compose = Compose::find(&environment).await.unwrap();
        Some(Self {
            compose,
            dir: tempfile::tempdir().unwrap(),
        })
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn options(&self) -> ProjectOptions {
        ProjectOptions {
            cwd: Some(self.root()),
            ..ProjectOptions::default()
        }
    }

    async fn config(&self, services: &[&str]) -> Result<Project, ComposeError> {
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        self.compose.config(&self.options(), &services).await
    }

    async fn refusal(&self, services: &[&str]) -> String {
        match self.config(services).await {
            Err(ComposeError::Refused { message, exit_code }) => {
                assert!(exit_code.is_some_and(|code| code != 0));
                message
            }
            other => panic!("{other:?}"),
        }
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn every_build_key_comes_through() {
    let Some(lab) = Lab::new(&[("FROM_ENVIRONMENT", "env")]).await else {
        return;
    };
    lab.file("s.txt", "hi");
    lab.file("d/x", "");
    lab.file(
        "compose.yml",
        r#"
name: lab
services:
  a:
    build:
      context: .
      dockerfile: D
      args: {A: 'x$$y${FROM_ENVIRONMENT}', UNSET_HERE: , FROM_ENVIRONMENT: , N: 1, T: true}
      additional_contexts: {lib: "service:b", dir: ./d, img: docker-image://busybox}
      ssh: [default]
      labels: {l: 'v$$'}
      cache_from: ["type=local,src=x", foo]
      cache_to: ["type=inline"]
      extra_hosts: ["h:1.2.3.4", "v6=::1"]
      secrets: [s1, {source: s2, target: t2, mode: 0400}]
      shm_size: 64m
      ulimits: {nofile: {soft: 10, hard: 20}, nproc: 7}
      x-foo: 1
      platforms: [linux/amd64]
      privileged: true
      entitlements: [network.host]
      tags: [t1]
      network: host
      pull: true
      no_cache: true
      target: tt
    depends_on: [b]
  b:
    platform: linux/amd64
    image: b:1
    build: {dockerfile_inline: "FROM busybox\nRUN echo $$X"}
secrets:
  s1: {file: ./s.txt}
  s2: {environment: FROM_ENVIRONMENT}
"#,
    );
    let project = lab.config(&[]).await.unwrap();
    assert_eq!(project.name, "lab");
    let a = &project.services["a"];
    assert_eq!(a.depends_on, ["b"]);
    let build = a.build.as_ref().unwrap();
    let root = lab.root();
    assert_eq!(Path::new(&build.context), root);
    assert_eq!(build.dockerfile, some("D"));
    assert_eq!(build.args["A"], some("x$yenv"));
    assert_eq!(build.args["FROM_ENVIRONMENT"], some("env"));
    assert_eq!(
        (build.args["N"].clone(), build.args["T"].clone()),
        (some("1"), some("true"))
    );
    assert_eq!(build.args.get("UNSET_HERE").cloned().flatten(), None);
    assert_eq!(build.additional_contexts["lib"], "service:b");
    assert_eq!(Path::new(&build.additional_contexts["dir"]), root.join("d"));
    assert_eq!(build.additional_contexts["img"], "docker-image://busybox");
    assert_eq!((build.ssh[0].id.as_str(), &build.ssh[0].path), ("default", &None));
    assert_eq!(build.labels["l"], "v$");
    assert_eq!(build.cache_from, ["type=local,src=x", "foo"]);
    assert_eq!(build.cache_to, ["type=inline"]);
    let hosts: BTreeMap<_, _> = build.extra_hosts.iter().cloned().collect();
    assert_eq!((hosts["h"].as_str(), hosts["v6"].as_str()), ("1.2.3.4", "::1"));
    assert_eq!((build.secrets[0].id(), build.secrets[1].id()), ("s1", "t2"));
    assert_eq!(build.secrets[1].mode, some("0400"));
    assert_eq!(build.shm_size, Some(64 << 20));
    assert_eq!(build.ulimits["nofile"], Ulimit { soft: 10, hard: 20 });
    assert_eq!(build.ulimits["nproc"], Ulimit { soft: 7, hard: 7 });
    assert_eq!(build.platforms, ["linux/amd64"]);
    assert!(build.privileged && build.pull && build.no_cache);
    assert_eq!(build.entitlements, ["network.host"]);
    assert_eq!(build.tags, ["t1"]);
    assert_eq!(
        (build.network.clone(), build.target.clone()),
        (some("host"), some("tt"))
    );
    let b = &project.services["b"];
    assert_eq!(
        (b.image.clone(), b.platform.clone()),
        (some("b:1"), some("linux/amd64"))
    );
    let inline = b.build.as_ref().unwrap().dockerfile_inline.clone();
    assert_eq!(inline, some("FROM busybox\nRUN echo $X"));
    assert_eq!(project.secrets["s1"], ProjectSecret::File(root.join("s.txt")));
    assert_eq!(
        project.secrets["s2"],
        ProjectSecret::Environment("FROM_ENVIRONMENT".to_owned())
    );
}

/// Compose 2.x cannot print this as JSON.
#[tokio::test]
async fn an_ssh_key_with_a_path_comes_through() {
    let Some(lab) = Lab::new(&[]).await else { return };
    lab.file(
        "compose.yml",
        "name: lab\nservices:\n  a:\n    build:\n      context: .\n      ssh: [default, k=./key]\n      args: {YES: 'yes', OCTAL: '010', D: '$$$$', NULLISH: '~', E: ''}\n      secrets: [{source: s, mode: 0400}]\n      shm_size: 1g\nsecrets: {s: {environment: X}}\n",
    );
    let project = lab.config(&[]).await.unwrap();
    let build = project.services["a"].build.as_ref().unwrap();
    let key = build.ssh.iter().find(|ssh| ssh.id == "k").unwrap();
    assert_eq!(key.path, Some(lab.root().join("key")));
    let args: Vec<_> = build
        .args
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref().unwrap()))
        .collect();
    assert_eq!(
        args,
        [
            ("D", "$$"),
            ("E", ""),
            ("NULLISH", "~"),
            ("OCTAL", "010"),
            ("YES", "yes")
        ]
    );
    assert_eq!(build.secrets[0].mode, some("0400"));
    assert_eq!(build.shm_size, Some(1 << 30));
}

#[tokio::test]
async fn options_and_variables_have_composes_meaning() {
    let Some(lab) = Lab::new(&[("COMPOSE_PROFILES", "two")]).await else {
        return;
    };
    lab.file("sub/base.yml", "services:\n  a: {build: ./a}\n  b: {build: ./b, profiles: [one]}\n  c: {build: ./c, profiles: [two]}\n");
    lab.file("sub/more.yml", "services:\n  a: {build: {args: {V: '${V}'}}}\n");
    lab.file("vars.env", "V=from-file\n");
    let options = ProjectOptions {
        files: vec!["sub/base.yml".into(), "sub/more.yml".into()],
        project_name: some("named"),
        project_directory: Some(lab.root().join("elsewhere")),
        profiles: vec!["one".to_owned()],
        env_files: vec!["vars.env".into()],
        ..lab.options()
    };
    let project = lab.compose.config(&options, &[]).await.unwrap();
    assert_eq!(project.name, "named");
    assert!(project.services.contains_key("a") && project.services.contains_key("b"));
    let a = project.services["a"].build.as_ref().unwrap();
    assert_eq!(Path::new(&a.context), lab.root().join("elsewhere/a"));
    assert_eq!(a.args["V"], some("from-file"));
    let environment = lab.compose.project_environment(&options).await.unwrap();
    assert_eq!(environment["V"], "from-file");
    assert_eq!(environment["COMPOSE_PROFILES"], "two");
}

#[tokio::test]
async fn a_named_service_brings_the_services_it_is_built_from() {
    let Some(lab) = Lab::new(&[]).await else { return };
    lab.file(
        "compose.yml",
        "name: lab\nservices:\n  web: {build: {context: ., additional_contexts: {lib: 'service:lib'}}}\n  lib: {build: {context: ., additional_contexts: {base: 'service:base'}}}\n  base: {build: .}\n  other: {build: .}\n  off: {build: ., profiles: [p]}\n",
    );
    let project = lab.config(&["web"]).await.unwrap();
    for name in ["web", "lib", "base"] {
        assert!(
            project.services.contains_key(name),
            "{name}: {:?}",
            project.services.keys()
        );
    }
    assert!(lab.config(&["off"]).await.unwrap().services.contains_key("off"));
    assert!(!lab.config(&[]).await.unwrap().services.contains_key("off"));
}

#[tokio::test]
async fn composes_own_words_say_what_is_wrong() {
    let Some(lab) = Lab::new(&[]).await else { return };
    let nothing = lab.refusal(&[]).await;
    assert!(nothing.contains("no configuration file provided"), "{nothing}");
    lab.file("compose.yml", "services:\n  a: {build: .\n");
    let yaml = lab.refusal(&[]).await;
    assert!(yaml.contains("yaml") || yaml.contains("compose.yml"), "{yaml}");
    lab.file(
        "compose.yml",
        "services:\n  a: {build: {context: ., nonsense: 1}}\n",
    );
    let unknown = lab.refusal(&[]).await;
    assert!(unknown.contains("nonsense"), "{unknown}");
    lab.file("compose.yml", "name: lab\nservices:\n  a: {build: .}\n");
    let missing = lab.refusal(&["nobody", "--help"]).await;
    assert!(missing.contains("no such service"), "{missing}");
    lab.file("compose.yml", "include: [other.yml]\n");
    lab.file("other.yml", "include: [compose.yml]\n");
    let cycle = lab.refusal(&[]).await;
    assert!(cycle.contains("cycle"), "{cycle}");
    let absent = ProjectOptions {
        files: vec!["nope.yml".into()],
        ..lab.options()
    };
    let error = lab.compose.config(&absent, &[]).await.unwrap_err();
    assert!(error.to_string().contains("nope.yml"), "{error}");
}

#[tokio::test]
async fn the_dot_env_file_belongs_to_the_projects_environment() {
    let Some(lab) = Lab::new(&[("BOTH", "process")]).await else {
        return;
    };
    lab.file("compose.yml", "name: lab\nservices:\n  a: {build: .}\n");
    lab.file(
        ".env",
        "TOKEN=from-dotenv\nBOTH=dotenv\nCOMPOSE_COMPATIBILITY=1\n",
    );
    let environment = lab.compose.project_environment(&lab.options()).await.unwrap();
    assert_eq!(
        (environment["TOKEN"].as_str(), environment["BOTH"].as_str()),
        ("from-dotenv", "process")
    );
    assert_eq!(rules::name_separator(lab.compose.version(), &environment), '_');
}

#[tokio::test]
async fn the_yaml_of_v1_is_understood() {
    let Some(lab) = Lab::v1().await else { return };
    assert_eq!(
        (lab.compose.command(), lab.compose.version().major),
        ("docker-compose", 1)
    );
    lab.file(
        "docker-compose.yml",
        "version: '3.8'\nservices:\n  a:\n    build: {context: ., args: {A: 'x$$y', N: 1, T: 'yes', E: '1e3'}, labels: [l=1], shm_size: 64m}\n    image: foo\n    depends_on: [b]\n  b: {build: ./d}\n",
    );
    lab.file("d/Dockerfile", "FROM busybox\n");
    let options = ProjectOptions {
        project_name: some("My.Lab"),
        ..lab.options()
    };
    let project = lab.compose.config(&options, &["a".to_owned()]).await.unwrap();
    assert_eq!(project.name, "mylab");
    let a = &project.services["a"];
    assert_eq!(
        (a.image.clone(), a.depends_on.as_slice()),
        (some("foo"), &["b".to_owned()][..])
    );
    let build = a.build.as_ref().unwrap();
    let args: Vec<_> = build
        .args
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref().unwrap()))
        .collect();
    assert_eq!(args, [("A", "x$y"), ("E", "1e3"), ("N", "1"), ("T", "yes")]);
    assert_eq!(
        (build.labels["l"].as_str(), build.shm_size),
        ("1", Some(64 << 20))
    );
    assert_eq!(
        project.services["b"].build.as_ref().unwrap().context,
        lab.root().join("d").to_str().unwrap()
    );
    lab.file(
        "docker-compose.yml",
        "version: '3.8'\nservices: {a: {build: {nonsense: 1}}}\n",
    );
    assert!(lab.refusal(&[]).await.contains("nonsense"));
}
