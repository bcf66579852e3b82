//! One background process of the testkit: started detached, known by its pid file, stopped by that pid only.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

use super::run::log_tail;
use crate::error::{Error, Result};

/// How long a daemon may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end: asked to (dockerd stops its containers first), and killed.
const STOP: [(Signal, Duration); 2] = [(Signal::TERM, Duration::from_secs(40)), KILL];
const KILL: (Signal, Duration) = (Signal::KILL, Duration::from_secs(5));
/// How often its state is looked at while waiting: there is no event to wait for across processes.
const POLL: Duration = Duration::from_millis(50);

/// A process's identity: its pid may be reused after it ends, its pid with its start time is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pid: i32,
    /// Clock ticks after boot: field 22 of `/proc/PID/stat`.
    started: u64,
}

impl Process {
    /// The running process with a pid; `None` when there is none or it waits to be reaped.
    fn running(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything; what follows it is numbers.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (state != "Z" && state != "X").then_some(Self { pid, started })
    }

    fn is_running(self) -> bool {
        Self::running(self.pid) == Some(self)
    }

    /// Ends it and waits until it is gone.
    fn stop(self, means: &[(Signal, Duration)]) -> Result<()> {
        for &(signal, limit) in means {
            let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_running()) else {
                return Ok(());
            };
            let _ = kill_process(pid, signal);
            if wait_until(limit, || !self.is_running()) {
                return Ok(());
            }
        }
        Err(Error::Unavailable(format!("process {} does not end", self.pid)))
    }
}

/// The folder of a daemon: its pid file, its log, and whatever it keeps.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) folder: PathBuf,
}

impl Daemon {
    /// The process that was started here last, if it still runs.
    pub(super) fn process(&self) -> Option<Process> {
        let text = fs::read_to_string(self.pid_file()).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let process = Process {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        };
        process.is_running().then_some(process)
    }

    /// Starts a program detached (own session, output to the log) and waits until `ready`.
    pub(super) fn start(
        &self,
        program: &Path,
        arguments: &[impl AsRef<OsStr>],
        environment: &[(&str, &OsStr)],
        ready: impl Fn() -> bool,
    ) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let path = self.folder.join("log");
        let log = File::create(&path).map_err(Error::io("create", &path))?;
        let errors = log.try_clone().map_err(Error::io("open", &path))?;
        // `setsid` replaces itself by the program, so the child's pid is the daemon's.
        let mut command = Command::new("setsid");
        command
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied());
        command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let mut child = command.spawn().map_err(Error::io("start", program))?;
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        if let Some(process) = Process::running(pid) {
            let text = format!("{} {}\n", process.pid, process.started);
            fs::write(self.pid_file(), text).map_err(Error::io("write", self.pid_file()))?;
        }
        let ended = || child.try_wait().map_or(true, |status| status.is_some());
        let (mut ended, mut answers) = (ended, false);
        wait_until(START, || {
            answers = ready();
            answers || ended()
        });
        if answers {
            return Ok(());
        }
        let name = program.file_name().unwrap_or_default().display();
        let error = Error::Unavailable(format!("{name} did not start: {}", log_tail(&path)));
        self.stop()?;
        Err(error)
    }

    /// Ends what runs here and lets go of its mounts; what a killed daemon left behind as well.
    pub(super) fn stop(&self) -> Result<()> {
        if let Some(process) = self.process() {
            process.stop(&STOP)?;
        }
        for orphan in self.orphans() {
            orphan.stop(&[KILL])?;
        }
        let _ = fs::remove_file(self.pid_file());
        unmount_below(&self.folder)?;
        // Sockets, pid files and container states of processes that are gone now.
        let _ = fs::remove_dir_all(self.folder.join("exec"));
        Ok(())
    }

    /// Processes that outlive a killed daemon: containerd and its shims, told by program and arguments, and those in
    /// containers and build steps, told by a root file system that lies in this folder.
    fn orphans(&self) -> Vec<Process> {
        let folder = format!("{}/", self.folder.display());
        let state = format!("{folder}exec/containerd/");
        let programs = self.folder.with_file_name("dist");
        let is_ours = |process: &Process| {
            let proc = PathBuf::from(format!("/proc/{}", process.pid));
            let program = fs::read_link(proc.join("exe")).unwrap_or_default();
            let command = fs::read(proc.join("cmdline")).unwrap_or_default();
            let mounts = fs::read_to_string(proc.join("mountinfo")).unwrap_or_default();
            let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
            program.starts_with(&programs) && String::from_utf8_lossy(&command).contains(&state)
                || mounts.lines().filter(is_root).any(|line| line.contains(&folder))
        };
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Process::running).filter(is_ours).collect()
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }
}

/// Waits until the condition holds; tells whether it does.
fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(POLL);
    }
}

/// Unmounts whatever is mounted below a folder, the innermost first.
fn unmount_below(folder: &Path) -> Result<()> {
    let table =
        fs::read_to_string("/proc/self/mountinfo").map_err(Error::io("read", "/proc/self/mountinfo"))?;
    let points = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from);
    let mut points: Vec<PathBuf> = points
        .filter(|point| point.starts_with(folder) && point != folder)
        .collect();
    points.reverse();
    for point in points {
        unmount(&point, UnmountFlags::DETACH).map_err(|error| Error::io("unmount", &point)(error.into()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_known_by_its_pid_file_and_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let daemon = Daemon {
            folder: folder.path().join("d"),
        };
        let arguments = ["-c", "echo started; exec sleep 600"];
        let log = daemon.folder.join("log");
        let ready = || fs::read_to_string(&log).is_ok_and(|text| text.contains("started"));
        daemon
            .start(Path::new("sh"), &arguments, &[], ready)
            .expect("starts");
        let process = daemon.process().expect("runs");
        daemon.stop().expect("stops");
        assert!(!process.is_running());
        assert_eq!(daemon.process(), None);
    }

    #[test]
    fn a_daemon_that_ends_at_once_is_an_error_with_its_last_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let daemon = Daemon {
            folder: folder.path().join("d"),
        };
        let error = daemon
            .start(Path::new("sh"), &["-c", "echo no luck; exit 1"], &[], || false)
            .expect_err("ends");
        assert!(error.to_string().contains("no luck"), "{error}");
    }

    #[test]
    fn a_reused_pid_is_not_taken_for_the_daemon() {
        let folder = tempfile::tempdir().expect("a folder");
        let daemon = Daemon {
            folder: folder.path().to_owned(),
        };
        fs::write(daemon.pid_file(), format!("{} 1\n", std::process::id())).expect("written");
        assert_eq!(daemon.process(), None);
    }
}
