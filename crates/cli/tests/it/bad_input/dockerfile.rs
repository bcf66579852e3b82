//! Dockerfiles that the engine refuses or that fail: its own words, the lines in question, and what a step wrote last.

use super::{Ended, assert_alive, outcomes, recorded, unstale, web};
use insta::assert_snapshot;
use testkit::{Engine, Project, engines};

/// Builds a Dockerfile on every engine; all of them must fail with code 20 and go on working.
fn failing(dockerfile: &str, mut check: impl FnMut(&Engine, &Project, &Ended, &str)) {
    insta::allow_duplicates! {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("broken", dockerfile);
        let ended = unstale(&project, engine, &["build", "--quiet"]);
        assert_eq!(ended.code, 20, "{}: {}", engine.name, ended.stderr);
        assert_eq!(ended.stdout, "", "{}", engine.name);
        check(engine, &project, &ended, &ended.message(&project));
        let builds = recorded(&project, engine);
        assert_eq!(builds.len(), 1, "{}", engine.name);
        assert_eq!(builds[0]["state"], "failed", "{}", engine.name);
        assert!(builds[0]["error"].as_str().unwrap().starts_with("web: "));
        engine.api("GET", "/version").unwrap();
    }
    }
}

/// 20.10 writes its messages in other words than those that came after it.
fn is_old(engine: &Engine) -> bool {
    engine.version.starts_with("20.")
}

#[test]
fn an_unknown_instruction_is_shown_with_its_line() {
    failing("FROM busybox\nFOO bar\nRUN true\n", |engine, _, _, message| {
        if is_old(engine) {
            assert_snapshot!(message, @r"
            error: web: failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: FOO
            Dockerfile:2
                1 |     FROM busybox
                2 | >>> FOO bar
                3 |     RUN true
            hint: correct the line; a step that spans lines ends each of them but the last with a backslash
            ");
        } else {
            assert_snapshot!(message, @r"
            error: web: dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)
            Dockerfile:2
                1 |     FROM busybox
                2 | >>> FOO bar
                3 |     RUN true
            hint: correct the line; a step that spans lines ends each of them but the last with a backslash
            ");
        }
    });
}

#[test]
fn a_failing_run_shows_its_last_lines_and_its_place() {
    let dockerfile = "FROM busybox\nRUN for i in $(seq 30); do echo line $i; done; exit 3\nRUN echo after\n";
    failing(dockerfile, |engine, _, _, message| {
        let (first, rest) = message.split_once('\n').unwrap();
        let words = if is_old(engine) {
            "error: web: executor failed running [/bin/sh -c"
        } else {
            "error: web: process \"/bin/sh -c"
        };
        assert!(
            first.starts_with(words) && first.ends_with("exit code: 3"),
            "{first}"
        );
        assert_snapshot!(rest, @r"
         > [2/3] RUN for i in $(seq 30); do echo line $i; done; exit 3:
           line 11
           line 12
           line 13
           line 14
           line 15
           line 16
           line 17
           line 18
           line 19
           line 20
           line 21
           line 22
           line 23
           line 24
           line 25
           line 26
           line 27
           line 28
           line 29
           line 30
        Dockerfile:2
            1 |     FROM busybox
            2 | >>> RUN for i in $(seq 30); do echo line $i; done; exit 3
            3 |     RUN echo after
        ");
    });
}

#[test]
fn a_copy_of_nothing_names_the_source_and_the_line() {
    failing(
        "FROM busybox\nCOPY missing.txt /app/\n",
        |engine, _, _, message| {
            assert!(message.contains("\"/missing.txt\""), "{}: {message}", engine.name);
            let (_, rest) = message.split_once('\n').unwrap();
            assert_snapshot!(rest, @r"
        Dockerfile:2
            1 |     FROM busybox
            2 | >>> COPY missing.txt /app/
        hint: check that the path is in the build context, and that .dockerignore does not exclude it
        ");
        },
    );
}

#[test]
fn stages_in_a_circle_and_empty_files_are_said() {
    let circle = "FROM busybox AS a\nCOPY --from=b /x /x\nFROM busybox AS b\nCOPY --from=a /x /x\n";
    failing(circle, |engine, _, _, message| {
        assert!(
            message.contains("circular dependency detected on stage: a"),
            "{}: {message}",
            engine.name
        );
        assert!(
            message.ends_with("hint: let one of the stages do without the other"),
            "{message}"
        );
    });
    failing("", |engine, _, _, message| {
        assert!(
            message.contains("the Dockerfile cannot be empty"),
            "{}: {message}",
            engine.name
        );
        assert!(message.ends_with("hint: begin it with: FROM image"), "{message}");
    });
}

#[test]
fn an_image_or_stage_that_nobody_has_is_said_within_a_bound() {
    let begun = std::time::Instant::now();
    for reference in ["nobody.invalid/some/image:1", "127.0.0.1:1/some/image:1"] {
        failing(
            &format!("FROM {reference}\nRUN true\n"),
            |engine, _, _, message| {
                let host = reference.split(['/', ':']).next().unwrap();
                assert!(
                    message.contains(host) && message.contains("some/image"),
                    "{}: {message}",
                    engine.name
                );
                assert!(
                message.ends_with("hint: check the image's name, and that the engine can reach and may read its registry"),
                "{}: {message}",
                engine.name
            );
            },
        );
    }
    assert!(begun.elapsed().as_secs() < 90, "{:?}", begun.elapsed());
    failing(
        "FROM busybox AS a\nCOPY --from=127.0.0.1:1/nosuchstage /x /x\n",
        |engine, _, _, message| assert!(message.contains("nosuchstage"), "{}: {message}", engine.name),
    );
}

#[test]
fn a_target_that_is_no_stage_is_said() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("target", "FROM busybox AS real\n");
        let tag = format!("{}-x", project.name());
        let ended = unstale(
            &project,
            engine,
            &["build", ".", "-q", "-t", &tag, "--target", "unreal"],
        );
        assert_eq!(ended.code, 20, "{}", ended.stderr);
        assert!(ended.stderr.contains("unreal"), "{}", ended.stderr);
    }
}

#[test]
fn three_hundred_steps_are_built_and_told_one_by_one() {
    let Some(engine) = engines().last() else {
        return testkit::left_out("no engine answers");
    };
    let _shared = engine.shared();
    // Chains of a hundred: overlay file systems have no more than 125 layers.
    let mut dockerfile = String::new();
    for chain in 0..3 {
        dockerfile += &format!("FROM busybox AS chain{chain}\n");
        for number in 0..100 {
            dockerfile += &format!("WORKDIR /chain{chain}/{number}\n");
        }
    }
    dockerfile += "FROM scratch\n";
    for chain in 0..3 {
        dockerfile += &format!("COPY --from=chain{chain} /chain{chain} /{chain}\n");
    }
    let project = web("long", &dockerfile);
    let ended = unstale(&project, engine, &["build", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}: {}", engine.name, ended.message(&project));
    let document = ended.json();
    let steps = outcomes(&document["services"][0]);
    let is_work = |(instruction, _): &&(String, String)| !instruction.starts_with("FROM");
    assert_eq!(steps.iter().filter(is_work).count(), 303);
    let log = unstale(&project, engine, &["log", document["build_id"].as_str().unwrap()]);
    let rows = log.stdout.lines().filter(|line| line.contains("WORKDIR /chain"));
    assert_eq!(rows.count(), 300);
    assert_alive(&project, engine);
}
