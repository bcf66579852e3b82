use super::*;
use proptest::prelude::*;
use unstale_buildkit::llb::{Op, Vertex};

const TWO_STAGES: [&str; 8] = [
    "[internal] load build context",
    "[build 1/3] FROM docker.io/library/busybox:latest",
    "[build 2/3] RUN make  all",
    "[build 3/3] RUN make install",
    "[stage-1 1/3] FROM docker.io/library/alpine",
    "[stage-1 2/3] COPY --link --from=build /out /app",
    "[stage-1 2/3] LINK COPY --link --from=build /out /app",
    "[stage-1 3/3] RUN make install",
];

fn graph(names: &[&str]) -> Graph {
    let vertices = names.iter().map(|name| Vertex {
        digest: format!("digest of {name}"),
        stable_digest: String::new(),
        inputs: Vec::new(),
        op: match name.split_once("FROM ") {
            Some((_, image)) => Op::Source {
                identifier: format!("docker-image://{image}"),
                attrs: BTreeMap::new(),
            },
            None => Op::Unknown,
        },
        platform: None,
        name: (*name).to_owned(),
        location: None,
        ignore_cache: false,
    });
    Graph {
        vertices: vertices.collect(),
        target: None,
    }
}

/// The indexes of the vertices that are marked.
fn marked(names: &[&str], reruns: &[&str]) -> Result<Vec<usize>, RerunError> {
    let mut graph = graph(names);
    let reruns: Vec<Rerun> = reruns.iter().map(|text| text.parse().unwrap()).collect();
    let before = graph.clone();
    let asked = mark(&mut graph, "web", &reruns, |_| false).inspect_err(|_| assert_eq!(graph, before))?;
    let marked: Vec<usize> = (0..names.len())
        .filter(|&index| graph.vertices[index].ignore_cache)
        .collect();
    let by_digest: Vec<&String> = asked.keys().collect();
    let mut digests: Vec<&String> = marked
        .iter()
        .map(|&index| &graph.vertices[index].digest)
        .collect();
    digests.sort();
    assert_eq!(by_digest, digests);
    Ok(marked)
}

#[test]
fn a_step_is_selected_by_number_stage_or_words() {
    for (rerun, expected) in [
        ("build/2", vec![2]),
        ("web:build/2", vec![2]),
        ("BUILD/2", vec![2]),
        ("build", vec![2, 3]),
        ("stage-1", vec![5, 6, 7]),
        ("stage-1/2", vec![5, 6]),
        ("web:RUN make all", vec![2]),
        ("run   make a", vec![2]),
        ("RUN make \n all", vec![2]),
        ("COPY --link", vec![5, 6]),
    ] {
        assert_eq!(marked(&TWO_STAGES, &[rerun]), Ok(expected), "{rerun}");
    }
    let one_stage = ["[ 1/10] FROM busybox", "[ 2/10] RUN a", "[10/10] RUN a:b"];
    assert_eq!(marked(&one_stage, &["2"]), Ok(vec![1]));
    assert_eq!(marked(&one_stage, &["web:2/10"]), Ok(vec![1]));
    assert_eq!(marked(&one_stage, &["RUN a:b"]), Ok(vec![2]));
    // The whole instruction is meant before those that begin with it.
    assert_eq!(marked(&one_stage, &["RUN a"]), Ok(vec![1]));
    assert_eq!(marked(&one_stage, &["2", "10"]), Ok(vec![1, 2]));
    let cross = ["[linux/amd64->arm64 build 2/3] RUN a", "[linux/amd64 2/2] RUN b"];
    assert_eq!(marked(&cross, &["build/2"]), Ok(vec![0]));
    assert_eq!(marked(&cross, &["2/2"]), Ok(vec![1]));
}

#[test]
fn several_steps_where_one_is_meant_are_an_error_that_lists_them() {
    let selections = |rerun: &str| match marked(&TWO_STAGES, &[rerun]).unwrap_err() {
        RerunError::Ambiguous { steps, .. } => steps.into_iter().map(|(step, _)| step).collect::<Vec<_>>(),
        error => panic!("{error}"),
    };
    assert_eq!(selections("2"), ["web:build/2", "web:stage-1/2"]);
    assert_eq!(selections("RUN"), ["web:build/2", "web:build/3", "web:stage-1/3"]);
    assert_eq!(selections("RUN make install"), ["web:build/3", "web:stage-1/3"]);
}

