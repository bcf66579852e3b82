//! The decisions on graphs made by hand. That engines decide likewise is what `cargo xtask campaign` shows.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, UNIX_EPOCH};

use unstale_buildkit::control::UsageRecord;
use unstale_buildkit::llb::{Exec, FileAction, Graph, Input, Mount, MountKind, Op, Vertex};
use unstale_plan::*;

/// What a build of ours remembers: the keys with their results.
#[derive(Default)]
struct Ledger {
    results: Vec<(Key, Past)>,
}

impl Memory for Ledger {
    fn past(&self, id: &str) -> Vec<Past> {
        let found = self.results.iter().filter(|(key, _)| key.id == id);
        found.map(|(_, past)| past.clone()).collect()
    }

    fn is_ours(&self, created: i64, exec: bool) -> bool {
        let mut made = self.results.iter().filter_map(|(_, past)| past.made.as_ref());
        made.any(|made| made.exec == exec && (made.from..=made.to).contains(&created))
    }

    fn alike(&self, loose: &str) -> Vec<String> {
        let found = self
            .results
            .iter()
            .filter(|(key, _)| key.loose.as_deref() == Some(loose));
        found.map(|(key, _)| key.id.clone()).collect()
    }
}

fn vertex(name: &str, op: Op, inputs: &[usize]) -> Vertex {
    Vertex {
        digest: format!("sha256:{name}"),
        stable_digest: String::new(),
        inputs: inputs.iter().map(|&vertex| Input { vertex, output: 0 }).collect(),
        op,
        platform: None,
        name: name.to_owned(),
        location: None,
        ignore_cache: false,
    }
}

fn base() -> Vertex {
    let op = Op::Source {
        identifier: "docker-image://base".to_owned(),
        attrs: BTreeMap::new(),
    };
    vertex("[a 1/3] FROM base", op, &[])
}

fn run(name: &str, command: &str, env: &[&str], on: usize) -> Vertex {
    let exec = Exec {
        args: vec![command.to_owned()],
        env: env.iter().map(|&entry| entry.to_owned()).collect(),
        cwd: "/".to_owned(),
        user: String::new(),
        hostname: String::new(),
        network: "UNSET".to_owned(),
        security: "SANDBOX".to_owned(),
        extra_hosts: Vec::new(),
        ulimits: Vec::new(),
        cgroup_parent: String::new(),
        secret_env: Vec::new(),
        devices: Vec::new(),
        mounts: vec![Mount {
            input: 0,
            selector: String::new(),
            dest: "/".to_owned(),
            output: 0,
            readonly: false,
            kind: MountKind::Bind,
        }],
    };
    vertex(name, Op::Exec(Box::new(exec)), &[on])
}

/// `COPY --from` of `from` onto `on`.
fn copy_from(name: &str, on: usize, from: usize) -> Vertex {
    let action = FileAction::Copy {
        input: 0,
        secondary_input: 1,
        output: 0,
        src: "/out".to_owned(),
        dest: "/in".to_owned(),
        owner: None,
        mode: None,
        follow_symlink: true,
        dir_copy_contents: true,
        unpack: false,
        create_dest_path: true,
        allow_wildcard: true,
        allow_empty_wildcard: true,
        replace_existing: false,
        include: Vec::new(),
        exclude: Vec::new(),
        required: Vec::new(),
        timestamp: -1,
    };
    vertex(
        name,
        Op::File {
            actions: vec![action],
        },
        &[on, from],
    )
}

fn graph(vertices: Vec<Vertex>) -> Graph {
    let target = vertices
        .len()
        .checked_sub(1)
        .map(|vertex| Input { vertex, output: 0 });
    Graph { vertices, target }
}

/// Base, a RUN on it; another stage that copies the first one's output and runs on it.
fn two_stages(command: &str, env: &[&str]) -> Graph {
    graph(vec![
        base(),
        run("[a 2/2] RUN first", command, env, 0),
        copy_from("[b 2/3] COPY --from=a /out /in", 0, 1),
        run("[b 3/3] RUN last", "last", &[], 2),
    ])
}

fn keys_of(graph: &Graph, layers: &str) -> Vec<Key> {
    let inputs = Inputs {
        buildkit_minor: 25,
        folders: HashMap::new(),
        bases: HashMap::from([(0, layers.to_owned())]),
    };
    keys(graph, &inputs)
}

