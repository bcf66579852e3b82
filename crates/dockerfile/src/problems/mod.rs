//! What the engine would refuse before it looks at anything else: errors of its parser, and of the instructions as
//! each stands. Not what it would refuse later: images that cannot be had, variables that are not set, files that are
//! not there.
//!
//! The rules are those of BuildKit's Dockerfile frontend (`parser.Parse`, `instructions.Parse`), version 0.25.

mod flags;
mod instruction;
mod options;
mod values;

use crate::{Dockerfile, Span};

/// Something for which the engine refuses the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub span: Span,
    /// The first line of the instruction or directive, from 1.
    pub line: usize,
    /// What is wrong with it, as a fragment.
    pub message: String,
}

/// The order in which the engine looks: an error of an earlier pass hides all of the later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pass {
    /// The options of the `check` directive.
    Options,
    /// Lines and words.
    Parser,
    /// Instructions, each as it stands.
    Instructions,
    /// The file as a whole.
    Whole,
}

/// The problems that were found, in no order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Troubles(Vec<(Pass, Problem)>);

impl Troubles {
    /// Adds one.
    pub fn add(&mut self, pass: Pass, span: Span, line: usize, message: impl Into<String>) {
        let message = message.into();
        self.0.push((pass, Problem { span, line, message }));
    }

    /// The problems, that first of which the engine speaks.
    pub fn in_order(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|(pass, problem)| (*pass, problem.line));
        self.0.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// Whose rules a file is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend {
    /// The one that is part of the engine.
    BuiltIn,
    /// One that a `syntax` directive names. It may be newer than the engine, or have experiments; flags that exist in
    /// any known one are taken as known.
    Named,
}

impl Dockerfile {
    /// What the engine would refuse the file for, that first of which it would speak: errors of its parser come before
    /// errors of instructions, wherever they stand. Empty exactly when the engine takes the file's syntax.
    ///
    /// The engine is Docker 28.5 (BuildKit 0.25); a file that names another frontend in a `syntax` directive may use
    /// the flags that the engine's own does not have.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems_for(self.frontend())
    }

    /// What a frontend would refuse the file for.
    pub fn problems_for(&self, frontend: Frontend) -> Vec<Problem> {
        let mut troubles = self.troubles.clone();
        let mut in_stage = false;
        for instruction in &self.instructions {
            let line = instruction.start_line;
            in_stage |= instruction.keyword == "FROM";
            if let Some((span, message)) = instruction::check(instruction, frontend) {
                troubles.add(Pass::Instructions, span, line, message);
            } else if !in_stage && instruction.keyword != "ARG" {
                let message = "only ARG can stand before the first FROM";
                troubles.add(Pass::Instructions, instruction.keyword_span, line, message);
            }
        }
        if let Some(last) = self.instructions.last().filter(|_| !in_stage) {
            let message = "there is no FROM, and so no stage to build";
            troubles.add(Pass::Whole, last.span, last.start_line, message);
        }
        troubles.in_order()
    }

    /// Who reads the file.
    pub fn frontend(&self) -> Frontend {
        match self.directive("syntax") {
            Some(_) => Frontend::Named,
            None => Frontend::BuiltIn,
        }
    }
}

/// Adds what is wrong with the options of the `check` directive.
pub(crate) fn options(bytes: &[u8], troubles: &mut Troubles) {
    if let Some((span, line, message)) = options::check(bytes) {
        troubles.add(Pass::Options, span, line, message);
    }
}
