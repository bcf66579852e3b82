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
        let reference = |digest: &str| pb::Input {
            digest: digest.to_owned(),
            index: 0,
        };
        let file = pb::FileActionMkFile {
            path: "/unstale-witness".to_owned(),
            mode: 0o600,
            data: token.as_bytes().to_vec(),
            timestamp: 0,
            ..Default::default()
        };
        let action = pb::FileAction {
            input: 0,
            secondary_input: -1,
            output: 0,
            action: Some(pb::file_action::Action::Mkfile(file)),
        };
        let op = pb::Op {
            inputs: vec![reference(source)],
            op: Some(pb::op::Op::File(pb::FileOp {
                actions: vec![action],
            })),
            platform: base.platform,
            constraints: base.constraints,
        };
        let op = op.encode_to_vec();
        let digest = op_digest(&op);
        let target = pb::Op {
            inputs: vec![reference(&digest)],
            ..Default::default()
        };
        let name = BTreeMap::from([("llb.customname".to_owned(), NAME.to_owned())]);
        let described = pb::OpMetadata {
            description: name,
            ..Default::default()
        };
        let definition = pb::Definition {
            def: vec![bytes.clone(), op, target.encode_to_vec()],
            metadata: BTreeMap::from([(digest, described)]),
            source: None,
        };
        Some(Witness(definition))
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
        const CALL: &str = "Control.Solve";
        let reference = random_id();
        let job = JobRequest {
            session: session.to_owned(),
            internal: true,
            ..JobRequest::default()
        };
        let request = control::SolveRequest {
            definition: Some(witness.0),
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
                        && vertex.name == NAME
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