/// A finished build of a graph: what the ledger has of it, and the records of the cache.
fn built(graph: &Graph, layers: &str) -> (Ledger, Vec<UsageRecord>) {
    let (mut ledger, mut records) = (Ledger::default(), Vec::new());
    for (number, key) in keys_of(graph, layers).into_iter().enumerate().skip(1) {
        let created = UNIX_EPOCH + Duration::from_secs(100 * number as u64);
        let vertex = &graph.vertices[number];
        let exec = matches!(vertex.op, Op::Exec(_));
        let description = match &vertex.op {
            Op::Exec(exec) => format!("mount / from exec {}", exec.args.join(" ")),
            _ => vertex.name.clone(),
        };
        let past = Past {
            build: "first".to_owned(),
            commit: None,
            made_ms: Some(0),
            made: Some(Made::during(created, created + Duration::from_secs(1), exec)),
            imported: None,
            build_ms: 0,
        };
        ledger.results.push((key, past));
        records.push(UsageRecord {
            id: format!("record{number}"),
            parents: Vec::new(),
            description,
            kind: "regular".to_owned(),
            bytes: 1,
            created: Some(created),
            last_used: None,
            usage_count: 1,
            in_use: false,
            mutable: false,
            shared: false,
        });
    }
    (ledger, records)
}

fn outcomes(graph: &Graph, layers: &str, ledger: &Ledger, records: &[UsageRecord]) -> Vec<Outcome> {
    let predictions = predict(graph, &keys_of(graph, layers), ledger, &Records::new(records));
    predictions
        .into_iter()
        .map(|prediction| prediction.outcome)
        .skip(1)
        .collect()
}

use Outcome::{Cached, Maybe, Run};

#[test]
fn what_no_build_had_runs() {
    let graph = two_stages("first", &[]);
    assert_eq!(outcomes(&graph, "l", &Ledger::default(), &[]), [Run, Run, Run]);
}

#[test]
fn what_is_unchanged_and_held_is_cached() {
    let graph = two_stages("first", &["A=1"]);
    let (ledger, records) = built(&graph, "l");
    assert_eq!(outcomes(&graph, "l", &ledger, &records), [Cached, Cached, Cached]);
}

#[test]
fn another_base_runs_everything_and_another_name_of_it_nothing() {
    let graph = two_stages("first", &[]);
    let (ledger, records) = built(&graph, "l");
    // The content of the first stage may be the same, but what it is copied onto is not.
    assert_eq!(outcomes(&graph, "other", &ledger, &records), [Run, Run, Run]);
}

#[test]
fn a_copy_from_a_stage_that_runs_again_is_not_known_nor_what_is_on_it() {
    let (ledger, records) = built(&two_stages("first", &[]), "l");
    for changed in [two_stages("second", &[]), two_stages("first", &["A=1"])] {
        assert_eq!(outcomes(&changed, "l", &ledger, &records), [Run, Maybe, Maybe]);
    }
}

#[test]
fn a_lost_result_runs_only_if_it_is_needed() {
    let graph = two_stages("first", &[]);
    let (ledger, records) = built(&graph, "l");
    let without = |lost: &[usize]| -> Vec<UsageRecord> {
        let is_there =
            |record: &&UsageRecord| !lost.iter().any(|number| record.id == format!("record{number}"));
        records.iter().filter(is_there).cloned().collect()
    };
    assert_eq!(
        outcomes(&graph, "l", &ledger, &without(&[1])),
        [Cached, Cached, Cached]
    );
    assert_eq!(
        outcomes(&graph, "l", &ledger, &without(&[3])),
        [Cached, Cached, Run]
    );
    assert_eq!(
        outcomes(&graph, "l", &ledger, &without(&[2, 3])),
        [Cached, Run, Run]
    );
    assert_eq!(outcomes(&graph, "l", &ledger, &[]), [Run, Run, Run]);
}

#[test]
fn a_step_whose_cache_is_ignored_runs_with_what_is_on_it() {
    let mut graph = two_stages("first", &[]);
    let (ledger, records) = built(&graph, "l");
    graph.vertices[3].ignore_cache = true;
    assert_eq!(outcomes(&graph, "l", &ledger, &records), [Cached, Cached, Run]);
    graph.vertices[3].ignore_cache = false;
    graph.vertices[1].ignore_cache = true;
    assert_eq!(outcomes(&graph, "l", &ledger, &records), [Run, Maybe, Maybe]);
}

