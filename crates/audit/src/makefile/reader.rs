//! The lines of a Makefile: rules, recipes, variables, `define`, conditionals.

use std::collections::{HashMap, HashSet};

use super::expand::{closing, expand, shell_calls};
use super::recipe::{join, recipe_line};
use super::{Makefile, Operator, Recipe, Variable};
use crate::{MappedText, Span};

pub(super) fn read(text: &str) -> Makefile {
    let mut reader = Reader {
        text,
        ..Reader::default()
    };
    // Which special targets there are is known at the end only, and holds for the whole file.
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    while at < text.len() {
        at = reader.line(at);
    }
    reader.end_rule();
    reader.finish()
}

#[derive(Default)]
struct Reader<'a> {
    text: &'a str,
    makefile: Makefile,
    /// The rule whose recipe is read.
    rule: Option<Recipe>,
    /// Whether `.IGNORE` holds for all targets.
    ignore_all: bool,
    ignored: HashSet<String>,
    /// The bodies of `define`, by name.
    defined: HashMap<&'a str, Span>,
    /// Whether `.RECIPEPREFIX` is something else than a tab.
    prefix: Option<char>,
}

impl<'a> Reader<'a> {
    /// Reads the line at `at` with those that continue it; says where the next begins.
    fn line(&mut self, at: usize) -> usize {
        let text = self.text;
        let prefix = self.prefix.unwrap_or('\t');
        let rest = text.get(at..).unwrap_or_default();
        let (end, next) = logical_end(text, at);
        let line = text.get(at..end).unwrap_or_default();
        if self.rule.is_some() && rest.starts_with(prefix) {
            let line = recipe_line(text, Span::new(at, end), prefix);
            if let Some(rule) = &mut self.rule
                && !line.text.text().trim().is_empty()
            {
                rule.lines.push(line);
            }
            return next;
        }
        let trimmed = line.trim_start();
        let start = at + (line.len() - trimmed.len());
        let word = trimmed
            .split(|character: char| character.is_whitespace() || character == '(')
            .next()
            .unwrap_or_default();
        match word {
            "" | "ifeq" | "ifneq" | "ifdef" | "ifndef" | "else" | "endif" => {}
            _ if trimmed.starts_with('#') => {}
            "include" | "-include" | "sinclude" | "vpath" | "unexport" => self.end_rule(),
            "define" => return self.define(Span::new(start, end), next),
            _ => self.statement(Span::new(start, end)),
        }
        next
    }

    fn statement(&mut self, span: Span) {
        let line = span.slice(self.text);
        let mut start = span.start;
        let mut rest = line;
        for keyword in ["export", "override", "private"] {
            if let Some(behind) = rest.strip_prefix(keyword)
                && behind.starts_with([' ', '\t'])
            {
                let trimmed = behind.trim_start();
                start += rest.len() - trimmed.len();
                rest = trimmed;
            }
        }
        match separator(rest) {
            Some(Separator::Assignment(found, operator)) => {
                self.end_rule();
                self.assignment(start, rest, found, operator);
            }
            Some(Separator::Colon(found)) => {
                self.end_rule();
                self.begin_rule(start, rest, found);
            }
            None => {
                // `export NAME`, `$(eval …)`, or what make would refuse.
                self.end_rule();
                shell_calls(rest, start, &mut self.makefile.shell_calls);
            }
        }
    }

    fn assignment(&mut self, start: usize, line: &'a str, found: Span, operator: Operator) {
        let name = line.get(..found.start).unwrap_or_default();
        let value = line.get(found.end..).unwrap_or_default();
        let value = value.split(" #").next().unwrap_or_default();
        let lead = value.len() - value.trim_start().len();
        let value_start = start + found.end + lead;
        let value = value.trim();
        let name = name.trim_end();
        if name == ".RECIPEPREFIX" {
            self.prefix = value.chars().next();
        }
        if operator == Operator::Command {
            let mut mapped = MappedText::default();
            expand(&mut mapped, value, value_start);
            self.makefile.shell_calls.push(mapped);
        } else {
            shell_calls(value, value_start, &mut self.makefile.shell_calls);
        }
        self.makefile.variables.push(Variable {
            name: name.to_owned(),
            name_span: Span::new(start, start + name.len()),
            operator,
            value: value.to_owned(),
            value_span: Span::new(value_start, value_start + value.len()),
        });
    }

    fn begin_rule(&mut self, start: usize, line: &str, colon: Span) {
        let targets = line.get(..colon.start).unwrap_or_default();
        let behind = line.get(colon.end..).unwrap_or_default();
        // `target: NAME = value` sets a variable for the target.
        if matches!(separator(behind), Some(Separator::Assignment(..))) {
            return;
        }
        let (prerequisites, command) = match behind.find(';') {
            Some(semicolon) => (&behind[..semicolon], Some(colon.end + semicolon + 1)),
            None => (behind, None),
        };
        let words = |text: &str| -> Vec<String> {
            let text = text.split('#').next().unwrap_or_default();
            let words = text.split_whitespace().filter(|word| *word != "\\");
            words.map(str::to_owned).collect()
        };
        let names = words(targets);
        let prerequisites: Vec<String> = words(prerequisites)
            .into_iter()
            .take_while(|word| word != "|")
            .collect();
        match names.first().map(String::as_str) {
            Some(".ONESHELL") => self.makefile.one_shell = true,
            Some(".IGNORE") if prerequisites.is_empty() => self.ignore_all = true,
            Some(".IGNORE") => self.ignored.extend(prerequisites),
            Some(_) => {
                let mut rule = Recipe {
                    targets: names,
                    targets_span: Span::new(start, start + targets.trim_end().len()),
                    prerequisites,
                    lines: Vec::new(),
                };
                if let Some(command) = command {
                    let span = Span::new(start + command, start + line.len());
                    let line = recipe_line(self.text, span, self.prefix.unwrap_or('\t'));
                    rule.lines
                        .extend((!line.text.text().trim().is_empty()).then_some(line));
                }
                self.rule = Some(rule);
            }
            None => {}
        }
    }

