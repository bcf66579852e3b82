//! What is read from a Dockerfile, as its users see it.

use std::collections::BTreeMap;

use unstale_dockerfile::{Dockerfile, Instruction};

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn spans(file: &Dockerfile) -> Vec<(&str, usize, usize)> {
    file.instructions
        .iter()
        .map(|i| (i.keyword.as_str(), i.start_line, i.end_line))
        .collect()
}

fn only(text: &str) -> Instruction {
    let mut file = Dockerfile::parse(text);
    assert_eq!(file.instructions.len(), 1, "{file:?}");
    file.instructions.remove(0)
}

#[test]
fn continued_lines_are_joined_and_comments_between_them_left_out() {
    let run = only("RUN a \\\n  # a comment \\\n\n  && b \\  \n  && c\n");
    assert_eq!(run.args, "a   && b   && c");
    assert_eq!((run.start_line, run.end_line), (1, 5));
    assert_eq!(run.span.start..run.span.end, 0..42);
}

#[test]
fn a_doubled_escape_continues_nothing() {
    let file = Dockerfile::parse("RUN echo \\\\\nRUN b");
    assert_eq!(spans(&file), [("RUN", 1, 1), ("RUN", 2, 2)]);
}

#[test]
fn an_instruction_begins_with_its_first_continuation() {
    let file = Dockerfile::parse("# a\n \\\n# b\n\nFROM x\nRUN y\n");
    assert_eq!(spans(&file), [("FROM", 2, 5), ("RUN", 6, 6)]);
    assert_eq!(file.instructions[0].span.start, 12);
}

#[test]
fn the_last_line_may_be_a_continuation() {
    assert_eq!(only("RUN a \\").args, "a");
    assert_eq!(only("RUN a \\\n# end").args, "a");
}

#[test]
fn directives_count_only_at_the_top() {
    let file = Dockerfile::parse(
        "#Syntax = docker/dockerfile:1\n# escape=`\n\n# check=skip=all\nRUN a `\n b \\\nRUN c",
    );
    assert_eq!(file.directive("syntax"), Some("docker/dockerfile:1"));
    assert_eq!(file.directive("check"), None);
    assert_eq!(spans(&file), [("RUN", 5, 6), ("RUN", 7, 7)]);
    let late = Dockerfile::parse("# hello\n# escape=`\nRUN a \\\n b");
    assert!(late.directives.is_empty());
    assert_eq!(spans(&late), [("RUN", 3, 4)]);
}

#[test]
fn a_byte_order_mark_and_crlf_change_nothing() {
    let unix = Dockerfile::parse("# syntax=x\nFROM a AS b\nRUN x \\\n  y\nRUN <<E\nhi\nE\nCMD z\n");
    let windows = Dockerfile::parse(
        "\u{feff}# syntax=x\r\nFROM a AS b\r\nRUN x \\\r\n  y\r\nRUN <<E\r\nhi\r\nE\r\nCMD z\r\n",
    );
    assert_eq!(unix.directive("syntax"), windows.directive("syntax"));
    assert_eq!(spans(&unix), spans(&windows));
    assert_eq!(windows.stages()[0].name.as_deref(), Some("b"));
    assert_eq!(windows.instructions[2].heredocs[0].content, "hi\r\n");
    assert_eq!(unix.instructions[1].args, windows.instructions[1].args);
}

#[test]
fn heredocs_hide_what_is_in_them() {
    let text = "FROM a\nCOPY <<one <<-'two' /x/\nFROM b\none\n\tARG HIDDEN\n\ttwo\nRUN after\n";
    let file = Dockerfile::parse(text);
    assert_eq!(spans(&file), [("FROM", 1, 1), ("COPY", 2, 6), ("RUN", 7, 7)]);
    let [one, two] = &file.instructions[1].heredocs[..] else {
        panic!("two heredocs")
    };
    assert_eq!(
        (one.content.as_str(), one.expand, one.chomp),
        ("FROM b\n", true, false)
    );
    assert_eq!(
        (two.content.as_str(), two.expand, two.chomp),
        ("\tARG HIDDEN\n", false, true)
    );
    assert!(!file.declares_arg("HIDDEN"));
    assert_eq!(file.stages().len(), 1);
}

#[test]
fn a_heredoc_without_end_reaches_to_the_end_of_the_file() {
    let run = only("RUN <<EOF\na\nFROM b");
    assert_eq!(run.end_line, 3);
    assert!(!run.heredocs[0].terminated);
}

