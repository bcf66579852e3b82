//! Builds that unstale has no record of: what the engine's own history tells of them.
//!
//! A build is a service's if it carries Compose's labels for it, or gives its image one of the service's names. Which
//! steps ran is known; why is not: the engine keeps neither the files nor the keys.

use super::{Story, WhyError, WhyRequest};
use crate::build::{SpecError, familiar, step_record, steps_of_replay};
use crate::builder::Builder;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unstale_buildkit::control::HistoryRecord;
use unstale_docker::compose::{ProjectOptions, Resolved, rules};
use unstale_docker::{Compose, ComposeError, Environment};
use unstale_ledger::secret::Mask;
use unstale_ledger::{BuildSummary, StepRecord, StoredService};

/// What the engine knows of a build of a service after the recorded one.
pub enum Later {
    /// It remembers none, or was not asked.
    None,
    /// The last one.
    Build(ForeignBuild),
    /// It cannot be known, for this reason.
    Unknown(String),
}

/// A build of the engine's own history.
pub struct ForeignBuild {
    /// The engine's name for it.
    pub reference: String,
    /// When it began, by the engine's clock.
    pub created: Option<SystemTime>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Its steps: names, outcomes, times, and what a failed one wrote last.
    pub steps: Vec<StepRecord>,
}

/// How builds of a service are recognised.
struct Wanted {
    project: String,
    service: String,
    /// The image's names in their familiar form.
    images: Vec<String>,
}

impl Wanted {
    fn new<'a>(project: &str, service: &str, images: impl Iterator<Item = &'a String>) -> Wanted {
        Wanted {
            project: project.to_owned(),
            service: service.to_owned(),
            images: images.map(|image| familiar(image)).collect(),
        }
    }

    fn is_met_by(&self, record: &HistoryRecord) -> bool {
        let label = |name: &str| record.attrs.get(&format!("label:com.docker.compose.{name}"));
        label("project") == Some(&self.project) && label("service") == Some(&self.service)
            || record
                .images
                .iter()
                .any(|image| self.images.contains(&familiar(image)))
    }
}

/// The engine's last build of a service, if it began after the recorded one had ended.
pub(super) async fn since(
    environment: &Environment,
    request: &WhyRequest,
    ours: &BuildSummary,
    service: &StoredService,
) -> Later {
    let builder = match Builder::connect(environment, &request.builder).await {
        Ok(builder) => builder,
        Err(error) => return Later::Unknown(format!("the engine cannot be asked: {error}")),
    };
    if builder.identity.id != ours.engine.id {
        return Later::Unknown(format!(
            "{} is another engine than that of this build",
            builder.describe()
        ));
    }
    let wanted = Wanted::new(&ours.project, &service.service, service.image.iter());
    let ended = ended(ours, service);
    match last(&builder, &wanted).await {
        Ok(Some(record))
            if record.created.is_some_and(|created| {
                created > ended && !is_during(ours.started_ms, ours.completed_ms, created)
            }) =>
        {
            match told(&builder, record).await {
                Ok(build) => Later::Build(build),
                Err(error) => Later::Unknown(error),
            }
        }
        Ok(_) => Later::None,
        Err(error) => Later::Unknown(error),
    }
}

/// The engine's last build of a service of which none is recorded. What the service is, Compose says.
pub(super) async fn only(
    environment: &Environment,
    request: &WhyRequest,
    service: &str,
) -> Result<Story, WhyError> {
    let options = ProjectOptions {
        cwd: Some(request.cwd.clone()),
        ..ProjectOptions::default()
    };
    let services = [service.to_owned()];
    let resolved = Compose::resolve_to_look(environment, &options, &services).await;
    let resolved = resolved.map_err(|error| match error {
        ComposeError::Refused { message, .. } if message.starts_with("no configuration file provided") => {
            WhyError::NoBuild(request.cwd.clone())
        }
        error => error.into(),
    })?;
    let Resolved {
        compose,
        project,
        variables,
    } = resolved;
    let Some(described) = project.services.get(service) else {
        return Err(SpecError::NoService(service.to_owned()).into());
    };
    let separator = rules::name_separator(compose.version(), &variables);
    let name = rules::image_name(&project, described, separator);
    let tags = described.build.iter().flat_map(|build| &build.tags);
    let wanted = Wanted::new(&project.name, service, tags.chain([&name]));

    let builder = Builder::connect(environment, &request.builder).await?;
    let no_build = |engine| WhyError::NoBuildOf {
        service: service.to_owned(),
        engine,
    };
    let record = last(&builder, &wanted).await.map_err(no_build)?;
    let record = record.ok_or_else(|| no_build(format!("{} remembers none", builder.describe())))?;
    let build = told(&builder, record).await.map_err(no_build)?;
    Ok(Story {
        build: None,
        later: Later::Build(build),
    })
}

