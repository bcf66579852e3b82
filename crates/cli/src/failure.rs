//! The one place where errors become what the user sees: a message, a hint, and an exit code.

use crate::{exit, text};
use std::error::Error;
use std::process::ExitCode;
use unstale_buildkit::error::Excerpt;
use unstale_docker::EndpointError;
use unstale_flow::build::{BuildError, PlannedService, ServiceBuild, ServiceError, ServiceReport, Step};
use unstale_flow::builder::BuilderError;
use unstale_flow::check::CheckError;
use unstale_flow::clear::ClearError;
use unstale_flow::clear::experiment::ExperimentError;
use unstale_flow::init::InitError;
use unstale_flow::why::WhyError;
use unstale_ledger::LedgerError;

/// How many of the last lines of a failed step are shown.
const OUTPUT: usize = 20;

/// An error in the form in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What failed, with its causes.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A message without a hint.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hint: None,
            code: exit::ERROR,
        }
    }

    /// A command line that does not make sense.
    pub fn usage(message: String) -> Failure {
        let hint = Some("see: unstale --help".to_owned());
        Failure {
            message,
            hint,
            code: exit::USAGE,
        }
    }

    /// Prints the failure and gives its exit code.
    pub fn report(&self) -> ExitCode {
        crate::render::error(&self.message, self.hint.as_deref());
        ExitCode::from(self.code)
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |&error| error.source()) {
        let text = cause.to_string();
        // A transparent error repeats its source.
        if parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
    }
    text::lines(&parts.join(": "))
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Failure {
        let code = match &error {
            BuildError::Builder(BuilderError::Endpoint(EndpointError::Conflict)) => exit::USAGE,
            BuildError::Rerun(_) => exit::USAGE,
            BuildError::NothingToBuild => exit::NO_INPUTS,
            BuildError::Cancelled => exit::INTERRUPTED,
            _ => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<WhyError> for Failure {
    fn from(error: WhyError) -> Failure {
        let code = match &error {
            WhyError::NoBuild(_) | WhyError::NoBuildOf { .. } => exit::NO_INPUTS,
            WhyError::NoService { .. }
            | WhyError::Spec(_)
            | WhyError::Builder(BuilderError::Endpoint(EndpointError::Conflict)) => exit::USAGE,
            WhyError::Ledger(_) | WhyError::Compose(_) | WhyError::Builder(_) => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<ClearError> for Failure {
    fn from(error: ClearError) -> Failure {
        let code = match &error {
            ClearError::Builder(BuilderError::Endpoint(EndpointError::Conflict))
            | ClearError::NoService { .. }
            | ClearError::Step(_) => exit::USAGE,
            ClearError::Graph(error) if matches!(**error, BuildError::Rerun(_)) => exit::USAGE,
            _ => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        let code = match &error {
            CheckError::Nothing | CheckError::NoContract => exit::NO_INPUTS,
            CheckError::NoRule { .. } => exit::USAGE,
            _ => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Failure {
        let code = match &error {
            ExperimentError::Builder(BuilderError::Endpoint(EndpointError::Conflict)) => exit::USAGE,
            ExperimentError::Interrupted => exit::INTERRUPTED,
            _ => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Failure {
        let code = match &error {
            InitError::NoContract | InitError::Check(CheckError::Nothing) => exit::NO_INPUTS,
            _ => exit::ERROR,
        };
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code,
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Failure {
        Failure {
            message: chain(&error),
            hint: error.hint(),
            code: exit::ERROR,
        }
    }
}

/// What is shown of a service that was not built: the message, what the failed step wrote last (unless the user saw
/// that just now), the place in the Dockerfile, a hint.
pub fn service(report: &ServiceReport, error: &ServiceError, with_output: bool) -> Failure {
    let steps = if with_output { &report.steps[..] } else { &[] };
    of_service(&report.build, &report.steps, steps, error, exit::BUILD_FAILED)
}

/// What is shown of a service that cannot be planned.
pub fn planned(service: &PlannedService, error: &ServiceError) -> Failure {
    of_service(&service.build, &[], &[], error, exit::ERROR)
}

/// `with_output` are the steps whose output is shown if they failed; `otherwise` is the exit code of an error that has none
/// of its own.
fn of_service(
    build: &ServiceBuild,
    steps: &[Step],
    with_output: &[Step],
    error: &ServiceError,
    otherwise: u8,
) -> Failure {
    let service = text::line(&build.service);
    let cause = service_cause(build, error);
    let mut message = format!("{service}: {cause}");
    let (mut hint, mut code) = (None, None);
    match error {
        ServiceError::BuildKit(error) if error.is_disconnect() => {
            message = format!("{service}: the connection to the builder was lost during the build: {cause}");
            hint = Some("check that the engine still runs (docker info) and what its log says".to_owned());
        }
        ServiceError::BuildKit(error) => {
            for step in with_output {
                message.push_str(&output_text(step));
            }
            let mut excerpts = error.excerpts();
            if excerpts.is_empty() {
                // Engines before 23 do not send them.
                excerpts.extend(own_excerpt(build, steps, &error.to_string()));
            }
            for excerpt in excerpts {
                message.push_str(&excerpt_text(&excerpt));
            }
            hint = builder_hint(&error.to_string());
        }
        ServiceError::Session(unstale_buildkit::session::Failure::Context { source, .. }) => {
            hint = source.hint()
        }
        ServiceError::Context(error) => hint = error.hint(),
        ServiceError::Spec(error) => hint = error.hint(),
        ServiceError::Rerun(error) => {
            // It lists steps, in whose names BuildKit writes values of arguments.
            hint = error.hint().map(|hint| build.mask().text(&hint).into_owned());
            code = Some(exit::USAGE);
        }
        ServiceError::Ssh(error) => hint = error.hint(),
        ServiceError::Engine(error) => hint = error.hint(),
        ServiceError::UnknownBase(service) => {
            hint = Some(format!("build {} once, then plan again", text::line(service)));
        }
        _ => {}
    }
    Failure {
        message,
        hint,
        code: code.unwrap_or(otherwise),
    }
}

/// A service's error in one line, without the values of secret build arguments.
pub fn service_cause(build: &ServiceBuild, error: &ServiceError) -> String {
    build.mask().text(&chain(error)).into_owned()
}

/// The place that an error is about where the builder does not show it: that of the failed step, or the line that the
/// message of a Dockerfile's parser names.
fn own_excerpt(build: &ServiceBuild, steps: &[Step], message: &str) -> Option<Excerpt> {
    let failed = steps
        .iter()
        .find(|step| step.error.is_some() && !step.is_stopped());
    let (file, line, end_line) = match failed.and_then(|step| step.location.clone()) {
        Some(location) => (location.file, location.line, location.end_line),
        None => {
            let (_, rest) = message.split_once("dockerfile parse error line ")?;
            let line = rest.split(':').next()?.parse().ok()?;
            ("Dockerfile".to_owned(), line, line)
        }
    };
    let text = build.read_dockerfile().ok()??;
    Some(Excerpt::new(file, &text, line, end_line))
}

/// What helps with the commonest refusals of a builder. It has no codes for them, only words.
fn builder_hint(message: &str) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let is_missing = says(&["not found", "no such file or directory"]);
    let hint = if says(&[
        "failed to calculate checksum",
        "failed to compute cache key",
        "failed to walk",
    ]) && is_missing
    {
        "check that the path is in the build context, and that .dockerignore does not exclude it"
    } else if says(&[
        "failed to resolve source metadata",
        "failed to do request",
        "failed to load cache key",
        "pull access denied",
    ]) {
        "check the image's name, and that the engine can reach and may read its registry"
    } else if says(&[
        "unknown instruction",
        "dockerfile parse error",
        "Dockerfile parse error",
    ]) {
        "correct the line; a step that spans lines ends each of them but the last with a backslash"
    } else if says(&["already exists"]) && message.starts_with("image ") {
        "another build gave the image this name at the same moment; build again"
    } else if says(&["circular dependency detected"]) {
        "let one of the stages do without the other"
    } else if says(&["Dockerfile cannot be empty"]) {
        "begin it with: FROM image"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

/// The last lines that a failed step wrote, as Docker shows them.
fn output_text(step: &Step) -> String {
    let lines: Vec<_> = step
        .tail
        .split(|&byte| byte == b'\n')
        .map(text::log_line)
        .collect();
    let shown = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(0, |last| last + 1);
    if step.is_stopped() || shown == 0 {
        return String::new();
    }
    let mut text = format!("\n > {}:", text::line(&step.name));
    for line in &lines[shown.saturating_sub(OUTPUT)..shown] {
        text.push_str(&format!("\n   {line}"));
    }
    text
}

/// The lines of a Dockerfile that an error is about, marked as Docker marks them.
fn excerpt_text(excerpt: &Excerpt) -> String {
    let mut text = format!("\n{}:{}", text::line(&excerpt.file), excerpt.line);
    for (number, line) in &excerpt.lines {
        let mark = if (excerpt.line..=excerpt.end_line).contains(number) {
            ">>>"
        } else {
            "   "
        };
        text.push_str(&format!("\n  {number:>3} | {mark} {}", text::line(line)));
    }
    text
}
