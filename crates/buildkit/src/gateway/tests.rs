use super::*;
use prost::Message as _;

fn reference(id: &str, definition: Option<pb::Definition>) -> frontend::Ref {
    frontend::Ref {
        id: id.to_owned(),
        def: definition,
    }
}

fn result(reference: frontend::Ref) -> frontend::Result {
    frontend::Result {
        result: Some(frontend::result::Result::Ref(reference)),
        metadata: HashMap::from([(IMAGE_CONFIG.to_owned(), b"{}".to_vec())]),
        ..Default::default()
    }
}

fn definition() -> pb::Definition {
    let op = pb::Op {
        op: Some(pb::op::Op::Source(pb::SourceOp::default())),
        ..Default::default()
    };
    let metadata = pb::OpMetadata {
        description: BTreeMap::from([("llb.customname".to_owned(), "[1/1] RUN".to_owned())]),
        ..Default::default()
    };
    let bytes = [op.encode_to_vec(), pb::Op::default().encode_to_vec()];
    let digests = Definition(pb::Definition {
        def: bytes.to_vec(),
        ..Default::default()
    });
    let keys = digests.digests().map(|digest| (digest, metadata.clone()));
    pb::Definition {
        def: bytes.to_vec(),
        metadata: keys.collect(),
        ..Default::default()
    }
}

#[test]
fn a_changed_definition_differs_in_what_ignores_its_cache_only() {
    let original = definition();
    let mut result =
        FrontendResult::new(result(reference("a", Some(original.clone()))), HashSet::default()).unwrap();
    result.ignore_cache([], &[]);
    assert!(result.changed.is_none(), "nothing is solved anew for nothing");
    let digest = result.graph().unwrap().vertices[0].digest.clone();
    result.ignore_cache([digest.as_str()], &[]);
    let mut changed = result.changed.clone().unwrap().definition;
    assert_eq!(result.definition(), Some(&Definition(original.clone())));
    let metadata = changed.metadata.get_mut(&digest).unwrap();
    assert!(std::mem::take(&mut metadata.ignore_cache));
    assert_eq!(changed, original);
}

#[test]
fn another_graph_keeps_the_image_configuration() {
    let mut first =
        FrontendResult::new(result(reference("a", Some(definition()))), HashSet::default()).unwrap();
    let mut second = result(reference("b", None));
    second.metadata.clear();
    first.replace_reference(second).unwrap();
    assert_eq!(only_reference(&mut first.result).unwrap().id, "b");
    assert_eq!(first.image_config(), Some(&b"{}"[..]));
}
