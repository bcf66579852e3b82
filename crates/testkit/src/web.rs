//! A small HTTP server on the loopback interface, for clients of what cannot be had here: each test says what it answers.

// A server that cannot go on fails the test.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET /path?query`
    pub line: String,
    /// The header lines.
    pub headers: Vec<String>,
}

impl Request {
    /// A value of the query, as it was sent.
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.line.split_once('?')?.1;
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// An answer: the status, header lines, the body.
pub struct Answer(pub u16, pub Vec<String>, pub Vec<u8>);

impl Answer {
    /// An answer without headers of its own.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer(status, Vec::new(), body.into())
    }

    /// The answer with one more header.
    pub fn with(mut self, header: &str) -> Answer {
        self.1.push(header.to_owned());
        self
    }
}

/// A server that runs until the test's process ends.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts one that answers with `answer`, which gets the request and how many came before it.
    ///
    /// # Panics
    /// If the loopback interface has no port left.
    pub fn start(answer: impl Fn(&Request, usize) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                // Some clients try TLS first.
                let Some(request) = read(&stream) else { continue };
                let before = kept.lock().unwrap().len();
                kept.lock().unwrap().push(request.clone());
                write(&stream, &answer(&request, before));
            }
        });
        Server { url, requests }
    }

    /// All requests so far.
    ///
    /// # Panics
    /// If `answer` has panicked.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// What a client asks; [`None`] if it speaks something else.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let line = lines.next()?;
    Some(Request {
        line: line.strip_suffix(" HTTP/1.1")?.to_owned(),
        headers: lines.take_while(|line| !line.is_empty()).collect(),
    })
}

/// A client that had enough closes the connection: that is no error here.
fn write(mut stream: &TcpStream, Answer(status, headers, body): &Answer) {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}
