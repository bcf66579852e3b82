//! A tiny result of our own on another one, by which it can be told whether the daemon still finds results there.
//!
//! Records that a cache lists are not always results that it finds. When a prune of BuildKit deletes anything at all, the
//! daemon forgets every result that lies on an image's layers, if it asks another process for these (`Control.Prune`
//! calls `ReleaseUnreferenced` with a context that is over by then; so it is with containerd's image store). The records
//! stay. Making a file on an image anew costs next to nothing and starts no process, and the daemon says whether it had to.

use crate::control::Client;
use crate::direct::{OwnGraph, make_file};
use crate::gateway::{JobRequest, solve_request};
use crate::llb::{Definition, op_digest};
use crate::proto::{control, pb};
use crate::{Error, random_id};
use prost::Message;
use std::time::SystemTime;

/// What the step is called where a daemon lists it.
const NAME: &str = "[unstale] witness of prunes";

/// What the step is called that is run for its time.
const CLOCK: &str = "[unstale] clock";

/// A graph that puts a file on one result.
#[derive(Debug, Clone)]
pub struct Witness(pb::Definition);

impl Witness {
    /// A file that holds `token`, on the result of the source with a digest. `None` if the definition does not have it.
    pub fn new(definition: &Definition, source: &str, token: &str) -> Option<Witness> {
        let Definition(whole) = definition;
        let bytes = whole.def.iter().find(|bytes| op_digest(bytes) == source)?;
        let base = pb::Op::decode(bytes.as_slice()).ok()?;
        if !matches!(base.op, Some(pb::op::Op::Source(_))) {
            return None;
        }
        let mut graph = OwnGraph::default();
        let op = pb::Op {
            inputs: vec![graph.add_encoded(bytes.clone())],
            op: Some(make_file("/unstale-witness", token, 0)),
            platform: base.platform,
            constraints: base.constraints,
        };
        let file = graph.add(&op, NAME);
        Some(Witness(graph.finish(file)))
    }
}

/// A file on nothing, another one each time.
fn nothing_but_a_file() -> pb::Definition {
    let op = pb::Op {
        op: Some(make_file("/unstale-clock", &random_id(), -1)),
        ..Default::default()
    };
    let mut graph = OwnGraph::default();
    let file = graph.add(&op, CLOCK);
    graph.finish(file)
}

/// What a daemon answers about a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// It was still found. If not, it is there again.
    pub was_found: bool,
    /// When that was looked for, by the daemon's clock.
    pub time: SystemTime,
}

impl Client {
    /// Whether the daemon still finds a witness; after this it does in any case. `session` is that of a build that the
    /// image is for.
    ///
    /// # Errors
    /// If the daemon cannot make it: the image is gone, say.
    pub async fn ask(&self, witness: Witness, session: &str) -> Result<Answer, Error> {
        self.solve_step(witness.0, NAME, session).await
    }

    /// The daemon's clock: it is told by the time of a step. That leaves a record of a few bytes, whose time it is.
    ///
    /// # Errors
    /// If the daemon cannot make a file.
    pub async fn clock(&self) -> Result<SystemTime, Error> {
        Ok(self.solve_step(nothing_but_a_file(), CLOCK, "").await?.time)
    }

    /// Solves a graph, and says what came of the step with a name.
    async fn solve_step(
        &self,
        definition: pb::Definition,
        name: &str,
        session: &str,
    ) -> Result<Answer, Error> {
        let job = JobRequest {
            session: session.to_owned(),
            internal: true,
            ..JobRequest::default()
        };
        let request = control::SolveRequest {
            definition: Some(definition),
            ..solve_request(String::new(), job)
        };
        let ended = self.solve_own(request).await?;
        // Not by its digest: new daemons bring definitions into a form of their own.
        let step = ended.into_iter().rfind(|vertex| vertex.name == name);
        let answer = step.and_then(|vertex| {
            Some(Answer {
                was_found: vertex.cached,
                time: vertex.started?,
            })
        });
        answer.ok_or_else(|| Error::Protocol("a build without a word of its only step".to_owned()))
    }
}
