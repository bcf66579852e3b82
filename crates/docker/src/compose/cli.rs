//! Finding and running the Compose CLI.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::{ComposeError, Project, parse, rules, v1, yaml};
use crate::child::{self, Finished};
use crate::environment::{self, Environment};

/// Compose answers these at once; the bound is for a machine under load.
const VERSION_LIMIT: Duration = Duration::from_secs(30);

/// A project may include others from git or OCI registries, which takes its time.
const CONFIG_LIMIT: Duration = Duration::from_secs(300);

/// A version of Compose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As printed, without a leading `v`: `2.40.3-3`, `1.29.2`.
    pub text: String,
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
}

impl Version {
    /// Reads what `version --short` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let mut numbers = text.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Self {
            text: text.to_owned(),
            major,
            minor,
        })
    }

    /// The value of the label `com.docker.compose.version`: three numbers, without what a distribution adds.
    pub fn label(&self) -> String {
        let end = self
            .text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(self.text.len());
        self.text[..end].to_owned()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Which project, by Compose's own flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectOptions {
    /// `-f`, in order.
    pub files: Vec<PathBuf>,
    /// `-p`
    pub project_name: Option<String>,
    /// `--project-directory`
    pub project_directory: Option<PathBuf>,
    /// `--profile`
    pub profiles: Vec<String>,
    /// `--env-file`
    pub env_files: Vec<PathBuf>,
    /// The folder that Compose runs in; [`None`] is the process's own.
    pub cwd: Option<PathBuf>,
}

impl ProjectOptions {
    /// Whether variables may come from a file: from one that is named, or from a `.env` beside what Compose reads. It
    /// looks in the project's folder, which is that of the first file, and in the folder that it runs in.
    fn may_have_env_file(&self, environment: &Environment) -> bool {
        let is_named = ["COMPOSE_FILE", "COMPOSE_ENV_FILES"]
            .iter()
            .any(|name| environment.var_os(name).is_some());
        let Some(cwd) = self.cwd.clone().or_else(|| std::env::current_dir().ok()) else {
            return true;
        };
        let above = cwd.ancestors().map(Path::to_path_buf);
        let files = self
            .files
            .iter()
            .filter_map(|file| cwd.join(file).parent().map(Path::to_path_buf));
        let given = self.project_directory.iter().map(|folder| cwd.join(folder));
        let mut folders = above.chain(files).chain(given);
        is_named
            || !self.env_files.is_empty()
            || folders.any(|folder| folder.join(".env").symlink_metadata().is_ok())
    }

    fn arguments(&self) -> Vec<OsString> {
        // `--flag=value` in one: a value that begins with a dash stays a value.
        let flag = |name: &str, value: &dyn AsRef<std::ffi::OsStr>| {
            let mut argument = OsString::from(format!("--{name}="));
            argument.push(value);
            argument
        };
        let mut arguments = Vec::new();
        arguments.extend(self.files.iter().map(|file| flag("file", file)));
        arguments.extend(self.project_name.iter().map(|name| flag("project-name", name)));
        arguments.extend(
            self.project_directory
                .iter()
                .map(|dir| flag("project-directory", dir)),
        );
        arguments.extend(self.profiles.iter().map(|profile| flag("profile", profile)));
        arguments.extend(self.env_files.iter().map(|file| flag("env-file", file)));
        arguments
    }
}

/// Where the Docker CLI looks for its plugins beside the user's own folder (docker/cli, `cli-plugins/manager`).
const PLUGIN_FOLDERS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// The Compose CLI of this machine.
#[derive(Debug, Clone)]
pub struct Compose {
    program: PathBuf,
    way: Way,
    version: Version,
    environment: Environment,
}

/// How the program is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The plugin itself. `docker compose` starts the same one, and two more processes before it.
    Plugin,
    /// `docker compose`
    Docker,
    /// `docker-compose`
    StandAlone,
}

/// A project as Compose resolves it.
#[derive(Debug)]
pub struct Resolved {
    /// What resolved it.
    pub compose: Compose,
    /// The project.
    pub project: Project,
    /// The environment that it is resolved with: see [`Compose::project_environment`].
    pub variables: BTreeMap<String, String>,
}

impl Compose {
    /// Finds Compose, and resolves a project: [`Compose::find`], [`Compose::config`] and
    /// [`Compose::project_environment`] in the time of the longest of them where that can be.
    pub async fn resolve(
        environment: &Environment,
        options: &ProjectOptions,
        services: &[String],
    ) -> Result<Resolved, ComposeError> {
        if let Some(mut compose) = Self::plugin(environment, &PLUGIN_FOLDERS) {
            let (version, project, variables) = tokio::join!(
                compose.ask_version(),
                compose.config(options, services),
                compose.project_environment(options)
            );
            if let Ok(version) = version
                && version.major >= 2
            {
                compose.version = version;
                return Ok(Resolved {
                    project: project?,
                    variables: compose.if_known(variables)?,
                    compose,
                });
            }
        }
        let compose = Self::find(environment).await?;
        let (project, variables) = tokio::join!(
            compose.config(options, services),
            compose.project_environment(options)
        );
        Ok(Resolved {
            project: project?,
            variables: variables?,
            compose,
        })
    }

