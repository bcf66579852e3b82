//! What goes wrong around a build: each time one clear message with a way forward, the right exit code, nothing
//! half-recorded, and an engine that goes on.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is missing")]

mod clear;
mod context;
mod dockerfile;
mod engine;
mod failures;
mod hostile;
mod interrupt;
mod private_engine;
mod project;

use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::{Engine, Project};

/// No test waits longer for a program; a program that does not end is a bug of its own.
const LIMIT: Duration = Duration::from_secs(120);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; 128 + N for a signal.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// The first JSON document on standard output, which must hold nothing else.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no pure JSON ({error}):\n{}\n{}", self.stdout, self.stderr))
    }

    /// Standard error from the first `error:`, `warning:` or `hint:` on, without the names that differ between runs.
    pub fn message(&self, project: &Project) -> String {
        let start = self.stderr.lines().skip_while(|line| {
            !["error:", "warning:", "hint:"]
                .iter()
                .any(|mark| line.starts_with(mark))
        });
        scrub(&start.collect::<Vec<_>>().join("\n"), project)
    }
}

/// Replaces what differs between runs: folders and the project's name.
pub(crate) fn scrub(text: &str, project: &Project) -> String {
    let folder = project.path();
    let above = folder.parent().unwrap_or(&folder).display().to_string();
    text.replace(&folder.display().to_string(), "[project]")
        .replace(&above, "[above]")
        .replace(project.name(), "[name]")
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            let _ = child.wait();
            panic!("did not end: {}", stderr.join().unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Ended {
        code: status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

fn drain(stream: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// `unstale` with arguments, in the project's folder.
pub(crate) fn unstale(project: &Project, engine: &Engine, arguments: &[&str]) -> Ended {
    run(project.unstale(engine).args(arguments))
}

/// The builds in the project's ledger, newest first.
pub(crate) fn recorded(project: &Project, engine: &Engine) -> Vec<Value> {
    let log = unstale(project, engine, &["log", "--format", "json"]);
    assert_eq!((log.code, log.stderr.as_str()), (0, ""));
    log.json()["builds"].as_array().unwrap().clone()
}

/// A project with one service `web` and this Dockerfile.
pub(crate) fn web(prefix: &str, dockerfile: impl AsRef<[u8]>) -> Project {
    let project = Project::new(prefix);
    project.write("compose.yaml", "services:\n  web:\n    build: .\n");
    project.write("Dockerfile", dockerfile);
    project
}

/// The engine answers, and a build works.
pub(crate) fn assert_alive(project: &Project, engine: &Engine) {
    engine.api("GET", "/version").unwrap();
    project.write("sound/Dockerfile", "FROM busybox\nRUN true\n");
    let tag = format!("{}-sound", project.name());
    let built = unstale(project, engine, &["build", "./sound", "-t", &tag, "-q"]);
    assert_eq!(built.code, 0, "{}: {}", engine.name, built.stderr);
}

/// The steps of the first service of an `unstale.build/1` document: instruction → outcome.
pub(crate) fn outcomes(service: &Value) -> Vec<(String, String)> {
    let steps = service["steps"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps
        .iter()
        .map(|step| {
            let instruction = text(&step["instruction"]);
            let instruction = instruction.split('@').next().unwrap_or_default();
            (instruction.to_owned(), text(&step["outcome"]))
        })
        .collect()
}
