//! No false hit: whatever changes on disk is in the next image, also where size and modification time stay.

use serde_json::Value;
use testkit::false_hits::{CASES, Observed, Verdict};
use testkit::{Engine, Project, engines, image_tree, left_out};

/// Runs one case on every engine, which must all see the change.
fn noticed(name: &str) {
    let case = CASES
        .iter()
        .find(|case| case.name == name)
        .expect("a case of that name");
    if engines().is_empty() {
        left_out("no engine answers");
    }
    for engine in engines() {
        let _hold = engine.shared();
        let project = Project::new("false-hit");
        let mut count = 0;
        let verdict = case.judge(&project.path(), |context| {
            count += 1;
            build(&project, engine, context, &format!("{}:{count}", project.name()))
        });
        assert_eq!(verdict, Ok(Verdict::New), "{}", engine.name);
    }
}

fn build(
    project: &Project,
    engine: &Engine,
    context: &std::path::Path,
    tag: &str,
) -> Result<Observed, String> {
    let mut command = project.unstale(engine);
    command
        .args(["build", "--progress", "plain", "--format", "json", "--tag", tag])
        .arg(context);
    let output = command.output().expect("unstale runs");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let report: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let steps = report["services"][0]["steps"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let copy = steps
        .iter()
        .find(|step| step["name"].to_string().contains("] COPY "));
    Ok(Observed {
        tree: image_tree(engine, tag).map_err(|error| error.full())?,
        copy_ran: copy.expect("a COPY step")["outcome"] == "ran",
    })
}

#[test]
fn a_changed_file_is_sent_though_size_and_time_stay() {
    noticed("file content");
}

#[test]
fn both_names_of_a_hard_linked_file_hold_its_new_content() {
    noticed("content of a hard-linked file");
}

#[test]
fn swapped_files_of_equal_size_and_time_are_swapped_in_the_image() {
    noticed("two files of equal stat swapped");
}

#[test]
fn a_file_moved_over_one_of_equal_size_and_time_is_sent() {
    noticed("another file of equal stat moved into place");
}

#[test]
fn swapped_folders_of_equal_files_are_swapped_in_the_image() {
    noticed("two folders of equal stat swapped");
}

#[test]
fn projects_in_folders_of_the_same_name_never_share_files() {
    noticed("two projects in folders of the same name");
}

#[test]
fn a_changed_dockerfile_is_used_though_size_and_time_stay() {
    noticed("the Dockerfile");
}

#[test]
fn a_changed_ignore_file_is_used_though_size_and_time_stay() {
    noticed("the .dockerignore");
}

#[test]
fn a_changed_mode_is_in_the_image() {
    noticed("a file's mode");
}

#[test]
fn a_changed_mode_of_a_folder_is_in_the_image() {
    noticed("a folder's mode");
}

#[test]
fn a_changed_link_target_of_equal_length_runs_the_copy_again() {
    noticed("a symbolic link's target");
}

#[test]
fn a_changed_extended_attribute_runs_the_copy_again() {
    noticed("a file's extended attribute");
}

// Found by `cargo xtask trees`.

/// The daemon links a hard link anew that it takes for changed, and leaves a `.tmp.…` beside it if it was not.
#[test]
fn an_unchanged_hard_link_leaves_nothing_behind_in_the_next_image() {
    for engine in engines() {
        let _hold = engine.shared();
        let project = Project::new("hard-link");
        project.write("app/Dockerfile", "FROM scratch\nCOPY src /app\n");
        let file = project.write("app/src/a", "content");
        std::fs::hard_link(&file, file.with_file_name("b")).expect("a hard link");
        let tag = |number| format!("{}:{number}", project.name());
        let trees = [1, 2].map(|number| {
            let mut command = project.unstale(engine);
            command.args([
                "build",
                "--progress",
                "quiet",
                "--no-cache",
                "--tag",
                &tag(number),
                "./app",
            ]);
            let output = command.output().expect("unstale runs");
            assert!(
                output.status.success(),
                "{}: {}",
                engine.name,
                String::from_utf8_lossy(&output.stderr)
            );
            image_tree(engine, &tag(number)).expect("an image")
        });
        assert_eq!(trees[0], trees[1], "{}", engine.name);
    }
}

/// The last pattern matches a folder above the file, which Docker's own client notices only when it opens the file: it
/// sends an empty one.
#[test]
fn a_file_that_an_exception_brings_back_is_never_sent_empty() {
    for engine in engines() {
        let _hold = engine.shared();
        let project = Project::new("exception");
        project.write("app/Dockerfile", "FROM unstale-base\nCOPY . /app\n");
        project.write("app/.dockerignore", "**\n!a/b/c/?\n*/*\n");
        project.write("app/a/b/c/d", "content");
        let tag = format!("{}:latest", project.name());
        let built = build(&project, engine, &project.path().join("app"), &tag).expect("an image");
        let node = built.tree.get(std::path::Path::new("app/a/b/c/d"));
        let written = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
        let sha256 = node.and_then(|node| node.sha256.as_deref());
        assert_eq!(sha256, Some(written), "{}", engine.name);
    }
}
