//! Finding and running the Compose CLI.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::{ComposeError, Project, parse, rules, v1, yaml};
use crate::Environment;
use crate::child::{self, Finished};

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

/// The Compose CLI of this machine.
#[derive(Debug, Clone)]
pub struct Compose {
    program: PathBuf,
    /// `docker compose` is a plugin, `docker-compose` stands alone.
    plugin: bool,
    version: Version,
    environment: Environment,
}

impl Compose {
    /// Finds Compose: the plugin `docker compose`, else the stand-alone `docker-compose` (v2 or v1). Every later call
    /// runs it with `environment`.
    pub async fn find(environment: &Environment) -> Result<Self, ComposeError> {
        let mut tried = Vec::new();
        for (name, plugin) in [("docker", true), ("docker-compose", false)] {
            let Some(program) = environment.find_program(name) else {
                tried.push(format!("no {name} on PATH"));
                continue;
            };
            let version = Version {
                text: String::new(),
                major: 0,
                minor: 0,
            };
            let mut compose = Self {
                program,
                plugin,
                version,
                environment: environment.clone(),
            };
            let options = ProjectOptions::default();
            let answer = compose
                .run(&options, &["version", "--short"], &[], VERSION_LIMIT)
                .await;
            match answer
                .as_ref()
                .map(|stdout| Version::parse(&String::from_utf8_lossy(stdout)))
            {
                Ok(Some(version)) => {
                    compose.version = version;
                    return Ok(compose);
                }
                Ok(None) => tried.push(format!("{} printed no version", compose.command())),
                Err(error) => {
                    let reason = match error {
                        ComposeError::Refused { message, .. } => message.clone(),
                        error => error.to_string(),
                    };
                    let reason = reason.lines().next().unwrap_or_default();
                    tried.push(match plugin {
                        true => format!("docker has no usable compose plugin ({reason})"),
                        false => format!("docker-compose does not work ({reason})"),
                    });
                }
            }
        }
        Err(ComposeError::Missing {
            tried: tried.join("; "),
        })
    }

    /// Which version it is.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// How a user calls it.
    pub fn command(&self) -> &'static str {
        if self.plugin {
            "docker compose"
        } else {
            "docker-compose"
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
        let plain = rules::plain_environment(&self.environment);
        if (self.version.major, self.version.minor) < (2, 24) {
            return Ok(plain);
        }
        let stdout = self
            .run(options, &["config", "--environment"], &[], CONFIG_LIMIT)
            .await?;
        Ok(environment_lines(&String::from_utf8_lossy(&stdout), plain))
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
        if self.plugin {
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
