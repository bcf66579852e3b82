//! A stand-alone BuildKit builds, an engine gets the image.

use crate::options::{Built, image, label, output, unstale_build};
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use testkit::{Buildkitd, Engine, Project, Registry, buildkitd, engine, left_out, measure, registry};

/// The engines of one store each.
const ENGINES: [&str; 2] = ["d20", "d28c"];

/// What every test here needs: the daemon, and a base image that it can pull, for it knows no engine's images.
struct Builder {
    daemon: Buildkitd,
    registry: Registry,
}

impl Builder {
    fn find() -> Option<Builder> {
        match (buildkitd(), registry()) {
            (Some(daemon), Some(registry)) => Some(Builder { daemon, registry }),
            (daemon, _) => {
                left_out(if daemon.is_none() {
                    "no buildkitd answers"
                } else {
                    "no registry answers"
                });
                None
            }
        }
    }

    /// Runs a test with a project of its own on each kind of engine, side by side; a failure names the engine as its
    /// thread.
    fn on_engines(test: impl Fn(&Builder, &Engine, &Project) + Sync) {
        let Some(builder) = Builder::find() else { return };
        thread::scope(|scope| {
            for name in ENGINES {
                let Some(engine) = engine(name) else {
                    left_out(&format!("engine {name} does not answer"));
                    continue;
                };
                let (builder, test) = (&builder, &test);
                let on_engine = move || {
                    let _shared = (engine.shared(), builder.daemon.shared());
                    test(builder, engine, &Project::new("builder"));
                };
                let thread = thread::Builder::new().name(name.to_owned());
                thread.spawn_scoped(scope, on_engine).unwrap();
            }
        });
    }

    /// Pushes the engine's busybox; answers the name that a `FROM` on the builder can have.
    fn base(&self, engine: &Engine, project: &Project) -> String {
        let reference = format!("{}/{}-base:latest", self.registry.host, project.name());
        output(
            project
                .command(engine, "docker")
                .args(["tag", "busybox", &reference]),
        );
        output(
            project
                .command(engine, "docker")
                .args(["push", "--quiet", &reference]),
        );
        reference
    }

    /// `unstale build --builder` over the Unix socket.
    fn command(&self, project: &Project, engine: &Engine, arguments: &[&str]) -> Command {
        let mut command = unstale_build(project, engine, &["--builder", &self.daemon.unix]);
        command.args(arguments);
        command
    }

    /// The same over TCP with these files as authority, certificate and key.
    fn tls(&self, project: &Project, engine: &Engine, ca: &Path, identity: Option<[&Path; 2]>) -> Command {
        let mut command = unstale_build(project, engine, &["--builder", &self.daemon.tcp, "--builder-ca"]);
        command.arg(ca);
        if let Some([certificate, key]) = identity {
            command
                .arg("--builder-cert")
                .arg(certificate)
                .arg("--builder-key")
                .arg(key);
        }
        command
    }
}

/// The command, killed when it hangs.
fn bounded(project: &Project, engine: &Engine, command: Command) -> Command {
    let mut bounded = project.command(engine, "timeout");
    bounded
        .arg("60")
        .arg(command.get_program())
        .args(command.get_args());
    bounded
}

/// One service whose image says that it was built.
fn write_scratch_project(project: &Project) {
    project.write("file", project.name());
    project.write("Dockerfile", "FROM scratch\nCOPY file /file\nLABEL built=yes\n");
    project.write("compose.yaml", "services: {app: {build: .}}\n");
}

