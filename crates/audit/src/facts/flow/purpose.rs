//! What a script, a job or a target is meant for, by its names.

use super::{Item, Start};
use crate::{Content, ScriptPlace};

/// What something is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// That nothing old is left: `clear-caches.sh`, `rebuild`, `reset`.
    Clear,
    /// That there is room, or order: `cleanup`, `prune`, `clean`.
    Tidy,
    /// That a new version runs: `deploy`, `release`, `update`.
    Deploy,
}

impl Purpose {
    fn words(self) -> &'static [&'static str] {
        match self {
            Purpose::Clear => &[
                "clear",
                "purge",
                "reset",
                "wipe",
                "nuke",
                "fresh",
                "rebuild",
                "cache",
                "caches",
                "flush",
                "invalidate",
                "scratch",
            ],
            Purpose::Tidy => &[
                "clean",
                "cleanup",
                "cleaning",
                "prune",
                "pruning",
                "tidy",
                "gc",
                "housekeeping",
            ],
            Purpose::Deploy => &[
                "deploy",
                "deployment",
                "redeploy",
                "deployer",
                "release",
                "rollout",
                "update",
                "upgrade",
                "publish",
                "production",
                "prod",
                "ship",
                "live",
            ],
        }
    }

    /// Whether a name has one of its words: a whole one, or the first or last part of one that is written together.
    fn is_in(self, name: &str) -> bool {
        words(name).iter().any(|word| {
            self.words().iter().any(|own| {
                let joined = own.len() > 4 && (word.starts_with(own) || word.ends_with(own));
                word == own || joined && !["nuclear", "preset", "refresh"].contains(&word.as_str())
            })
        })
    }
}

/// The words of a name in lower case: of `clear-caches`, `clearCaches`, `Clear caches`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars().take(256) {
        let boundary = character.is_uppercase() && was_lower;
        was_lower = character.is_lowercase();
        if boundary || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && character.is_alphanumeric()
        {
            word.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

impl Item<'_> {
    /// Whether the script, function, target, job or step that it stands in, or that calls what it stands in, is named for
    /// this.
    pub fn is_meant_to(&self, purpose: Purpose) -> bool {
        self.names().iter().any(|name| purpose.is_in(name))
    }

    /// The names of what it stands in.
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        match self.start {
            Start::Function(_, name) => names.push(name.as_str()),
            Start::Target(file, recipe) => {
                if let Content::Makefile(makefile) = &self.project.file(*file).content {
                    let recipe = makefile.recipes.get(*recipe);
                    let targets = recipe.map_or(&[][..], |recipe| &recipe.targets);
                    names.extend(targets.iter().map(String::as_str));
                }
            }
            Start::Job(file, index) | Start::AfterJob(file, index) => {
                if let Content::GitlabPipeline(pipeline) = &self.project.file(*file).content {
                    names.extend(pipeline.jobs.get(*index).map(|job| job.name.as_str()));
                }
                if let Content::GithubWorkflow(workflow) = &self.project.file(*file).content {
                    names.extend(workflow.name.as_ref().map(|name| name.value.as_str()));
                    names.push(stem(self.project.file(*file).source.path()));
                }
            }
            Start::Script(_) => {}
        }
        if let Some(job) = self.job() {
            names.push(&job.id);
            names.extend(job.name.as_ref().map(|name| name.value.as_str()));
        }
        names.extend(
            self.steps()
                .iter()
                .filter_map(|step| Some(step.name.as_ref()?.value.as_str())),
        );
        for what in self.whats() {
            let file = self.project.file(what.file());
            let super::What::Command(_, script, _) = what else {
                continue;
            };
            if let Some(command) = super::command(self.project, what) {
                names.extend(command.context.function.as_deref());
            }
            match file.scripts.get(script).map(|script| script.place) {
                Some(ScriptPlace::Whole) => names.push(stem(file.source.path())),
                Some(ScriptPlace::Recipe(recipe, _)) => {
                    if let Content::Makefile(makefile) = &file.content
                        && let Some(recipe) = makefile.recipes.get(recipe)
                    {
                        names.extend(recipe.targets.iter().map(String::as_str));
                    }
                }
                _ => {}
            }
        }
        names
    }
}

/// The name of a file without its extension.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_something_is_for() {
        for name in [
            "clear-caches",
            "clearCaches",
            "Clear caches",
            "force_rebuild",
            "docker-reset",
        ] {
            assert!(Purpose::Clear.is_in(name), "{name}");
        }
        for name in ["deploy", "deploy_main", "Deploy to production", "update"] {
            assert!(Purpose::Deploy.is_in(name), "{name}");
        }
        for name in ["presets", "refresh", "nuclear", "cleanup", "run"] {
            assert!(!Purpose::Clear.is_in(name), "{name}");
        }
        assert!(Purpose::Tidy.is_in("docker-cleanup"));
    }
}
