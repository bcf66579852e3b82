//! Starts and stops the Docker daemons.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::daemon::Daemon;
use super::dist::Dist;
use super::run::{bounded, output};
use super::{go, images, network};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::http;

/// No garbage collection: on a nearly full disk it would empty the caches between two builds of a test.
const CONFIGURATION: &str = r#"{"builder": {"gc": {"enabled": false}}}"#;

/// The programs of one engine.
struct Programs {
    dockerd: PathBuf,
    /// The set that holds its containerd, docker-proxy and docker-init.
    dist: Dist,
}

/// Starts an engine, unless it answers already, and sees that it has the base images.
pub(super) fn start(home: &Home, name: &str, native: &Dist, testing: &Result<Dist>) -> Result<Engine> {
    let socket = home.socket(name);
    if !http::ping(&socket) {
        let programs = programs(home, name, native, testing)?;
        let daemon = Daemon {
            folder: home.daemon(name),
        };
        // What a killed daemon left behind would be in the way of a new one.
        daemon.stop()?;
        let _ = std::fs::remove_file(&socket);
        let network = network::create(home.path(), name)?;
        let below = |name: &str| daemon.folder.join(name).display().to_string();
        let configuration = daemon.folder.join("daemon.json");
        std::fs::create_dir_all(&daemon.folder).map_err(Error::io("create", &daemon.folder))?;
        std::fs::write(&configuration, CONFIGURATION).map_err(Error::io("write", &configuration))?;
        let mut arguments: Vec<String> = [
            "--config-file",
            &configuration.display().to_string(),
            "--host",
            &format!("unix://{}", socket.display()),
            "--data-root",
            &below("root"),
            "--exec-root",
            &below("exec"),
            "--pidfile",
            &below("dockerd.pid"),
            "--bridge",
            &network.bridge,
            "--default-address-pool",
            &network.pool,
            "--iptables=false",
            "--ip6tables=false",
        ]
        .map(str::to_owned)
        .into();
        // The 20.10 series has the classic store only, and not the flag; Engine 29 has the other one by default.
        let mut help = bounded(Duration::from_secs(20), &programs.dockerd);
        if output(help.arg("--help").env("LD_LIBRARY_PATH", native.libraries()))?.contains("--feature ") {
            arguments.push(format!(
                "--feature=containerd-snapshotter={}",
                matches!(name, "d28c" | "d29")
            ));
        }
        if name == "d29" {
            // The runc of Debian 12 does not know this kind of namespace.
            arguments.push("--feature=time-namespaces=false".to_owned());
        }
        let _ = std::fs::remove_file(daemon.folder.join("dockerd.pid"));
        // The addresses of an earlier start: dockerd would put them on the bridge again, used by others or not.
        let _ = std::fs::remove_dir_all(daemon.folder.join("root/network"));
        let path = programs.dist.search_path(&[native]);
        let libraries = native.libraries();
        let environment: [(&str, &OsStr); 2] = [("PATH", &path), ("LD_LIBRARY_PATH", &libraries)];
        let begin = || {
            daemon.start(&programs.dockerd, &arguments, &environment, || {
                http::ping(&socket)
            })
        };
        // On a busy disk containerd may take longer to open its database than dockerd waits for it; not so twice.
        begin().or_else(|_| begin())?;
        // Those of a daemon that was killed.
        clear(&socket)?;
    }
    images::load(&socket, &native.program("busybox")?)?;
    Engine::probe(name, &socket)
}

/// Removes the engine's containers and networks, then stops it.
pub(super) fn stop(home: &Home, name: &str) -> Result<()> {
    let socket = home.socket(name);
    if http::ping(&socket) {
        clear(&socket)?;
    }
    let folder = home.daemon(name);
    Daemon { folder }.stop()?;
    network::remove(home.path(), name);
    Ok(())
}

/// Removes containers and networks: the interfaces of networks would outlive the engine.
fn clear(socket: &Path) -> Result<()> {
    let containers = http::json(socket, "GET", "/containers/json?all=1")?;
    for container in containers.as_array().into_iter().flatten() {
        let id = container["Id"].as_str().unwrap_or_default();
        let _ = http::json(socket, "DELETE", &format!("/containers/{id}?force=1&v=1"));
    }
    http::json(socket, "POST", "/networks/prune").map(drop)
}

fn programs(home: &Home, name: &str, native: &Dist, testing: &Result<Dist>) -> Result<Programs> {
    if name == "d20" {
        return Ok(Programs {
            dockerd: native.check("dockerd")?,
            dist: native.clone(),
        });
    }
    let testing = testing
        .as_ref()
        .map_err(|error| Error::Unavailable(error.full()))?;
    let dockerd = match name {
        "d29" => go::program(home, &go::DOCKERD)?,
        _ => testing.check("dockerd")?,
    };
    Ok(Programs {
        dockerd,
        dist: testing.clone(),
    })
}
