//! A tiny result of our own on another one, by which it can be told whether the daemon still finds results there.
//!
//! Records that a cache lists are not always results that it finds. When a prune of BuildKit deletes anything at all, the
//! daemon forgets every result that lies on an image's layers, if it asks another process for these (`Control.Prune`
//! calls `ReleaseUnreferenced` with a context that is over by then; so it is with containerd's image store). The records
//! stay. Making a file on an image anew costs next to nothing and starts no process, and the daemon says whether it had to.

use crate::control::Client;
use crate::gateway::{JobRequest, solve_request};
use crate::llb::{Definition, op_digest};
use crate::proto::{control, pb};
use crate::status::{StatusEvent, events};
use crate::{Error, random_id};
use prost::Message;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio_stream::StreamExt;

/// What the step is called where a daemon lists it.
const NAME: &str = "[unstale] witness of prunes";

/// What the step is called that is run for its time.
const CLOCK: &str = "[unstale] clock";

/// How long a daemon may take to make one file.
const BOUND: Duration = Duration::from_secs(30);

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
        let op = pb::Op {
            inputs: vec![reference(source)],
            op: Some(make_file("/unstale-witness", token, 0)),
            platform: base.platform,
            constraints: base.constraints,
        };
        let mut definition = definition_of(op, NAME);
        definition.def.insert(0, bytes.clone());
        Some(Witness(definition))
    }
}

/// A file on nothing, another one each time.
fn nothing_but_a_file() -> pb::Definition {
    let op = pb::Op {
        op: Some(make_file("/unstale-clock", &random_id(), -1)),
        ..Default::default()
    };
    definition_of(op, CLOCK)
}

/// A file that holds `data`, on an input of its operation; -1 is an empty folder.
fn make_file(path: &str, data: &str, input: i64) -> pb::op::Op {
    let file = pb::FileActionMkFile {
        path: path.to_owned(),
        mode: 0o600,
        data: data.as_bytes().to_vec(),
        timestamp: 0,
        ..Default::default()
    };
    let action = pb::FileAction {
        input,
        secondary_input: -1,
        output: 0,
        action: Some(pb::file_action::Action::Mkfile(file)),
    };
    pb::op::Op::File(pb::FileOp {
        actions: vec![action],
    })
}

/// One operation as a graph's target.
fn definition_of(op: pb::Op, name: &str) -> pb::Definition {
    let op = op.encode_to_vec();
    let digest = op_digest(&op);
    let target = pb::Op {
        inputs: vec![reference(&digest)],
        ..Default::default()
    };
    let name = BTreeMap::from([("llb.customname".to_owned(), name.to_owned())]);
    let described = pb::OpMetadata {
        description: name,
        ..Default::default()
    };
    pb::Definition {
        def: vec![op, target.encode_to_vec()],
        metadata: BTreeMap::from([(digest, described)]),
        source: None,
    }
}

fn reference(digest: &str) -> pb::Input {
    pb::Input {
        digest: digest.to_owned(),
        index: 0,
    }
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
        const CALL: &str = "Control.Solve";
        let reference = random_id();
        let job = JobRequest {
            session: session.to_owned(),
            internal: true,
            ..JobRequest::default()
        };
        let request = control::SolveRequest {
            definition: Some(definition),
            ..solve_request(reference.clone(), job)
        };
        let (mut solver, mut follower) = (self.control.clone(), self.control.clone());
        let solve = async {
            let solved = solver.solve(request).await;
            solved.map(drop).map_err(Error::daemon(CALL))
        };
        let follow = async {
            let status = control::StatusRequest { r#ref: reference };
            let mut stream = follower.status(status).await.ok()?.into_inner();
            let mut answer = None;
            while let Some(Ok(message)) = stream.next().await {
                for event in events(message) {
                    // Not by its digest: new daemons bring definitions into a form of their own.
                    if let StatusEvent::Vertex(vertex) = event
                        && vertex.name == name
                        && vertex.completed.is_some()
                        && let Some(time) = vertex.started
                    {
                        answer = Some(Answer {
                            was_found: vertex.cached,
                            time,
                        });
                    }
                }
            }
            answer
        };
        let both = async { tokio::join!(solve, follow) };
        let (solved, answer) = tokio::time::timeout(BOUND, both)
            .await
            .map_err(|_| Error::Timeout {
                call: CALL,
                seconds: BOUND.as_secs(),
            })?;
        solved?;
        answer.ok_or_else(|| Error::Protocol("a build without a word of its only step".to_owned()))
    }
}
