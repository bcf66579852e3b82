//! CI: workflows and composite actions of GitHub Actions, and pipelines of GitLab CI. Which scripts they run in which shell,
//! which actions they give what to, what they cache.
//!
//! Nothing is evaluated: an expression stays the text that it is, and what a file elsewhere says is not known here.

mod expression;
mod github;
mod gitlab;
mod model;
mod shell;
#[cfg(test)]
mod tests;
mod uses;
mod values;

pub use expression::expressions;
pub use gitlab::{Cache, GitlabJob, Image, Include, Pipeline, Rule, Script};
pub use model::{Container, Input, Job, Matrix, Permissions, Run, Step, Trigger, Workflow};
pub use shell::Shell;
pub use uses::{Target, Uses};
pub use values::{Item, Pair, Text};
