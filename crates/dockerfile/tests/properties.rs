//! What holds for every text: spans nest, are ordered and lie between characters, and commands stand where they say.

use std::collections::BTreeMap;

use proptest::prelude::*;
use unstale_dockerfile::Dockerfile;

#[path = "invariants/mod.rs"]
mod invariants;

/// Text that is likely to hit the grammar's corners.
fn dockerfile_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "FROM a",
        "FROM a AS b",
        "ARG X=1",
        "ENV A B ",
        "ENV A=1 ",
        "RUN x",
        "COPY <<E /",
        "E",
        "\tE",
        "RUN <<-'E' <<F",
        "F",
        "# c",
        "# escape=`",
        "# syntax=x",
        "# check=skip=all",
        " \\",
        "`",
        "\n",
        "\n",
        "\r\n",
        " ",
        "\t",
        "\"",
        "'",
        "${X:-",
        "}",
        "$",
        "$X",
        "--from=b ",
        "--mount=type=cache,target=/x",
        "é",
        "\u{a0}",
        "à",
        "\u{2160}",
        "<<",
        "\u{feff}",
        "\r",
        "",
        "ONBUILD ",
        "HEALTHCHECK CMD ",
        "SHELL [\"a\"]",
        "[\"a\", ",
        "\"b\"]",
        "1]",
        "\\u00e9",
        "RUN ",
        "CMD ",
        "--",
        "=",
        ",",
        "--mount=\"",
        "#!/bin/x",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text(text in "(?s).{0,200}") {
        invariants::hold(text.as_bytes());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        invariants::hold(&bytes);
    }

    #[test]
    fn text_like_a_dockerfile(text in dockerfile_text()) {
        invariants::hold(text.as_bytes());
    }

    #[test]
    fn every_line_that_says_something_is_read(text in dockerfile_text()) {
        let file = Dockerfile::parse(&text);
        let mut covered: Vec<usize> = file.directives.iter().map(|directive| directive.line).collect();
        covered.extend(file.comments.iter().map(|comment| comment.line));
        covered.extend(file.instructions.iter().flat_map(|one| one.start_line..=one.end_line));
        let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for (index, line) in plain.split_inclusive('\n').enumerate() {
            prop_assert!(line.trim().is_empty() || covered.contains(&(index + 1)), "line {} is lost", index + 1);
        }
    }

    #[test]
    fn a_text_is_read_as_its_bytes_are(text in dockerfile_text()) {
        prop_assert_eq!(Dockerfile::parse(&text), Dockerfile::parse_bytes(text.as_bytes()));
    }
}

#[test]
fn hostile_files_take_linear_time() {
    let chain = "ONBUILD ".repeat(200_000);
    for (text, count) in [
        (format!("RUN {}", "x\"'$ ".repeat(400_000)), 1),
        ("RUN \\\n".to_owned() + &"a \\\n".repeat(300_000), 1),
        (format!("RUN {}", "<<E ".repeat(200_000)), 1),
        (format!("RUN {}", "--a=b ".repeat(200_000)), 1),
        (format!("FROM {}", "--a=b ".repeat(200_000)), 1),
        ("RUN a \\\n".to_owned() + &"#\n".repeat(500_000), 1),
        (format!("RUN [{}", "[".repeat(500_000)), 1),
        (format!("ENV {}", "A=${B:-".repeat(200_000)), 1),
        (format!("COPY {} /", "${B:-".repeat(200_000)), 1),
        (format!("RUN --mount={}", "a=b,".repeat(200_000)), 1),
        (chain + "RUN x", 1),
        ("FROM a AS b\n".repeat(50_000), 50_000),
        (
            "FROM a\n".to_owned() + &"SHELL [\"a\"]\nRUN x\n".repeat(50_000),
            100_001,
        ),
    ] {
        let file = Dockerfile::parse(&text);
        let _ = (
            file.stages(),
            file.base_refs(&BTreeMap::new()),
            file.needed_stages(0),
        );
        assert_eq!(file.instructions.len(), count, "{}", &text[..40]);
    }
}
