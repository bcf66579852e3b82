//! Large contexts: bounded memory, nothing read twice; and a file that changes under a build's hands.
//!
//! The contexts here are a tenth of those that must be possible, so that the tests are quick, and so are the limits.
//! `cargo xtask scale` builds the full size (1 GB, 100,000 files), with the full limit of 150 MB, beside buildx.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use testkit::{Engine, Measured, Openings, Project, engine, engines, image_tree, left_out, measure};

/// Files of the context with many files.
const FILES: u64 = 10_000;
/// Bytes of the context with one large file.
const LARGE: u64 = 100_000_000;
/// The most memory, in bytes, that a build may need for each file of its context, beside what every build needs: with
/// 100,000 files that makes 80 MB.
const MOST_PER_FILE: u64 = 800;

/// The engine that large contexts are sent to.
fn one_engine() -> Option<&'static Engine> {
    let found = engine("d28c").or_else(|| engines().first());
    if found.is_none() {
        left_out("no engine answers");
    }
    found
}

/// A project whose whole context is sent, and not copied into the image.
fn project() -> Project {
    let project = Project::new("scale");
    let name = project.name().to_owned();
    let dockerfile = format!("FROM unstale-base\nRUN --mount=type=bind,target=/context echo {name}\n");
    project.write("Dockerfile", dockerfile);
    project
}

fn build(project: &Project, engine: &Engine) -> Measured {
    let mut command = project.unstale(engine);
    let measured = measure(command.args(["build", "--progress", "quiet", "--format", "json", "."]));
    let measured = measured.expect("unstale runs");
    assert!(measured.status.success(), "{}", measured.stderr);
    measured
}

/// Removes the folders of a context and sends it again: the daemon keeps no copy of it.
fn empty(project: &Project, engine: &Engine, folders: &[PathBuf]) {
    for folder in folders {
        fs::remove_dir_all(folder).expect("a folder is removed");
    }
    build(project, engine);
}

/// The engine's copies of contexts of this size, by their ids.
fn copies(engine: &Engine) -> BTreeSet<String> {
    let usage = engine
        .api("GET", "/system/df?type=build-cache")
        .expect("the disk usage");
    let records = usage["BuildCache"].as_array().cloned().unwrap_or_default();
    let sizes = FILES * 1_000..LARGE;
    let copies = records.iter().filter(|record| {
        record["Type"] == "source.local" && record["Size"].as_u64().is_some_and(|size| sizes.contains(&size))
    });
    copies.map(|record| record["ID"].to_string()).collect()
}

