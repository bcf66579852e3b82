//! Reads a file as what it is. What cannot be read is a [`Problem`], never a failure.

use crate::bake::BakeFile;
use crate::dockerignore::IgnoreFile;
use crate::makefile::Makefile;
use crate::project::Problem;
use crate::workflow::{Pipeline, Workflow};
use crate::yaml::Yaml;
use crate::{Confidence, FileKind, Source, Span};
use unstale_dockerfile::Dockerfile;

/// What a file says.
#[derive(Debug)]
pub enum Content {
    /// A Dockerfile.
    Dockerfile(Dockerfile),
    /// A Makefile.
    Makefile(Makefile),
    /// A workflow or an action of GitHub Actions.
    GithubWorkflow(Workflow),
    /// A pipeline of GitLab CI.
    GitlabPipeline(Pipeline),
    /// A bake file.
    Bake(BakeFile),
    /// An ignore file.
    Ignore(IgnoreFile),
    /// It could not be read.
    Unreadable,
}

/// Reads.
pub(crate) fn read(source: &Source, kind: FileKind) -> (Content, Option<Problem>) {
    match kind {
        FileKind::Dockerfile => {
            let dockerfile = Dockerfile::parse(source.text());
            // A frontend of the file's own choice may take what the engine's refuses, and a template is no file yet.
            let confidence = match dockerfile.directive("syntax") {
                _ if is_template(source.text()) => Confidence::Low,
                Some(_) => Confidence::Medium,
                None => Confidence::High,
            };
            let problems = dockerfile.problems();
            let problem = problems.first().map(|first| problem(first.span, &first.message, confidence));
            (Content::Dockerfile(dockerfile), problem)
        }
        FileKind::Makefile => (Content::Makefile(Makefile::of(source.text())), None),
        FileKind::GithubWorkflow => yaml(source, |yaml| Content::GithubWorkflow(Workflow::of(source, yaml))),
        FileKind::GitlabPipeline => yaml(source, |yaml| Content::GitlabPipeline(Pipeline::of(source, yaml))),
        FileKind::Bake => {
            let bake = BakeFile::of(source);
            let problem = bake.fault.as_ref().map(|fault| problem(fault.span, &fault.message, Confidence::High));
            (Content::Bake(bake), problem)
        }
        FileKind::DockerIgnore => {
            let file = IgnoreFile::of(source);
            let problem = file.faults().first().map(|fault| problem(fault.span, &fault.message, Confidence::High));
            (Content::Ignore(file), problem)
        }
        FileKind::Compose | FileKind::Script => (Content::Unreadable, None),
    }
}

fn yaml(source: &Source, read: impl FnOnce(&Yaml) -> Content) -> (Content, Option<Problem>) {
    match Yaml::parse(source.text()) {
        Ok(yaml) => (read(&yaml), None),
        Err(error) => (Content::Unreadable, Some(problem(error.span, &error.message, Confidence::High))),
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "<%", "%%", "@@"].iter().any(|mark| text.contains(mark))
}

fn problem(span: Span, message: &str, confidence: Confidence) -> Problem {
    Problem { span, message: message.to_owned(), confidence }
}
