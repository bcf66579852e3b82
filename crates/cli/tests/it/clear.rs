//! `unstale clear` takes away what could answer a step, and says the truth of what is left: whether it does is asked of
//! `docker compose build`.

use crate::options::{on_every_engine, on_every_engine_alone};
use crate::plan::plan;
use serde_json::Value;
use std::process::{Command, Output, Stdio};
use testkit::{Engine, Project, Registry, left_out, registry};

/// One service whose image holds an inline cache, like the seed of all trouble.
pub(crate) fn write(project: &Project, registry: Option<&Registry>) {
    let name = project.name();
    let dockerfile = format!("FROM unstale-base\nRUN echo {name} > /name\nCOPY code /code\nRUN cat /code\n");
    project.write("Dockerfile", dockerfile);
    project.write("code", "one");
    // Of a registry that answers: what is in one that does not cannot be known.
    let image = registry.map(|registry| format!("{}/{name}:latest", registry.host));
    let imports = image.iter().map(|image| format!(", cache_from: [\"{image}\"]"));
    let imports: String = imports.collect();
    let build = format!("{{context: ., args: {{BUILDKIT_INLINE_CACHE: 1}}{imports}}}");
    let image = image.unwrap_or_else(|| format!("{name}-app"));
    let service = format!("{{image: \"{image}\", build: {build}, command: sleep 1000, init: true}}");
    project.write(
        "compose.yaml",
        format!("name: {name}\nservices: {{app: {service}}}\n"),
    );
}

