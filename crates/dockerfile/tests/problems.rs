//! What the engine refuses, as `cargo xtask dockerfiles` found it to.

use unstale_dockerfile::Dockerfile;

/// The line of the problem of which the engine speaks; 0 when it takes the file.
fn line(text: &str) -> usize {
    Dockerfile::parse(text)
        .problems()
        .first()
        .map_or(0, |problem| problem.line)
}

/// Instructions of a stage that are refused, each alone.
fn refused(instructions: &[&str]) {
    for one in instructions {
        assert_eq!(line(&format!("FROM a\n{one}\n")), 2, "{one}");
    }
}

fn taken(instructions: &[&str]) {
    for one in instructions {
        let problems = Dockerfile::parse(&format!("FROM a\n{one}\n")).problems();
        assert!(problems.is_empty(), "{one}: {problems:?}");
    }
}

#[test]
fn a_file_needs_a_stage() {
    assert_eq!(line(""), 1);
    assert_eq!(line("# a\n\n"), 2);
    assert_eq!(line("ARG A"), 1);
    assert_eq!(line("ARG A\nRUN x\nFROM a"), 2);
    assert_eq!(line("ARG A\nFROM a"), 0);
}

#[test]
fn the_parser_looks_at_all_lines_before_instructions_are_looked_at() {
    assert_eq!(line("FROM a\nFOO\nENV A\n"), 3);
    let problems = Dockerfile::parse("FROM a b\nFOO\nRUN <<E\n").problems();
    assert_eq!(problems.iter().map(|one| one.line).collect::<Vec<_>>(), [3, 1, 2]);
}

#[test]
fn directives_are_checked_first() {
    assert_eq!(line("# escape=x\nFROM a"), 1);
    assert_eq!(line("# syntax=a\n# syntax=b\nFROM a"), 2);
    assert_eq!(line("# check=skip=all;error=true\nFROM a"), 0);
    assert_eq!(line("# check=error=maybe\nFROM a"), 1);
    assert_eq!(line("#!x\n# check=nothing\nFROM a"), 2);
    assert_eq!(line(" # check=nothing\nFROM a"), 0);
}

#[test]
fn stages_have_one_base_and_perhaps_a_name() {
    for (from, expected) in [
        ("FROM a AS b", 0),
        ("FROM a as B-1._", 0),
        ("FROM a AS \u{212a}", 0),
        ("FROM a AS a\nFROM b AS a", 0),
        ("FROM", 1),
        ("FROM a b", 1),
        ("FROM a TO b", 1),
        ("FROM a AS b c", 1),
        ("FROM a AS 1", 1),
        ("FROM a AS $b", 1),
        ("FROM --platform a", 1),
        ("FROM --platform=b a", 0),
        ("FROM --x=b a", 1),
    ] {
        assert_eq!(line(from), expected, "{from}");
    }
}

#[test]
fn arguments_are_counted() {
    refused(&[
        "FOO",
        "WORKDIR",
        "USER",
        "STOPSIGNAL",
        "MAINTAINER",
        "EXPOSE",
        "VOLUME",
        "VOLUME []",
        "ENV",
        "LABEL",
        "ARG",
        "COPY",
        "COPY a",
        "ADD a",
        "COPY [\"a\"]",
        "ONBUILD",
        "HEALTHCHECK",
        "HEALTHCHECK CMD",
        "HEALTHCHECK CMD []",
        "HEALTHCHECK NONE a",
        "HEALTHCHECK MAYBE",
        "SHELL",
        "SHELL []",
        "SHELL bash",
        "ENV A",
        "ENV A=1 B",
        "ENV =1",
        "ARG =1",
        "LABEL a=b =c",
        "VOLUME [\"a\", \" \"]",
        "COPY a <<E\nE",
        "COPY [\"a\", \"<<E\"]",
    ]);
    taken(&[
        "RUN",
        "CMD",
        "ENTRYPOINT",
        "CMD []",
        "ENV A B C",
        "ARG A B=1",
        "HEALTHCHECK none",
        "HEALTHCHECK NONE []",
        "EXPOSE what-ever",
        "STOPSIGNAL --x 9",
        "ARG --x A",
        "USER a b",
        "run x",
        "WOR\u{212a}DIR /",
    ]);
}

#[test]
fn a_volume_of_a_blank_that_is_none_of_ascii_is_empty() {
    refused(&["VOLUME /x \u{a0} /y"]);
    taken(&["VOLUME /x\u{a0}"]);
}

#[test]
fn an_array_must_have_strings_only_where_there_is_an_exec_form() {
    refused(&[
        "CMD [1]",
        "RUN [\"a\", null]",
        "COPY [[\"a\"], \"b\"]",
        "SHELL [{}]",
        "HEALTHCHECK CMD [1]",
        "ONBUILD CMD [1]",
    ]);
    taken(&[
        "CMD [1",
        "CMD [1e999]",
        "EXPOSE [1]",
        "ENV A=[1]",
        "RUN [ -f x ]",
        "WORKDIR [1]",
    ]);
}

#[test]
fn flags_have_names_and_values() {
    refused(&[
        "RUN --x y",
        "RUN --network=x y",
        "RUN --network y",
        "RUN --network=none --network=none y",
        "COPY --link=maybe a b",
        "COPY --link= a b",
        "COPY --link --link a b",
        "COPY --parents a b",
        "RUN --security=insecure x",
        "ADD --from=x a b",
        "CMD --x",
        "ENV --x A=1",
        "RUN --mount=\"\" x",
        "RUN --mount=from=$A x",
        "RUN --mount=\\\"a x",
        "RUN --device=a,b x",
        "HEALTHCHECK --interval=5 CMD x",
        "HEALTHCHECK --interval=1us CMD x",
        "HEALTHCHECK --retries=-1 CMD x",
        "HEALTHCHECK --retries=x CMD x",
        "WORKDIR --x /",
        "ONBUILD --x RUN y",
    ]);
    taken(&[
        "RUN --network=none --mount=type=nonsense,from=$ x",
        "COPY --link=TRUE --exclude=a --exclude=b a b",
        "ADD --unpack a b",
        "HEALTHCHECK --interval=0 --retries=+3 --timeout=1h CMD x",
        "RUN --device=a=b,required=T x",
        "HEALTHCHECK --x NONE",
        "RUN -- --x",
    ]);
    let named = "# syntax=docker/dockerfile:1-labs\nFROM a\nCOPY --parents a b\nRUN --security=insecure x\n";
    assert_eq!(line(named), 0);
}

#[test]
fn some_instructions_cannot_be_kept_for_later() {
    refused(&[
        "ONBUILD ONBUILD RUN x",
        "ONBUILD FROM a",
        "ONBUILD MA\u{131}NTAINER a",
        "ONBUILD ENV A",
    ]);
    taken(&["ONBUILD FOO", "ONBUILD COPY a"]);
}

#[test]
fn heredocs_end() {
    refused(&["RUN <<E\nx", "COPY <<E /\nx\n E", "ONBUILD RUN <<E"]);
    taken(&[
        "RUN <<E\nE",
        "RUN <<-E\n\tE",
        "RUN A=1 <<E\nE",
        "CMD <<E",
        "RUN it's <<E",
        "RUN [\"<<E\"]",
        "RUN ${a[0]} <<E",
    ]);
}

#[test]
fn continuations_alone_are_an_instruction_without_a_name() {
    assert_eq!(line("FROM a\n\\\n\n"), 2);
    assert_eq!(line("\\\nFROM a"), 0);
}
