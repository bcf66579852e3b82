//! From a joined line to an instruction: keyword, flags, words, exec form, and what the parser of the engine finds
//! wrong with them. What its instructions find wrong is in [`crate::problems`].

use std::ops::Range;

use crate::instruction::{Assignment, ExecItem, Flag, Instruction, Mount, MountOption, Word};
use crate::joined::Joined;
use crate::json::{self, Array};
use crate::references::{Rules, references};
use crate::split::{self, RawFlag};
use crate::{Reference, Span, characters, heredoc, mounts};

/// An instruction, and what is wrong with it already.
pub(crate) struct Read {
    pub instruction: Instruction,
    /// Where its arguments stand in the joined line.
    pub args: Range<usize>,
    pub trouble: Option<(Span, String)>,
}

/// Reads the command in a trimmed range of a joined line. `inner`: it stands after `ONBUILD`.
pub(crate) fn read(joined: &Joined, range: Range<usize>, escape: u8, inner: bool) -> Read {
    let bytes = &joined.bytes;
    let (word, rest) = split::keyword(bytes, &range);
    let (raw_flags, args) = split::flags(bytes, rest.clone(), escape);
    let args = joined.trim(args..rest.end);
    let keyword = canonical(&joined.text(&word));
    let args_span = joined.span(&args);
    let mut instruction = Instruction {
        keyword_span: joined.span(&word),
        span: joined.span(&range),
        start_line: 0,
        end_line: 0,
        flags: raw_flags.iter().map(|raw| flag(joined, raw)).collect(),
        args: joined.text(&args),
        args_span,
        words: Vec::new(),
        exec: None,
        assignments: Vec::new(),
        mounts: Vec::new(),
        references: Vec::new(),
        heredocs: Vec::new(),
        inner: None,
        command: None,
        keyword,
    };
    let mut trouble = None;
    let keyword = instruction.keyword.as_str();
    match exec(joined, keyword, &args) {
        Ok(exec) => instruction.exec = exec,
        Err(wrong) => {
            trouble = Some((
                wrong,
                "an array in JSON form must have nothing but strings in it".to_owned(),
            ))
        }
    }
    let words = match keyword {
        "FROM" | "COPY" | "ADD" | "EXPOSE" | "VOLUME" => split::plain_words(bytes, &args),
        _ => split::quoted_words(bytes, &args, escape),
    };
    if matches!(keyword, "ARG" | "ENV" | "LABEL") {
        match assignments(joined, keyword, &args, &words) {
            Ok(found) => instruction.assignments = found,
            Err(wrong) => trouble = Some(wrong),
        }
    }
    if keyword == "RUN" {
        instruction.mounts = raw_flags.iter().filter_map(|raw| mount(joined, raw)).collect();
    }
    instruction.references = expanded(joined, &instruction, &args, &words, &raw_flags, escape);
    if keyword == "ONBUILD" && !args.is_empty() {
        if inner {
            trouble = innermost(joined, args.clone(), escape);
        } else {
            let read = read(joined, args.clone(), escape, true);
            trouble = read.trouble;
            instruction.inner = Some(Box::new(read.instruction));
        }
    }
    if instruction.exec.is_none() || keyword == "HEALTHCHECK" {
        instruction.words = words.iter().map(|range| word_at(joined, range)).collect();
    }
    Read {
        instruction,
        args,
        trouble,
    }
}

/// The name of an instruction in upper case, when it is that of one in some spelling.
fn canonical(word: &str) -> String {
    let lower = characters::lower(word);
    if lower.is_ascii() {
        lower.to_ascii_uppercase()
    } else {
        word.to_ascii_uppercase()
    }
}

