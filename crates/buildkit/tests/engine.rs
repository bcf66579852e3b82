//! The client against real daemons: every engine of the testkit, over both transports, and a buildkitd.

// A test that cannot go on says so by panicking, in its helpers too.
#![allow(clippy::unwrap_used)]

use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::{Buildkitd, Engine, buildkitd, engines, left_out, unique};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::control::Client;
use unstale_buildkit::gateway::{FrontendRequest, Job, JobRequest};
use unstale_buildkit::llb::{Op, local_sources};
use unstale_buildkit::session::{Folder, Services, Session};
use unstale_buildkit::status::{StatusEvent, VertexState};
use unstale_buildkit::transport::{Connect, Stream, Wire};
use unstale_buildkit::{Error, Transport};

struct Socket(PathBuf);

impl Connect for Socket {
    fn connect(&self) -> BoxFuture<'static, std::io::Result<Box<dyn Stream>>> {
        let path = self.0.clone();
        Box::pin(async move { Ok(Box::new(UnixStream::connect(path).await?) as Box<dyn Stream>) })
    }
}

/// A daemon with the client connected to it.
struct Daemon {
    name: String,
    transport: Transport,
    client: Client,
}

impl Daemon {
    async fn connect(name: &str, socket: &Path, first: Wire, expected: Wire) -> Daemon {
        let probed = Transport::probe(Arc::new(Socket(socket.into())), first).await;
        let (transport, channel) = probed.unwrap();
        assert_eq!(transport.wire(), expected, "{name}");
        Daemon {
            name: name.to_owned(),
            transport,
            client: Client::new(channel),
        }
    }

    async fn of(engine: &Engine) -> Daemon {
        let minor: u32 = engine.api_version.split('.').nth(1).unwrap().parse().unwrap();
        // An older engine shows whether the probe finds the other way; a newer one still knows both.
        let wire = if minor >= 53 { Wire::Direct } else { Wire::Upgraded };
        Daemon::connect(&engine.name, &engine.socket, Wire::Direct, wire).await
    }

    /// Opens a build of a folder that holds a Dockerfile.
    async fn start(&self, folder: &Path) -> Build {
        let folder = Folder {
            taken: Default::default(),
            root: folder.to_path_buf(),
            index: None,
        };
        let folders = HashMap::from([
            ("context".to_owned(), folder.clone()),
            ("dockerfile".to_owned(), folder),
        ]);
        let services = Services {
            folders,
            ..Services::default()
        };
        let session = Session::open(&self.transport, &unique("key"), services)
            .await
            .unwrap();
        let request = JobRequest {
            session: session.id().to_owned(),
            ..JobRequest::default()
        };
        let (job, events) = self.client.start(request).await.unwrap();
        Build {
            _session: session,
            job,
            events,
        }
    }
}

struct Build {
    _session: Session,
    job: Job,
    events: mpsc::Receiver<StatusEvent>,
}

fn request() -> FrontendRequest {
    let options = BTreeMap::from([
        ("filename".to_owned(), "Dockerfile".to_owned()),
        ("image-resolve-mode".to_owned(), "local".to_owned()),
    ]);
    FrontendRequest {
        options,
        ..FrontendRequest::default()
    }
}

fn folder(dockerfile: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    std::fs::write(folder.path().join(".dockerignore"), "*.log\n").unwrap();
    folder
}

/// The daemons on which `busybox` can be used: all engines.
async fn daemons() -> Vec<Daemon> {
    let mut daemons = Vec::new();
    for engine in engines() {
        daemons.push(Daemon::of(engine).await);
    }
    if daemons.is_empty() {
        left_out("no engine");
    }
    daemons
}

fn socket(buildkitd: &Buildkitd) -> &Path {
    Path::new(buildkitd.unix.trim_start_matches("unix://"))
}

async fn vertices(mut events: mpsc::Receiver<StatusEvent>) -> HashMap<String, VertexState> {
    let mut vertices = HashMap::new();
    while let Some(event) = events.recv().await {
        if let StatusEvent::Vertex(state) = event {
            vertices.insert(state.digest.clone(), state);
        }
    }
    vertices
}

#[tokio::test]
async fn a_graph_is_made_without_running_anything() {
    for daemon in daemons().await {
        let marker = unique("planned");
        let folder = folder(&format!("FROM busybox\nCOPY file /\nRUN echo {marker}\n"));
        let mut build = daemon.start(folder.path()).await;
        let graph = build.job.frontend(request()).await.unwrap().graph().unwrap();
        let runs: Vec<_> = graph
            .vertices
            .iter()
            .filter(|vertex| matches!(vertex.op, Op::Exec(_)))
            .collect();
        let [run] = runs.as_slice() else {
            panic!("{}: {:?}", daemon.name, graph.vertices)
        };
        assert!(run.name.ends_with(&format!("RUN echo {marker}")), "{}", run.name);
        assert_eq!(run.location.as_ref().unwrap().line, 3, "{}", daemon.name);
        let context = &local_sources(&graph)["context"][0];
        assert_eq!(
            (&context.exclude, &context.follow),
            (&vec!["*.log".to_owned()], &vec!["file".to_owned()])
        );
        let target = graph.target.as_ref().unwrap().vertex;
        assert_eq!(graph.vertices[target].digest, run.digest, "{}", daemon.name);

        build
            .job
            .abandon("only the graph is wanted".to_owned())
            .await
            .unwrap();
        let ran = vertices(build.events)
            .await
            .remove(&run.digest)
            .is_some_and(|state| state.started.is_some());
        assert!(!ran, "{}: the step was run", daemon.name);
        let usage = daemon.client.disk_usage().await.unwrap();
        assert!(
            !usage.iter().any(|record| record.description.contains(&marker)),
            "{}",
            daemon.name
        );
    }
}

