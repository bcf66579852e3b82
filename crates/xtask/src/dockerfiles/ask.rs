//! What the engine's frontend says of a file.
//!
//! Its answer to `frontend.targets` comes of its parser and its instructions alone, so that an error there is one of
//! syntax. `frontend.lint` knows the line of an error. It also tells of every instruction whose keyword is in mixed case,
//! before anything is looked up: with all keywords in mixed case it gives the list of instructions with their lines. A
//! target that does not exist ends it right after that.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use testkit::Engine;
use unstale_buildkit::control::Client;
use unstale_buildkit::gateway::{FrontendRequest, Job, JobRequest};
use unstale_buildkit::llb::Definition;
use unstale_buildkit::transport::{Connect, Stream, Wire};
use unstale_buildkit::{Error, Transport};
use unstale_dockerfile::Dockerfile;

/// A target that no file has.
const NO_TARGET: &str = "unstale-no-such-target";

/// What the line is that is put before the first instruction, so that the arguments before the first stage are in one.
const FIRST_STAGE: &[u8] = b"fROM scratch\n";

/// An instruction as the engine tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its keyword in lower case.
    pub keyword: String,
    /// The first line.
    pub start: usize,
    /// The last line.
    pub end: usize,
}

/// What the engine says of a file.
#[derive(Debug)]
pub struct Answer {
    /// The error of syntax, if there is one, and its line where the engine has one.
    pub syntax: Result<(), (String, Option<usize>)>,
    /// The instructions; none where there is an error.
    pub instructions: Vec<Told>,
    /// The error that follows in a file without one of syntax: that there is no such target, or one before that.
    pub later: Option<String>,
}

/// A build that is open at the engine, and through which questions are asked.
pub struct Asker {
    job: Job,
}

struct Socket(PathBuf);

