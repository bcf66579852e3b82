//! `unstale init`.

use crate::args::{InitArgs, Workflow};
use crate::failure::Failure;
use crate::{render, text};
use std::process::ExitCode;
use unstale_docker::Environment;
use unstale_flow::init::{InitRequest, clear_caches, contract};

pub async fn run(environment: &Environment, args: InitArgs) -> Result<ExitCode, Failure> {
    let cwd = super::current_folder()?;
    let request = InitRequest {
        project: super::project_options(&args.project),
        cwd: cwd.clone(),
        force: args.force,
    };
    let report = match args.workflow {
        Some(Workflow::ClearCaches) => clear_caches(environment, &request).await?,
        None => contract(&request)?,
    };
    for note in &report.notes {
        render::warning(note);
    }
    for file in &report.files {
        let path = file.path.strip_prefix(&cwd).unwrap_or(&file.path);
        let path = text::line(&path.display().to_string());
        render::data(&match file.written {
            true => format!("wrote {path}"),
            false => format!("unchanged {path}"),
        });
    }
    Ok(ExitCode::SUCCESS)
}
