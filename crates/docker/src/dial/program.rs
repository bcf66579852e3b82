//! A byte stream that is the standard input and output of a program.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// As much of a program's complaint as a message can use.
const COMPLAINT_LIMIT: u64 = 4096;

/// The running program. Dropping it ends the connection.
pub(super) struct ProgramStream {
    /// What the program is called in messages.
    name: &'static str,
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// What the program says on standard error, until the far end has spoken.
    complaint: Option<JoinHandle<String>>,
}

/// Starts a program whose standard input and output are the stream.
pub(super) fn start(name: &'static str, mut command: Command) -> io::Result<ProgramStream> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Its own group: a Ctrl-C must not cut the line on which the build is to be cancelled.
    command.kill_on_drop(true).process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("the {name} program is not installed"))
        }
        _ => error,
    })?;
    let stdin = child.stdin.take();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other(format!("the {name} program has no pipes")));
    };
    let complaint = tokio::spawn(async move {
        let mut text = Vec::new();
        let mut stderr = stderr.take(COMPLAINT_LIMIT);
        let _ = stderr.read_to_end(&mut text).await;
        // Read on, so that a talkative one does not block on a full pipe.
        let _ = tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    Ok(ProgramStream {
        name,
        _child: child,
        stdin,
        stdout,
        complaint: Some(complaint),
    })
}

impl AsyncRead for ProgramStream {
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
        // The end, before the far end said anything: the program itself failed, and standard error says why.
        let Some(complaint) = &mut self.complaint else {
            return Poll::Ready(Ok(()));
        };
        let text = ready!(Pin::new(complaint).poll(cx)).unwrap_or_default();
        self.complaint = None;
        let message = if text.is_empty() {
            format!("{} ended the connection", self.name)
        } else {
            format!("{}: {text}", self.name)
        };
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, message)))
    }
}

impl AsyncWrite for ProgramStream {
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

    #[tokio::test]
    async fn bytes_go_both_ways_and_closing_ours_ends_the_other() {
        let mut stream = start("cat", Command::new("cat")).unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"ping");
    }

    #[tokio::test]
    async fn what_the_program_complains_about_is_the_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'Permission denied (publickey).' >&2; exit 255"]);
        let mut stream = start("ssh", command).unwrap();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "ssh: Permission denied (publickey).");
    }
}
