//! Engines that cannot be reached, or go away.

use super::private_engine::Private;
use super::{Ended, run, scrub, unstale, web};
use insta::assert_snapshot;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use testkit::{Project, engine, left_out, unstale_binary};

/// A project and `unstale build` on an engine at a socket of the project's folder.
fn build_at(project: &Project, socket: &str) -> Ended {
    let host = format!("unix://{}/{socket}", project.path().display());
    run(project
        .command_without_engine(unstale_binary())
        .env("DOCKER_HOST", host)
        .arg("build"))
}

fn build_on(host: &str) -> (Ended, Project) {
    let project = web("host", "FROM busybox\n");
    let ended = run(project
        .command_without_engine(unstale_binary())
        .env("DOCKER_HOST", host)
        .arg("build"));
    (ended, project)
}

#[test]
fn a_missing_socket_is_said_with_the_setting_that_named_it() {
    let project = web("nosocket", "FROM busybox\n");
    let ended = build_at(&project, "none.sock");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_snapshot!(ended.message(&project), @r"
    error: cannot connect to the Docker engine at unix://[project]/none.sock (set by DOCKER_HOST): No such file or directory (os error 2)
    hint: start Docker (sudo systemctl start docker), or set DOCKER_HOST to a running engine
    ");
}

#[test]
fn a_socket_on_which_nobody_listens_is_said() {
    let project = web("deaf", "FROM busybox\n");
    drop(UnixListener::bind(project.path().join("dead.sock")).unwrap());
    let ended = build_at(&project, "dead.sock");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert_snapshot!(ended.message(&project), @r"
    error: cannot connect to the Docker engine at unix://[project]/dead.sock (set by DOCKER_HOST): Connection refused (os error 111)
    hint: start Docker (sudo systemctl start docker), or set DOCKER_HOST to a running engine
    ");
}

/// Answers every connection with `answer`; without one it stays silent.
fn impostor(project: &Project, answer: Option<&'static str>) {
    let listener = UnixListener::bind(project.path().join("other.sock")).unwrap();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if let Some(answer) = answer {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            } else {
                open.push(stream);
            }
        }
    });
}

#[test]
fn something_else_that_listens_is_not_taken_for_an_engine() {
    let project = web("ssh", "FROM busybox\n");
    impostor(&project, Some("SSH-2.0-OpenSSH_9.2\r\n"));
    let ended = build_at(&project, "other.sock");
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r"
    error: what answers at unix://[project]/other.sock (set by DOCKER_HOST) is not a Docker engine: invalid HTTP version parsed
    hint: check DOCKER_HOST, the Docker context or --host
    ");
    let project = web("site", "FROM busybox\n");
    impostor(
        &project,
        Some("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n\x1b[2J\n"),
    );
    let ended = build_at(&project, "other.sock");
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r#"
    error: what answers at unix://[project]/other.sock (set by DOCKER_HOST) is not a Docker engine: it answers "\u{1b}[2J"
    hint: check DOCKER_HOST, the Docker context or --host
    "#);
}

#[test]
fn an_engine_that_stays_silent_is_not_waited_for_without_end() {
    let project = web("silent", "FROM busybox\n");
    impostor(&project, None);
    let begun = Instant::now();
    let ended = build_at(&project, "other.sock");
    assert_eq!(ended.code, 1);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_snapshot!(ended.message(&project), @r"
    error: cannot ask the engine at unix://[project]/other.sock (set by DOCKER_HOST) for its version: the engine does not answer
    hint: look at the engine: docker info
    ");
}

#[test]
fn a_socket_that_we_may_not_use_is_said() {
    let project = web("denied", "FROM busybox\n");
    impostor(&project, None);
    project.chmod("other.sock", 0o000);
    let Some(mut command) = super::context::without_privileges(&project, None) else {
        return;
    };
    let host = format!("unix://{}/other.sock", project.path().display());
    let ended = run(command.env("DOCKER_HOST", host).arg("build"));
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r"
    error: cannot connect to the Docker engine at unix://[project]/other.sock (set by DOCKER_HOST): Permission denied (os error 13)
    hint: add yourself to the docker group (sudo usermod -aG docker $USER) and log in again
    ");
}

#[test]
fn nonsense_in_docker_host_is_said() {
    let (ended, project) = build_on("nonsense://there");
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r#"
    error: cannot use the Docker host "nonsense://there", set by DOCKER_HOST: unknown scheme "nonsense"
    hint: use unix:///path/to/docker.sock, tcp://host:port or ssh://user@host
    "#);
    let (ended, project) = build_on("tcp://127.0.0.1:1");
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r"
    error: cannot connect to the Docker engine at tcp://127.0.0.1:1 (set by DOCKER_HOST): Connection refused (os error 111)
    hint: check the address, and that the engine listens there with the same TLS settings
    ");
    let (ended, project) = build_on("unix:///\u{1b}[31mred");
    assert_eq!(ended.code, 1);
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.message(&project));
}

#[test]
fn an_unknown_context_is_said() {
    let project = web("nocontext", "FROM busybox\n");
    let with = |arguments: &[&str]| {
        run(project
            .command_without_engine(unstale_binary())
            .args(arguments)
            .arg("build"))
    };
    let ended = with(&["--context", "nowhere"]);
    assert_eq!(ended.code, 1);
    assert_snapshot!(ended.message(&project), @r#"
    error: no Docker context "nowhere" in [above]/environment/docker/contexts, set by --context nowhere
    hint: list the contexts with: docker context ls
    "#);
    let ended = with(&["--context", "nowhere", "--host", "unix:///run/docker.sock"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--context"), "{}", ended.stderr);
}

#[test]
fn an_engine_that_is_killed_during_a_build_fails_the_build_and_the_next_one_works() {
    let Some(like) = engine("d28c").or_else(|| engine("d28")) else {
        return left_out("no 28.5 engine to take the programs from");
    };
    let mut private = match Private::start(like) {
        Ok(private) => private,
        Err(reason) => return left_out(&reason),
    };
    let engine = private.engine();
    let project = web(
        "killed",
        "FROM busybox\nRUN --network=none echo begun && sleep 300\n",
    );
    private.load(like, &project, "busybox");

    let begun = Instant::now();
    let mut build =
        super::interrupt::Running::start(project.unstale(&engine).args(["build", "--progress=plain"]));
    build.wait_for(" begun");
    private.kill();
    let ended = build.end();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(ended.code, 20, "{}", ended.stderr);
    let message = scrub(&ended.message(&project), &project);
    let (first, rest) = message.split_once('\n').unwrap();
    assert!(
        first.starts_with("error: web: the connection to the builder was lost during the build: "),
        "{message}"
    );
    assert_eq!(
        rest,
        "hint: check that the engine still runs (docker info) and what its log says"
    );

    private.restart();
    let builds = super::recorded(&project, &engine);
    assert_eq!((builds.len(), builds[0]["state"].as_str()), (1, Some("failed")));
    project.write("Dockerfile", "FROM busybox\nRUN --network=none echo again\n");
    let again = unstale(&project, &engine, &["build"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(super::recorded(&project, &engine).len(), 2);
}
