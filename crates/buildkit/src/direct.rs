//! Small graphs of our own, without a Dockerfile: made here, solved by one call, without a frontend.
//!
//! They serve to learn something about the daemon ([`witness`](crate::witness), [`sample`](crate::sample)). What users build
//! goes through the [`gateway`](crate::gateway).

use crate::control::Client;
use crate::llb::op_digest;
use crate::proto::{control, pb};
use crate::status::{StatusEvent, VertexState, events};
use crate::{Error, random_id};
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_stream::StreamExt;

/// How long a daemon may take for a graph that does next to nothing.
const BOUND: Duration = Duration::from_secs(30);

/// A graph in the making.
#[derive(Default)]
pub(crate) struct OwnGraph(pb::Definition);

impl OwnGraph {
    /// Adds a step, and gives what others need to build on it.
    pub(crate) fn add(&mut self, op: &pb::Op, name: &str) -> pb::Input {
        let input = self.add_encoded(op.encode_to_vec());
        let described = pb::OpMetadata {
            description: BTreeMap::from([("llb.customname".to_owned(), name.to_owned())]),
            ..Default::default()
        };
        self.0.metadata.insert(input.digest.clone(), described);
        input
    }

    /// Adds a step of another graph, to the byte.
    pub(crate) fn add_encoded(&mut self, op: Vec<u8>) -> pb::Input {
        let digest = op_digest(&op);
        self.0.def.push(op);
        pb::Input { digest, index: 0 }
    }

    /// The graph, of which this is the result.
    pub(crate) fn finish(mut self, result: pb::Input) -> pb::Definition {
        let target = pb::Op {
            inputs: vec![result],
            ..Default::default()
        };
        self.0.def.push(target.encode_to_vec());
        self.0
    }
}

/// A file that holds `data`, on an input of its operation; -1 is an empty folder.
pub(crate) fn make_file(path: &str, data: &str, input: i64) -> pb::op::Op {
    let file = pb::FileActionMkFile {
        path: path.to_owned(),
        mode: 0o600,
        data: data.as_bytes().to_vec(),
        timestamp: 0,
        ..Default::default()
    };
    file_op(input, -1, pb::file_action::Action::Mkfile(file))
}

/// One action on an input, which may take from a second one.
pub(crate) fn file_op(input: i64, secondary_input: i64, action: pb::file_action::Action) -> pb::op::Op {
    pb::op::Op::File(pb::FileOp {
        actions: vec![pb::FileAction {
            input,
            secondary_input,
            output: 0,
            action: Some(action),
        }],
    })
}

impl Client {
    /// Solves a graph of our own; gives each state of its steps that is an end.
    pub(crate) async fn solve_own(&self, request: control::SolveRequest) -> Result<Vec<VertexState>, Error> {
        const CALL: &str = "Control.Solve";
        let reference = random_id();
        let status = control::StatusRequest {
            r#ref: reference.clone(),
        };
        let request = control::SolveRequest {
            r#ref: reference,
            ..request
        };
        let (mut solver, mut follower) = (self.control.clone(), self.control.clone());
        let solve = async {
            let solved = solver.solve(request).await;
            solved.map(drop).map_err(Error::daemon(CALL))
        };
        let follow = async {
            let mut ended = Vec::new();
            let Ok(stream) = follower.status(status).await else {
                return ended;
            };
            let mut stream = stream.into_inner();
            while let Some(Ok(message)) = stream.next().await {
                ended.extend(events(message).into_iter().filter_map(|event| match event {
                    StatusEvent::Vertex(vertex) if vertex.completed.is_some() => Some(vertex),
                    _ => None,
                }));
            }
            ended
        };
        let both = async { tokio::join!(solve, follow) };
        let (solved, ended) = tokio::time::timeout(BOUND, both)
            .await
            .map_err(|_| Error::Timeout {
                call: CALL,
                seconds: BOUND.as_secs(),
            })?;
        solved.map(|()| ended)
    }
}