#[test]
fn a_result_that_others_made_is_not_said_to_run() {
    let graph = two_stages("first", &[]);
    let (_, records) = built(&graph, "l");
    assert_eq!(outcomes(&graph, "l", &Ledger::default(), &records[..1])[0], Maybe);
    let late = Records::new(&records).foreign_since(i64::MAX);
    let predictions = predict(&graph, &keys_of(&graph, "l"), &Ledger::default(), &late);
    assert_eq!(predictions[1].outcome, Run, "made before our own last build");
}

#[test]
fn an_import_of_which_nothing_is_known_may_have_what_the_cache_has_not() {
    let graph = two_stages("first", &[]);
    let imports = Imports {
        is_unclear: true,
        ..Imports::default()
    };
    let found = Records::default().with_imports(imports);
    let predictions = predict(&graph, &keys_of(&graph, "l"), &Ledger::default(), &found);
    assert!(
        predictions[1..]
            .iter()
            .all(|prediction| prediction.outcome == Maybe)
    );
}

#[test]
fn an_import_that_is_known_has_what_it_holds_and_nothing_else() {
    let graph = two_stages("first", &[]);
    let (ledger, _) = built(&graph, "l");
    let (last, past) = ledger.results.last().unwrap().clone();
    let imported = Past {
        imported: Some("registry.example/app:cache".to_owned()),
        ..past
    };
    let outcomes = |graph: &Graph| -> Vec<Outcome> {
        let imports = Imports {
            holds: HashMap::from([(last.id.clone(), imported.clone())]),
            ..Imports::default()
        };
        let found = Records::default().with_imports(imports);
        let predictions = predict(graph, &keys_of(graph, "l"), &ledger, &found);
        predictions[1..]
            .iter()
            .map(|prediction| prediction.outcome)
            .collect()
    };
    assert_eq!(outcomes(&graph), [Cached, Cached, Cached]);
    assert_eq!(outcomes(&two_stages("second", &[]))[0], Run);
}

#[test]
fn results_that_the_cache_lists_and_does_not_find_run() {
    let graph = two_stages("first", &[]);
    let (ledger, records) = built(&graph, "l");
    let lost: HashMap<String, i64> = sources(&graph)
        .iter()
        .zip(&graph.vertices)
        .filter(|(sources, _)| sources.contains(&0))
        .map(|(_, vertex)| (vertex.digest.clone(), i64::MAX))
        .collect();
    assert_eq!(
        lost.len(),
        graph.vertices.len(),
        "every step lies on the base image"
    );
    let keys = keys_of(&graph, "l");
    let found = Records::new(&records).lost_before(lost);
    let predictions = predict(&graph, &keys, &ledger, &found);
    let gone = |prediction: &Prediction| matches!(prediction.reason, Reason::Gone(_));
    assert!(predictions[1..].iter().all(gone));
}

/// Found by the campaign (28.5 containerd, seed 300, run 203): the first step of the stage ran, the others did not.
#[test]
fn a_stage_without_results_may_be_begun_before_its_linked_copy_is_found() {
    let mut linked = copy_from("[b 2/2] COPY --from=a --link /out /in", 0, 1);
    let Op::File { actions } = &mut linked.op else {
        unreachable!()
    };
    if let FileAction::Copy {
        input,
        secondary_input,
        ..
    } = &mut actions[0]
    {
        (*input, *secondary_input) = (-1, 0);
    }
    linked.inputs = vec![Input { vertex: 2, output: 0 }];
    let graph = graph(vec![
        base(),
        run("[a 2/3] RUN first", "first", &[], 0),
        run("[a 3/3] RUN second", "second", &[], 1),
        linked,
    ]);
    let (ledger, records) = built(&graph, "l");
    assert_eq!(outcomes(&graph, "l", &ledger, &records), [Cached, Cached, Cached]);
    assert_eq!(
        outcomes(&graph, "l", &ledger, &records[2..]),
        [Maybe, Cached, Cached]
    );
}

