//! What a Dockerfile says about itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::{DeclarationKind, Dockerfile, Scope, Uses, expand};

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

    /// A word as the engine expands it where its variables have these values: quotes are gone, and a variable without a
    /// value is empty.
    pub fn expand(&self, word: &str, values: &BTreeMap<String, String>) -> String {
        expand::expand(word, values, self.escape())
    }

    /// Whether some `ARG` declares the build argument `name`, in a stage or before the first.
    pub fn declares_arg(&self, name: &str) -> bool {
        let all = self.declarations();
        all.iter()
            .any(|declared| declared.kind == DeclarationKind::Arg && declared.name == name)
    }

    /// The images from elsewhere that a build starts from or copies from, each once, in order: of `FROM` (with the
    /// `ARG`s before the first stage expanded, `args` being their values from outside), of `COPY --from` and of
    /// `RUN --mount=…,from=`. Stages of this file and `scratch` are left out.
    ///
    /// BuildKit's own arguments (`TARGETARCH`, …) have no value unless `args` gives one.
    pub fn base_refs(&self, args: &BTreeMap<String, String>) -> Vec<String> {
        let images = self
            .stage_uses(args)
            .into_iter()
            .filter_map(|one| match one.uses {
                Uses::Image(image) if !image.is_empty() => Some(image),
                _ => None,
            });
        let mut seen = BTreeSet::new();
        images.filter(|name| seen.insert(name.clone())).collect()
    }

    /// The values of the `ARG`s before the first `FROM`.
    pub(crate) fn global_args(&self, args: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut globals = BTreeMap::new();
        let declared = self.declarations();
        for argument in declared
            .iter()
            .filter(|one| one.scope == Scope::Global && one.kind == DeclarationKind::Arg)
        {
            let default = argument.value.as_ref();
            let default = default.map(|word| expand::expand(&word.raw, &globals, self.escape()));
            if let Some(value) = args.get(&argument.name).cloned().or(default) {
                globals.insert(argument.name.clone(), value);
            }
        }
        globals
    }
}