#[test]
fn the_size_of_a_file_does_not_matter_for_memory() {
    let Some(engine) = one_engine() else { return };
    let _hold = engine.shared();
    let project = project();
    let data = project.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let least = build(&project, engine).peak_memory;
    let mut file = File::create(data.join("large")).expect("a file");
    // No two chunks are the same.
    let mut chunk = vec![0; 100_000];
    for number in 0..LARGE / 100_000 {
        for (word, place) in chunk.chunks_exact_mut(8).enumerate() {
            let word = number << 32 | word as u64;
            place.copy_from_slice(&word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        }
        file.write_all(&chunk).expect("a chunk");
    }
    drop(file);
    let peak = build(&project, engine).peak_memory;
    println!("peak memory: {least} bytes, and {peak} with a file of {LARGE}");
    // The packets that wait for the network, and what the allocator keeps of them.
    assert!(peak < least + (50 << 20), "{least} and {peak} bytes");
    empty(&project, engine, &[data]);
}

#[test]
fn each_file_costs_little_memory_and_is_never_opened_again() {
    let Some(engine) = one_engine() else { return };
    let _hold = engine.shared();
    let project = project();
    let least = build(&project, engine).peak_memory;
    let folders: Vec<PathBuf> = (0..10)
        .map(|number| project.path().join(format!("package-{number}")))
        .collect();
    for folder in &folders {
        fs::create_dir(folder).expect("a folder");
        for number in 0..FILES / 10 {
            let path = folder.join(format!("module_{number}.js"));
            fs::write(&path, format!("export const path = {path:?};\n")).expect("a file");
        }
    }
    let mut openings = Openings::watch(&folders).expect("the folders are watched");
    let first = build(&project, engine);
    // Once each to hash it, once to send it; the kernel may keep no more than some thousands in mind.
    assert!(openings.count().expect("a count") > 1_000, "openings are seen");

    let second = build(&project, engine);
    assert_eq!(
        openings.count().expect("a count"),
        0,
        "files were opened though none changed"
    );
    let peak = first.peak_memory.max(second.peak_memory);
    println!(
        "peak memory: {least} bytes, {} with {FILES} new files, {} with the same again",
        first.peak_memory, second.peak_memory
    );
    // Beside the files: SQLite's cache of the index.
    let most = least + FILES * MOST_PER_FILE + (16 << 20);
    assert!(peak < most, "{least} and {peak} bytes, at most {most}");

    // An engine that has let go of its copy, or has it in use still, asks for everything again.
    let changed = folders[5].join("module_7.js");
    let opened = (1..=5).find_map(|number| {
        fs::write(&changed, format!("changed {number}")).expect("a file");
        openings.count().expect("a count");
        let copies = copies(engine);
        build(&project, engine);
        let opened = openings.count().expect("a count");
        (opened == 2 || copies == self::copies(engine)).then_some(opened)
    });
    assert_eq!(opened, Some(2), "the changed file alone is hashed and sent");
    empty(&project, engine, &folders);
}

/// The small file is hashed at once and then rewritten, while the large one is still being hashed: when the small one is
/// sent, it is not what was hashed.
#[test]
fn a_file_that_changes_between_hashing_and_sending_fails_the_build() {
    if engines().is_empty() {
        left_out("no engine answers");
    }
    for engine in engines() {
        let _hold = engine.shared();
        let project = Project::new("changing");
        project.write("Dockerfile", "FROM unstale-base\nCOPY small large /app/\n");
        let small = project.write("context/small", "the content that was hashed");
        let large = File::create(project.path().join("context/large")).expect("a file");
        large.set_len(256 << 20).expect("a sparse file");
        let tag = format!("{}:latest", project.name());
        let mut command = project.unstale(engine);
        command.args([
            "build",
            "--progress",
            "plain",
            "--format",
            "json",
            "--dockerfile",
            "Dockerfile",
        ]);
        command.args(["--tag", &tag, "./context"]);

        let mut openings = Openings::watch([project.path().join("context")]).expect("the folder is watched");
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unstale starts");
        let read = openings
            .wait_until_read("small", Duration::from_secs(60))
            .expect("the folder is watched");
        rewrite(&small, "what came afterwards, same.");
        let output = child.wait_with_output().expect("unstale ends");
        assert!(read, "{}: the file was never hashed", engine.name);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(20), "{}: {errors}", engine.name);
        for words in ["small", "changed", "hint:"] {
            assert!(
                errors.contains(words),
                "{}: {words:?} is not in: {errors}",
                engine.name
            );
        }
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(report["services"][0]["outcome"], "failed", "{}", engine.name);
        assert!(
            image_tree(engine, &tag).is_err(),
            "{}: there must be no image",
            engine.name
        );

        large.set_len(1).expect("a small file");
        let output = command.output().expect("unstale runs");
        assert!(
            output.status.success(),
            "{}: the next build is as usual",
            engine.name
        );
        let tree = image_tree(engine, &tag).expect("an image");
        let node = tree.get(Path::new("app/small")).expect("the file");
        assert_eq!(
            node.sha256.as_deref(),
            Some("4b82e692e58da9ece231a22372cbec4b08e9b6b9a5548a9af095634692c53718"),
            "{}",
            engine.name
        );
    }
}

/// Other content of the same length, in place.
fn rewrite(path: &Path, text: &str) {
    assert_eq!(fs::metadata(path).expect("the file").len(), text.len() as u64);
    fs::write(path, text).expect("the file is rewritten");
}
