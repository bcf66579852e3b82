//! `unstale clear --experiment` finds out which ways of clearing work on an engine, at nobody's cost but its own.

use crate::clear::{reused_by_docker, run, write};
use crate::options::{on_every_engine, on_every_engine_alone};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkit::{Engine, Project, Store, buildkitd, engine, left_out};

/// How long it may take to begin.
const BEGIN: Duration = Duration::from_secs(20);

/// How many steps each way's next build reuses, by the way's word.
#[track_caller]
fn experiment(project: &Project, engine: &Engine, arguments: &[&str]) -> Vec<(String, u64)> {
    let mut command = project.unstale(engine);
    command
        .args(["clear", "--experiment", "--format", "json"])
        .args(arguments);
    let (code, stdout, stderr) = run(command.stdin(Stdio::null()));
    assert_eq!(code, 0, "{}: {stdout}{stderr}", engine.name);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["schema"], "unstale.clear-experiment/1");
    assert_eq!(document["warnings"], Value::Array(Vec::new()), "{}", engine.name);
    let ways = document["ways"].as_array().unwrap().iter();
    let way = |way: &Value| {
        let reused = way["reused"].as_u64().unwrap();
        assert_eq!(way["works"], reused == 0, "{}: {document:#}", engine.name);
        (way["way"].as_str().unwrap().to_owned(), reused)
    };
    ways.map(way).collect()
}

/// The names of images, and the records of the build cache that can be the experiment's.
fn holds(engine: &Engine) -> BTreeSet<String> {
    let usage = engine.api("GET", "/system/df").unwrap();
    let list = |name: &str| usage[name].as_array().cloned().unwrap_or_default();
    let names = list("Images")
        .into_iter()
        .map(|image| image["RepoTags"].to_string());
    // Old engines do not call them by name.
    let kinds = ["unstale", "fileop target", "from local", "\"\""];
    let is_like_ours = |record: &Value| {
        kinds
            .iter()
            .any(|kind| record["Description"].to_string().contains(kind))
    };
    let records = list("BuildCache").into_iter().filter(is_like_ours);
    names
        .chain(records.map(|record| record["ID"].to_string()))
        .collect()
}

/// What unstale has written down.
fn memory(project: &Project) -> usize {
    let state = project.path().with_file_name("environment").join("state");
    std::fs::read_dir(state).unwrap().count()
}

#[test]
fn what_works_is_found_out_and_nothing_is_left() {
    on_every_engine_alone(|engine, project| {
        write(project, None);
        reused_by_docker(project, engine);
        let before = holds(engine);
        let is_classic = engine.store == Store::Classic;
        let consent: &[&str] = if is_classic { &[] } else { &["--yes"] };
        let found = experiment(project, engine, consent);
        let found: Vec<(&str, u64)> = found
            .iter()
            .map(|(way, reused)| (way.as_str(), *reused))
            .collect();
        // The classic store keeps what an image shares, and imports from its images.
        let shared = if is_classic { 3 } else { 0 };
        let expected = [
            ("prune", shared),
            ("image-then-prune", 0),
            ("prune-all", 0),
            ("prune-all-then-import", shared),
            ("clear", 0),
        ];
        assert_eq!(found, expected, "{}", engine.name);
        assert_eq!(holds(engine), before, "{}", engine.name);
        assert_eq!(memory(project), 0, "{}", engine.name);
        // The other project: it pays where that was asked about.
        let kept = if is_classic { 3 } else { 0 };
        assert_eq!(reused_by_docker(project, engine), kept, "{}", engine.name);
    });
}

#[test]
fn nobody_pays_for_it_without_having_been_asked() {
    on_every_engine(|engine, project| {
        let refused = |arguments: &[&str]| {
            let mut command = project.unstale(engine);
            command.args(["clear", "--experiment"]).args(arguments);
            let (code, _, stderr) = run(command.stdin(Stdio::null()));
            (code, stderr)
        };
        if engine.store == Store::Containerd {
            let (code, stderr) = refused(&[]);
            assert_eq!(
                (code, stderr.contains("--yes")),
                (2, true),
                "{}: {stderr}",
                engine.name
            );
        }
        for arguments in [
            ["web"].as_slice(),
            &["--target", "all"],
            &["--mount", "a"],
            &["--dry-run"],
        ] {
            let (code, stderr) = refused(arguments);
            assert_eq!(
                (code, stderr.contains("--experiment")),
                (2, true),
                "{arguments:?}: {stderr}"
            );
        }
    });
}

#[test]
fn it_tidies_up_when_it_is_interrupted() {
    on_every_engine_alone(|engine, project| {
        let before = holds(engine);
        let mut command = project.unstale(engine);
        command.args(["clear", "--experiment", "--yes"]);
        let mut running = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = Instant::now() + BEGIN;
        let begun = || {
            let images = engine.api("GET", "/images/json").unwrap();
            images.to_string().contains("unstale.invalid")
        };
        while !begun() && Instant::now() < end {
            std::thread::yield_now();
        }
        let mut kill = project.command(engine, "kill");
        assert_eq!(run(kill.args(["-INT", &running.id().to_string()])).0, 0);
        assert_eq!(running.wait().unwrap().code(), Some(130), "{}", engine.name);
        assert_eq!(holds(engine), before, "{}", engine.name);
    });
}

#[test]
fn a_stand_alone_builder_has_no_images_that_could_hold_anything_back() {
    let (Some(engine), Some(buildkitd)) = (engine("d28"), buildkitd()) else {
        return left_out("no buildkitd, or no d28 beside it");
    };
    let _shared = (engine.shared(), buildkitd.shared());
    let project = Project::new("experiment");
    let found = experiment(&project, engine, &["--builder", &buildkitd.unix]);
    let nothing = |way: &str| (way.to_owned(), 0);
    assert_eq!(found, ["prune", "prune-all", "clear"].map(nothing));
}
