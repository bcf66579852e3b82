//! `unstale build`.

use crate::args::{BuildArgs, BuilderArgs, Format, Progress, WhatArgs};
use crate::failure::Failure;
use crate::{exit, failure, render};
use std::process::ExitCode;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_docker::{Environment, Selection};
use unstale_flow::build::{
    BuildError, BuildReport, BuildRequest, FolderOptions, Overrides, ServiceError, What, build,
};
use unstale_flow::builder::BuilderOptions;

/// Events that wait for the renderer.
const QUEUE: usize = 1024;

pub async fn run(
    environment: &Environment,
    engine: Selection,
    args: BuildArgs,
    cancel: CancellationToken,
) -> Result<ExitCode, Failure> {
    let request = request(engine, &args.what, "build", args.keep_going)?;
    let progress = if args.quiet {
        Progress::Quiet
    } else {
        args.progress
    };
    let (events, receiver) = mpsc::channel(QUEUE);
    let renderer = tokio::spawn(render::progress(progress, receiver));
    let result = build(environment, request, events, cancel).await;
    // The last sender is gone, so the renderer comes to its end.
    let _ = renderer.await;
    let report = result?;
    match args.format {
        Format::Json => render::data(&render::json::build(&report)),
        Format::Text if progress == Progress::Quiet => render::data(&render::table::image_ids(&report)),
        Format::Text => render::data(&render::table::build(&report)),
    }
    Ok(conclude(&report, !render::is_live(progress)))
}

/// Reports what failed, the causes before the consequences, and gives the exit code.
fn conclude(report: &BuildReport, with_output: bool) -> ExitCode {
    let mut failed = exit::BUILD_FAILED;
    for service in &report.services {
        match &service.error {
            // Said once for the service that failed.
            None | Some(ServiceError::Cancelled | ServiceError::Dependency(_)) => {}
            Some(error) => {
                let failure = failure::service(service, error, with_output);
                if failure.code == exit::USAGE {
                    failed = failure.code;
                }
                failure.report();
            }
        }
    }
    if report.interrupted {
        render::error("interrupted; what was built before is kept", None);
        return ExitCode::from(exit::INTERRUPTED);
    }
    ExitCode::from(if report.succeeded() { exit::OK } else { failed })
}

/// The request of a command that builds or plans.
pub fn request(
    engine: Selection,
    args: &WhatArgs,
    command: &str,
    keep_going: bool,
) -> Result<BuildRequest, Failure> {
    let cwd = super::current_folder()?;
    let what = match args.folder_target().map_err(Failure::usage)? {
        Some(path) => What::Folder(FolderOptions {
            path,
            dockerfile: args.folder.dockerfile.clone(),
            tags: args.folder.tags.clone(),
            target: args.folder.target.clone(),
            platform: args.folder.platform.clone(),
            secrets: args.folder.secrets.clone(),
            ssh: args.folder.ssh.clone(),
            labels: args.folder.labels.clone(),
            network: args.folder.network.clone(),
        }),
        None => What::Compose {
            options: super::project_options(&args.project),
            services: args.targets.clone(),
        },
    };
    let build_arg = |text: &String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.clone(), None),
    };
    let reruns = args
        .reruns
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>();
    Ok(BuildRequest {
        what,
        overrides: Overrides {
            args: args.build_args.iter().map(build_arg).collect(),
            no_cache: args.no_cache,
            pull: args.pull,
        },
        reruns: reruns.map_err(BuildError::Rerun)?,
        builder: builder_options(engine, &args.builder),
        keep_going,
        allow_old: args.allow_old,
        command: words(command, args, keep_going),
        cwd,
    })
}

/// The engine, and what the command line says about a stand-alone BuildKit.
pub fn builder_options(engine: Selection, args: &BuilderArgs) -> BuilderOptions {
    BuilderOptions {
        engine,
        builder: args.builder.clone(),
        ca: args.builder_ca.clone(),
        identity: args.builder_cert.clone().zip(args.builder_key.clone()),
    }
}

/// The command for the ledger: names, without the values of build arguments.
fn words(command: &str, args: &WhatArgs, keep_going: bool) -> String {
    let mut words = vec![format!("unstale {command}")];
    words.extend(args.build_args.iter().map(|text| {
        let name = text.split_once('=').map_or(text.as_str(), |(name, _)| name);
        format!("--build-arg {name}")
    }));
    words.extend(args.reruns.iter().map(|rerun| format!("--rerun {rerun}")));
    let flags = [
        ("--no-cache", args.no_cache),
        ("--pull", args.pull),
        ("--allow-old", args.allow_old),
        ("--keep-going", keep_going),
    ];
    words.extend(
        flags
            .iter()
            .filter(|(_, given)| *given)
            .map(|(flag, _)| (*flag).to_owned()),
    );
    words.extend(args.targets.iter().cloned());
    words.join(" ")
}