impl Connect for Socket {
    fn connect(&self) -> Pin<Box<dyn Future<Output = std::io::Result<Box<dyn Stream>>> + Send>> {
        let path = self.0.clone();
        Box::pin(async move {
            let stream = tokio::net::UnixStream::connect(path).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

impl Asker {
    /// Opens a build.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn connect(engine: &Engine) -> Result<Self, String> {
        let failed = |error: Error| format!("engine {}: {error}", engine.name);
        let socket = Arc::new(Socket(engine.socket.clone()));
        let (_, channel) = Transport::probe(socket, Wire::Upgraded).await.map_err(failed)?;
        let client = Client::new(channel);
        let job = open(&client).await.map_err(failed)?;
        Ok(Self { job })
    }

    /// Ends the build.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn close(self) -> Result<(), String> {
        let ended = self.job.abandon("all questions are answered".to_owned()).await;
        ended.map_err(|error| error.to_string())
    }

    /// Asks about a file.
    ///
    /// # Errors
    /// When the engine gives no answer.
    pub async fn ask(&mut self, bytes: &[u8]) -> Result<Answer, String> {
        let shown = in_mixed_case(bytes);
        let files = Definition::of_files(&[("/file", bytes), ("/shown", &shown)]);
        let question = |name: &str, more: &[(&str, &str)]| {
            let mut options = BTreeMap::from([
                ("filename".to_owned(), name.to_owned()),
                // Whoever has a command line is not asked for another frontend by a `syntax` directive.
                ("cmdline".to_owned(), "dockerfile".to_owned()),
            ]);
            options.extend(
                more.iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
            );
            FrontendRequest {
                options,
                inputs: HashMap::from([("dockerfile".to_owned(), files.clone())]),
            }
        };
        let nowhere = ("target", NO_TARGET);
        let lint = self.lint(question("/file", &[nowhere])).await?;
        let (message, line) = error(&lint)?;
        let targets = self
            .job
            .subrequest("frontend.targets", question("/file", &[]))
            .await;
        let early = message.starts_with("failed to parse check options")
            || message.contains("dockerfile contains no stages to build");
        match targets {
            // The engine's word on the file, as long as the build is open; its end would be another call's.
            Err(Error::Daemon {
                call: "LLBBridge.Solve",
                ..
            }) => {
                return Ok(Answer {
                    syntax: Err((message, line)),
                    instructions: Vec::new(),
                    later: None,
                });
            }
            Err(error) => return Err(error.to_string()),
            Ok(_) if early => {
                return Ok(Answer {
                    syntax: Err((message, line)),
                    instructions: Vec::new(),
                    later: None,
                });
            }
            Ok(_) => {}
        }
        let all = ("build-arg:BUILDKIT_DOCKERFILE_CHECK", "skip=");
        let lint = self.lint(question("/shown", &[nowhere, all])).await?;
        Ok(Answer {
            syntax: Ok(()),
            instructions: instructions(&lint)?,
            later: Some(message),
        })
    }

    async fn lint(&mut self, question: FrontendRequest) -> Result<Value, String> {
        let answer = self
            .job
            .subrequest("frontend.lint", question)
            .await
            .map_err(|error| error.to_string())?;
        let json = answer.get("result.json").ok_or("an answer without result.json")?;
        serde_json::from_slice(json).map_err(|error| format!("an answer that is no JSON: {error}"))
    }
}

async fn open(client: &Client) -> Result<Job, Error> {
    let request = JobRequest {
        internal: true,
        ..JobRequest::default()
    };
    let (job, mut events) = client.start(request).await?;
    tokio::spawn(async move { while events.recv().await.is_some() {} });
    Ok(job)
}

/// The file with every keyword in mixed case, and a stage before its first instruction.
fn in_mixed_case(bytes: &[u8]) -> Vec<u8> {
    let file = Dockerfile::parse_bytes(bytes);
    let mut shown = bytes.to_vec();
    for instruction in &file.instructions {
        let span = instruction.keyword_span;
        let letters = shown[span.start..span.end]
            .iter_mut()
            .filter(|byte| byte.is_ascii_alphabetic());
        for (index, letter) in letters.enumerate() {
            *letter = if index == 0 {
                letter.to_ascii_lowercase()
            } else {
                letter.to_ascii_uppercase()
            };
        }
    }
    if let Some(first) = file.instructions.first() {
        let before = &bytes[..first.keyword_span.start];
        let line = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let mark = if line == 0 && bytes.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        shown.splice(line + mark..line + mark, FIRST_STAGE.iter().copied());
    }
    shown
}

/// Message and line of the error of a lint.
fn error(lint: &Value) -> Result<(String, Option<usize>), String> {
    let error = &lint["buildError"];
    let message = error["message"].as_str().ok_or("a lint without an error")?;
    Ok((
        message.to_owned(),
        lines(&error["location"]).map(|(first, _)| first),
    ))
}

/// First and last line of a location.
fn lines(location: &Value) -> Option<(usize, usize)> {
    let ranges = location["ranges"].as_array()?;
    let line = |range: &Value, end: &str| usize::try_from(range[end]["line"].as_u64().unwrap_or(0)).ok();
    let starts = ranges.iter().filter_map(|range| line(range, "start"));
    let ends = ranges.iter().filter_map(|range| line(range, "end"));
    Some((starts.min()?, ends.max()?))
}

/// The instructions that a lint tells of, without the stage that was put before them.
fn instructions(lint: &Value) -> Result<Vec<Told>, String> {
    let mut all = Vec::new();
    for warning in lint["warnings"].as_array().into_iter().flatten() {
        if warning["ruleName"] != "ConsistentInstructionCasing" {
            continue;
        }
        let detail = warning["detail"].as_str().unwrap_or_default();
        let keyword = detail.split('\'').nth(1).unwrap_or_default();
        let (start, end) = lines(&warning["location"]).ok_or("a warning without lines")?;
        all.push(Told {
            keyword: keyword.to_lowercase(),
            start: start.saturating_sub(1),
            end: end.saturating_sub(1),
        });
    }
    all.sort_by_key(|told| told.start);
    if !all.is_empty() {
        all.remove(0);
    }
    Ok(all)
}
