//! The rules that every reading keeps to. Panics at the first that is broken. Shared with the fuzz target.

use std::collections::BTreeMap;

use unstale_dockerfile::{Dockerfile, Instruction, Span};

/// Reads a file and looks at everything in it.
pub fn hold(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).ok();
    let file = Dockerfile::parse_bytes(bytes);
    let whole = Span::new(0, bytes.len());
    let good = |span: Span, outer: Span| {
        assert!(span.start <= span.end, "{span:?} ends before it begins");
        assert!(outer.contains(span), "{span:?} is not in {outer:?}");
        if let Some(text) = text {
            let between = text.is_char_boundary(span.start) && text.is_char_boundary(span.end);
            assert!(between, "{span:?} cuts a character");
        }
    };
    let mut end = 0;
    for directive in &file.directives {
        good(directive.span, whole);
        good(directive.name_span, directive.span);
        assert!(directive.span.start >= end);
        end = directive.span.end;
    }
    let (mut end, mut line) = (0, 0);
    for instruction in &file.instructions {
        good(instruction.span, whole);
        assert!(instruction.span.start >= end, "instructions overlap");
        assert!(instruction.start_line > line && instruction.end_line >= instruction.start_line);
        (end, line) = (instruction.span.end, instruction.end_line);
        one(instruction, &good, bytes);
    }
    let mut line = 0;
    for comment in &file.comments {
        good(comment.span, whole);
        assert!(comment.line > line, "comments are not in order");
        line = comment.line;
    }
    for problem in file.problems() {
        good(problem.span, whole);
        assert!(problem.line > 0 && !problem.message.is_empty());
    }
    let stages = file.stages();
    for stage in &stages {
        good(stage.base_span, file.instructions[stage.instruction].span);
        assert!(stage.base_stage.is_none_or(|base| base < stage.index));
    }
    for one in file.stage_uses(&BTreeMap::new()) {
        good(one.span, file.instructions[one.instruction].span);
    }
    for index in 0..file.instructions.len().min(20) {
        let _ = file.visible(index);
    }
    let _ = (
        file.base_refs(&BTreeMap::new()),
        file.needed_stages(0),
        file.declares_arg("X"),
    );
}

fn one(instruction: &Instruction, good: &impl Fn(Span, Span), bytes: &[u8]) {
    let outer = instruction.span;
    good(instruction.keyword_span, outer);
    good(instruction.args_span, outer);
    let mut end = instruction.keyword_span.end;
    for flag in &instruction.flags {
        good(flag.span, outer);
        good(flag.name_span, flag.span);
        flag.value_span.into_iter().for_each(|span| good(span, flag.span));
        assert!(flag.span.start >= end, "flags overlap");
        end = flag.span.end;
    }
    assert!(
        instruction.args_span.start >= end,
        "the arguments begin before the flags end"
    );
    let mut end = 0;
    for word in &instruction.words {
        good(word.span, instruction.args_span);
        assert!(word.span.start >= end && !word.span.is_empty(), "words overlap");
        end = word.span.end;
    }
    let mut end = 0;
    for item in instruction.exec.iter().flatten() {
        good(item.span, instruction.args_span);
        assert!(item.span.start >= end && item.span.len() >= 2, "strings overlap");
        end = item.span.end;
    }
    for assignment in &instruction.assignments {
        good(assignment.name.span, instruction.args_span);
        assignment
            .value
            .iter()
            .for_each(|value| good(value.span, instruction.args_span));
    }
    for mount in &instruction.mounts {
        good(mount.span, outer);
        for option in &mount.options {
            good(option.key_span, mount.span);
            option
                .value_span
                .into_iter()
                .for_each(|span| good(span, mount.span));
        }
    }
    for reference in &instruction.references {
        good(reference.span, outer);
        good(reference.name_span, reference.span);
        reference
            .word
            .into_iter()
            .for_each(|span| good(span, reference.span));
    }
    let mut end = instruction.args_span.end;
    for heredoc in &instruction.heredocs {
        good(heredoc.body, outer);
        good(heredoc.terminator, outer);
        assert!(heredoc.body.start >= end && heredoc.terminator.start >= heredoc.body.end);
        end = heredoc.terminator.end;
    }
    if let Some(command) = instruction.command_text() {
        good(command.span, outer);
        assert_eq!(
            command.text.len(),
            command.span.len(),
            "a command is not as long as its span"
        );
        // Where a byte is not blank, it is that of the file.
        let file = &bytes[command.span.start..command.span.end];
        for (ours, theirs) in command.text.bytes().zip(file) {
            let replaced = matches!(ours, b' ' | b'\n') || ours == b'?' && *theirs >= 0x80;
            assert!(
                ours == *theirs || replaced,
                "a command does not stand where it says"
            );
        }
    }
    if let Some(inner) = &instruction.inner {
        good(inner.span, outer);
        assert!(inner.inner.is_none());
        one(inner, good, bytes);
    }
}
