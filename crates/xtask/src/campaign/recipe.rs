//! Random Dockerfiles as people write them: copy, run, copy from a stage; commands that depend on what they read.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::dockerfile::{Base, Copy, Dockerfile, Id, Instruction, Line, Mount, Run, Stage};
use super::tree::NAMED;

/// What an engine's own frontend takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features {
    /// `COPY --link`
    pub link: bool,
    /// `COPY --exclude`
    pub exclude: bool,
    /// `COPY --parents`
    pub parents: bool,
    /// `RUN <<EOF` and `COPY <<EOF`
    pub heredoc: bool,
    /// `no_cache_filter` in a Compose file.
    pub no_cache_filter: bool,
}

/// The argument that steps use, and the one that none does.
pub const ARGUMENTS: [&str; 2] = ["LEVEL", "UNUSED"];

/// The argument that gets the commit.
pub const COMMIT: &str = "GIT_COMMIT_HASH";

struct Recipe<'a> {
    random: &'a mut StdRng,
    features: Features,
    next: Id,
}

/// A random Dockerfile.
pub fn invent(random: &mut StdRng, features: Features) -> Dockerfile {
    let stages = if random.random_ratio(1, 3) {
        random.random_range(2..=3)
    } else {
        1
    };
    let mut recipe = Recipe {
        random,
        features,
        next: 0,
    };
    Dockerfile {
        comments: Vec::new(),
        stages: (0..stages).map(|number| recipe.stage(number, stages)).collect(),
    }
}