/// With each engine alone, whose cache nobody uses.
pub(crate) fn on_idle_engines(test: impl Fn(&Engine, &Project) + Sync) {
    on_every_engine_alone(|engine, project| {
        let is_used = || {
            let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
            let mut records = usage["BuildCache"].as_array().into_iter().flatten();
            records.any(|record| record["InUse"] == true)
        };
        // Builds that have ended let go of theirs in a moment.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while is_used() {
            if std::time::Instant::now() > deadline {
                return left_out("records stay in use after a build whose client is gone");
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        test(engine, project);
    });
}

pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// How many steps a plain build reuses, of the three.
#[track_caller]
pub(crate) fn reused_by_docker(project: &Project, engine: &Engine) -> usize {
    let mut command = project.command(engine, "docker");
    let (code, stdout, stderr) = run(command.args(["compose", "--progress", "plain", "build"]));
    assert_eq!(code, 0, "{}: {stdout}{stderr}", engine.name);
    let output = stdout + &stderr;
    let mut reused = 0;
    for line in output.lines().filter(|line| line.ends_with(" CACHED")) {
        let number = line.split(' ').next().unwrap_or_default();
        // A base image may be called cached as well.
        let name =
            |line: &&str| line.starts_with(number) && (line.contains("] RUN ") || line.contains("] COPY "));
        reused += usize::from(output.lines().any(|line| name(&line)));
    }
    reused
}

#[track_caller]
fn docker(project: &Project, engine: &Engine, arguments: &[&str]) {
    let (code, stdout, stderr) = run(project.command(engine, "docker").args(arguments));
    assert_eq!(code, 0, "{}: {arguments:?}: {stdout}{stderr}", engine.name);
}

/// The exit code and the document.
#[track_caller]
fn clear(project: &Project, engine: &Engine, arguments: &[&str]) -> (i32, Value) {
    let mut command = project.unstale(engine);
    command.args(["clear", "--format", "json"]).args(arguments);
    let (code, stdout, stderr) = run(&mut command);
    let document = serde_json::from_str(&stdout);
    (
        code,
        document.unwrap_or_else(|_| panic!("{}: {stdout}{stderr}", engine.name)),
    )
}

fn reasons(document: &Value) -> Vec<String> {
    let stores = document["stores"].as_array().unwrap().iter();
    let left = stores.flat_map(|store| store["leftovers"].as_array().unwrap());
    left.map(|left| left["reason"].as_str().unwrap().to_owned())
        .collect()
}

/// How many records the engine's build cache has.
fn records(engine: &Engine) -> usize {
    let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
    usage["BuildCache"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_prune_that_keeps_what_images_share_is_told_and_what_is_cleared_stays_so_with_and_without_an_import() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    on_idle_engines(|engine, project| {
        // An inline cache, cleared as everybody does, and everything is cached again.
        write(project, None);
        assert_eq!(reused_by_docker(project, engine), 0, "{}", engine.name);
        docker(project, engine, &["builder", "prune", "--force"]);
        let reused = reused_by_docker(project, engine);
        // What an image shares is kept, whether there is an inline cache or not; containerd's store forgets it.
        let is_classic = ["d20", "d28"].contains(&engine.name.as_str());
        assert_eq!(reused, if is_classic { 3 } else { 0 }, "{}", engine.name);

        // The cause is told, and how often.
        docker(project, engine, &["builder", "prune", "--force"]);
        let (_, document) = clear(project, engine, &["--dry-run"]);
        let shared = document["stores"][0]["shared_with_images"].as_u64().unwrap();
        assert_eq!(shared > 0, is_classic, "{}: {document:#}", engine.name);
        let text = run(project.unstale(engine).args(["clear", "--dry-run"])).1;
        let words = format!(
            "{shared} share layers with images; `docker builder prune` leaves those without -a, and builds reuse them"
        );
        assert_eq!(text.contains(&words), is_classic, "{}: {text}", engine.name);

        let (code, document) = clear(project, engine, &["--yes"]);
        assert_eq!(
            (code, &document["proven"]),
            (0, &Value::Bool(true)),
            "{document:#}"
        );
        assert_eq!(document["schema"], "unstale.clear/1");
        assert_eq!(document["stores"][0]["after"]["records"], 0, "{}", engine.name);
        assert_eq!(records(engine), 0, "{}", engine.name);
        assert_eq!(reused_by_docker(project, engine), 0, "{}", engine.name);

        // The same with an import: what was pushed before the clear does not come back.
        write(project, Some(&registry));
        let image = format!("{}/{}:latest", registry.host, project.name());
        unstale_build(project, engine, &[]);
        docker(project, engine, &["push", &image]);
        let (code, document) = clear(project, engine, &["--target", "builder,images", "--yes"]);
        assert_eq!(code, 0, "{}: {document:#}", engine.name);
        let (outcomes, _, stderr) = unstale_build(project, engine, &[]);
        assert!(
            outcomes.iter().all(|outcome| outcome == "ran"),
            "{}: {outcomes:?}",
            engine.name
        );
        let refused = format!("not imported: {image} holds results from before the clear at");
        assert!(stderr.contains(&refused), "{}: {stderr}", engine.name);

        // A plain build imports it: that it is there is said, and that it is not cleared.
        let (code, document) = clear(project, engine, &["--target", "all", "--yes"]);
        assert_eq!(code, 21, "{}: {document:#}", engine.name);
        let told = reasons(&document);
        assert!(
            told.iter().any(|reason| reason.contains("is in its registry")),
            "{told:?}"
        );
        let reused = reused_by_docker(project, engine);
        assert!(reused > 0, "{}: a plain build imports it", engine.name);

        // What is made later is admitted, and a cache in a registry goes if that is wanted.
        assert_eq!(clear(project, engine, &["--yes"]).0, 0);
        unstale_build(project, engine, &[]);
        docker(project, engine, &["push", &image]);
        let (_, _, stderr) = unstale_build(project, engine, &[]);
        assert!(!stderr.contains("not imported"), "{}: {stderr}", engine.name);
        let (code, document) = clear(project, engine, &["--target", "all", "--remote", "--yes"]);
        assert_eq!(code, 0, "{}: {document:#}", engine.name);
        assert_eq!(reused_by_docker(project, engine), 0, "{}", engine.name);
    });
}

#[test]
fn what_is_imported_is_cleared_or_named() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    on_idle_engines(|engine, project| {
        write(project, Some(&registry));
        let is_classic = ["d20", "d28"].contains(&engine.name.as_str());
        reused_by_docker(project, engine);
        docker(project, engine, &["compose", "up", "--detach", "--no-build"]);

        // The image is in use: it stays, and the classic store's builder imports from it.
        let (code, document) = clear(project, engine, &["--target", "all", "--yes"]);
        let image = format!("{}/{}:latest", registry.host, project.name());
        let kept = format!("{image} holds a cache, and is kept for the running container");
        assert_eq!(
            code,
            if is_classic { 21 } else { 0 },
            "{}: {document:#}",
            engine.name
        );
        let is_named = reasons(&document).iter().any(|reason| reason.starts_with(&kept));
        assert_eq!(is_named, is_classic, "{}: {document:#}", engine.name);
        assert_eq!(
            reused_by_docker(project, engine) > 0,
            is_classic,
            "{}",
            engine.name
        );

        docker(project, engine, &["compose", "down"]);
        let (code, document) = clear(project, engine, &["--target", "all", "--yes"]);
        assert_eq!(code, 0, "{}: {document:#}", engine.name);
        assert_eq!(reused_by_docker(project, engine), 0, "{}", engine.name);
    });
}

#[test]
fn a_build_that_runs_meanwhile_is_waited_for() {
    on_idle_engines(|engine, project| {
        write(project, None);
        let name = project.name();
        let slow = format!("FROM unstale-base\nRUN echo {name}; sleep 2\nRUN echo {name} > /after\n");
        project.write("Dockerfile", slow);
        let mut building = project.command(engine, "docker");
        building.args(["compose", "--progress", "plain", "build"]);
        let mut building = building
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Engines before 23 tell of a build by what it uses only.
        let begun = || {
            let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
            let mut records = usage["BuildCache"].as_array().into_iter().flatten();
            records
                .any(|record| record["InUse"] == true && record["Description"].to_string().contains("sleep"))
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !begun() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (code, document) = clear(project, engine, &["--yes"]);
        building.wait().unwrap();
        let reused = reused_by_docker(project, engine);
        assert_eq!(
            (code, &document["proven"]),
            (0, &Value::Bool(true)),
            "{}: {document:#}",
            engine.name
        );
        assert_eq!(reused, 0, "{}: {document:#}", engine.name);
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    on_idle_engines(|engine, project| {
        write(project, None);
        reused_by_docker(project, engine);
        let before = records(engine);
        let (code, document) = clear(project, engine, &["--target", "all", "--dry-run"]);
        assert_eq!(
            (code, &document["dry_run"]),
            (0, &Value::Bool(true)),
            "{document:#}"
        );
        assert_eq!(document["proven"], false);
        let listed = &document["stores"][0]["before"]["records"];
        assert_eq!(
            listed.as_u64(),
            Some(before as u64),
            "{}: {document:#}",
            engine.name
        );
        assert_eq!(records(engine), before, "{}", engine.name);
        assert_eq!(reused_by_docker(project, engine), 3, "{}", engine.name);
    });
}

#[test]
fn cache_mounts_are_cleared_alone() {
    on_idle_engines(|engine, project| {
        let name = project.name();
        let mount = |id: &str| {
            format!("RUN --mount=type=cache,id={name}-{id},target=/cache echo {id} >> /cache/log\n")
        };
        project.write(
            "Dockerfile",
            format!("FROM unstale-base\n{}{}", mount("one"), mount("two")),
        );
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        let (code, _, stderr) = run(project.unstale(engine).arg("build"));
        assert_eq!(code, 0, "{}: {stderr}", engine.name);

        let (code, document) = clear(project, engine, &["--mount", &format!("{name}-one"), "--yes"]);
        let store = &document["stores"][0];
        assert_eq!(code, 0, "{}: {document:#}", engine.name);
        assert_eq!(store["store"], "cache-mounts");
        // Before BuildKit 0.12 the engine does not tell the ids.
        let named = if engine.name == "d20" { 0 } else { 1 };
        assert_eq!(store["before"]["records"], named, "{}: {document:#}", engine.name);
        let (code, document) = clear(project, engine, &["--target", "mounts", "--yes"]);
        let store = &document["stores"][0];
        assert_eq!(
            (code, &store["before"]["records"]),
            (0, &Value::from(2 - named)),
            "{document:#}"
        );
        assert_eq!(store["after"]["records"], 0);
        assert!(
            document["epoch"].is_null(),
            "a clear of mounts is none of results"
        );
    });
}

#[test]
fn what_makes_no_sense_or_cannot_be_asked_is_refused() {
    on_every_engine(|engine, project| {
        write(project, None);
        let refused = |arguments: &[&str], variable: &str| {
            let mut command = project.unstale(engine);
            let output = run(command
                .arg("clear")
                .args(arguments)
                .env("TARGET", variable)
                .stdin(Stdio::null()));
            (output.0, output.2)
        };
        let (code, stderr) = refused(&["--yes", "--target", "image"], "");
        assert_eq!(code, 2, "{stderr}");
        assert!(
            stderr.contains("no target is called \"image\"") && stderr.contains("images"),
            "{stderr}"
        );
        let (code, stderr) = refused(&["--yes"], "everything");
        let is_named = stderr.contains("everything") && stderr.contains("ledger, all");
        assert_eq!((code, is_named), (2, true), "{stderr}");
        let (code, stderr) = refused(&[], "");
        assert_eq!((code, stderr.contains("--yes")), (2, true), "{stderr}");
        let (code, stderr) = refused(&["--yes", "--target", "all", "-f", "absent.yaml"], "");
        assert_eq!((code, stderr.contains("--target builder")), (1, true), "{stderr}");
        let gone = ["--yes", "--host", "unix:///nowhere/docker.sock"];
        let (code, stderr) = refused(&gone, "");
        assert_eq!((code, stderr.contains("hint:")), (1, true), "{stderr}");
    });
}

#[test]
fn a_builder_of_buildx_that_cannot_be_reached_is_not_cleared() {
    on_idle_engines(|engine, project| {
        write(project, None);
        let instances = project.path().join("buildx/instances");
        let instance = |name: &str, driver: &str, endpoint: &str| {
            let node = format!("{{\"Name\":\"{name}0\",\"Endpoint\":\"{endpoint}\",\"DriverOpts\":null}}");
            let text = format!("{{\"Name\":\"{name}\",\"Driver\":\"{driver}\",\"Nodes\":[{node}]}}");
            project.write(format!("buildx/instances/{name}"), text);
        };
        instance("far", "remote", "unix:///nowhere/buildkitd.sock");
        instance(
            "boxed",
            "docker-container",
            &format!("unix://{}", engine.socket.display()),
        );
        instance("pod", "kubernetes", "");
        project.write("buildx/instances/broken", "{");
        let mut command = project.unstale(engine);
        command.env("BUILDX_CONFIG", instances.parent().unwrap());
        let (code, stdout, stderr) = run(command.args(["clear", "--yes"]));
        assert_eq!(code, 21, "{}: {stdout}{stderr}", engine.name);
        for words in [
            "buildx far",
            "buildx boxed",
            "buildx pod",
            "buildx broken",
            "--builder pod",
            "unknown",
            "not proven",
        ] {
            assert!(
                stdout.contains(words),
                "{}: {words:?} is not in {stdout}",
                engine.name
            );
        }
        assert_eq!(records(engine), 0, "{}: its own was cleared", engine.name);
    });
}

/// The outcomes of the instructions of the only service, and the document.
#[track_caller]
fn unstale_build(project: &Project, engine: &Engine, arguments: &[&str]) -> (Vec<String>, Value, String) {
    let mut command = project.unstale(engine);
    command
        .args(["build", "--progress", "plain", "--format", "json"])
        .args(arguments);
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!(code, 0, "{}: {stdout}{stderr}", engine.name);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let steps = document["services"][0]["steps"].as_array().unwrap().iter();
    let work = steps.filter(|step| step["kind"] == "instruction");
    let outcomes = work
        .map(|step| step["outcome"].as_str().unwrap().to_owned())
        .collect();
    (outcomes, document, stderr)
}

#[test]
fn after_a_clear_steps_run_and_say_so_and_then_are_reused() {
    on_idle_engines(|engine, project| {
        write(project, None);
        unstale_build(project, engine, &[]);
        assert_eq!(clear(project, engine, &["--yes"]).0, 0);

        let planned = plan(project, engine, &[]);
        let steps = planned["services"][0]["steps"].as_array().unwrap().iter();
        let work = steps.filter(|step| step["kind"] == "instruction");
        let told: Vec<(&Value, &Value)> = work
            .map(|step| (&step["outcome"], &step["cause"]["kind"]))
            .collect();
        assert!(
            told.iter().all(|(outcome, _)| **outcome == "run"),
            "{}: {planned:#}",
            engine.name
        );
        assert!(
            told.iter().any(|(_, cause)| **cause == "cleared"),
            "{}: {planned:#}",
            engine.name
        );

        let (outcomes, document, _) = unstale_build(project, engine, &[]);
        assert!(
            outcomes.iter().all(|outcome| outcome == "ran"),
            "{}: {outcomes:?}",
            engine.name
        );
        assert_eq!(
            document["services"][0]["violations"],
            Value::from(Vec::<Value>::new())
        );
        let (outcomes, document, _) = unstale_build(project, engine, &[]);
        assert!(
            outcomes.iter().all(|outcome| outcome == "cached"),
            "{}: {document:#}",
            engine.name
        );
    });
}

#[test]
fn what_a_build_keeps_through_a_clear_is_not_reused_unnoticed() {
    on_idle_engines(|engine, project| {
        let name = project.name();
        let first = format!("FROM unstale-base\nRUN echo {name} > /name\n");
        project.write("Dockerfile", &first);
        project.write("Slowly", format!("{first}RUN echo {name}; sleep 10\n"));
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        unstale_build(project, engine, &[]);

        // It lies upon the old result, and holds it.
        let mut building = project.command(engine, "docker");
        building
            .args(["build", "--file", "Slowly", "."])
            .env("DOCKER_BUILDKIT", "1");
        let mut building = building
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let begun = || {
            let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
            let mut records = usage["BuildCache"].as_array().into_iter().flatten();
            records
                .any(|record| record["InUse"] == true && record["Description"].to_string().contains("sleep"))
        };
        while !begun() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (code, document) = clear(project, engine, &["--yes", "--wait", "0"]);
        assert_eq!(
            (code, &document["proven"]),
            (21, &Value::Bool(false)),
            "{}: {document:#}",
            engine.name
        );
        assert!(
            reasons(&document)[0].contains("a build that runs"),
            "{}: {document:#}",
            engine.name
        );

        let (outcomes, document, stderr) = unstale_build(project, engine, &[]);
        assert_eq!(outcomes, ["ran"], "{}: {document:#}\n{stderr}", engine.name);
        let violations = document["services"][0]["violations"].as_array().unwrap();
        assert_eq!(violations.len(), 1, "{}: {document:#}", engine.name);
        let recorded = project
            .unstale(engine)
            .args(["why", "--format", "json"])
            .output()
            .unwrap();
        let recorded: Value = serde_json::from_slice(&recorded.stdout).unwrap();
        assert_eq!(
            &recorded["services"][0]["violations"],
            &document["services"][0]["violations"]
        );
        let told = project.unstale(engine).arg("why").output().unwrap();
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("from before a clear: RUN echo")
                || told.contains("from before a clear: [2/2] RUN echo"),
            "{told}"
        );
        building.wait().unwrap();
    });
}

/// Two services that have a stage in common.
fn write_two(project: &Project) {
    let name = project.name();
    let stage = format!("FROM unstale-base AS common\nRUN echo {name} > /common\n");
    for service in ["one", "two"] {
        let own = format!("FROM common\nRUN echo {name} {service} > /first\nRUN echo {service} > /second\n");
        project.write(format!("{service}.Dockerfile"), format!("{stage}{own}"));
    }
    let service = |name: &str| format!("{name}: {{build: {{context: ., dockerfile: {name}.Dockerfile}}}}");
    project.write(
        "compose.yaml",
        format!("services: {{{}, {}}}\n", service("one"), service("two")),
    );
}

/// The instructions of each service that ran.
#[track_caller]
fn ran(project: &Project, engine: &Engine) -> Vec<(String, String)> {
    let (_, document, _) = unstale_build(project, engine, &[]);
    let mut ran = Vec::new();
    for service in document["services"].as_array().unwrap() {
        for step in service["steps"].as_array().unwrap() {
            if step["kind"] == "instruction" && step["outcome"] == "ran" {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                ran.push((text(&service["service"]), text(&step["instruction"])));
            }
        }
    }
    ran
}

#[test]
fn one_service_or_one_step_is_cleared_alone() {
    on_idle_engines(|engine, project| {
        write_two(project);
        let name = project.name();
        ran(project, engine);
        assert!(ran(project, engine).is_empty(), "{}", engine.name);
        let is_classic = ["d20", "d28"].contains(&engine.name.as_str());
        let own = |service: &str, text: String| (service.to_owned(), text);
        let first = || own("one", format!("RUN echo {name} one > /first"));
        let second = || own("one", "RUN echo one > /second".to_owned());

        // The common stage is the other service's, too.
        let (code, document) = clear(project, engine, &["one", "--yes"]);
        assert_eq!(code, 21, "{}: {document:#}", engine.name);
        let common = "a step of one is also another service's";
        assert!(
            reasons(&document).iter().any(|reason| reason.starts_with(common)),
            "{document:#}"
        );
        assert_eq!(ran(project, engine), [first(), second()], "{}", engine.name);
        assert!(ran(project, engine).is_empty(), "{}: it is new now", engine.name);

        let (code, document) = clear(project, engine, &["one:RUN echo one", "--yes"]);
        assert_eq!(
            code,
            if is_classic { 0 } else { 21 },
            "{}: {document:#}",
            engine.name
        );
        assert_eq!(ran(project, engine), [second()], "{}", engine.name);
        assert!(ran(project, engine).is_empty(), "{}", engine.name);

        // As in a workflow that offers services beside targets.
        let mut command = project.unstale(engine);
        let (code, _, stderr) = run(command.args(["clear", "--dry-run"]).env("TARGET", "one,two"));
        assert_eq!(code, 0, "{}: {stderr}", engine.name);
        let (code, _, stderr) = run(project.unstale(engine).args(["clear", "--yes", "three"]));
        assert_eq!(
            (code, stderr.contains("built are: one, two")),
            (2, true),
            "{stderr}"
        );
        let (code, _, stderr) = run(project
            .unstale(engine)
            .args(["clear", "--yes", "one:RUN nothing"]));
        assert_eq!(code, 2, "{stderr}");
        assert!(ran(project, engine).is_empty(), "{}", engine.name);
    });
}
