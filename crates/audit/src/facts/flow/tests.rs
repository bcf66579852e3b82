//! Flows of small projects: what runs, in which order, and what ends it.

use super::*;

fn project(files: &[(&str, &str)]) -> Project {
    Project::of_texts(files.iter().copied())
}

/// The commands of Docker in the flow that starts in a file, in order.
fn docker(files: &[(&str, &str)], start: &str) -> Vec<String> {
    let project = project(files);
    let of_file = |flow: &&Flow| project.file(flow.start.file()).source.path() == start;
    let flows: Vec<&Flow> = project.entries().filter(of_file).collect();
    let items = flows.iter().flat_map(|flow| flow.items(&project));
    items
        .filter(|item| item.docker().is_some() || item.action().is_some())
        .map(|item| item.shown())
        .collect()
}

const BUILD: &str = "#!/bin/sh\nset -e\ncd \"$(dirname \"$0\")/../..\"\ndocker compose build\n";

#[test]
fn the_scripts_that_a_script_calls_are_a_part_of_it() {
    for call in [
        "bash scripts/deploy/build.sh",
        "cd \"$(dirname \"$0\")/../..\"\n./scripts/deploy/build.sh",
        "sh -e \"$(dirname \"$0\")/build.sh\"",
        "DIR=$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\n\"$DIR/build.sh\"",
        ". ./build.sh",
        "sudo -E bash \"$ROOT/scripts/deploy/build.sh\"",
        "ssh host 'cd /srv/app && ./scripts/deploy/build.sh'",
    ] {
        let files = [
            ("scripts/deploy/build.sh", BUILD),
            ("scripts/deploy/up.sh", &format!("{call}\ndocker compose up -d\n")),
        ];
        let found = docker(&files, "scripts/deploy/up.sh");
        assert_eq!(found, ["docker compose build", "docker compose up -d"], "{call}");
        assert_eq!(
            docker(&files, "scripts/deploy/build.sh").len(),
            0,
            "{call}: it is called"
        );
    }
}

#[test]
fn functions_run_where_they_are_called_also_those_of_sourced_scripts() {
    let files = [
        ("lib.sh", "build() {\n  docker build -t app .\n}\n"),
        (
            "up.sh",
            "source lib.sh\nup() {\n  docker compose up -d\n}\nbuild\nup\n",
        ),
    ];
    assert_eq!(
        docker(&files, "up.sh"),
        ["docker build -t app .", "docker compose up -d"]
    );
}

#[test]
fn a_target_runs_behind_its_prerequisites() {
    let files = [(
        "Makefile",
        "up: build\n\tdocker compose up -d\nbuild:\n\tdocker compose build\nall:\n\t$(MAKE) up\n",
    )];
    assert_eq!(
        docker(&files, "Makefile"),
        ["docker compose build", "docker compose up -d"]
    );
}

#[test]
fn the_steps_of_a_job_run_one_after_another() {
    let workflow = "on: push\njobs:\n  deploy:\n    runs-on: self-hosted\n    steps:\n      - uses: actions/checkout@v4\n      - run: bash build.sh\n      - run: docker compose up -d\n";
    let files = [
        ("build.sh", "docker compose build\n"),
        (".github/workflows/deploy.yml", workflow),
    ];
    assert_eq!(
        docker(&files, ".github/workflows/deploy.yml"),
        [
            "actions/checkout@v4",
            "docker compose build",
            "docker compose up -d"
        ]
    );
}

#[test]
fn scripts_that_call_each_other_end() {
    let files = [
        ("a.sh", "docker info\n./b.sh\n./b.sh\n"),
        ("b.sh", "docker ps\n./a.sh\n./c.sh\n"),
        ("c.sh", "./a.sh\n"),
    ];
    let project = project(&files);
    let lengths: Vec<usize> = project.flows().map(|flow| flow.items(&project).len()).collect();
    assert!(lengths.iter().all(|length| *length < 20), "{lengths:?}");
}

/// Whether the failure of the build is hidden from `up`, and whether both can run at all.
fn hidden(script: &str) -> Option<bool> {
    let files = [("build.sh", BUILD), ("up.sh", script)];
    let project = project(&files);
    let flow = project
        .entries()
        .find(|flow| project.file(flow.start.file()).source.path() == "up.sh")
        .unwrap();
    let items = flow.items(&project);
    let build = items.iter().find(|item| item.only_builds()).unwrap();
    let up = items.iter().find(|item| item.creates_containers()).unwrap();
    (!build.excludes(up)).then(|| build.hidden_from(up).is_some())
}

#[test]
fn a_failure_is_hidden_or_ends_the_script() {
    for (script, wanted) in [
        ("docker compose build\ndocker compose up -d\n", Some(true)),
        (
            "set -e\ndocker compose build\ndocker compose up -d\n",
            Some(false),
        ),
        ("docker compose build && docker compose up -d\n", Some(false)),
        (
            "if docker compose build; then\n  docker compose up -d\nfi\n",
            Some(false),
        ),
        (
            "docker compose build || exit 1\ndocker compose up -d\n",
            Some(false),
        ),
        (
            "set -e\ndocker compose build || true\ndocker compose up -d\n",
            Some(true),
        ),
        (
            "set -e\ndocker compose build | tee log\ndocker compose up -d\n",
            Some(true),
        ),
        (
            "set -eo pipefail\ndocker compose build | tee log\ndocker compose up -d\n",
            Some(false),
        ),
        ("bash build.sh\ndocker compose up -d\n", Some(true)),
        ("set -e\nbash build.sh\ndocker compose up -d\n", Some(false)),
        (
            "if [ \"$1\" = build ]; then\n  docker compose build\nelse\n  docker compose up -d\nfi\n",
            None,
        ),
        (
            "case $1 in\n  build) docker compose build ;;\n  up) docker compose up -d ;;\nesac\n",
            None,
        ),
    ] {
        assert_eq!(hidden(script), wanted, "{script}");
    }
}

#[test]
fn errexit_of_sourced_scripts_holds_for_those_who_source_them() {
    let files = [
        ("lib.sh", "set -e\n"),
        ("build.sh", "build() {\n  docker compose build\n  echo built\n}\n"),
        ("up.sh", ". ./lib.sh\n. ./build.sh\nbuild\ndocker compose up -d\n"),
    ];
    let project = project(&files);
    let flow = project
        .entries()
        .find(|flow| project.file(flow.start.file()).source.path() == "up.sh")
        .unwrap();
    let items = flow.items(&project);
    let build = items.iter().find(|item| item.only_builds()).unwrap();
    let up = items.iter().find(|item| item.creates_containers()).unwrap();
    assert!(build.hidden_from(up).is_none());
}