/// When a recorded build had ended, by the engine's clock: steps have its times. Where another builder ran them, by ours.
fn ended(build: &BuildSummary, service: &StoredService) -> SystemTime {
    let by_engine = service.steps.iter().filter_map(|step| step.completed_ms).max();
    let by_us = build.completed_ms.unwrap_or(build.started_ms);
    let ms = by_engine.filter(|_| build.builder == "engine").unwrap_or(by_us);
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// Whether a build of the engine's began while a recorded one ran, by our clock: it is the recorded one itself or one beside it,
/// and no later one. The times of steps do not tell that alone: a step that another build made at the same time has its times.
fn is_during(started_ms: i64, completed_ms: Option<i64>, created: SystemTime) -> bool {
    let at = |ms: i64| UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    (at(started_ms)..=at(completed_ms.unwrap_or(started_ms))).contains(&created)
}

/// The last build of a service that has ended and that the engine remembers, or why that cannot be known.
async fn last(builder: &Builder, wanted: &Wanted) -> Result<Option<HistoryRecord>, String> {
    let records = builder.client.history().await;
    let records = records
        .map_err(|error| format!("the history of {} cannot be read: {error}", builder.describe()))?
        .ok_or_else(|| {
            format!(
                "{} keeps no history of builds (Docker 24 and later do)",
                builder.describe()
            )
        })?;
    let ended = records.into_iter().filter(|record| record.completed.is_some());
    Ok(ended
        .filter(|record| wanted.is_met_by(record))
        .max_by_key(|record| record.created))
}

/// Reads what a build of the history told while it ran.
async fn told(builder: &Builder, record: HistoryRecord) -> Result<ForeignBuild, String> {
    let events = builder.client.replay(&record.reference).await;
    let events = events.map_err(|error| format!("build {} cannot be read: {error}", record.reference))?;
    let args = record
        .attrs
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("build-arg:")?, value.as_str())));
    let mask = Mask::new(args);
    let error = record.error.map(|error| mask.text(&error).into_owned());
    let steps = steps_of_replay(events, mask, error.is_none());
    Ok(ForeignBuild {
        reference: record.reference,
        created: record.created,
        error,
        steps: steps.iter().map(step_record).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn record(attrs: &[(&str, &str)], images: &[&str]) -> HistoryRecord {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HistoryRecord {
            reference: "r".to_owned(),
            created: None,
            completed: None,
            attrs: attrs.iter().map(own).collect::<HashMap<_, _>>(),
            images: images.iter().map(|image| (*image).to_owned()).collect(),
            error: None,
            cached_steps: 0,
            total_steps: 0,
        }
    }

    #[test]
    fn a_build_is_a_services_by_composes_labels_or_by_a_name_of_its_image() {
        let images = ["shop-web".to_owned(), "host:5000/web:1".to_owned()];
        let wanted = Wanted::new("shop", "web", images.iter());
        let (project, service) = (
            "label:com.docker.compose.project",
            "label:com.docker.compose.service",
        );
        assert!(wanted.is_met_by(&record(&[(project, "shop"), (service, "web")], &["other"])));
        assert!(!wanted.is_met_by(&record(&[(project, "shop"), (service, "api")], &["shop-api"])));
        assert!(!wanted.is_met_by(&record(&[(service, "web")], &[])));
        for image in ["shop-web", "docker.io/library/shop-web:latest", "host:5000/web:1"] {
            assert!(wanted.is_met_by(&record(&[], &["other", image])), "{image}");
        }
        for image in ["shop-web:2", "host:5000/web", "someone/shop-web"] {
            assert!(!wanted.is_met_by(&record(&[], &[image])), "{image}");
        }
    }

    #[test]
    fn a_build_that_began_while_the_recorded_one_ran_is_none_after_it() {
        let created = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        assert!(is_during(1000, Some(2000), created(1000)));
        assert!(is_during(1000, Some(2000), created(1800)));
        assert!(!is_during(1000, Some(2000), created(2001)));
        assert!(!is_during(1000, Some(2000), created(999)));
        assert!(!is_during(1000, None, created(1500)));
    }
}
