//! The cache that machines share in a registry: cleared for all of them by a new marker, and deleted only if that is wanted.

use super::{Amount, Leftover, StoreReport};
use crate::build::credentials;
use crate::builder::Builder;
use crate::registry;
use crate::shared_cache::{SharedCache, Tags, nanoseconds};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;
use unstale_docker::Environment;
use unstale_registry::{RegistryError, Repository};

/// What the store is called.
const STORE: &str = "shared-cache";

/// The shared cache of a project.
pub(super) struct Shared {
    name: String,
    found: Result<(SharedCache, Tags), Leftover>,
    /// What is cleared is deleted as well.
    delete: bool,
}

impl Shared {
    /// Asks its registry.
    pub(super) async fn find(
        environment: &Environment,
        builder: &Builder,
        repository: &Repository,
        delete: bool,
    ) -> Shared {
        let name = repository.to_string();
        let login = credentials(environment, repository.host()).await;
        let found = async {
            let client = registry::connect(&builder.engine, repository.clone(), login).await?;
            let cache = SharedCache::open(client).await?;
            let tags = cache.tags().await?;
            Ok((cache, tags))
        };
        let found = found.await.map_err(|error| unanswered(&error));
        Shared { name, found, delete }
    }

    /// What is there.
    pub(super) fn found(&self) -> StoreReport {
        let before = match &self.found {
            Ok((_, tags)) => amount(tags, self.delete),
            Err(_) => Amount::default(),
        };
        let mut report = StoreReport::found(STORE, Some(self.name.clone()), before);
        if let Err(leftover) = &self.found {
            report.is_known = false;
            report.leftovers.push(leftover.clone());
        }
        report
    }

    /// Writes the marker, and deletes the caches if that is wanted.
    pub(super) async fn clear(self, builder: &Builder, cancel: &CancellationToken) -> StoreReport {
        let mut report = self.found();
        let Ok((mut cache, tags)) = self.found else {
            return report;
        };
        let work = async {
            // The builder's clock is what the times of its results are compared with.
            let now = builder.client.clock().await.unwrap_or_else(|_| SystemTime::now());
            cache.mark(Some(nanoseconds(now))).await?;
            report.epoch = Some(now);
            Ok(())
        };
        let marked = tokio::select! {
            marked = work => marked.map_err(|error| unanswered(&error)),
            () = cancel.cancelled() => Err(interrupted()),
        };
        if let Err(leftover) = marked {
            report.leftovers.push(leftover);
            return report;
        }
        let cleared: Vec<String> = tags.current.into_iter().chain(tags.old).collect();
        if self.delete {
            let deleted = tokio::select! {
                deleted = cache.delete(&cleared, &tags.foreign) => deleted.map_err(|error| unanswered(&error)),
                () = cancel.cancelled() => Err(interrupted()),
            };
            match deleted {
                Ok(kept) if kept.is_empty() => {}
                Ok(kept) => report.leftovers.push(Leftover {
                    reason: format!(
                        "{} has another tag of the same image, and is kept",
                        kept.join(", ")
                    ),
                    hint: Some("keep caches in a repository of their own".to_owned()),
                    can_answer: false,
                }),
                // No build asks for them by their names any more.
                Err(leftover) => report.leftovers.push(Leftover {
                    can_answer: false,
                    ..leftover
                }),
            }
        }
        match cache.tags().await {
            Ok(tags) => report.after = amount(&tags, self.delete),
            Err(error) => {
                report.is_known = false;
                report.leftovers.push(Leftover {
                    can_answer: false,
                    ..unanswered(&error)
                });
            }
        }
        report
    }
}

fn unanswered(error: &RegistryError) -> Leftover {
    Leftover {
        reason: error.to_string(),
        hint: error.hint(),
        can_answer: true,
    }
}

fn interrupted() -> Leftover {
    Leftover {
        reason: "the clear was interrupted".to_owned(),
        hint: Some("clear again".to_owned()),
        can_answer: true,
    }
}

/// The caches that builds ask for, with those of earlier markers if they matter.
fn amount(tags: &Tags, with_old: bool) -> Amount {
    let old = if with_old { tags.old.len() } else { 0 };
    Amount {
        records: (tags.current.len() + old) as u64,
        bytes: 0,
    }
}
