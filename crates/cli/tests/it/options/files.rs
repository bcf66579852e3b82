//! Where a build's files come from: `context`, `dockerfile`, `dockerfile_inline`, `additional_contexts`, other services.

use super::{build, image, is_modern, label, on_every_engine, unstale_build};
use crate::options::Built;

#[test]
fn the_dockerfile_is_beside_the_context_in_it_outside_of_it_or_inline() {
    on_every_engine(|engine, project| {
        let dockerfile = |name: &str| {
            format!(
                "FROM busybox\nLABEL dockerfile={name}\nCOPY . /context/\nRUN grep -qx content /context/file\n"
            )
        };
        project.write("app/file", "content\n");
        project.write("app/ignored", "x");
        project.write("app/Dockerfile", dockerfile("default"));
        project.write("app/docker/Relative", dockerfile("relative"));
        project.write("elsewhere/Absolute", dockerfile("absolute"));
        project.write(
            "elsewhere/Outside",
            dockerfile("outside") + "RUN test ! -e /context/ignored\n",
        );
        project.write("elsewhere/Outside.dockerignore", "ignored\n");
        let inline: String = dockerfile("inline")
            .lines()
            .map(|line| format!("        {line}\n"))
            .collect();
        let root = project.path();
        project.write(
            "compose.yaml",
            format!(
                "services:
  default: {{build: ./app}}
  relative: {{build: {{context: app, dockerfile: docker/Relative}}}}
  absolute: {{build: {{context: app, dockerfile: {}/elsewhere/Absolute}}}}
  outside: {{build: {{context: app, dockerfile: ../elsewhere/Outside}}}}
  inline:
    build:
      context: app
      dockerfile_inline: |
{inline}",
                root.display()
            ),
        );
        build(project, engine, &[]).ok();
        for service in ["default", "relative", "absolute", "outside", "inline"] {
            assert_eq!(
                label(engine, &format!("{}-{service}", project.name()), "dockerfile"),
                service
            );
        }
    });
}

#[test]
fn a_named_context_is_a_folder_an_image_or_another_service() {
    on_every_engine(|engine, project| {
        project.write("folder/file", "from the folder\n");
        project.write(
            "compose.yaml",
            "services:
  app:
    build:
      args: {EXPECTED: ''}
      additional_contexts:
        folder: ./folder
        tools: docker-image://busybox
        library: service:zlib
      dockerfile_inline: |
        FROM library
        ARG EXPECTED
        COPY --from=folder file /file
        COPY --from=tools /bin/busybox /tools
        RUN grep -qx 'from the folder' /file && test -x /tools
        RUN grep -qx \"$$EXPECTED\" /library
  zlib:
    build:
      args: {EXPECTED: ''}
      dockerfile_inline: |
        FROM busybox
        ARG EXPECTED
        RUN echo \"$$EXPECTED\" > /library
  other: {build: ./missing}
",
        );
        let expected = |state: &str| format!("EXPECTED={state}-{}", project.name());
        // The service that is needed is built first, and what nobody needs is not.
        let built = build(project, engine, &["app", "--build-arg", &expected("one")]);
        if !is_modern(engine) {
            return built.refused(
                20,
                &["services.app.build.additional_contexts", "Docker Engine 23"],
            );
        }
        assert_eq!(built.ok().services(), ["app", "zlib"]);
        let second = build(project, engine, &["app", "--build-arg", &expected("two")]).ok();
        assert_eq!(second.outcomes("zlib"), ["ran"]);
        let again = build(project, engine, &["app", "--build-arg", &expected("two")]).ok();
        assert_eq!(again.service("app")["up_to_date"], true);
        assert_eq!(
            again.service("app")["image_id"],
            second.service("app")["image_id"]
        );
    });
}

#[test]
fn a_service_whose_from_names_anothers_image_is_built_after_it_and_on_it() {
    on_every_engine(|engine, project| {
        let base = format!("{}-zbase", project.name());
        project.write(
            "Dockerfile",
            format!("FROM {base}\nARG EXPECTED\nRUN grep -qx \"$EXPECTED\" /content\n"),
        );
        project.write(
            "base/Dockerfile",
            "FROM busybox\nARG EXPECTED\nRUN echo \"$EXPECTED\" > /content\n",
        );
        project.write(
            "compose.yaml",
            "services: {app: {build: .}, zbase: {build: base}}\n",
        );
        for expected in ["one", "two", "one"] {
            build(project, engine, &["--build-arg", &format!("EXPECTED={expected}")]).ok();
            let layers = |name: &str| {
                image(engine, name)["RootFS"]["Layers"]
                    .as_array()
                    .unwrap()
                    .clone()
            };
            let (above, below) = (layers(&format!("{}-app", project.name())), layers(&base));
            assert_eq!(above[..below.len()], below);
        }
    });
}

#[test]
fn a_folder_that_is_not_there_is_named_with_its_field() {
    on_every_engine(|engine, project| {
        project.write("Dockerfile", "FROM busybox\n");
        project.write("compose.yaml", "services: {app: {build: {context: ., additional_contexts: {lib: ./nowhere}}}, b: {build: ./away}}\n");
        let refused = |service: &str, field: &str| {
            Built::run(&mut unstale_build(project, engine, &[service])).refused(1, &[field])
        };
        refused("app", "services.app.build.additional_contexts.lib");
        refused("b", "services.b.build.context");
    });
}
