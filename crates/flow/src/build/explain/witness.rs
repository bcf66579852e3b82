//! Which results the builder lists and does not find any more. In containerd's image store a prune of anything at all
//! makes every result on an image so (`unstale_buildkit::witness`); nothing in the records tells.

use super::super::request::Target;
use super::super::service::Shared;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;
use tokio::sync::OnceCell;
use unstale_buildkit::gateway::Job;
use unstale_buildkit::llb::{Definition, Graph, Op, Vertex};
use unstale_docker::ImageStore;
use unstale_ledger::Witness;
use unstale_plan::sources;

/// The base images that were looked at in this run of the program, with since when results on them are found. Of two
/// services on one image, the second waits for the answer to the first.
#[derive(Default)]
pub struct Witnesses(Mutex<HashMap<String, Arc<OnceCell<Option<i64>>>>>);

impl Witnesses {
    fn of(&self, base: &str) -> Option<Arc<OnceCell<Option<i64>>>> {
        Some(self.0.lock().ok()?.entry(base.to_owned()).or_default().clone())
    }
}

/// For each vertex, by digest: since when results on its base images are found again, in nanoseconds since 1970 by the
/// builder's clock. A build leaves a witness on base images that have none (`leaves`); a plan leaves nothing new.
pub(super) async fn lost_before(
    shared: &Shared,
    definition: Option<&Definition>,
    graph: &Graph,
    job: &Job,
    leaves: bool,
) -> HashMap<String, i64> {
    let forgets = shared.builder.target == Target::Engine(ImageStore::Containerd);
    let Some(definition) = definition.filter(|_| forgets) else {
        return HashMap::new();
    };
    let bases = graph
        .vertices
        .iter()
        .enumerate()
        .filter(|(_, vertex)| is_image(vertex));
    let answers = bases.map(async |(number, base)| {
        let cell = shared.witnesses.of(&base.digest)?;
        let answer = cell.get_or_init(|| ask(shared, definition, &base.digest, job, leaves));
        Some((number, (*answer.await)?))
    });
    let answers: HashMap<usize, i64> = join_all(answers).await.into_iter().flatten().collect();
    let above = graph.vertices.iter().zip(sources(graph));
    let lost = above.filter_map(|(vertex, sources)| {
        let since = sources.iter().filter_map(|source| answers.get(source)).max()?;
        Some((vertex.digest.clone(), *since))
    });
    lost.collect()
}

fn is_image(vertex: &Vertex) -> bool {
    matches!(&vertex.op, Op::Source { identifier, .. } if identifier.starts_with("docker-image://"))
}

/// Since when results on one base image are found. `None` if that is not known.
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
    let since = match &left {
        Some(left) if answer.was_found => return Some(left.since),
        // Of what was before the first witness nothing is known: it is believed to be found.
        None => 0,
        Some(_) => i64::try_from(answer.time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?,
    };
    let ledger = shared.ledger.as_ref()?.lock().ok()?;
    ledger
        .set_witness(engine, name, base, &Witness { token, since })
        .ok()?;
    Some(since)
}
