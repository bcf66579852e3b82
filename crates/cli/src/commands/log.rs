//! `unstale log`.

use crate::args::{Format, LogArgs};
use crate::failure::Failure;
use crate::render;
use std::process::ExitCode;
use unstale_docker::Environment;
use unstale_flow::log::Log;

pub fn run(environment: &Environment, args: LogArgs) -> Result<ExitCode, Failure> {
    let log = Log::open(environment)?;
    if let Some(path) = &log.set_aside {
        render::warning(&format!(
            "the ledger was damaged: it was set aside as {}, and a new one begun",
            path.display()
        ));
    }
    let text = match (&args.build, args.format) {
        (Some(prefix), Format::Text) => render::log::build(&log.build(prefix)?),
        (Some(prefix), Format::Json) => render::json::log_build(&log.build(prefix)?),
        (None, Format::Text) => render::log::builds(&log.builds(args.project_name, args.limit)?),
        (None, Format::Json) => render::json::log(&log.builds(args.project_name, args.limit)?),
    };
    render::data(&text);
    Ok(ExitCode::SUCCESS)
}
