//! `unstale plan` says what a build then does, and leaves nothing behind; `unstale why` tells it afterwards.

use crate::options::{build, on_every_engine, on_every_engine_alone, output};
use crate::why::{pretty, steady};
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeSet;
use testkit::{Engine, Project};

/// The plan as JSON.
#[track_caller]
pub(crate) fn plan(project: &Project, engine: &Engine, arguments: &[&str]) -> Value {
    let mut command = project.unstale(engine);
    command.args(["plan", "--format", "json"]).args(arguments);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", engine.name);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Name, outcome and kind of cause of each instruction of the only service.
fn steps(document: &Value) -> Vec<(String, String, Option<String>)> {
    let steps = document["services"][0]["steps"].as_array().unwrap();
    let mut steps: Vec<_> = steps
        .iter()
        .filter(|step| step["kind"] == "instruction")
        .map(|step| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let name = text(&step["instruction"]).unwrap();
            (
                name,
                text(&step["outcome"]).unwrap(),
                text(&step["cause"]["kind"]),
            )
        })
        .collect();
    // Builders before 0.9 list stages in any order.
    steps.sort();
    steps
}

fn expected(steps: &[(&str, &str, Option<&str>)]) -> Vec<(String, String, Option<String>)> {
    let own = |(name, outcome, cause): &(&str, &str, Option<&str>)| {
        (
            (*name).to_owned(),
            (*outcome).to_owned(),
            cause.map(str::to_owned),
        )
    };
    steps.iter().map(own).collect()
}

fn write(project: &Project) {
    let name = project.name();
    let dockerfile = format!(
        "FROM busybox\nRUN echo {name} > /name\nCOPY src /src\nARG LEVEL=1\nRUN echo $LEVEL > /level\n"
    );
    project.write("Dockerfile", dockerfile);
    project.write("src/code", "one");
    project.write("src/other", "same");
    project.write("compose.yaml", "services: {app: {build: .}}\n");
}

#[test]
fn a_plan_says_what_the_build_then_does() {
    on_every_engine(|engine, project| {
        write(project);
        let first = format!("RUN echo {} > /name", project.name());
        let (first, copy) = (first.as_str(), "COPY src /src");
        let level = |value: u32| format!("RUN echo {value} > /level");

        let planned = plan(project, engine, &[]);
        let all = Some("first-build");
        let last = level(1);
        let mut whole = [(copy, "run", all), (&last, "run", all), (first, "run", all)];
        whole.sort();
        assert_eq!(steps(&planned), expected(&whole), "{}", engine.name);
        build(project, engine, &[]).ok();

        let planned = plan(project, engine, &[]);
        assert_eq!(planned["up_to_date"], true, "{}: {planned}", engine.name);
        assert_eq!(
            planned["summary"],
            serde_json::json!({"run": 0, "cached": 3, "maybe": 0})
        );

        project.write("src/code", "two");
        let planned = plan(project, engine, &[]);
        let built = build(project, engine, &[]).ok();
        let wanted = [
            (copy, "run", Some("files-changed")),
            (&last, "run", Some("parent-ran")),
            (first, "cached", None),
        ];
        assert_eq!(steps(&planned), expected(&wanted), "{}", engine.name);
        let copied = built.service("app")["steps"].as_array().unwrap().clone();
        let copied = copied.iter().find(|step| step["instruction"] == copy).unwrap();
        let change = serde_json::json!([{"path": "code", "change": "content"}]);
        let change_in_src = serde_json::json!([{"path": "src/code", "change": "content"}]);
        let changes = &copied["cause"]["changes"];
        assert!(
            *changes == change || *changes == change_in_src,
            "{}: {copied}",
            engine.name
        );

        let planned = plan(project, engine, &["--build-arg", "LEVEL=2"]);
        let last = level(2);
        let wanted = [
            (copy, "cached", None),
            (&last, "run", Some("arg-changed")),
            (first, "cached", None),
        ];
        assert_eq!(steps(&planned), expected(&wanted), "{}", engine.name);
        let run = planned["services"][0]["steps"]
            .as_array()
            .unwrap()
            .last()
            .unwrap();
        assert_eq!(run["cause"]["changes"][0]["source"], "--build-arg", "{run}");
    });
}