#[test]
fn no_step_is_an_error_that_lists_all_of_them() {
    for rerun in [
        "9",
        "web:build/9",
        "2/9",
        "test",
        "RUN makes",
        "stage-1/2/3",
        "[internal]",
        "load",
        "LINK",
    ] {
        let error = marked(&TWO_STAGES, &["build/2", rerun]).unwrap_err();
        let RerunError::NoStep { steps, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(steps.len(), 4, "{rerun}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("\n  web:build/2  RUN make all"), "{hint}");
    }
    let error = marked(&["[1/1] FROM busybox"], &["2"]).unwrap_err();
    assert_eq!(error.hint().unwrap(), "it has no step that runs");
}

#[test]
fn a_base_image_is_not_run() {
    for rerun in ["build/1", "FROM docker.io/library/alpine"] {
        let error = marked(&TWO_STAGES, &[rerun]).unwrap_err();
        assert!(matches!(error, RerunError::NotRun { .. }), "{error}");
        assert!(error.hint().unwrap().contains("--pull"));
    }
}

#[test]
fn another_builds_vertices_are_not_meant() {
    let mut graph = graph(&["[2/3] RUN base", "[2/4] RUN web"]);
    let foreign = graph.vertices[0].digest.clone();
    let rerun: Rerun = "2".parse().unwrap();
    let asked = mark(&mut graph, "web", [&rerun], |digest| digest == foreign).unwrap();
    let asked: Vec<_> = asked
        .iter()
        .map(|(digest, rerun)| (digest.as_str(), rerun.as_str()))
        .collect();
    assert_eq!(asked, [("digest of [2/4] RUN web", "2")]);
}

#[test]
fn what_builds_on_a_step_that_ran_again_elsewhere_runs_again() {
    let mut graph = graph(&[
        "[1/3] FROM busybox",
        "[2/3] RUN base",
        "[3/3] RUN base too",
        "[tools 2/3] RUN on busybox",
        "[stage-1 2/4] RUN on base",
        "[stage-1 3/4] RUN on that",
        "[stage-1 4/4] COPY --from=tools",
    ]);
    for (vertex, inputs) in [
        (1, &[0][..]),
        (2, &[1]),
        (3, &[0]),
        (4, &[2]),
        (5, &[4]),
        (6, &[5, 3]),
    ] {
        let inputs = inputs
            .iter()
            .map(|&vertex| unstale_buildkit::llb::Input { vertex, output: 0 });
        graph.vertices[vertex].inputs = inputs.collect();
    }
    let foreign: Vec<String> = graph.vertices[..3]
        .iter()
        .map(|vertex| vertex.digest.clone())
        .collect();
    let is_foreign = |digest: &str| foreign.iter().any(|other| other == digest);
    let reran = BTreeMap::from([(foreign[1].clone(), "base:2".to_owned())]);
    let asked = mark_consumers(&mut graph, &reran, is_foreign);
    // The builder runs what builds on it by itself, and takes what the other build made from its cache.
    let expected = BTreeMap::from([(graph.vertices[4].digest.clone(), "base:2".to_owned())]);
    assert_eq!(asked, expected);
    let marked = |vertex: &&Vertex| vertex.ignore_cache;
    assert_eq!(graph.vertices.iter().filter(marked).count(), 1);
}

#[test]
fn a_hint_is_bounded() {
    let names: Vec<String> = (2..=40)
        .map(|number| format!("[{number}/40] RUN {}", "é".repeat(500)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = marked(&names, &["RUN"]).unwrap_err().hint().unwrap();
    assert!(hint.ends_with("\n  and 9 more"), "{hint}");
    assert!(hint.lines().all(|line| line.chars().count() < 100), "{hint}");
}

#[test]
fn a_selection_needs_a_step() {
    for text in ["", " ", "web:", "web: ", ":6", "::"] {
        assert!(
            matches!(text.parse::<Rerun>(), Err(RerunError::Malformed(_))),
            "{text:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_a_selection_or_an_error(text in "\\PC{0,24}") {
        if let Ok(rerun) = text.parse::<Rerun>() {
            prop_assert_eq!(rerun.to_string(), text);
            let _ = mark(&mut graph(&TWO_STAGES), "web", [&rerun], |_| false);
        }
    }

    #[test]
    fn any_name_of_a_vertex_is_read(name in "\\PC{0,24}|\\[[a-z/>0-9 -]{0,12}\\] \\PC{0,8}") {
        let _ = marked(&[&name], &["1"]);
    }

    #[test]
    fn every_listed_step_can_be_selected_as_it_is_listed(number in 1u32..30, others in 1u32..5, stage in "[a-z][a-z0-9._-]{0,8}") {
        let of_stage = format!("[{stage} {number:>2}/40] RUN a");
        let others: Vec<String> = (0..others).map(|other| format!("[other-{other} {number:>2}/40] RUN a")).collect();
        let names: Vec<&str> = others.iter().map(String::as_str).chain([of_stage.as_str()]).collect();
        let Err(RerunError::Ambiguous { steps, .. }) = marked(&names, &[&number.to_string()]) else {
            return Err(TestCaseError::fail("it is ambiguous"));
        };
        for (index, (step, _)) in steps.iter().enumerate() {
            prop_assert_eq!(marked(&names, &[step]), Ok(vec![index]));
        }
    }
}
