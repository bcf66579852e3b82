//! The example project: what is found in it, what the fixes make of it, and its contract.

use crate::support::{Folder, example};

/// The files that the fixes change.
const FIXED: [&str; 3] = [
    "docker-compose.yml",
    "scripts/deployment/build-docker-images.sh",
    "scripts/deployment/clear-caches.sh",
];

/// The seed's six lines.
const CONTRACT: [&str; 6] = [
    "BUILDKIT_INLINE_CACHE removed from docker-compose.yml",
    "BUILDKIT_INLINE_CACHE removed from build-docker-images.sh",
    "Cache clearing script still prunes Docker builder cache",
    "Docker cache clearing is properly gated by TARGET=all",
    "GIT_COMMIT_HASH cache busting mechanism still in place",
    "Workflow still calls cache clearing script",
];

fn before() -> Folder {
    Folder::copy_of(&example("watch-party"))
}

/// The example with the faults mended, and its contract.
fn after() -> Folder {
    let folder = before();
    folder.add(&example("watch-party-after/fix"));
    folder
}

#[test]
fn every_hazard_of_the_seed_is_found() {
    let found = before().check(&[]);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("example_before", found.stdout);
    });
    assert_eq!(found.code, 14);
}

#[test]
fn the_fixes_turn_before_into_after() {
    let folder = before();
    let fixed = folder.check(&["--fix", "--format", "markdown"]);
    for path in FIXED {
        let wanted = std::fs::read_to_string(example("watch-party-after/fix").join(path)).unwrap();
        assert_eq!(folder.read(path), wanted, "{path}");
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("example_fixed", fixed.stdout);
    });
    // Nothing else was touched, and nothing is left to fix.
    let status = folder.git(&["add", "-A"]);
    assert_eq!(status, "");
    let again = folder.check(&["--fix"]);
    assert!(
        folder.git(&["diff", "--name-only"]).is_empty(),
        "{}",
        again.stdout
    );
}

#[test]
fn the_example_keeps_its_contract() {
    let wanted: String = CONTRACT.iter().map(|line| format!("✅ {line}\n")).collect();
    let kept = after().check(&["--contract"]);
    assert_eq!((kept.stdout, kept.code), (wanted, 0));
    let broken = before();
    broken.write("unstale.toml", &after().read("unstale.toml"));
    let told = broken.check(&["--contract"]);
    assert_eq!(told.code, 14);
    assert_eq!(told.stdout.matches('❌').count(), 3, "{}", told.stdout);
}

#[test]
fn init_writes_the_contract_of_the_example() {
    let folder = before();
    let ended = folder.run(&["init"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "wrote unstale.toml\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.read("unstale.toml"), after().read("unstale.toml"));
    let again = folder.run(&["init"]);
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("has a [contract] already"),
        "{}",
        again.stderr
    );
}

/// A file, a text in it, and what takes its place.
type Fault = (&'static str, &'static str, &'static str);

#[test]
fn each_fault_turns_its_own_line_and_no_other() {
    let faults: [Fault; 6] = [
        (
            "docker-compose.yml",
            "      dockerfile: Dockerfile\n    ports:",
            "      dockerfile: Dockerfile\n      args:\n        BUILDKIT_INLINE_CACHE: 1\n    ports:",
        ),
        (
            "scripts/deployment/build-docker-images.sh",
            "    --build-arg SKIP_AWS",
            "    --build-arg BUILDKIT_INLINE_CACHE=1 \\\n    --build-arg SKIP_AWS",
        ),
        (
            "scripts/deployment/clear-caches.sh",
            "  docker builder prune -af\n",
            "",
        ),
        (
            "scripts/deployment/clear-caches.sh",
            "if [ \"$TARGET\" = all ]; then\n  echo \"INFO: Clearing Docker",
            "if [ -n \"$TARGET\" ]; then\n  echo \"INFO: Clearing Docker",
        ),
        (
            "frontend/Dockerfile",
            "RUN echo \"Building from commit: ${GIT_COMMIT_HASH}\"\n",
            "",
        ),
        (
            ".github/workflows/clear-caches.yml",
            "bash scripts/deployment/clear-caches.sh",
            "echo cleared",
        ),
    ];
    for (line, (path, text, fault)) in faults.into_iter().enumerate() {
        let folder = after();
        let whole = folder.read(path);
        assert_eq!(whole.matches(text).count(), 1, "{path}: {text}");
        folder.write(path, &whole.replace(text, fault));
        let told = folder.check(&["--contract"]);
        assert_eq!(told.code, 14, "{}", told.stdout);
        let marks: Vec<_> = told
            .stdout
            .lines()
            .filter(|line| line.starts_with(['✅', '❌']))
            .collect();
        let wanted: Vec<_> = CONTRACT
            .iter()
            .enumerate()
            .map(|(number, name)| format!("{} {name}", if number == line { '❌' } else { '✅' }))
            .collect();
        assert_eq!(marks, wanted, "{path}\n{}", told.stdout);
        // Where, and what to do.
        assert!(told.stdout.contains(&format!("   at {path}:")), "{}", told.stdout);
        assert!(told.stdout.contains("   hint: "), "{}", told.stdout);
    }
}
