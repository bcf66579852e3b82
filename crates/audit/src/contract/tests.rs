use super::*;
use crate::{File, FileKind, Project, Source, Tree};

const COMPOSE: &str = "services:\n  web:\n    build:\n      context: ./web\n";
const DOCKERFILE: &str =
    "FROM debian:12\nARG GIT_COMMIT_HASH\nRUN echo \"commit: ${GIT_COMMIT_HASH}\"\nCOPY . /app\n";
const BUILD: &str = "set -e\ndocker compose build --build-arg GIT_COMMIT_HASH=\"$(git rev-parse HEAD)\"\n";
const CLEAR: &str = "set -e\nif [ \"$TARGET\" = all ]; then\n  docker builder prune -af\nfi\n";
const WORKFLOW: &str = "on: workflow_dispatch\njobs:\n  clear:\n    runs-on: self-hosted\n    steps:\n      - run: bash scripts/clear.sh\n";

/// A project that keeps its contract, with some of its files replaced.
fn project(replaced: &[(&str, &str)]) -> Project {
    let files = [
        ("docker-compose.yml", COMPOSE),
        ("web/Dockerfile", DOCKERFILE),
        ("scripts/build.sh", BUILD),
        ("scripts/clear.sh", CLEAR),
        (".github/workflows/clear.yml", WORKFLOW),
    ];
    let files = files.map(|(path, text)| {
        let other = replaced.iter().find(|(other, _)| *other == path);
        let text = other.map_or(text, |(_, text)| text);
        File::read(Source::new(path, text), FileKind::of_path(path).unwrap())
    });
    Project::new(files, Tree::default())
}

fn contract() -> Contract {
    Contract::of(&project(&[]), "GIT_COMMIT_HASH")
}

/// The numbers of the lines that do not hold.
fn broken(replaced: &[(&str, &str)]) -> Vec<usize> {
    let lines = contract().check(&project(replaced));
    let numbered = lines.iter().enumerate();
    numbered
        .filter(|(_, line)| !line.holds)
        .map(|(number, _)| number)
        .collect()
}

#[test]
fn what_a_project_promises_is_the_seeds_six_lines() {
    let lines = contract().check(&project(&[]));
    let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "BUILDKIT_INLINE_CACHE removed from docker-compose.yml",
            "BUILDKIT_INLINE_CACHE removed from build.sh",
            "Cache clearing script still prunes Docker builder cache",
            "Docker cache clearing is properly gated by TARGET=all",
            "GIT_COMMIT_HASH cache busting mechanism still in place",
            "Workflow still calls cache clearing script",
        ]
    );
    assert!(lines.iter().all(|line| line.holds), "{lines:#?}");
}

#[test]
fn each_fault_breaks_its_own_line_and_no_other() {
    let inline = COMPOSE.to_owned() + "      args:\n        BUILDKIT_INLINE_CACHE: 1\n";
    assert_eq!(broken(&[("docker-compose.yml", &inline)]), [0]);
    let inline = BUILD.replace(
        "--build-arg GIT",
        "--build-arg BUILDKIT_INLINE_CACHE=1 --build-arg GIT",
    );
    assert_eq!(broken(&[("scripts/build.sh", &inline)]), [1]);
    let nothing = CLEAR.replace("docker builder prune -af", "echo cleared");
    assert_eq!(broken(&[("scripts/clear.sh", &nothing)]), [2]);
    let in_part = CLEAR.replace("-af", "-f");
    assert_eq!(broken(&[("scripts/clear.sh", &in_part)]), [2]);
    assert_eq!(
        broken(&[("scripts/clear.sh", "set -e\ndocker builder prune -af\n")]),
        [3]
    );
    let undeclared = DOCKERFILE.replace("ARG GIT_COMMIT_HASH\n", "");
    assert_eq!(broken(&[("web/Dockerfile", &undeclared)]), [4]);
    let late = "FROM debian:12\nCOPY . /app\nARG GIT_COMMIT_HASH\nRUN echo \"${GIT_COMMIT_HASH}\"\n";
    assert_eq!(broken(&[("web/Dockerfile", late)]), [4]);
    assert_eq!(broken(&[("scripts/build.sh", "docker compose build\n")]), [4]);
    let silent = WORKFLOW.replace("bash scripts/clear.sh", "echo cleared");
    assert_eq!(broken(&[(".github/workflows/clear.yml", &silent)]), [5]);
}

#[test]
fn a_line_that_does_not_hold_says_where_and_what_to_do() {
    let in_part = CLEAR.replace("-af", "-f");
    let project = project(&[("scripts/clear.sh", &in_part)]);
    let lines = contract().check(&project);
    let line = lines.iter().find(|line| !line.holds).unwrap();
    let location = line.location.clone().unwrap();
    let text = project.file(location.file).source.text();
    assert_eq!(location.span.slice(text), "docker builder prune -f");
    assert!(line.detail.as_ref().unwrap().contains("-a"), "{line:?}");
    assert!(
        line.hint.as_ref().unwrap().contains("unstale check --fix"),
        "{line:?}"
    );
}

#[test]
fn a_file_that_is_gone_breaks_its_lines() {
    let mut contract = contract();
    contract.clears_builder_cache = vec!["scripts/gone.sh".to_owned()];
    let lines = contract.check(&project(&[]));
    let line = lines.iter().find(|line| !line.holds).unwrap();
    assert!(
        line.detail
            .as_ref()
            .unwrap()
            .starts_with("scripts/gone.sh is not there")
    );
}

#[test]
fn what_is_written_is_what_is_read() {
    let contract = contract();
    let text = contract.to_toml();
    let table: toml::Table = text.parse().unwrap();
    let read: Contract = table["contract"].clone().try_into().unwrap();
    assert_eq!(read, contract, "{text}");
}
