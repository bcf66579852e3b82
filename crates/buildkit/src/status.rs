//! The status stream of a build as typed events.

use crate::proto::control;
use std::time::{Duration, SystemTime};

/// The digest of a vertex, such as `sha256:…`.
pub type Digest = String;

/// Something that happened in a build.
#[derive(Debug, Clone, PartialEq)]
pub enum StatusEvent {
    /// A step appeared or changed its state.
    Vertex(VertexState),
    /// A step's own progress, such as bytes transferred.
    Progress(Progress),
    /// Output of a step.
    Log(Log),
    /// A warning of the frontend, such as a lint of the Dockerfile.
    Warning(Warning),
}

/// The state of one vertex of the build graph.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexState {
    /// The vertex; the same step of two builds has the same digest.
    pub digest: Digest,
    /// The vertices that it needs.
    pub inputs: Vec<Digest>,
    /// The name that BuildKit gives the step.
    pub name: String,
    /// Whether the daemon marked the vertex as cached. It marks steps that were never reached as well:
    /// see [`VertexState::is_inferred`].
    pub cached: bool,
    /// When it began, by the daemon's clock.
    pub started: Option<SystemTime>,
    /// When it ended, by the daemon's clock.
    pub completed: Option<SystemTime>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl VertexState {
    /// True if the daemon did not look at this vertex itself, but concluded from a later step's start that it
    /// was not needed. Its times are then exactly equal.
    pub fn is_inferred(&self) -> bool {
        self.cached && self.started.is_some() && self.started == self.completed
    }

    /// How long it took, if it began and ended.
    pub fn duration(&self) -> Option<Duration> {
        self.completed?.duration_since(self.started?).ok()
    }
}

/// A part of a step that reports how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The step.
    pub vertex: Digest,
    /// What is counted, such as `transferring context:` or a layer's digest; unique within the step.
    pub id: String,
    /// What is done, such as `transferring`.
    pub name: String,
    /// How far it is, most often in bytes.
    pub current: i64,
    /// How far it will go; 0 if unknown.
    pub total: i64,
    /// When the part ended.
    pub completed: Option<SystemTime>,
}

/// Output of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The step.
    pub vertex: Digest,
    /// When it was written, by the daemon's clock.
    pub timestamp: Option<SystemTime>,
    /// True for the step's standard error, or output of BuildKit itself.
    pub stderr: bool,
    /// The bytes as written; lines may be split between events.
    pub data: Vec<u8>,
}

/// A warning of the frontend.
#[derive(Debug, Clone, PartialEq)]
pub struct Warning {
    /// The step that it belongs to.
    pub vertex: Digest,
    /// One line.
    pub short: String,
    /// More lines.
    pub detail: Vec<String>,
    /// Where the warning is explained.
    pub url: String,
    /// The first line in the Dockerfile, from 1.
    pub line: Option<u32>,
}

