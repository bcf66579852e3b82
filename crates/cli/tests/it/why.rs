//! `unstale why` tells of builds that are over: its own with causes and origins, and those that others made after it, as
//! far as the engine remembers them.

use crate::options::{build, is_modern, on_every_engine};
use insta::{Settings, allow_duplicates, assert_snapshot};
use serde_json::{Value, json};
use std::process::Command;
use testkit::{Engine, Project, left_out};

/// A service whose steps are no other project's: what the first one copies is the project's name.
fn write(project: &Project) {
    project.write(
        "Dockerfile",
        "FROM busybox\nCOPY name /name\nCOPY src /src\nARG LEVEL=1\nRUN echo level $LEVEL > /level\n",
    );
    project.write("name", project.name());
    project.write("src/code", "one");
    project.write("src/other", "same");
    project.write("compose.yaml", "services: {app: {build: .}}\n");
}

fn why(project: &Project, engine: &Engine, arguments: &[&str]) -> Command {
    let mut command = project.unstale(engine);
    command.arg("why").args(arguments);
    command
}

/// What `why` prints.
#[track_caller]
fn told(project: &Project, engine: &Engine, arguments: &[&str]) -> String {
    let output = why(project, engine, arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", engine.name);
    assert_eq!(stderr, "", "{}", engine.name);
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn document(project: &Project, engine: &Engine, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&told(project, engine, &arguments)).unwrap()
}

/// The end of `docker …` in the project.
fn docker(project: &Project, engine: &Engine, arguments: &[&str]) -> bool {
    let mut command = project.command(engine, "docker");
    command.args(arguments).output().unwrap().status.success()
}

/// The image that the service has by default.
fn image(project: &Project) -> String {
    format!("{}-app", project.name())
}

/// Whether the engine remembers builds; if not, `why` says so.
fn remembers(project: &Project, engine: &Engine) -> bool {
    if is_modern(engine) {
        return true;
    }
    let unknown = &document(project, engine, &["app"])["later_build_unknown"];
    let reason = unknown.as_str().unwrap();
    assert!(reason.contains("keeps no history of builds"), "{reason}");
    left_out(&format!(
        "{}: its BuildKit keeps no history of builds",
        engine.name
    ));
    false
}

/// Instruction and outcome of each step of the later build.
#[track_caller]
fn later(document: &Value) -> Vec<(String, String)> {
    let steps = document["later_build"]["steps"].as_array();
    let steps = steps.unwrap_or_else(|| panic!("no later build: {document}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let work = steps.iter().filter(|step| step["kind"] == "instruction");
    work.map(|step| (text(&step["instruction"]), text(&step["outcome"])))
        .collect()
}

fn pairs(steps: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, outcome): &(&str, &str)| ((*name).to_owned(), (*outcome).to_owned());
    steps.iter().map(own).collect()
}

/// Snapshots in which names, times and what differs between engines are replaced.
pub(crate) fn steady(project: &Project, check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    for (pattern, replacement) in [
        (project.name(), "[name]"),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
        (r"\(\d+ (s|min) ago\)", "([age] ago)"),
        (r"\b\d+\.\ds\b", "[took]"),
        (
            r"docker\.io/library/busybox(:latest)?(@sha256:[0-9a-f…]+)?",
            "busybox",
        ),
        (r"\b([0-9a-f]{64}|[0-9a-f]{12}|[0-9a-z]{25})\b", "[id]"),
        (r#"("(started|completed)_ms": )\d+"#, "$1[ms]"),
        (r#"(?s)("engine": )\{.*?\}"#, "$1[engine]"),
        (r#"("project_dir": )".*?""#, r#"$1"[folder]""#),
        (r"(\S) {2,}", "$1  "),
        // Engines' words for the same.
        (
            r#"process \\*"(.*?)\\*" did not complete successfully: exit"#,
            "failed [$1]: exit",
        ),
        (r"executor failed running \[(.*?)\]: exit", "failed [$1]: exit"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.bind(|| allow_duplicates!(check()));
}

#[test]
fn a_later_build_by_compose_is_told_and_an_earlier_one_is_not() {
    on_every_engine(|engine, project| {
        write(project);
        assert!(docker(project, engine, &["compose", "build"]));
        project.write("src/code", "two");
        build(project, engine, &[]).ok();
        if !remembers(project, engine) {
            return;
        }
        let before = document(project, engine, &["app"]);
        assert_eq!(before["later_build"], Value::Null, "{}", engine.name);
        assert_eq!(before["later_build_unknown"], Value::Null, "{}", engine.name);

        project.write("src/code", "three");
        assert!(docker(project, engine, &["compose", "build"]));
        let after = document(project, engine, &["app"]);
        let expected = [
            ("COPY name /name", "cached"),
            ("COPY src /src", "ran"),
            ("RUN echo level 1 > /level", "ran"),
        ];
        assert_eq!(later(&after), pairs(&expected), "{}", engine.name);
        assert_eq!(after["build"], before["build"], "{}", engine.name);
        // With a step as well; and not where a build is named.
        let step = document(project, engine, &["app", "3"]);
        assert_eq!(step["later_build"], after["later_build"]);
        let text = told(project, engine, &["app", "3"]);
        assert!(text.contains("built since, not recorded by unstale: "), "{text}");
        let named = before["build"]["id"].as_str().unwrap();
        let named = document(project, engine, &["app", "--build", named]);
        assert_eq!(named["later_build"], Value::Null, "{}", engine.name);

        build(project, engine, &[]).ok();
        let again = document(project, engine, &["app"]);
        assert_eq!(again["later_build"], Value::Null, "{}", engine.name);
    });
}

#[test]
fn a_later_plain_build_of_the_services_image_is_told_and_one_of_another_image_is_not() {
    on_every_engine(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        if !remembers(project, engine) {
            return;
        }
        let other = format!("{}-other", project.name());
        assert!(docker(project, engine, &["build", "--tag", &other, "."]));
        let document_of_other = document(project, engine, &["app"]);
        assert_eq!(document_of_other["later_build"], Value::Null, "{}", engine.name);

        let expected = |level| {
            let last = format!("RUN echo level {level} > /level");
            pairs(&[
                ("COPY name /name", "cached"),
                ("COPY src /src", "cached"),
                (&last, "ran"),
            ])
        };
        let level = ["--build-arg", "LEVEL=2"];
        assert!(docker(
            project,
            engine,
            &[&["build", "--tag", &image(project)], &level[..], &["."]].concat()
        ));
        let document_of_build = document(project, engine, &["app"]);
        assert_eq!(later(&document_of_build), expected(2), "{}", engine.name);

        // The name may be one of several, and may be written in full.
        let full = format!("docker.io/library/{}:latest", image(project));
        let buildx = [
            "buildx",
            "build",
            "--tag",
            &other,
            "--tag",
            &full,
            "--build-arg",
            "LEVEL=3",
            ".",
        ];
        assert!(docker(project, engine, &buildx));
        let document_of_buildx = document(project, engine, &["app"]);
        assert_eq!(later(&document_of_buildx), expected(3), "{}", engine.name);
    });
}

#[test]
fn a_later_build_that_failed_is_told_with_its_output_and_without_secrets() {
    on_every_engine(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        if !remembers(project, engine) {
            return;
        }
        project.write(
            "Dockerfile",
            "FROM busybox\nCOPY name /name\nARG API_TOKEN\nRUN echo the reason is $API_TOKEN; exit 3\nRUN echo never\n",
        );
        let secret = "kept-to-itself";
        let arg = format!("API_TOKEN={secret}");
        let failing = ["build", "--tag", &image(project), "--build-arg", &arg, "."];
        assert!(!docker(project, engine, &failing));
        let text = told(project, engine, &["app"]);
        let whole = document(project, engine, &["app"]);
        for told in [&text, &whole.to_string()] {
            assert!(!told.contains(secret), "{}: {told}", engine.name);
        }
        let (_, since) = text.split_once("\n\nbuilt since").unwrap();
        steady(project, || {
            assert_snapshot!(since, @r#"
            , not recorded by unstale: [id]  [time]
              [1/4] FROM busybox  cached
              [2/4] COPY name /name  cached
              [3/4] RUN echo the reason is [secret]; exit 3  failed  [took]
              [4/4] RUN echo never  not-reached

              > [3/4] RUN echo the reason is [secret]; exit 3:
                the reason is [secret]
              failed [/bin/sh -c echo the reason is $API_TOKEN; exit 3]: exit code: 3
              why its steps ran or were reused is not known: the engine keeps neither the files nor the keys
            "#);
            assert_snapshot!(pretty(&whole["later_build"]), @r#"
            {
              "created": "[time]",
              "error": "failed [/bin/sh -c echo the reason is $API_TOKEN; exit 3]: exit code: 3",
              "ref": "[id]",
              "steps": [
                {
                  "cause": null,
                  "contents": [],
                  "digest": "sha256:[id]",
                  "error": null,
                  "instruction": "FROM busybox",
                  "key": null,
                  "kind": "source",
                  "location": null,
                  "name": "[1/4] FROM busybox",
                  "note": null,
                  "origin": null,
                  "outcome": "cached",
                  "output": null,
                  "record": null,
                  "stable_digest": ""
                },
                {
                  "cause": null,
                  "contents": [],
                  "digest": "sha256:[id]",
                  "error": null,
                  "instruction": "COPY name /name",
                  "key": null,
                  "kind": "instruction",
                  "location": null,
                  "name": "[2/4] COPY name /name",
                  "note": null,
                  "origin": null,
                  "outcome": "cached",
                  "output": null,
                  "record": null,
                  "stable_digest": ""
                },
                {
                  "cause": null,
                  "contents": [],
                  "digest": "sha256:[id]",
                  "error": "failed [/bin/sh -c echo the reason is $API_TOKEN; exit 3]: exit code: 3",
                  "instruction": "RUN echo the reason is [secret]; exit 3",
                  "key": null,
                  "kind": "instruction",
                  "location": null,
                  "name": "[3/4] RUN echo the reason is [secret]; exit 3",
                  "note": null,
                  "origin": null,
                  "outcome": "failed",
                  "output": "the reason is [secret]\n",
                  "record": null,
                  "stable_digest": ""
                },
                {
                  "cause": null,
                  "contents": [],
                  "digest": "sha256:[id]",
                  "error": null,
                  "instruction": "RUN echo never",
                  "key": null,
                  "kind": "instruction",
                  "location": null,
                  "name": "[4/4] RUN echo never",
                  "note": null,
                  "origin": null,
                  "outcome": "not-reached",
                  "output": null,
                  "record": null,
                  "stable_digest": ""
                }
              ]
            }
            "#);
        });
    });
}

#[test]
fn a_service_that_unstale_never_built_is_told_as_far_as_the_engine_remembers() {
    on_every_engine(|engine, project| {
        write(project);
        let refused = |reason: &str| {
            let output = why(project, engine, &["app"]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{}: {stderr}", engine.name);
            assert!(stderr.contains(reason), "{}: {stderr}", engine.name);
        };
        if !is_modern(engine) {
            assert!(docker(project, engine, &["compose", "build"]));
            refused("keeps no history of builds");
            left_out(&format!(
                "{}: its BuildKit keeps no history of builds",
                engine.name
            ));
            return;
        }
        refused("remembers none");
        assert!(docker(project, engine, &["compose", "build"]));
        let text = told(project, engine, &["app"]);
        let document = document(project, engine, &["app"]);
        steady(project, || {
            assert_snapshot!(text, @r"
            unstale has recorded no build of it

            the engine's last build of it: [id]  [time]
              [1/4] FROM busybox  cached
              [2/4] COPY name /name  ran  [took]
              [3/4] COPY src /src  ran  [took]
              [4/4] RUN echo level 1 > /level  ran  [took]
              why its steps ran or were reused is not known: the engine keeps neither the files nor the keys
            ");
        });
        assert_eq!(document["build"], Value::Null, "{document}");
        assert_eq!(document["services"], json!([]), "{document}");
        let expected = [
            ("COPY name /name", "ran"),
            ("COPY src /src", "ran"),
            ("RUN echo level 1 > /level", "ran"),
        ];
        assert_eq!(later(&document), pairs(&expected), "{}", engine.name);
        // Of one step nothing is known, of no service neither, and the engine is not asked without one.
        for (arguments, code) in [(&["app", "3"][..], 3), (&["nothing"], 1), (&[], 3)] {
            let output = why(project, engine, arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{}: {output:?}", engine.name);
        }
    });
}

#[test]
fn a_build_is_told_with_causes_and_origins() {
    on_every_engine(|engine, project| {
        write(project);
        build(project, engine, &[]).ok();
        project.write("src/code", "two");
        project.write("src/new", "");
        build(project, engine, &["--build-arg", "LEVEL=2"]).ok();
        let text = told(project, engine, &[]);
        let copy = told(project, engine, &["app", "3"]);
        let run = told(project, engine, &["app", "RUN"]);
        let whole = document(project, engine, &[]);
        steady(project, || {
            assert_snapshot!(text, @r"
            build [id]  [time]  unstale build --build-arg LEVEL

            app  built
              [1/4] FROM busybox  cached  base image
              [2/4] COPY name /name  cached  build [id]
              [3/4] COPY src /src  ran  [took]  files-changed: src/code (content), src/new (added)
              [4/4] RUN echo level 2 > /level  ran  [took]  arg-changed: LEVEL: 1 → 2
            ");
            assert_snapshot!(copy, @r"
            app  [3/4] COPY src /src
              outcome  ran in [took]
              why  files-changed: src/code (content), src/new (added)
              instruction  COPY src /src
              place  Dockerfile:3
              changes  src/code  content
                           src/new  added
              builds on  [2/4] COPY name /name (cached)
                           [internal] load build context
              content  [id]
              record  [id]
              key  [id]
            ");
            assert_snapshot!(run, @r"
            app  [4/4] RUN echo level 2 > /level
              outcome  ran in [took]
              why  arg-changed: LEVEL: 1 → 2
              instruction  RUN echo level $LEVEL > /level
              place  Dockerfile:5
              changes  LEVEL: 1 → 2  (from --build-arg)
              builds on  [3/4] COPY src /src (ran)
              record  [id]
              key  [id]
            ");
            assert_snapshot!(pretty(&whole), @r#"
            {
              "build": {
                "builder": "engine",
                "command": "unstale build --build-arg LEVEL",
                "commit": null,
                "completed_ms": [ms],
                "dirty": false,
                "engine": [engine],
                "error": null,
                "id": "[id]",
                "project": "[name]",
                "project_dir": "[folder]",
                "services": [
                  {
                    "cached": 1,
                    "image_id": "sha256:[id]",
                    "outcome": "built",
                    "ran": 2,
                    "service": "app"
                  }
                ],
                "started_ms": [ms],
                "state": "succeeded"
              },
              "later_build": null,
              "later_build_unknown": null,
              "schema": "unstale.why/1",
              "services": [
                {
                  "error": null,
                  "image": "[name]-app",
                  "image_id": "sha256:[id]",
                  "outcome": "built",
                  "service": "app",
                  "steps": [
                    {
                      "cause": null,
                      "contents": [],
                      "digest": "sha256:[id]",
                      "error": null,
                      "instruction": "FROM busybox",
                      "key": "[id]",
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
                      "output": null,
                      "record": null,
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": null,
                      "contents": [
                        "[id]"
                      ],
                      "digest": "sha256:[id]",
                      "error": null,
                      "instruction": "COPY name /name",
                      "key": "[id]",
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
                      "output": null,
                      "record": "[id]",
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": {
                        "changes": [
                          {
                            "change": "content",
                            "path": "src/code"
                          },
                          {
                            "change": "added",
                            "path": "src/new"
                          }
                        ],
                        "kind": "files-changed",
                        "summary": "src/code (content), src/new (added)"
                      },
                      "contents": [
                        "[id]"
                      ],
                      "digest": "sha256:[id]",
                      "error": null,
                      "instruction": "COPY src /src",
                      "key": "[id]",
                      "kind": "instruction",
                      "location": {
                        "end_line": 3,
                        "file": "Dockerfile",
                        "line": 3
                      },
                      "name": "[3/4] COPY src /src",
                      "note": null,
                      "origin": null,
                      "outcome": "ran",
                      "output": null,
                      "record": "[id]",
                      "stable_digest": "sha256:[id]"
                    },
                    {
                      "cause": {
                        "changes": [
                          {
                            "arg": "LEVEL",
                            "new": "2",
                            "old": "1",
                            "source": "--build-arg"
                          }
                        ],
                        "kind": "arg-changed",
                        "summary": "LEVEL: 1 → 2"
                      },
                      "contents": [],
                      "digest": "sha256:[id]",
                      "error": null,
                      "instruction": "RUN echo level 2 > /level",
                      "key": "[id]",
                      "kind": "instruction",
                      "location": {
                        "end_line": 5,
                        "file": "Dockerfile",
                        "line": 5
                      },
                      "name": "[4/4] RUN echo level 2 > /level",
                      "note": null,
                      "origin": null,
                      "outcome": "ran",
                      "output": null,
                      "record": "[id]",
                      "stable_digest": "sha256:[id]"
                    }
                  ],
                  "violations": []
                }
              ]
            }
            "#);
        });
    });
}

#[test]
fn a_failed_build_is_told_with_its_output_and_what_was_not_reached() {
    on_every_engine(|engine, project| {
        write(project);
        project.write(
            "Dockerfile",
            "FROM busybox\nCOPY name /name\nRUN echo the reason; exit 3\nRUN echo never\n",
        );
        assert_eq!(build(project, engine, &[]).code, Some(20), "{}", engine.name);
        let text = told(project, engine, &["--", "app"]);
        let text = text.split("\n\nwhether").next().unwrap();
        let step = told(project, engine, &["app", "3"]);
        let document = document(project, engine, &["app", "3"]);
        steady(project, || {
            assert_snapshot!(text, @r#"
            build [id]  [time]  unstale build

            app  failed
              [1/4] FROM busybox  cached  base image
              [2/4] COPY name /name  ran  [took]  first-build: first build of this service here
              [3/4] RUN echo the reason; exit 3  failed  [took]  first-build: first build of this service here
              [4/4] RUN echo never  not-reached

              > [3/4] RUN echo the reason; exit 3:
                the reason
              failed [/bin/sh -c echo the reason; exit 3]: exit code: 3
            "#);
            assert_snapshot!(step, @r#"
            app  [3/4] RUN echo the reason; exit 3
              outcome  failed in [took]
              why  first-build: first build of this service here
              instruction  RUN echo the reason; exit 3
              place  Dockerfile:3
              builds on  [2/4] COPY name /name (ran)
              key  [id]
              error  failed [/bin/sh -c echo the reason; exit 3]: exit code: 3

              > [3/4] RUN echo the reason; exit 3:
                the reason
            "#);
            assert_snapshot!(pretty(&document["steps"]), @r#"
            [
              {
                "cause": {
                  "kind": "first-build",
                  "summary": "first build of this service here"
                },
                "contents": [],
                "digest": "sha256:[id]",
                "error": "failed [/bin/sh -c echo the reason; exit 3]: exit code: 3",
                "instruction": "RUN echo the reason; exit 3",
                "key": "[id]",
                "kind": "instruction",
                "location": {
                  "end_line": 3,
                  "file": "Dockerfile",
                  "line": 3
                },
                "name": "[3/4] RUN echo the reason; exit 3",
                "note": null,
                "origin": null,
                "outcome": "failed",
                "output": "the reason\n",
                "record": null,
                "stable_digest": "sha256:[id]"
              }
            ]
            "#);
        });
    });
}

pub(crate) fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap()
}