#[test]
fn an_image_that_is_built_over_the_unix_socket_is_loaded_into_the_engine() {
    Builder::on_engines(|builder, engine, project| {
        let base = builder.base(engine, project);
        project.write("file", "content\n");
        project.write(
            "Dockerfile",
            format!(
                "FROM {base}\nCOPY file /file\nRUN grep -qx content /file && echo {} > /made\n",
                project.name()
            ),
        );
        let tags = format!("['{}-more:1']", project.name());
        project.write(
            "compose.yaml",
            format!("services: {{app: {{build: {{context: ., tags: {tags}}}}}}}\n"),
        );
        let first = Built::run(&mut builder.command(project, engine, &[])).ok();
        let name = format!("{}-app", project.name());
        assert_eq!(image(engine, &name)["Id"], first.service("app")["image_id"]);
        assert_eq!(
            image(engine, &format!("{}-more:1", project.name()))["Id"],
            first.service("app")["image_id"]
        );
        let run = ["run", "--rm", "--network", "none", &name, "cat", "/made"];
        assert_eq!(
            output(project.command(engine, "docker").args(run)).trim(),
            project.name()
        );
        // The builder remembers, and the same image has the same identity.
        let second = Built::run(&mut builder.command(project, engine, &[])).ok();
        assert_eq!(second.service("app")["up_to_date"], true);
        assert_eq!(
            second.service("app")["image_id"],
            first.service("app")["image_id"]
        );
    });
}

#[test]
fn a_builder_with_mutual_tls_wants_both_certificates() {
    Builder::on_engines(|builder, engine, project| {
        write_scratch_project(project);
        let Buildkitd {
            ca, cert, key, tcp, ..
        } = &builder.daemon;
        let name = format!("{}-app", project.name());
        Built::run(&mut builder.tls(project, engine, ca, Some([cert, key]))).ok();
        assert_eq!(label(engine, &name, "built"), "yes");
        output(project.command(engine, "docker").args(["image", "rm", &name]));
        let refused = |command: &mut Command, words: &[&str]| {
            Built::run(command).refused(1, &[&[tcp.as_str(), "hint: "], words].concat());
            assert!(
                engine.api("GET", &format!("/images/{name}/json")).is_err(),
                "an image was built"
            );
        };
        // Another authority: ours, but not the builder's.
        let other = project.path().join("other.pem");
        let make = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ];
        let names = [
            "-subj",
            "/CN=other",
            "-keyout",
            "other-key.pem",
            "-out",
            "other.pem",
        ];
        output(project.command_without_engine("openssl").args(make).args(names));
        refused(
            &mut builder.tls(project, engine, &other, Some([cert, key])),
            &["certificate"],
        );
        refused(&mut builder.tls(project, engine, ca, None), &["ertificate"]);
        // A client certificate of another authority.
        let stranger = [other.as_path(), &project.path().join("other-key.pem")];
        refused(
            &mut builder.tls(project, engine, ca, Some(stranger)),
            &["ertificate"],
        );
        // No TLS at all.
        refused(&mut unstale_build(project, engine, &["--builder", tcp]), &[]);
    });
}

#[test]
fn services_are_built_from_each_other_on_the_builder() {
    Builder::on_engines(|builder, engine, project| {
        let (base, name) = (builder.base(engine, project), project.name());
        project.write(
            "base/Dockerfile",
            format!("FROM {base}\nARG EXPECTED\nENV INHERITED=yes\nRUN echo \"$EXPECTED\" > /content\n"),
        );
        let check = "ARG EXPECTED\nRUN grep -qx \"$EXPECTED\" /content && test $INHERITED = yes\n";
        project.write("from/Dockerfile", format!("FROM {name}-zbase\n{check}"));
        project.write(
            "context/Dockerfile",
            format!("FROM library AS inner\n{check}FROM inner\nCOPY --from=library /content /copy\n"),
        );
        project.write(
            "compose.yaml",
            "services:
  from: {build: from}
  context: {build: {context: context, additional_contexts: {library: 'service:zbase'}}}
  zbase: {build: base}
",
        );
        for expected in ["one", "two"] {
            let argument = format!("EXPECTED={expected}-{name}");
            Built::run(&mut builder.command(project, engine, &["--build-arg", &argument])).ok();
            let layers = |service: &str| {
                image(engine, &format!("{name}-{service}"))["RootFS"]["Layers"]
                    .as_array()
                    .unwrap()
                    .clone()
            };
            let below = layers("zbase");
            for above in ["from", "context"] {
                assert_eq!(layers(above)[..below.len()], below, "{above}");
            }
        }
    });
}

