//! `ARG` and `ENV`: what is declared, and what is visible where.

use std::collections::BTreeMap;

use crate::{Dockerfile, Span, Word, expand};

/// The arguments that BuildKit sets for every build. Before the first stage they are there by themselves, in a stage
/// they must be declared.
pub const PLATFORM_ARGS: [&str; 9] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

/// The arguments that need no declaration to be seen by a `RUN`.
pub const PROXY_ARGS: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// A name that an `ARG` or `ENV` declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Which of them.
    pub kind: DeclarationKind,
    /// The name, without quotes.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// The value, or the argument's default, as written.
    pub value: Option<Word>,
    /// The instruction's index in the file.
    pub instruction: usize,
    /// Where it counts.
    pub scope: Scope,
}

/// What declares a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclarationKind {
    /// A build argument.
    Arg,
    /// A variable of the image.
    Env,
}

/// Where a declaration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Before the first stage: in `FROM` lines, and in stages that declare it again.
    Global,
    /// In the stage of that index, from the instruction on, and in stages based on it.
    Stage(usize),
}

impl Dockerfile {
    /// All declarations of `ARG` and `ENV`, in order.
    pub fn declarations(&self) -> Vec<Declaration> {
        let mut scope = Scope::Global;
        let mut stages = 0;
        let mut all = Vec::new();
        for (index, instruction) in self.instructions.iter().enumerate() {
            let kind = match instruction.keyword.as_str() {
                "FROM" => {
                    scope = Scope::Stage(stages);
                    stages += 1;
                    continue;
                }
                "ARG" => DeclarationKind::Arg,
                "ENV" => DeclarationKind::Env,
                _ => continue,
            };
            all.extend(instruction.assignments.iter().map(|assignment| Declaration {
                kind,
                name: expand::expand(&assignment.name.raw, &BTreeMap::new(), self.escape()),
                name_span: assignment.name.span,
                value: assignment.value.clone(),
                instruction: index,
                scope,
            }));
        }
        all
    }

    /// The names that an instruction can use, with the declaration that each has its value from: those of its stage
    /// before it, and of the stages that its stage is based on; before the first stage, and in a `FROM`, the global ones.
    /// Those that need no declaration ([`PLATFORM_ARGS`], [`PROXY_ARGS`]) and what a base image sets are not among them.
    pub fn visible(&self, instruction: usize) -> BTreeMap<String, Declaration> {
        let stages = self.stages();
        let own = stages
            .iter()
            .find(|stage| stage.instructions.contains(&instruction));
        let mut chain: Vec<(Scope, usize)> = Vec::new();
        match own {
            Some(stage) if stage.instruction != instruction => {
                chain.push((Scope::Stage(stage.index), instruction));
                let mut base = stage.base_stage;
                while let Some(stage) = base.and_then(|index| stages.get(index)) {
                    chain.push((Scope::Stage(stage.index), usize::MAX));
                    base = stage.base_stage;
                }
            }
            _ => chain.push((Scope::Global, instruction)),
        }
        let declarations = self.declarations();
        let mut visible: BTreeMap<String, Declaration> = BTreeMap::new();
        for (scope, before) in chain.into_iter().rev() {
            for declaration in &declarations {
                if declaration.scope != scope || declaration.instruction >= before {
                    continue;
                }
                // An ARG does not hide an ENV.
                let hidden = declaration.kind == DeclarationKind::Arg
                    && visible
                        .get(&declaration.name)
                        .is_some_and(|seen| seen.kind == DeclarationKind::Env);
                if !hidden {
                    visible.insert(declaration.name.clone(), declaration.clone());
                }
            }
        }
        visible
    }
}
