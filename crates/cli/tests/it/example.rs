//! The example project, from its first build to its answers, on every engine.

use crate::clear::{on_idle_engines, reused_by_docker};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::{Engine, Project, engines, left_out, unstale_binary};

/// A copy of the example with image names and ports of its own, outside of any repository.
struct WatchParty {
    project: Project,
    ports: [u16; 2],
}

impl WatchParty {
    fn new(engine: &Engine) -> WatchParty {
        let project = Project::new("watchparty");
        copy(&example(), &example(), &project);
        let compose = std::fs::read_to_string(project.path().join("docker-compose.yml")).unwrap();
        project.write(
            "docker-compose.yml",
            compose.replace("watchparty-", &format!("{}-", project.name())),
        );
        let party = WatchParty {
            project,
            ports: [free_port(), free_port()],
        };
        // The base image carries the project's name, so that it goes with it; its layers are shared.
        let base = party.output(
            party
                .project
                .command(engine, "bash")
                .arg("scripts/make-base-image.sh")
                .env("IMAGE", party.base()),
        );
        assert!(base.contains(&party.base()), "{base}");
        for service in ["backend", "frontend"] {
            let file = format!("{service}/Dockerfile");
            let text = std::fs::read_to_string(party.project.path().join(&file)).unwrap();
            party
                .project
                .write(&file, text.replace("watchparty-base:latest", &party.base()));
        }
        party
    }

    fn base(&self) -> String {
        format!("{}-base:latest", self.project.name())
    }

    fn output(&self, command: &mut Command) -> String {
        let output = command
            .env("BACKEND_PORT", self.ports[0].to_string())
            .env("FRONTEND_PORT", self.ports[1].to_string())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{command:?}\n{stderr}\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Builds and gives the outcomes of the Dockerfile's steps as `service: instruction`.
    fn build(&self, engine: &Engine) -> Vec<(String, String)> {
        let text = self.output(self.project.unstale(engine).args(["build", "--format", "json"]));
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut outcomes = Vec::new();
        for service in document["services"].as_array().unwrap() {
            for step in service["steps"].as_array().unwrap() {
                let instruction = step["instruction"].as_str().unwrap();
                if !instruction.starts_with("FROM") {
                    let name = format!("{}: {instruction}", service["service"].as_str().unwrap());
                    outcomes.push((name, step["outcome"].as_str().unwrap().to_owned()));
                }
            }
        }
        outcomes
    }

    /// Waits for an answer that holds a text.
    fn answers(&self, port: u16, path: &str, text: &str) {
        let url = format!("http://127.0.0.1:{port}{path}");
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            // curl waits for the container's port itself.
            let mut curl = Command::new("curl");
            let output = curl
                .args([
                    "-s",
                    "--retry",
                    "5",
                    "--retry-all-errors",
                    "--retry-delay",
                    "1",
                    &url,
                ])
                .output()
                .unwrap();
            let answer = String::from_utf8_lossy(&output.stdout).into_owned();
            if answer.contains(text) {
                return;
            }
            assert!(Instant::now() < end, "{url} answers {answer:?}, not {text:?}");
        }
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/watch-party")
}

/// What takes the place of the example's files.
fn after() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/watch-party-after")
}

fn copy(root: &Path, folder: &Path, project: &Project) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy(root, &path, project);
        } else {
            let relative = path.strip_prefix(root).unwrap();
            project.write(relative, std::fs::read(&path).unwrap());
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn ran(outcomes: &[(String, String)]) -> Vec<&str> {
    outcomes
        .iter()
        .filter(|(_, outcome)| outcome != "cached")
        .map(|(name, _)| name.as_str())
        .collect()
}

#[test]
fn the_example_is_built_started_and_rebuilt_as_far_as_it_changed() {
    for engine in engines() {
        let _shared = engine.shared();
        let party = WatchParty::new(engine);
        assert_eq!(party.build(engine).len(), 19, "{}", engine.name);

        let mut compose = party.project.command(engine, "docker");
        party.output(compose.args(["compose", "up", "-d", "--no-build"]));
        party.answers(party.ports[0], "/version", "1.0.0");
        party.answers(party.ports[1], "/", "1.0.0");

        let again = party.build(engine);
        assert_eq!(
            ran(&again),
            Vec::<&str>::new(),
            "{}: nothing changed, so every step is cached",
            engine.name
        );

        let file = "backend/src/app.sh";
        let code = std::fs::read_to_string(party.project.path().join(file)).unwrap();
        // The engine's cache outlives the test: an edit that was never built before.
        let edited = format!("{}# {}\n", code.replace("1.0.0", "1.1.0"), party.project.name());
        party.project.write(file, edited);
        let edited = party.build(engine);
        let expected = [
            "backend: COPY . /app/",
            "backend: RUN for script in bin/*.sh src/*.sh; do sh -n \"$script\" || exit 1; done",
            "backend: RUN SKIP_AWS_DURING_BUILD=0 sh bin/configure.sh > config.env",
            "backend: RUN mkdir -p /srv/www && chown app /srv/www",
        ];
        assert_eq!(
            ran(&edited),
            expected,
            "{}: the COPY of the edited file and what follows it",
            engine.name
        );

        let mut compose = party.project.command(engine, "docker");
        party.output(compose.args(["compose", "up", "-d", "--no-build"]));
        party.answers(party.ports[0], "/version", "1.1.0");
        let mut compose = party.project.command(engine, "docker");
        party.output(compose.args(["compose", "down", "--timeout", "1"]));
    }
    if engines().is_empty() {
        left_out("no engine");
    }
}

#[test]
fn what_its_after_state_clears_no_build_reuses() {
    on_idle_engines(|engine, _| {
        let party = WatchParty::new(engine);
        let run = |script: &str| {
            let mut command = party.project.command(engine, "bash");
            let folder = unstale_binary().parent().unwrap().to_owned();
            let path = std::env::join_paths(
                [folder]
                    .into_iter()
                    .chain(std::env::split_paths(&path_of(&command))),
            );
            party.output(command.arg(script).env("PATH", path.unwrap()))
        };
        reused_by_docker(&party.project, engine);
        run("scripts/deployment/clear-caches.sh");
        let reused = reused_by_docker(&party.project, engine);
        let is_classic = ["d20", "d28"].contains(&engine.name.as_str());
        assert_eq!(reused > 0, is_classic, "{}: {reused}", engine.name);
        let after = after().join("init");
        copy(&after, &after, &party.project);
        let report = run("scripts/clear-caches.sh");
        assert!(
            report.contains("cleared, and proven"),
            "{}: {report}",
            engine.name
        );
        assert_eq!(reused_by_docker(&party.project, engine), 0, "{}", engine.name);
    });
}

/// The `PATH` that a command will have.
fn path_of(command: &Command) -> std::ffi::OsString {
    let own = command.get_envs().find(|(name, _)| *name == "PATH");
    let own = own.and_then(|(_, value)| value.map(ToOwned::to_owned));
    own.or_else(|| std::env::var_os("PATH")).unwrap_or_default()
}
