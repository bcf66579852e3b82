//! Text from elsewhere, made safe for a terminal and for CI logs.
//!
//! Names, log lines and messages come from Dockerfiles, images, engines and registries. A terminal would obey their
//! escape sequences; GitHub's runner obeys lines that look like its commands.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use unicode_width::UnicodeWidthChar;

/// One line: control characters are dropped, line breaks become spaces.
pub fn line(text: &str) -> String {
    guard(&clean_line(text)).into_owned()
}

/// One line as [`line`], the same everywhere: for what is not written where a runner looks for commands.
pub fn clean_line(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            c if is_hostile(c) => None,
            c => Some(c),
        })
        .collect()
}

/// A step's name in one line: as [`line`], with white space as single spaces. Continued lines of a Dockerfile come with
/// their indentation.
pub fn step_name(text: &str) -> String {
    line(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Several lines: as [`line`], but line breaks and tabs stay.
pub fn lines(text: &str) -> String {
    let clean = |line: &str| -> String { line.chars().filter(|&c| c == '\t' || !is_hostile(c)).collect() };
    text.lines()
        .map(|text| guard(&clean(text)).into_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A line of a step's output. What an in-place progress bar overwrote is dropped, as a terminal would.
pub fn log_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let shown = text.rsplit('\r').next().unwrap_or_default();
    let clean: String = strip_escapes(shown)
        .chars()
        .filter(|&c| c == '\t' || !is_hostile(c))
        .collect();
    guard(&clean).into_owned()
}

/// Characters that change what a terminal shows elsewhere, or the order in which text is read.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
}

/// Drops whole ANSI sequences, so that no remains of a colour are left as text.
fn strip_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '\u{1b}' {
            plain.push(c);
            continue;
        }
        match characters.next() {
            // CSI: parameters, then one final byte.
            Some('[') => drop(characters.find(|c| ('\u{40}'..='\u{7e}').contains(c))),
            // OSC: up to BEL or ESC \.
            Some(']') => {
                let mut last = ' ';
                for c in characters.by_ref() {
                    if c == '\u{7}' || (last == '\u{1b}' && c == '\\') {
                        break;
                    }
                    last = c;
                }
            }
            _ => {}
        }
    }
    plain
}

/// Breaks what GitHub's runner would take for a command: `::name::` at the start of a line, `##[name]` anywhere.
fn guard(line: &str) -> Cow<'_, str> {
    if std::env::var_os("GITHUB_ACTIONS").is_none() {
        return Cow::Borrowed(line);
    }
    guard_always(line)
}

/// One line as [`line`], as if GitHub's runner read it.
pub fn runner_line(text: &str) -> String {
    guard_always(&clean_line(text)).into_owned()
}

fn guard_always(line: &str) -> Cow<'_, str> {
    if !line.contains("##[") && !line.trim_start().starts_with("::") {
        return Cow::Borrowed(line);
    }
    let line = line.replace("##[", "## [");
    match line.trim_start().strip_prefix("::") {
        Some(rest) => Cow::Owned(format!(": :{rest}")),
        None => Cow::Owned(line),
    }
}

/// Seconds with one digit, as Docker prints them: `0.2s`.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1}s", duration.as_secs_f64())
}

/// The first `width` columns of a line, with `…` where something was cut.
pub fn shorten(text: &str, width: usize) -> String {
    let columns = |c: char| c.width().unwrap_or(0);
    if text.chars().map(columns).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += columns(*c);
        used <= width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// How many columns a line takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A size as Docker prints it: decimal units, at most four digits that count.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut rest, mut unit) = (bytes as f64, 0);
    while rest >= 1000.0 && unit + 1 < UNITS.len() {
        rest /= 1000.0;
        unit += 1;
    }
    let digits = match rest {
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    let number = format!("{rest:.digits$}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{}{}", if number.is_empty() { "0" } else { number }, UNITS[unit])
}

/// RFC 3339 with milliseconds, in UTC.
pub fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The first characters of a digest: `sha256:` and twelve digits.
pub fn short_digest(digest: &str) -> &str {
    let end = digest.find(':').map_or(12, |colon| colon + 13);
    digest.get(..end).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        let sizes = [0, 7, 999, 1000, 8193, 2_500_000_000, 123_456_789].map(size);
        assert_eq!(sizes, ["0B", "7B", "999B", "1kB", "8.193kB", "2.5GB", "123.5MB"]);
    }

    #[test]
    fn a_terminal_gets_no_orders_from_elsewhere() {
        assert_eq!(line("a\u{1b}[31mred\u{7}\nb\u{202e}"), "a[31mred b");
        assert_eq!(step_name("RUN a;   \\\n  b"), "RUN a; \\ b");
        assert_eq!(lines("one\u{1b}]0;title\u{7}\ntwo\r\n"), "one]0;title\ntwo");
        assert_eq!(
            log_line(b"\x1b[1;32mok\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07\n"),
            "ok link"
        );
        assert_eq!(log_line(b"10%\r 50%\r100%\n"), "100%");
        assert_eq!(log_line(b"\xff\xfe\ttext\x1b"), "\u{fffd}\u{fffd}\ttext");
    }

    #[test]
    fn a_runner_gets_no_commands_from_elsewhere() {
        assert_eq!(guard_always("  ::set-env name=A::b"), ": :set-env name=A::b");
        assert_eq!(guard_always("text ##[add-mask]x"), "text ## [add-mask]x");
        assert_eq!(guard_always("std::vector"), "std::vector");
    }

    #[test]
    fn lines_are_cut_by_columns() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("日本語テキスト", 6), "日本…");
        assert_eq!(short_digest("sha256:0123456789abcdef"), "sha256:0123456789ab");
        assert_eq!(short_digest("short"), "short");
    }
}