#[test]
fn an_earlier_state_is_cached_again_and_its_origin_is_named() {
    on_every_engine(|engine, project| {
        write(project);
        let first = build(project, engine, &[]).ok();
        project.write("src/code", "two");
        build(project, engine, &[]).ok();
        project.write("src/code", "one");
        let planned = plan(project, engine, &[]);
        assert_eq!(planned["up_to_date"], true, "{}: {planned}", engine.name);
        let built = build(project, engine, &[]).ok();
        for document in [&planned["services"][0], built.service("app")] {
            let steps = document["steps"].as_array().unwrap();
            let copy = steps
                .iter()
                .find(|step| step["instruction"] == "COPY src /src")
                .unwrap();
            assert_eq!(copy["origin"]["kind"], "local", "{}: {copy}", engine.name);
            assert_eq!(
                copy["origin"]["build"],
                first.build_id(),
                "{}: {copy}",
                engine.name
            );
        }
    });
}

/// The exit code tells scripts whether a build would run something.
#[test]
fn the_detailed_exit_code_tells_whether_something_would_run() {
    on_every_engine(|engine, project| {
        write(project);
        let code = || {
            let mut command = project.unstale(engine);
            let status = command
                .args(["plan", "--detailed-exitcode"])
                .output()
                .unwrap()
                .status;
            status.code()
        };
        assert_eq!(code(), Some(10), "{}", engine.name);
        build(project, engine, &[]).ok();
        assert_eq!(code(), Some(0), "{}", engine.name);
    });
}

/// A ledger that begins on an engine where everything is built already.
#[test]
fn results_that_others_made_are_cached_after_the_first_build_here() {
    on_every_engine(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        let state = project.path().join("another-ledger");
        let command = |verb: &str| {
            let mut command = project.unstale(engine);
            command
                .args([verb, "--format", "json"])
                .env("UNSTALE_STATE_DIR", &state);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", engine.name);
            steps(&serde_json::from_slice(&output.stdout).unwrap())
        };
        let built = command("build");
        assert!(
            built.iter().all(|(_, outcome, _)| outcome == "cached"),
            "{built:?}"
        );
        let planned = command("plan");
        assert!(
            planned.iter().all(|(_, outcome, _)| outcome == "cached"),
            "{planned:?}"
        );
    });
}

/// In containerd's store every result on an image is lost then, and is listed as before.
#[test]
fn a_prune_of_anything_is_noticed() {
    on_every_engine_alone(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        let planned = || {
            let document = plan(project, engine, &[]);
            let step = |step: &Value| {
                let is_own = step["kind"] == "instruction" && step["outcome"] == "run";
                is_own.then(|| (step["instruction"].clone(), step["cause"]["kind"].clone()))
            };
            let steps = document["services"][0]["steps"].as_array().unwrap();
            steps.iter().filter_map(step).collect::<Vec<_>>()
        };
        assert!(planned().is_empty(), "{}: {:?}", engine.name, planned());
        let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
        let records = usage["BuildCache"].as_array().cloned().unwrap_or_default();
        let mut received: Vec<Value> = records
            .into_iter()
            .filter(|record| record["Type"] == "source.local")
            .collect();
        received.sort_by_key(|record| record["CreatedAt"].to_string());
        let id = received.pop().unwrap()["ID"].as_str().unwrap().to_owned();
        let filters = format!("%7B%22id%22%3A%5B%22{id}%22%5D%7D");
        let pruned = engine
            .api("POST", &format!("/build/prune?all=1&filters={filters}"))
            .unwrap();
        assert_eq!(pruned["CachesDeleted"][0], id.as_str(), "{}", engine.name);
        let before = planned();
        let built = build(project, engine, &[]).ok();
        let built = built.outcomes("app");
        let ran = built.iter().filter(|outcome| **outcome == "ran").count();
        assert_eq!(before.len(), ran, "{}: {before:?}, {built:?}", engine.name);
        let is_explained = |(_, cause): &(Value, Value)| cause == "record-pruned";
        assert!(before.iter().all(is_explained), "{}: {before:?}", engine.name);
        assert!(planned().is_empty(), "{}: {:?}", engine.name, planned());
    });
}

#[test]
fn a_plan_leaves_nothing_but_the_engines_copy_of_the_dockerfile() {
    on_every_engine(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        project.write("src/code", "two");
        let records = || -> BTreeSet<(String, String)> {
            // Containerd's store cannot sum itself up while a build beside it lets go of a snapshot.
            let usage = (0..20)
                .find_map(|_| engine.api("GET", "/system/df").ok())
                .unwrap();
            let records = usage["BuildCache"].as_array().cloned().unwrap_or_default();
            let ours = records.iter().map(|record| {
                let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                (text("ID"), text("Description"))
            });
            ours.collect()
        };
        let before = records();
        plan(project, engine, &[]);
        // Tests beside this one build: what is looked for is a result of this project's own steps.
        let is_own = |(_, description): &&(String, String)| description.contains(project.name());
        let after = records();
        let new: Vec<_> = after.difference(&before).filter(is_own).collect();
        assert!(new.is_empty(), "{}: {new:?}", engine.name);
    });
}

