//! The base images of every engine: `busybox` and `unstale-base`, made from the static busybox of the machine's own
//! release, byte for byte the same on all engines.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::run::{bounded, output};
use crate::error::{Error, Result};
use crate::http;

/// Every file's time (2024-01-01T00:00:00Z), so that a layer's digest is the same wherever and whenever it is made.
const TIME: u64 = 1_704_067_200;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n";
const APP_PASSWD: &str = "app:x:1000:1000:app:/home/app:/bin/sh\n";
const GROUP: &str = "root:x:0:\n";
const APP_GROUP: &str = "app:x:1000:\n";

/// Loads the images that the engine does not have yet, or has with another content.
pub(super) fn load(socket: &Path, busybox: &Path) -> Result<()> {
    let program = std::fs::read(busybox).map_err(Error::io("read", busybox))?;
    let applets = output(bounded(Duration::from_secs(20), busybox).arg("--list"))?;
    let mut applets: Vec<&str> = applets.lines().filter(|name| *name != "busybox").collect();
    applets.sort_unstable();
    for name in ["busybox", "unstale-base"] {
        let failed = |error| Error::io("make the image from", busybox)(error);
        let tar = layer(&program, &applets, name == "unstale-base").map_err(failed)?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&tar)));
        let present = http::json(socket, "GET", &format!("/images/{name}:latest/json")).unwrap_or_default();
        if present["RootFS"]["Layers"] == Value::from(vec![digest.as_str()]) {
            continue;
        }
        let changes = http::escape(r#"CMD ["sh"]"#);
        let path = format!("/images/create?fromSrc=-&repo={name}&tag=latest&changes={changes}");
        // The answer is a stream of progress, with an error as its last line if there is one.
        let mut progress = String::new();
        std::io::Read::read_to_string(&mut http::request(socket, "POST", &path, &tar)?, &mut progress)
            .map_err(Error::io("read from", socket))?;
        if progress.contains("\"error\"") {
            return Err(Error::Unavailable(format!(
                "cannot load {name}: {}",
                progress.trim()
            )));
        }
    }
    Ok(())
}

fn layer(busybox: &[u8], applets: &[&str], with_app: bool) -> std::io::Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let mut add = |name: &str, kind, mode, owner, content: &[u8], link: Option<&str>| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(TIME);
        header.set_size(content.len() as u64);
        match link {
            Some(target) => tar.append_link(&mut header, name, target),
            None => tar.append_data(&mut header, name, content),
        }
    };
    let app = |text: &str, more: &str| {
        if with_app {
            format!("{text}{more}")
        } else {
            text.to_owned()
        }
    };
    let (directory, file) = (EntryType::Directory, EntryType::Regular);
    add("bin/", directory, 0o755, 0, &[], None)?;
    add("bin/busybox", file, 0o755, 0, busybox, None)?;
    for applet in applets {
        add(
            &format!("bin/{applet}"),
            EntryType::Symlink,
            0o777,
            0,
            &[],
            Some("busybox"),
        )?;
    }
    add("etc/", directory, 0o755, 0, &[], None)?;
    add(
        "etc/group",
        file,
        0o644,
        0,
        app(GROUP, APP_GROUP).as_bytes(),
        None,
    )?;
    add(
        "etc/passwd",
        file,
        0o644,
        0,
        app(PASSWD, APP_PASSWD).as_bytes(),
        None,
    )?;
    if with_app {
        add("home/", directory, 0o755, 0, &[], None)?;
        add("home/app/", directory, 0o755, 1000, &[], None)?;
    }
    add("root/", directory, 0o700, 0, &[], None)?;
    add("tmp/", directory, 0o1777, 0, &[], None)?;
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_is_the_same_each_time_and_differs_by_the_user() {
        let make = |with_app| layer(b"program", &["sh", "cat"], with_app).expect("a layer");
        assert_eq!(make(false), make(false));
        assert_ne!(make(false), make(true));
    }
}
