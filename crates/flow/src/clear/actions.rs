//! The caches that GitHub Actions keep for the repository. Builds on this machine do not read them; those that workflows
//! run do, if they import caches of the kind `gha` or restore files that a build copies.

use super::{Amount, Leftover, StoreReport};
use crate::git;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unstale_docker::Environment;
use unstale_github::{Cache, Client, Filter, GithubError, Remote, Repository};

/// What the store is called.
const STORE: &str = "ci";

/// How long GitHub's limits of requests are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The API of GitHub itself.
const API: &str = "https://api.github.com";

/// The repository's caches.
pub(super) struct Actions {
    repository: String,
    found: Result<(Client, Vec<Cache>), Leftover>,
}

impl Actions {
    /// Asks for them. Only if they are what was asked for (`wanted`), it matters that nobody can be asked: where no workflow
    /// runs and no repository is known, there are none.
    pub(super) async fn find(environment: &Environment, folder: &Path, wanted: bool) -> Option<Actions> {
        let variable = |name| environment.var(name).filter(|value| !value.is_empty());
        let remote = match variable("GITHUB_REPOSITORY") {
            Some(_) => None,
            None => git::origin(folder).await.and_then(|url| Remote::parse(&url)),
        };
        let named = variable("GITHUB_REPOSITORY").map(|name| name.parse::<Repository>());
        let repository = match (named, &remote) {
            (Some(Ok(repository)), _) => repository,
            (Some(Err(error)), _) => {
                return wanted.then(|| Actions::unknown(&error.to_string(), error.hint()));
            }
            (None, Some(remote)) => remote.repository.clone(),
            (None, None) => {
                let hint = Some("set GITHUB_REPOSITORY to owner/name".to_owned());
                return wanted.then(|| Actions::unknown("no repository at GitHub is known", hint));
            }
        };
        // The token goes to GitHub and to nobody else, unless the environment says who that is.
        let own = remote.as_ref().map_or(Some(API.to_owned()), Remote::api_url);
        let api = variable("GITHUB_API_URL").map(str::to_owned).or(own);
        let token = variable("GITHUB_TOKEN").or_else(|| variable("GH_TOKEN"));
        let (Some(api), Some(token)) = (api, token) else {
            let hint = "set GITHUB_TOKEN to a token that may write Actions, and GITHUB_API_URL if it is not GitHub's own server";
            return wanted.then(|| Actions::unknown("there is no token for GitHub", Some(hint.to_owned())));
        };
        let name = repository.to_string();
        let found = match Client::new(&api, repository, token, PATIENCE) {
            Ok(client) => client
                .caches(&Filter::default())
                .await
                .map(|caches| (client, caches)),
            Err(error) => Err(error),
        };
        Some(Actions {
            repository: name,
            found: found.map_err(|error| unanswered(&error)),
        })
    }

    fn unknown(reason: &str, hint: Option<String>) -> Actions {
        Actions {
            repository: "GitHub Actions".to_owned(),
            found: Err(Leftover {
                reason: reason.to_owned(),
                hint,
                can_answer: true,
            }),
        }
    }

    /// What is there.
    pub(super) fn found(&self) -> StoreReport {
        let caches = self
            .found
            .as_ref()
            .map(|(_, caches)| &caches[..])
            .unwrap_or_default();
        let mut report = StoreReport::found(STORE, Some(self.repository.clone()), amount(caches));
        report.is_known = self.found.is_ok();
        report.leftovers.extend(self.found.as_ref().err().cloned());
        report
    }

    /// Deletes them, and asks again.
    pub(super) async fn clear(&self, cancel: &CancellationToken) -> StoreReport {
        let mut report = self.found();
        let Ok((client, caches)) = &self.found else {
            return report;
        };
        let work = async {
            for cache in caches {
                client.delete(cache.id).await?;
            }
            client.caches(&Filter::default()).await
        };
        let left = tokio::select! {
            left = work => left,
            () = cancel.cancelled() => {
                report.leftovers.push(Leftover {
                    reason: "the clear was interrupted".to_owned(),
                    hint: Some("clear again".to_owned()),
                    can_answer: true,
                });
                return report;
            }
        };
        match left {
            Ok(left) => {
                report.after = amount(&left);
                // One that a workflow has written meanwhile is not from before.
                let old = left
                    .iter()
                    .filter(|cache| caches.iter().any(|known| known.id == cache.id))
                    .count();
                if old > 0 {
                    report.leftovers.push(Leftover {
                        reason: format!("GitHub still lists {old} of the caches"),
                        hint: Some("clear again in a minute".to_owned()),
                        can_answer: true,
                    });
                }
            }
            Err(error) => report.leftovers.push(unanswered(&error)),
        }
        report
    }
}

fn unanswered(error: &GithubError) -> Leftover {
    Leftover {
        reason: error.to_string(),
        hint: error.hint(),
        can_answer: true,
    }
}

fn amount(caches: &[Cache]) -> Amount {
    caches.iter().fold(Amount::default(), |sum, cache| Amount {
        records: sum.records + 1,
        bytes: sum.bytes + cache.bytes,
    })
}
