//! Just enough HTTP to speak with an engine's socket: HTTP/1.0, so that an answer ends where the connection does.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};

/// No single read or write takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends a request, answers with a reader of the body when the status is 2xx.
pub(crate) fn request(socket: &Path, method: &str, path: &str, body: &[u8]) -> Result<impl Read + use<>> {
    request_within(TIMEOUT, socket, method, path, body)
}

/// A request with a JSON answer.
pub(crate) fn json(socket: &Path, method: &str, path: &str) -> Result<Value> {
    read_json(socket, path, request(socket, method, path, &[])?)
}

/// Whether an engine answers on the socket, within two seconds.
pub(crate) fn ping(socket: &Path) -> bool {
    request_within(Duration::from_secs(2), socket, "GET", "/_ping", &[]).is_ok()
}

/// A value for a path or query: all but unreserved characters are escaped.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn read_json(socket: &Path, path: &str, mut answer: impl Read) -> Result<Value> {
    let mut text = String::new();
    answer
        .read_to_string(&mut text)
        .map_err(Error::io("read from", socket))?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text)
        .map_err(|error| Error::Unavailable(format!("{path} answered no JSON ({error}): {text}")))
}

fn request_within(
    timeout: Duration,
    socket: &Path,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<impl Read + use<>> {
    let failed = |what| Error::io(what, socket);
    let mut stream = UnixStream::connect(socket).map_err(failed("connect to"))?;
    stream
        .set_read_timeout(Some(timeout))
        .and_then(|()| stream.set_write_timeout(Some(timeout)))
        .map_err(failed("set a timeout on"))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/x-tar\r\nContent-Length: {length}\r\n\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body))
        .map_err(failed("write to"))?;
    let mut answer = BufReader::new(stream);
    let status = read_status(&mut answer).map_err(failed("read from"))?;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let mut text = String::new();
    let _ = answer.take(4096).read_to_string(&mut text);
    Err(Error::Http {
        method: method.into(),
        path: path.into(),
        status,
        body: text.trim().into(),
    })
}

fn read_status(answer: &mut impl BufRead) -> io::Result<u16> {
    let mut line = String::new();
    answer.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {line:?}")))?;
    while !line.trim_end().is_empty() {
        line.clear();
        answer.read_line(&mut line)?;
    }
    Ok(status)
}
