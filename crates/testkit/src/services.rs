//! What tests use beside the engines: a stand-alone BuildKit, a registry; and how they say that something is missing.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, thread};

use crate::engine::{listed, required};
use crate::home::Home;
use crate::lock::EngineLock;

/// A stand-alone BuildKit daemon that answers.
#[derive(Debug, Clone)]
pub struct Buildkitd {
    /// Its Unix socket, as `unix:///…`.
    pub unix: String,
    /// Its TCP socket with mutual TLS, as `tcp://127.0.0.1:port`.
    pub tcp: String,
    /// The authority's certificate (PEM).
    pub ca: PathBuf,
    /// The client's certificate (PEM).
    pub cert: PathBuf,
    /// The client's key (PEM, PKCS #8).
    pub key: PathBuf,
}

impl Buildkitd {
    /// Holds it alone: to prune, clear, or read all of its cache. Whoever holds an engine as well takes that one first.
    pub fn exclusive(&self) -> EngineLock {
        Self::lock(true)
    }

    /// Holds it beside others, for as long as it is used.
    pub fn shared(&self) -> EngineLock {
        Self::lock(false)
    }

    fn lock(exclusive: bool) -> EngineLock {
        EngineLock::take(&Home::from_env(), "buildkitd", exclusive)
            .unwrap_or_else(|error| panic!("buildkitd: {}", error.full()))
    }
}

/// An image registry without TLS on a loopback address.
#[derive(Debug, Clone)]
pub struct Registry {
    /// `127.0.0.1:port`, the first part of an image's name.
    pub host: String,
}

/// The BuildKit daemon, where it answers.
///
/// # Panics
/// When `UNSTALE_TEST_REQUIRE` names it and it does not answer.
pub fn buildkitd() -> Option<Buildkitd> {
    let home = Home::from_env();
    let socket = address("buildkitd").map(|unix| PathBuf::from(unix.trim_start_matches("unix://")));
    let found = socket
        .filter(|socket| UnixStream::connect(socket).is_ok())
        .and_then(|socket| {
            let tcp = fs::read_to_string(home.daemon("buildkitd").join("address")).ok()?;
            let certificate = |name| home.join("certificates").join(name);
            Some(Buildkitd {
                unix: format!("unix://{}", socket.display()),
                tcp: format!("tcp://{}", tcp.trim()),
                ca: certificate("ca.pem"),
                cert: certificate("client.pem"),
                key: certificate("client-key.pem"),
            })
        });
    assert!(
        found.is_some() || !required("buildkitd"),
        "required buildkitd does not answer"
    );
    found
}

/// The registry, where it answers.
///
/// # Panics
/// When `UNSTALE_TEST_REQUIRE` names it and it does not answer.
pub fn registry() -> Option<Registry> {
    let answers = |host: &String| {
        let address: Option<SocketAddr> = host.parse().ok();
        address.is_some_and(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok())
    };
    let found = address("registry").filter(answers).map(|host| Registry { host });
    assert!(
        found.is_some() || !required("registry"),
        "required registry does not answer"
    );
    found
}

/// Says that the running test cannot be done here: `left out: <test>: <reason>`, on standard output and, as a passing
/// test's output is not shown, as a line of the file that `UNSTALE_TEST_LEFT_OUT` names.
///
/// # Panics
/// When `UNSTALE_TEST_REQUIRE` is `all`: then nothing may be missing.
pub fn left_out(reason: &str) {
    let current = thread::current();
    let line = format!("left out: {}: {reason}", current.name().unwrap_or("?"));
    assert!(env::var("UNSTALE_TEST_REQUIRE").as_deref() != Ok("all"), "{line}");
    let _ = writeln!(std::io::stdout(), "{line}");
    if let Some(path) = env::var_os("UNSTALE_TEST_LEFT_OUT")
        && let Ok(mut file) = File::options().create(true).append(true).open(path)
    {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// Where a service is: as `UNSTALE_TEST_ENGINES` says, when that is set; else below the testkit's home.
fn address(name: &str) -> Option<String> {
    if let Some(listed) = listed() {
        return listed
            .into_iter()
            .find(|(listed, _)| listed == name)
            .map(|(_, address)| address);
    }
    let home = Home::from_env();
    match name {
        "registry" => fs::read_to_string(home.daemon(name).join("address"))
            .ok()
            .map(|host| host.trim().to_owned()),
        _ => Some(format!("unix://{}", home.socket(name).display())),
    }
}