    /// As [`Compose::resolve`], for those who build nothing: a plugin that answers is not asked for its version, so the
    /// images' label of it is missing.
    pub async fn resolve_to_look(
        environment: &Environment,
        options: &ProjectOptions,
        services: &[String],
    ) -> Result<Resolved, ComposeError> {
        if let Some(compose) = Self::plugin(environment, &PLUGIN_FOLDERS) {
            let (project, variables) = tokio::join!(
                compose.config(options, services),
                compose.project_environment(options)
            );
            if let (Ok(project), Ok(variables)) = (project, variables) {
                return Ok(Resolved {
                    compose,
                    project,
                    variables,
                });
            }
        }
        Self::resolve(environment, options, services).await
    }

    /// Finds Compose: the plugin `docker compose`, else the stand-alone `docker-compose` (v2 or v1). Every later call
    /// runs it with `environment`.
    pub async fn find(environment: &Environment) -> Result<Self, ComposeError> {
        Self::find_in(environment, &PLUGIN_FOLDERS).await
    }

    async fn find_in(environment: &Environment, folders: &[&str]) -> Result<Self, ComposeError> {
        let mut tried = Vec::new();
        let plugin = Self::plugin(environment, folders);
        let named = [("docker", Way::Docker), ("docker-compose", Way::StandAlone)];
        let named = named.into_iter().filter_map(|(name, way)| {
            let program = environment.find_program(name);
            if program.is_none() {
                tried.push(format!("no {name} on PATH"));
            }
            Some(Self::at(program?, way, environment))
        });
        let candidates: Vec<Self> = plugin.into_iter().chain(named).collect();
        for mut compose in candidates {
            match compose.ask_version().await {
                Ok(version) => {
                    compose.version = version;
                    return Ok(compose);
                }
                // `docker compose` says the same.
                Err(_) if compose.way == Way::Plugin => {}
                Err(ComposeError::Output { .. }) => {
                    tried.push(format!("{} printed no version", compose.command()));
                }
                Err(error) => {
                    let reason = match error {
                        ComposeError::Refused { message, .. } => message.clone(),
                        error => error.to_string(),
                    };
                    let reason = reason.lines().next().unwrap_or_default();
                    tried.push(match compose.way {
                        Way::StandAlone => format!("docker-compose does not work ({reason})"),
                        _ => format!("docker has no usable compose plugin ({reason})"),
                    });
                }
            }
        }
        Err(ComposeError::Missing {
            tried: tried.join("; "),
        })
    }

    /// The plugin that `docker compose` would start, called as a program of its own.
    fn plugin(environment: &Environment, folders: &[&str]) -> Option<Self> {
        environment.find_program("docker")?;
        let own = environment.docker_config_dir().map(|dir| dir.join("cli-plugins"));
        let mut folders = own.into_iter().chain(folders.iter().map(PathBuf::from));
        let program = folders.find_map(|folder| environment::executable(folder.join("docker-compose")))?;
        Some(Self::at(program, Way::Plugin, environment))
    }

    fn at(program: PathBuf, way: Way, environment: &Environment) -> Self {
        Self {
            program,
            way,
            // Plugins begin with 2; what it is exactly, it is asked.
            version: Version {
                text: String::new(),
                major: 2,
                minor: u64::MAX,
            },
            environment: environment.clone(),
        }
    }

    async fn ask_version(&self) -> Result<Version, ComposeError> {
        let options = ProjectOptions::default();
        let stdout = self
            .run(&options, &["version", "--short"], &[], VERSION_LIMIT)
            .await?;
        let text = String::from_utf8_lossy(&stdout);
        Version::parse(&text).ok_or_else(|| ComposeError::Output {
            command: format!("{} version", self.command()),
            source: "no version in it".into(),
        })
    }

