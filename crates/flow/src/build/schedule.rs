//! Which service is built when: side by side, and each after those that it is built from.

use super::request::Target;
use super::service::{self, Needs, ServiceError, ServiceReport, Shared};
use super::spec::ServiceBuild;
use crate::event::{Event, ServiceOutcome};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use unstale_docker::compose::{CycleError, build_order};
use unstale_dockerfile::Dockerfile;

/// The services of a build and what each needs.
pub(super) struct Plan {
    builds: BTreeMap<String, ServiceBuild>,
    needs: BTreeMap<String, Vec<Edge>>,
}

/// A service is built from another's image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) service: String,
    /// The context that the image stands for: a named context, or the image's name in a `FROM`.
    pub(super) context: String,
    pub(super) is_base: bool,
}

impl Plan {
    /// Finds out what each service needs. An error if they need each other in a circle.
    pub(super) fn new(builds: Vec<ServiceBuild>) -> Result<Plan, CycleError> {
        let names: BTreeSet<String> = builds.iter().map(|build| build.service.clone()).collect();
        let images: BTreeMap<String, String> = builds
            .iter()
            .flat_map(|build| {
                build
                    .images
                    .iter()
                    .map(|image| (familiar(image), build.service.clone()))
            })
            .collect();
        let needs: BTreeMap<_, _> = builds
            .iter()
            .map(|build| (build.service.clone(), edges(build, &names, &images)))
            .collect();
        let order: BTreeMap<String, BTreeSet<String>> = needs
            .iter()
            .map(|(service, edges)| {
                (
                    service.clone(),
                    edges.iter().map(|edge| edge.service.clone()).collect(),
                )
            })
            .collect();
        build_order(&names, &order)?;
        let builds = builds
            .into_iter()
            .map(|build| (build.service.clone(), build))
            .collect();
        Ok(Plan { builds, needs })
    }

    /// The builds, each with what it needs.
    pub(super) fn into_builds(mut self) -> Vec<(ServiceBuild, Vec<Edge>)> {
        let builds = self.builds.into_iter();
        builds
            .map(|(service, build)| (build, self.needs.remove(&service).unwrap_or_default()))
            .collect()
    }

    /// The services that need no other one's image.
    pub(super) fn first(&self) -> BTreeSet<String> {
        let independent = self.needs.iter().filter(|(_, edges)| edges.is_empty());
        independent.map(|(service, _)| service.clone()).collect()
    }

    /// The names of the services.
    pub(super) fn services(&self) -> Vec<String> {
        self.builds.keys().cloned().collect()
    }
}

fn edges(build: &ServiceBuild, names: &BTreeSet<String>, images: &BTreeMap<String, String>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (context, service) in build.service_contexts() {
        if names.contains(service) {
            let (service, context) = (service.to_owned(), context.to_owned());
            edges.push(Edge {
                service,
                context,
                is_base: false,
            });
        }
    }
    // A Dockerfile that cannot be read fails later, with its own message.
    let text = build.read_dockerfile().ok().flatten().unwrap_or_default();
    for reference in Dockerfile::parse(&text).base_refs(&build.args) {
        let context = familiar(&reference);
        if let Some(service) = images.get(&context).filter(|service| **service != build.service) {
            edges.push(Edge {
                service: service.clone(),
                context,
                is_base: true,
            });
        }
    }
    edges
}

/// An image's name as people write it, by which BuildKit looks up named contexts: without Docker Hub's host and
/// without the tag `latest`.
pub(crate) fn familiar(image: &str) -> String {
    let name = image.strip_prefix("docker.io/").unwrap_or(image);
    let name = name.strip_prefix("library/").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name).to_owned()
}

