//! `unstale clear --experiment`: which ways of clearing work on this engine. A small image is built, cleared in one of the
//! ways, and built again; what the second build reuses is the answer.
//!
//! Nothing of anybody else's is deleted: each way is done to the experiment's own records and images only. The ledger does
//! not hear of it.

mod error;
mod owner;

pub use error::ExperimentError;

use super::cache;
use crate::build::project_folder;
use crate::build::request::Target;
use crate::builder::{Builder, BuilderOptions};
use crate::config::Config;
use owner::Owner;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::Exporter;
use unstale_buildkit::prune::Prune;
use unstale_buildkit::sample::{Sample, SampleExport};
use unstale_docker::compose::ProjectOptions;
use unstale_docker::{Environment, ImageStore};

/// How many steps the image has.
const STEPS: usize = 3;

/// Where its images are said to be from: a name that no registry has (RFC 2606), so that nobody is asked for them.
const REGISTRY: &str = "unstale.invalid";

/// How long records may be in use after a build.
const SETTLE: Duration = Duration::from_secs(10);

/// How often is looked whether they have been let go of: no event tells.
const POLL: Duration = Duration::from_millis(50);

/// How often `unstale clear` deletes what is left.
const PASSES: u32 = 5;

/// A way of clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The builder's cache without what images share.
    Prune,
    /// The image, and then the same.
    ImageThenPrune,
    /// The builder's whole cache.
    PruneAll,
    /// The builder's whole cache; then the build imports the cache that is in its image.
    PruneAllThenImport,
    /// What unstale does.
    Clear,
}

impl Way {
    /// The ways that there are on a builder: a stand-alone one has no images.
    fn on(target: Target) -> &'static [Way] {
        match target {
            Target::Engine(_) => &[
                Way::Prune,
                Way::ImageThenPrune,
                Way::PruneAll,
                Way::PruneAllThenImport,
                Way::Clear,
            ],
            Target::BuildKit => &[Way::Prune, Way::PruneAll, Way::Clear],
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Prune => "prune",
            Way::ImageThenPrune => "image-then-prune",
            Way::PruneAll => "prune-all",
            Way::PruneAllThenImport => "prune-all-then-import",
            Way::Clear => "clear",
        }
    }

    /// What a user does to clear so.
    fn command(self, target: Target) -> &'static str {
        match (self, target) {
            (Way::Prune, Target::Engine(_)) => "docker builder prune -f",
            (Way::Prune, Target::BuildKit) => "docker buildx prune -f",
            (Way::ImageThenPrune, _) => "docker image rm IMAGE && docker builder prune -f",
            (Way::PruneAll, Target::Engine(_)) => "docker builder prune -af",
            (Way::PruneAll, Target::BuildKit) => "docker buildx prune -af",
            (Way::PruneAllThenImport, _) => {
                "docker builder prune -af, then a build with cache_from the image"
            }
            (Way::Clear, Target::Engine(_)) => "unstale clear --target builder,images,imports",
            (Way::Clear, Target::BuildKit) => "unstale clear --target builder",
        }
    }

    /// The build after it imports the cache that is in the image. Ours must hold even then.
    fn imports(self) -> bool {
        matches!(self, Way::PruneAllThenImport | Way::Clear)
    }

    /// The image goes, too.
    fn removes_image(self) -> bool {
        matches!(self, Way::ImageThenPrune | Way::Clear)
    }
}

/// What came of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// How it was cleared.
    pub way: Way,
    /// What a user does to clear so.
    pub command: &'static str,
    /// How many steps the build after that had.
    pub steps: usize,
    /// How many of them it reused.
    pub reused: usize,
}

impl Trial {
    /// Nothing from before was reused.
    pub fn works(&self) -> bool {
        self.reused == 0
    }
}

/// What the experiment has shown.
#[derive(Debug, Clone)]
pub struct ExperimentReport {
    /// The builder, for people.
    pub builder: String,
    /// The ways.
    pub trials: Vec<Trial>,
    /// What it could not tidy up.
    pub warnings: Vec<String>,
}

/// An experiment that has not begun.
pub struct Experiment {
    builder: Builder,
}

impl Experiment {
    /// Connects to the builder that builds of a project use.
    ///
    /// # Errors
    /// If there is none.
    pub async fn prepare(
        environment: &Environment,
        mut builder: BuilderOptions,
        project: &ProjectOptions,
        cwd: &Path,
    ) -> Result<Experiment, ExperimentError> {
        if builder.builder.is_none() {
            builder.builder = Config::load(&project_folder(project, cwd))?.build.builder;
        }
        let builder = Builder::connect(environment, &builder).await?;
        Ok(Experiment { builder })
    }

    /// The builder, for people.
    pub fn builder(&self) -> String {
        self.builder.describe()
    }

    /// The engine forgets everybody's results when anything is pruned (docs/adr/0007): after the experiment, every project's
    /// next build on it runs its steps once more.
    pub fn costs_everybody(&self) -> bool {
        self.builder.target == Target::Engine(ImageStore::Containerd)
    }

    /// Tries all ways, and removes what it has made, whatever happens.
    ///
    /// # Errors
    /// If the engine does not do its part, or nothing can be learned; or if it was cancelled.
    pub async fn run(self, cancel: &CancellationToken) -> Result<ExperimentReport, ExperimentError> {
        let records = cache::usage(&self.builder.client).await?;
        let mut bench = Bench {
            builder: &self.builder,
            owner: Owner::before(&records),
            images: Vec::new(),
        };
        let trials = bench.trials(cancel).await;
        let left = bench.tidy_up().await.err().map(|error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            format!(
                "something of the experiment is left: {error}{}",
                cause.unwrap_or_default()
            )
        });
        match (trials, left) {
            (Ok(trials), left) => Ok(ExperimentReport {
                builder: self.builder.describe(),
                trials,
                warnings: left.into_iter().collect(),
            }),
            (Err(error), None) => Err(error),
            (Err(error), Some(left)) => Err(ExperimentError::Untidy(Box::new(error), left)),
        }
    }
}

