//! The build cache of one BuildKit: emptied, looked at until it is empty or there is no point in waiting, and the moment
//! remembered.

use super::{Amount, ClearRequest, Leftover, StoreReport};
use crate::builder::{Builder, BuilderOptions};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use unstale_buildkit::Transport;
use unstale_buildkit::control::{Client, UsageRecord};
use unstale_buildkit::prune::{CACHE_MOUNT, Prune};
use unstale_buildkit::transport::{Connect, Stream, Wire};
use unstale_docker::buildx::{Instance, Node};
use unstale_docker::{ContainerEngine, Environment, ImageStore, dial_container};
use unstale_ledger::{Clear, Ledger, LedgerError};

/// How often is looked whether they have let go: no event tells.
const POLL: Duration = Duration::from_millis(500);

/// How often records are deleted that no build uses.
const PASSES: u32 = 5;

/// How often a daemon is asked for its records until its refusal is believed.
const USAGE_TRIES: u32 = 5;

/// One BuildKit with its cache.
pub(super) struct Cache {
    /// For people.
    name: String,
    connection: Result<Connection, Leftover>,
    records: Vec<UsageRecord>,
    /// Records that images share are reused as long as the images are there (docs/clearing.md).
    keeps_shared: bool,
}

struct Connection {
    client: Client,
    /// The engine and the builder that the ledger knows it by, if unstale builds on such builders.
    known: Option<(String, String)>,
}

impl Cache {
    /// The engine's own.
    pub(super) fn of_engine(builder: &Builder) -> Cache {
        Cache {
            name: builder.describe(),
            connection: Ok(Connection::of(builder)),
            records: Vec::new(),
            keeps_shared: builder.identity.storage == ImageStore::Classic,
        }
    }

    /// One that stands beside the engine.
    pub(super) async fn stand_alone(environment: &Environment, options: BuilderOptions) -> Cache {
        let name = options.builder.clone().unwrap_or_default();
        match Builder::connect(environment, &options).await {
            Ok(builder) => Cache {
                name: format!("buildkit at {name}"),
                connection: Ok(Connection::of(&builder)),
                records: Vec::new(),
                keeps_shared: false,
            },
            Err(error) => Cache {
                connection: Err(unreachable(&error)),
                name: format!("buildkit at {name}"),
                records: Vec::new(),
                keeps_shared: false,
            },
        }
    }

    /// The nodes of one of buildx's builders.
    pub(super) async fn of_buildx(
        environment: &Environment,
        options: &BuilderOptions,
        instance: &Instance,
    ) -> Vec<Cache> {
        let mut caches = Vec::new();
        for node in &instance.nodes {
            let name = match instance.nodes.len() {
                1 => format!("buildx {}", instance.name),
                _ => format!("buildx {} ({})", instance.name, node.name),
            };
            let cache = match instance.driver.as_str() {
                "remote" => {
                    let cache = Cache::stand_alone(environment, remote(options, node)).await;
                    Cache { name, ..cache }
                }
                "docker-container" => Cache::in_container(name, &instance.name, node).await,
                driver => Cache::foreign(name, &instance.name, driver),
            };
            caches.push(cache);
        }
        caches
    }

    /// One that buildx has started in a container.
    async fn in_container(name: String, instance: &str, node: &Node) -> Cache {
        let container = Container {
            engine: ContainerEngine::of_endpoint(&node.endpoint),
            name: node.container(),
        };
        let connection = match Transport::probe(Arc::new(container), Wire::Direct).await {
            Ok((_, channel)) => Ok(Connection {
                client: Client::new(channel),
                known: None,
            }),
            Err(_) => Err(Leftover {
                reason: format!("no BuildKit answers in the container {}", node.container()),
                hint: Some(format!(
                    "start it (docker buildx inspect --bootstrap {instance}) and clear again, or remove it (docker buildx rm {instance})"
                )),
                can_answer: true,
            }),
        };
        Cache {
            name,
            connection,
            records: Vec::new(),
            keeps_shared: false,
        }
    }

    /// One that buildx alone can reach.
    fn foreign(name: String, instance: &str, driver: &str) -> Cache {
        let leftover = Leftover {
            reason: format!("a builder of the kind {driver}, which only buildx reaches"),
            hint: Some(format!("docker buildx prune --builder {instance} --all --force")),
            can_answer: true,
        };
        Cache {
            name,
            connection: Err(leftover),
            records: Vec::new(),
            keeps_shared: false,
        }
    }

    /// One that is there and cannot be asked.
    pub(super) fn unreachable(name: String, reason: String) -> Cache {
        let leftover = Leftover {
            reason,
            hint: None,
            can_answer: true,
        };
        Cache {
            name,
            connection: Err(leftover),
            records: Vec::new(),
            keeps_shared: false,
        }
    }

