//! The rules of each instruction.

use super::{Frontend, flags, values};
use crate::instruction::Instruction;
use crate::{Span, characters, heredoc, mounts};

/// Something wrong, and where.
type Wrong = (Span, String);

/// What is wrong with an instruction, in the order in which the engine looks.
pub(super) fn check(instruction: &Instruction, frontend: Frontend) -> Option<Wrong> {
    let keyword = instruction.keyword.as_str();
    let whole = Span::new(
        instruction.keyword_span.start,
        instruction.args_span.end.max(instruction.keyword_span.end),
    );
    let wrong = |message: String| Some((whole, message));
    let some = !instruction.args.is_empty();
    let flags = || flags::check(instruction, frontend);
    let at_least_one = || wrong(format!("{keyword} requires at least one argument"));
    let one = || wrong(format!("{keyword} requires exactly one argument"));
    match keyword {
        "ADD" | "COPY" => copy(instruction, frontend),
        "ENV" | "LABEL" => flags().or_else(|| match instruction.assignments.is_empty() {
            true => at_least_one(),
            false => blank_name(instruction),
        }),
        "ARG" => match some && !instruction.words.is_empty() {
            true => blank_name(instruction),
            false => at_least_one(),
        },
        "MAINTAINER" | "USER" | "WORKDIR" => {
            if some {
                flags()
            } else {
                one()
            }
        }
        "STOPSIGNAL" => {
            if some {
                None
            } else {
                one()
            }
        }
        "FROM" => from(instruction).or_else(flags),
        "ONBUILD" => match some {
            true => flags().or_else(|| trigger(instruction)),
            false => at_least_one(),
        },
        "RUN" => flags().or_else(|| run(instruction)),
        "CMD" | "ENTRYPOINT" => flags(),
        "HEALTHCHECK" => {
            if some {
                health(instruction, frontend)
            } else {
                at_least_one()
            }
        }
        "EXPOSE" => {
            if some {
                flags()
            } else {
                at_least_one()
            }
        }
        "VOLUME" => match count(instruction) {
            0 => at_least_one(),
            _ => flags().or_else(|| blank_volume(instruction)),
        },
        "SHELL" => flags().or_else(|| match &instruction.exec {
            _ if !some => at_least_one(),
            Some(items) if items.is_empty() => at_least_one(),
            Some(_) => None,
            None => wrong("SHELL requires its arguments in JSON form".to_owned()),
        }),
        _ => Some((
            instruction.keyword_span,
            format!("there is no instruction {:?}", instruction.keyword),
        )),
    }
}

/// How many arguments there are.
fn count(instruction: &Instruction) -> usize {
    instruction
        .exec
        .as_ref()
        .map_or(instruction.words.len(), Vec::len)
}

fn copy(instruction: &Instruction, frontend: Frontend) -> Option<Wrong> {
    let keyword = &instruction.keyword;
    if count(instruction) < 2 {
        let span = Span::new(instruction.keyword_span.start, instruction.args_span.end);
        return Some((
            span,
            format!("{keyword} requires at least one source and a destination"),
        ));
    }
    if let Some(wrong) = flags::check(instruction, frontend) {
        return Some(wrong);
    }
    let (span, destination) = match &instruction.exec {
        Some(items) => items.last().map(|item| (item.span, item.value.as_str()))?,
        None => instruction
            .words
            .last()
            .map(|word| (word.span, word.raw.as_str()))?,
    };
    heredoc::is_heredoc(destination.as_bytes())
        .then(|| (span, format!("the destination of {keyword} cannot be a heredoc")))
}

fn blank_name(instruction: &Instruction) -> Option<Wrong> {
    let blank = instruction
        .assignments
        .iter()
        .find(|one| one.name.raw.is_empty())?;
    let end = blank
        .value
        .as_ref()
        .map_or(blank.name.span.end, |value| value.span.end);
    let span = Span::new(blank.name.span.start, end);
    Some((span, format!("a name of {} cannot be blank", instruction.keyword)))
}

fn blank_volume(instruction: &Instruction) -> Option<Wrong> {
    // A blank that is none of ASCII can be a word, and is nothing.
    let blank = |text: &str| characters::trim_start(text.as_bytes()).is_empty();
    let items = instruction
        .exec
        .iter()
        .flatten()
        .map(|item| (item.span, item.value.as_str()));
    let words = instruction
        .words
        .iter()
        .map(|word| (word.span, word.raw.as_str()));
    let (span, _) = items.chain(words).find(|(_, text)| blank(text))?;
    Some((span, "a volume cannot be empty".to_owned()))
}

fn from(instruction: &Instruction) -> Option<Wrong> {
    let words: Vec<&str> = instruction.words.iter().map(|word| word.raw.as_str()).collect();
    match &words[..] {
        [_] => None,
        [_, word, name] if characters::lower(word) == "as" => {
            let name = characters::lower(name);
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
            let good = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(valid);
            (!good).then(|| {
                let message =
                    format!("{name:?} cannot be the name of a stage: a letter, then letters, digits, - _ .");
                (instruction.words[2].span, message)
            })
        }
        _ => {
            let span = Span::new(instruction.keyword_span.start, instruction.args_span.end);
            Some((span, "FROM requires an image, or an image AS a name".to_owned()))
        }
    }
}

