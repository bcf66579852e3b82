//! `unstale clear --experiment`.

use crate::args::{ClearArgs, Format};
use crate::commands;
use crate::failure::Failure;
use crate::{exit, render, text};
use std::io::IsTerminal;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use unstale_docker::{Environment, Selection};
use unstale_flow::clear::experiment::Experiment;

pub async fn run(
    environment: &Environment,
    engine: Selection,
    args: ClearArgs,
    cancel: CancellationToken,
) -> Result<ExitCode, Failure> {
    let builder = commands::build::builder_options(engine, &args.builder);
    let options = commands::project_options(&args.project);
    let cwd = commands::current_folder()?;
    let agreed = async {
        let experiment = Experiment::prepare(environment, builder, &options, &cwd).await?;
        let agreed = args.yes || !experiment.costs_everybody() || confirmed(&experiment).await?;
        Ok::<_, Failure>(agreed.then_some(experiment))
    };
    let experiment = tokio::select! {
        agreed = agreed => agreed?,
        () = cancel.cancelled() => return Ok(ExitCode::from(exit::INTERRUPTED)),
    };
    let Some(experiment) = experiment else {
        render::note("nothing was tried");
        return Ok(ExitCode::from(exit::ERROR));
    };
    let report = experiment.run(&cancel).await?;
    for warning in &report.warnings {
        render::warning(warning);
    }
    match args.format {
        Format::Json => render::data(&render::json::experiment(&report)),
        Format::Text => render::data(&render::experiment::experiment(&report)),
    }
    Ok(ExitCode::from(exit::OK))
}

/// Asks on a terminal whether everybody may lose results.
async fn confirmed(experiment: &Experiment) -> Result<bool, Failure> {
    let cost = "this engine forgets the results of all projects when anything is pruned: their next builds run every step";
    if !std::io::stdin().is_terminal() {
        return Err(Failure {
            message: format!("{cost}, and nobody is there to be asked"),
            hint: Some("say with --yes that this may be".to_owned()),
            code: exit::USAGE,
        });
    }
    let builder = text::line(&experiment.builder());
    Ok(super::ask(&format!("{builder}: {cost}.\nTry it all the same?")).await)
}