#[test]
fn flags_are_apart_from_arguments() {
    let run = only("run --mount=type=cache,target='/a b' --network=none \\\n --x -- --kept --y=1");
    let flags: Vec<_> = run
        .flags
        .iter()
        .map(|f| (f.name.as_str(), f.value.as_deref()))
        .collect();
    assert_eq!(
        flags,
        [
            ("mount", Some("type=cache,target=/a b")),
            ("network", Some("none")),
            ("x", None)
        ]
    );
    assert_eq!((run.keyword.as_str(), run.args.as_str()), ("RUN", "--kept --y=1"));
}

#[test]
fn arguments_are_found_wherever_they_are_declared() {
    let text = "ARG BASE=busybox\nFROM $BASE\narg A B=1 \\\n  \"C\"=x D='y z'\nRUN ARG=E\nONBUILD ARG F\n";
    let file = Dockerfile::parse(text);
    for name in ["BASE", "A", "B", "C", "D"] {
        assert!(file.declares_arg(name), "{name}");
    }
    for name in ["E", "F", "ARG", "x", "z'", ""] {
        assert!(!file.declares_arg(name), "{name}");
    }
}

#[test]
fn stages_have_names_bases_platforms_and_lines() {
    let file = Dockerfile::parse(
        "FROM --platform=$BUILDPLATFORM go:1 AS Build\nRUN x\n\nfrom\tscratch as out\nFROM alone",
    );
    let stages: Vec<_> = file
        .stages()
        .into_iter()
        .map(|s| {
            (
                s.name.unwrap_or_default(),
                s.base,
                s.platform.unwrap_or_default(),
                s.line,
            )
        })
        .collect();
    let text = |s: &str| s.to_owned();
    assert_eq!(
        stages,
        [
            (text("build"), text("go:1"), text("$BUILDPLATFORM"), 1),
            (text("out"), text("scratch"), text(""), 4),
            (text(""), text("alone"), text(""), 5),
        ]
    );
}

#[test]
fn bases_are_the_images_from_elsewhere() {
    let text = "ARG REGISTRY=reg.example\nARG TAG\nARG IMAGE=$REGISTRY/app:${TAG:-latest}\n\
                FROM ${IMAGE} AS base\nARG REGISTRY=shadow\nFROM Base AS next\nFROM scratch\n\
                COPY --from=next /a /a\nCOPY --from=0 /a /a\nCOPY --from=tools:1 /a /a\n\
                RUN --mount=type=bind,from=tools:2,target=/t --mount=from=base,target=/u x\n\
                FROM $REGISTRY/other\nFROM tools:1\n";
    let file = Dockerfile::parse(text);
    assert_eq!(
        file.base_refs(&args(&[])),
        [
            "reg.example/app:latest",
            "tools:1",
            "tools:2",
            "reg.example/other"
        ]
    );
    let given = args(&[("TAG", "7"), ("REGISTRY", "r"), ("UNDECLARED", "x")]);
    assert_eq!(
        file.base_refs(&given),
        ["r/app:7", "tools:1", "tools:2", "r/other"]
    );
}

#[test]
fn a_later_stage_of_the_same_name_is_no_earlier_one() {
    let file = Dockerfile::parse("FROM busybox AS a\nFROM b\nFROM busybox AS b\n");
    assert_eq!(file.base_refs(&args(&[])), ["busybox", "b"]);
}

#[test]
fn odd_files_are_read_without_complaint() {
    for text in [
        "",
        "\n\n",
        "#",
        "\u{feff}",
        "FROM",
        "\\",
        "\\\n\\\n",
        "RUN <<",
        "FROM a AS",
        "ARG",
        "--x",
        "COPY --",
    ] {
        let file = Dockerfile::parse(text);
        let _ = (file.stages(), file.base_refs(&args(&[])), file.declares_arg("X"));
    }
}

#[test]
fn hostile_files_take_linear_time() {
    let long_line = format!("RUN {}", "x\"'$ ".repeat(400_000));
    let continued = "RUN \\\n".to_owned() + &"a \\\n".repeat(300_000);
    let heredocs = format!("RUN {}", "<<E ".repeat(200_000));
    let flags = format!("RUN {}", "--a=b ".repeat(200_000));
    let comments = "RUN a \\\n".to_owned() + &"#\n".repeat(500_000);
    for text in [long_line, continued, heredocs, flags, comments] {
        let file = Dockerfile::parse(&text);
        let _ = (file.stages(), file.base_refs(&args(&[])), file.declares_arg("X"));
        assert_eq!(file.instructions.len(), 1);
    }
}