fn trigger(instruction: &Instruction) -> Option<Wrong> {
    let inner = instruction.inner.as_deref()?;
    match characters::upper(&inner.keyword).as_str() {
        name @ ("ONBUILD" | "MAINTAINER" | "FROM") => {
            Some((inner.keyword_span, format!("{name} cannot stand after ONBUILD")))
        }
        _ => None,
    }
}

fn run(instruction: &Instruction) -> Option<Wrong> {
    let values = |name: &'static str| {
        let all = instruction.flags.iter().filter(move |flag| flag.name == name);
        all.filter_map(|flag| Some((flag.span, flag.value.as_deref()?)))
    };
    let device = |(span, value): (Span, &str)| device(value).map(|message| (span, message));
    let mount = |(span, value): (Span, &str)| mount(value).map(|message| (span, message));
    let network = |(span, value): (Span, &str)| match value {
        "default" | "none" | "host" => None,
        _ => Some((
            span,
            format!("a network is default, none or host, and not {value:?}"),
        )),
    };
    values("device")
        .find_map(device)
        .or_else(|| values("mount").find_map(mount))
        .or_else(|| values("network").find_map(network))
}

/// The fields of a CSV value as texts.
fn fields(value: &str) -> Result<Vec<String>, String> {
    let bytes = value.as_bytes();
    let text = |field: &Vec<usize>| characters::text(&field.iter().map(|at| bytes[*at]).collect::<Vec<_>>());
    match mounts::fields(bytes) {
        Ok(fields) => Ok(fields.iter().map(text).collect()),
        Err((why, _)) => Err(format!("{value:?} is no line of CSV: {why}")),
    }
}

fn mount(value: &str) -> Option<String> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(message) => return Some(message),
    };
    // All else is looked at when the variables are known.
    let from = fields.iter().filter_map(|field| field.split_once('='));
    from.filter(|(key, _)| key.eq_ignore_ascii_case("from"))
        .find(|(_, value)| value.find('$').is_some_and(|at| at + 1 != value.len()))
        .map(|_| "variables cannot be used in from of a mount; make it a stage of its own".to_owned())
}

fn device(value: &str) -> Option<String> {
    let fields = match fields(value) {
        Ok(fields) => fields,
        Err(message) => return Some(message),
    };
    let mut name = String::new();
    for field in fields {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value)),
            None => (field.to_ascii_lowercase(), None),
        };
        match (key.as_str(), value) {
            ("required", None) => {}
            ("required", Some(value)) if values::is_bool(value) => {}
            ("required", Some(value)) => {
                return Some(format!("required is true or false, and not {value:?}"));
            }
            ("name", Some(value)) if name.is_empty() => value.clone_into(&mut name),
            ("name", Some(_)) => return Some("the device has two names".to_owned()),
            _ if name.is_empty() => name = field,
            _ => return Some(format!("a device has no {field:?}")),
        }
    }
    None
}

fn health(instruction: &Instruction, frontend: Frontend) -> Option<Wrong> {
    let bytes = instruction.args.as_bytes();
    let end = bytes
        .iter()
        .position(|byte| characters::is_byte_space(*byte))
        .unwrap_or(bytes.len());
    let kind = characters::upper(&characters::text(&bytes[..end]));
    let has_command = match &instruction.exec {
        Some(items) => !items.is_empty(),
        None => bytes[end..].iter().any(|byte| !characters::is_byte_space(*byte)),
    };
    if kind == "NONE" {
        let message = || "HEALTHCHECK NONE takes no arguments".to_owned();
        return has_command.then(|| (instruction.args_span, message()));
    }
    if let Some(wrong) = flags::check(instruction, frontend) {
        return Some(wrong);
    }
    match (kind.as_str(), has_command) {
        ("CMD", true) => {}
        ("CMD", false) => {
            return Some((
                instruction.args_span,
                "there is no command after HEALTHCHECK CMD".to_owned(),
            ));
        }
        _ => {
            let message = format!("HEALTHCHECK is CMD or NONE, and not {kind:?}");
            return Some((instruction.args_span, message));
        }
    }
    let span = |name: &str| {
        instruction
            .flags
            .iter()
            .find(|flag| flag.name == name)
            .map(|flag| flag.span)
    };
    for name in ["interval", "timeout", "start-period", "start-interval"] {
        let Some(value) = instruction.flag(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let message = match values::duration(value) {
            None => format!("{value:?} is no duration"),
            Some(0 | 1_000_000..) => continue,
            Some(_) => format!("--{name} cannot be less than 1ms"),
        };
        return Some((span(name)?, message));
    }
    let retries = instruction.flag("retries").filter(|value| !value.is_empty())?;
    match retries.parse::<i32>() {
        Ok(0..) => None,
        Ok(_) => Some((span("retries")?, "--retries cannot be negative".to_owned())),
        Err(_) => Some((span("retries")?, format!("{retries:?} is no number"))),
    }
}