/// Builds all services. Calls `done` with each report as it comes; gives all of them in the order of their names.
pub(super) async fn run(
    plan: Plan,
    shared: &Arc<Shared>,
    keep_going: bool,
    cancel: &CancellationToken,
    done: impl AsyncFn(&ServiceReport),
) -> Vec<ServiceReport> {
    let Plan { mut builds, needs } = plan;
    // Stops the services of this build; the caller's token is the user's.
    let stop = cancel.child_token();
    let mut reports: BTreeMap<String, ServiceReport> = BTreeMap::new();
    let mut running = JoinSet::new();
    loop {
        for service in builds.keys().cloned().collect::<Vec<_>>() {
            let edges = &needs[&service];
            let ended = |edge: &&Edge| reports.contains_key(&edge.service);
            let failed = edges
                .iter()
                .filter(ended)
                .find(|edge| reports[&edge.service].result.is_none());
            let reason = match failed {
                Some(edge) => Some(ServiceError::Dependency(edge.service.clone())),
                None if stop.is_cancelled() => Some(ServiceError::Cancelled),
                None => None,
            };
            let is_ready = edges.iter().all(|edge| reports.contains_key(&edge.service));
            if reason.is_none() && !is_ready {
                continue;
            }
            let Some(build) = builds.remove(&service) else {
                continue;
            };
            match reason {
                Some(error) => {
                    let report = not_reached(build, error);
                    announce(shared, &report).await;
                    done(&report).await;
                    reports.insert(service, report);
                }
                None => {
                    // An engine finds a base image by its name, as the Dockerfile says it, unless it must ask a registry.
                    let by_name = matches!(shared.builder.target, Target::Engine(_)) && !build.pull;
                    let needs = collect(edges, &reports, by_name);
                    let (shared, stop) = (shared.clone(), stop.clone());
                    running.spawn(async move { service::build(&shared, build, needs, stop).await });
                }
            }
        }
        match running.join_next().await {
            Some(Ok(report)) => {
                // A command line that makes no sense is not a service's failure.
                let is_misunderstood = matches!(report.error, Some(ServiceError::Rerun(_)));
                if report.outcome != ServiceOutcome::Built && (!keep_going || is_misunderstood) {
                    stop.cancel();
                }
                shared.reruns.settle(&report.build.service);
                done(&report).await;
                reports.insert(report.build.service.clone(), report);
            }
            // A task ends without a report only by a bug of ours, which must not look like success.
            Some(Err(panic)) => std::panic::resume_unwind(panic.into_panic()),
            None if builds.is_empty() => return reports.into_values().collect(),
            None => {}
        }
    }
}

/// The built services that a build needs to be given; base images are found `by_name` or are given, too.
fn collect(edges: &[Edge], reports: &BTreeMap<String, ServiceReport>, by_name: bool) -> Needs {
    let given = edges.iter().filter(|edge| !(edge.is_base && by_name));
    given
        .filter_map(|edge| Some((edge.context.clone(), reports[&edge.service].result.clone()?)))
        .collect()
}

fn not_reached(build: ServiceBuild, error: ServiceError) -> ServiceReport {
    let now = SystemTime::now();
    ServiceReport {
        build,
        outcome: ServiceOutcome::NotReached,
        error: Some(error),
        image_id: None,
        revision: None,
        steps: Vec::new(),
        bases: Vec::new(),
        transfers: Vec::new(),
        cache_export: None,
        violations: Vec::new(),
        started: now,
        completed: now,
        result: None,
    }
}

async fn announce(shared: &Shared, report: &ServiceReport) {
    let event = Event::ServiceFinished {
        service: report.build.service.clone(),
        outcome: report.outcome,
        image: None,
        image_id: None,
        duration: Duration::ZERO,
    };
    let _ = shared.events.send(event).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::spec::{Context, DockerfileSource, NamedContext};

    fn build(service: &str, dockerfile: &str) -> ServiceBuild {
        ServiceBuild {
            service: service.to_owned(),
            images: vec![format!("shop-{service}")],
            context: Context::Remote("https://host/repository.git".to_owned()),
            dockerfile: DockerfileSource::Inline(dockerfile.to_owned()),
            ..ServiceBuild::default()
        }
    }

    #[test]
    fn a_base_image_of_another_service_is_a_need() {
        let builds = vec![build("web", "FROM shop-base\n"), build("base", "FROM scratch\n")];
        let plan = Plan::new(builds).unwrap();
        let expected = Edge {
            service: "base".into(),
            context: "shop-base".into(),
            is_base: true,
        };
        assert_eq!(plan.needs["web"], [expected]);
        assert_eq!(plan.needs["base"], []);
    }

    #[test]
    fn names_of_one_image_are_the_same() {
        for name in [
            "shop-base",
            "shop-base:latest",
            "docker.io/library/shop-base",
            "docker.io/library/shop-base:latest",
        ] {
            assert_eq!(familiar(name), "shop-base", "{name}");
        }
        assert_eq!(familiar("host:5000/library/a:1"), "host:5000/library/a:1");
    }

    #[test]
    fn a_circle_is_an_error_that_names_it() {
        let mut base = build("base", "FROM scratch\n");
        base.named_contexts
            .insert("site".into(), NamedContext::Service("web".into()));
        let error = Plan::new(vec![base, build("web", "FROM shop-base\n")])
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("base") && error.to_string().contains("web"),
            "{error}"
        );
    }
}