/// What is wrong with the instruction at the end of a chain of `ONBUILD`s, which is an error itself, but a later one.
fn innermost(joined: &Joined, mut range: Range<usize>, escape: u8) -> Option<(Span, String)> {
    loop {
        let (word, rest) = split::keyword(&joined.bytes, &range);
        if characters::lower(&joined.text(&word)) != "onbuild" {
            return read(joined, range, escape, true).trouble;
        }
        let (_, args) = split::flags(&joined.bytes, rest.clone(), escape);
        range = joined.trim(args..rest.end);
        if range.is_empty() {
            return None;
        }
    }
}

fn word_at(joined: &Joined, range: &Range<usize>) -> Word {
    Word {
        raw: joined.text(range),
        span: joined.span(range),
    }
}

/// The part of a flag after its equals sign, as indices of its characters.
fn value_at(raw: &RawFlag) -> Option<usize> {
    raw.plain.iter().position(|(byte, _)| *byte == b'=')
}

fn flag(joined: &Joined, raw: &RawFlag) -> Flag {
    let plain = |range: Range<usize>| {
        let bytes: Vec<u8> = raw
            .plain
            .get(range)
            .unwrap_or_default()
            .iter()
            .map(|(byte, _)| *byte)
            .collect();
        characters::text(&bytes)
    };
    let equals = value_at(raw);
    let place = equals.map_or(raw.range.end, |at| raw.plain[at].1);
    let dashes = raw.plain.get(2).map_or(place, |(_, place)| *place);
    Flag {
        name: plain(2..equals.unwrap_or(raw.plain.len())),
        value: equals.map(|at| plain(at + 1..raw.plain.len())),
        span: joined.span(&raw.range),
        name_span: joined.span(&(dashes.min(place)..place)),
        value_span: equals.map(|_| joined.span(&(place + 1..raw.range.end))),
    }
}

/// The strings of the exec form; an error is where something else stands among them.
fn exec(joined: &Joined, keyword: &str, args: &Range<usize>) -> Result<Option<Vec<ExecItem>>, Span> {
    let range = match keyword {
        "ADD" | "COPY" | "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" | "VOLUME" => args.clone(),
        "HEALTHCHECK" => health_command(joined, args),
        _ => return Ok(None),
    };
    let rest = characters::trim_start(&joined.bytes[range.clone()]);
    let start = range.end - rest.len();
    let place = |range: &Range<usize>| joined.span(&(start + range.start..start + range.end));
    match json::array(rest) {
        Array::No => Ok(None),
        Array::Mixed(wrong) => Err(place(&wrong)),
        Array::Strings(items) => Ok(Some(
            items
                .into_iter()
                .map(|(value, range)| ExecItem {
                    value,
                    span: place(&range),
                })
                .collect(),
        )),
    }
}

/// What follows the type of a `HEALTHCHECK`.
pub(crate) fn health_command(joined: &Joined, args: &Range<usize>) -> Range<usize> {
    let blank = |at: &usize| characters::is_byte_space(joined.bytes[*at]);
    let end = args.clone().find(blank).unwrap_or(args.end);
    let start = (end..args.end).find(|at| !blank(at)).unwrap_or(args.end);
    start..args.end
}

/// Names and values; an error is what makes none of them readable.
fn assignments(
    joined: &Joined,
    keyword: &str,
    args: &Range<usize>,
    words: &[Range<usize>],
) -> Result<Vec<Assignment>, (Span, String)> {
    let Some(first) = words.first() else {
        return Ok(Vec::new());
    };
    let equals = |range: &Range<usize>| range.clone().find(|at| joined.bytes[*at] == b'=');
    if keyword != "ARG" && equals(first).is_none() {
        let (name, value) = split::keyword(&joined.bytes, args);
        if value.is_empty() {
            return Err((joined.span(args), format!("{keyword} must have two arguments")));
        }
        return Ok(vec![Assignment {
            name: word_at(joined, &name),
            value: Some(word_at(joined, &value)),
            blank_form: true,
        }]);
    }
    let one = |range: &Range<usize>| match equals(range) {
        Some(at) => Ok(Assignment {
            name: word_at(joined, &(range.start..at)),
            value: Some(word_at(joined, &(at + 1..range.end))),
            blank_form: false,
        }),
        None if keyword == "ARG" => Ok(Assignment {
            name: word_at(joined, range),
            value: None,
            blank_form: false,
        }),
        None => Err((
            joined.span(range),
            format!(
                "there is no = in {:?}, which must be name=value",
                joined.text(range)
            ),
        )),
    };
    words.iter().map(one).collect()
}

