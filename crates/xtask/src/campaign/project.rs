//! One random project on one engine: its files, its base images, its Compose file, and the commands that are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use testkit::{Engine, Project, Registry, Store, unstale_binary};

use super::dockerfile::Dockerfile;
use super::judge::NoCache;
use super::picture::{Picture, asks_for_commit};
use super::recipe::{self, ARGUMENTS, COMMIT, Features};
use super::steps::Report;
use super::tree::{self, Tree};
use crate::run;

/// How often an engine that fails to count its records is asked again.
const USAGE_TRIES: usize = 25;

/// The variants of a base image.
pub const BASES: [&str; 2] = ["a", "b"];

/// A kind of cache that is exported and imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// In the image, which is pushed.
    Inline,
    /// On its own in the registry, with all stages.
    Registry,
}

/// What a revert brings back.
#[derive(Debug, Clone)]
pub struct Saved {
    dockerfile: Dockerfile,
    arguments: BTreeMap<String, String>,
    base: usize,
    tree: Tree,
}

/// A random project.
pub struct Work<'a> {
    /// Where it is built.
    pub engine: &'a Engine,
    /// What may be used.
    pub features: Features,
    /// The registry, where it answers.
    pub registry: Option<Registry>,
    /// Its folder and environment.
    pub project: Project,
    /// Its Dockerfile.
    pub dockerfile: Dockerfile,
    /// The values given to arguments.
    pub arguments: BTreeMap<String, String>,
    /// The variant of the base image that its tag stands for.
    pub base: usize,
    /// What the next build is told.
    pub no_cache: NoCache,
    /// The cache that is exported.
    pub export: Option<Cache>,
    /// The cache that is imported.
    pub import: Option<Cache>,
    /// A folder without a Compose file.
    pub is_bare: bool,
    /// Records of the engine before the project.
    pub foreign: BTreeSet<String>,
    /// The branch that is checked out, and what the other ones held; without branches, no repository.
    pub branch: Option<String>,
    /// What the branches that are not checked out hold.
    pub branches: BTreeMap<String, Saved>,
    /// Where the ledger is.
    state: PathBuf,
    context: &'static str,
    ignore: Vec<String>,
}

impl<'a> Work<'a> {
    /// Invents a project and makes its base images. What is built is recorded in the folder `state`: all projects of a
    /// machine share a ledger.
    ///
    /// # Errors
    /// When a file cannot be written, or the engine cannot make the images.
    pub fn invent(
        engine: &'a Engine,
        state: &Path,
        features: Features,
        random: &mut StdRng,
    ) -> Result<Self, String> {
        let project = Project::new("campaign");
        let dockerfile = recipe::invent(random, features);
        let is_bare = random.random_ratio(1, 5);
        let context = if !is_bare && random.random_ratio(1, 4) {
            "."
        } else {
            "app"
        };
        let mut ignore = recipe::ignore(random);
        ignore.push("token".to_owned());
        let is_repository = random.random_ratio(1, 2);
        let mut arguments = BTreeMap::new();
        for name in ARGUMENTS {
            if random.random_bool(0.5) {
                arguments.insert(name.to_owned(), "first".to_owned());
            }
        }
        let mut work = Self {
            engine,
            features,
            registry: testkit::registry(),
            project,
            dockerfile,
            arguments,
            base: 0,
            no_cache: NoCache::Nothing,
            export: None,
            import: None,
            is_bare,
            foreign: BTreeSet::new(),
            branch: is_repository.then(|| "main".to_owned()),
            branches: BTreeMap::new(),
            state: state.to_owned(),
            context,
            ignore,
        };
        let root = work.root();
        fs::create_dir_all(&root)
            .and_then(|()| tree::plant(&root, random))
            .map_err(|error| format!("cannot plant the files: {error}"))?;
        work.project.write("token", "a secret\n");
        let patterns: String = work.ignore.iter().map(|pattern| format!("{pattern}\n")).collect();
        work.project.write(format!("{context}/.dockerignore"), patterns);
        work.write();
        if is_repository {
            work.project.commit("first");
        }
        work.make_bases()?;
        work.foreign = work.records()?.into_iter().collect();
        Ok(work)
    }

    /// The context's folder.
    pub fn root(&self) -> PathBuf {
        self.project.path().join(self.context)
    }