/// The events of one status message. The daemon lists states, progress and output apart; here, what a step did in
/// the message comes before its end.
pub(crate) fn events(response: control::StatusResponse) -> Vec<StatusEvent> {
    let progress = response.statuses.into_iter().map(|status| Progress {
        vertex: status.vertex,
        id: status.id,
        name: status.name,
        current: status.current,
        total: status.total,
        completed: status.completed.and_then(time),
    });
    let logs = response.logs.into_iter().map(|log| Log {
        vertex: log.vertex,
        timestamp: log.timestamp.and_then(time),
        stderr: log.stream == 2,
        data: log.msg,
    });
    let mut activity: Vec<(Digest, StatusEvent)> = progress
        .map(|progress| (progress.vertex.clone(), StatusEvent::Progress(progress)))
        .chain(logs.map(|log| (log.vertex.clone(), StatusEvent::Log(log))))
        .collect();
    let mut events = Vec::new();
    for vertex in response.vertexes {
        let state = VertexState {
            digest: vertex.digest,
            inputs: vertex.inputs,
            name: vertex.name,
            cached: vertex.cached,
            started: vertex.started.and_then(time),
            completed: vertex.completed.and_then(time),
            error: Some(vertex.error).filter(|error| !error.is_empty()),
        };
        if state.completed.is_some() && !state.cached {
            let own = activity.extract_if(.., |(vertex, _)| *vertex == state.digest);
            let own: Vec<_> = own.map(|(_, event)| event).collect();
            if !own.is_empty() {
                events.push(StatusEvent::Vertex(VertexState {
                    completed: None,
                    error: None,
                    ..state.clone()
                }));
                events.extend(own);
            }
        }
        events.push(StatusEvent::Vertex(state));
    }
    events.extend(activity.into_iter().map(|(_, event)| event));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    events.extend(response.warnings.into_iter().map(|warning| {
        let start = warning.ranges.first().and_then(|range| range.start.as_ref());
        StatusEvent::Warning(Warning {
            vertex: warning.vertex,
            short: text(warning.short),
            detail: warning.detail.into_iter().map(text).collect(),
            url: warning.url,
            line: start.and_then(|position| u32::try_from(position.line).ok()),
        })
    }));
    events
}

/// A protobuf timestamp; `None` if it is out of range.
pub(crate) fn time(stamp: bollard_buildkit_proto::google::protobuf::Timestamp) -> Option<SystemTime> {
    let nanoseconds = Duration::from_nanos(u64::try_from(stamp.nanos).ok()?);
    let seconds = Duration::from_secs(stamp.seconds.unsigned_abs());
    let whole = if stamp.seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    whole?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard_buildkit_proto::google::protobuf::Timestamp;

    #[test]
    fn times_of_a_hostile_daemon_do_not_panic() {
        assert_eq!(
            time(Timestamp { seconds: 1, nanos: 5 }),
            Some(SystemTime::UNIX_EPOCH + Duration::new(1, 5))
        );
        assert_eq!(
            time(Timestamp {
                seconds: -1,
                nanos: 5
            }),
            Some(SystemTime::UNIX_EPOCH - Duration::new(0, 999_999_995))
        );
        assert_eq!(
            time(Timestamp {
                seconds: i64::MAX,
                nanos: -1
            }),
            None
        );
        let earliest = time(Timestamp {
            seconds: i64::MIN,
            nanos: 0,
        });
        assert!(earliest.is_none_or(|time| time < SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn what_a_step_did_comes_before_its_end() {
        let stamp = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let vertex = |digest: &str, completed| control::Vertex {
            digest: digest.into(),
            started: stamp(1),
            completed,
            ..Default::default()
        };
        let log = control::VertexLog {
            vertex: "a".into(),
            msg: b"text".to_vec(),
            ..Default::default()
        };
        let message = control::StatusResponse {
            vertexes: vec![vertex("a", stamp(2)), vertex("b", None)],
            logs: vec![log],
            ..Default::default()
        };
        let shown: Vec<String> = events(message)
            .iter()
            .map(|event| match event {
                StatusEvent::Vertex(state) => format!("{} {}", state.digest, state.completed.is_some()),
                StatusEvent::Log(log) => format!("{} log", log.vertex),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(shown, ["a false", "a log", "a true", "b false"]);
    }

    #[test]
    fn inferred_and_loaded_are_told_apart() {
        let at = SystemTime::UNIX_EPOCH;
        let mut state = VertexState {
            digest: "sha256:a".into(),
            inputs: vec![],
            name: "[1/2] RUN true".into(),
            cached: true,
            started: Some(at),
            completed: Some(at),
            error: None,
        };
        assert!(state.is_inferred());
        state.completed = Some(at + Duration::from_micros(1));
        assert!(!state.is_inferred());
        state.cached = false;
        state.completed = Some(at);
        assert!(!state.is_inferred());
    }
}
