//! The Docker engines that a test can use.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::error::Error;
use crate::home::Home;
use crate::lock::EngineLock;
use crate::{http, scratch};

/// The engines that `testkit up` knows, in order.
pub(crate) const NAMES: [&str; 4] = ["d20", "d28", "d28c", "d29"];

/// Those that `UNSTALE_TEST_REQUIRE=all` asks for; `d29` is an extra.
const REQUIRED_BY_ALL: [&str; 5] = ["d20", "d28", "d28c", "buildkitd", "registry"];

/// Where an engine keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The graph-driver store: image ids are config digests, build cache and images share layers.
    Classic,
    /// The containerd image store: image ids are manifest or index digests.
    Containerd,
}

/// A Docker engine that answered.
#[derive(Debug)]
pub struct Engine {
    /// `d20`, `d28`, `d28c`, `d29`, or the name that `UNSTALE_TEST_ENGINES` gives it.
    pub name: String,
    /// Its Unix socket.
    pub socket: PathBuf,
    /// The same as a value for `DOCKER_HOST`.
    pub docker_host: String,
    /// Its own version, such as `28.5.2`.
    pub version: String,
    /// The newest API version that it speaks, such as `1.51`.
    pub api_version: String,
    /// Where it keeps images.
    pub store: Store,
}

impl Engine {
    /// Asks the engine on a socket who it is.
    ///
    /// # Errors
    /// When nothing answers there, or not as an engine would.
    pub fn probe(name: &str, socket: &Path) -> Result<Self, Error> {
        let version = http::json(socket, "GET", "/version")?;
        let info = http::json(socket, "GET", "/info")?;
        let text = |key: &str| version[key].as_str().unwrap_or_default().to_owned();
        let containerd = info["DriverStatus"]
            .to_string()
            .contains("io.containerd.snapshotter");
        Ok(Self {
            name: name.to_owned(),
            socket: socket.to_owned(),
            docker_host: format!("unix://{}", socket.display()),
            version: text("Version"),
            api_version: text("ApiVersion"),
            store: if containerd {
                Store::Containerd
            } else {
                Store::Classic
            },
        })
    }

    /// A program in a scrubbed environment that knows this engine only: `DOCKER_HOST`, a private `DOCKER_CONFIG` with
    /// the compose and buildx plugins, private `HOME`, `XDG_*` and `UNSTALE_STATE_DIR`, `LC_ALL=C`, and a `PATH` that
    /// begins with the client that suits. All of one test process share these; a [`crate::Project`] has its own.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        scratch::process().command(Some(self), program)
    }

    /// The `unstale` under test in that environment.
    pub fn unstale(&self) -> Command {
        self.command(scratch::unstale_binary())
    }

    /// Holds the engine alone: for tests that prune, clear, or read all of the engine's cache.
    pub fn exclusive(&self) -> EngineLock {
        self.lock(true)
    }

    /// Holds the engine beside others: for every other test, for as long as it uses the engine. Drop it before asking
    /// for the same engine alone: a test would wait for itself.
    pub fn shared(&self) -> EngineLock {
        self.lock(false)
    }

    /// A request to the engine's API with a JSON answer (`null` when the body is empty).
    ///
    /// # Errors
    /// When the engine does not answer, or not with a 2xx status.
    pub fn api(&self, method: &str, path: &str) -> Result<serde_json::Value, Error> {
        http::json(&self.socket, method, path)
    }

    fn lock(&self, exclusive: bool) -> EngineLock {
        EngineLock::take(&Home::from_env(), &self.name, exclusive)
            .unwrap_or_else(|error| panic!("engine {}: {}", self.name, error.full()))
    }
}

/// The engines that answer: those of `UNSTALE_TEST_ENGINES` (`d20=unix:///…,d28=…`, set but empty: none), else those
/// below the testkit's home. Asked once per process.
///
/// # Panics
/// When one that `UNSTALE_TEST_REQUIRE` names (or `all`) is not there.
pub fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let (mut found, mut reasons) = (Vec::new(), BTreeMap::new());
        for (name, socket) in candidates() {
            match Engine::probe(&name, &socket) {
                Ok(engine) => found.push(engine),
                Err(error) => drop(reasons.insert(name, error.full())),
            }
        }
        for name in NAMES.iter().filter(|name| required(name)) {
            let reason = reasons.get(*name).map_or("not started", String::as_str);
            assert!(
                found.iter().any(|engine| engine.name == *name),
                "required engine {name}: {reason}"
            );
        }
        found
    })
}

/// One engine by name, where it answers.
pub fn engine(name: &str) -> Option<&'static Engine> {
    engines().iter().find(|engine| engine.name == name)
}

/// Whether `UNSTALE_TEST_REQUIRE` asks for it.
pub(crate) fn required(name: &str) -> bool {
    let list = env::var("UNSTALE_TEST_REQUIRE").unwrap_or_default();
    list.split(',')
        .any(|entry| entry == name || entry == "all" && REQUIRED_BY_ALL.contains(&name))
}

/// `UNSTALE_TEST_ENGINES` as (name, address); `None` when it is unset.
pub(crate) fn listed() -> Option<Vec<(String, String)>> {
    let list = env::var("UNSTALE_TEST_ENGINES").ok()?;
    let entries = list.split(',').filter_map(|entry| entry.trim().split_once('='));
    Some(
        entries
            .map(|(name, address)| (name.to_owned(), address.to_owned()))
            .collect(),
    )
}

fn candidates() -> Vec<(String, PathBuf)> {
    let Some(listed) = listed() else {
        let home = Home::from_env();
        let started = NAMES.iter().map(|name| ((*name).to_owned(), home.socket(name)));
        return started.filter(|(_, socket)| socket.exists()).collect();
    };
    let engines = listed
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "buildkitd" | "registry"));
    engines
        .map(|(name, host)| (name, PathBuf::from(host.trim_start_matches("unix://"))))
        .collect()
}
