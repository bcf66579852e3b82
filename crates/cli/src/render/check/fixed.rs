//! What `--fix` has done: File · Change · Impact, and how many lines that is.

use super::diff::{self, Lines};
use super::{ChangedFile, Fixed, counted, markdown, message};
use crate::text::width;
use std::fmt::Write;

/// The table for people.
pub fn text(fixed: &[Fixed], files: &[ChangedFile<'_>]) -> String {
    let head = ["File", "Change", "Impact"].map(str::to_owned);
    let rows = fixed
        .iter()
        .map(|of| [&of.path, &of.change, &of.impact].map(|text| message(text)));
    let text = columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    format!("{text}\nTotal: {}\n", total(files))
}

/// The table for a pull request.
pub fn table(fixed: &[Fixed], files: &[ChangedFile<'_>]) -> String {
    let mut text = "| File | Change | Impact |\n|------|--------|--------|\n".to_owned();
    for of in fixed {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            markdown::code(&message(&of.path)),
            markdown::escape(&message(&of.change)),
            markdown::escape(&message(&of.impact)),
        );
    }
    let _ = writeln!(text, "\n**Total**: {}", total(files));
    text
}

/// `3 lines removed, 1 line added, 1 file added`, counted in the diff.
fn total(files: &[ChangedFile<'_>]) -> String {
    let mut lines = Lines::default();
    let mut new = 0;
    for file in files {
        match file.before {
            Some(_) => {
                let more = diff::lines(file);
                lines.removed += more.removed;
                lines.added += more.added;
            }
            None => new += 1,
        }
    }
    let parts = [
        (lines.removed, "line", "removed"),
        (lines.added, "line", "added"),
        (new, "file", "added"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<_> = parts
        .map(|(count, what, done)| format!("{} {done}", counted(*count, what)))
        .collect();
    match parts.is_empty() {
        true => "nothing changed".to_owned(),
        false => parts.join(", "),
    }
}

/// Rows in columns; the last one is as wide as it is.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(widest).collect();
    let mut text = String::new();
    for row in rows {
        let mut shown = String::new();
        for (cell, widest) in row.iter().zip(&widths) {
            shown.push_str(cell);
            shown.push_str(&" ".repeat(widest - width(cell) + 2));
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn seed() -> (Vec<Fixed>, Vec<ChangedFile<'static>>) {
        let fixed = |path: &str, change: &str, impact: &str| Fixed {
            path: path.to_owned(),
            change: change.to_owned(),
            impact: impact.to_owned(),
        };
        let compose = "docker-compose.yml";
        let script = "scripts/deployment/build-docker-images.sh";
        let rows = vec![
            fixed(
                compose,
                "Removed BUILDKIT_INLINE_CACHE from backend",
                "Cache clearing now works for backend",
            ),
            fixed(
                compose,
                "Removed BUILDKIT_INLINE_CACHE from frontend",
                "Cache clearing now works for frontend",
            ),
            fixed(
                script,
                "Removed --build-arg BUILDKIT_INLINE_CACHE=1",
                "Build script respects cache clearing",
            ),
        ];
        let file = |path, before, after| ChangedFile {
            path,
            before: Some(before),
            after,
        };
        let files = vec![
            file(compose, "a\nx\nb\nx\nc\n", "a\nb\nc\n"),
            file(script, "a \\\nx \\\nb\n", "a \\\nb\n"),
        ];
        (rows, files)
    }

    #[test]
    fn the_table_is_for_people_and_for_pull_requests() {
        let (fixed, mut files) = seed();
        assert_snapshot!(text(&fixed, &files), @"
        File                                       Change                                       Impact
        docker-compose.yml                         Removed BUILDKIT_INLINE_CACHE from backend   Cache clearing now works for backend
        docker-compose.yml                         Removed BUILDKIT_INLINE_CACHE from frontend  Cache clearing now works for frontend
        scripts/deployment/build-docker-images.sh  Removed --build-arg BUILDKIT_INLINE_CACHE=1  Build script respects cache clearing

        Total: 3 lines removed
        ");
        files.push(ChangedFile {
            path: "unstale.toml",
            before: None,
            after: "[contract]\n",
        });
        assert_snapshot!(table(&fixed, &files), @"
        | File | Change | Impact |
        |------|--------|--------|
        | `docker-compose.yml` | Removed BUILDKIT_INLINE_CACHE from backend | Cache clearing now works for backend |
        | `docker-compose.yml` | Removed BUILDKIT_INLINE_CACHE from frontend | Cache clearing now works for frontend |
        | `scripts/deployment/build-docker-images.sh` | Removed --build-arg BUILDKIT_INLINE_CACHE=1 | Build script respects cache clearing |

        **Total**: 3 lines removed, 1 file added
        ");
        assert_eq!(total(&[]), "nothing changed");
    }
}
