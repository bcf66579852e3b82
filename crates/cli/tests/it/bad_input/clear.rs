//! Clears that something stops: nothing is claimed that is not known, and the next one completes.

use super::interrupt::Running;
use super::private_engine::Private;
use super::{run, web};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::web::{Answer, Server};
use testkit::{Engine, Project, engine, engines, left_out};

/// The exit code of a clear, its document, and what was on standard error.
fn clear(
    project: &Project,
    engine: &Engine,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> (i32, Value, String) {
    let mut command = project.unstale(engine);
    command
        .args(["clear", "--yes", "--format", "json"])
        .args(arguments);
    let ended = run(command.envs(variables.iter().copied()));
    let document = serde_json::from_str(&ended.stdout).unwrap_or_default();
    (ended.code, document, ended.stderr)
}

/// What is left, in the words for people.
fn left(document: &Value) -> String {
    let stores = document["stores"].as_array().into_iter().flatten();
    let left = stores.flat_map(|store| store["leftovers"].as_array().into_iter().flatten());
    let told = left.map(|left| format!("{}; {}", left["reason"], left["hint"]));
    told.collect::<Vec<_>>().join("\n")
}

fn records(engine: &Engine) -> usize {
    let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
    usage["BuildCache"].as_array().map_or(0, Vec::len)
}

#[test]
fn an_engine_that_dies_during_a_clear_proves_nothing_and_the_next_clear_completes() {
    let Some(like) = engine("d28").or_else(|| engine("d28c")) else {
        return left_out("no 28.5 engine to take the programs from");
    };
    let mut private = match Private::start(like) {
        Ok(private) => private,
        Err(reason) => return left_out(&reason),
    };
    let engine = private.engine();
    let project = web(
        "cleared",
        "FROM busybox\nRUN --network=none echo one > /one\nCOPY . /all\n",
    );
    private.load(like, &project, "busybox");
    let built = super::unstale(&project, &engine, &["build"]);
    assert_eq!(built.code, 0, "{}", built.stderr);
    project.write(
        "Dockerfile",
        "FROM busybox\nRUN --network=none echo begun && sleep 300\n",
    );
    let mut build = Running::start(project.unstale(&engine).args(["build", "--progress=plain"]));
    build.wait_for(" begun");

    // It deletes what is not in use, and waits for the rest.
    let before = records(&engine);
    let mut command = project.unstale(&engine);
    command.args(["clear", "--yes", "--format", "json", "--wait", "120"]);
    let cleared = Running::start(&mut command);
    let begun = Instant::now();
    while records(&engine) >= before {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the clear does not begin"
        );
    }
    private.kill();
    let ended = cleared.end();
    assert_eq!(ended.code, 21, "{}", ended.stderr);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["proven"], false, "{document:#}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    build.end();

    private.restart();
    let (code, document, stderr) = clear(&project, &private.engine(), &[], &[]);
    assert_eq!(
        (code, &document["proven"]),
        (0, &true.into()),
        "{document:#}\n{stderr}"
    );
    assert_eq!(records(&private.engine()), 0);
}

#[test]
fn a_socket_that_we_may_not_use_clears_nothing() {
    let project = web("denied", "FROM busybox\n");
    let listener = std::os::unix::net::UnixListener::bind(project.path().join("other.sock")).unwrap();
    project.chmod("other.sock", 0o000);
    let Some(mut command) = super::context::without_privileges(&project, None) else {
        return;
    };
    let host = format!("unix://{}/other.sock", project.path().display());
    let ended = run(command.env("DOCKER_HOST", host).args(["clear", "--yes"]));
    drop(listener);
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(ended.message(&project), @r"
    error: cannot connect to the Docker engine at unix://[project]/other.sock (set by DOCKER_HOST): Permission denied (os error 13)
    hint: add yourself to the docker group (sudo usermod -aG docker $USER) and log in again
    ");
}

#[test]
fn an_import_from_a_registry_that_is_down_is_not_said_to_be_cleared() {
    for engine in engines() {
        let project = web("down", "FROM busybox\n");
        let compose = |from: &str| {
            let build = format!("{{context: .{from}}}");
            project.write("compose.yaml", format!("services: {{web: {{build: {build}}}}}\n"));
        };
        compose(", cache_from: [\"127.0.0.1:1/cache\"]");
        let (code, document, stderr) = clear(&project, engine, &["--target", "imports"], &[]);
        assert_eq!(
            (code, &document["proven"]),
            (21, &false.into()),
            "{}: {stderr}",
            engine.name
        );
        let left = left(&document);
        assert!(
            left.contains("cannot reach the registry 127.0.0.1:1"),
            "{}: {left}",
            engine.name
        );
        compose("");
        let (code, document, _) = clear(&project, engine, &["--target", "imports"], &[]);
        assert_eq!((code, &document["proven"]), (0, &true.into()), "{}", engine.name);
    }
}

#[test]
fn what_github_refuses_is_said_and_not_claimed_and_the_next_clear_completes() {
    const ONE: &str = r#"{"total_count":1,"actions_caches":[{"id":7,"ref":"refs/heads/main","key":"k","size_in_bytes":10}]}"#;
    const NONE: &str = r#"{"total_count":0,"actions_caches":[]}"#;
    const REFUSED: &str = r#"{"message":"Resource not accessible"}"#;
    let Some(engine) = engines().first() else {
        return left_out("no engine");
    };
    let project = web("ci", "FROM busybox\n");
    let clear = |answers: Vec<fn() -> Answer>| {
        let count = answers.len();
        let server = Server::start(move |_, before| answers[before]());
        let variables = [
            ("GITHUB_API_URL", server.url.as_str()),
            ("GITHUB_REPOSITORY", "octo/hello"),
            ("GITHUB_TOKEN", "ghs_S3cret"),
        ];
        let (code, document, stderr) = clear(&project, engine, &["--target", "ci"], &variables);
        assert_eq!(server.requests().len(), count, "{document:#}");
        assert!(
            !format!("{document}{stderr}").contains("S3cret"),
            "{document:#}\n{stderr}"
        );
        (code, document["proven"] == true, left(&document))
    };
    type Refusal = (fn() -> Answer, &'static str);
    let refusals: [Refusal; 4] = [
        (|| Answer::new(401, REFUSED), "GitHub does not accept the token"),
        (|| Answer::new(403, REFUSED), "actions: write"),
        (
            || Answer::new(429, REFUSED).with("Retry-After: 3600"),
            "try again in 1h",
        ),
        (|| Answer::new(500, REFUSED), "GitHub answered 500"),
    ];
    for (refusal, words) in refusals {
        let (code, proven, left) = clear(vec![refusal]);
        assert_eq!((code, proven), (21, false), "{words}: {left}");
        assert!(left.contains(words), "{words}: {left}");
    }
    // The list is given, and the deletion refused.
    let (code, proven, left) = clear(vec![|| Answer::new(200, ONE), || Answer::new(403, REFUSED)]);
    assert_eq!((code, proven), (21, false), "{left}");
    assert!(left.contains("Resource not accessible"), "{left}");
    let done = clear(vec![|| Answer::new(200, ONE), || Answer::new(204, ""), || {
        Answer::new(200, NONE)
    }]);
    assert_eq!(done, (0, true, String::new()));
}
