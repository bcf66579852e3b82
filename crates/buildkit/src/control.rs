//! Calls of BuildKit's control API that are not a build: what the daemon is, what its cache holds, what it
//! built.

use crate::proto::control::control_client::ControlClient;
use crate::proto::control::{BuildHistoryRequest, DiskUsageRequest, InfoRequest, StatusRequest};
use crate::proto::frontend::llb_bridge_client::LlbBridgeClient;
use crate::status::{StatusEvent, events, time};
use crate::{Error, MAX_MESSAGE};
use std::time::{Duration, SystemTime};
use tokio_stream::StreamExt;
use tonic::transport::Channel;

/// Bound for a call that only reads the daemon's state.
const READ: Duration = Duration::from_secs(60);

/// How many events of a past build are read at most.
const REPLAYED: usize = 200_000;

/// A connection for calls to one daemon. Cheap to clone; the clones share the connection.
#[derive(Clone)]
pub struct Client {
    pub(crate) control: ControlClient<Channel>,
    pub(crate) bridge: LlbBridgeClient<Channel>,
}

/// One record of the build cache.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRecord {
    /// The record's identifier within this daemon.
    pub id: String,
    /// The records that it lies upon.
    pub parents: Vec<String>,
    /// What made it, such as `mount / from exec /bin/sh -c make`.
    pub description: String,
    /// BuildKit's kind: `regular`, `internal`, `frontend`, `source.local`, `source.git.checkout`,
    /// `exec.cachemount`.
    pub kind: String,
    /// Its own size in bytes.
    pub bytes: u64,
    /// When it was made, by the daemon's clock.
    pub created: Option<SystemTime>,
    /// When it was last used, by the daemon's clock.
    pub last_used: Option<SystemTime>,
    /// How many times it was used.
    pub usage_count: u64,
    /// A build uses it now.
    pub in_use: bool,
    /// It can still change (a cache mount, a folder received from a client).
    pub mutable: bool,
    /// An image of the engine holds the same layer.
    pub shared: bool,
}

/// A build as the daemon's own history keeps it (BuildKit 0.11 and later).
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRecord {
    /// The build's reference.
    pub reference: String,
    /// When it began.
    pub created: Option<SystemTime>,
    /// When it ended; `None` while it runs.
    pub completed: Option<SystemTime>,
    /// The frontend's options, build arguments with their values among them; none of a build through the gateway
    /// whose client does not repeat them.
    pub attrs: std::collections::HashMap<String, String>,
    /// The names that the image was to get, as the client gave them or with all their parts, by engine.
    pub images: Vec<String>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Steps that were reused.
    pub cached_steps: u32,
    /// All steps.
    pub total_steps: u32,
}

impl Client {
    /// A client on a channel of [`Transport::probe`](crate::Transport::probe) or
    /// [`Transport::channel`](crate::Transport::channel).
    pub fn new(channel: Channel) -> Client {
        Client {
            control: ControlClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            bridge: LlbBridgeClient::new(channel)
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
        }
    }

    /// The daemon's BuildKit version, such as `v0.25.0`; `None` if it does not say (before 0.11).
    pub async fn version(&self) -> Result<Option<String>, Error> {
        let mut control = self.control.clone();
        match bounded("Control.Info", control.info(InfoRequest {})).await? {
            Ok(info) => Ok(info.into_inner().buildkit_version.map(|version| version.version)),
            Err(status) if status.code() == tonic::Code::Unimplemented => Ok(None),
            Err(status) => Err(Error::Daemon {
                call: "Control.Info",
                status,
            }),
        }
    }

    /// Every record of the daemon's cache.
    pub async fn disk_usage(&self) -> Result<Vec<UsageRecord>, Error> {
        let mut control = self.control.clone();
        let call = control.disk_usage(DiskUsageRequest::default());
        let usage = bounded("Control.DiskUsage", call)
            .await?
            .map_err(Error::daemon("Control.DiskUsage"))?;
        Ok(usage.into_inner().record.into_iter().map(usage_record).collect())
    }