    /// The tag of the base image.
    pub fn base_tag(&self) -> String {
        format!("{}-base", self.project.name())
    }

    /// The image's name: the registry's host comes first in it where a cache is exported to it.
    pub fn image(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{}/{}-app:latest", registry.host, self.project.name()),
            None => format!("{}-app:latest", self.project.name()),
        }
    }

    /// The reference that a cache is found under.
    fn cache_reference(&self, cache: Cache) -> String {
        match cache {
            Cache::Inline => self.image(),
            Cache::Registry => self.image().replace(":latest", ":cache"),
        }
    }

    /// Whether the engine can export this cache, and there is a place for it.
    pub fn can_export(&self, cache: Cache) -> bool {
        self.registry.is_some() && (cache == Cache::Inline || self.engine.store == Store::Containerd)
    }

    /// Writes the Dockerfile and the Compose file where they are not as they should be.
    pub fn write(&self) {
        let (text, _) = self.dockerfile.render(&self.base_tag());
        self.write_changed(&format!("{}/Dockerfile", self.context), &text);
        if !self.is_bare {
            self.write_changed("compose.yaml", &self.compose().to_string());
        }
    }

    fn write_changed(&self, path: &str, text: &str) {
        let present = fs::read(self.project.path().join(path)).ok();
        if present.as_deref() != Some(text.as_bytes()) {
            self.project.write(path, text);
        }
    }

    /// JSON is YAML.
    fn compose(&self) -> Value {
        let mut build = json!({
            "context": self.context,
            "args": self.arguments,
            "secrets": ["token"],
        });
        if let NoCache::Stage(stage) = self.no_cache {
            build["no_cache_filter"] = json!([self.dockerfile.stages[stage].name]);
        }
        if let Some(cache) = self.import {
            build["cache_from"] = json!([self.cache_reference(cache)]);
        }
        match self.export {
            Some(Cache::Inline) => build["cache_to"] = json!(["type=inline"]),
            Some(cache) => {
                let reference = self.cache_reference(cache);
                build["cache_to"] = json!([format!("type=registry,ref={reference},mode=max")]);
            }
            None => {}
        }
        json!({
            "services": { "app": { "image": self.image(), "build": build } },
            "secrets": { "token": { "file": "token" } },
        })
    }

    /// Two base images with a layer of their own each, which no other project has.
    fn make_bases(&self) -> Result<(), String> {
        let tag = self.base_tag();
        self.docker(&["create", "--name", &tag, "busybox", "true"])?;
        // Those who --chown and USER name; busybox has no list of users.
        let (users, groups) = (
            "root:x:0:0::/:/bin/sh\ndaemon:x:1:1::/:/bin/false\n",
            "root:x:0:\ndaemon:x:1:\n",
        );
        self.project.write("../base/passwd", users);
        self.project.write("../base/group", groups);
        for variant in BASES {
            let mark = self.project.write("../base/mark", format!("{tag} {variant}\n"));
            let folder = mark.with_file_name(".");
            self.docker(&["cp", &folder.display().to_string(), &format!("{tag}:/etc")])?;
            self.docker(&["commit", &tag, &format!("{tag}:{variant}")])?;
        }
        self.docker(&["rm", &tag])?;
        self.tag_base(self.base)
    }

    /// Lets the base image's tag stand for a variant.
    ///
    /// # Errors
    /// When the engine does not do it.
    pub fn tag_base(&self, variant: usize) -> Result<(), String> {
        let tag = self.base_tag();
        self.docker(&["tag", &format!("{tag}:{}", BASES[variant]), &tag])
            .map(drop)
    }

    /// Runs the docker client.
    ///
    /// # Errors
    /// When it fails.
    pub fn docker(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = run::bounded(&self.project, self.engine, "docker");
        let output = run::output(command.args(arguments))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(format!(
            "docker {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }

    /// The engine's cache records, as the engine tells of them.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn usage(&self) -> Result<Vec<Value>, String> {
        // The containerd store fails as long as something that it counts is being removed.
        let ask = || self.engine.api("GET", "/system/df?type=build-cache");
        let mut usage = ask();
        for _ in 0..USAGE_TRIES {
            if usage.is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(200));
            usage = ask();
        }
        let usage = usage.map_err(|error| error.full())?;
        Ok(usage["BuildCache"].as_array().cloned().unwrap_or_default())
    }

    /// The ids of the engine's cache records that hold results, the first made first.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub fn records(&self) -> Result<Vec<String>, String> {
        let usage = self.usage()?;
        let mut records: Vec<(&str, &str)> = usage
            .iter()
            .filter(|record| record["Type"] == "regular")
            .filter_map(|record| Some((record["CreatedAt"].as_str()?, record["ID"].as_str()?)))
            .collect();
        records.sort_unstable();
        Ok(records.into_iter().map(|(_, id)| id.to_owned()).collect())
    }

    /// Prunes the engine's cache; answers what the engine says that it deleted.
    ///
    /// # Errors
    /// When the engine does not do it.
    pub fn prune(&self, query: &str) -> Result<Vec<String>, String> {
        let answer = self
            .engine
            .api("POST", &format!("/build/prune{query}"))
            .map_err(|error| error.full())?;
        let deleted = answer["CachesDeleted"].as_array().cloned().unwrap_or_default();
        Ok(deleted
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect())
    }

    /// What the generator knows of the project as it is now.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn picture(&self) -> Result<Picture, String> {
        let tree = self.tree()?.without_ignored(&self.ignore);
        let mut given = self.arguments.clone();
        if self.branch.is_some() && asks_for_commit(&self.dockerfile) {
            let dirty = self.project.git(&["status", "--porcelain"]);
            let state = if dirty.is_empty() { "" } else { "-dirty" };
            let commit = self.project.git(&["rev-parse", "HEAD"]);
            given.insert(COMMIT.to_owned(), format!("{commit}{state}"));
        }
        let base = BASES[self.base];
        Ok(Picture::new(
            &self.dockerfile,
            &self.base_tag(),
            base,
            &given,
            &tree,
        ))
    }

    /// The context's files.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn tree(&self) -> Result<Tree, String> {
        let root = self.root();
        Tree::read(&root).map_err(|error| format!("cannot read {}: {error}", root.display()))
    }

    /// What a revert can bring back.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn save(&self) -> Result<Saved, String> {
        Ok(Saved {
            dockerfile: self.dockerfile.clone(),
            arguments: self.arguments.clone(),
            base: self.base,
            tree: self.tree()?,
        })
    }

    /// Brings an earlier state back; only the values if git brings the files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn revert(&mut self, saved: Saved, files_too: bool) -> Result<(), String> {
        self.dockerfile = saved.dockerfile;
        self.arguments = saved.arguments;
        if self.base != saved.base {
            self.base = saved.base;
            self.tag_base(self.base)?;
        }
        if files_too {
            let root = self.root();
            let restored = saved.tree.restore(&root);
            restored.map_err(|error| format!("cannot restore {}: {error}", root.display()))?;
        }
        Ok(())
    }

    /// Runs `unstale plan` or `unstale build`.
    ///
    /// # Errors
    /// When it fails or prints something else than a report.
    pub fn unstale(&self, verb: &str) -> Result<Report, String> {
        let mut command = run::bounded(&self.project, self.engine, unstale_binary());
        command.env("UNSTALE_STATE_DIR", &self.state);
        let output = run::output(self.arguments_of(verb, &mut command))?;
        if !output.status.success() {
            return Err(format!(
                "unstale {verb} ended with {}: {}",
                output.status,
                last_lines(&output)
            ));
        }
        Report::read(&output.stdout)
    }

    fn arguments_of<'c>(&self, verb: &str, command: &'c mut Command) -> &'c mut Command {
        command.args([verb, "--format", "json"]);
        if verb == "build" {
            command.args(["--progress", "plain"]);
        }
        if self.no_cache == NoCache::All {
            command.arg("--no-cache");
        }
        if self.is_bare {
            command.arg(format!("./{}", self.context));
            command.args(["--tag", &self.image(), "--secret", "id=token,src=token"]);
            for (name, value) in &self.arguments {
                command.arg("--build-arg").arg(format!("{name}={value}"));
            }
        }
        command
    }

    /// The Dockerfile's text.
    pub fn text(&self) -> String {
        self.dockerfile.render(&self.base_tag()).0
    }
}

fn last_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
