//! Questions to the daemon's Dockerfile frontend that are about the file itself: which targets it has, what is to be
//! said about it. No graph comes of them, and nothing is run.

use super::{FrontendRequest, Job};
use crate::Error;
use crate::direct::OwnGraph;
use crate::llb::Definition;
use crate::proto::{frontend, pb};
use std::collections::BTreeMap;

impl Job {
    /// Asks the frontend, and gives the parts of its answer by name: `result.json` and others. Questions are
    /// `frontend.targets`, `frontend.lint` and `frontend.outline`, as far as the daemon knows them.
    ///
    /// # Errors
    /// When the frontend does not answer: that of `frontend.targets` does so when the file cannot be read.
    pub async fn subrequest(
        &mut self,
        question: &str,
        request: FrontendRequest,
    ) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut options: std::collections::HashMap<_, _> = request.options.into_iter().collect();
        options.insert("requestid".to_owned(), question.to_owned());
        options.insert(
            "frontend.caps".to_owned(),
            "moby.buildkit.frontend.subrequests".to_owned(),
        );
        let inputs = request.inputs.into_iter().map(|(name, input)| (name, input.0));
        let message = frontend::SolveRequest {
            frontend: "dockerfile.v0".to_owned(),
            frontend_opt: options,
            frontend_inputs: inputs.collect(),
            ..Default::default()
        };
        Ok(self.gateway_solve(message).await?.metadata.into_iter().collect())
    }
}

impl Definition {
    /// A graph of one step that makes files of given contents, for a frontend's input. Names begin with a slash.
    pub fn of_files(files: &[(&str, &[u8])]) -> Definition {
        let last = files.len().saturating_sub(1);
        let actions = files
            .iter()
            .enumerate()
            .map(|(index, (path, data))| pb::FileAction {
                // Each goes upon the one before; the first upon nothing.
                input: i64::try_from(index).unwrap_or(0) - 1,
                secondary_input: -1,
                output: if index == last { 0 } else { -1 },
                action: Some(pb::file_action::Action::Mkfile(pb::FileActionMkFile {
                    path: (*path).to_owned(),
                    mode: 0o600,
                    data: data.to_vec(),
                    timestamp: 0,
                    ..Default::default()
                })),
            });
        let op = pb::Op {
            op: Some(pb::op::Op::File(pb::FileOp {
                actions: actions.collect(),
            })),
            ..Default::default()
        };
        let mut graph = OwnGraph::default();
        let made = graph.add(&op, "[unstale] files");
        Definition(graph.finish(made))
    }
}
