//! What becomes of the others when one fails: other services, other steps.

use super::{outcomes, recorded, run, unstale, web};
use serde_json::Value;
use testkit::{Engine, Project, engines};

/// `bad` fails after `slow` has begun; `child` is built from `bad`; `late` is built from `slow`.
fn several() -> Project {
    let project = Project::new("several");
    let name = project.name().to_owned();
    project.write(
        "compose.yaml",
        "services:\n  bad:\n    build: bad\n  slow:\n    build: slow\n  \
         child:\n    build: child\n  late:\n    build: late\n",
    );
    // The name makes the steps this test's own, so that no other build on the engine is shared.
    project.write(
        "bad/Dockerfile",
        format!("FROM busybox\nRUN sleep 1; echo {name}; false\n"),
    );
    project.write(
        "slow/Dockerfile",
        format!("FROM busybox\nRUN sleep 4; echo {name}\n"),
    );
    project.write("child/Dockerfile", format!("FROM {name}-bad\nRUN echo child\n"));
    project.write("late/Dockerfile", format!("FROM {name}-slow\nRUN echo late\n"));
    project
}

fn services(document: &Value) -> Vec<(&str, &str)> {
    let services = document["services"].as_array().unwrap();
    services
        .iter()
        .map(|service| {
            (
                service["service"].as_str().unwrap(),
                service["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

fn check(engine: &Engine, arguments: &[&str], expected: &[(&str, &str)]) {
    let _shared = engine.shared();
    let project = several();
    let ended = unstale(&project, engine, arguments);
    assert_eq!(ended.code, 20, "{}: {}", engine.name, ended.stderr);
    let document = ended.json();
    assert_eq!(services(&document), expected, "{}", engine.name);
    // One error: the cause, not its consequences.
    assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("error: bad: "), "{}", ended.stderr);
    let record = &recorded(&project, engine)[0];
    assert_eq!(record["state"], "failed");
    let mut stored = services(record);
    stored.sort_unstable();
    assert_eq!(stored, expected, "{}", engine.name);
}

#[test]
fn a_failure_stops_the_other_services_and_what_was_not_begun_is_said_so() {
    for engine in engines() {
        check(
            engine,
            &["build", "--format", "json", "--quiet"],
            &[
                ("bad", "failed"),
                ("child", "not-reached"),
                ("late", "not-reached"),
                ("slow", "cancelled"),
            ],
        );
    }
}

#[test]
fn with_keep_going_only_what_is_built_from_the_failed_service_is_not_reached() {
    for engine in engines() {
        check(
            engine,
            &["build", "--format", "json", "--quiet", "--keep-going"],
            &[
                ("bad", "failed"),
                ("child", "not-reached"),
                ("late", "built"),
                ("slow", "built"),
            ],
        );
    }
}

#[test]
fn services_that_were_not_begun_are_named_in_plain_progress_and_in_the_table() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = several();
        let ended = unstale(&project, engine, &["build", "--progress", "plain"]);
        assert_eq!(ended.code, 20);
        assert!(ended.stderr.contains("\nchild: not begun\n"), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("\nslow: stopped after "),
            "{}",
            ended.stderr
        );
        assert!(ended.stdout.contains("\nchild  not begun\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains("\nslow  stopped  "), "{}", ended.stdout);
    }
}

/// Measured beside it on 20.10 and 28.5 (both stores): `docker buildx build --progress plain` prints CANCELED for the
/// parallel stage, and nothing at all for the four steps that never came up.
#[test]
fn steps_that_a_failure_kept_from_running_are_not_reached_and_never_cached() {
    for engine in engines() {
        let _shared = engine.shared();
        let mark = testkit::unique("mark");
        let project = web(
            "stages",
            format!(
                "FROM busybox AS failing\nRUN echo {mark} && sleep 2 && false\n\
                 FROM busybox AS parallel\nRUN echo {mark} parallel && sleep 8\nRUN echo later\n\
                 FROM busybox\nRUN echo {mark} quick\nCOPY --from=failing /etc /a\nCOPY --from=parallel /etc /b\n\
                 RUN echo end\n"
            ),
        );
        let ended = unstale(&project, engine, &["build", "--format", "json", "-q"]);
        assert_eq!(ended.code, 20, "{}", ended.stderr);
        let document = ended.json();
        let mut steps = outcomes(&document["services"][0]);
        steps.sort();
        let expect = |instruction: &str, outcome: &str| (instruction.to_owned(), outcome.to_owned());
        let mut expected = vec![
            expect("COPY --from=failing /etc /a", "not-reached"),
            expect("COPY --from=parallel /etc /b", "not-reached"),
            expect("RUN echo end", "not-reached"),
            expect("RUN echo later", "not-reached"),
            expect(&format!("RUN echo {mark} && sleep 2 && false"), "ran"),
            expect(&format!("RUN echo {mark} parallel && sleep 8"), "ran"),
            expect(&format!("RUN echo {mark} quick"), "ran"),
        ];
        expected.sort();
        let (base, rest): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|(step, _)| step.starts_with("FROM"));
        assert_eq!(rest, expected, "{}", engine.name);
        assert_eq!(base.len(), 1, "{}", engine.name);
        // Errors: of the step that failed, and of the one that was stopped for it.
        let steps = document["services"][0]["steps"].as_array().unwrap();
        let errors: Vec<_> = steps.iter().filter_map(|step| step["error"].as_str()).collect();
        assert_eq!(errors.len(), 2, "{}: {errors:?}", engine.name);
        assert_eq!(
            errors
                .iter()
                .filter(|error| error.ends_with("context canceled"))
                .count(),
            1
        );

        // The same in the tables, where the two are told apart.
        let id = document["build_id"].as_str().unwrap();
        let log = unstale(&project, engine, &["log", id]).stdout;
        let row = |instruction: &str| {
            let mut rows = log.lines().filter(|line| line.starts_with("  ["));
            rows.find(|line| line.contains(instruction)).unwrap().to_owned()
        };
        assert!(row("&& false").contains("  failed  "), "{log}");
        assert!(row("parallel && sleep").contains("  stopped  "), "{log}");
        assert!(row("RUN echo end").ends_with("  not-reached"), "{log}");
    }
}

#[test]
fn cached_steps_before_a_failure_stay_cached() {
    for engine in engines() {
        let _shared = engine.shared();
        let mark = testkit::unique("mark");
        let good = format!("FROM busybox\nRUN echo {mark}\nWORKDIR /app\n");
        let project = web("partly", &good);
        assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
        project.write("Dockerfile", good + "RUN false\nRUN echo never\n");
        let ended = unstale(&project, engine, &["build", "--format", "json", "-q"]);
        assert_eq!(ended.code, 20, "{}", ended.stderr);
        let steps = outcomes(&ended.json()["services"][0]);
        let words: Vec<_> = steps.iter().map(|(_, outcome)| outcome.as_str()).collect();
        assert_eq!(
            words,
            ["cached", "cached", "cached", "ran", "not-reached"],
            "{}: {steps:?}",
            engine.name
        );
    }
}

#[test]
fn a_failed_copy_does_not_make_its_base_image_a_failure() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("copy", "FROM busybox\nCOPY missing /x\nRUN echo after\n");
        let ended = run(project.unstale(engine).args(["build", "--format", "json", "-q"]));
        let document = ended.json();
        let steps = document["services"][0]["steps"].as_array().unwrap();
        let errors: Vec<_> = steps
            .iter()
            .filter(|step| !step["error"].is_null())
            .map(|step| step["instruction"].as_str().unwrap())
            .collect();
        assert_eq!(errors, ["COPY missing /x"], "{}", engine.name);
    }
}

/// The daemon infers `cached` for every vertex on the way to one that it has begun. Here it begins COPY, which fails
/// when its source is looked for, while the first RUN still runs. Measured on 20.10 and 28.5 (both stores): `docker
/// buildx build --progress plain` prints `[3/5] RUN …` and CACHED for a step that nobody ever ran, and BuildKit's
/// `rawjson` has `"cached": true` for it. It was not reached.
#[test]
fn a_step_that_the_daemon_infers_to_be_cached_before_a_failure_is_not_reached() {
    for engine in engines() {
        let _shared = engine.shared();
        let mark = testkit::unique("mark");
        let project = web(
            "inferred",
            format!(
                "FROM busybox\nRUN sleep 5; echo {mark}\nRUN echo two {mark}\nCOPY missing /x\nRUN echo end\n"
            ),
        );
        let ended = unstale(&project, engine, &["build", "--format", "json", "-q"]);
        assert_eq!(ended.code, 20, "{}", ended.stderr);
        let steps = outcomes(&ended.json()["services"][0]);
        let outcome = |instruction: &str| {
            let step = steps.iter().find(|(step, _)| step.starts_with(instruction));
            step.unwrap().1.clone()
        };
        assert_eq!(
            outcome("RUN echo two"),
            "not-reached",
            "{}: {steps:?}",
            engine.name
        );
        assert_eq!(
            outcome("RUN echo end"),
            "not-reached",
            "{}: {steps:?}",
            engine.name
        );
        assert_eq!(outcome("COPY missing"), "ran", "{}: {steps:?}", engine.name);
    }
}
