//! The command line: paths, exit codes, suppressions, baselines, forms of output.

use crate::support::Folder;

const PRUNE: &str = "#!/bin/bash\nset -e\n# clears the cache\ndocker builder prune -f\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("scripts/clear-cache.sh", PRUNE);
    folder.write("app/Dockerfile", "FROM debian:12\nCOPY a b /app/\n");
    folder
}

#[test]
fn nothing_to_check_is_said() {
    let ended = Folder::new().check(&[]);
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("nothing to check"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint:"), "{}", ended.stderr);
}

#[test]
fn a_path_that_is_not_there_is_said() {
    let ended = folder().check(&["nowhere"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("nowhere does not exist"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_repository_is_checked_the_same_from_outside() {
    let folder = Folder::new();
    folder.write("code/shop/.git/HEAD", "ref: refs/heads/main\n");
    folder.write("code/shop/app/Dockerfile", "FROM debian:12\nCOPY . /app\n");
    folder.write("code/shop/app/.dockerignore", ".git\n");
    folder.write(
        "code/shop/.github/workflows/deploy.yml",
        "on: push\njobs:\n  deploy:\n    runs-on: self-hosted\n    steps:\n      - run: docker compose up -d\n",
    );
    folder.write(
        "code/shop/compose.yaml",
        "services:\n  cache:\n    image: valkey/valkey\n",
    );
    let ended = folder.check(&["code/shop"]);
    assert_eq!(ended.code, 13, "{}", ended.stdout);
    assert!(ended.stdout.contains("--> compose.yaml:3:12"), "{}", ended.stdout);
    assert!(ended.stdout.contains("deploy.yml:6:14"), "{}", ended.stdout);
    let note = ended
        .stdout
        .lines()
        .find(|line| line.contains("paths are those in"));
    assert!(
        note.is_some_and(|note| note.ends_with("code/shop")),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_misspelt_rule_is_said_with_the_one_that_was_meant() {
    for flag in ["--rule", "--explain"] {
        let ended = folder().check(&[flag, "prune-keeps-share"]);
        assert_eq!(ended.code, 2);
        assert!(
            ended.stderr.contains("no rule is called \"prune-keeps-share\""),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("prune-keeps-shared"), "{}", ended.stderr);
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst_finding_that_counts() {
    let folder = folder();
    assert_eq!(folder.check(&["--rule", "prune-keeps-shared"]).code, 14);
    assert_eq!(
        folder
            .check(&["--rule", "prune-keeps-shared", "--fail-on", "none"])
            .code,
        0
    );
    assert_eq!(folder.check(&["--rule", "prune-keeps-shared", "app"]).code, 0);
    folder.write("unstale.toml", "[check.rules]\nprune-keeps-shared = \"low\"\n");
    assert_eq!(folder.check(&["--rule", "prune-keeps-shared"]).code, 12);
    assert_eq!(
        folder
            .check(&["--rule", "prune-keeps-shared", "--fail-on", "medium"])
            .code,
        0
    );
    assert_eq!(
        folder
            .check(&["--rule", "prune-keeps-shared", "--min-severity", "medium"])
            .stdout,
        "no findings; 2 files\n"
    );
}

#[test]
fn settings_that_make_no_sense_are_said_with_their_place() {
    let folder = folder();
    for (settings, words) in [
        (
            "[check.rules]\nno-such-rule = \"low\"\n",
            "no rule is called \"no-such-rule\"",
        ),
        ("[check]\nrule = []\n", "unknown field `rule`"),
        (
            "[[check.ignore]]\nrule = \"inline-cache\"\npaths = [\"a\"]\n",
            "missing field `reason`",
        ),
        (
            "[check]\nexclude = [\"[\"]\n",
            "cannot use the paths of unstale.toml",
        ),
        ("[contract]\nno-findings = \"x\"\n", "invalid type"),
    ] {
        folder.write("unstale.toml", settings);
        let ended = folder.check(&[]);
        assert_eq!(ended.code, 1, "{settings}");
        assert!(ended.stderr.contains(words), "{settings}\n{}", ended.stderr);
    }
}

#[test]
fn settings_suppress_and_exclude() {
    let folder = folder();
    folder.write(
        "unstale.toml",
        "[[check.ignore]]\nrule = \"prune-keeps-shared\"\npaths = [\"scripts\"]\nreason = \"the disk is small\"\n",
    );
    let ended = folder.check(&["--rule", "prune-keeps-shared"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "no findings; 1 suppressed; 2 files\n")
    );
    folder.write("unstale.toml", "[check]\nexclude = [\"scripts\"]\n");
    let ended = folder.check(&["--rule", "prune-keeps-shared"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "no findings; 1 file\n"));
}

#[test]
fn what_is_not_sure_is_counted_and_shown_if_asked_for() {
    let folder = Folder::new();
    folder.write("compose.yaml", "services:\n  cache:\n    image: redis:latest\n");
    folder.write(
        "tests/Dockerfile",
        "FROM debian:12\nRUN apt-get update\nRUN apt-get install -y git\n",
    );
    let summary = |arguments: &[&str]| {
        let ended = folder.check(arguments);
        (
            ended.code,
            ended.stdout.lines().last().unwrap_or_default().to_owned(),
        )
    };
    let hidden = (
        0,
        "no findings; 2 less sure (--min-confidence low); 2 files".to_owned(),
    );
    assert_eq!(summary(&[]), hidden);
    assert_eq!(summary(&["--fix"]).0, 0);
    let all = (12, "2 findings: 2 low; 2 files".to_owned());
    assert_eq!(summary(&["--min-confidence", "low"]), all);
    let one = (12, "1 finding: 1 low; 2 files".to_owned());
    assert_eq!(summary(&["--rule", "mutable-service-image"]), one);
    folder.write("unstale.toml", "[check]\nmin-confidence = \"low\"\n");
    assert_eq!(summary(&[]), all);
    assert_eq!(summary(&["--min-confidence", "medium"]), hidden);
    assert_eq!(folder.check(&["--format", "json"]).json()["summary"]["unsure"], 0);

    // A baseline knows them all, whatever is shown when.
    folder.write("unstale.toml", "[check]\nbaseline = \".unstale-baseline.json\"\n");
    assert_eq!(folder.check(&["--write-baseline"]).code, 0);
    let known = (0, "no findings; 2 suppressed; 2 files".to_owned());
    assert_eq!(summary(&["--min-confidence", "low"]), known);
    let ended = folder.check(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "no findings; 2 files\n"));
}

#[test]
fn a_baseline_knows_what_there_was_and_nothing_new() {
    let folder = folder();
    let written = folder.check(&["--write-baseline"]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    assert!(
        folder
            .read(".unstale-baseline.json")
            .contains("prune-keeps-shared")
    );
    folder.write("unstale.toml", "[check]\nbaseline = \".unstale-baseline.json\"\n");
    assert_eq!(folder.check(&["--rule", "prune-keeps-shared"]).code, 0);
    // Lines that come before change nothing; a second fault is new.
    folder.write(
        "scripts/clear-cache.sh",
        &PRUNE.replace("set -e\n", "set -e\necho clearing\n"),
    );
    assert_eq!(folder.check(&["--rule", "prune-keeps-shared"]).code, 0);
    folder.write(
        "scripts/clear-cache.sh",
        &format!("{PRUNE}docker buildx prune -f\n"),
    );
    let found = folder.check(&["--rule", "prune-keeps-shared", "--format", "json"]);
    assert_eq!(found.code, 14);
    assert_eq!(found.json()["findings"].as_array().unwrap().len(), 1);
    folder.write(".unstale-baseline.json", "{}");
    let ended = folder.check(&[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("cannot use"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--write-baseline"), "{}", ended.stderr);
}

#[test]
fn a_diff_can_be_applied_and_changes_nothing_by_itself() {
    let folder = folder();
    let diff = folder.check(&["--diff", "--rule", "prune-keeps-shared"]);
    assert_eq!(diff.code, 14);
    assert_eq!(folder.read("scripts/clear-cache.sh"), PRUNE);
    folder.write("fix.patch", &diff.stdout);
    folder.git(&["apply", "fix.patch"]);
    assert_eq!(
        folder.read("scripts/clear-cache.sh"),
        PRUNE.replace("-f\n", "-af\n")
    );
    assert_eq!(
        folder.check(&["--diff", "--rule", "prune-keeps-shared"]).stdout,
        ""
    );
}

#[test]
fn fixes_keep_modes_line_endings_and_files_that_are_not_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let crlf = PRUNE.replace('\n', "\r\n");
    folder.write("scripts/clear-cache.sh", &crlf);
    folder.write("other/clear-cache.sh", PRUNE);
    let path = folder.path().join("scripts/clear-cache.sh");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
    let ended = folder.check(&["--fix", "scripts"]);
    assert_eq!(
        folder.read("scripts/clear-cache.sh"),
        crlf.replace("-f\r", "-af\r"),
        "{}",
        ended.stdout
    );
    assert_eq!(folder.read("other/clear-cache.sh"), PRUNE);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o750
    );
}

#[test]
fn every_form_is_whole() {
    let folder = folder();
    for form in ["json", "sarif", "gitlab"] {
        let ended = folder.check(&["--format", form]);
        assert!(!ended.json().is_null(), "{form}");
        assert_eq!(ended.stderr, "", "{form}");
    }
    let github = folder.check(&["--format", "github"]).stdout;
    assert!(
        github.contains("::error file=scripts/clear-cache.sh,line=4"),
        "{github}"
    );
    let junit = folder.check(&["--format", "junit"]).stdout;
    assert!(junit.starts_with("<?xml"), "{junit}");
}

#[test]
fn hostile_names_and_texts_do_nothing() {
    let folder = Folder::new();
    folder.write("a\u{1b}[31m\n::error::x/Dockerfile", "COPPY\u{1b}[2J\u{202e} x\n");
    for form in ["text", "github", "junit", "markdown"] {
        let ended = folder.check(&["--format", form]);
        let both = ended.stdout + &ended.stderr;
        assert!(!both.contains(['\u{1b}', '\u{202e}']), "{form}: {both:?}");
        assert!(
            !both.lines().any(|line| line.starts_with("::error::x")),
            "{form}: {both}"
        );
    }
}

#[test]
fn a_link_out_of_the_folder_is_not_followed() {
    let outside = Folder::new();
    outside.write("clear-cache.sh", PRUNE);
    let folder = folder();
    std::os::unix::fs::symlink(
        outside.path().join("clear-cache.sh"),
        folder.path().join("link.sh"),
    )
    .unwrap();
    folder.check(&["--fix"]);
    assert_eq!(outside.read("clear-cache.sh"), PRUNE);
}

#[test]
fn files_that_a_compose_file_names_are_read_for_what_they_say_and_not_reported() {
    let folder = Folder::new();
    folder.write(
        "compose.yaml",
        "services:\n  web:\n    build:\n      context: web\n      dockerfile: image.txt\n",
    );
    folder.write("web/image.txt", "FROM debian:12\nRUN make\nCOPPY . .\n");
    let ended = folder.check(&["--rule", "unreadable-file", "compose.yaml"]);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("2 files"), "{}", ended.stdout);
    let ended = folder.check(&["--rule", "unreadable-file", "web/image.txt"]);
    assert_eq!(ended.code, 13, "{}", ended.stdout);
}
