use super::*;

fn at(milliseconds: u64) -> Option<SystemTime> {
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds))
}

fn state(digest: &str, inputs: &[&str], cached: bool, started: u64, completed: u64) -> VertexState {
    VertexState {
        digest: digest.to_owned(),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        name: format!("[1/1] RUN {digest}"),
        cached,
        started: Some(started).filter(|&time| time > 0).and_then(at),
        completed: Some(completed).filter(|&time| time > 0).and_then(at),
        error: None,
    }
}

fn graph(vertices: &[(&str, &[usize])]) -> Graph {
    let vertices = vertices.iter().map(|(digest, inputs)| Vertex {
        digest: (*digest).to_owned(),
        stable_digest: format!("stable-{digest}"),
        inputs: inputs
            .iter()
            .map(|&vertex| unstale_buildkit::llb::Input { vertex, output: 0 })
            .collect(),
        op: Op::Unknown,
        platform: None,
        name: format!("[1/1] RUN {digest}"),
        location: None,
        ignore_cache: false,
    });
    Graph {
        vertices: vertices.collect(),
        target: None,
    }
}

fn run(states: Vec<VertexState>, graph: &Graph, succeeded: bool) -> Vec<(String, Outcome)> {
    let mut steps = Steps::new("web", Counter::default(), Mask::new([]));
    steps.expect(graph);
    let mut finished = HashMap::new();
    let mut note = |events: Vec<Event>| {
        for event in events {
            if let Event::StepFinished { step, outcome, .. } = event {
                assert_eq!(finished.insert(step.number, outcome), None, "a step ends once");
            }
        }
    };
    for state in states {
        note(steps.apply(StatusEvent::Vertex(state)));
    }
    let (steps, events) = steps.finish(graph, succeeded);
    note(events);
    for step in steps.iter().filter(|step| step.number > 0) {
        assert_eq!(
            finished.get(&step.number),
            Some(&step.outcome),
            "what was announced is what is recorded"
        );
    }
    steps
        .into_iter()
        .map(|step| (step.digest, step.outcome))
        .collect()
}

fn outcomes(pairs: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
    pairs
        .iter()
        .map(|(digest, outcome)| ((*digest).to_owned(), *outcome))
        .collect()
}

#[test]
fn a_conclusion_is_believed_when_its_descendant_ends_well() {
    let graph = graph(&[("a", &[]), ("b", &[0]), ("c", &[1])]);
    let states = vec![
        state("a", &[], true, 5, 5),
        state("b", &["a"], true, 5, 6),
        state("c", &["b"], false, 6, 0),
        state("c", &["b"], false, 6, 9),
    ];
    use Outcome::{Cached, Ran};
    assert_eq!(
        run(states, &graph, true),
        outcomes(&[("a", Cached), ("b", Cached), ("c", Ran)])
    );
}

/// Found by the campaign (28.5 containerd, seed 100, run 34): a stage that a reused `COPY --from` did not need, and
/// another stage did.
#[test]
fn a_conclusion_is_not_believed_while_another_step_may_need_the_vertex() {
    let graph = graph(&[
        ("base", &[]),
        ("a", &[0]),
        ("copy", &[1]),
        ("other", &[1]),
        ("last", &[2, 3]),
    ]);
    let loaded = vec![
        state("base", &[], true, 5, 5),
        state("a", &["base"], true, 5, 5),
        state("copy", &["a"], true, 5, 6),
    ];
    let ran = vec![
        state("a", &["base"], false, 7, 0),
        state("a", &["base"], false, 7, 8),
        state("other", &["a"], false, 8, 9),
        state("last", &["copy", "other"], false, 9, 10),
    ];
    use Outcome::{Cached, NotReached, Ran};
    assert_eq!(
        run([loaded.clone(), ran].concat(), &graph, true),
        outcomes(&[
            ("base", Cached),
            ("a", Ran),
            ("copy", Cached),
            ("other", Ran),
            ("last", Ran)
        ])
    );
    // The build failed elsewhere: the copy did not need it.
    assert_eq!(
        run(loaded, &graph, false),
        outcomes(&[
            ("base", Cached),
            ("a", Cached),
            ("copy", Cached),
            ("other", NotReached),
            ("last", NotReached)
        ])
    );
}

