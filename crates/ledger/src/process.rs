//! Which process ran a build, told apart from a later process of the same number.
//!
//! On Linux a process is known by its number together with the boot it lives in, its PID namespace and its start time
//! (field 22 of `/proc/<pid>/stat`, in clock ticks since boot). Elsewhere only the number is known, and a build that
//! was never finished stays "running": absence of proof is not taken for an end.

use std::fs;

use serde::Serialize;

/// One process, for all time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: u32,
    /// `<boot id> <pid namespace> <start time>`, where the system tells them.
    pub start: Option<String>,
}

impl ProcessIdentity {
    /// The process that calls.
    pub fn current() -> Self {
        let pid = std::process::id();
        let start = boot_id().and_then(|boot| {
            let Stat::Alive(ticks) = stat(pid) else {
                return None;
            };
            Some(format!("{boot} {} {ticks}", pid_namespace()?))
        });
        Self { pid, start }
    }

    /// Whether the process is known to have ended. `false` also when that cannot be told: on a system without
    /// `/proc`, or for a process of another PID namespace (a container) of the same boot.
    pub fn is_gone(&self) -> bool {
        let Some(start) = &self.start else { return false };
        let mut parts = start.split(' ');
        let (Some(boot), Some(namespace), Some(ticks)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let Some(current_boot) = boot_id() else {
            return false;
        };
        if boot != current_boot {
            return true;
        }
        if pid_namespace().as_deref() != Some(namespace) {
            return false;
        }
        match stat(self.pid) {
            Stat::Alive(now) => now != ticks,
            Stat::Gone => true,
            Stat::Unknown => false,
        }
    }
}

enum Stat {
    Alive(String),
    Gone,
    Unknown,
}

/// Start time of a process in clock ticks since boot. A zombie has ended.
fn stat(pid: u32) -> Stat {
    // The command name is arbitrary bytes.
    let text = match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Stat::Gone,
        // The process ended between opening and reading.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            return Stat::Gone;
        }
        Err(_) => return Stat::Unknown,
    };
    // The command name may hold spaces and parentheses: the fields after it begin behind the last one.
    let Some((_, fields)) = text.rsplit_once(')') else {
        return Stat::Unknown;
    };
    let mut fields = fields.split_ascii_whitespace();
    match (fields.next(), fields.nth(18)) {
        (Some("Z" | "X" | "x"), _) => Stat::Gone,
        (Some(_), Some(ticks)) => Stat::Alive(ticks.to_owned()),
        _ => Stat::Unknown,
    }
}

fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty() && !id.contains(' '))
}

fn pid_namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid")
        .ok()?
        .into_os_string()
        .into_string()
        .ok()
}
