//! The graph of a service, as the engine's frontend makes it, and what is known of its steps before they are run.

use super::{Needs, Record, ServiceError, Shared};
use crate::build::explain;
use crate::build::request::{self, Facts, ServiceImage, Target};
use crate::build::revision::ServiceInputs;
use crate::build::spec::{ServiceBuild, SpecError};
use crate::config::CommitScope;
use std::collections::{BTreeMap, HashMap};
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::{FrontendRequest, FrontendResult, Job};
use unstale_buildkit::llb::Graph;
use unstale_buildkit::session::Folder;

/// The label by which the engine's own worker says what `host-gateway` is (moby, `builder-next`).
const HOST_GATEWAY_LABEL: &str = "org.mobyproject.buildkit.worker.moby.host-gateway-ip";

/// What the commit argument will be: nothing, the tree's commit, or the service's own, which needs the graph.
pub(super) enum CommitArg {
    None,
    Known,
    OfService,
}

/// Sets the commit argument if the Dockerfile declares it and the user does not set it.
pub(super) fn commit_arg(shared: &Shared, build: &mut ServiceBuild) -> Result<CommitArg, ServiceError> {
    let Some(text) = build.read_dockerfile()? else {
        return Ok(CommitArg::None);
    };
    let name = &shared.config.commit.arg;
    let Some(repository) = &shared.repository else {
        return Ok(CommitArg::None);
    };
    let declares = unstale_dockerfile::Dockerfile::parse(&text).declares_arg(name);
    if !declares || build.args.contains_key(name) {
        return Ok(CommitArg::None);
    }
    match shared.config.commit.scope {
        CommitScope::Head => {
            build.args.insert(name.clone(), repository.commit().value());
            Ok(CommitArg::Known)
        }
        CommitScope::Service => Ok(CommitArg::OfService),
    }
}

/// Asks the frontend for the graph, and git for the commit of the inputs that the graph names.
pub(super) async fn prepare(
    shared: &Shared,
    build: &mut ServiceBuild,
    job: &mut Job,
    commit_arg: CommitArg,
    needs: &Needs,
    record: &mut Record,
) -> Result<FrontendResult, ServiceError> {
    let result = job.frontend(frontend_request(shared, build, job, needs)?).await?;
    let Some(repository) = &shared.repository else {
        return Ok(result);
    };
    let inputs = ServiceInputs::new(build, &result.graph()?)?;
    record.revision = repository.revision(&inputs).await?;
    if let (CommitArg::OfService, Some(revision)) = (commit_arg, &record.revision) {
        build
            .args
            .insert(shared.config.commit.arg.clone(), revision.value());
        return Ok(job.frontend(frontend_request(shared, build, job, needs)?).await?);
    }
    Ok(result)
}

pub(super) fn frontend_request(
    shared: &Shared,
    build: &ServiceBuild,
    job: &Job,
    needs: &Needs,
) -> Result<FrontendRequest, SpecError> {
    // The engine's BuildKit finds the very image that was just built, unless it is told to ask a registry; any other
    // builder gets the graph, which is in its cache.
    let from_store = matches!(shared.builder.target, Target::Engine(_)) && !build.pull;
    let mut inputs = HashMap::new();
    let mut service_images = BTreeMap::new();
    for (number, (context, built)) in needs.iter().enumerate() {
        let image = match &built.definition {
            Some(definition) if !from_store => {
                let input = format!("service{number}");
                inputs.insert(input.clone(), definition.clone());
                ServiceImage::Input(input, built.config.clone())
            }
            _ => ServiceImage::Image(built.image.clone()),
        };
        service_images.insert(context.clone(), image);
    }
    let capabilities = job.capabilities();
    let facts = Facts {
        capabilities,
        target: shared.builder.target,
        host_gateway: capabilities.worker_label(HOST_GATEWAY_LABEL),
        service_images: &service_images,
    };
    let options = request::frontend_options(build, &facts)?;
    Ok(FrontendRequest { options, inputs })
}

/// The graph, and what is known of its steps before they are run.
pub(super) async fn explained(
    shared: &Shared,
    build: &ServiceBuild,
    job: &Job,
    result: &mut FrontendResult,
    folders: &HashMap<String, Folder>,
    will_run: bool,
    cancel: &CancellationToken,
) -> Result<(Graph, explain::Evidence), ServiceError> {
    let graph = shared.reruns.apply(build, result, cancel).await?;
    let subject = explain::Subject {
        build,
        job,
        definition: result.definition(),
        graph: &graph,
        folders,
        will_run,
    };
    let evidence = tokio::select! {
        evidence = explain::gather(shared, &subject) => evidence?,
        () = cancel.cancelled() => return Err(ServiceError::Cancelled),
    };
    Ok((graph, evidence))
}
