//! Starts and stops the engines: what `testkit up` and `testkit down` do.
//!
//! Each daemon has a folder below the home with its socket, data, pid file and log. One that cannot be had on this
//! machine is left out with its reason; the others start all the same.

mod apt;
mod buildkitd;
mod daemon;
mod dist;
mod dockerd;
mod go;
mod images;
mod network;
mod registry;
mod run;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use daemon::Daemon;
use dist::Dist;

use crate::engine::{Engine, NAMES};
use crate::error::{Error, Result};
use crate::home::Home;

/// Everything that can be started, in the order in which it is listed.
pub const ALL: [&str; 6] = ["d20", "d28", "d28c", "d29", "buildkitd", "registry"];

/// What became of each daemon that was asked for.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Name → address (a `DOCKER_HOST`, a BuildKit address, a registry's host) and a description.
    pub running: BTreeMap<String, (String, String)>,
    /// Name → why it is not there.
    pub left_out: BTreeMap<String, String>,
}

/// Gets what is missing and starts the named daemons; all at once, as each waits mostly for itself.
///
/// # Errors
/// When the home cannot be used at all.
pub fn up(home: &Home, names: &[&str], fresh: bool) -> Result<Outcome> {
    home.create()?;
    let _lock = lock(home)?;
    sweep(home);
    if fresh {
        for name in names {
            stop(home, name)?;
            let folder = home.daemon(name);
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
            }
        }
    }
    let mut outcome = Outcome::default();
    let native = match prepare(home) {
        Ok(native) => native,
        Err(error) => {
            let reason = error.full();
            outcome.left_out = names
                .iter()
                .map(|name| ((*name).to_owned(), reason.clone()))
                .collect();
            return Ok(outcome);
        }
    };
    let testing = Dist::testing(home);
    dist::link_client(
        home,
        &testing
            .as_ref()
            .ok()
            .into_iter()
            .chain([&native])
            .collect::<Vec<_>>(),
    )?;
    // BuildKit's configuration names the registry, so that one starts first.
    let mut registry = fs::read_to_string(home.daemon("registry").join("address")).ok();
    if names.contains(&"registry") {
        let started = registry::start(home, &native);
        registry = started.as_ref().ok().cloned().or(registry);
        outcome.add(
            "registry",
            started.map(|host| (host, "docker-registry".to_owned())),
        );
    }
    thread::scope(|scope| {
        let mut started = Vec::new();
        for name in names.iter().filter(|name| **name != "registry") {
            let (native, testing, registry) = (&native, &testing, registry.as_deref().map(str::trim));
            let start = move || match *name {
                "buildkitd" => buildkitd::start(home, native, registry),
                _ => dockerd::start(home, name, native, testing).map(|engine| describe(&engine)),
            };
            started.push((name, scope.spawn(start)));
        }
        for (name, thread) in started {
            let panicked = |_| Err(Error::Unavailable("the testkit panicked".into()));
            outcome.add(name, thread.join().unwrap_or_else(panicked));
        }
    });
    Ok(outcome)
}

/// Stops the named daemons by the pids that they were started with, waits until they are gone and unmounts what they
/// left below the home. Goes on after a failure; answers the failures.
///
/// # Errors
/// When the home cannot be used at all.
pub fn down(home: &Home, names: &[&str]) -> Result<BTreeMap<String, Error>> {
    if !home.path().exists() {
        return Ok(BTreeMap::new());
    }
    home.create()?;
    let _lock = lock(home)?;
    sweep(home);
    let stopped = thread::scope(|scope| {
        let threads: Vec<_> = names
            .iter()
            .map(|name| (name, scope.spawn(|| stop(home, name))))
            .collect();
        let joined = threads.into_iter().map(|(name, thread)| (*name, thread.join()));
        joined.collect::<Vec<_>>()
    });
    let failed = stopped.into_iter().filter_map(|(name, result)| {
        let result = result.unwrap_or_else(|_| Err(Error::Unavailable("the testkit panicked".into())));
        result.err().map(|error| (name.to_owned(), error))
    });
    Ok(failed.collect())
}

/// What runs below the home now; nothing is left out here, as nothing was asked for.
pub fn status(home: &Home) -> Outcome {
    let mut outcome = Outcome::default();
    for name in NAMES {
        if let Ok(engine) = Engine::probe(name, &home.socket(name)) {
            outcome.add(name, Ok(describe(&engine)));
        }
    }
    for name in ["buildkitd", "registry"] {
        let daemon = Daemon {
            folder: home.daemon(name),
        };
        if daemon.process().is_some() {
            let address = fs::read_to_string(daemon.folder.join("address")).unwrap_or_default();
            let unix = format!("unix://{}", home.socket(name).display());
            let address = if name == "registry" {
                address.trim().to_owned()
            } else {
                unix
            };
            outcome.add(name, Ok((address, name.to_owned())));
        }
    }
    outcome
}

impl Outcome {
    /// `name=address,…`: the value of `UNSTALE_TEST_ENGINES`.
    pub fn list(&self) -> String {
        let entries = ALL
            .iter()
            .filter_map(|name| Some(format!("{name}={}", self.running.get(*name)?.0)));
        entries.collect::<Vec<_>>().join(",")
    }

    fn add(&mut self, name: &str, result: Result<(String, String)>) {
        match result {
            Ok(running) => drop(self.running.insert(name.to_owned(), running)),
            Err(error) => drop(self.left_out.insert(name.to_owned(), error.full())),
        }
    }
}

fn describe(engine: &Engine) -> (String, String) {
    let Engine {
        version,
        api_version,
        store,
        ..
    } = engine;
    (
        engine.docker_host.clone(),
        format!("Docker Engine {version}, API {api_version}, {store:?} store"),
    )
}

fn prepare(home: &Home) -> Result<Dist> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Unavailable("engines need root".into()));
    }
    if dist::find_system("apt-get").is_none() {
        return Err(Error::Unavailable(
            "no apt-get on this machine: not Debian or Ubuntu".into(),
        ));
    }
    dist::system_programs()?;
    Dist::native(home)
}

fn stop(home: &Home, name: &str) -> Result<()> {
    if NAMES.contains(&name) {
        dockerd::stop(home, name)
    } else {
        Daemon {
            folder: home.daemon(name),
        }
        .stop()
    }
}

/// One `up` or `down` at a time.
fn lock(home: &Home) -> Result<fs::File> {
    let file = home.lock_file("up")?;
    file.lock().map_err(Error::io("lock", home.join("locks/up")))?;
    Ok(file)
}

/// Removes the temporary folders of test processes that are gone.
fn sweep(home: &Home) {
    for entry in fs::read_dir(home.join("tmp")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.split('-').next())
            .unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A loopback address for a daemon: the one that it had before, if it is still free. Noted in its folder.
fn free_address(folder: &Path) -> Result<String> {
    let note = folder.join("address");
    let before = fs::read_to_string(&note).unwrap_or_default();
    let listener = TcpListener::bind(before.trim()).or_else(|_| TcpListener::bind("127.0.0.1:0"));
    let address = listener
        .and_then(|listener| listener.local_addr())
        .map_err(Error::io("listen for", folder))?;
    fs::write(&note, format!("{address}\n")).map_err(Error::io("write", &note))?;
    Ok(address.to_string())
}

/// `PATH` with the folders of system programs, which a user's own often lacks.
fn system_path() -> OsString {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&inherited).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    env::join_paths(folders).unwrap_or(inherited)
}
