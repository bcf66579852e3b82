//! What is read of workflows and actions.

use super::{Target, Workflow};
use crate::Source;
use crate::yaml::Yaml;

fn read(text: &str) -> Workflow {
    let source = Source::new(".github/workflows/ci.yml", text);
    Workflow::of(&source, &Yaml::parse(text).unwrap())
}

const FILE: &str = r#"name: Build
on:
  push: { branches: [main] }
  pull_request_target:
  schedule:
    - cron: "0 3 * * *"
  workflow_dispatch:
    inputs:
      clear_cache:
        type: boolean
        default: false
permissions:
  contents: read
env:
  DOCKER_BUILDKIT: 0
defaults:
  run:
    shell: bash
jobs:
  build:
    name: Build it
    runs-on: ubuntu-latest
    needs: [lint, test]
    if: github.event_name != 'push'
    strategy:
      matrix:
        os: [a, b]
        include: [{ os: c }]
    container: { image: "node:20" }
    services:
      db: { image: postgres }
    env:
      A: 1 # why
      B: "${{ github.sha }}"
    steps:
      - uses: actions/checkout@v4
      - name: Build
        id: build
        uses: Docker/Build-Push-Action@v6.1.0 # pinned
        continue-on-error: true
        with:
          context: .
          push: true
          build-args: |
            BUILDKIT_INLINE_CACHE=1
            GIT_COMMIT_HASH=${{ github.sha }}

            "X=a,b"
          cache-to: type=gha,mode=max
          tags: acme/a:1, acme/b:2
          outputs: ${{ format('{0}', 'a,b') }},x
          platforms: >-
            linux/amd64,
            linux/arm64
      - run: |
          docker build -t x:${{ github.sha }} .
          docker push x
        working-directory: app
      - { run: "echo \"a\"", shell: sh, env: { K: v, L: w } }
      - shell: pwsh
        run: Write-Host
  call:
    uses: ./.github/workflows/other.yml
    with: { x: y }
"#;

#[test]
fn what_starts_it_is_known_in_all_forms() {
    let workflow = read(FILE);
    let names: Vec<&str> = workflow
        .triggers
        .iter()
        .map(|trigger| trigger.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["push", "pull_request_target", "schedule", "workflow_dispatch"]
    );
    let push = workflow.trigger("push").unwrap();
    assert_eq!(
        (push.filters[0].0.as_str(), push.filters[0].1[0].value.as_str()),
        ("branches", "main")
    );
    assert_eq!(workflow.trigger("schedule").unwrap().cron[0].value, "0 3 * * *");
    let input = &workflow.trigger("workflow_dispatch").unwrap().inputs[0];
    assert_eq!(
        (
            input.name.as_str(),
            input.default.as_ref().unwrap().value.as_str()
        ),
        ("clear_cache", "false")
    );
    assert_eq!(read("on: push\njobs: {}\n").triggers[0].name, "push");
    assert_eq!(
        read("on: [push, pull_request]\njobs: {}\n").triggers[1].name,
        "pull_request"
    );
}

