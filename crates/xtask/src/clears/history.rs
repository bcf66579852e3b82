//! One history of a project: what happens to it, the clear, and what the builds after it reuse.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use testkit::{Buildkitd, Engine, EngineLock, Project, Registry, Store};

use super::forwarder::Forwarder;
use super::tally::Judged;
use super::traits::{Names, Traits};
use crate::run::succeed;
use crate::{plain, run};

/// How long a build that runs beside a clear may take to begin.
const BEGIN: Duration = Duration::from_secs(30);

/// The builder of buildx's that some projects have.
const SECOND: &str = "second";

/// Where histories happen.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub engine: &'static Engine,
    pub registry: &'a Registry,
    /// What the second builder is; all engines' histories have the same one.
    pub buildkitd: &'a Buildkitd,
    /// A base image in the registry.
    pub base: &'a str,
}

/// One project, and what happens to it.
pub struct History<'a> {
    place: Place<'a>,
    project: Project,
    random: StdRng,
    traits: Traits,
    names: Names,
    pub words: Vec<&'static str>,
    forwarder: Option<Forwarder>,
    meanwhile: Option<Child>,
    /// The second builder is this history's alone.
    _alone: Option<EngineLock>,
}

impl<'a> History<'a> {
    /// A project with its files, and the second builder if it has one.
    ///
    /// # Errors
    /// When buildx or this machine's network fail.
    pub fn new(place: Place<'a>, mut random: StdRng) -> Result<History<'a>, String> {
        let traits = Traits::draw(&mut random, place.engine.store);
        let project = Project::new("clears");
        let forwarder = match traits.registry_down {
            true => Some(Forwarder::open(&place.registry.host)?),
            false => None,
        };
        let host = forwarder
            .as_ref()
            .map_or_else(|| place.registry.host.clone(), Forwarder::host);
        let names = Names::new(&host, project.name());
        traits.write(&project, &names, place.base);
        let history = History {
            words: traits.words(),
            _alone: traits.second_builder.then(|| place.buildkitd.exclusive()),
            place,
            project,
            random,
            traits,
            names,
            forwarder,
            meanwhile: None,
        };
        if history.traits.second_builder {
            let address = &place.buildkitd.unix;
            history.docker(&[
                "buildx", "create", "--name", SECOND, "--driver", "remote", address,
            ])?;
        }
        Ok(history)
    }

    /// Lives through some events, the clear, and the builds after it.
    ///
    /// # Errors
    /// When something fails that has to succeed.
    pub fn live(&mut self) -> Result<Judged, String> {
        for number in 0..self.random.random_range(1..5) {
            self.happen(number)?;
        }
        self.plain_build(None)?;
        self.build_on_second()?;
        if self.random.random_bool(0.25) {
            self.words.push("container");
            self.docker(&["compose", "up", "--detach", "--no-build"])?;
        }
        if self.random.random_bool(0.2) {
            self.words.push("build beside the clear");
            self.begin_slow_build()?;
        }
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.cut();
        }
        let document = self.clear()?;
        if let Some(mut build) = self.meanwhile.take() {
            let _ = build.wait();
        }
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.mend()?;
        }
        // What one of the builds exports after the clear is new, and another one may reuse it.
        self.traits.write_compose(&self.project, &self.names, false);
        let (plain, reused) = match self.random.random_bool(0.5) {
            true => (None, self.unstale_builds()?),
            false => {
                let on_engine = self.plain_build(None)?;
                let on_second = self.build_on_second()?;
                // What the plain build has brought back is from before the clear; what it made itself is not.
                let mut reused = self.unstale_build(false)?;
                reused.retain(|step| on_engine.contains(step));
                (Some(on_engine.len() + on_second.len()), reused)
            }
        };
        Ok(Judged {
            proven: document["proven"] == true,
            reasons: self.reasons(&document),
            is_registry_down: self.traits.registry_down,
            asks_registry: self.traits.asks_registry(),
            is_remote: self.traits.remote,
            plain,
            reused,
        })
    }

    fn happen(&mut self, number: u32) -> Result<(), String> {
        match self.random.random_range(0..8) {
            0 => {
                self.words.push("edit");
                self.project.write("code", format!("edit {number}"));
            }
            1 => {
                self.words.push("docker builder prune -f");
                self.docker(&["builder", "prune", "--force"])?;
            }
            2 => self.build_with_unstale()?,
            // There is nothing to share but by builds of unstale.
            3 if self.traits.shared => self.build_with_unstale()?,
            3 | 4 => {
                self.words.push("push");
                self.plain_build(None)?;
                self.docker(&["push", &self.names.image])?;
            }
            5 if self.traits.second_builder => {
                self.words.push("docker compose build --builder");
                self.plain_build(Some(SECOND))?;
            }
            6 if self.place.engine.store == Store::Classic && !self.traits.mount => {
                self.words.push("classic builder");
                let mut command = run::bounded(&self.project, self.place.engine, "docker");
                command.args(["build", "--tag", &format!("{}-classic", self.project.name()), "."]);
                succeed(command.env("DOCKER_BUILDKIT", "0"))?;
            }
            _ => {
                self.words.push("docker compose build");
                self.plain_build(None)?;
            }
        }
        Ok(())
    }

    fn build_with_unstale(&mut self) -> Result<(), String> {
        let on_second = self.traits.second_builder && self.random.random_bool(0.5);
        let word = if on_second {
            "unstale build --builder"
        } else {
            "unstale build"
        };
        self.words.push(word);
        self.unstale_build(on_second).map(drop)
    }

    fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = run::bounded(&self.project, self.place.engine, "docker");
        let (stdout, stderr) = succeed(command.args(arguments))?;
        // Docker's progress is on either of the two.
        Ok(stdout + &stderr)
    }

    /// The instructions that a plain build reuses.
    fn plain_build(&self, builder: Option<&str>) -> Result<Vec<String>, String> {
        let mut arguments = vec!["compose", "--progress", "plain", "build"];
        arguments.extend(builder.into_iter().flat_map(|builder| ["--builder", builder]));
        Ok(plain::reused(&self.docker(&arguments)?))
    }

    /// The same of the second builder, if there is one. After the engine's own, which might take an image that comes from
    /// the other builder for a cache.
    fn build_on_second(&self) -> Result<Vec<String>, String> {
        match self.traits.second_builder {
            true => self.plain_build(Some(SECOND)),
            false => Ok(Vec::new()),
        }
    }

    /// The instructions that a build of unstale reuses.
    fn unstale_build(&self, on_second: bool) -> Result<Vec<String>, String> {
        let mut command = self.unstale();
        command.args(["build", "--progress", "quiet", "--format", "json"]);
        if on_second {
            command.args(["--builder", &self.place.buildkitd.unix]);
        }
        let (output, _) = succeed(&mut command)?;
        let document: Value = serde_json::from_str(&output).map_err(|error| format!("{error}: {output}"))?;
        let steps = document["services"][0]["steps"].as_array().into_iter().flatten();
        let reused = steps.filter(|step| step["kind"] == "instruction" && step["outcome"] == "cached");
        Ok(reused
            .map(|step| step["instruction"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// The same on both builders; on one of them if they share a cache, for the other one may reuse what the first has made.
    fn unstale_builds(&mut self) -> Result<Vec<String>, String> {
        let second = self.traits.second_builder;
        let one = self.traits.shared && second;
        let only_second = one && self.random.random_bool(0.5);
        let mut reused = Vec::new();
        if !only_second {
            reused.extend(self.unstale_build(false)?);
        }
        if only_second || second && !one {
            reused.extend(self.unstale_build(true)?);
        }
        Ok(reused)
    }

    fn clear(&self) -> Result<Value, String> {
        let mut command = self.unstale();
        command.args(["clear", "--target", "all", "--yes", "--format", "json"]);
        if self.traits.remote {
            command.arg("--remote");
        }
        let output = run::output(&mut command)?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Why a clear is not proven, without the names that are this history's alone.
    fn reasons(&self, document: &Value) -> Vec<String> {
        let stores = document["stores"].as_array().into_iter().flatten();
        let left = stores.flat_map(|store| store["leftovers"].as_array().into_iter().flatten());
        let reasons = left
            .filter(|left| left["can_answer"] == true)
            .filter_map(|left| left["reason"].as_str());
        let host = self.forwarder.as_ref().map(Forwarder::host);
        let general = |reason: &str| {
            let reason = reason
                .replace(&self.names.image, "IMAGE")
                .replace(&self.names.cache, "CACHE")
                .replace(self.project.name(), "PROJECT");
            match &host {
                Some(host) => reason.replace(host, "REGISTRY"),
                None => reason,
            }
        };
        reasons.map(general).collect()
    }

    fn unstale(&self) -> Command {
        let mut command = self.project.unstale(self.place.engine);
        command.env("NO_COLOR", "1");
        command
    }

    fn begin_slow_build(&mut self) -> Result<(), String> {
        let engine = self.place.engine;
        let mut command = run::bounded(&self.project, engine, "docker");
        command
            .args(["build", "--file", "Slowly", "."])
            .env("DOCKER_BUILDKIT", "1");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.meanwhile = Some(child.map_err(|error| format!("cannot run docker: {error}"))?);
        let end = Instant::now() + BEGIN;
        while Instant::now() < end {
            // Containerd's store cannot sum itself up while it lets go of a snapshot.
            let Ok(usage) = engine.api("GET", "/system/df?type=build-cache") else {
                continue;
            };
            let mut records = usage["BuildCache"].as_array().into_iter().flatten();
            if records
                .any(|record| record["InUse"] == true && record["Description"].to_string().contains("sleep"))
            {
                return Ok(());
            }
        }
        Err("the build beside the clear does not begin".to_owned())
    }
}

impl Drop for History<'_> {
    /// Leaves nothing behind.
    fn drop(&mut self) {
        if let Some(mut build) = self.meanwhile.take() {
            let _ = build.wait();
        }
        let _ = self.docker(&["compose", "down", "--timeout", "0"]);
        let _ = self.docker(&["image", "rm", "--force", &self.names.image]);
    }
}
