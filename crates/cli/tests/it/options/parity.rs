//! The same project built by us and by Compose's own build: the same image, and one cache for both.

use super::{image, is_modern, on_every_engine, output, unstale_build};
use crate::options::Built;
use serde_json::{Value, json};
use testkit::{Engine, Project};

/// A service that uses many options. A step writes a random number: two builds have the same layers only if the second
/// found the first one's.
fn write_project(project: &Project, engine: &Engine) {
    let modern = is_modern(engine);
    let from_contexts = "COPY --from=folder file /from-folder\nCOPY --from=library /content /from-library\n";
    project.write(
        "app/docker/Dockerfile",
        format!(
            "FROM busybox AS build
ARG VALUE
ARG FROM_ENV
ENV VALUE=$VALUE
LABEL of.the.dockerfile=\"$FROM_ENV\"
COPY --chmod=640 . /app/
{}WORKDIR /app
RUN --mount=type=secret,id=token cat /proc/sys/kernel/random/uuid > /random && sha256sum < /run/secrets/token > /token
RUN grep known.test /etc/hosts > /hosts
FROM build AS final
USER 1000:1000
EXPOSE 8080/tcp
VOLUME /data
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT [\"/bin/sh\", \"-c\"]
CMD [\"true\"]
FROM final AS unwanted
RUN false
",
            if modern { from_contexts } else { "" }
        )
        // BuildKit 0.8 has no COPY --chmod.
        .replace("--chmod=640 ", if modern { "--chmod=640 " } else { "" }),
    );
    project.write("app/main", "code\n");
    project.write("app/ignored", "x");
    project.write("app/docker/Dockerfile.dockerignore", "ignored\n");
    project.write("folder/file", "x");
    project.write("token", "secret");
    let newer = "ulimits: {nofile: {soft: 1234, hard: 2345}}
      shm_size: 128m
      additional_contexts: {folder: ./folder, library: 'service:library'}";
    project.write(
        "compose.yaml",
        format!(
            "services:
  app:
    image: {name}-app:v1
    build:
      context: app
      dockerfile: docker/Dockerfile
      target: final
      args: {{VALUE: 'a \"b\" $$c', FROM_ENV: null, GIT_COMMIT_HASH: fixed}}
      labels: {{own.label: 'x, y=z'}}
      tags: ['{name}-app:extra']
      secrets: [token]
      network: none
      extra_hosts: ['known.test:10.1.2.3']
      {}
  library:
    build:
      dockerfile_inline: |
        FROM busybox
        RUN cat /proc/sys/kernel/random/uuid > /content
secrets: {{token: {{file: ./token}}}}
",
            if modern { newer } else { "platforms: [linux/amd64]" },
            name = project.name(),
        ),
    );
}

fn ours(project: &Project, engine: &Engine, arguments: &[&str]) {
    Built::run(unstale_build(project, engine, arguments).env("FROM_ENV", "value")).ok();
}

fn composes(project: &Project, engine: &Engine, arguments: &[&str]) {
    let mut command = project.command(engine, "docker");
    command.args(["compose", "build"]).args(arguments);
    command
        .env("FROM_ENV", "value")
        .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
        .env("DOCKER_BUILDKIT", "1");
    output(&mut command);
}

/// All that an image says of itself but its times and the commit, of which Compose knows nothing.
fn images(project: &Project, engine: &Engine) -> Value {
    let describe = |name: &str| {
        let mut described = image(engine, name);
        let labels = described["Config"]["Labels"].as_object_mut().unwrap();
        labels.remove("org.opencontainers.image.revision");
        let history = engine.api("GET", &format!("/images/{name}/history")).unwrap();
        let created_by: Vec<_> = history
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["CreatedBy"].clone())
            .collect();
        json!({
            "Config": described["Config"],
            "Os": described["Os"],
            "Architecture": described["Architecture"],
            "Variant": described["Variant"],
            "Layers": described["RootFS"]["Layers"],
            "CreatedBy": created_by,
        })
    };
    let name = project.name();
    json!([
        describe(&format!("{name}-app:v1")),
        describe(&format!("{name}-app:extra")),
        describe(&format!("{name}-library"))
    ])
}

#[test]
fn composes_build_after_ours_and_ours_after_composes_give_the_same_images() {
    on_every_engine(|engine, project| {
        write_project(project, engine);
        let commit = project.commit("first");
        ours(project, engine, &[]);
        let labels = &image(engine, &format!("{}-app:v1", project.name()))["Config"]["Labels"];
        assert_eq!(labels["org.opencontainers.image.revision"], commit);
        let first = images(project, engine);
        composes(project, engine, &[]);
        pretty_eq(&images(project, engine), &first);
        // The other way round, from new steps on: the random numbers change once, and we find Compose's.
        composes(project, engine, &["--no-cache"]);
        let second = images(project, engine);
        assert_ne!(second[0]["Layers"], first[0]["Layers"]);
        ours(project, engine, &[]);
        pretty_eq(&images(project, engine), &second);
    });
}

#[track_caller]
fn pretty_eq(left: &Value, right: &Value) {
    assert_eq!(left, right, "\n{left:#}\n{right:#}");
}