/// Found by the campaign (d28, seed 7, run 21): two steps ran at the same moment, and the record of one stood for both.
#[test]
fn the_record_of_another_step_of_the_same_moment_does_not_count() {
    let graph = two_stages("first", &[]);
    let (ledger, mut records) = built(&graph, "l");
    let last = records.pop().unwrap();
    records.push(UsageRecord {
        description: "mount / from exec something else".to_owned(),
        id: "other".to_owned(),
        ..last
    });
    assert_eq!(outcomes(&graph, "l", &ledger, &records), [Cached, Cached, Run]);
}

#[test]
fn imported_records_are_described_as_in_the_images_history() {
    let record = |description: &str| UsageRecord {
        id: String::new(),
        parents: Vec::new(),
        description: description.to_owned(),
        kind: "regular".to_owned(),
        bytes: 0,
        created: None,
        last_used: None,
        usage_count: 0,
        in_use: false,
        mutable: false,
        shared: false,
    };
    let step = run("[a 2/3] RUN make", "make all", &[], 0);
    assert!(describes(
        &record("RUN /bin/sh -c make all # buildkit"),
        &run("", "/bin/sh -c make all", &[], 0)
    ));
    assert!(describes(&record("RUN |1 LEVEL=2 make all # buildkit"), &step));
    assert!(!describes(&record("RUN make none # buildkit"), &step));
    let copy = copy_from("[b 2/2] COPY --from=a /out /in", 0, 1);
    assert!(describes(&record("COPY /out /in # buildkit"), &copy));
    assert!(!describes(&record("COPY /out /other # buildkit"), &copy));
}

fn causes_of(old: &Graph, new: &Graph, layers: [&str; 2], arg: Option<&str>) -> Vec<Option<Cause>> {
    let (ledger, records) = built(old, layers[0]);
    let described = |graph: &Graph, keys: &[Key], layers: &str| {
        let describe = Describe {
            text: &|vertex| vertex.name.rsplit("] ").next().unwrap_or_default().to_owned(),
            env: &|_, value| EnvValue::Plain(value.to_owned()),
            base: &|vertex| (vertex == 0).then(|| layers.to_owned()),
        };
        facts(graph, keys, &describe)
    };
    let old_facts = described(old, &keys_of(old, layers[0]), layers[0]);
    let previous = Previous {
        build: "first".to_owned(),
        steps: old
            .vertices
            .iter()
            .zip(old_facts)
            .map(|(vertex, facts)| PreviousStep {
                name: vertex.name.clone(),
                facts,
            })
            .collect(),
    };
    let keys = keys_of(new, layers[1]);
    let predictions = predict(new, &keys, &ledger, &Records::new(&records));
    let facts = described(new, &keys, layers[1]);
    let sources = arg.map(|arg| (arg.to_owned(), "--build-arg".to_owned()));
    let current = Current {
        graph: new,
        keys: &keys,
        predictions: &predictions,
        facts: &facts,
        buildkit_minor: 25,
        files: &HashMap::new(),
        args: &[],
        arg_sources: &sources.into_iter().collect(),
        cleared: None,
        no_cache: &|_| "--no-cache".to_owned(),
    };
    causes(&current, Some(&previous))
}

fn kinds(causes: &[Option<Cause>]) -> Vec<Option<CauseKind>> {
    causes
        .iter()
        .map(|cause| cause.as_ref().map(|cause| cause.kind))
        .collect()
}

#[test]
fn an_argument_is_told_from_a_variable() {
    let (old, new) = (two_stages("first", &["A=1"]), two_stages("first", &["A=2"]));
    let causes = causes_of(&old, &new, ["l", "l"], Some("A"));
    let parent = Some(CauseKind::ParentRan);
    assert_eq!(
        kinds(&causes),
        [None, Some(CauseKind::ArgChanged), parent, parent]
    );
    let cause = causes[1].as_ref().unwrap();
    assert_eq!(cause.summary, "A: 1 → 2");
    let expected = Change::Arg {
        arg: "A".to_owned(),
        old: Some("1".to_owned()),
        new: Some("2".to_owned()),
        source: Some("--build-arg".to_owned()),
    };
    assert_eq!(cause.changes, [expected]);
    assert_eq!(
        causes[3].as_ref().unwrap().step.as_deref(),
        Some("[a 2/2] RUN first")
    );
    let causes = causes_of(&old, &new, ["l", "l"], None);
    assert_eq!(kinds(&causes)[1], Some(CauseKind::InstructionChanged));
    assert_eq!(
        causes[1].as_ref().unwrap().summary,
        "the variable A is set to something else"
    );
}

