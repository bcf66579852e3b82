//! `unstale clear`.

mod experiment;

use crate::args::{ClearArgs, Format};
use crate::failure::Failure;
use crate::{exit, render, text};
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unstale_docker::{Environment, Selection};
use unstale_flow::clear::{ClearReport, ClearRequest, Part, Target, survey};

/// The variable that names the targets if the command line names none.
const VARIABLE: &str = "TARGET";

pub async fn run(
    environment: &Environment,
    engine: Selection,
    args: ClearArgs,
    cancel: CancellationToken,
) -> Result<ExitCode, Failure> {
    if args.experiment {
        return experiment::run(environment, engine, args, cancel).await;
    }
    let format = args.format;
    let request = request(environment, engine, &args)?;
    let found = tokio::select! {
        found = survey(environment, request, &cancel) => found?,
        () = cancel.cancelled() => return Ok(ExitCode::from(exit::INTERRUPTED)),
    };
    let before = found.report();
    if args.dry_run {
        show(&before, format, true);
        return Ok(ExitCode::from(exit::OK));
    }
    let agreed = tokio::select! {
        agreed = async { Ok::<_, Failure>(args.yes || confirmed(&before).await?) } => agreed?,
        () = cancel.cancelled() => return Ok(ExitCode::from(exit::INTERRUPTED)),
    };
    if !agreed {
        render::note("nothing was cleared");
        return Ok(ExitCode::from(exit::ERROR));
    }
    let report = found.clear(&cancel).await;
    for warning in &report.warnings {
        render::warning(warning);
    }
    show(&report, format, false);
    Ok(ExitCode::from(match (cancel.is_cancelled(), report.proven()) {
        (true, _) => exit::INTERRUPTED,
        (false, true) => exit::OK,
        (false, false) => exit::CLEAR_NOT_PROVEN,
    }))
}

fn request(environment: &Environment, engine: Selection, args: &ClearArgs) -> Result<ClearRequest, Failure> {
    let mut parts: Vec<&str> = args.parts.iter().map(String::as_str).collect();
    let mut words: Vec<&str> = args.targets.iter().map(String::as_str).collect();
    if words.is_empty() && parts.is_empty() {
        // As in workflows that offer targets and services in one list.
        let given = environment
            .var(VARIABLE)
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        let given = given.filter(|word| !word.is_empty());
        (words, parts) = given.partition(|word| Target::parse([*word]).is_ok());
    }
    if let (Some(part), false) = (parts.first(), words.is_empty()) {
        return Err(Failure::usage(format!(
            "{part:?} is a service, whose results are in the build cache; targets are cleared as a whole, by themselves"
        )));
    }
    let parts = parts
        .into_iter()
        .map(str::parse)
        .collect::<Result<Vec<Part>, _>>();
    let targets = Target::parse(words).map_err(|error| Failure {
        message: error.to_string(),
        hint: Some(error.hint()),
        code: exit::USAGE,
    })?;
    let mut targets = targets;
    if targets.is_empty() {
        targets.insert(if args.mounts.is_empty() {
            Target::Builder
        } else {
            Target::Mounts
        });
    }
    if !args.mounts.is_empty() && targets.contains(&Target::Builder) {
        return Err(Failure::usage(
            "--mount names single cache mounts, and the target builder clears all of them".to_owned(),
        ));
    }
    Ok(ClearRequest {
        parts: parts.map_err(|error| Failure::usage(error.to_string()))?,
        targets,
        mounts: args.mounts.clone(),
        options: super::project_options(&args.project),
        builder: super::build::builder_options(engine, &args.builder),
        force: args.force,
        remote: args.remote,
        patience: Duration::from_secs(args.wait),
        cwd: super::current_folder()?,
    })
}

fn show(report: &ClearReport, format: Format, dry_run: bool) {
    match format {
        Format::Json => render::data(&render::json::clear(report, dry_run)),
        Format::Text => render::data(&render::clear::clear(report, dry_run)),
    }
}

/// Asks on a terminal.
async fn confirmed(report: &ClearReport) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure {
            message: "nobody is there to be asked whether all of this may go".to_owned(),
            hint: Some("say so with --yes, or look first with --dry-run".to_owned()),
            code: exit::USAGE,
        });
    }
    let stores = render::clear::stores(report, false);
    Ok(ask(&format!("{stores}\nClear all of this?")).await)
}

/// Puts a question to the user.
async fn ask(question: &str) -> bool {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    drop(stderr);
    // Who stops waiting leaves the thread behind.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
    matches!(text::line(answer.trim()).to_lowercase().as_str(), "y" | "yes")
}
