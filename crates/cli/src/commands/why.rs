//! `unstale why`.

use crate::args::{Format, WhyArgs};
use crate::failure::Failure;
use crate::{exit, render};
use std::process::ExitCode;
use unstale_docker::{Environment, Selection};
use unstale_flow::builder::BuilderOptions;
use unstale_flow::why::{Told, WhyRequest, is_shown, selects, why};

pub async fn run(environment: &Environment, engine: Selection, args: WhyArgs) -> Result<ExitCode, Failure> {
    let cwd = super::current_folder()?;
    let request = WhyRequest {
        build: args.build,
        service: args.service,
        cwd,
        builder: BuilderOptions {
            engine,
            ..BuilderOptions::default()
        },
    };
    let story = why(environment, &request).await?;
    let steps = || {
        story
            .services()
            .iter()
            .flat_map(|service| service.steps.iter().map(move |step| (service, step)))
    };
    if let Some(selection) = &args.step {
        if story.build.is_none() {
            let mut failure =
                Failure::new("unstale has recorded no build of it, so that nothing is known of one step");
            failure.hint = Some("leave the step out to see what the engine remembers".to_owned());
            failure.code = exit::NO_INPUTS;
            return Err(failure);
        }
        let is_meant = |step: &unstale_ledger::StepRecord| is_shown(step) && selects(selection, step);
        let meant: Vec<_> = steps().filter(|(_, step)| is_meant(step)).collect();
        if meant.is_empty() {
            let names: Vec<&str> = steps()
                .filter(|(_, step)| is_shown(step))
                .map(|(_, step)| step.name.as_str())
                .collect();
            let mut failure = Failure::usage(format!("no step is meant by {selection:?}"));
            failure.hint = Some(format!("it has\n  {}", names.join("\n  ")));
            return Err(failure);
        }
        let text: Vec<String> = meant
            .iter()
            .map(|(service, step)| render::why::step(service, &Told::new(step)))
            .collect();
        match args.format {
            Format::Json => {
                let told: Vec<_> = meant.iter().map(|(_, step)| Told::new(step)).collect();
                render::data(&render::json::why_steps(&story, &told));
            }
            Format::Text => render::data(&(text.join("\n") + &render::why::later(&story))),
        }
        return Ok(ExitCode::SUCCESS);
    }
    match args.format {
        Format::Json => render::data(&render::json::why(&story)),
        Format::Text => render::data(&render::why::story(&story)),
    }
    Ok(ExitCode::SUCCESS)
}
