//! Projects and command lines that cannot be understood: said before anything is built, and not recorded.

use super::{Ended, recorded, run, unstale, web};
use insta::assert_snapshot;
use testkit::{Engine, Project, engines, left_out, tool_path, unstale_binary};

/// One engine is enough for what is decided before the engine is asked for anything.
fn any_engine() -> Option<&'static Engine> {
    let engine = engines().first();
    if engine.is_none() {
        left_out("no engine answers");
    }
    engine
}

/// Builds a project with this Compose file, and sees that nothing was recorded.
fn with_compose(compose: &str, arguments: &[&str]) -> Option<(Ended, Project)> {
    let engine = any_engine()?;
    let _shared = engine.shared();
    let project = Project::new("refused");
    project.write("compose.yaml", compose);
    let ended = unstale(&project, engine, &[&["build"], arguments].concat());
    assert_eq!(ended.stdout, "");
    assert_eq!(recorded(&project, engine), Vec::<serde_json::Value>::new());
    Some((ended, project))
}

macro_rules! refused {
    ($compose:expr, $arguments:expr, $code:literal, @$snapshot:literal) => {
        if let Some((ended, project)) = with_compose($compose, &$arguments) {
            assert_eq!(ended.code, $code, "{}", ended.stderr);
            assert_snapshot!(ended.message(&project), @$snapshot);
        }
    };
}

#[test]
fn a_missing_compose_cli_is_said_with_its_packages() {
    let Some(engine) = any_engine() else { return };
    let project = web("nocompose", "FROM busybox\n");
    let ended = run(project
        .unstale(engine)
        .arg("build")
        .env("PATH", tool_path(&["git"])));
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r"
    error: the Docker Compose CLI is missing: no docker on PATH; no docker-compose on PATH
    hint: install it: sudo apt-get install docker-compose-plugin (Docker's packages), docker-compose-v2 (Ubuntu) or docker-compose (Debian)
    ");
    // A bare folder needs no Compose.
    let _shared = engine.shared();
    let tag = format!("{}-folder", project.name());
    let folder = run(project
        .unstale(engine)
        .args(["build", ".", "-q", "-t", &tag])
        .env("PATH", tool_path(&["git"])));
    assert_eq!(folder.code, 0, "{}", folder.stderr);
}

#[test]
fn no_compose_file_is_said() {
    let Some(engine) = any_engine() else { return };
    let project = Project::new("empty");
    let ended = unstale(&project, engine, &["build"]);
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r"
    error: Compose cannot resolve the project: no configuration file provided: not found
    hint: run it in a folder with a compose.yaml, name the file with --file, or build a folder: unstale build .
    ");
}

#[test]
fn yaml_errors_are_composes_own_with_the_line() {
    refused!("services:\n  web:\n   build: .\n  bad: [\n", [], 1, @r"
    error: Compose cannot resolve the project: yaml: line 4: did not find expected node content
    hint: Compose says the same on: docker compose config
    ");
    refused!("services:\n  web:\n    build:\n      context: .\n      bogus: 1\n", [], 1, @r"
    error: Compose cannot resolve the project: validating [project]/compose.yaml: services.web.build additional properties 'bogus' not allowed
    hint: Compose says the same on: docker compose config
    ");
}

#[test]
fn services_that_cannot_be_built_are_said() {
    let compose = "services:\n  web:\n    build: .\n  cache:\n    image: busybox\n";
    refused!(compose, ["nosuch"], 1, @r"
    error: Compose cannot resolve the project: no such service: nosuch
    hint: list the services with: docker compose config --services
    ");
    refused!(compose, ["cache"], 1, @r"
    error: service cache has no build section
    hint: add services.cache.build to the Compose file, or leave the service out
    ");
    refused!("services:\n  cache:\n    image: busybox\n", [], 3, @r"
    error: no service of the project has a build section
    hint: add a build section to a service, or give a folder: unstale build ./app
    ");
}

#[test]
fn contexts_and_dockerfiles_that_are_not_there_are_said_before_anything_is_started() {
    refused!("services:\n  web:\n    build: ./nowhere\n", [], 1, @r"
    error: services.web.build.context: [project]/nowhere is not a folder
    hint: create it, or correct the path
    ");
    refused!("services:\n  web:\n    build: ./compose.yaml\n", [], 1, @r"
    error: services.web.build.context: [project]/compose.yaml is not a folder
    hint: create it, or correct the path
    ");
    refused!("services:\n  web:\n    build: .\n", [], 1, @r"
    error: services.web.build.dockerfile: cannot read [project]/Dockerfile: No such file or directory (os error 2)
    hint: create it, or name another one (build.dockerfile; --dockerfile for a folder)
    ");
    refused!("services:\n  web:\n    build: .\n", ["./nowhere"], 1, @r"
    error: context: [project]/nowhere is not a folder
    hint: create it, or correct the path
    ");
    refused!("services:\n  web:\n    build: .\n", ["./compose.yaml"], 1, @r"
    error: context: [project]/compose.yaml is not a folder
    hint: create it, or correct the path
    ");
}

#[test]
fn services_that_are_built_from_each_other_in_a_circle_are_said() {
    let compose = "services:\n  a:\n    build:\n      context: .\n      dockerfile_inline: FROM busybox\n      \
        additional_contexts: {b: 'service:b'}\n  b:\n    build:\n      context: .\n      dockerfile_inline: FROM busybox\n      \
        additional_contexts: {a: 'service:a'}\n";
    if let Some((ended, project)) = with_compose(compose, &[]) {
        assert_eq!(ended.code, 1);
        let message = ended.message(&project);
        assert!(
            message.starts_with("error: ") && message.contains("hint: "),
            "{message}"
        );
        assert!(message.contains('a') && message.contains('b'), "{message}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_shown_where_they_stand() {
    let Some(engine) = any_engine() else { return };
    let project = web("settings", "FROM busybox\n");
    project.write("unstale.toml", "[commit]\nscop = \"head\"\n");
    let ended = unstale(&project, engine, &["build"]);
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r#"
    error: cannot use [project]/unstale.toml: TOML parse error at line 2, column 1
      |
    2 | scop = "head"
      | ^^^^
    unknown field `scop`, expected one of `arg`, `scope`, `label`
    hint: correct the line, or take it out to get the default
    "#);
    project.write("unstale.toml", "[commit]\nscope = \"some\u{1b}[31m\"\n");
    let ended = unstale(&project, engine, &["build"]);
    assert_eq!(ended.code, 1);
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
    assert_eq!(recorded(&project, engine), Vec::<serde_json::Value>::new());
}

#[test]
fn a_command_line_that_contradicts_itself_is_code_2() {
    let project = web("usage", "FROM busybox\n");
    for arguments in [
        &["build", ".", "web"][..],
        &["build", "-q", "--progress", "plain"],
        &["build", "--progress", "loud"],
        &["build", "--builder-cert", "x"],
        &["build", "-t", "name", "web"],
        &["build", "-f", "compose.yaml", "."],
        &["build", "--format", "yaml"],
        &["log", "a", "b"],
        &["nonsense"],
        &[],
    ] {
        let ended = run(project.command_without_engine(unstale_binary()).args(arguments));
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}