#[test]
fn a_failed_build_is_told_with_its_output_and_what_was_not_reached() {
    on_every_engine(|engine, project| {
        let name = project.name();
        let dockerfile =
            format!("FROM busybox\nRUN echo {name}\nRUN echo the reason; exit 3\nRUN echo never\n");
        project.write("Dockerfile", dockerfile);
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        let built = build(project, engine, &[]);
        assert_eq!(built.code, Some(20), "{}", engine.name);
        let mut command = project.unstale(engine);
        command.args(["why", "app"]).current_dir(project.path());
        let told = output(&mut command);
        let line = |words: &str| {
            told.lines()
                .find(|line| line.contains(words))
                .unwrap_or_default()
                .to_owned()
        };
        assert!(line("exit 3").contains("failed"), "{}: {told}", engine.name);
        assert!(
            line("echo never").contains("not-reached"),
            "{}: {told}",
            engine.name
        );
        assert!(told.contains("\n    the reason\n"), "{}: {told}", engine.name);
    });
}

#[test]
fn a_plan_is_a_table_and_a_document() {
    on_every_engine(|engine, project| {
        project.write("name", project.name());
        project.write("src/code", "one");
        project.write(
            "Dockerfile",
            "FROM busybox\nCOPY name /name\nCOPY src /src\nRUN echo built > /built\n",
        );
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        build(project, engine, &[]).ok();
        project.write("src/code", "two");
        let mut command = project.unstale(engine);
        let text = output(command.arg("plan"));
        let mut document = plan(project, engine, &[]);
        document["builder"] = Value::Null;
        steady(project, || {
            assert_snapshot!(text, @r"

            app  [name]-app
              [1/4] FROM busybox  cached  base image
              [2/4] COPY name /name  cached  build [id]
              [3/4] COPY src /src  run  files-changed: src/code (content)
              [4/4] RUN echo built > /built  run  parent-ran: builds on COPY src /src (files-changed)

            2 to run, 1 cached, 0 unknown
            ");
            assert_snapshot!(pretty(&document), @r#"
            {
              "builder": null,
              "commit": null,
              "dirty": false,
              "schema": "unstale.plan/1",
              "services": [
                {
                  "commit": null,
                  "dirty": false,
                  "error": null,
                  "image": "[name]-app",
                  "service": "app",
                  "steps": [
                    {
                      "cause": null,
                      "digest": "sha256:[id]",
                      "instruction": "FROM busybox",
                      "kind": "source",
                      "location": {
                        "end_line": 1,
                        "file": "Dockerfile",
                        "line": 1
                      },
                      "name": "[1/4] FROM busybox",
                      "note": null,
                      "origin": {
                        "build": null,
                        "commit": null,
                        "created": null,
                        "kind": "base",
                        "reason": null,
                        "ref": null
                      },
                      "outcome": "cached",
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": null,
                      "digest": "sha256:[id]",
                      "instruction": "COPY name /name",
                      "kind": "instruction",
                      "location": {
                        "end_line": 2,
                        "file": "Dockerfile",
                        "line": 2
                      },
                      "name": "[2/4] COPY name /name",
                      "note": null,
                      "origin": {
                        "build": "[id]",
                        "commit": null,
                        "created": "[time]",
                        "kind": "local",
                        "reason": null,
                        "ref": null
                      },
                      "outcome": "cached",
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": {
                        "changes": [
                          {
                            "change": "content",
                            "path": "src/code"
                          }
                        ],
                        "kind": "files-changed",
                        "summary": "src/code (content)"
                      },
                      "digest": "sha256:[id]",
                      "instruction": "COPY src /src",
                      "kind": "instruction",
                      "location": {
                        "end_line": 3,
                        "file": "Dockerfile",
                        "line": 3
                      },
                      "name": "[3/4] COPY src /src",
                      "note": null,
                      "origin": null,
                      "outcome": "run",
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": {
                        "kind": "parent-ran",
                        "step": "[3/4] COPY src /src",
                        "summary": "builds on COPY src /src (files-changed)"
                      },
                      "digest": "sha256:[id]",
                      "instruction": "RUN echo built > /built",
                      "kind": "instruction",
                      "location": {
                        "end_line": 4,
                        "file": "Dockerfile",
                        "line": 4
                      },
                      "name": "[4/4] RUN echo built > /built",
                      "note": null,
                      "origin": null,
                      "outcome": "run",
                      "stable_digest": "sha256:[id]"
                    }
                  ],
                  "up_to_date": false
                }
              ],
              "summary": {
                "cached": 1,
                "maybe": 0,
                "run": 2
              },
              "up_to_date": false
            }
            "#);
        });
    });
}
