//! The reader's view of a file beside the engine's.

use unstale_dockerfile::{Dockerfile, Frontend};

use super::ask::{Answer, Told};

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub enum Compared {
    /// Both refuse the file, at the same line.
    Refused,
    /// Both refuse it, and the engine names no line.
    RefusedSomewhere,
    /// Both refuse it; the engine counts that error's line in a way of its own, which is named.
    RefusedCounted(&'static str),
    /// Both take it, with so many instructions on the same lines.
    Taken(usize),
    /// They do not agree: what each says.
    Disagreement {
        /// The reader.
        ours: String,
        /// The engine.
        theirs: String,
    },
}

/// Errors for which the engine gives the number of lines before the one in question: beginning of its message, and what
/// it is about.
const COUNTED_BEFORE: [(&str, &str); 3] = [
    (
        "only one ",
        "a directive twice: the engine gives the number of the line before",
    ),
    (
        "invalid escape token",
        "an escape directive: the engine gives the number of the line before",
    ),
    (
        "dockerfile line greater than max",
        "a line too long: the engine gives the number of the line before",
    ),
];

/// Compares.
pub fn compare(bytes: &[u8], answer: &Answer) -> Compared {
    let file = Dockerfile::parse_bytes(bytes);
    // The engine's own frontend is asked, whatever the file's directive says.
    let problems = file.problems_for(Frontend::BuiltIn);
    match (&answer.syntax, problems.first()) {
        (Err((message, line)), Some(problem)) => {
            let counted = COUNTED_BEFORE
                .iter()
                .find(|(begin, _)| message.starts_with(begin));
            match (line, counted) {
                (None, _) => Compared::RefusedSomewhere,
                (Some(line), Some((_, why))) if *line + 1 == problem.line => Compared::RefusedCounted(why),
                (Some(line), None) if *line == problem.line => Compared::Refused,
                // A file without a line has no line of an error either.
                (Some(0), None) if bytes.is_empty() => Compared::Refused,
                (Some(line), _) => Compared::Disagreement {
                    ours: format!("line {}: {}", problem.line, problem.message),
                    theirs: format!("line {line}: {message}"),
                },
            }
        }
        (Err((message, line)), None) => Compared::Disagreement {
            ours: "no problem".to_owned(),
            theirs: format!("line {}: {message}", line.unwrap_or(0)),
        },
        (Ok(()), Some(problem)) => Compared::Disagreement {
            ours: format!("line {}: {}", problem.line, problem.message),
            theirs: "no problem".to_owned(),
        },
        (Ok(()), None) => {
            let ours: Vec<Told> = file
                .instructions
                .iter()
                .map(|one| Told {
                    keyword: one.keyword.to_lowercase(),
                    start: one.start_line,
                    end: one.end_line,
                })
                .collect();
            if ours == answer.instructions {
                return Compared::Taken(ours.len());
            }
            let differs = |other: &[Told]| {
                let at = ours
                    .iter()
                    .zip(&answer.instructions)
                    .take_while(|(a, b)| a == b)
                    .count();
                match other.get(at) {
                    Some(told) => format!(
                        "{} instructions, among them {} {}-{}",
                        other.len(),
                        told.keyword,
                        told.start,
                        told.end
                    ),
                    None => format!("{} instructions", other.len()),
                }
            };
            Compared::Disagreement {
                theirs: differs(&answer.instructions),
                ours: differs(&ours),
            }
        }
    }
}
