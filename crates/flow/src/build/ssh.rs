//! ssh for RUN steps: the user's agent, another agent's socket, or keys in an agent of the build's own.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use unstale_docker::compose::Ssh;

/// How long an agent may take to offer its socket, and a key to be added.
const BOUND: Duration = Duration::from_secs(20);

/// Why ssh cannot be offered to the build.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// There is no agent to forward.
    #[error("ssh {id:?}: no agent runs (SSH_AUTH_SOCK is not set)")]
    NoAgent {
        /// The id in the Dockerfile.
        id: String,
    },
    /// The socket or key is not there.
    #[error("ssh {id:?}: cannot use {}", path.display())]
    Path {
        /// The id in the Dockerfile.
        id: String,
        /// The socket or key.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key could not be given to an agent.
    #[error("ssh {id:?}: cannot add the key {}: {reason}", path.display())]
    Key {
        /// The id in the Dockerfile.
        id: String,
        /// The key.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

impl SshError {
    /// A way forward.
    pub fn hint(&self) -> Option<String> {
        match self {
            SshError::NoAgent { .. } => Some("start one and add a key: eval $(ssh-agent); ssh-add".into()),
            SshError::Path { .. } => Some("name a key file or an agent's socket".into()),
            SshError::Key { .. } => {
                Some("a key with a passphrase must be in your own agent (ssh: default)".into())
            }
        }
    }
}

/// The agents of one build. Those that were started for it end with this value.
#[derive(Default)]
pub struct Agents {
    sockets: HashMap<String, PathBuf>,
    started: Vec<(Child, tempfile::TempDir)>,
}

impl Agents {
    /// Makes every entry available as an agent's socket.
    pub async fn start(entries: &[Ssh]) -> Result<Agents, SshError> {
        let mut agents = Agents::default();
        // Several keys may stand under one id: they share an agent.
        let mut keys: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for Ssh { id, path } in entries {
            let Some(path) = path else {
                let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
                let socket = socket.ok_or_else(|| SshError::NoAgent { id: id.clone() })?;
                agents.sockets.insert(id.clone(), socket.into());
                continue;
            };
            let metadata = std::fs::metadata(path);
            let metadata = metadata.map_err(|source| SshError::Path {
                id: id.clone(),
                path: path.clone(),
                source,
            })?;
            if metadata.file_type().is_socket() {
                agents.sockets.insert(id.clone(), path.clone());
            } else {
                keys.entry(id.clone()).or_default().push(path.clone());
            }
        }
        for (id, keys) in keys {
            agents.start_with_keys(id, &keys).await?;
        }
        Ok(agents)
    }

    /// The sockets by id.
    pub fn sockets(&self) -> HashMap<String, PathBuf> {
        self.sockets.clone()
    }

    async fn start_with_keys(&mut self, id: String, keys: &[PathBuf]) -> Result<(), SshError> {
        let failed = |path: &Path, reason: String| SshError::Key {
            id: id.clone(),
            path: path.to_path_buf(),
            reason,
        };
        let first = keys.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
        let folder = tempfile::Builder::new().prefix("unstale-ssh-").tempdir();
        let folder = folder.map_err(|error| failed(first, error.to_string()))?;
        let socket = folder.path().join("agent");
        let mut agent = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(first, format!("cannot start ssh-agent: {error}")))?;
        // The agent prints its socket once it listens there.
        if let Some(stdout) = agent.stdout.take() {
            use tokio::io::AsyncBufReadExt;
            let mut line = String::new();
            let mut stdout = tokio::io::BufReader::new(stdout);
            let ready = tokio::time::timeout(BOUND, stdout.read_line(&mut line)).await;
            if !matches!(ready, Ok(Ok(1..))) {
                return Err(failed(first, "ssh-agent did not start".to_owned()));
            }
        }
        for key in keys {
            let add = Command::new("ssh-add")
                .arg("-q")
                .arg(key)
                .env("SSH_AUTH_SOCK", &socket)
                // A question for a passphrase would wait behind the build's output.
                .env("SSH_ASKPASS_REQUIRE", "never")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .output();
            let output = tokio::time::timeout(BOUND, add)
                .await
                .map_err(|_| failed(key, format!("ssh-add did not end within {} s", BOUND.as_secs())))?
                .map_err(|error| failed(key, format!("cannot start ssh-add: {error}")))?;
            if !output.status.success() {
                return Err(failed(
                    key,
                    String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                ));
            }
        }
        self.sockets.insert(id, socket);
        self.started.push((agent, folder));
        Ok(())
    }
}
