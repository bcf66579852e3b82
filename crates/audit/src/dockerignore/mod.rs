//! Ignore files: which line of one keeps a path out of a build context.
//!
//! The language of patterns and the walk are those of `unstale-context`; what is added here is the places of the lines, and
//! that a line which the engine refuses (it refuses the whole build then) does not hide what the others say.

use unstale_context::{IgnoreLine, Matcher, Selector, ignore_lines};

use crate::{Source, Span};

/// An ignore file.
#[derive(Debug)]
pub struct IgnoreFile {
    lines: Vec<Line>,
    faults: Vec<Fault>,
    matcher: Option<Matcher>,
    /// The line of each pattern of the matcher, as an index of `lines`.
    matched: Vec<usize>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// The whole line without its line break.
    pub span: Span,
    /// What it is.
    pub content: Content,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing but blanks.
    Blank,
    /// `# …`, from the first character on.
    Comment,
    /// A pattern.
    Pattern {
        /// As the engine uses it: cleaned, relative, without its `!`.
        text: String,
        /// Whether it begins with `!`: it brings back what lines before left out.
        exception: bool,
        /// Where it stands, with its `!`, without blanks around it.
        span: Span,
    },
}

/// A line that the engine refuses, and with it the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// What an ignore file says about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Whether it is left out of the context.
    pub ignored: bool,
    /// The line that decided.
    pub line: &'a Line,
}

impl IgnoreFile {
    /// Reads a file.
    pub fn of(source: &Source) -> IgnoreFile {
        let text = source.text();
        let mut file = IgnoreFile {
            lines: Vec::with_capacity(source.line_count()),
            faults: Vec::new(),
            matcher: None,
            matched: Vec::new(),
        };
        let patterns = match ignore_lines(text.as_bytes()) {
            Ok(patterns) => patterns,
            Err(number) => {
                file.faults.push(Fault {
                    message: "line is longer than the engine reads".to_owned(),
                    span: source.line(number).unwrap_or_default(),
                });
                Vec::new()
            }
        };
        // Only if the whole list is refused, each pattern is tried alone: compiling is what takes time here.
        let list = |patterns: &[IgnoreLine]| {
            let patterns = patterns.iter().map(|line| line.pattern.clone()).collect();
            Selector::new(Vec::new(), patterns, Vec::new()).matcher()
        };
        let whole = list(&patterns).ok();
        let (taken, refused): (Vec<IgnoreLine>, Vec<IgnoreLine>) = match whole {
            Some(_) => (patterns.clone(), Vec::new()),
            None => patterns
                .iter()
                .cloned()
                .partition(|line| list(std::slice::from_ref(line)).is_ok()),
        };
        file.matcher = whole.or_else(|| list(&taken).ok());
        file.matched = taken.iter().map(|line| line.line - 1).collect();
        for line in &refused {
            file.faults.push(Fault {
                message: "pattern is malformed, and the engine refuses to build".to_owned(),
                span: trimmed(text, source.line(line.line).unwrap_or_default()),
            });
        }
        let mut patterns = patterns.into_iter().peekable();
        for number in 1..=source.line_count() {
            let span = source.line(number).unwrap_or_default();
            let content = match patterns.next_if(|pattern| pattern.line == number) {
                Some(IgnoreLine { pattern, .. }) => Content::Pattern {
                    text: pattern.strip_prefix('!').unwrap_or(&pattern).to_owned(),
                    exception: pattern.starts_with('!'),
                    span: trimmed(text, span),
                },
                None if trimmed(text, span).is_empty() => Content::Blank,
                None => Content::Comment,
            };
            file.lines.push(Line {
                number,
                span,
                content,
            });
        }
        file
    }

    /// All lines, in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// What the engine refuses.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Which line decides over a path. `path` is relative to the context folder, with `/` between its parts. [`None`] if no
    /// line speaks of it: it is in the context.
    ///
    /// An ignored folder is in the context nevertheless if something in it is brought back.
    pub fn decision(&self, path: &str, is_dir: bool) -> Option<Decision<'_>> {
        let decision = self.matcher.as_ref()?.decision(path, is_dir)?;
        let line = self.lines.get(*self.matched.get(decision.pattern)?)?;
        Some(Decision {
            ignored: decision.excluded,
            line,
        })
    }

    /// Whether a path is left out of the context.
    pub fn ignores(&self, path: &str, is_dir: bool) -> bool {
        self.decision(path, is_dir)
            .is_some_and(|decision| decision.ignored)
    }

    /// Whether a line brings a path back by its own name: somebody wants it.
    pub fn brings_back(&self, path: &str) -> bool {
        let name = |path: &str| path.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
        let decision = self.decision(path, true).filter(|decision| !decision.ignored);
        decision.is_some_and(|decision| {
            matches!(&decision.line.content, Content::Pattern { text, exception: true, .. } if name(text) == name(path))
        })
    }

    /// Whether something in a folder can be in the context.
    pub fn enters(&self, folder: &str) -> bool {
        self.matcher.as_ref().is_none_or(|matcher| matcher.enters(folder))
    }
}