#[test]
fn a_changed_instruction_shows_what_it_was() {
    let old = two_stages("first", &[]);
    let mut new = two_stages("second", &[]);
    new.vertices[1].name = "[a 2/2] RUN second".to_owned();
    let causes = causes_of(&old, &new, ["l", "l"], None);
    let expected = Change::Instruction {
        old: Some("RUN first".to_owned()),
        instruction: "RUN second".to_owned(),
    };
    let cause = causes[1].as_ref().unwrap();
    assert_eq!(
        (cause.kind, &cause.changes[..]),
        (CauseKind::InstructionChanged, &[expected][..])
    );
}

#[test]
fn another_base_is_the_cause_of_what_stands_on_it() {
    let graph = two_stages("first", &[]);
    let causes = causes_of(&graph, &graph, ["l", "m"], None);
    let (base, parent) = (Some(CauseKind::BaseChanged), Some(CauseKind::ParentRan));
    assert_eq!(kinds(&causes), [None, base, base, parent]);
}

#[test]
fn an_unchanged_build_has_no_causes() {
    let graph = two_stages("first", &["A=1"]);
    assert_eq!(causes_of(&graph, &graph, ["l", "l"], Some("A")), vec![None; 4]);
}

#[test]
fn what_is_not_in_a_key_is_noted() {
    let mut step = run("[a 2/2] RUN x", "apt-get install x", &[], 0);
    assert_eq!(note(&step), Some(Note::Network));
    if let Op::Exec(exec) = &mut step.op {
        exec.args = vec!["echo aptitude".to_owned()];
        exec.mounts.push(Mount {
            input: -1,
            selector: String::new(),
            dest: "/cache".to_owned(),
            output: -1,
            readonly: false,
            kind: MountKind::Cache {
                id: "x".to_owned(),
                sharing: String::new(),
            },
        });
    }
    assert_eq!(note(&step), Some(Note::CacheMount));
    assert_eq!(note(&base()), None);
}

#[test]
fn the_place_of_a_mounts_cache_does_not_count_for_the_key_in_new_versions() {
    let mount = |id: &str| {
        let mut step = run("[a 2/2] RUN x", "x", &[], 0);
        if let Op::Exec(exec) = &mut step.op {
            exec.mounts.push(Mount {
                input: -1,
                selector: String::new(),
                dest: "/cache".to_owned(),
                output: -1,
                readonly: false,
                kind: MountKind::Cache {
                    id: id.to_owned(),
                    sharing: "SHARED".to_owned(),
                },
            });
        }
        graph(vec![base(), step])
    };
    let id = |cache: &str, buildkit_minor: u32| {
        let inputs = Inputs {
            buildkit_minor,
            folders: HashMap::new(),
            bases: HashMap::new(),
        };
        keys(&mount(cache), &inputs)[1].id.clone()
    };
    assert_eq!(id("one", 25), id("two", 25));
    assert_ne!(id("one", 8), id("two", 8));
}

#[test]
fn folders_are_compared_file_by_file() {
    let file = |path: &str, content: &str, mode: u32| FileState {
        path: path.to_owned(),
        kind: "file",
        mode,
        content: Some(content.to_owned()),
    };
    let link = |target: &str| FileState {
        kind: "symlink",
        ..file("link", target, 0o777)
    };
    let old = vec![
        file("a", "1", 0o644),
        file("b", "1", 0o644),
        file("c", "1", 0o644),
        link("x"),
        file("z", "1", 0o644),
    ];
    let new = vec![
        file("a", "2", 0o644),
        file("b", "1", 0o755),
        file("d", "1", 0o644),
        link("y"),
        file("z", "1", 0o644),
    ];
    let change = |path: &str, change| (path.to_owned(), change);
    let expected = [
        change("a", FileChange::Content),
        change("b", FileChange::Mode),
        change("c", FileChange::Removed),
        change("d", FileChange::Added),
        change("link", FileChange::LinkTarget),
    ];
    assert_eq!(files(old.into_iter(), new.into_iter()), expected);
}
