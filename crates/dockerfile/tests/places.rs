//! Where things stand: spans of every part, and commands that stand byte for byte where they say.

use unstale_dockerfile::{Dockerfile, Interpreter, Span};

fn at(text: &str, part: &str) -> Span {
    let start = text.find(part).unwrap_or_else(|| panic!("no {part}"));
    Span::new(start, start + part.len())
}

#[test]
fn flags_words_and_keywords_have_spans_behind_a_byte_order_mark() {
    let text = "\u{feff}# syntax=x\nFROM  --platform=\"$P\" a:1 \\\n  # why\n  AS b\n";
    let file = Dockerfile::parse(text);
    let from = &file.instructions[0];
    assert_eq!(file.directives[0].value_span, Span::new(12, 13));
    assert_eq!(from.span.slice(text), text[14..].trim_end());
    assert_eq!(from.keyword_span, at(text, "FROM"));
    assert_eq!(from.flags[0].span.slice(text), "--platform=\"$P\"");
    assert_eq!(from.flags[0].name_span.slice(text), "platform");
    assert_eq!(from.flags[0].value_span.unwrap().slice(text), "\"$P\"");
    let words: Vec<_> = from.words.iter().map(|word| word.span.slice(text)).collect();
    assert_eq!(words, ["a:1", "AS", "b"]);
    assert_eq!(file.comments[0].span.slice(text), "# why");
    assert_eq!((from.start_line, from.end_line), (2, 4));
}

#[test]
fn a_word_over_two_lines_has_one_text_and_one_span() {
    let text = "COPY fo\\\n# c\no /\n";
    let copy = &Dockerfile::parse(text).instructions[0];
    assert_eq!(copy.words[0].raw, "foo");
    assert_eq!(copy.words[0].span.slice(text), "fo\\\n# c\no");
}