/// Where the ignore file of a build may be, first come, first served: beside the Dockerfile under its name, and in the
/// context. Both paths are relative to the same folder, as the results are.
///
/// Source: BuildKit's Dockerfile frontend (`dockerui`), from 1.1 of it on; the classic builder knows the second alone.
pub fn candidates(dockerfile: &str, context: &str) -> [String; 2] {
    let context = context.trim_end_matches('/');
    let second = match context {
        "" | "." => ".dockerignore".to_owned(),
        folder => format!("{folder}/.dockerignore"),
    };
    [format!("{dockerfile}.dockerignore"), second]
}

/// A span without blanks at its ends. The byte order mark before the first line counts as one.
fn trimmed(text: &str, span: Span) -> Span {
    let line = span.slice(text);
    let line_without_mark = line.strip_prefix('\u{feff}').unwrap_or(line);
    let left = line_without_mark.trim_start();
    let start = span.end - left.len();
    Span::new(start, start + left.trim_end().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_brings_back_by_name_is_wanted() {
        let (own, _) = file("*\n!.git\n!src\n");
        assert!(own.brings_back(".git"));
        assert!(!own.brings_back("src/target") && !own.brings_back("node_modules"));
        let (list, _) = file("dist\n!dist\n");
        assert!(list.brings_back("dist") && !list.brings_back("a/dist"));
    }

    fn file(text: &str) -> (IgnoreFile, Source) {
        let source = Source::new(".dockerignore", text);
        (IgnoreFile::of(&source), source)
    }

    /// The line that decides, as `-pattern` or `+pattern`.
    fn by(text: &str, path: &str) -> Option<String> {
        let (file, source) = file(text);
        let decision = file.decision(path, false)?;
        let mark = if decision.ignored { '-' } else { '+' };
        Some(format!("{mark}{}", decision.line.span.slice(source.text())))
    }

    #[test]
    fn lines_have_places() {
        let text = "\u{feff}# comment\r\n\n  node_modules/ \n! keep\n";
        let (file, source) = file(text);
        let contents: Vec<&Content> = file.lines().iter().map(|line| &line.content).collect();
        let [
            Content::Comment,
            Content::Blank,
            Content::Pattern {
                text: first,
                exception: false,
                span,
            },
            Content::Pattern {
                text: second,
                exception: true,
                ..
            },
        ] = contents.as_slice()
        else {
            panic!("{contents:?}");
        };
        assert_eq!((first.as_str(), second.as_str()), ("node_modules", "keep"));
        assert_eq!(span.slice(source.text()), "node_modules/");
        assert_eq!(file.lines()[2].number, 3);
    }

    #[test]
    fn the_deciding_line_is_told() {
        let text = "# what\n*\n!src\nsrc/*.log\n!src/keep.log\n**/tmp\n";
        assert_eq!(by(text, "README").as_deref(), Some("-*"));
        assert_eq!(by(text, "src/main.rs").as_deref(), Some("+!src"));
        assert_eq!(by(text, "src/a.log").as_deref(), Some("-src/*.log"));
        assert_eq!(by(text, "src/keep.log").as_deref(), Some("+!src/keep.log"));
        assert_eq!(by(text, "src/a/tmp/b").as_deref(), Some("-**/tmp"));
        assert_eq!(by("dist\n", "a/dist"), None);
        assert_eq!(by("dist\n", "dist/a/b").as_deref(), Some("-dist"));
        assert_eq!(by("a\na/b\n", "a/b").as_deref(), Some("-a"));
        // Nothing of `b` is brought back, and the walk does not go there.
        assert_eq!(by("a\n!b\n", "a/b/c").as_deref(), Some("-a"));
    }

    #[test]
    fn a_line_that_the_engine_refuses_hides_no_other() {
        let (file, source) = file("a\n[\n!\nb\n");
        let places: Vec<&str> = file
            .faults()
            .iter()
            .map(|fault| fault.span.slice(source.text()))
            .collect();
        assert_eq!(places, ["[", "!"]);
        assert!(file.ignores("a", false) && file.ignores("b", false) && !file.ignores("c", false));
    }

    #[test]
    fn the_ignore_file_of_a_dockerfile_is_beside_it() {
        assert_eq!(
            candidates("docker/Dockerfile", "."),
            ["docker/Dockerfile.dockerignore", ".dockerignore"]
        );
        assert_eq!(
            candidates("api.Dockerfile", "app/"),
            ["api.Dockerfile.dockerignore", "app/.dockerignore"]
        );
    }
}
