use super::*;
use crate::shell::Editor;
use crate::shell::invariants::{check, hold};
use crate::{FileId, Source};
use proptest::prelude::*;

/// Pieces that scripts are made of, so that random texts get somewhere.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "docker",
        "build",
        "ssh h ",
        "bash -c ",
        "\"",
        "'",
        "\\",
        "\n",
        " ",
        ";",
        "&&",
        "||",
        "|",
        "&",
        "(",
        ")",
        "{",
        "}",
        "$(",
        "${",
        "`",
        "<<EOF\n",
        "EOF\n",
        "<<-'E'\n",
        "E\n",
        "if ",
        "then ",
        "else ",
        "fi ",
        "for x in ",
        "do ",
        "done ",
        "case ",
        " in ",
        "esac ",
        "a)",
        ";;",
        "[ ",
        " ]",
        "[[ ",
        " ]]",
        "=",
        "x",
        "$x",
        "A=",
        "A+=(",
        "f() {",
        "é",
        "#",
        "\t",
        "\r\n",
        "!",
        ">",
        "2>&1",
        "${{ a }}",
        "$'",
        "set -e",
        "eval ",
        "exit",
        "((",
        "))",
        "$((",
        "~",
        "*",
        "{a,b}",
        "@",
        "-",
        "--",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read(text in "\\PC*") {
        check(&text, &read(&text));
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        check(&text, &read(&text));
    }

    #[test]
    fn any_pieces_are_read(text in pieces()) {
        hold(&text);
    }

    /// Removing words gives a text in which exactly these words are gone.
    #[test]
    fn removed_words_are_gone_and_no_others(
        words in prop::collection::vec("[a-z]{1,3}|--[a-z]{1,3}=\"[a-z ]{0,4}\"|'[a-z]'", 1..8),
        blanks in prop::collection::vec(prop::sample::select(vec![" ", "  ", " \\\n    ", " \\\n\t"]), 9),
        around in prop::sample::select(vec![("", ""), ("", "\n"), ("x\n", " # c\ny\n"), ("ssh h '", "'\n"), ("bash -c \"", "\""), ("if ", "; then y; fi\n"), ("", " || true\n"), ("y | ", " | z")]),
        from in 0usize..8,
        count in 1usize..4,
    ) {
        let quoted = around.0.ends_with(['\'', '"']);
        let clean = |word: &String| if quoted { word.replace(['"', '\''], "") } else { word.clone() };
        let words: Vec<String> = words.iter().map(clean).collect();
        let mut text = format!("{}docker", around.0);
        for (word, blank) in words.iter().zip(&blanks) {
            text.push_str(blank);
            text.push_str(word);
        }
        text.push_str(around.1);
        let script = read(&text);
        let index = script.commands().iter().position(|command| command.name() == "docker").unwrap();
        let command = &script.commands()[index];
        let from = 1 + from % (command.words.len() - 1).max(1);
        let to = (from + count).min(command.words.len());
        if from < to {
            let source = Source::new("x", text.as_str());
            let edit = Editor::new(FileId::default(), &source).remove_words(command, from..to).unwrap();
            let after = super::edits::apply(&text, &edit);
            let again = read(&after);
            prop_assert!(!again.is_broken(), "{:?}", after);
            let mut expected = lines(&script);
            let mut left = command.words.clone();
            left.drain(from..to);
            expected[index] = left.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            // The script in quotes is a word of the command that runs it.
            let got = lines(&again);
            prop_assert_eq!(&got[index], &expected[index], "{:?}", after);
            prop_assert_eq!(got.len(), expected.len());
            if !quoted {
                prop_assert_eq!(got, expected);
            }
        }
    }
}

#[test]
fn a_default_stands_between_characters_where_its_brace_is_missing() {
    for text in ["A${=®", "A${x:=®", "bash -c \"\\${x:=®\\\"a\\\"}\"", "${x:=é}"] {
        hold(text);
    }
    let script = read("echo ${x:=é}");
    let crate::shell::Value::Scalar(word) = &script.assignments()[0].value else {
        panic!("{script:?}");
    };
    assert_eq!((word.text.as_str(), word.span), ("é", crate::Span::new(10, 12)));
}

#[test]
fn deep_nesting_is_read_up_to_a_depth() {
    for (open, close) in [
        ("(", ")"),
        ("$(", ")"),
        ("{ ", "; }"),
        ("if a; then ", "; fi"),
        ("\"$(", ")\""),
        ("! ", ""),
        ("a && ", ""),
        ("a | ", ""),
    ] {
        let text = format!("{}docker x{}", open.repeat(3000), close.repeat(3000));
        check(&text, &read(&text));
    }
    let text = "bash -c '".repeat(2000);
    check(&text, &read(&text));
    let text = "<<A ".repeat(2000) + "\nA\n";
    check(&text, &read(&text));
}

#[test]
fn long_texts_are_read_in_linear_time() {
    let start = std::time::Instant::now();
    for line in [
        "docker build -t x . || exit 1\n",
        "[ \"$A\" = b ] || exit 1\n",
        "A+=(--x)\ndocker \"${A[@]}\"\n",
        "f() { docker x; }\nf\n",
        "${x",
        "\"$(",
        "<<A\n",
        "case a in\n",
        "a=$a$a\n",
        "f$x() { f; }\n",
    ] {
        let text = line.repeat(20_000 / line.len());
        check(&text, &read(&text));
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
