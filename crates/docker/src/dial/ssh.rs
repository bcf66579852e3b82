//! `docker system dial-stdio` on another machine, through the user's own `ssh` program and configuration, exactly as
//! the Docker CLI does it (docker/cli, `cli/connhelper`).

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::Host;

/// As much of ssh's complaint as a message can use.
const COMPLAINT_LIMIT: u64 = 4096;

/// The running ssh program. Dropping it ends the connection.
pub(super) struct SshStream {
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// What ssh says on standard error, until the far end has spoken.
    complaint: Option<JoinHandle<String>>,
}

/// The arguments after `ssh`. There is no terminal to ask at, so ssh must not: `BatchMode` makes it fail instead.
fn arguments(host: &Host) -> Vec<String> {
    let Host::Ssh {
        user,
        host,
        port,
        socket,
    } = host
    else {
        return Vec::new();
    };
    let mut arguments: Vec<String> = ["-o", "ConnectTimeout=15", "-o", "BatchMode=yes", "-T"]
        .map(str::to_owned)
        .into();
    if let Some(user) = user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--", host, "docker"].map(str::to_owned));
    if let Some(socket) = socket {
        // The far shell splits and expands what it gets.
        let quoted = format!("'unix://{}'", socket.replace('\'', r"'\''"));
        arguments.extend(["--host".to_owned(), quoted]);
    }
    arguments.extend(["system", "dial-stdio"].map(str::to_owned));
    arguments
}

/// The command for a user to try.
pub(super) fn by_hand(host: &Host) -> String {
    let Host::Ssh { user, host, port, .. } = host else {
        return String::new();
    };
    let user = user
        .as_ref()
        .map(|user| format!("-l {user} "))
        .unwrap_or_default();
    let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    format!("ssh {user}{port}{host} docker version")
}

pub(super) fn connect(host: &Host) -> io::Result<SshStream> {
    let mut command = Command::new("ssh");
    command.args(arguments(host));
    start(command)
}

fn start(mut command: Command) -> io::Result<SshStream> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Its own group: a Ctrl-C must not cut the line on which the build is to be cancelled.
    command.kill_on_drop(true).process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "the ssh program is not installed"),
        _ => error,
    })?;
    let stdin = child.stdin.take();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("the ssh program has no pipes"));
    };
    let complaint = tokio::spawn(async move {
        let mut text = Vec::new();
        let mut stderr = stderr.take(COMPLAINT_LIMIT);
        let _ = stderr.read_to_end(&mut text).await;
        // Read on, so that a talkative ssh does not block on a full pipe.
        let _ = tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    Ok(SshStream {
        _child: child,
        stdin,
        stdout,
        complaint: Some(complaint),
    })
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.complaint = None;
            return Poll::Ready(Ok(()));
        }
        // The end, before the far end said anything: ssh itself failed, and standard error says why.
        let Some(complaint) = &mut self.complaint else {
            return Poll::Ready(Ok(()));
        };
        let text = ready!(Pin::new(complaint).poll(cx)).unwrap_or_default();
        self.complaint = None;
        let message = if text.is_empty() {
            "ssh ended the connection".to_owned()
        } else {
            format!("ssh: {text}")
        };
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, message)))
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes our direction only; the pipe has no other way to say so than to close it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text, false).unwrap()
    }

    #[test]
    fn the_command_is_the_docker_clis() {
        let joined = arguments(&host("ssh://me@box:2222")).join(" ");
        assert_eq!(
            joined,
            "-o ConnectTimeout=15 -o BatchMode=yes -T -l me -p 2222 -- box docker system dial-stdio"
        );
        let joined = arguments(&host("ssh://box/run/o'dd.sock")).join(" ");
        assert!(
            joined.ends_with(r"-- box docker --host 'unix:///run/o'\''dd.sock' system dial-stdio"),
            "{joined}"
        );
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_closing_ours_ends_the_other() {
        let mut stream = start(Command::new("cat")).unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"ping");
    }

    #[tokio::test]
    async fn what_ssh_complains_about_is_the_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'Permission denied (publickey).' >&2; exit 255"]);
        let mut stream = start(command).unwrap();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "ssh: Permission denied (publickey).");
    }
}