#[test]
fn what_the_builder_cannot_do_names_the_field() {
    Builder::on_engines(|builder, engine, project| {
        project.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
        project.write(
            "compose.yaml",
            "services:
  gateway: {build: {context: ., extra_hosts: ['name:host-gateway']}}
  privileged: {build: {context: ., privileged: true}}
",
        );
        Built::run(&mut builder.command(project, engine, &["gateway"]))
            .refused(20, &["services.gateway.build.extra_hosts"]);
        Built::run(&mut builder.command(project, engine, &["privileged"]))
            .refused(20, &["services.privileged.build.privileged"]);
    });
}

/// The archive never begins, and nobody waits for it.
#[test]
fn a_failing_step_on_the_builder_ends_the_build() {
    Builder::on_engines(|builder, engine, project| {
        let base = builder.base(engine, project);
        project.write("Dockerfile", format!("FROM {base}\nRUN exit 7\n"));
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        Built::run(&mut bounded(
            project,
            engine,
            builder.command(project, engine, &[]),
        ))
        .refused(20, &["exit code: 7", "RUN exit 7"]);
    });
}

#[test]
fn a_big_image_passes_through_in_bounded_memory() {
    const SIZE: u64 = 300 << 20;
    const LIMIT: u64 = 150 << 20;
    Builder::on_engines(|builder, engine, project| {
        // Noise, so that nothing is compressed on the way; made on the builder, so that only the image is big.
        let base = builder.base(engine, project);
        project.write(
            "Dockerfile",
            format!("FROM {base}\nRUN head -c {SIZE} /dev/urandom > /big\n"),
        );
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        let measured = measure::measure(&mut builder.command(project, engine, &[])).unwrap();
        assert!(measured.status.success(), "{}", measured.stderr);
        let size = image(engine, &format!("{}-app", project.name()))["Size"]
            .as_u64()
            .unwrap();
        assert!(size > SIZE, "{size}");
        println!("peak memory: {} MiB", measured.peak_memory >> 20);
        assert!(measured.peak_memory < LIMIT, "{}", measured.peak_memory);
    });
}

/// A way to an engine that breaks when an image is loaded; as the engine's own end would look from here.
struct BreakingWay(PathBuf);

impl BreakingWay {
    fn open(engine: &Engine, project: &Project) -> BreakingWay {
        let path = project.path().join("breaking.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let target = engine.socket.clone();
        // The threads end with the connections, and the last with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(&target).unwrap();
                let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || drop(io::copy(&mut answers, &mut back)));
                thread::spawn(move || forward_until_load(client, server));
            }
        });
        BreakingWay(path)
    }
}

fn forward_until_load(mut client: UnixStream, mut server: UnixStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let is_load = buffer[..count].windows(12).any(|bytes| bytes == b"/images/load");
        if is_load || server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn an_engine_that_is_gone_when_the_image_comes_is_an_error() {
    Builder::on_engines(|builder, engine, project| {
        write_scratch_project(project);
        let way = BreakingWay::open(engine, project);
        let mut command = bounded(project, engine, builder.command(project, engine, &[]));
        let built = Built::run(command.env("DOCKER_HOST", format!("unix://{}", way.0.display())));
        built.refused(20, &["app: ", "load an image into the engine"]);
        assert!(
            engine
                .api("GET", &format!("/images/{}-app/json", project.name()))
                .is_err(),
            "there is an image"
        );
    });
}

#[test]
fn a_builder_that_is_not_there_is_said_with_a_hint() {
    Builder::on_engines(|builder, engine, project| {
        write_scratch_project(project);
        let refused = |address: &str, words: &[&str]| {
            let words = [&["hint: "], words].concat();
            Built::run(&mut unstale_build(project, engine, &["--builder", address])).refused(1, &words);
        };
        let nowhere = format!("unix://{}/nowhere.sock", project.path().display());
        refused(&nowhere, &[&nowhere]);
        refused("tcp://127.0.0.1:1", &["tcp://127.0.0.1:1"]);
        refused("nonsense://x", &["nonsense"]);
        // Something answers, but it is no BuildKit: a registry.
        let other = format!("tcp://{}", builder.registry.host);
        refused(&other, &[&other]);
    });
}