#[tokio::test]
async fn the_status_stream_names_steps_by_the_graphs_digests_and_the_cache_keeps_them() {
    for daemon in daemons().await {
        let marker = unique("kept");
        let folder = folder(&format!(
            "FROM busybox\nCOPY file /\nRUN echo {marker} > /marker\n"
        ));
        let mut build = daemon.start(folder.path()).await;
        let reference = build.job.reference().to_owned();
        let result = build.job.frontend(request()).await.unwrap();
        let graph = result.graph().unwrap();
        let events = tokio::spawn(vertices(build.events));
        build.job.finish(result, CancellationToken::new()).await.unwrap();
        let states = events.await.unwrap();
        for vertex in &graph.vertices {
            assert!(
                states.contains_key(&vertex.digest),
                "{}: {} was never mentioned",
                daemon.name,
                vertex.name
            );
        }
        let usage = daemon.client.disk_usage().await.unwrap();
        let record = usage.iter().find(|record| record.description.contains(&marker));
        let record = record.unwrap_or_else(|| panic!("{}: no cache record of the step", daemon.name));
        assert!(
            record.bytes > 0 && record.created.is_some(),
            "{}: {record:?}",
            daemon.name
        );

        match daemon.client.history().await.unwrap() {
            Some(history) => {
                let ours = history.iter().find(|record| record.reference == reference);
                assert!(
                    ours.is_some_and(|record| record.error.is_none()),
                    "{}: {ours:?}",
                    daemon.name
                );
            }
            None => assert_eq!(
                daemon.client.version().await.unwrap(),
                None,
                "{}: history since 0.11",
                daemon.name
            ),
        }
    }
}

#[tokio::test]
async fn a_cancelled_build_has_ended_at_the_daemon() {
    for daemon in daemons().await {
        let folder = folder(&format!(
            "FROM busybox\nRUN echo {} && sleep 1000\n",
            unique("endless")
        ));
        let mut build = daemon.start(folder.path()).await;
        let result = build.job.frontend(request()).await.unwrap();
        let cancel = CancellationToken::new();
        let begun = Instant::now();
        let events = tokio::spawn({
            let (cancel, mut events) = (cancel.clone(), build.events);
            async move {
                // The step's own output says that it runs.
                while let Some(event) = events.recv().await {
                    if matches!(event, StatusEvent::Log(_)) {
                        cancel.cancel();
                    }
                }
            }
        });
        let ended = build.job.finish(result, cancel).await;
        assert!(
            matches!(ended, Err(Error::Cancelled)),
            "{}: {ended:?}",
            daemon.name
        );
        events.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", daemon.name);
    }
}

#[tokio::test]
async fn a_build_that_is_dropped_leaves_the_daemon_well() {
    for daemon in daemons().await {
        let folder = folder("FROM busybox\nRUN true\n");
        let mut build = daemon.start(folder.path()).await;
        let result = build.job.frontend(request()).await.unwrap();
        drop((build, result));
        let mut build = daemon.start(folder.path()).await;
        build.job.frontend(request()).await.unwrap();
        build.job.abandon("done".to_owned()).await.unwrap();
    }
}

#[tokio::test]
async fn the_frontends_errors_carry_the_lines_of_the_dockerfile() {
    for daemon in daemons().await {
        let folder = folder("FROM busybox\nRUN true\nNONSENSE here\n");
        let mut build = daemon.start(folder.path()).await;
        let error = build.job.frontend(request()).await.unwrap_err();
        assert!(error.to_string().contains("NONSENSE"), "{}: {error}", daemon.name);
        let excerpts = error.excerpts();
        match excerpts.as_slice() {
            [excerpt] => assert_eq!(
                (excerpt.line, excerpt.lines.last().unwrap().1.as_str()),
                (3, "NONSENSE here"),
                "{}",
                daemon.name
            ),
            // BuildKit 0.8 names the line of a parse error in the message only.
            [] if daemon.client.version().await.unwrap().is_none() => {
                assert!(error.to_string().contains("line 3"), "{}: {error}", daemon.name);
            }
            _ => panic!("{}: {excerpts:?}", daemon.name),
        }
    }
}

#[tokio::test]
async fn a_stand_alone_daemon_is_spoken_to_directly() {
    let Some(buildkitd) = buildkitd() else {
        return left_out("no buildkitd");
    };
    let daemon = Daemon::connect("buildkitd", socket(&buildkitd), Wire::Upgraded, Wire::Direct).await;
    assert!(daemon.client.version().await.unwrap().is_some());
    let folder = folder("FROM scratch\nCOPY file /\n");
    let mut build = daemon.start(folder.path()).await;
    let result = build.job.frontend(request()).await.unwrap();
    build.job.finish(result, CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn an_empty_image_has_an_empty_graph() {
    let Some(buildkitd) = buildkitd() else {
        return left_out("no buildkitd");
    };
    let daemon = Daemon::connect("buildkitd", socket(&buildkitd), Wire::Upgraded, Wire::Direct).await;
    let folder = folder("FROM scratch\nENV a=b\n");
    let mut build = daemon.start(folder.path()).await;
    let result = build.job.frontend(request()).await.unwrap();
    assert_eq!(result.graph().unwrap().vertices, []);
    build.job.finish(result, CancellationToken::new()).await.unwrap();
}