fn mount(joined: &Joined, raw: &RawFlag) -> Option<Mount> {
    let equals = value_at(raw)?;
    if !raw.plain[2..equals].iter().map(|(byte, _)| *byte).eq(*b"mount") {
        return None;
    }
    let value = &raw.plain[equals + 1..];
    let bytes: Vec<u8> = value.iter().map(|(byte, _)| *byte).collect();
    let fields = mounts::fields(&bytes).unwrap_or_else(|(_, fields)| fields);
    let text = |part: &[usize]| characters::text(&part.iter().map(|at| bytes[*at]).collect::<Vec<_>>());
    let place = |part: &[usize], otherwise: Span| match part {
        [first, .., last] => joined.span(&(value[*first].1..value[*last].1 + 1)),
        [only] => joined.span(&(value[*only].1..value[*only].1 + 1)),
        [] => otherwise,
    };
    let option = |field: &Vec<usize>| {
        let split = field.iter().position(|at| bytes[*at] == b'=');
        let key = &field[..split.unwrap_or(field.len())];
        let nowhere = joined.span(&(raw.range.end..raw.range.end));
        let key_span = place(key, nowhere);
        let after = split.map(|at| {
            let place = value[field[at]].1 + 1;
            joined.span(&(place..place))
        });
        MountOption {
            key: text(key).to_ascii_lowercase(),
            value: split.map(|at| text(&field[at + 1..])),
            key_span,
            value_span: split.zip(after).map(|(at, after)| place(&field[at + 1..], after)),
        }
    };
    Some(Mount {
        span: joined.span(&raw.range),
        options: fields.iter().map(option).collect(),
    })
}

/// The variables that BuildKit expands.
fn expanded(
    joined: &Joined,
    instruction: &Instruction,
    args: &Range<usize>,
    words: &[Range<usize>],
    flags: &[RawFlag],
    escape: u8,
) -> Vec<Reference> {
    let rules = Rules { escape, quotes: true };
    let mut found = Vec::new();
    let keyword = instruction.keyword.as_str();
    let wanted: &[&str] = match keyword {
        "FROM" => &["platform"],
        "ADD" | "COPY" => &["chown", "chmod", "checksum"],
        "RUN" => &["mount"],
        _ => &[],
    };
    for (raw, flag) in flags.iter().zip(&instruction.flags) {
        if let Some(at) = value_at(raw).filter(|_| wanted.contains(&flag.name.as_str())) {
            references(joined, &(raw.plain[at].1 + 1..raw.range.end), rules, &mut found);
        }
    }
    match keyword {
        "ARG" | "LABEL" | "ENV" | "EXPOSE" => {
            for word in words {
                references(joined, word, rules, &mut found);
            }
        }
        "FROM" => {
            if let Some(base) = words.first() {
                references(joined, base, rules, &mut found);
            }
        }
        "ADD" | "COPY" | "VOLUME" if instruction.exec.is_none() => {
            for word in words
                .iter()
                .filter(|range| !heredoc::is_heredoc(&joined.bytes[(*range).clone()]))
            {
                references(joined, word, rules, &mut found);
            }
        }
        // In strings of JSON too, whose quotes are not the words'.
        "ADD" | "COPY" | "VOLUME" => {
            references(
                joined,
                args,
                Rules {
                    escape,
                    quotes: false,
                },
                &mut found,
            );
        }
        "WORKDIR" | "USER" | "STOPSIGNAL" => references(joined, args, rules, &mut found),
        _ => {}
    }
    found
}
