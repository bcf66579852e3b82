//! Changes as a unified diff that `git apply` and `patch -p1` take.
//!
//! The diff for programs is exact, byte for byte; the one for a terminal shows hostile characters instead.

use super::ChangedFile;
use crate::render::{Style, coloured};
use crate::text::is_hostile;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline, group_diff_ops, udiff::UnifiedHunkHeader};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// After so long a diff need not be the shortest any more; it is right all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many lines a change takes and brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// Lines that are gone.
    pub removed: usize,
    /// Lines that are new.
    pub added: usize,
}

/// The diff for programs.
pub fn diff(files: &[ChangedFile<'_>]) -> String {
    let mut text = String::new();
    for file in files {
        for line in file_diff(file) {
            text.push_str(&line);
        }
    }
    text
}

/// The diff for people: hostile characters are shown as others, and it may have colours.
pub fn diff_for_terminal(files: &[ChangedFile<'_>], colour: bool) -> String {
    let mut text = String::new();
    for file in files {
        for (index, line) in file_diff(file).iter().enumerate() {
            let line = line.trim_end_matches('\n');
            // A carriage return at the end is CRLF, and no news.
            let line: String = line.trim_end_matches('\r').chars().map(visible).collect();
            let style = match (index < heads(file), line.as_bytes().first()) {
                (true, _) => Some(Style::Bold),
                (_, Some(b'+')) => Some(Style::Good),
                (_, Some(b'-')) => Some(Style::Bad),
                (_, Some(b'@')) => Some(Style::Hint),
                _ => None,
            };
            match style.filter(|_| colour) {
                Some(style) => text.push_str(&coloured(&line, style)),
                None => text.push_str(&line),
            }
            text.push('\n');
        }
    }
    text
}

/// How many lines change.
pub fn lines(file: &ChangedFile<'_>) -> Lines {
    let (before, after) = split(file);
    let mut lines = Lines::default();
    for of in operations(&before, &after) {
        if !matches!(of, DiffOp::Equal { .. }) {
            lines.removed += of.old_range().len();
            lines.added += of.new_range().len();
        }
    }
    lines
}

fn visible(c: char) -> char {
    match c {
        '\t' => c,
        c if is_hostile(c) => '\u{fffd}',
        c => c,
    }
}

/// How many lines there are before the first hunk.
fn heads(file: &ChangedFile<'_>) -> usize {
    match file.before {
        Some(_) => 2,
        None => 4,
    }
}

/// The lines of a file's diff, each with its line break.
fn file_diff(file: &ChangedFile<'_>) -> Vec<String> {
    let (before, after) = split(file);
    let groups = group_diff_ops(operations(&before, &after), CONTEXT);
    let groups: Vec<_> = groups.into_iter().filter(|group| !group.is_empty()).collect();
    let is_new = file.before.is_none();
    if groups.is_empty() && !is_new {
        return Vec::new();
    }
    let (old, new) = (name("a", file.path), name("b", file.path));
    let mut lines = Vec::new();
    if is_new {
        lines.push(format!("diff --git {old} {new}\n"));
        lines.push("new file mode 100644\n".to_owned());
    }
    if groups.is_empty() {
        return lines;
    }
    // A tab says where a name with spaces ends.
    let end = if file.path.contains(' ') { "\t" } else { "" };
    lines.push(match is_new {
        true => "--- /dev/null\n".to_owned(),
        false => format!("--- {old}{end}\n"),
    });
    lines.push(format!("+++ {new}{end}\n"));
    for group in groups {
        lines.push(format!("{}\n", UnifiedHunkHeader::new(&group)));
        for of in group {
            let (removed, added) = (&before[of.old_range()], &after[of.new_range()]);
            if matches!(of, DiffOp::Equal { .. }) {
                lines.extend(removed.iter().map(|text| diff_line(' ', text)));
            } else {
                lines.extend(removed.iter().map(|text| diff_line('-', text)));
                lines.extend(added.iter().map(|text| diff_line('+', text)));
            }
        }
    }
    lines
}

fn diff_line(mark: char, text: &str) -> String {
    match text.ends_with('\n') {
        true => format!("{mark}{text}"),
        false => format!("{mark}{text}\n\\ No newline at end of file\n"),
    }
}

fn split<'a>(file: &ChangedFile<'a>) -> (Vec<&'a str>, Vec<&'a str>) {
    let before = file.before.unwrap_or_default().split_inclusive('\n').collect();
    (before, file.after.split_inclusive('\n').collect())
}

/// What has to be done, from the first line to the last.
///
/// The library moves operations to where people expect them, and leaves the position in the other file of some as it was
/// before (`similar` 2.7): positions are counted here.
fn operations(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let found =
        capture_diff_slices_deadline(Algorithm::Myers, before, after, Some(Instant::now() + PATIENCE));
    let (mut old_index, mut new_index) = (0, 0);
    let counted = |of: DiffOp| {
        let (old_len, new_len) = (of.old_range().len(), of.new_range().len());
        let is_equal = matches!(of, DiffOp::Equal { .. });
        let of = match (is_equal, old_len, new_len) {
            (true, len, _) => DiffOp::Equal {
                old_index,
                new_index,
                len,
            },
            (_, _, 0) => DiffOp::Delete {
                old_index,
                old_len,
                new_index,
            },
            (_, 0, _) => DiffOp::Insert {
                old_index,
                new_index,
                new_len,
            },
            _ => DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            },
        };
        old_index += old_len;
        new_index += new_len;
        of
    };
    found.into_iter().map(counted).collect()
}

