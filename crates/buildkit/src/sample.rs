//! A small image of our own whose steps nobody else can have built: by building it twice, it can be seen what a daemon
//! reuses, and what something that was done in between has cleared.
//!
//! It has the shape of what people build: files that are no part of the image (like a received context), and copies of them
//! on a base image, each upon the one before. No registry and no session is needed.

use crate::Error;
use crate::control::Client;
use crate::direct::{OwnGraph, file_op, make_file};
use crate::gateway::{CacheEntry, Exporter, JobRequest, solve_request};
use crate::proto::{control, pb};
use crate::status::VertexState;
use std::collections::BTreeMap;

/// A sample's graph.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// What makes its steps its own, and stands in their names: random text.
    pub token: &'a str,
    /// The image that its steps lie on, one of the engine's own; nothing at all without one.
    pub base: Option<&'a str>,
    /// How many steps it has.
    pub steps: usize,
}

/// What becomes of a sample.
#[derive(Debug, Clone, Default)]
pub struct SampleExport {
    /// The exporter, and the image's name; without one the steps are run and that is all.
    pub image: Option<Exporter>,
    /// Write the inline cache into the image.
    pub inline_cache: bool,
    /// The image whose inline cache is imported.
    pub import: Option<String>,
}

/// The end of each step of a sample, by the daemon's words: it was `cached`, or ran.
#[derive(Debug, Clone)]
pub struct BuiltSample {
    /// The step that makes the files; none if nobody needed them.
    pub files: Option<VertexState>,
    /// The steps that take from them, in their order.
    pub steps: Vec<VertexState>,
}

impl Sample<'_> {
    /// The name of a step, counted from 0.
    fn step(&self, number: usize) -> String {
        format!("[unstale] {} {}/{}", self.token, number + 1, self.steps)
    }

    /// The name of the step that makes the files.
    fn files(&self) -> String {
        format!("[unstale] {} files", self.token)
    }

    fn definition(&self) -> pb::Definition {
        let mut graph = OwnGraph::default();
        let files = pb::Op {
            op: Some(make_file("/content", self.token, -1)),
            ..Default::default()
        };
        let files = graph.add(&files, &self.files());
        let mut below = self.base.map(|image| {
            let source = pb::SourceOp {
                identifier: format!("docker-image://{image}"),
                attrs: BTreeMap::from([("image.resolvemode".to_owned(), "local".to_owned())]),
            };
            let op = pb::Op {
                op: Some(pb::op::Op::Source(source)),
                ..Default::default()
            };
            graph.add(&op, &format!("[unstale] {} base", self.token))
        });
        for number in 0..self.steps {
            let copy = pb::FileActionCopy {
                src: "/content".to_owned(),
                dest: format!("/{number}"),
                mode: -1,
                timestamp: -1,
                ..Default::default()
            };
            let (input, from) = if below.is_some() { (0, 1) } else { (-1, 0) };
            let op = pb::Op {
                op: Some(file_op(input, from, pb::file_action::Action::Copy(copy))),
                inputs: below.into_iter().chain([files.clone()]).collect(),
                ..Default::default()
            };
            below = Some(graph.add(&op, &self.step(number)));
        }
        graph.finish(below.unwrap_or(files))
    }
}

impl Client {
    /// Builds a sample.
    ///
    /// # Errors
    /// If the daemon cannot build or export it.
    pub async fn build_sample(
        &self,
        sample: &Sample<'_>,
        export: SampleExport,
    ) -> Result<BuiltSample, Error> {
        let inline = export.inline_cache.then(|| CacheEntry {
            kind: "inline".to_owned(),
            ..CacheEntry::default()
        });
        let job = JobRequest {
            exporter: export.image,
            cache_exports: inline.into_iter().collect(),
            internal: true,
            ..JobRequest::default()
        };
        let mut request = control::SolveRequest {
            definition: Some(sample.definition()),
            ..solve_request(String::new(), job)
        };
        let imports = export.import.map(|image| control::CacheOptionsEntry {
            r#type: "registry".to_owned(),
            attrs: [("ref".to_owned(), image)].into(),
        });
        request.cache.get_or_insert_default().imports.extend(imports);
        let ended = self.solve_own(request).await?;
        // By its name: new daemons bring definitions into a form of their own. The last word counts.
        let end_of = |name: String| ended.iter().rfind(|vertex| vertex.name == name).cloned();
        let steps: Option<_> = (0..sample.steps)
            .map(|number| end_of(sample.step(number)))
            .collect();
        Ok(BuiltSample {
            files: end_of(sample.files()),
            steps: steps
                .ok_or_else(|| Error::Protocol("a build without a word of some of its steps".to_owned()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llb::{Definition, Graph};

    #[test]
    fn each_step_lies_on_the_one_before_and_all_take_from_the_same_files() {
        let graph = |base| {
            let sample = Sample {
                token: "abc",
                base,
                steps: 2,
            };
            Graph::read(&Definition(sample.definition())).unwrap()
        };
        let inputs = |graph: &Graph, name: &str| {
            let vertex = graph.vertices.iter().find(|vertex| vertex.name == name).unwrap();
            let names = vertex
                .inputs
                .iter()
                .map(|input| graph.vertices[input.vertex].name.clone());
            names.collect::<Vec<_>>()
        };
        let on_image = graph(Some("example.invalid/a:b"));
        assert_eq!(
            inputs(&on_image, "[unstale] abc 1/2"),
            ["[unstale] abc base", "[unstale] abc files"]
        );
        assert_eq!(
            inputs(&on_image, "[unstale] abc 2/2"),
            ["[unstale] abc 1/2", "[unstale] abc files"]
        );
        assert_eq!(inputs(&graph(None), "[unstale] abc 1/2"), ["[unstale] abc files"]);
    }
}
