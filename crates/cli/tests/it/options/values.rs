//! What an image is given: build arguments, stage, labels, names, platform.

use super::{Built, build, image, label, on_every_engine, unstale_build};

#[test]
fn arguments_come_from_the_file_the_environment_and_the_command_line() {
    on_every_engine(|engine, project| {
        project.write(
            "Dockerfile",
            "FROM busybox
ARG FIXED=default
ARG ENVIRONMENT=default
ARG DOTENV=default
ARG EMPTY=default
ARG UNSET=default
ARG OVERRIDDEN=default
ARG FLAG=default
LABEL got=\"$FIXED|$ENVIRONMENT|$DOTENV|$EMPTY|$UNSET|$OVERRIDDEN|$FLAG\"
",
        );
        project.write(".env", "DOTENV=of .env\nOVERRIDDEN=of .env\n");
        project.write(
            "compose.yaml",
            "services:
  mapping:
    build:
      context: .
      args: {FIXED: 7, ENVIRONMENT: null, DOTENV: null, EMPTY: null, UNSET: null, OVERRIDDEN: file}
  list:
    build:
      context: .
      args: [FIXED=7, ENVIRONMENT, DOTENV, EMPTY, UNSET, OVERRIDDEN=file]
",
        );
        let mut command = unstale_build(
            project,
            engine,
            &["--build-arg", "OVERRIDDEN=a=b", "--build-arg", "FLAG"],
        );
        Built::run(
            command
                .env("ENVIRONMENT", "of the shell")
                .env("EMPTY", "")
                .env("FLAG", "of the flag"),
        )
        .ok();
        for service in ["mapping", "list"] {
            let got = label(engine, &format!("{}-{service}", project.name()), "got");
            assert_eq!(got, "7|of the shell|of .env||default|a=b|of the flag");
        }
    });
}

/// As buildx and Compose do: nobody has to write these arguments.
#[test]
fn the_time_stamp_of_the_environment_and_dockers_proxies_go_along() {
    on_every_engine(|engine, project| {
        project.write(
            "Dockerfile",
            "FROM busybox\nRUN test \"$HTTP_PROXY|$http_proxy|$NO_PROXY\" = 'http://proxy.test:3128|http://proxy.test:3128|own.test'\n\
             ARG SOURCE_DATE_EPOCH\nLABEL epoch=$SOURCE_DATE_EPOCH\n",
        );
        project.write(
            "compose.yaml",
            "services: {app: {build: {context: ., args: {NO_PROXY: own.test}}}}\n",
        );
        let mut command = unstale_build(project, engine, &[]);
        let configuration = command
            .get_envs()
            .find_map(|(name, value)| value.filter(|_| name == "DOCKER_CONFIG"));
        let configuration = std::path::PathBuf::from(configuration.unwrap()).join("config.json");
        let proxies =
            r#"{"proxies": {"default": {"httpProxy": "http://proxy.test:3128", "noProxy": "file.test"}}}"#;
        std::fs::write(configuration, proxies).unwrap();
        Built::run(command.env("SOURCE_DATE_EPOCH", "1700000000")).ok();
        assert_eq!(
            label(engine, &format!("{}-app", project.name()), "epoch"),
            "1700000000"
        );
    });
}

#[test]
fn target_labels_tags_and_names_are_those_of_the_compose_file() {
    on_every_engine(|engine, project| {
        let name = project.name();
        project.write(
            "Dockerfile",
            "FROM busybox AS first\nLABEL stage=first\nFROM first AS second\nLABEL stage=second\n",
        );
        project.write(
            "compose.yaml",
            format!(
                "services:
  plain:
    build: .
  named:
    image: {name}-image:v1
    build:
      context: .
      target: first
      labels: {{own: 'a, \"b\" = c', com.docker.compose.project: forged}}
      tags: ['{name}-tag:1', '{name}-tag:2', '{name}-image:v1']
  listed:
    build: {{context: ., labels: [own=x=y, empty]}}
"
            ),
        );
        let built = build(project, engine, &[]).ok();
        assert_eq!(label(engine, &format!("{name}-plain"), "stage"), "second");
        assert_eq!(label(engine, &format!("{name}-listed"), "own"), "x=y");
        assert_eq!(label(engine, &format!("{name}-listed"), "empty"), "");
        let named = image(engine, &format!("{name}-image:v1"));
        assert_eq!(named["Id"], built.service("named")["image_id"]);
        for tag in ["tag:1", "tag:2"] {
            assert_eq!(image(engine, &format!("{name}-{tag}"))["Id"], named["Id"]);
        }
        let labels = &named["Config"]["Labels"];
        assert_eq!(labels["stage"], "first");
        assert_eq!(labels["own"], "a, \"b\" = c");
        assert_eq!(labels["com.docker.compose.project"], name);
        assert_eq!(labels["com.docker.compose.service"], "named");
        assert!(
            labels["com.docker.compose.version"]
                .as_str()
                .unwrap()
                .starts_with(|first: char| first.is_ascii_digit())
        );
        assert!(
            engine.api("GET", &format!("/images/{name}-named/json")).is_err(),
            "the default name is not used beside image"
        );
    });
}

#[test]
fn an_image_is_built_for_the_one_platform_that_is_asked_for() {
    on_every_engine(|engine, project| {
        project.write("Dockerfile", "FROM scratch\nCOPY file /file\n");
        project.write("file", "x");
        project.write(
            "compose.yaml",
            "services:
  own: {build: .}
  listed: {build: {context: ., platforms: [linux/arm64]}}
  running: {build: ., platform: linux/s390x}
  several: {build: {context: ., platforms: [linux/amd64, linux/arm64]}}
",
        );
        let architecture =
            |service: &str| image(engine, &format!("{}-{service}", project.name()))["Architecture"].clone();
        build(project, engine, &["own", "listed", "running"]).ok();
        let own = engine.api("GET", "/version").unwrap()["Arch"].clone();
        assert_eq!(
            [
                architecture("own"),
                architecture("listed"),
                architecture("running")
            ],
            [own, "arm64".into(), "s390x".into()]
        );
        Built::run(unstale_build(project, engine, &["own"]).env("DOCKER_DEFAULT_PLATFORM", "linux/riscv64"))
            .ok();
        assert_eq!(architecture("own"), "riscv64");
        build(project, engine, &["several"]).refused(1, &["services.several.build.platforms", "2 platforms"]);
    });
}
