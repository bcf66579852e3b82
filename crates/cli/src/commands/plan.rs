//! `unstale plan`.

use super::build::request;
use crate::args::{Format, PlanArgs, Progress};
use crate::failure::Failure;
use crate::{exit, failure, render};
use std::process::ExitCode;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_docker::{Environment, Selection};
use unstale_flow::build::plan;

/// Events that wait for the renderer: a plan has warnings only.
const QUEUE: usize = 64;

pub async fn run(
    environment: &Environment,
    engine: Selection,
    args: PlanArgs,
    cancel: CancellationToken,
) -> Result<ExitCode, Failure> {
    let request = request(engine, &args.what, "plan", false)?;
    let (events, receiver) = mpsc::channel(QUEUE);
    let renderer = tokio::spawn(render::progress(Progress::Plain, receiver));
    let result = plan(environment, request, events, cancel).await;
    let _ = renderer.await;
    let report = result?;
    match args.format {
        Format::Json => render::data(&render::json::plan(&report)),
        Format::Text => render::data(&render::plan::plan(&report)),
    }
    let mut failed = false;
    for service in &report.services {
        if let Some(error) = &service.error {
            failed = true;
            let _ = failure::planned(service, error).report();
        }
    }
    Ok(ExitCode::from(match (failed, report.is_up_to_date()) {
        (true, _) => exit::ERROR,
        (false, false) if args.detailed_exitcode => exit::STALE,
        _ => exit::OK,
    }))
}
