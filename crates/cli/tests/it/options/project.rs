//! Which project: Compose's own flags and variables. Compose resolves them before an engine is asked for anything, so
//! one engine is enough.

use super::{Built, build, image, unstale_build};
use testkit::{Engine, Project, engines, left_out};

/// Two files, a folder with the Dockerfile, two sets of variables, profiles.
fn with_project(test: impl Fn(&Engine, &Project)) {
    let Some(engine) = engines().first() else {
        return left_out("no engine answers");
    };
    let _shared = engine.shared();
    let project = Project::new("options");
    project.write("app/Dockerfile", "FROM busybox\nARG VALUE\nLABEL value=$VALUE\n");
    project.write(
        "deploy/one.yml",
        "services: {app: {build: {context: ./app, args: {VALUE: '${VALUE:-none}'}}}}\n",
    );
    project.write(
        "deploy/two.yml",
        "services: {app: {build: {labels: {two: 'yes'}}}, late: {profiles: [late], build: ./app}}\n",
    );
    project.write("one.env", "VALUE=one\n");
    project.write("two.env", "VALUE=two\n");
    test(engine, &project);
}

#[test]
fn files_name_folder_and_variables_are_given_by_flags() {
    with_project(|engine, project| {
        let name = format!("{}-flags", project.name());
        let flags = [
            "-f",
            "deploy/one.yml",
            "-f",
            "deploy/two.yml",
            "-p",
            &name,
            "--project-directory",
            ".",
        ];
        build(
            project,
            engine,
            &[&flags[..], &["--env-file", "one.env", "--env-file", "two.env"]].concat(),
        )
        .ok();
        let labels = &image(engine, &format!("{name}-app"))["Config"]["Labels"];
        assert_eq!([&labels["value"], &labels["two"]], ["two", "yes"]);
    });
}

#[test]
fn files_name_and_variables_are_given_by_composes_variables() {
    with_project(|engine, project| {
        let name = format!("{}-variables", project.name());
        project.write(
            "deploy/app/Dockerfile",
            "FROM busybox\nARG VALUE\nLABEL value=$VALUE\n",
        );
        let mut command = unstale_build(project, engine, &[]);
        command
            .env("COMPOSE_FILE", "deploy/one.yml;deploy/two.yml")
            .env("COMPOSE_PATH_SEPARATOR", ";")
            .env("COMPOSE_PROJECT_NAME", &name)
            .env("COMPOSE_PROFILES", "late")
            .env("COMPOSE_ENV_FILES", "one.env,two.env");
        assert_eq!(Built::run(&mut command).ok().services(), ["app", "late"]);
        assert_eq!(
            image(engine, &format!("{name}-app"))["Config"]["Labels"]["value"],
            "two"
        );
    });
}

#[test]
fn a_service_of_a_profile_is_built_when_the_profile_is_on_or_the_service_is_named() {
    with_project(|engine, project| {
        project.write(
            "compose.yaml",
            "include: [{path: [deploy/one.yml, deploy/two.yml], project_directory: .}]\n",
        );
        let services = |arguments: &[&str]| build(project, engine, arguments).ok().services().join(" ");
        assert_eq!(services(&[]), "app");
        assert_eq!(services(&["--profile", "late"]), "app late");
        assert_eq!(services(&["late"]), "late");
    });
}

#[test]
fn compatibility_names_images_with_an_underscore() {
    with_project(|engine, project| {
        project.write("compose.yaml", "services: {app: {build: ./app}}\n");
        project.write(".env", "COMPOSE_COMPATIBILITY=true\n");
        let built = build(project, engine, &[]).ok();
        assert_eq!(built.service("app")["image"], format!("{}_app", project.name()));
    });
}

#[test]
fn what_is_not_in_the_project_is_named() {
    with_project(|engine, project| {
        project.write(
            "compose.yaml",
            "services: {app: {build: ./app}, db: {image: busybox}}\n",
        );
        build(project, engine, &["nobody"]).refused(1, &["nobody"]);
        build(project, engine, &["db"]).refused(1, &["service db has no build section"]);
        project.write("compose.yaml", "services: {db: {image: busybox}}\n");
        build(project, engine, &[]).refused(3, &["no service of the project has a build section"]);
    });
}