    /// Reads what it holds.
    pub(super) async fn look(&mut self) {
        let Ok(connection) = &self.connection else { return };
        match usage(&connection.client).await {
            Ok(records) => self.records = records,
            Err(error) => self.connection = Err(unreachable(&error)),
        }
    }

    /// What of it would be cleared: all of it (`whole`), or its cache mounts.
    pub(super) fn found(&self, whole: bool, mounts: &[String]) -> StoreReport {
        let mut report = StoreReport::found(
            store(whole),
            Some(self.name.clone()),
            amount(&self.records, whole, mounts),
        );
        let counts = whole && self.keeps_shared;
        let shared = self.records.iter().filter(|record| counts && record.shared);
        report.shared_with_images = shared.count() as u64;
        report.is_known = self.connection.is_ok();
        report.leftovers.extend(self.connection.as_ref().err().cloned());
        report
    }

    /// Clears it.
    pub(super) async fn clear(
        &self,
        whole: bool,
        request: &ClearRequest,
        cancel: &CancellationToken,
    ) -> StoreReport {
        let mounts = &request.mounts;
        let mut report = self.found(whole, mounts);
        let Ok(connection) = &self.connection else {
            return report;
        };
        let end = tokio::time::Instant::now() + request.patience;
        let mut idle_passes = 0;
        let failed = loop {
            let pass = tokio::select! {
                pass = connection.pass(whole, mounts) => pass,
                () = cancel.cancelled() => break Some("the clear was interrupted".to_owned()),
            };
            let Pass { left, builds, epoch } = match pass {
                Ok(pass) => pass,
                Err(error) => break Some(error.to_string()),
            };
            report.epoch = epoch.or(report.epoch);
            report.after = amount(&left, whole, mounts);
            report.leftovers = leftovers(&left, whole, mounts, builds);
            report.leftovers.extend(builds.and_then(running));
            let is_busy = builds.is_some_and(|builds| builds > 0) || left.iter().any(|record| record.in_use);
            // What nobody uses may have been let go of just now.
            idle_passes += u32::from(!is_busy);
            let is_final = idle_passes >= PASSES;
            if report.leftovers.is_empty() || is_final || tokio::time::Instant::now() >= end {
                break None;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = cancel.cancelled() => break Some("the clear was interrupted".to_owned()),
            }
        };
        if let Some(reason) = failed {
            let hint = Some("clear it again when the builder answers".to_owned());
            report.leftovers.insert(
                0,
                Leftover {
                    reason,
                    hint,
                    can_answer: true,
                },
            );
        }
        report
    }

    /// Writes down that it was cleared.
    pub(super) fn record(
        &self,
        ledger: &Arc<Mutex<Ledger>>,
        report: &StoreReport,
        epoch: SystemTime,
    ) -> Result<(), LedgerError> {
        let (Ok(connection), Ok(ledger)) = (&self.connection, ledger.lock()) else {
            return Ok(());
        };
        let Some((engine, builder)) = &connection.known else {
            return Ok(());
        };
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let clear = Clear {
            epoch: i64::try_from(since(epoch).as_nanos()).unwrap_or(i64::MAX),
            cleared_ms: i64::try_from(since(SystemTime::now()).as_millis()).unwrap_or(i64::MAX),
            proven: !report.can_answer(),
        };
        ledger.record_clear(engine, builder, &clear)
    }
}

/// What one attempt has come to.
struct Pass {
    /// The records that are there still.
    left: Vec<UsageRecord>,
    /// How many builds ran before the records were deleted for the last time, if the daemon tells.
    builds: Option<usize>,
    /// From when on all is new, if all is cleared.
    epoch: Option<SystemTime>,
}

impl Connection {
    fn of(builder: &Builder) -> Connection {
        Connection {
            client: builder.client.clone(),
            known: Some((builder.identity.id.clone(), builder.name.clone())),
        }
    }

    /// Deletes what nobody uses.
    async fn pass(&self, whole: bool, mounts: &[String]) -> Result<Pass, unstale_buildkit::Error> {
        let client = &self.client;
        if !whole {
            if mounts.is_empty() {
                client.prune(&Prune::CacheMounts).await?;
            } else {
                let records = usage(client).await?;
                let named = records.iter().filter(|record| is_wanted(record, false, mounts));
                let ids: Vec<String> = named.map(|record| record.id.clone()).collect();
                client.prune(&Prune::Records(&ids)).await?;
            }
            return Ok(Pass {
                left: usage(client).await?,
                builds: None,
                epoch: None,
            });
        }
        client.prune(&Prune::All).await?;
        // The clock leaves a record, which is no older than it. A build that runs may have no record yet, and will; one
        // that begins later is not from before the clear.
        let epoch = client.clock().await?;
        let builds = client.running().await?.map(|builds| builds.len());
        client.prune(&Prune::All).await?;
        Ok(Pass {
            left: usage(client).await?,
            builds,
            epoch: Some(epoch),
        })
    }
}

