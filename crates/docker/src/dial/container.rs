//! A BuildKit in a container, through `docker exec`, as buildx reaches those of its driver `docker-container`.

use std::io;

use tokio::process::Command;

use super::{Stream, program};

/// The engine that the container is in, as one of Docker's own flags names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerEngine {
    /// `--host`: an address.
    Host(String),
    /// `--context`: a context of Docker's.
    Context(String),
}

impl ContainerEngine {
    /// What buildx writes for a node: an address, or the name of a context.
    pub fn of_endpoint(endpoint: &str) -> Self {
        if endpoint.contains("://") {
            Self::Host(endpoint.to_owned())
        } else {
            Self::Context(endpoint.to_owned())
        }
    }

    /// The arguments of `docker`.
    fn arguments(&self, container: &str) -> Vec<String> {
        // The value is part of the flag: one that begins with a dash stays a value.
        let engine = match self {
            Self::Host(address) => format!("--host={address}"),
            Self::Context(name) => format!("--context={name}"),
        };
        let rest = ["exec", "--interactive", "--", container, "buildctl", "dial-stdio"];
        let rest = rest.into_iter().map(str::to_owned);
        std::iter::once(engine).chain(rest).collect()
    }
}

/// Connects to the BuildKit that runs in a container.
///
/// # Errors
/// If there is no `docker` program. That the container does not run shows when the stream is read.
pub fn dial_container(engine: &ContainerEngine, container: &str) -> io::Result<Box<dyn Stream>> {
    let mut command = Command::new("docker");
    command.args(engine.arguments(container));
    Ok(Box::new(program::start("docker exec", command)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_or_a_context() {
        let arguments = |endpoint: &str| ContainerEngine::of_endpoint(endpoint).arguments("box");
        assert_eq!(arguments("unix:///d.sock")[0], "--host=unix:///d.sock");
        assert_eq!(arguments("-x")[0], "--context=-x");
        assert_eq!(
            arguments("far")[1..],
            ["exec", "--interactive", "--", "box", "buildctl", "dial-stdio"]
        );
    }
}
