//! Runs a helper program to its end: bounded in time and output, and killed with its own children when the caller
//! gives up. For programs that answer (Compose, credential helpers), not for long-lived streams.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// What a finished program left behind.
pub(crate) struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a program has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// It could not be started, or its pipes broke.
    #[error("cannot run the program")]
    Io(#[from] std::io::Error),
    /// It did not end in time and was killed.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It printed more than any honest answer holds.
    #[error("more than {0} bytes of output")]
    TooMuchOutput(u64),
}

/// No answer of Compose or a credential helper comes near this many bytes.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// Kills the program's whole process group: `docker compose` is a program that runs a program.
struct Group(Option<rustix::process::Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The group may be gone already; there is nobody left to tell then.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Runs `command` with `input` on its standard input. Dropping the future kills the program.
pub(crate) async fn run(mut command: Command, input: &[u8], limit: Duration) -> Result<Finished, ChildError> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true).process_group(0);
    let mut child = command.spawn()?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that does not read its input closes the pipe early, and is free to.
                let _ = stdin.write_all(input).await;
            }
            Ok(())
        };
        let ((), stdout, stderr) = tokio::try_join!(feed, read_all(stdout), read_all(stderr))?;
        let status = child.wait().await?;
        Ok::<_, ChildError>(Finished {
            status,
            stdout,
            stderr,
        })
    };
    let finished = tokio::time::timeout(limit, work)
        .await
        .map_err(|_| ChildError::Timeout(limit))??;
    // It has ended and was waited for: its id may belong to somebody else from now on.
    group.0 = None;
    Ok(finished)
}

async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, ChildError> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes).await?;
    }
    match bytes.len() as u64 > OUTPUT_LIMIT {
        true => Err(ChildError::TooMuchOutput(OUTPUT_LIMIT)),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn input_output_and_status_come_through() {
        let done = run(
            sh("cat; echo oops >&2; exit 3"),
            b"hello",
            Duration::from_secs(20),
        )
        .await
        .unwrap();
        assert_eq!(
            (done.stdout.as_slice(), done.stderr.as_slice()),
            (&b"hello"[..], &b"oops\n"[..])
        );
        assert_eq!(done.status.code(), Some(3));
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", pid_file.display());
        let outcome = run(sh(&script), b"", Duration::from_secs(1)).await;
        assert!(matches!(outcome, Err(ChildError::Timeout(_))));
        let pid = std::fs::read_to_string(&pid_file).unwrap();
        let gone = || match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !gone() {
            assert!(
                std::time::Instant::now() < deadline,
                "the grandchild is still alive"
            );
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_program_that_reads_nothing_is_no_error() {
        let input = vec![b'x'; 1 << 20];
        assert!(
            run(sh("exit 0"), &input, Duration::from_secs(20))
                .await
                .unwrap()
                .status
                .success()
        );
    }
}
