//! Starts Debian's `docker-registry` on a loopback address, where engines need no TLS.

use std::fs;
use std::net::TcpStream;

use super::daemon::Daemon;
use super::dist::Dist;
use super::free_address;
use crate::error::{Error, Result};
use crate::home::Home;

/// Starts the registry unless it runs; answers its `host:port`.
pub(super) fn start(home: &Home, native: &Dist) -> Result<String> {
    let daemon = Daemon {
        folder: home.daemon("registry"),
    };
    if daemon.process().is_some()
        && let Ok(address) = fs::read_to_string(daemon.folder.join("address"))
    {
        return Ok(address.trim().to_owned());
    }
    let program = native.check("docker-registry")?;
    daemon.stop()?;
    let storage = daemon.folder.join("root");
    fs::create_dir_all(&storage).map_err(Error::io("create", &storage))?;
    let address = free_address(&daemon.folder)?;
    let configuration = daemon.folder.join("config.yml");
    let storage = storage.display();
    let text = format!(
        "version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: \"{address}\"}}\n\
         storage: {{filesystem: {{rootdirectory: \"{storage}\"}}, delete: {{enabled: true}}}}\n"
    );
    fs::write(&configuration, text).map_err(Error::io("write", &configuration))?;
    let arguments = ["serve".into(), configuration.into_os_string()];
    daemon.start(&program, &arguments, &[], || TcpStream::connect(&address).is_ok())?;
    Ok(address)
}
