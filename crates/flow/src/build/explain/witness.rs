//! Which results the builder lists and does not find any more. In containerd's image store a prune of anything at all
//! makes every result on an image so (`unstale_buildkit::witness`); nothing in the records tells.

use super::super::request::Target;
use super::super::service::Shared;
use std::collections::HashMap;
use std::time::UNIX_EPOCH;
use unstale_buildkit::gateway::Job;
use unstale_buildkit::llb::{Definition, Graph, Op, Vertex};
use unstale_docker::ImageStore;
use unstale_ledger::Witness;
use unstale_plan::sources;

/// The base images that were looked at in this run of the program, with since when results on them are found.
#[derive(Default)]
pub struct Witnesses(tokio::sync::Mutex<HashMap<String, Option<i64>>>);

/// For each vertex, by digest: since when results on its base images are found again, in nanoseconds since 1970 by
/// the builder's clock. A
/// build leaves a witness on base images that have none (`leaves`); a plan leaves nothing new.
pub(super) async fn lost_before(
    shared: &Shared,
    definition: Option<&Definition>,
    graph: &Graph,
    job: &Job,
    leaves: bool,
) -> HashMap<String, i64> {
    let mut lost = HashMap::new();
    let forgets = shared.builder.target == Target::Engine(ImageStore::Containerd);
    let Some(definition) = definition.filter(|_| forgets) else {
        return lost;
    };
    let sources = sources(graph);
    for (number, base) in graph.vertices.iter().enumerate() {
        if !is_image(base) {
            continue;
        }
        let Some(since) = since(shared, definition, &base.digest, job, leaves).await else {
            continue;
        };
        let above = graph.vertices.iter().zip(&sources);
        for (vertex, _) in above.filter(|(_, sources)| sources.contains(&number)) {
            let lost: &mut i64 = lost.entry(vertex.digest.clone()).or_insert(since);
            *lost = since.max(*lost);
        }
    }
    lost
}

fn is_image(vertex: &Vertex) -> bool {
    matches!(&vertex.op, Op::Source { identifier, .. } if identifier.starts_with("docker-image://"))
}

/// Since when results on one base image are found. `None` if that is not known.
async fn since(shared: &Shared, definition: &Definition, base: &str, job: &Job, leaves: bool) -> Option<i64> {
    // Held while the builder is asked: of two services on one image, the second asks after the first has left its own.
    let mut known = shared.witnesses.0.lock().await;
    if let Some(since) = known.get(base) {
        return *since;
    }
    let found = ask(shared, definition, base, job, leaves).await;
    known.insert(base.to_owned(), found);
    found
}

async fn ask(shared: &Shared, definition: &Definition, base: &str, job: &Job, leaves: bool) -> Option<i64> {
    let builder = &shared.builder;
    let (engine, name) = (&builder.identity.id, &builder.name);
    let left = {
        let ledger = shared.ledger.as_ref()?.lock().ok()?;
        ledger.witness(engine, name, base).ok()?
    };
    if left.is_none() && !leaves {
        return None;
    }
    let token = left
        .as_ref()
        .map_or_else(unstale_buildkit::random_id, |left| left.token.clone());
    let witness = unstale_buildkit::witness::Witness::new(definition, base, &token)?;
    let answer = builder.client.ask(witness, job.session()).await.ok()?;
    match left {
        Some(left) if answer.was_found => Some(left.since),
        left => {
            let since = answer.time.duration_since(UNIX_EPOCH).ok()?;
            let since = i64::try_from(since.as_nanos()).ok()?;
            let ledger = shared.ledger.as_ref()?.lock().ok()?;
            ledger
                .set_witness(engine, name, base, &Witness { token, since })
                .ok()?;
            // Before the first one nothing is known.
            left.map(|_| since)
        }
    }
}