    /// Which version it is.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// How a user calls it.
    pub fn command(&self) -> &'static str {
        match self.way {
            Way::Plugin | Way::Docker => "docker compose",
            Way::StandAlone => "docker-compose",
        }
    }

    /// Resolves a project. With `services`, only these must be part of it, and they are even if their profile is
    /// inactive; what they depend on, and what their `additional_contexts` name, comes along.
    pub async fn config(
        &self,
        options: &ProjectOptions,
        services: &[String],
    ) -> Result<Project, ComposeError> {
        let mut wanted: BTreeSet<String> = services.iter().cloned().collect();
        loop {
            let project = self.config_of(options, &wanted).await?;
            let absent: Vec<String> = wanted
                .iter()
                .filter_map(|name| project.services.get(name))
                .flat_map(rules::service_contexts)
                .filter(|name| !project.services.contains_key(*name) && !wanted.contains(*name))
                .map(str::to_owned)
                .collect();
            if absent.is_empty() {
                return Ok(project);
            }
            wanted.extend(absent);
        }
    }

    async fn config_of(
        &self,
        options: &ProjectOptions,
        services: &BTreeSet<String>,
    ) -> Result<Project, ComposeError> {
        // v1 has no selection of services here; it prints all.
        let services: Vec<&String> = services.iter().filter(|_| self.version.major >= 2).collect();
        let document = if self.version.major < 2 {
            self.config_yaml(options, &services).await?
        } else {
            match self
                .run(options, &["config", "--format", "json"], &services, CONFIG_LIMIT)
                .await
            {
                Ok(stdout) => serde_json::from_slice(&stdout).map_err(|error| self.misprint(error))?,
                // Compose 2.x prints `build.ssh` with a path as invalid JSON and fails on it, but as sound YAML.
                Err(ComposeError::Refused { message, .. }) if message.contains("MarshalJSON") => {
                    self.config_yaml(options, &services).await?
                }
                Err(error) => return Err(error),
            }
        };
        let mut project = parse::project(document)?;
        if self.version.major < 2 {
            project.name = v1::project_name(options, &self.environment);
        }
        Ok(project)
    }

    async fn config_yaml(
        &self,
        options: &ProjectOptions,
        services: &[&String],
    ) -> Result<Value, ComposeError> {
        let stdout = self.run(options, &["config"], services, CONFIG_LIMIT).await?;
        let text = String::from_utf8(stdout).map_err(|error| self.misprint(error))?;
        yaml::document(&text).map_err(|error| self.misprint(error))
    }

    /// The environment that Compose resolves the project with: the process's, and `.env` and `--env-file` below it.
    /// Its values may be secrets.
    pub async fn project_environment(
        &self,
        options: &ProjectOptions,
    ) -> Result<BTreeMap<String, String>, ComposeError> {
        if !self.tells_environment() || !options.may_have_env_file(&self.environment) {
            return Ok(rules::plain_environment(&self.environment));
        }
        let stdout = self
            .run(options, &["config", "--environment"], &[], CONFIG_LIMIT)
            .await?;
        let plain = rules::plain_environment(&self.environment);
        Ok(environment_lines(&String::from_utf8_lossy(&stdout), plain))
    }

    /// What was answered before the version was known, if this version can answer.
    fn if_known(
        &self,
        answered: Result<BTreeMap<String, String>, ComposeError>,
    ) -> Result<BTreeMap<String, String>, ComposeError> {
        match self.tells_environment() {
            true => answered,
            false => Ok(rules::plain_environment(&self.environment)),
        }
    }

    fn tells_environment(&self) -> bool {
        (self.version.major, self.version.minor) >= (2, 24)
    }

    /// Runs one subcommand and gives its standard output.
    async fn run(
        &self,
        options: &ProjectOptions,
        subcommand: &[&str],
        services: &[&String],
        limit: Duration,
    ) -> Result<Vec<u8>, ComposeError> {
        let mut command = Command::new(&self.program);
        if self.way == Way::Docker {
            command.arg("compose");
        }
        command.args(options.arguments()).args(subcommand);
        if !services.is_empty() {
            command.arg("--").args(services);
        }
        if let Some(cwd) = &options.cwd {
            command.current_dir(cwd);
        }
        command.env_clear().envs(self.environment.variables());
        let done = child::run(command, b"", limit)
            .await
            .map_err(|source| ComposeError::Run {
                command: format!("{} {}", self.command(), subcommand.join(" ")),
                source,
            })?;
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(refused(&done)),
        }
    }

    fn misprint(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ComposeError {
        ComposeError::Output {
            command: format!("{} config", self.command()),
            source: source.into(),
        }
    }
}

fn refused(done: &Finished) -> ComposeError {
    let stderr = plain_text(&String::from_utf8_lossy(&done.stderr));
    let message = match stderr.is_empty() {
        true => format!("Compose failed without a message ({})", done.status),
        false => stderr,
    };
    ComposeError::Refused {
        message,
        exit_code: done.status.code(),
    }
}

/// Text without terminal escapes and other control characters, trimmed.
fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // CSI sequences end with a letter or the like; of other escapes only the next character is lost.
            '\u{1b}' => {
                if rest.next() == Some('[') {
                    while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {}
                }
            }
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain.trim().to_owned()
}

/// Reads `NAME=value` lines. Values are printed as they are, so one with line breaks spreads over several lines and
/// cannot be told from new variables: whatever the process itself has is taken from there.
fn environment_lines(text: &str, process: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut variables: BTreeMap<String, String> = lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    variables.extend(process);
    variables
}

#[cfg(test)]
mod tests;