    fn end_rule(&mut self) {
        self.makefile
            .recipes
            .extend(self.rule.take().filter(|rule| !rule.lines.is_empty()));
    }

    /// `define NAME` up to its `endef`; says where the line behind begins.
    fn define(&mut self, head: Span, body: usize) -> usize {
        self.end_rule();
        let text = self.text;
        let name = head.slice(text)["define".len()..].trim();
        let name = name.trim_end_matches(['=', ':', '?', '+', '!']).trim();
        let (mut at, mut depth) = (body, 1);
        let mut end = text.len();
        while at < text.len() {
            let (line_end, next) = logical_end(text, at);
            let first = text
                .get(at..line_end)
                .unwrap_or_default()
                .split_whitespace()
                .next();
            match first {
                Some("define") => depth += 1,
                Some("endef") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = at;
                at = next;
                break;
            }
            at = next;
        }
        let span = Span::new(body.min(end), end);
        let name_start = head.start + head.slice(text).find(name).unwrap_or_default();
        self.defined.insert(name, span);
        self.makefile.variables.push(Variable {
            name: name.to_owned(),
            name_span: Span::new(name_start, name_start + name.len()),
            operator: Operator::Define,
            value: span.slice(text).to_owned(),
            value_span: span,
        });
        at
    }

    fn finish(mut self) -> Makefile {
        self.read_canned();
        for recipe in &mut self.makefile.recipes {
            let ignored =
                self.ignore_all || recipe.targets.iter().any(|target| self.ignored.contains(target));
            for line in &mut recipe.lines {
                line.ignore_errors |= ignored;
            }
            if self.makefile.one_shell {
                join(recipe, self.text, self.prefix.unwrap_or('\t'));
            }
        }
        self.makefile
    }

    /// A line that is nothing but `$(NAME)` or `$(call NAME,…)` stands for the lines of `define NAME`. They are given
    /// with the recipe that uses them first.
    fn read_canned(&mut self) {
        for recipe in &mut self.makefile.recipes {
            let mut lines = Vec::with_capacity(recipe.lines.len());
            for line in std::mem::take(&mut recipe.lines) {
                let source = line
                    .span
                    .slice(self.text)
                    .trim()
                    .trim_start_matches(['@', '-', '+'])
                    .trim();
                let body = called(source).and_then(|name| self.defined.remove(name));
                lines.push(line);
                let Some(body) = body else {
                    continue;
                };
                let mut at = body.start;
                while at < body.end {
                    let (end, next) = logical_end(self.text, at);
                    let line = recipe_line(self.text, Span::new(at, end), '\t');
                    lines.extend((!line.text.text().trim().is_empty()).then_some(line));
                    at = next;
                }
            }
            recipe.lines = lines;
        }
    }
}

/// The name in `$(NAME)` and `$(call NAME,…)`, if that is all.
fn called(source: &str) -> Option<&str> {
    let inner = source.strip_prefix("$(")?.strip_suffix(')')?;
    let name = match inner.strip_prefix("call ") {
        Some(call) => call.split(',').next().unwrap_or_default().trim(),
        None => inner,
    };
    (!name.contains(['$', '(', ' '])).then_some(name)
}

/// What divides a line that is no recipe's.
enum Separator {
    Assignment(Span, Operator),
    Colon(Span),
}

/// The first operator or colon outside of references.
fn separator(line: &str) -> Option<Separator> {
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => return None,
            b'$' if matches!(bytes.get(at + 1), Some(b'(' | b'{')) => {
                at = closing(bytes, at + 1)?;
                continue;
            }
            b'=' => return Some(Separator::Assignment(Span::new(at, at + 1), Operator::Set)),
            b'?' | b'+' | b'!' if bytes.get(at + 1) == Some(&b'=') => {
                let operator = match byte {
                    b'?' => Operator::Default,
                    b'+' => Operator::Append,
                    _ => Operator::Command,
                };
                return Some(Separator::Assignment(Span::new(at, at + 2), operator));
            }
            b':' => {
                let colons = bytes[at..].iter().take_while(|byte| **byte == b':').count();
                if bytes.get(at + colons) == Some(&b'=') {
                    return Some(Separator::Assignment(
                        Span::new(at, at + colons + 1),
                        Operator::Set,
                    ));
                }
                return Some(Separator::Colon(Span::new(at, at + colons)));
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the line at `at` ends with those that continue it, without its line break; and where the next begins.
fn logical_end(text: &str, at: usize) -> (usize, usize) {
    let mut from = at;
    loop {
        let Some(newline) = text
            .get(from..)
            .and_then(|rest| rest.find('\n'))
            .map(|found| from + found)
        else {
            return (text.len(), text.len());
        };
        let line = text.get(from..newline).unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 0 {
            return (from + line.len(), newline + 1);
        }
        from = newline + 1;
    }
}
