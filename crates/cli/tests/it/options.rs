//! Every option of a build does on every engine what it says, or is refused by its name.

mod cache;
mod files;
mod folder;
mod parity;
mod project;
mod refused;
mod steps;
mod values;

use serde_json::Value;
use std::process::Command;
use std::thread;
use testkit::{Engine, Project, engines, left_out};

/// What a build left behind.
pub(crate) struct Built {
    pub code: Option<i32>,
    pub stderr: String,
    document: Value,
}

impl Built {
    /// Runs `unstale build --format json …`, whose arguments the command holds already.
    pub fn run(command: &mut Command) -> Built {
        let output = command.output().unwrap();
        Built {
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            document: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        }
    }

    /// The build succeeded.
    #[track_caller]
    pub fn ok(self) -> Built {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The build failed with this exit code, and the error on standard error holds these words.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let error = self.stderr.split_once("error: ").map_or("", |(_, error)| error);
        for word in words {
            assert!(
                error.contains(word),
                "{word:?} is not in the error:\n{}",
                self.stderr
            );
        }
    }

    /// The names of the services that were built.
    pub fn services(&self) -> Vec<&str> {
        let services = self.document["services"].as_array().unwrap();
        services
            .iter()
            .map(|service| service["service"].as_str().unwrap())
            .collect()
    }

    /// The ledger's name for the build.
    pub fn build_id(&self) -> &str {
        self.document["build_id"].as_str().unwrap()
    }

    /// What the document says of one service.
    #[track_caller]
    pub fn service(&self, name: &str) -> &Value {
        let services = self.document["services"].as_array().unwrap();
        services
            .iter()
            .find(|service| service["service"] == name)
            .unwrap()
    }

    /// The outcomes of one service's steps, without the base images.
    #[track_caller]
    pub fn outcomes(&self, service: &str) -> Vec<&str> {
        let steps = self.service(service)["steps"].as_array().unwrap();
        let work = steps
            .iter()
            .filter(|step| !step["instruction"].as_str().unwrap().starts_with("FROM"));
        work.map(|step| step["outcome"].as_str().unwrap()).collect()
    }
}

/// `unstale build` of the project in JSON, to which arguments and variables may be added.
pub(crate) fn unstale_build(project: &Project, engine: &Engine, arguments: &[&str]) -> Command {
    let mut command = project.unstale(engine);
    command
        .args(["build", "--format", "json", "--progress", "plain"])
        .args(arguments);
    command
}

/// Builds the project.
pub(crate) fn build(project: &Project, engine: &Engine, arguments: &[&str]) -> Built {
    Built::run(&mut unstale_build(project, engine, arguments))
}

/// Runs a program that must succeed; gives what it printed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}\n{stdout}{stderr}");
    format!("{stdout}{stderr}")
}

/// What the engine says of an image.
#[track_caller]
pub(crate) fn image(engine: &Engine, name: &str) -> Value {
    engine.api("GET", &format!("/images/{name}/json")).unwrap()
}

/// A label of an image.
#[track_caller]
pub(crate) fn label(engine: &Engine, name: &str, label: &str) -> Value {
    image(engine, name)["Config"]["Labels"][label].clone()
}

/// Runs a test with a project of its own on every engine, side by side; a failure names the engine as its thread.
pub(crate) fn on_every_engine(test: impl Fn(&Engine, &Project) + Sync) {
    side_by_side(|engine| {
        let _shared = engine.shared();
        test(engine, &Project::new("options"));
    });
}

/// The same for a test that prunes: with each engine alone.
pub(crate) fn on_every_engine_alone(test: impl Fn(&Engine, &Project) + Sync) {
    side_by_side(|engine| {
        let _exclusive = engine.exclusive();
        test(engine, &Project::new("options"));
    });
}

fn side_by_side(test: impl Fn(&Engine) + Sync) {
    if engines().is_empty() {
        left_out("no engine answers");
    }
    thread::scope(|scope| {
        for engine in engines() {
            let thread = thread::Builder::new().name(engine.name.clone());
            thread.spawn_scoped(scope, || test(engine)).unwrap();
        }
    });
}

/// Whether the engine is Docker 23 or newer: its BuildKit (0.10) knows named contexts, `/dev/shm` sizes and limits.
pub(crate) fn is_modern(engine: &Engine) -> bool {
    let minor = engine
        .api_version
        .split_once('.')
        .and_then(|(_, minor)| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor >= 42)
}
