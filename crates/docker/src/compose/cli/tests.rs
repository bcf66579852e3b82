use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

fn program(dir: &Path, name: &str, script: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn environment(dir: &Path) -> Environment {
    Environment::new([("PATH", dir)], None)
}

#[test]
fn versions_are_read_as_each_kind_prints_them() {
    for (text, major, minor, label) in [
        ("v2.40.3-3\n", 2, 40, "2.40.3"),
        ("1.29.2\n", 1, 29, "1.29.2"),
        ("5.0.1", 5, 0, "5.0.1"),
    ] {
        let version = Version::parse(text).unwrap();
        assert_eq!(
            (version.major, version.minor, version.label().as_str()),
            (major, minor, label)
        );
    }
    assert_eq!(Version::parse("docker: 'compose' is not a docker command."), None);
}

#[test]
fn options_become_composes_flags() {
    let options = ProjectOptions {
        files: vec!["a.yml".into(), "-b.yml".into()],
        project_name: Some("p".to_owned()),
        project_directory: Some("/d".into()),
        profiles: vec!["x".to_owned()],
        env_files: vec!["e".into()],
        cwd: Some("/elsewhere".into()),
    };
    let expected = [
        "--file=a.yml",
        "--file=-b.yml",
        "--project-name=p",
        "--project-directory=/d",
        "--profile=x",
        "--env-file=e",
    ];
    assert_eq!(options.arguments(), expected);
}

#[tokio::test]
async fn nothing_installed_is_said_with_the_way_forward() {
    let dir = tempfile::tempdir().unwrap();
    let error = Compose::find_in(&environment(dir.path()), &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the Docker Compose CLI is missing: no docker on PATH; no docker-compose on PATH"
    );
    assert!(error.hint().unwrap().contains("apt-get install"));
}

#[tokio::test]
async fn docker_without_the_plugin_leads_to_the_stand_alone_program() {
    let dir = tempfile::tempdir().unwrap();
    program(
        dir.path(),
        "docker",
        "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1",
    );
    let error = Compose::find_in(&environment(dir.path()), &[]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("docker has no usable compose plugin (docker: 'compose' is not"),
        "{error}"
    );
    program(dir.path(), "docker-compose", "echo 1.29.2");
    let compose = Compose::find_in(&environment(dir.path()), &[]).await.unwrap();
    assert_eq!(
        (compose.command(), compose.version().major),
        ("docker-compose", 1)
    );
}

#[tokio::test]
async fn the_plugin_comes_first_and_gets_the_environment_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"case "$*" in
        "compose version --short") echo v2.99.0;;
        *) echo "$* HOME=$HOME COMPOSE_PROFILES=$COMPOSE_PROFILES" >&2; exit 14;;
    esac"#;
    program(dir.path(), "docker", script);
    program(dir.path(), "docker-compose", "echo 1.29.2");
    let environment = environment(dir.path()).with("COMPOSE_PROFILES", "all");
    let compose = Compose::find_in(&environment, &[]).await.unwrap();
    let outcome = compose
        .config(&ProjectOptions::default(), &["web".to_owned()])
        .await;
    let Err(ComposeError::Refused { message, exit_code }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        message,
        "compose config --format json -- web HOME= COMPOSE_PROFILES=all"
    );
    assert_eq!(exit_code, Some(14));
}

#[test]
fn messages_lose_their_escapes() {
    assert_eq!(
        plain_text("\u{1b}[31mred\u{1b}[0m \u{1b}]x\r\nnext\u{7}\n"),
        "red x\nnext"
    );
    assert_eq!(plain_text("cut \u{1b}["), "cut");
}

#[test]
fn the_processs_own_variables_are_not_taken_from_the_listing() {
    let process = BTreeMap::from([("MULTI".to_owned(), "a\nFAKE=1".to_owned())]);
    let read = environment_lines("DOT=env=x\nMULTI=a\nFAKE=1\nno variable\n", process);
    assert_eq!(
        (read["MULTI"].as_str(), read["DOT"].as_str()),
        ("a\nFAKE=1", "env=x")
    );
}

#[test]
fn a_file_of_variables_is_looked_for_wherever_compose_may_find_one() {
    let dir = tempfile::tempdir().unwrap();
    let (project, inner) = (dir.path().join("project"), dir.path().join("project/inner"));
    std::fs::create_dir_all(&inner).unwrap();
    let at = |cwd: &std::path::Path| ProjectOptions {
        cwd: Some(cwd.to_path_buf()),
        ..ProjectOptions::default()
    };
    let plain = environment(dir.path());
    assert!(!at(&inner).may_have_env_file(&plain));
    assert!(at(&inner).may_have_env_file(&plain.clone().with("COMPOSE_FILE", "/elsewhere/compose.yaml")));
    std::fs::write(project.join(".env"), "A=1").unwrap();
    assert!(at(&inner).may_have_env_file(&plain), "in a folder above");
    let other = at(dir.path());
    assert!(!other.may_have_env_file(&plain));
    let by_file = ProjectOptions {
        files: vec!["project/compose.yaml".into()],
        ..other.clone()
    };
    assert!(by_file.may_have_env_file(&plain));
    let by_folder = ProjectOptions {
        project_directory: Some("project".into()),
        ..other
    };
    assert!(by_folder.may_have_env_file(&plain));
}
