//! A Dockerfile as a value: stages of instructions that keep their identity through every edit, and know the lines that
//! they were written to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// An instruction's identity: the same before and after an edit of it.
pub type Id = u32;

/// What a campaign's project is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct Dockerfile {
    /// Comments above the first stage.
    pub comments: Vec<String>,
    /// The last one is built.
    pub stages: Vec<Stage>,
}

/// One `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What it begins with.
    pub base: Base,
    /// Its instructions.
    pub lines: Vec<Line>,
}

/// What a stage begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The project's base image.
    Image,
    /// A stage before it.
    Stage(usize),
}

/// An instruction with its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its identity.
    pub id: Id,
    /// The comments right above it.
    pub comments: Vec<String>,
    /// What it says.
    pub what: Instruction,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq)]
pub enum Instruction {
    /// `ARG name=value`
    Arg(String, String),
    /// `ENV name=value`
    Env(String, String),
    /// `LABEL name=value`
    Label(String, String),
    /// `USER name`
    User(String),
    /// `WORKDIR path`
    Workdir(String),
    /// `COPY` or `ADD`.
    Copy(Copy),
    /// `COPY <<EOF target`: a file that stands in the Dockerfile.
    Written { target: String, text: String },
    /// `RUN`
    Run(Run),
}

/// `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// `COPY` or `ADD`.
    pub word: &'static str,
    /// `--link`, `--chown=1000`…
    pub flags: Vec<String>,
    /// The stage that it copies from; the context without one.
    pub from: Option<usize>,
    /// What `--exclude` names.
    pub exclude: Option<String>,
    /// Files, folders and patterns.
    pub sources: Vec<String>,
    /// Where to.
    pub target: String,
}

/// `RUN`
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// The commands.
    pub script: String,
    /// Written as a heredoc.
    pub heredoc: bool,
}

/// A `RUN --mount`.
#[derive(Debug, Clone, PartialEq)]
pub enum Mount {
    /// The context or a part of it, at `/ctx`.
    Context(Option<&'static str>),
    /// The `/out` of a stage, at `/mnt`.
    Stage(usize),
    /// A cache at `/cache`.
    Cache,
    /// The secret `token`.
    Secret,
    /// A file system in memory at `/scratch`.
    Tmpfs,
}

impl Dockerfile {
    /// The text, and the lines that each instruction got (counted from 1).
    pub fn render(&self, base: &str) -> (String, BTreeMap<Id, RangeInclusive<u64>>) {
        let mut text = String::new();
        let mut places = BTreeMap::new();
        let comment = |text: &mut String, comments: &[String]| {
            for comment in comments {
                let _ = writeln!(text, "# {comment}");
            }
        };
        comment(&mut text, &self.comments);
        for stage in &self.stages {
            let base = match stage.base {
                Base::Image => base,
                Base::Stage(number) => &self.stages[number].name,
            };
            let _ = writeln!(text, "FROM {base} AS {}", stage.name);
            for line in &stage.lines {
                comment(&mut text, &line.comments);
                let first = text.lines().count() as u64 + 1;
                let _ = writeln!(text, "{}", self.instruction(&line.what));
                places.insert(line.id, first..=text.lines().count() as u64);
            }
        }
        (text, places)
    }

    /// One instruction as it is written.
    pub fn instruction(&self, what: &Instruction) -> String {
        match what {
            Instruction::Arg(name, value) => format!("ARG {name}={value}"),
            Instruction::Env(name, value) => format!("ENV {name}={value}"),
            Instruction::Label(name, value) => format!("LABEL {name}={value}"),
            Instruction::User(name) => format!("USER {name}"),
            Instruction::Workdir(path) => format!("WORKDIR {path}"),
            Instruction::Copy(copy) => {
                let mut words = vec![copy.word.to_owned()];
                words.extend(
                    copy.from
                        .map(|stage| format!("--from={}", self.stages[stage].name)),
                );
                words.extend(
                    copy.exclude
                        .as_ref()
                        .map(|pattern| format!("--exclude={pattern}")),
                );
                words.extend(copy.flags.iter().cloned());
                words.extend(copy.sources.iter().cloned());
                words.push(copy.target.clone());
                words.join(" ")
            }
            Instruction::Written { target, text } => format!("COPY <<EOF {target}\n{text}\nEOF"),
            Instruction::Run(run) => {
                let mut words = vec!["RUN".to_owned()];
                words.extend(run.mounts.iter().map(|mount| self.mount(mount)));
                words.push(if run.heredoc {
                    format!("<<EOF\nset -e\n{}\nEOF", run.script)
                } else {
                    run.script.clone()
                });
                words.join(" ")
            }
        }
    }

    fn mount(&self, mount: &Mount) -> String {
        match mount {
            Mount::Context(None) => "--mount=type=bind,target=/ctx".to_owned(),
            Mount::Context(Some(source)) => format!("--mount=type=bind,source={source},target=/ctx"),
            Mount::Stage(stage) => format!(
                "--mount=type=bind,from={},source=/out,target=/mnt",
                self.stages[*stage].name
            ),
            Mount::Cache => "--mount=type=cache,target=/cache".to_owned(),
            Mount::Secret => "--mount=type=secret,id=token".to_owned(),
            Mount::Tmpfs => "--mount=type=tmpfs,target=/scratch".to_owned(),
        }
    }

    /// All instructions.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.stages.iter().flat_map(|stage| &stage.lines)
    }

    /// All instructions, to be changed.
    pub fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        self.stages.iter_mut().flat_map(|stage| &mut stage.lines)
    }
}

impl Instruction {
    /// Whether it makes a layer, and is a step of the build.
    pub fn is_step(&self) -> bool {
        matches!(
            self,
            Self::Workdir(_) | Self::Copy(_) | Self::Written { .. } | Self::Run(_)
        )
    }

    /// The stages that it reads.
    pub fn stages(&self) -> Vec<usize> {
        match self {
            Self::Copy(copy) => copy.from.into_iter().collect(),
            Self::Run(run) => run.mounts.iter().filter_map(Mount::stage).collect(),
            _ => Vec::new(),
        }
    }
}

impl Mount {
    fn stage(&self) -> Option<usize> {
        match self {
            Self::Stage(stage) => Some(*stage),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_found_at_its_lines_whatever_stands_above_it() {
        let line = |id, what| Line {
            id,
            comments: Vec::new(),
            what,
        };
        let run = Run {
            mounts: vec![Mount::Stage(0)],
            script: "true".to_owned(),
            heredoc: true,
        };
        let mut dockerfile = Dockerfile {
            comments: Vec::new(),
            stages: vec![
                Stage {
                    name: "build".to_owned(),
                    base: Base::Image,
                    lines: vec![line(1, Instruction::Workdir("/w".to_owned()))],
                },
                Stage {
                    name: "last".to_owned(),
                    base: Base::Stage(0),
                    lines: vec![line(2, Instruction::Run(run))],
                },
            ],
        };
        let (text, places) = dockerfile.render("base");
        assert_eq!(
            text,
            "FROM base AS build\nWORKDIR /w\nFROM build AS last\n\
             RUN --mount=type=bind,from=build,source=/out,target=/mnt <<EOF\nset -e\ntrue\nEOF\n"
        );
        assert_eq!((&places[&1], &places[&2]), (&(2..=2), &(4..=7)));
        dockerfile.comments.push("hello".to_owned());
        let (_, places) = dockerfile.render("base");
        assert_eq!((&places[&1], &places[&2]), (&(3..=3), &(5..=8)));
    }
}
