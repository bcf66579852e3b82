use super::*;

fn source(identifier: &str, attrs: &[(&str, &str)]) -> pb::Op {
    let attrs = attrs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let source = pb::SourceOp {
        identifier: identifier.to_owned(),
        attrs,
    };
    pb::Op {
        op: Some(pb::op::Op::Source(source)),
        ..Default::default()
    }
}

fn digest(op: &pb::Op) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(op.encode_to_vec())))
}

fn run(command: &str, on: &pb::Op) -> pb::Op {
    let meta = pb::Meta {
        args: vec![command.to_owned()],
        ..Default::default()
    };
    pb::Op {
        inputs: vec![pb::Input {
            digest: digest(on),
            index: 0,
        }],
        op: Some(pb::op::Op::Exec(pb::ExecOp {
            meta: Some(meta),
            ..Default::default()
        })),
        ..Default::default()
    }
}

fn terminal(on: &pb::Op) -> pb::Op {
    pb::Op {
        inputs: vec![pb::Input {
            digest: digest(on),
            index: 0,
        }],
        ..Default::default()
    }
}

fn definition(ops: &[&pb::Op]) -> Definition {
    Definition(pb::Definition {
        def: ops.iter().map(|op| op.encode_to_vec()).collect(),
        ..Default::default()
    })
}

#[test]
fn a_graph_is_ordered_and_knows_its_target() {
    let base = source("docker-image://base", &[]);
    let (first, last) = (run("one", &base), run("two", &run("one", &base)));
    // The definition's own order does not matter.
    let graph = Graph::read(&definition(&[&last, &base, &terminal(&last), &first])).unwrap();
    let names: Vec<_> = graph.vertices.iter().map(|vertex| vertex.name.as_str()).collect();
    assert_eq!(names, ["docker-image://base", "one", "two"]);
    assert_eq!(graph.target, Some(Input { vertex: 2, output: 0 }));
    assert_eq!(graph.vertices[1].digest, digest(&first));
}

#[test]
fn an_empty_definition_is_an_empty_graph() {
    assert_eq!(
        Graph::read(&definition(&[])).unwrap(),
        Graph {
            vertices: vec![],
            target: None
        }
    );
}

#[test]
fn a_missing_step_is_a_protocol_error() {
    let base = source("docker-image://base", &[]);
    for broken in [definition(&[&run("one", &base)]), definition(&[&terminal(&base)])] {
        assert!(matches!(Graph::read(&broken), Err(Error::Protocol(_))));
    }
}

#[test]
fn the_stable_digest_forgets_the_session_and_nothing_else() {
    let local = |session: &str, pattern: &str| {
        source(
            "local://context",
            &[
                ("local.session", session),
                ("local.unique", session),
                ("local.sharedkeyhint", "x"),
                ("local.followpaths", pattern),
            ],
        )
    };
    let of = |local: &pb::Op| {
        let step = run("build", local);
        let graph = Graph::read(&definition(&[local, &step, &terminal(&step)])).unwrap();
        graph.vertices[1].clone()
    };
    let (one, two) = (of(&local("a", "[\"x\"]")), of(&local("b", "[\"x\"]")));
    assert_ne!(one.digest, two.digest);
    assert_eq!(one.stable_digest, two.stable_digest);
    assert_ne!(one.stable_digest, of(&local("a", "[\"y\"]")).stable_digest);
}

#[test]
fn local_sources_are_listed_with_their_patterns() {
    let context = source(
        "local://context",
        &[
            ("local.excludepatterns", "[\"*.log\"]"),
            ("local.followpaths", "[\"src\"]"),
        ],
    );
    let graph = Graph::read(&definition(&[&context, &terminal(&context)])).unwrap();
    let expected = LocalSource {
        include: vec![],
        exclude: vec!["*.log".into()],
        follow: vec!["src".into()],
    };
    assert_eq!(local_sources(&graph)["context"], [expected]);
}

/// A map's entry without a value stands for the default value, but not to every daemon.
#[test]
fn a_definition_to_send_back_has_no_empty_places() {
    let places = |entries: &[(&str, usize)]| pb::Source {
        locations: entries
            .iter()
            .map(|(vertex, count)| {
                let locations = vec![pb::Location::default(); *count];
                ((*vertex).to_owned(), pb::Locations { locations })
            })
            .collect(),
        infos: Vec::new(),
    };
    let with_source = |source| pb::Definition {
        source: Some(source),
        ..Default::default()
    };
    let mut source = places(&[("with", 1), ("without", 0)]);
    source.infos.push(pb::SourceInfo {
        definition: Some(with_source(places(&[("nested", 0)]))),
        ..Default::default()
    });
    let Definition(sent) = Definition::received(with_source(source));
    let source = sent.source.unwrap();
    assert_eq!(source.locations.keys().collect::<Vec<_>>(), ["with"]);
    let nested = source.infos[0]
        .definition
        .as_ref()
        .unwrap()
        .source
        .as_ref()
        .unwrap();
    assert!(nested.locations.is_empty());
}
