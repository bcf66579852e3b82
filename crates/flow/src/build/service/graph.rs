//! The graph of a service, as the engine's frontend makes it, and what is known of its steps before they are run.

use super::{Needs, ServiceError, Shared};
use crate::build::explain;
use crate::build::request::{self, Facts, ServiceImage, Target};
use crate::build::revision::ServiceInputs;
use crate::build::spec::{ServiceBuild, SpecError};
use crate::config::CommitScope;
use crate::git::Revision;
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

/// What a service's graph is made with.
pub(super) struct Preparation<'a> {
    pub shared: &'a Shared,
    pub commit_arg: CommitArg,
    pub needs: &'a Needs,
    pub folders: &'a HashMap<String, Folder>,
    /// It will be built, not only looked at.
    pub will_run: bool,
    pub cancel: &'a CancellationToken,
}

/// A graph that can be run.
pub(super) struct Prepared {
    pub result: FrontendResult,
    pub graph: Graph,
    /// What is known of its steps.
    pub evidence: explain::Evidence,
    /// The commit of the inputs that the graph names.
    pub revision: Option<Revision>,
}

impl Preparation<'_> {
    /// Asks the frontend for the graph, git for the commit of its inputs, and everyone for what is known of its steps.
    pub async fn run(&self, build: &mut ServiceBuild, job: &mut Job) -> Result<Prepared, ServiceError> {
        if let Some(epoch) = self.shared.epochs.last() {
            explain::admit(self.shared, build, job, epoch).await;
        }
        let mut result = self.frontend(build, job).await?;
        let inputs = match &self.shared.repository {
            Some(repository) => Some((repository, ServiceInputs::new(build, &result.graph()?)?)),
            None => None,
        };
        let revision = async || match &inputs {
            Some((repository, inputs)) => Ok(repository.revision(inputs).await?),
            None => Ok::<_, ServiceError>(None),
        };
        let (revision, (graph, evidence)) = match self.commit_arg {
            CommitArg::OfService => {
                let revision = revision().await?;
                if let Some(revision) = &revision {
                    let name = self.shared.config.commit.arg.clone();
                    build.args.insert(name, revision.value());
                    result = self.frontend(build, job).await?;
                }
                (revision, self.explained(build, job, &mut result).await?)
            }
            CommitArg::None | CommitArg::Known => {
                tokio::try_join!(revision(), self.explained(build, job, &mut result))?
            }
        };
        Ok(Prepared {
            result,
            graph,
            evidence,
            revision,
        })
    }

    async fn frontend(&self, build: &ServiceBuild, job: &mut Job) -> Result<FrontendResult, ServiceError> {
        let request = frontend_request(self.shared, build, job, self.needs)?;
        Ok(job.frontend(request).await?)
    }

    /// The graph, and what is known of its steps before they are run.
    async fn explained(
        &self,
        build: &ServiceBuild,
        job: &Job,
        result: &mut FrontendResult,
    ) -> Result<(Graph, explain::Evidence), ServiceError> {
        let graph = self.shared.reruns.apply(build, result, self.cancel).await?;
        let subject = explain::Subject {
            build,
            job,
            definition: result.definition(),
            graph: &graph,
            folders: self.folders,
            will_run: self.will_run,
        };
        let evidence = explain::gather(self.shared, &subject).await?;
        Ok((graph, evidence))
    }
}

fn frontend_request(
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