#[test]
fn a_conclusion_from_a_step_that_failed_is_not_believed() {
    let graph = graph(&[("a", &[]), ("b", &[0]), ("c", &[1])]);
    let mut failed = state("b", &["a"], false, 5, 7);
    failed.error = Some("exit code: 1".into());
    let states = vec![
        state("a", &[], true, 5, 5),
        state("b", &["a"], false, 5, 0),
        failed,
    ];
    use Outcome::{NotReached, Ran};
    assert_eq!(
        run(states, &graph, false),
        outcomes(&[("a", NotReached), ("b", Ran), ("c", NotReached)])
    );
}

#[test]
fn a_step_that_was_stopped_before_it_began_is_not_reached() {
    let graph = graph(&[("a", &[])]);
    let mut stopped = state("a", &[], false, 0, 7);
    stopped.error = Some("context canceled".into());
    assert_eq!(
        run(vec![stopped], &graph, false),
        outcomes(&[("a", Outcome::NotReached)])
    );
}

#[test]
fn a_vertex_that_ignores_its_cache_is_found_under_its_other_digest() {
    let graph = graph(&[("a", &[])]);
    let states = vec![
        state(&ignored_cache_digest("a"), &[], false, 1, 0),
        state(&ignored_cache_digest("a"), &[], false, 1, 3),
    ];
    assert_eq!(run(states, &graph, true), outcomes(&[("a", Outcome::Ran)]));
}

#[test]
fn a_source_that_was_only_resolved_is_cached_and_one_that_was_fetched_ran() {
    let graph = graph(&[("base", &[]), ("context", &[]), ("copy", &[0, 1])]);
    let states = vec![
        state("base", &[], false, 1, 0),
        state("base", &[], false, 1, 2),
        state("context", &[], false, 1, 2),
        state("context", &[], false, 3, 0),
        state("context", &[], false, 3, 4),
        state("copy", &["base", "context"], true, 5, 6),
    ];
    use Outcome::{Cached, Ran};
    assert_eq!(
        run(states, &graph, true),
        outcomes(&[("base", Cached), ("context", Ran), ("copy", Cached)])
    );
}

#[test]
fn names_carry_the_service_as_compose_prints_it() {
    assert_eq!(
        name_in_service("backend", "[stage-1 6/9] COPY . /app/"),
        "[backend stage-1 6/9] COPY . /app/"
    );
    assert_eq!(
        name_in_service("backend", "exporting to image"),
        "[backend] exporting to image"
    );
    assert_eq!(instruction("[backend stage-1 6/9] COPY . /app/"), "COPY . /app/");
    assert_eq!(instruction("exporting to image"), "exporting to image");
}

#[test]
fn a_base_image_that_was_only_looked_up_when_another_step_failed_was_not_reached() {
    let mut base = state("base", &[], false, 1, 3);
    base.error = Some("context canceled: context canceled".to_owned());
    let mut copy = state("copy", &["base"], false, 1, 2);
    copy.error = Some("\"/missing\": not found".to_owned());
    let graph = graph(&[("base", &[]), ("copy", &[0])]);
    let outcomes = run(vec![state("base", &[], false, 1, 0), copy, base], &graph, false);
    assert_eq!(
        outcomes,
        [
            ("base".to_owned(), Outcome::NotReached),
            ("copy".to_owned(), Outcome::Ran)
        ]
    );
}