/// A name as git writes it: in quotes with escapes where it has characters that would end it or that a terminal obeys.
fn name(side: &str, path: &str) -> String {
    let is_plain = |c: char| !is_hostile(c) && c != '"' && c != '\\';
    if path.chars().all(is_plain) {
        return format!("{side}/{path}");
    }
    let mut name = format!("\"{side}/");
    for c in path.chars() {
        match c {
            '"' | '\\' => name.extend(['\\', c]),
            c if is_plain(c) => name.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(name, "\\{byte:03o}");
                }
            }
        }
    }
    name + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;
    use std::path::Path;
    use std::process::Command;

    fn run(folder: &Path, program: &str, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).current_dir(folder).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        let shown =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {shown}");
    }

    /// Applies the diff with `git apply` and with `patch -p1`, and compares each file byte for byte.
    fn applies(files: &[ChangedFile<'_>]) {
        let text = diff(files);
        let programs: [&[&str]; 2] = [
            &["git", "apply", "--whitespace=nowarn", "../change.diff"],
            &["patch", "-p1", "--binary", "-s", "-i", "../change.diff"],
        ];
        for program in programs {
            if Command::new(program[0]).arg("--version").output().is_err() {
                testkit::left_out(&format!("there is no {}", program[0]));
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let project = folder.path().join("project");
            std::fs::create_dir(&project).unwrap();
            std::fs::write(folder.path().join("change.diff"), &text).unwrap();
            for file in files {
                let path = project.join(file.path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                if let Some(before) = file.before {
                    std::fs::write(path, before).unwrap();
                }
            }
            if program[0] == "git" {
                run(&project, "git", &["init", "-q", "."]);
                run(&project, "git", &["apply", "--check", "../change.diff"]);
            }
            run(&project, program[0], &program[1..]);
            for file in files {
                let is = std::fs::read_to_string(project.join(file.path)).unwrap();
                assert_eq!(is, file.after, "{program:?} {text}");
            }
        }
    }

    fn changed<'a>(path: &'a str, before: Option<&'a str>, after: &'a str) -> ChangedFile<'a> {
        ChangedFile { path, before, after }
    }

    #[test]
    fn git_and_patch_take_the_diff() {
        applies(&[
            changed(
                "a.yml",
                Some("1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
                "1\n2\n3\n4\n6\n7\n8\n9\n10\n",
            ),
            changed("no end", Some("a\nb"), "a\nc"),
            changed("gets-end", Some("a\nb"), "a\nb\n"),
            changed("loses-end", Some("a\nb\n"), "a\nb"),
            changed("crlf.yml", Some("a\r\nb\r\nc\r\n"), "a\r\nc\r\n"),
            changed("cr", Some("a\rb\rc"), "a\rB\rc\r"),
            changed("deep folder/with spaces/ü.sh", Some("x\n"), "y\n"),
            changed("new file.toml", None, "[contract]\nx = 1\n"),
            changed("emptied", Some("x\n"), ""),
            changed("was-empty", Some(""), "x\n"),
            changed("quote\"back\\slash\ttab", Some("x\n"), "y\n"),
            changed("escape\u{1b}[31m\u{202e}", Some("\u{1b}\0x\n"), "\u{1b}\0y\n"),
            changed("same", Some("x\n"), "x\n"),
            // The library leaves a position behind here.
            changed("moved", Some("\n\r\n\n\ra\n\r"), "\r\n\r\n\n\n\n\ra\n\n\n\n\n"),
        ]);
    }

    #[test]
    fn the_diff_is_gits() {
        let files = [
            changed("docker compose.yml", Some("a\nb\n"), "a\n"),
            changed("new", None, "x"),
        ];
        assert_snapshot!(diff(&files), @r"
        --- a/docker compose.yml	
        +++ b/docker compose.yml	
        @@ -1,2 +1 @@
         a
        -b
        diff --git a/new b/new
        new file mode 100644
        --- /dev/null
        +++ b/new
        @@ -0,0 +1 @@
        +x
        \ No newline at end of file
        ");
        assert_eq!(lines(&files[0]), Lines { removed: 1, added: 0 });
        assert_eq!(lines(&files[1]), Lines { removed: 0, added: 1 });
    }

    #[test]
    fn a_terminal_gets_no_orders_from_a_diff() {
        let files = [changed("x\u{1b}", Some("\u{1b}[31m\u{202e}\r\n--a\n"), "\r\r\n")];
        let shown = diff_for_terminal(&files, false);
        assert!(shown.chars().all(|c| c == '\n' || !is_hostile(c)), "{shown:?}");
        assert!(shown.contains("-\u{fffd}[31m\u{fffd}\n---a\n"), "{shown:?}");
        assert!(diff_for_terminal(&files, true).contains("\u{1b}[31m---a\u{1b}[0m"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_change_applies(before in "[ab\r\n]{0,40}", after in "[ab\r\n]{1,40}") {
            prop_assume!(before != after);
            applies(&[changed("f", Some(&before), &after)]);
        }
    }
}
