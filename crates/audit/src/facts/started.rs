//! Which files a command of Compose takes that names none, and which services it starts.

use crate::compose::Service;
use crate::compose::project::ComposeProject;
use crate::docker::{Action, DockerCommand};

/// Whether a command starts a service: it names it or one that depends on it, or all, and asks for its profile.
pub fn starts_service(compose: &ComposeProject, command: &DockerCommand, service: &Service) -> bool {
    let Action::ComposeUp(up) = &command.action else {
        return true;
    };
    if up.services.is_empty() {
        let asked = command.project.iter().flat_map(|project| &project.profiles);
        let mut own = service.profiles.iter().map(|profile| profile.value.as_str());
        let asked: Vec<&str> = asked.map(String::as_str).collect();
        return service.profiles.is_empty() || own.any(|own| asked.contains(&own) || asked.contains(&"*"));
    }
    let mut wanted: Vec<&str> = up.services.iter().map(|service| service.text.as_str()).collect();
    let mut at = 0;
    while let Some(name) = wanted.get(at).copied() {
        // A variable can name any.
        if name == service.name || name.contains('$') {
            return true;
        }
        let more = compose
            .services
            .iter()
            .filter(|other| other.name == name && !up.no_deps);
        for dependency in more.flat_map(|other| &other.depends_on) {
            if !wanted.contains(&dependency.service.as_str()) {
                wanted.push(&dependency.service);
            }
        }
        at += 1;
    }
    false
}

/// What `COMPOSE_FILE` is set to in a script, a Makefile or a workflow.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// To nothing.
    Unset,
    /// To what only shows when it runs.
    Unknown,
    /// To these files.
    Files(Vec<String>),
}

/// Reads it. A line that sets it counts wherever it stands.
pub(super) fn files_of_variable(text: &str) -> Variable {
    const NAME: &str = "COMPOSE_FILE";
    let mut found = Variable::Unset;
    for (at, _) in text.match_indices(NAME) {
        let is_whole =
            !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '{'));
        let rest = text[at + NAME.len()..].trim_start_matches([' ', '\t']);
        let value = ["?=", ":=", "=", ": "]
            .iter()
            .find_map(|sign| rest.strip_prefix(sign));
        let Some(value) = value.filter(|_| is_whole) else {
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        let word = value
            .split([' ', '\t', '\n', '\r', ';', '&'])
            .next()
            .unwrap_or_default()
            .trim_matches(['"', '\'']);
        let files: Vec<String> = word.split(':').map(str::to_owned).collect();
        // Set twice, it can be either.
        found = match found {
            Variable::Unset if !word.is_empty() && !word.contains('$') => Variable::Files(files),
            _ => Variable::Unknown,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_files_is_read() {
        let files = |names: &[&str]| Variable::Files(names.iter().map(|name| (*name).to_owned()).collect());
        for (text, expected) in [
            (
                "COMPOSE_FILE ?= ../docker/local.yml\n",
                files(&["../docker/local.yml"]),
            ),
            (
                "export COMPOSE_FILE=\"a.yml:b.yml\"; docker compose up\n",
                files(&["a.yml", "b.yml"]),
            ),
            ("env:\n  COMPOSE_FILE: a.yml\n", files(&["a.yml"])),
            ("COMPOSE_FILE=$ROOT/a.yml\n", Variable::Unknown),
            ("COMPOSE_FILE=a.yml\nCOMPOSE_FILE=b.yml\n", Variable::Unknown),
            ("docker compose -f $COMPOSE_FILE up\n", Variable::Unset),
            ("MY_COMPOSE_FILE=a.yml\n", Variable::Unset),
        ] {
            assert_eq!(files_of_variable(text), expected, "{text}");
        }
    }
}
