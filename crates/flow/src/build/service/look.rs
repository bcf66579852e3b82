//! What a build of a service would do: as a build begins, and no further.

use super::folders::{InlineDockerfile, session_folders};
use super::graph::{Preparation, commit_arg};
use super::{BuiltService, ServiceError, Shared};
use crate::build::spec::ServiceBuild;
use crate::build::{cache_key, explain, request};
use crate::git::Revision;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::JobRequest;
use unstale_buildkit::llb::Graph;
use unstale_buildkit::session::{Services, Session};

/// Has the graph of a build made and looks at what is known of its steps; nothing is run, and no folder is sent but the
/// Dockerfile's. `images` are those of other services, by the context that each stands for.
pub(in super::super) async fn look(
    shared: &Shared,
    build: &mut ServiceBuild,
    images: BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<(Graph, explain::Evidence, Option<Revision>), ServiceError> {
    let commit_arg = commit_arg(shared, build)?;
    let builder = &shared.builder;
    let inline = InlineDockerfile::write(build).map_err(ServiceError::Temporary)?;
    let folders = session_folders(build, inline.as_ref(), shared.index.as_ref());
    let services = Services {
        folders: folders.clone(),
        credentials: Some(shared.credentials.clone()),
        ..Services::default()
    };
    let session = Session::open(&builder.transport, &cache_key::shared_key(build), services).await?;
    let job = JobRequest {
        session: session.id().to_owned(),
        entitlements: request::entitlements(build).into_keys().collect(),
        internal: true,
        ..JobRequest::default()
    };
    let session = Arc::new(session);
    let built = |image: String| BuiltService {
        image,
        definition: None,
        config: String::new(),
        _session: session.clone(),
    };
    let needs = images
        .into_iter()
        .map(|(context, image)| (context, built(image)))
        .collect();
    let work = async {
        let (mut job, mut events) = builder.client.start(job).await?;
        let drain = tokio::spawn(async move { while events.recv().await.is_some() {} });
        let preparation = Preparation {
            shared,
            commit_arg,
            needs: &needs,
            folders: &folders,
            will_run: false,
            cancel,
        };
        let prepared = preparation.run(build, &mut job).await;
        job.abandon("nothing is to be run".to_owned()).await?;
        let _ = drain.await;
        let prepared = prepared?;
        Ok((prepared.graph, prepared.evidence, prepared.revision))
    };
    let looked = tokio::select! {
        looked = work => looked,
        () = cancel.cancelled() => Err(ServiceError::Cancelled),
    };
    looked.map_err(|error| match session.take_failure() {
        Some(failure) if !matches!(error, ServiceError::Cancelled) => ServiceError::Session(failure),
        _ => error,
    })
}
