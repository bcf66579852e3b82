//! One file per command.

mod build;
mod check;
mod clear;
mod init;
mod log;
mod plan;
mod why;

use crate::args::{Args, Command, ProjectArgs};
use crate::failure::Failure;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use unstale_docker::compose::ProjectOptions;
use unstale_docker::{Environment, Selection};

/// Runs a command to its exit code.
pub async fn run(args: Args) -> ExitCode {
    let environment = Environment::current();
    let engine = Selection {
        host: args.engine.host,
        context: args.engine.context,
    };
    let result = match args.command {
        Command::Build(build) => build::run(&environment, engine, *build, cancel_on_signal()).await,
        Command::Plan(plan) => plan::run(&environment, engine, *plan, cancel_on_signal()).await,
        Command::Why(why) => why::run(&environment, engine, why).await,
        Command::Clear(clear) => clear::run(&environment, engine, *clear, cancel_on_signal()).await,
        Command::Check(args) => check::run(*args),
        Command::Log(log) => log::run(&environment, log),
        Command::Init(init) => init::run(&environment, init).await,
    };
    result.unwrap_or_else(|failure| failure.report())
}

/// A token that is cancelled by Ctrl-C or SIGTERM. The second signal ends the process at once.
fn cancel_on_signal() -> CancellationToken {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(crate::exit::INTERRUPTED.into());
            }
            cancel.cancel();
        }
    });
    token
}

/// The folder that relative paths start from.
fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::new(format!("cannot find out the current folder: {error}")))
}

/// Compose's own flags.
fn project_options(args: &ProjectArgs) -> ProjectOptions {
    ProjectOptions {
        files: args.files.clone(),
        project_name: args.project_name.clone(),
        project_directory: args.project_directory.clone(),
        profiles: args.profiles.clone(),
        env_files: args.env_files.clone(),
        cwd: None,
    }
}

/// What the Docker CLI wants to know of a plugin.
pub fn plugin_metadata() -> ExitCode {
    let metadata = serde_json::json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "unstale",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": env!("CARGO_PKG_DESCRIPTION"),
    });
    crate::render::data(&metadata.to_string());
    ExitCode::SUCCESS
}
