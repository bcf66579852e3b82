//! A bridge and an address range for each engine, away from those that the machine uses already.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::run::{bounded, output};
use crate::error::{Error, Result};

const LIMIT: Duration = Duration::from_secs(20);

/// Second numbers of the 10.x.0.0/16 ranges to choose from.
const RANGES: std::ops::Range<u8> = 210..250;

/// An engine's default bridge, and the range of the networks that it makes itself.
#[derive(Debug)]
pub(super) struct Network {
    /// The interface's name.
    pub(super) bridge: String,
    /// For `--default-address-pool`.
    pub(super) pool: String,
}

/// The interface's name of an engine below a home. Interface names have at most 15 bytes.
pub(super) fn bridge(home: &Path, engine: &str) -> String {
    let hash = Sha256::digest(home.as_os_str().as_encoded_bytes());
    format!("ut{}-{engine}", hex::encode(&hash[..3]))
}

/// Makes the bridge, with a range that the machine does not use.
pub(super) fn create(home: &Path, engine: &str) -> Result<Network> {
    // Engines start at the same time: without this, two would find the same range free.
    static CHOOSING: Mutex<()> = Mutex::new(());
    let _choosing = CHOOSING.lock().unwrap_or_else(PoisonError::into_inner);
    remove(home, engine);
    let bridge = bridge(home, engine);
    let used = ip(&["-4", "-oneline", "address"])? + &ip(&["-4", "route"])?;
    let taken = |range: &u8| {
        used.split_whitespace()
            .any(|word| word.starts_with(&format!("10.{range}.")))
    };
    let range = RANGES.clone().find(|range| !taken(range));
    let range = range.ok_or_else(|| Error::Unavailable("no free address range for a bridge".into()))?;
    ip(&["link", "add", &bridge, "type", "bridge"])?;
    ip(&["address", "add", &format!("10.{range}.0.1/24"), "dev", &bridge])?;
    ip(&["link", "set", &bridge, "up"])?;
    let pool = format!("base=10.{range}.128.0/17,size=24");
    Ok(Network { bridge, pool })
}

/// Removes the bridge of a stopped engine, and those of networks in its range: a killed one leaves them behind.
pub(super) fn remove(home: &Path, engine: &str) {
    let bridge = bridge(home, engine);
    let addresses = ip(&["-4", "-oneline", "address"]).unwrap_or_default();
    // `27: ut123456-d28 inet 10.210.0.1/24 …`
    let words = addresses.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        Some((words.next()?, words.nth(1)?))
    });
    let words: Vec<(&str, &str)> = words.collect();
    let own = words.iter().find(|(name, _)| *name == bridge);
    let range = own.and_then(|(_, address)| {
        RANGES
            .clone()
            .find(|range| address.starts_with(&format!("10.{range}.")))
    });
    for (name, address) in words {
        let in_range = range.is_some_and(|range| address.starts_with(&format!("10.{range}.")));
        if in_range && (name == bridge || name.starts_with("br-")) {
            let _ = ip(&["link", "delete", name]);
        }
    }
    let _ = ip(&["link", "delete", &bridge]);
}

fn ip(arguments: &[&str]) -> Result<String> {
    output(
        bounded(LIMIT, "ip")
            .env("PATH", super::system_path())
            .args(arguments),
    )
}
