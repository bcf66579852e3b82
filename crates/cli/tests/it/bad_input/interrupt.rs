//! Builds that are stopped: by the user, by the system, for good.

use super::{Ended, LIMIT, assert_alive, recorded, unstale, web};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use testkit::{Engine, Project, engines};

/// A program that runs, with its standard error line by line.
pub(super) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.split(b'\n') {
                let _ = sender.send(String::from_utf8_lossy(&line.unwrap()).into_owned());
            }
        });
        Running {
            child,
            lines,
            stderr: String::new(),
        }
    }

    /// Waits until a line of standard error ends with `text`.
    pub fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    self.stderr += &line;
                    self.stderr.push('\n');
                    if line.ends_with(text) {
                        return;
                    }
                }
                Err(_) => break,
            }
        }
        let _ = self.child.kill();
        panic!("{text:?} never came:\n{}", self.stderr);
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The program's end.
    pub fn end(mut self) -> Ended {
        use std::io::Read;
        use std::os::unix::process::ExitStatusExt;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!("did not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        self.stderr.extend(self.lines.iter().map(|line| line + "\n"));
        let mut stdout = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        Ended {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout,
            stderr: self.stderr,
        }
    }
}

/// Processes of this machine whose command line holds a mark.
fn processes(mark: &str) -> usize {
    let holds = |entry: std::io::Result<std::fs::DirEntry>| {
        let command = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains(mark).then_some(())
    };
    std::fs::read_dir("/proc").unwrap().filter_map(holds).count()
}

fn wait_until_gone(mark: &str) {
    let begun = Instant::now();
    while processes(mark) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the engine still runs {mark}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A project whose build stays in a RUN, which can be found among the machine's processes by how long it sleeps.
fn sleeper(prefix: &str) -> (Project, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mark = format!("7{:07}{count:02}", std::process::id());
    let dockerfile = format!("FROM busybox\nRUN echo begun && sleep {mark}\nRUN echo later\n");
    (web(prefix, dockerfile), mark)
}

fn stopped_by(signal: &str, engine: &Engine) {
    let (project, mark) = sleeper("stopped");
    let mut build = Running::start(project.unstale(engine).args(["build", "--progress", "plain"]));
    build.wait_for(" begun");
    assert!(
        processes(&mark) > 0,
        "{}: the step is a process of this machine",
        engine.name
    );
    let sent = Instant::now();
    build.signal(signal);
    let ended = build.end();
    let took = sent.elapsed();
    assert_eq!(ended.code, 130, "{}: {}", engine.name, ended.stderr);
    assert!(took < Duration::from_secs(10), "{}: {took:?}", engine.name);
    assert!(
        ended
            .stderr
            .ends_with("error: interrupted; what was built before is kept\n"),
        "{}",
        ended.stderr
    );
    wait_until_gone(&mark);
    let builds = recorded(&project, engine);
    assert_eq!(builds.len(), 1);
    assert_eq!(builds[0]["state"], "interrupted", "{}", builds[0]);
    assert_eq!(builds[0]["services"][0]["outcome"], "cancelled");
    assert_alive(&project, engine);
}

#[test]
fn ctrl_c_ends_the_build_at_the_engine_and_exits_130() {
    for engine in engines() {
        let _shared = engine.shared();
        stopped_by("INT", engine);
    }
}

#[test]
fn sigterm_is_as_ctrl_c() {
    for engine in engines() {
        let _shared = engine.shared();
        stopped_by("TERM", engine);
    }
}

#[test]
fn a_second_ctrl_c_exits_at_once() {
    for engine in engines() {
        let _shared = engine.shared();
        let (project, mark) = sleeper("twice");
        let mut build = Running::start(project.unstale(engine).args(["build", "--progress", "plain"]));
        build.wait_for(" begun");
        let sent = Instant::now();
        // The second may come after the end, which is as good; kill then finds nobody.
        let pid = build.child.id();
        let _ = Command::new("kill")
            .args(["-s", "INT", &pid.to_string()])
            .status();
        std::thread::sleep(Duration::from_millis(20));
        let _ = Command::new("kill")
            .args(["-s", "INT", &pid.to_string()])
            .stderr(Stdio::null())
            .status();
        let ended = build.end();
        assert_eq!(ended.code, 130, "{}", ended.stderr);
        assert!(sent.elapsed() < Duration::from_secs(5));
        wait_until_gone(&mark);
        assert_eq!(recorded(&project, engine)[0]["state"], "interrupted");
    }
}

#[test]
fn ctrl_c_before_the_build_begins_exits_130_and_records_nothing() {
    let project = web("early", "FROM busybox\n");
    let listener = std::os::unix::net::UnixListener::bind(project.path().join("silent.sock")).unwrap();
    let host = format!("unix://{}/silent.sock", project.path().display());
    let build = Running::start(
        project
            .command_without_engine(testkit::unstale_binary())
            .env("DOCKER_HOST", host)
            .arg("build"),
    );
    let _connection = listener.accept().unwrap();
    build.signal("INT");
    let ended = build.end();
    assert_eq!(ended.code, 130);
    assert_eq!(ended.stderr, "error: cancelled\n");
}

#[test]
fn a_killed_build_ends_at_the_engine_and_stays_readable_in_the_ledger() {
    for engine in engines() {
        let _shared = engine.shared();
        let (project, mark) = sleeper("sigkill");
        let mut build = Running::start(project.unstale(engine).args(["build", "--progress", "plain"]));
        build.wait_for(" begun");
        build.signal("KILL");
        assert_eq!(build.end().code, 137);
        wait_until_gone(&mark);
        let builds = recorded(&project, engine);
        assert_eq!(builds.len(), 1);
        assert_eq!(builds[0]["state"], "interrupted", "{}", builds[0]);
        let id = builds[0]["id"].as_str().unwrap();
        let shown = unstale(&project, engine, &["log", id]);
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
        assert!(shown.stdout.contains("interrupted"), "{}", shown.stdout);
        assert_alive(&project, engine);
        assert_eq!(recorded(&project, engine)[0]["state"], "succeeded");
    }
}
