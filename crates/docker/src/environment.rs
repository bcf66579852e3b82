//! The environment as a value, so that everything decided from it can be tested without touching the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Environment variables and the home directory that go with them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn current() -> Self {
        Self::new(std::env::vars_os(), std::env::home_dir())
    }

    /// An environment made of `variables`; `home` is the user's home directory, if there is one.
    pub fn new<K, V>(variables: impl IntoIterator<Item = (K, V)>, home: Option<PathBuf>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { variables, home }
    }

    /// Sets a variable, as a shell's `NAME=value command` would for one command.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The value of `name`, unless it is unset, empty or not UTF-8. Docker takes an empty variable for an unset one.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(OsStr::to_str)
    }

    /// The value of `name`, unless it is unset or empty.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Every variable, empty ones too; what a child process gets.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The folder of Docker's client configuration: `DOCKER_CONFIG`, else `~/.docker`.
    pub fn docker_config_dir(&self) -> Option<PathBuf> {
        match self.var_os("DOCKER_CONFIG") {
            Some(dir) => Some(PathBuf::from(dir)),
            None => self.home.as_ref().map(|home| home.join(".docker")),
        }
    }

    /// The first executable file called `name` in the folders of `PATH`.
    pub fn find_program(&self, name: &str) -> Option<PathBuf> {
        let path = self.var_os("PATH")?;
        std::env::split_paths(path)
            .filter(|dir| dir.is_absolute())
            .find_map(|dir| executable(dir.join(name)))
    }
}

/// The path, if it is that of an executable file.
pub(crate) fn executable(path: PathBuf) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = std::fs::metadata(&path).ok()?;
    (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then_some(path)
}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("home", &self.home)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment = Environment::new([("DOCKER_HOST", "")], None);
        assert_eq!(environment.var("DOCKER_HOST"), None);
        assert_eq!(environment.variables().count(), 1);
    }

    #[test]
    fn docker_config_wins_over_the_home_directory() {
        let environment = Environment::new(Vec::<(&str, &str)>::new(), Some("/home/u".into()));
        assert_eq!(environment.docker_config_dir(), Some("/home/u/.docker".into()));
        assert_eq!(
            environment.with("DOCKER_CONFIG", "/cfg").docker_config_dir(),
            Some("/cfg".into())
        );
    }

    #[test]
    fn debug_shows_no_values() {
        let environment = Environment::new([("TOKEN", "hunter2")], None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn a_program_must_be_executable_to_be_found() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tool");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let environment = Environment::new([("PATH", dir.path())], None);
        assert_eq!(environment.find_program("tool"), None);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(environment.find_program("tool"), Some(program));
    }
}
