//! The `unstale` program: reads the command line, runs a verb of `unstale-flow`, renders what happens.
//!
//! No decision about builds is made here.

mod args;
mod commands;
mod exit;
mod failure;
mod render;
mod text;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    match arguments.get(1).and_then(|argument| argument.to_str()) {
        // How the Docker CLI asks a plugin what it is, and how it calls it (`docker unstale …`).
        Some("docker-cli-plugin-metadata") => return commands::plugin_metadata(),
        Some("unstale") => drop(arguments.remove(1)),
        _ => {}
    }
    let args = match args::Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version go to standard output with code 0, everything else to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::new(format!("cannot start: {error}")).report(),
    };
    let code = runtime.block_on(commands::run(args));
    // What still runs in the background serves connections that are closed with the process.
    runtime.shutdown_background();
    code
}