/// The records. Containerd's store cannot sum itself up while it lets go of a snapshot: then it is asked again.
pub(super) async fn usage(client: &Client) -> Result<Vec<UsageRecord>, unstale_buildkit::Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match client.disk_usage().await {
            Err(error) if tries < USAGE_TRIES && !error.is_disconnect() => tokio::time::sleep(POLL).await,
            usage => return usage,
        }
    }
}

/// The container of a BuildKit.
struct Container {
    engine: ContainerEngine,
    name: String,
}

impl Connect for Container {
    fn connect(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let stream = dial_container(&self.engine, &self.name);
        Box::pin(async move { Ok(Box::new(stream?) as Box<dyn Stream>) })
    }
}

/// A `remote` node, as `--builder` would name it.
fn remote(options: &BuilderOptions, node: &Node) -> BuilderOptions {
    let file = |name: &str| node.option(name).map(Into::into);
    BuilderOptions {
        engine: options.engine.clone(),
        builder: Some(node.endpoint.clone()),
        ca: file("cacert"),
        identity: file("cert").zip(file("key")),
    }
}

fn unreachable(error: &dyn std::error::Error) -> Leftover {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut words: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        // A transparent error repeats its source.
        if words.last() != Some(&cause) {
            words.push(cause);
        }
    }
    Leftover {
        reason: words.join(": "),
        hint: Some("start it and clear again, or remove it: docker buildx rm".to_owned()),
        can_answer: true,
    }
}

fn store(whole: bool) -> &'static str {
    if whole { "build-cache" } else { "cache-mounts" }
}

fn is_wanted(record: &UsageRecord, whole: bool, mounts: &[String]) -> bool {
    let is_mount = record.kind == CACHE_MOUNT;
    let is_named = || {
        mounts
            .iter()
            .any(|id| mount_id(&record.description).is_some_and(|own| own == id))
    };
    whole || is_mount && (mounts.is_empty() || is_named())
}

/// `//cache` of `cached mount /cache from exec /bin/sh -c make with id "//cache"`. Before BuildKit 0.12 it is not told.
fn mount_id(description: &str) -> Option<&str> {
    let (_, id) = description.rsplit_once(" with id \"")?;
    Some(id.strip_suffix('"')?.trim_start_matches('/'))
}

fn amount(records: &[UsageRecord], whole: bool, mounts: &[String]) -> Amount {
    let wanted = records.iter().filter(|record| is_wanted(record, whole, mounts));
    wanted.fold(Amount::default(), |sum, record| Amount {
        records: sum.records + 1,
        bytes: sum.bytes + record.bytes,
    })
}

/// Why records are left.
fn leftovers(
    records: &[UsageRecord],
    whole: bool,
    mounts: &[String],
    builds: Option<usize>,
) -> Vec<Leftover> {
    let wanted = || records.iter().filter(|record| is_wanted(record, whole, mounts));
    let busy = wanted().filter(|record| record.in_use).count();
    let idle = wanted().count() - busy;
    let mut leftovers = Vec::new();
    if busy > 0 {
        let (by, hint) = match builds {
            // Seen on moby 29 (v2.0.0-beta.24) after a build whose client was killed.
            Some(0) => (
                "in use, though no build runs",
                "restart the engine, then clear again",
            ),
            _ => (
                "used by a build that runs",
                "let the build end or stop it, then clear again",
            ),
        };
        leftovers.push(Leftover {
            reason: format!("{} {by}", counted(busy)),
            hint: Some(hint.to_owned()),
            can_answer: whole,
        });
    }
    if idle > 0 {
        leftovers.push(Leftover {
            reason: format!("{} kept by the builder", counted(idle)),
            hint: Some("clear again; if it stays so, restart the engine and clear once more".to_owned()),
            can_answer: whole,
        });
    }
    leftovers
}

/// What builds that run will leave.
fn running(builds: usize) -> Option<Leftover> {
    let reason = match builds {
        0 => return None,
        1 => "a build runs that has begun before the clear".to_owned(),
        _ => format!("{builds} builds run that have begun before the clear"),
    };
    Some(Leftover {
        reason,
        hint: Some("let it end or stop it, then clear again".to_owned()),
        can_answer: true,
    })
}

fn counted(records: usize) -> String {
    match records {
        1 => "one record is".to_owned(),
        _ => format!("{records} records are"),
    }
}
