//! What a Dockerfile says about itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Dockerfile, Instruction, expand, words};

/// A stage: one `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name after `AS`, in lower case as BuildKit compares it.
    pub name: Option<String>,
    /// The base as written, variables and all.
    pub base: String,
    /// The value of `--platform` as written.
    pub platform: Option<String>,
    /// The line of the `FROM`, from 1.
    pub line: usize,
}

impl Dockerfile {
    /// The character that escapes, and that continues lines: the backslash, unless the directive `escape` says
    /// the backtick.
    pub fn escape(&self) -> char {
        let value = self.directive("escape");
        if value == Some("`") { '`' } else { '\\' }
    }

    /// The value of a parser directive.
    pub fn directive(&self, name: &str) -> Option<&str> {
        self.directives
            .iter()
            .find(|directive| directive.name == name)
            .map(|found| found.value.as_str())
    }

    /// Whether some `ARG` declares the build argument `name`, in a stage or before the first.
    pub fn declares_arg(&self, name: &str) -> bool {
        let all = self
            .instructions
            .iter()
            .filter(|instruction| instruction.keyword == "ARG");
        all.flat_map(|instruction| self.arg_declarations(instruction))
            .any(|(declared, _)| declared == name)
    }

    /// The stages, in order.
    pub fn stages(&self) -> Vec<Stage> {
        let all = self
            .instructions
            .iter()
            .filter(|instruction| instruction.keyword == "FROM");
        all.map(|from| {
            let words = words::split(&from.args, self.escape());
            let name = match words.get(1) {
                Some(word) if word.eq_ignore_ascii_case("as") => words.get(2),
                _ => None,
            };
            Stage {
                name: name.map(|name| name.to_lowercase()),
                base: words.first().copied().unwrap_or_default().to_owned(),
                platform: from.flag("platform").map(str::to_owned),
                line: from.start_line,
            }
        })
        .collect()
    }

    /// The images from elsewhere that a build starts from or copies from, each once, in order: of `FROM` (with the
    /// `ARG`s before the first stage expanded, `args` being their values from outside), of `COPY --from` and of
    /// `RUN --mount=…,from=`. Stages of this file and `scratch` are left out.
    ///
    /// BuildKit's own arguments (`TARGETARCH`, …) have no value unless `args` gives one.
    pub fn base_refs(&self, args: &BTreeMap<String, String>) -> Vec<String> {
        let globals = self.global_args(args);
        let mut earlier = BTreeSet::new();
        let mut found = Vec::new();
        let mut stage = 0;
        let stages = self.stages();
        for instruction in &self.instructions {
            if instruction.keyword != "FROM" {
                found.extend(
                    sources(instruction)
                        .into_iter()
                        // A number is the stage with that index.
                        .filter(|name| {
                            name.parse::<usize>().is_err() && !earlier.contains(&name.to_lowercase())
                        }),
                );
                continue;
            }
            let base = expand::expand(&stages[stage].base, &globals, self.escape());
            if !base.is_empty() && base != "scratch" && !earlier.contains(&base.to_lowercase()) {
                found.push(base);
            }
            earlier.extend(stages[stage].name.clone());
            stage += 1;
        }
        let mut seen = BTreeSet::new();
        found.retain(|name| seen.insert(name.clone()));
        found
    }

    /// The values of the `ARG`s before the first `FROM`.
    fn global_args(&self, args: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut globals = BTreeMap::new();
        for instruction in self
            .instructions
            .iter()
            .take_while(|instruction| instruction.keyword != "FROM")
        {
            if instruction.keyword != "ARG" {
                continue;
            }
            for (name, default) in self.arg_declarations(instruction) {
                let default = default.map(|text| expand::expand(text, &globals, self.escape()));
                if let Some(value) = args.get(&name).cloned().or(default) {
                    globals.insert(name, value);
                }
            }
        }
        globals
    }

    /// Names and raw defaults of an `ARG` instruction.
    fn arg_declarations<'a>(
        &self,
        instruction: &'a Instruction,
    ) -> impl Iterator<Item = (String, Option<&'a str>)> + use<'a> {
        let escape = self.escape();
        words::split(&instruction.args, escape)
            .into_iter()
            .map(move |word| match word.split_once('=') {
                Some((name, default)) => (words::unquote(name, escape), Some(default)),
                None => (words::unquote(word, escape), None),
            })
    }
}

impl Instruction {
    /// The value of a flag; of several, the last.
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .rev()
            .find(|flag| flag.name == name)?
            .value
            .as_deref()
    }
}

/// What an instruction copies or mounts from.
fn sources(instruction: &Instruction) -> Vec<String> {
    let values = instruction
        .flags
        .iter()
        .filter_map(|flag| Some((flag.name.as_str(), flag.value.as_deref()?)));
    match instruction.keyword.as_str() {
        "COPY" | "ADD" => values
            .filter(|(name, _)| *name == "from")
            .map(|(_, value)| value.to_owned())
            .collect(),
        "RUN" => values
            .filter(|(name, _)| *name == "mount")
            .flat_map(|(_, value)| value.split(','))
            .filter_map(|option| option.trim_matches('"').strip_prefix("from="))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}
