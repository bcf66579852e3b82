//! Stages, what each is made from, and which of them a target needs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::{Dockerfile, Instruction, Span, expand};

/// A stage: one `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its number, from 0.
    pub index: usize,
    /// The name after `AS`, in lower case as BuildKit compares it.
    pub name: Option<String>,
    /// Where the name stands.
    pub name_span: Option<Span>,
    /// The base as written, variables and all.
    pub base: String,
    /// Where that stands.
    pub base_span: Span,
    /// The base with the arguments before the first stage put in.
    pub resolved_base: String,
    /// The earlier stage that the base is.
    pub base_stage: Option<usize>,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// The line of the `FROM`, from 1.
    pub line: usize,
    /// The index of the `FROM` among the file's instructions.
    pub instruction: usize,
    /// The indices of all its instructions, the `FROM` included.
    pub instructions: Range<usize>,
}

/// One place where a stage uses another stage, or an image from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageUse {
    /// The stage that uses.
    pub stage: usize,
    /// The instruction's index in the file.
    pub instruction: usize,
    /// Where the name of the used one stands.
    pub span: Span,
    /// How.
    pub by: UsedBy,
    /// What is used.
    pub uses: Uses,
}

/// How a stage or an image is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedBy {
    /// `FROM x`.
    From,
    /// `COPY --from=x`.
    Copy,
    /// `RUN --mount=…,from=x`.
    Mount,
}

/// What is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uses {
    /// A stage of this file.
    Stage(usize),
    /// An image, or a context of that name.
    Image(String),
    /// The empty image.
    Scratch,
    /// A number that no stage has.
    NoStage(String),
}

impl Dockerfile {
    /// The stages, in order, with the defaults of the arguments before the first one.
    pub fn stages(&self) -> Vec<Stage> {
        self.stages_with(&BTreeMap::new())
    }

    /// The stages, in order; `args` are the values of build arguments from outside.
    pub fn stages_with(&self, args: &BTreeMap<String, String>) -> Vec<Stage> {
        let froms = self
            .instructions
            .iter()
            .enumerate()
            .filter(|(_, one)| one.keyword == "FROM");
        let starts: Vec<usize> = froms.map(|(index, _)| index).collect();
        let globals = self.global_args(args);
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut stages = Vec::with_capacity(starts.len());
        for (index, start) in starts.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or(self.instructions.len());
            let stage = self.stage(index, *start..end, &globals, &names);
            names.extend(stage.name.clone().map(|name| (name, index)));
            stages.push(stage);
        }
        stages
    }

    fn stage(
        &self,
        index: usize,
        instructions: Range<usize>,
        globals: &BTreeMap<String, String>,
        earlier: &BTreeMap<String, usize>,
    ) -> Stage {
        let from = &self.instructions[instructions.start];
        let name = match from.words.get(1) {
            Some(word) if word.raw.eq_ignore_ascii_case("as") => from.words.get(2),
            _ => None,
        };
        let base = from.words.first();
        let base_text = base.map(|word| word.raw.clone()).unwrap_or_default();
        let resolved_base = expand::expand(&base_text, globals, self.escape());
        Stage {
            index,
            name: name.map(|word| word.raw.to_lowercase()),
            name_span: name.map(|word| word.span),
            base_span: base.map_or(from.args_span, |word| word.span),
            base: base_text,
            base_stage: earlier.get(&resolved_base.to_lowercase()).copied(),
            resolved_base,
            platform: from.flag("platform").map(str::to_owned),
            line: from.start_line,
            instruction: instructions.start,
            instructions,
        }
    }

    /// Every use of a stage or an image by a stage, in order; `args` are the values of build arguments from outside.
    pub fn stage_uses(&self, args: &BTreeMap<String, String>) -> Vec<StageUse> {
        let stages = self.stages_with(args);
        // Of several stages with one name, COPY and mounts mean the last.
        let named = stages
            .iter()
            .filter_map(|stage| Some((stage.name.clone()?, stage.index)));
        let names: BTreeMap<String, usize> = named.collect();
        let mut uses = Vec::new();
        for stage in &stages {
            let mut add = |instruction: usize, span: Span, by: UsedBy, target: Uses| {
                uses.push(StageUse {
                    stage: stage.index,
                    instruction,
                    span,
                    by,
                    uses: target,
                });
            };
            let base = match (stage.base_stage, stage.resolved_base.as_str()) {
                (Some(base), _) => Uses::Stage(base),
                (None, "scratch") => Uses::Scratch,
                (None, image) => Uses::Image(image.to_owned()),
            };
            add(stage.instruction, stage.base_span, UsedBy::From, base);
            for index in stage.instructions.clone().skip(1) {
                for (name, span, by) in sources(&self.instructions[index]) {
                    let number = name.parse::<i64>().ok().filter(|_| by == UsedBy::Copy);
                    let target = match (number, names.get(&name.to_lowercase())) {
                        (Some(number), _) => match usize::try_from(number) {
                            Ok(number) if number < stages.len() => Uses::Stage(number),
                            _ => Uses::NoStage(name.to_owned()),
                        },
                        (None, Some(stage)) => Uses::Stage(*stage),
                        (None, None) if name == "scratch" => Uses::Scratch,
                        (None, None) => Uses::Image(name.to_owned()),
                    };
                    add(index, span, by, target);
                }
            }
        }
        uses
    }

    /// The stages that a stage needs, itself included.
    pub fn needed_stages(&self, target: usize) -> BTreeSet<usize> {
        let mut needs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for one in self.stage_uses(&BTreeMap::new()) {
            if let Uses::Stage(used) = one.uses {
                needs.entry(one.stage).or_default().push(used);
            }
        }
        let mut needed = BTreeSet::new();
        let mut open = vec![target];
        while let Some(stage) = open.pop() {
            if needed.insert(stage) {
                open.extend(needs.get(&stage).into_iter().flatten());
            }
        }
        needed
    }
}

/// A stage and those that it is based on, itself first.
pub fn base_chain(stages: &[Stage], index: usize) -> impl Iterator<Item = &Stage> {
    // A base is an earlier stage: it comes to an end.
    std::iter::successors(stages.get(index), |stage| stages.get(stage.base_stage?))
}

/// What an instruction copies or mounts from: names, and where they stand.
fn sources(instruction: &Instruction) -> Vec<(&str, Span, UsedBy)> {
    let copied = instruction
        .copy_from()
        .map(|(name, span)| (name, span, UsedBy::Copy));
    let mounted = instruction.mounts.iter().filter_map(|mount| {
        let from = mount.option("from")?;
        Some((from.value.as_deref()?, from.value_span?, UsedBy::Mount))
    });
    copied
        .into_iter()
        .chain(mounted)
        .filter(|(name, ..)| !name.is_empty())
        .collect()
}