#[test]
fn the_exec_form_has_its_strings() {
    let text = "CMD [\"a\", \\\n \"b\\n\"]\nRUN [a]\nHEALTHCHECK --interval=1s CMD [\"c\"]\n";
    let file = Dockerfile::parse(text);
    let items = file.instructions[0].exec.as_ref().unwrap();
    assert_eq!(items[1].value, "b\n");
    assert_eq!(items[1].span.slice(text), r#""b\n""#);
    assert!(file.instructions[0].command_text().is_none());
    assert_eq!(file.instructions[1].command_text().unwrap().text, "[a]");
    assert_eq!(file.instructions[2].exec.as_ref().unwrap()[0].value, "c");
}

#[test]
fn a_command_has_blanks_where_lines_are_continued() {
    let text = "RUN --network=none a \\ \n  # one\n\n  && b\\\r\n && c  \nCMD d\n";
    let file = Dockerfile::parse(text);
    let command = file.instructions[0].command_text().unwrap();
    assert_eq!(command.span, at(text, "a \\ \n  # one\n\n  && b\\\r\n && c"));
    assert_eq!(command.text, "a               && b    && c");
    assert_eq!(command.interpreter, Interpreter::Default);
    assert_eq!(file.instructions[1].command_text().unwrap().text, "d");
}

#[test]
fn a_backtick_continues_when_it_is_told_to() {
    let text = "# escape=`\nRUN a `\n  b\\c\n";
    let command = Dockerfile::parse(text).instructions[0]
        .command_text()
        .cloned()
        .unwrap();
    assert_eq!(command.text, "a     b\\c");
}

#[test]
fn a_heredoc_alone_is_the_command() {
    let text = "RUN <<-EOF\n\ta\n\tEOF\nRUN <<X\n#!/usr/bin/env python3\nprint()\nX\n";
    let file = Dockerfile::parse(text);
    let command = file.instructions[0].command_text().unwrap();
    assert_eq!(
        (command.text.as_str(), command.span),
        ("\ta\n", at(text, "\ta\n"))
    );
    let python = file.instructions[1].command_text().unwrap();
    assert_eq!(
        python.interpreter,
        Interpreter::Shebang("/usr/bin/env python3".to_owned())
    );
    let heredoc = &file.instructions[0].heredocs[0];
    assert_eq!(heredoc.body.slice(text), "\ta\n");
    assert_eq!(heredoc.terminator.slice(text), "\tEOF");
}

#[test]
fn a_heredoc_of_a_command_belongs_to_it() {
    let text = "RUN cat <<A && \\\r\n  b <<B\r\n1\nA\n2\nB\nRUN c\n";
    let file = Dockerfile::parse(text);
    let command = file.instructions[0].command_text().unwrap();
    assert_eq!(command.text, "cat <<A &&      b <<B \n1\nA\n2\nB");
    assert_eq!(command.span.slice(text), &text[4..text.len() - 7]);
}

#[test]
fn the_shell_of_a_stage_reaches_the_stages_that_are_based_on_it() {
    let text = "FROM x AS a\nRUN 1\nSHELL [\"bash\", \"-c\"]\nRUN 2\nFROM a\nRUN 3\nFROM x\nRUN 4\n";
    let file = Dockerfile::parse(text);
    let shells: Vec<_> = file
        .instructions
        .iter()
        .filter(|one| one.keyword == "RUN")
        .map(|one| one.command_text().unwrap().interpreter.clone())
        .collect();
    let bash = Interpreter::Shell(["bash".to_owned(), "-c".to_owned()].into());
    assert_eq!(
        shells,
        [Interpreter::Default, bash.clone(), bash, Interpreter::Default]
    );
}

#[test]
fn mounts_have_keys_and_values() {
    let text =
        "RUN --mount=type=cache,id=x,dst=/root/.npm,sharing=locked,ro --mount=\"target=/a b\" npm ci\n";
    let run = &Dockerfile::parse(text).instructions[0];
    let [cache, bind] = &run.mounts[..] else { panic!() };
    assert_eq!((cache.kind(), cache.value("id")), ("cache", Some("x")));
    let target = cache.option("target").unwrap();
    assert_eq!(target.key_span.slice(text), "dst");
    assert_eq!(target.value_span.unwrap().slice(text), "/root/.npm");
    assert!(cache.option("readonly").unwrap().value.is_none());
    assert_eq!((bind.kind(), bind.value("destination")), ("bind", Some("/a b")));
    assert_eq!(run.command_text().unwrap().text, "npm ci");
}

#[test]
fn copies_have_sources_and_a_destination() {
    let text = "COPY --from=b --chown=1:1 a <<E /d/\nx\nE\nADD [\"a b\", \"/c\"]\nCOPY a\n";
    let file = Dockerfile::parse(text);
    let copy = file.instructions[0].copy_arguments().unwrap();
    assert_eq!(copy.destination_span.slice(text), "/d/");
    let sources: Vec<_> = copy
        .sources
        .iter()
        .map(|source| (source.text.as_str(), source.heredoc))
        .collect();
    assert_eq!(sources, [("a", false), ("<<E", true)]);
    assert_eq!(file.instructions[0].copy_from().unwrap().0, "b");
    let add = file.instructions[1].copy_arguments().unwrap();
    assert_eq!(
        (add.sources[0].text.as_str(), add.sources[0].span.slice(text)),
        ("a b", "\"a b\"")
    );
    assert!(file.instructions[2].copy_arguments().is_none());
}

#[test]
fn what_onbuild_keeps_is_read_likewise() {
    let text = "ONBUILD RUN --mount=target=/x make \\\n  all\n";
    let onbuild = &Dockerfile::parse(text).instructions[0];
    let run = onbuild.inner.as_ref().unwrap();
    assert_eq!(run.keyword_span.slice(text), "RUN");
    assert_eq!(run.mounts[0].value("target"), Some("/x"));
    assert_eq!(run.command_text().unwrap().text, "make     all");
    assert_eq!((run.start_line, run.end_line), (1, 2));
}

#[test]
fn a_command_that_is_no_text_keeps_its_length() {
    let file = Dockerfile::parse_bytes(b"RUN a\xFF\xCF b \\\n <<E c\nx\nE\n");
    let command = file.instructions[0].command_text().unwrap();
    assert_eq!(command.text, "a?? b    <<E c\nx\nE");
    assert_eq!(command.span, Span::new(4, 22));
}

#[test]
fn an_empty_value_before_a_continuation_stands_on_its_own_line() {
    let text = "COPY --from=\\\n  a b\nENV A=\\\n B=1\nRUN --mount=\\\n x\n";
    let file = Dockerfile::parse(text);
    assert_eq!(file.instructions[0].flags[0].value_span, Some(Span::new(12, 12)));
    let value = file.instructions[1].assignments[0].value.as_ref().unwrap();
    assert_eq!((value.raw.as_str(), value.span), ("", Span::new(26, 26)));
}