/// What the experiment works with.
struct Bench<'a> {
    builder: &'a Builder,
    owner: Owner,
    /// The names of its images.
    images: Vec<String>,
}

impl Bench<'_> {
    async fn trials(&mut self, cancel: &CancellationToken) -> Result<Vec<Trial>, ExperimentError> {
        let base = match self.builder.target {
            Target::Engine(_) => Some(self.base_image().await?),
            Target::BuildKit => None,
        };
        let mut trials = Vec::new();
        for &way in Way::on(self.builder.target) {
            if cancel.is_cancelled() {
                return Err(ExperimentError::Interrupted);
            }
            trials.push(self.trial(way, base.as_deref()).await?);
        }
        Ok(trials)
    }

    /// An image as if it came from elsewhere: containerd's store treats what lies on its own results differently.
    async fn base_image(&mut self) -> Result<String, ExperimentError> {
        let token = self.owner.token("base");
        let sample = Sample {
            token: &token,
            base: None,
            steps: 1,
        };
        let image = self.image("base");
        self.build(&sample, self.export(&image)).await?;
        self.builder
            .client
            .prune(&Prune::Records(&self.settled().await?))
            .await?;
        Ok(image)
    }

    async fn trial(&mut self, way: Way, base: Option<&str>) -> Result<Trial, ExperimentError> {
        let token = self.owner.token(way.as_str());
        let sample = Sample {
            token: &token,
            base,
            steps: STEPS,
        };
        let image = self.image(way.as_str());
        let export = SampleExport {
            inline_cache: way.imports(),
            ..self.export(&image)
        };
        self.build(&sample, export).await?;
        let unchanged = self.build(&sample, SampleExport::default()).await?;
        if unchanged < STEPS {
            return Err(ExperimentError::NoReuse {
                ran: STEPS - unchanged,
            });
        }
        self.clear(way, &image).await?;
        let again = SampleExport {
            import: way.imports().then_some(image),
            ..SampleExport::default()
        };
        let reused = self.build(&sample, again).await?;
        Ok(Trial {
            way,
            command: way.command(self.builder.target),
            steps: STEPS,
            reused,
        })
    }

    /// The name of an image that will be made.
    fn image(&mut self, tag: &str) -> String {
        let name = format!("{REGISTRY}/experiment-{}:{tag}", self.owner.id);
        self.images.push(name.clone());
        name
    }

    fn export(&self, image: &str) -> SampleExport {
        let exporter = Exporter {
            kind: "moby".to_owned(),
            attrs: BTreeMap::from([("name".to_owned(), image.to_owned())]),
        };
        let is_engine = matches!(self.builder.target, Target::Engine(_));
        SampleExport {
            image: is_engine.then_some(exporter),
            ..SampleExport::default()
        }
    }

    /// Gives how many steps were reused.
    async fn build(&mut self, sample: &Sample<'_>, export: SampleExport) -> Result<usize, ExperimentError> {
        let built = self.builder.client.build_sample(sample, export).await?;
        let ran = built.files.iter().chain(&built.steps).filter(|step| !step.cached);
        let ran = ran.filter_map(|step| step.started.zip(step.completed));
        let records = cache::usage(&self.builder.client).await?;
        self.owner.saw(&ran.collect::<Vec<_>>(), &records)?;
        Ok(built.steps.iter().filter(|step| step.cached).count())
    }

    async fn clear(&self, way: Way, image: &str) -> Result<(), ExperimentError> {
        if way.removes_image() {
            self.builder.engine.remove_image(image, true).await?;
        }
        let client = &self.builder.client;
        let ids = self.settled().await?;
        match way {
            Way::Prune | Way::ImageThenPrune => drop(client.prune(&Prune::Unshared(&ids)).await?),
            Way::PruneAll | Way::PruneAllThenImport => drop(client.prune(&Prune::Records(&ids)).await?),
            Way::Clear => self.delete_all().await?,
        }
        Ok(())
    }

    /// Deletes the experiment's records, and looks until there are none.
    async fn delete_all(&self) -> Result<(), ExperimentError> {
        for _ in 0..PASSES {
            let ids = self.settled().await?;
            if ids.is_empty() {
                return Ok(());
            }
            self.builder.client.prune(&Prune::Records(&ids)).await?;
        }
        Ok(())
    }

    /// The experiment's records, when no build uses them any more.
    async fn settled(&self) -> Result<Vec<String>, ExperimentError> {
        let end = tokio::time::Instant::now() + SETTLE;
        loop {
            let records = cache::usage(&self.builder.client).await?;
            let own = self.owner.own(&records);
            if !own.iter().any(|record| record.in_use) {
                return Ok(own.into_iter().map(|record| record.id.clone()).collect());
            }
            if tokio::time::Instant::now() >= end {
                return Err(ExperimentError::InUse);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Removes all that was made.
    async fn tidy_up(&self) -> Result<(), ExperimentError> {
        let mut removed = Ok(());
        for image in &self.images {
            if let Err(error) = self.builder.engine.remove_image(image, true).await {
                removed = Err(error.into());
            }
        }
        self.delete_all().await?;
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_without_images_is_not_cleared_through_them() {
        let ways = Way::on(Target::BuildKit);
        assert!(ways.iter().all(|way| *way == Way::Clear || !way.removes_image()));
        assert!(Way::on(Target::Engine(ImageStore::Classic)).len() > ways.len());
    }
}