#[test]
fn jobs_say_where_and_when_they_run() {
    let workflow = read(FILE);
    assert_eq!(workflow.permissions.as_ref().unwrap().scopes[0].text(), "read");
    let [build, call] = workflow.jobs.as_slice() else {
        panic!("{:?}", workflow.jobs);
    };
    assert_eq!((build.id.as_str(), build.id_span.slice(FILE)), ("build", "build"));
    assert_eq!(build.runs_on[0].value, "ubuntu-latest");
    assert_eq!(build.needs.len(), 2);
    assert_eq!(
        build.condition.as_ref().unwrap().value,
        "github.event_name != 'push'"
    );
    let matrix = build.matrix.as_ref().unwrap();
    assert_eq!(matrix.axis("os").unwrap().len(), 2);
    assert_eq!(
        matrix
            .values("os")
            .iter()
            .map(|text| text.value.as_str())
            .collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert!(matrix.values("arch").is_empty());
    assert_eq!(build.container.as_ref().unwrap().image.value, "node:20");
    assert_eq!(build.services[0].name, "db");
    assert_eq!(build.env[0].removal.slice(FILE), "      A: 1 # why\n");
    assert_eq!(
        call.uses.as_ref().unwrap().target,
        Target::Local("./.github/workflows/other.yml".to_owned())
    );
    assert_eq!(call.with[0].text(), "y");
    let (job, step) = workflow.steps().next().unwrap();
    assert_eq!(
        workflow.variable(job, step, "DOCKER_BUILDKIT").unwrap().text(),
        "0"
    );
}

#[test]
fn actions_are_known_by_name_with_what_they_get() {
    let workflow = read(FILE);
    let step = &workflow.jobs[0].steps[1];
    assert!(step.is_action("docker/build-push-action") && !step.is_action("docker/bake-action"));
    let uses = step.uses.as_ref().unwrap();
    assert_eq!(
        (uses.reference(), uses.major_version()),
        (Some("v6.1.0"), Some(6))
    );
    let Target::Repository { reference_span, .. } = &uses.target else {
        panic!("{uses:?}");
    };
    assert_eq!(reference_span.slice(FILE), "v6.1.0");
    assert!(step.with("push").unwrap().is_true());
    let cache = step.with("Cache-To").unwrap();
    assert_eq!(
        cache.removal.slice(FILE),
        "          cache-to: type=gha,mode=max\n"
    );
    assert_eq!(cache.lines()[0].removal, cache.removal);
    assert_eq!(step.continue_on_error.as_ref().unwrap().value, "true");
    assert!(step.with_span.unwrap().slice(FILE).starts_with("with:\n"));
}

#[test]
fn lists_in_one_text_are_items_with_places() {
    let workflow = read(FILE);
    let step = &workflow.jobs[0].steps[1];
    let args = step.with("build-args").unwrap().lines();
    assert_eq!(args.len(), 3);
    assert_eq!(args[0].name_value(), Some(("BUILDKIT_INLINE_CACHE", "1")));
    assert_eq!(args[0].span.slice(FILE), "BUILDKIT_INLINE_CACHE=1");
    assert_eq!(
        args[0].removal.slice(FILE),
        "            BUILDKIT_INLINE_CACHE=1\n"
    );
    assert_eq!(
        args[1].name_value(),
        Some(("GIT_COMMIT_HASH", "${{ github.sha }}"))
    );
    assert_eq!(args[2].removal.slice(FILE), "            \"X=a,b\"\n");
    let tags = step.with("tags").unwrap().items();
    assert_eq!(tags[1].as_str(), "acme/b:2");
    assert_eq!(tags[0].removal.slice(FILE), "acme/a:1, ");
    assert_eq!(tags[1].removal.slice(FILE), ", acme/b:2");
    assert_eq!(step.with("outputs").unwrap().items().len(), 2);
    let platforms = step.with("platforms").unwrap().items();
    let names: Vec<&str> = platforms.iter().map(super::Item::as_str).collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    assert_eq!(platforms[1].span.slice(FILE), "linux/arm64");
}

#[test]
fn scripts_have_a_shell_and_places() {
    let workflow = read(FILE);
    let steps = &workflow.jobs[0].steps;
    let run = steps[2].run.as_ref().unwrap();
    assert_eq!(
        run.script.text(),
        "docker build -t x:${{ github.sha }} .\ndocker push x\n"
    );
    assert_eq!(run.shell.command, "bash --noprofile --norc -eo pipefail {0}");
    assert_eq!(run.working_directory.as_ref().unwrap().value, "app");
    let quoted = steps[3].run.as_ref().unwrap();
    assert_eq!(
        (quoted.script.text(), quoted.shell.name.as_deref()),
        ("echo \"a\"", Some("sh"))
    );
    assert_eq!(steps[3].env[0].removal.slice(FILE), "K: v, ");
    assert_eq!(steps[3].env[1].removal.slice(FILE), ", L: w");
    assert_eq!(steps[4].run.as_ref().unwrap().shell.name, None);
    // In a container without a shell of its own.
    let other = read("on: push\njobs:\n  a:\n    container: alpine\n    steps:\n      - run: x\n");
    assert_eq!(
        other.jobs[0].steps[0].run.as_ref().unwrap().shell.command,
        "sh -e {0}"
    );
}

#[test]
fn the_steps_of_a_composite_action_are_one_job() {
    let action = read(
        "name: x\ninputs:\n  a: { default: b }\nruns:\n  using: composite\n  steps:\n    - run: echo\n      shell: bash\n",
    );
    assert!(action.is_action());
    assert_eq!(action.inputs[0].default.as_ref().unwrap().value, "b");
    assert_eq!(
        action
            .steps()
            .next()
            .unwrap()
            .1
            .run
            .as_ref()
            .unwrap()
            .script
            .text(),
        "echo"
    );
    let image = read("runs:\n  using: docker\n  image: Dockerfile\n");
    assert_eq!(image.image.unwrap().value, "Dockerfile");
}

#[test]
fn odd_files_are_read_as_far_as_they_go() {
    for text in [
        "",
        "- a",
        "jobs: 1",
        "jobs:\n  a: b\n",
        "jobs: { a: { steps: [1, { uses: 2 }, { run: [x] }] } }",
        "on:\n  push: 1\njobs:\n  a:\n    env: x\n",
        "jobs:\n  a:\n    steps: *none\n",
        "runs: x\n",
        "jobs:\n  a:\n    steps:\n      - uses: a@b@c\n      - uses: '@'\n      - uses: ''\n",
    ] {
        let source = Source::new("x.yml", text);
        if let Ok(yaml) = Yaml::parse(text) {
            Workflow::of(&source, &yaml);
        }
    }
}

/// Aliases bring the same steps to many jobs.
#[test]
fn a_small_file_does_not_become_a_huge_one() {
    let mut text = String::from("x: &x\n");
    for _ in 0..20_000 {
        text.push_str("  - run: echo\n");
    }
    text.push_str("jobs:\n");
    for job in 0..20_000 {
        text.push_str(&format!("  j{job}: {{ steps: *x }}\n"));
    }
    let steps = read(&text).steps().count();
    assert!((20_000..1_000_000).contains(&steps), "{steps}");
}

#[test]
fn steps_of_groups_are_steps_of_the_job() {
    let workflow = read(
        "on: push\njobs:\n  a:\n    steps:\n      - run: first\n      - parallel:\n          - run: second\n          - sequential:\n              - run: third\n      - run: last\n",
    );
    let runs: Vec<&str> = workflow.jobs[0]
        .steps
        .iter()
        .map(|step| step.run.as_ref().unwrap().script.text().trim())
        .collect();
    assert_eq!(runs, ["first", "second", "third", "last"]);
}