impl Recipe<'_> {
    fn one_in(&mut self, odds: u32) -> bool {
        self.random.random_ratio(1, odds)
    }

    fn line(&mut self, what: Instruction) -> Line {
        self.next += 1;
        Line {
            id: self.next,
            comments: Vec::new(),
            what,
        }
    }

    fn stage(&mut self, number: usize, stages: usize) -> Stage {
        let is_last = number + 1 == stages;
        let base = if number > 0 && self.one_in(4) {
            Base::Stage(self.random.random_range(0..number))
        } else {
            Base::Image
        };
        let mut lines = Vec::new();
        if self.one_in(2) {
            let path = format!("/w{}", self.next);
            lines.push(self.line(Instruction::Workdir(path)));
        }
        let declare = |recipe: &mut Self, lines: &mut Vec<Line>, name: &str| {
            lines.push(recipe.line(Instruction::Arg(name.to_owned(), "default".to_owned())));
        };
        if self.one_in(2) {
            declare(self, &mut lines, ARGUMENTS[1]);
        }
        if self.one_in(6) {
            declare(self, &mut lines, COMMIT);
        }
        // Every earlier stage is needed by a later one, so that all of them are built.
        let mut needed: Vec<usize> = if is_last {
            (0..number).collect()
        } else {
            Vec::new()
        };
        if base != Base::Image {
            needed.retain(|stage| base != Base::Stage(*stage));
        }
        let count = if stages == 1 {
            self.random.random_range(3..=8)
        } else {
            self.random.random_range(2..=4)
        };
        for step in 0..count {
            if self.one_in(8) {
                let name = format!("SETTING_{}", self.next);
                lines.push(self.line(Instruction::Env(name, "on".to_owned())));
            }
            if step == 1 && self.one_in(2) {
                declare(self, &mut lines, ARGUMENTS[0]);
            }
            let what = if step % 2 == 0 && !self.one_in(4) {
                self.copy()
            } else {
                self.run()
            };
            lines.push(self.line(what));
        }
        for stage in needed {
            let what = if self.one_in(4) {
                let script = format!("mkdir -p /out && cat /mnt/* | sha256sum > /out/{}", self.next);
                Instruction::Run(Run {
                    mounts: vec![Mount::Stage(stage)],
                    script,
                    heredoc: false,
                })
            } else {
                self.copy_from(stage)
            };
            lines.push(self.line(what));
            if self.one_in(2) {
                let what = self.run();
                lines.push(self.line(what));
            }
        }
        if !is_last {
            // What later stages take has to be there.
            let script = self.script();
            lines.push(self.line(Instruction::Run(Run {
                mounts: Vec::new(),
                script,
                heredoc: false,
            })));
        } else if self.one_in(5) {
            lines.push(self.line(Instruction::User("daemon".to_owned())));
            lines.push(self.line(Instruction::Run(Run {
                mounts: Vec::new(),
                script: "id -un".to_owned(),
                heredoc: false,
            })));
        }
        if is_last {
            lines.push(self.line(Instruction::Label("made.by".to_owned(), "campaign".to_owned())));
        }
        Stage {
            name: if is_last {
                "final".to_owned()
            } else {
                format!("build{number}")
            },
            base,
            lines,
        }
    }

    fn copy(&mut self) -> Instruction {
        let target = format!("/in/{}/", self.next);
        if self.features.heredoc && self.one_in(10) {
            let text = format!("{:x}", self.random.random_range(0..0x1000));
            return Instruction::Written {
                target: format!("/in/{}", self.next),
                text,
            };
        }
        let word = if self.one_in(8) { "ADD" } else { "COPY" };
        let several = |sources: &[&str]| sources.iter().map(|source| (*source).to_owned()).collect();
        let mut sources: Vec<String> = match self.random.random_range(0..14) {
            0..3 => several(&["."]),
            3..6 => several(&["src"]),
            6 => several(&["src/lib/"]),
            7 => several(&["conf"]),
            8..10 => several(&["src/*.txt"]),
            10 => several(&["conf/*.conf"]),
            11 => several(&["*.txt", "conf"]),
            12 => several(&["main.txt", "src", "conf/one.conf"]),
            _ => several(&[NAMED.choose(self.random).copied().unwrap_or(NAMED[0])]),
        };
        let mut flags = Vec::new();
        match self.random.random_range(0..10) {
            0 => flags.push("--chown=1000:1000"),
            1 => flags.push("--chown=daemon:daemon"),
            _ => {}
        }
        if self.one_in(8) {
            flags.push("--chmod=0755");
        }
        // A linked copy has no list of users to find a name in.
        if self.features.link && !flags.contains(&"--chown=daemon:daemon") && self.one_in(5) {
            flags.push("--link");
        }
        let has_folder = sources
            .iter()
            .any(|source| matches!(source.as_str(), "." | "src" | "conf"));
        let mut exclude = None;
        if word == "COPY" && has_folder && self.features.exclude && self.one_in(5) {
            exclude = Some(
                (*["**/*.md", "**/b.txt", "**/lib"]
                    .choose(self.random)
                    .unwrap_or(&"x"))
                .to_owned(),
            );
        } else if word == "COPY" && self.features.parents && self.one_in(8) {
            flags.push("--parents");
            sources = several(&["src/./lib", "conf/one.conf"]);
        }
        Instruction::Copy(Copy {
            word,
            flags: flags.into_iter().map(str::to_owned).collect(),
            from: None,
            exclude,
            sources,
            target,
        })
    }

    fn copy_from(&mut self, stage: usize) -> Instruction {
        let mut flags = Vec::new();
        if self.features.link && self.one_in(4) {
            flags.push("--link".to_owned());
        }
        if flags.is_empty() && self.one_in(8) {
            flags.push("--chown=daemon".to_owned());
        }
        let source = if self.one_in(3) { "/out/*" } else { "/out" };
        Instruction::Copy(Copy {
            word: "COPY",
            flags,
            from: Some(stage),
            exclude: None,
            sources: vec![source.to_owned()],
            target: format!("/in/{}/", self.next),
        })
    }

    fn run(&mut self) -> Instruction {
        let (mounts, script) = match self.random.random_range(0..16) {
            0 => (Mount::Context(None), self.reading("/ctx")),
            1 => (Mount::Context(Some("src")), self.reading("/ctx")),
            2 => (Mount::Cache, format!("date >> /cache/log && {}", self.script())),
            3 => (
                Mount::Secret,
                format!("test -s /run/secrets/token && {}", self.script()),
            ),
            4 => (Mount::Tmpfs, format!("touch /scratch/x && {}", self.script())),
            _ => {
                let script = self.script();
                let heredoc = self.features.heredoc && self.one_in(6);
                return Instruction::Run(Run {
                    mounts: Vec::new(),
                    script,
                    heredoc,
                });
            }
        };
        Instruction::Run(Run {
            mounts: vec![mounts],
            script,
            heredoc: false,
        })
    }

    fn reading(&mut self, folder: &str) -> String {
        format!(
            "mkdir -p /out && find {folder} -type f | sort | xargs cat | sha256sum > /out/{}",
            self.next
        )
    }

    /// A command whose output depends on the contents that were copied, on their names, on an argument, or on nothing.
    fn script(&mut self) -> String {
        let out = format!("/out/{}", self.next);
        let what = match self.random.random_range(0..10) {
            0..5 => "find /in -type f 2>/dev/null | sort | xargs -r cat | sha256sum".to_owned(),
            5 => "find /in -type f 2>/dev/null | sort".to_owned(),
            6 => "find /in -name a.txt 2>/dev/null | sort | xargs -r cat | head -c 5".to_owned(),
            7 => format!("echo \"${{{}:-none}}\"", ARGUMENTS[0]),
            _ => format!("echo {:x}", self.random.random_range(0..0x1_0000)),
        };
        format!("mkdir -p /out && {what} > {out}")
    }
}