    /// What the daemon told of a build that has ended, from its history.
    pub async fn replay(&self, reference: &str) -> Result<Vec<StatusEvent>, Error> {
        const CALL: &str = "Control.Status";
        let mut control = self.control.clone();
        let request = StatusRequest {
            r#ref: reference.to_owned(),
        };
        let read = async {
            let mut messages = control
                .status(request)
                .await
                .map_err(Error::daemon(CALL))?
                .into_inner();
            let mut found = Vec::new();
            while let Some(message) = messages.next().await {
                found.extend(events(message.map_err(Error::daemon(CALL))?));
                // A build that logs without end is not read without end.
                if found.len() > REPLAYED {
                    break;
                }
            }
            Ok(found)
        };
        bounded(CALL, read).await?
    }

    /// The builds that the daemon remembers; `None` if it has no history (before BuildKit 0.11).
    pub async fn history(&self) -> Result<Option<Vec<HistoryRecord>>, Error> {
        self.builds(false).await
    }

    /// The builds that run now; `None` if the daemon has no history (before BuildKit 0.11).
    pub async fn running(&self) -> Result<Option<Vec<HistoryRecord>>, Error> {
        self.builds(true).await
    }

    async fn builds(&self, active_only: bool) -> Result<Option<Vec<HistoryRecord>>, Error> {
        const CALL: &str = "Control.ListenBuildHistory";
        let mut control = self.control.clone();
        let request = BuildHistoryRequest {
            active_only,
            early_exit: true,
            ..Default::default()
        };
        let read = async {
            let mut events = match control.listen_build_history(request).await {
                Ok(events) => events.into_inner(),
                Err(status) if status.code() == tonic::Code::Unimplemented => return Ok(None),
                Err(status) => return Err(Error::Daemon { call: CALL, status }),
            };
            let mut records = Vec::new();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => records.extend(event.record.map(history_record)),
                    Err(status) if status.code() == tonic::Code::Unimplemented => return Ok(None),
                    Err(status) => return Err(Error::Daemon { call: CALL, status }),
                }
            }
            Ok(Some(records))
        };
        bounded(CALL, read).await?
    }
}

pub(crate) fn usage_record(record: crate::proto::control::UsageRecord) -> UsageRecord {
    #[allow(deprecated)] // the only parent that BuildKit before 0.10 names
    let single = Some(record.parent).filter(|parent| !parent.is_empty());
    UsageRecord {
        id: record.id,
        parents: if record.parents.is_empty() {
            single.into_iter().collect()
        } else {
            record.parents
        },
        description: record.description,
        kind: record.record_type,
        bytes: u64::try_from(record.size).unwrap_or(0),
        created: record.created_at.and_then(time),
        last_used: record.last_used_at.and_then(time),
        usage_count: u64::try_from(record.usage_count).unwrap_or(0),
        in_use: record.in_use,
        mutable: record.mutable,
        shared: record.shared,
    }
}

fn history_record(record: crate::proto::control::BuildHistoryRecord) -> HistoryRecord {
    let names = record
        .exporters
        .iter()
        .filter_map(|exporter| exporter.attrs.get("name"));
    let names = names
        .flat_map(|names| names.split(','))
        .filter(|name| !name.is_empty());
    HistoryRecord {
        images: names.map(str::to_owned).collect(),
        reference: record.r#ref,
        created: record.created_at.and_then(time),
        completed: record.completed_at.and_then(time),
        attrs: record.frontend_attrs,
        error: record.error.map(|error| error.message),
        cached_steps: u32::try_from(record.num_cached_steps).unwrap_or(0),
        total_steps: u32::try_from(record.num_total_steps).unwrap_or(0),
    }
}

/// Waits for a call that only reads, never longer than [`READ`].
async fn bounded<T>(call: &'static str, future: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(READ, future)
        .await
        .map_err(|_| Error::Timeout {
            call,
            seconds: READ.as_secs(),
        })
}
