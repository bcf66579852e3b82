//! `docker system dial-stdio` on another machine, through the user's own `ssh` program and configuration, exactly as
//! the Docker CLI does it (docker/cli, `cli/connhelper`).

use std::io;

use tokio::process::Command;

use super::program::{self, ProgramStream};
use crate::Host;

/// The arguments after `ssh`. There is no terminal to ask at, so ssh must not: `BatchMode` makes it fail instead.
fn arguments(host: &Host) -> Vec<String> {
    let Host::Ssh {
        user,
        host,
        port,
        socket,
    } = host
    else {
        return Vec::new();
    };
    let mut arguments: Vec<String> = ["-o", "ConnectTimeout=15", "-o", "BatchMode=yes", "-T"]
        .map(str::to_owned)
        .into();
    if let Some(user) = user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--", host, "docker"].map(str::to_owned));
    if let Some(socket) = socket {
        // The far shell splits and expands what it gets.
        let quoted = format!("'unix://{}'", socket.replace('\'', r"'\''"));
        arguments.extend(["--host".to_owned(), quoted]);
    }
    arguments.extend(["system", "dial-stdio"].map(str::to_owned));
    arguments
}

/// The command for a user to try.
pub(super) fn by_hand(host: &Host) -> String {
    let Host::Ssh { user, host, port, .. } = host else {
        return String::new();
    };
    let user = user
        .as_ref()
        .map(|user| format!("-l {user} "))
        .unwrap_or_default();
    let port = port.map(|port| format!("-p {port} ")).unwrap_or_default();
    format!("ssh {user}{port}{host} docker version")
}

pub(super) fn connect(host: &Host) -> io::Result<ProgramStream> {
    let mut command = Command::new("ssh");
    command.args(arguments(host));
    program::start("ssh", command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text, false).unwrap()
    }

    #[test]
    fn the_command_is_the_docker_clis() {
        let joined = arguments(&host("ssh://me@box:2222")).join(" ");
        assert_eq!(
            joined,
            "-o ConnectTimeout=15 -o BatchMode=yes -T -l me -p 2222 -- box docker system dial-stdio"
        );
        let joined = arguments(&host("ssh://box/run/o'dd.sock")).join(" ");
        assert!(
            joined.ends_with(r"-- box docker --host 'unix:///run/o'\''dd.sock' system dial-stdio"),
            "{joined}"
        );
    }
}