/// Patterns for an ignore file; the engine never sees git's own files or the project file.
pub fn ignore(random: &mut StdRng) -> Vec<String> {
    let mut patterns = vec![".git".to_owned(), "compose.yaml".to_owned(), "*.log".to_owned()];
    if random.random_bool(0.7) {
        patterns.push("Dockerfile".to_owned());
        patterns.push(".dockerignore".to_owned());
    }
    if random.random_bool(0.6) {
        patterns.push("tmp".to_owned());
        if random.random_bool(0.5) {
            patterns.push("!tmp/keep.txt".to_owned());
        }
    }
    if random.random_bool(0.4) {
        patterns.push("**/*.md".to_owned());
    }
    patterns
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_seed_stands_for_one_dockerfile_and_identities_are_unique() {
        let features = Features {
            link: true,
            exclude: true,
            parents: true,
            heredoc: true,
            no_cache_filter: true,
        };
        let mut texts = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let invent = || invent(&mut StdRng::seed_from_u64(seed), features);
            let dockerfile = invent();
            assert_eq!(dockerfile, invent());
            let mut ids: Vec<Id> = dockerfile.lines().map(|line| line.id).collect();
            ids.dedup();
            assert_eq!(ids.len(), dockerfile.lines().count());
            texts.insert(dockerfile.render("base").0);
        }
        assert!(texts.len() > 190);
        let all: String = texts.into_iter().collect();
        for form in [
            "--link",
            "--exclude=",
            "--parents",
            "--chmod=",
            "--chown=daemon",
            "--from=",
            "type=bind,target",
            "type=bind,from",
            "type=cache",
            "type=secret",
            "type=tmpfs",
            "RUN <<EOF",
            "COPY <<EOF",
            "ADD ",
            "WORKDIR",
            "USER",
            "ENV",
            "ARG",
        ] {
            assert!(all.contains(form), "{form}");
        }
    }

    #[test]
    fn every_stage_is_needed() {
        for seed in 0..200 {
            let dockerfile = invent(&mut StdRng::seed_from_u64(seed), Features::default());
            let last = dockerfile.stages.len() - 1;
            for number in 0..last {
                let needs = |stage: &Stage| {
                    stage.base == Base::Stage(number)
                        || stage
                            .lines
                            .iter()
                            .any(|line| line.what.stages().contains(&number))
                };
                assert!(needs(&dockerfile.stages[last]), "stage {number} of seed {seed}");
            }
        }
    }
}