#[test]
fn the_end_of_a_failed_steps_output_is_kept() {
    let mut steps = Steps::new("web", Counter::default(), Mask::new([]));
    steps.apply(StatusEvent::Vertex(state("run", &[], false, 1, 0)));
    for number in 0..10_000 {
        steps.apply(StatusEvent::Log(unstale_buildkit::status::Log {
            vertex: "run".to_owned(),
            timestamp: at(1),
            stderr: false,
            data: format!("line {number}\n").into_bytes(),
        }));
    }
    let mut failed = state("run", &[], false, 1, 2);
    failed.error = Some("exit code: 1".to_owned());
    steps.apply(StatusEvent::Vertex(failed));
    let (steps, _) = steps.finish(&graph(&[("run", &[])]), false);
    assert_eq!(steps[0].tail.len(), TAIL);
    assert!(steps[0].tail.ends_with(b"line 9998\nline 9999\n"));
    assert!(!steps[0].is_stopped());
}

#[test]
fn the_value_of_a_secret_argument_is_in_no_event_and_no_step() {
    let mask = Mask::new([("API_TOKEN", "abcdef123"), ("COLOUR", "turquoise")]);
    let mut steps = Steps::new("web", Counter::default(), mask);
    let mut known = state("run", &[], false, 1, 2);
    known.name = "[2/2] RUN paint abcdef123 turquoise".to_owned();
    known.error = Some("paint abcdef123: exit code: 1".to_owned());
    let mut events = steps.apply(StatusEvent::Vertex(known));
    events.extend(steps.apply(StatusEvent::Log(unstale_buildkit::status::Log {
        vertex: "run".to_owned(),
        timestamp: at(1),
        stderr: false,
        data: b"token=abcdef123 \xff".to_vec(),
    })));
    let mut graph = graph(&[("run", &[])]);
    graph.vertices[0].name = "[2/2] RUN paint abcdef123 turquoise".to_owned();
    let (steps, _) = steps.finish(&graph, false);
    assert_eq!(steps[0].name, "[2/2] RUN paint [secret] turquoise");
    assert_eq!(steps[0].instruction, "RUN paint [secret] turquoise");
    assert_eq!(steps[0].error.as_deref(), Some("paint [secret]: exit code: 1"));
    assert!(steps[0].tail.starts_with(b"token=[secret] "));
    assert!(!format!("{events:?}").contains("abcdef123"));
}

/// A failed build from its events, which name its steps in any order.
#[test]
fn a_replayed_build_has_its_steps_in_order_with_what_the_failed_one_wrote() {
    let named = |name: &str, state: VertexState| VertexState {
        name: name.to_owned(),
        ..state
    };
    let failed = VertexState {
        error: Some("exit code: 3".to_owned()),
        ..state("fails", &["copy"], false, 30, 40)
    };
    let log = unstale_buildkit::status::Log {
        vertex: "fails".to_owned(),
        timestamp: at(35),
        stderr: false,
        data: b"the token is hunter22\n".to_vec(),
    };
    let events = vec![
        StatusEvent::Vertex(state("never", &["fails"], false, 0, 0)),
        StatusEvent::Vertex(state("fails", &["copy"], false, 30, 0)),
        StatusEvent::Vertex(named("[1/4] FROM busybox", state("base", &[], false, 1, 2))),
        StatusEvent::Vertex(named(
            "[internal] load build context",
            state("files", &[], false, 1, 2),
        )),
        StatusEvent::Vertex(state("copy", &["base", "files"], true, 10, 11)),
        StatusEvent::Log(log),
        StatusEvent::Vertex(failed),
    ];
    let steps = steps_of_replay(events, Mask::new([("API_TOKEN", "hunter22")]), false);
    let told: Vec<_> = steps
        .iter()
        .map(|step| (step.digest.as_str(), step.outcome, step.kind))
        .collect();
    let expected = [
        ("base", Outcome::Cached, StepKind::Source),
        ("copy", Outcome::Cached, StepKind::Instruction),
        ("fails", Outcome::Ran, StepKind::Instruction),
        ("never", Outcome::NotReached, StepKind::Instruction),
    ];
    assert_eq!(told, expected);
    assert_eq!(steps[2].error.as_deref(), Some("exit code: 3"));
    assert_eq!(steps[2].tail, b"the token is [secret]\n");
}
