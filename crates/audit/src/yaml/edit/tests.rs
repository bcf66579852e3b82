//! Edits as a careful person makes them, and what holds of every edit of every file: the text parses again, and its tree
//! differs in exactly what was meant.

use super::*;
use crate::yaml::Yaml;
use crate::yaml::invariants::{Count, apply, edits, hold, remove};
use crate::yaml::tests::{files_below, yamlish};
use proptest::prelude::*;

fn removed(text: &str, path: &[&str]) -> String {
    let yaml = Yaml::parse(text).unwrap();
    let node = yaml.root().unwrap().lookup(path.iter().copied()).unwrap();
    remove(text, node).unwrap()
}

#[test]
fn the_only_arg_takes_args_with_it() {
    let before = "\
services:
  backend:
    build:
      context: ./backend
      dockerfile: Dockerfile
      args:
        BUILDKIT_INLINE_CACHE: 1  # ❌ Embeds cache in image
        
  frontend:
    build:
      context: ./frontend
      dockerfile: Dockerfile
      args:
        BUILDKIT_INLINE_CACHE: 1  # ❌ Embeds cache in image
        NODE_OPTIONS: \"--max-old-space-size=2048\"
";
    let after = "\
services:
  backend:
    build:
      context: ./backend
      dockerfile: Dockerfile
        
  frontend:
    build:
      context: ./frontend
      dockerfile: Dockerfile
      args:
        NODE_OPTIONS: \"--max-old-space-size=2048\"
";
    let arg = |service| ["services", service, "build", "args", "BUILDKIT_INLINE_CACHE"];
    assert_eq!(
        removed(&removed(before, &arg("backend")), &arg("frontend")),
        after
    );
    assert_eq!(
        removed(&removed(before, &arg("frontend")), &arg("backend")),
        after
    );
}

#[test]
fn comments_of_others_stay() {
    let text = "\
a:
  # about x
  x: 1 # x
  # about y
  y:
    - 1
    # below y
  # about z
  z: 3
b: 1
";
    assert_eq!(
        removed(text, &["a", "y"]),
        "a:\n  # about x\n  x: 1 # x\n  # about y\n  # about z\n  z: 3\nb: 1\n"
    );
    assert_eq!(removed(text, &["a", "x"]), text.replace("  x: 1 # x\n", ""));
}

#[test]
fn items_that_begin_on_the_line_of_a_dash() {
    let text = "- a: 1 # a\n  # about b\n  b: 2\n- - x\n  - y\n- z: 1\n";
    assert_eq!(
        removed(text, &["0", "a"]),
        "- # about b\n  b: 2\n- - x\n  - y\n- z: 1\n"
    );
    assert_eq!(
        removed(text, &["1", "0"]),
        "- a: 1 # a\n  # about b\n  b: 2\n- - y\n- z: 1\n"
    );
    assert_eq!(
        removed(text, &["2", "z"]),
        "- a: 1 # a\n  # about b\n  b: 2\n- - x\n  - y\n"
    );
}

#[test]
fn empty_lines_are_not_doubled() {
    let text = "s:\n  a:\n    x: 1\n\n  b:\n    x: 1\n\n  c:\n    x: 1\n";
    assert_eq!(
        removed(text, &["s", "a"]),
        "s:\n  b:\n    x: 1\n\n  c:\n    x: 1\n"
    );
    assert_eq!(
        removed(text, &["s", "b"]),
        "s:\n  a:\n    x: 1\n\n  c:\n    x: 1\n"
    );
    assert_eq!(
        removed(text, &["s", "c"]),
        "s:\n  a:\n    x: 1\n\n  b:\n    x: 1\n"
    );
    let text = "a: |\n  x\n\nb: 1\n\n    \nc: |+\n  y\n\n";
    assert_eq!(removed(text, &["b"]), "a: |\n  x\n\nc: |+\n  y\n\n");
    assert_eq!(removed(text, &["a"]), "b: 1\n\n    \nc: |+\n  y\n\n");
}

#[test]
fn commas_go_with_what_they_part() {
    for (text, path, expected) in [
        ("a: [x, y, z]\n", ["a", "0"], "a: [y, z]\n"),
        ("a: [x, y, z]\n", ["a", "1"], "a: [x, z]\n"),
        ("a: [x, y, z]\n", ["a", "2"], "a: [x, y]\n"),
        ("a: [x, y, ]\n", ["a", "1"], "a: [x, ]\n"),
        ("b: 1\na: [x]\n", ["a", "0"], "b: 1\n"),
        ("b: 1\na: {x: 1, y: 2}\n", ["a", "x"], "b: 1\na: {y: 2}\n"),
        (
            "a: {\n  x: 1, # x\n  y: 2 # y\n}\n",
            ["a", "y"],
            "a: {\n  x: 1 # x\n}\n",
        ),
        (
            "a: {\n  x: 1, # x\n  y: 2 # y\n}\n",
            ["a", "x"],
            "a: {\n  y: 2 # y\n}\n",
        ),
        (
            "{\"a\": {\n\t\"x\": 1,\n\t\"y\": 2\n}}\n",
            ["a", "y"],
            "{\"a\": {\n\t\"x\": 1\n}}\n",
        ),
        ("a: [x, y,\n  z]\n", ["a", "1"], "a: [x,\n  z]\n"),
        ("a: [x,\n  y, z]\n", ["a", "1"], "a: [x,\n  z]\n"),
    ] {
        assert_eq!(removed(text, &path), expected, "{text}");
    }
}

#[test]
fn what_others_use_stays() {
    let text = "x: &x {a: 1}\ny: *x\nz: {<<: *x}\n";
    let yaml = Yaml::parse(text).unwrap();
    let root = yaml.root().unwrap();
    assert_eq!(removal(root.get("x").unwrap()), None);
    assert_eq!(removal(root.lookup(["x", "a"]).unwrap()), None);
    assert_eq!(removed(text, &["y"]), "x: &x {a: 1}\nz: {<<: *x}\n");
    let kept = root.get("z").unwrap();
    let merge = kept.entries().next().unwrap().value;
    assert_eq!(removal_within(merge, kept), None);
    assert!(removal(merge).is_some());
}

#[test]
fn insertions_have_the_file_s_own_form() {
    let insert = |text: &str, path: &[&str], content: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let node = yaml.root().unwrap().lookup(path.iter().copied()).unwrap();
        apply(text, insert_after(node, content).unwrap())
    };
    let text = "a:\r\n    b: 1 # b\r\n    c:\r\n    - x\r\n";
    assert_eq!(
        insert(text, &["a", "b"], "d:\n  - k: v\n    l: w\n  - y\ne: 1"),
        "a:\r\n    b: 1 # b\r\n    d:\r\n    - k: v\r\n      l: w\r\n    - y\r\n    e: 1\r\n    c:\r\n    - x\r\n"
    );
    assert_eq!(
        insert(text, &["a", "c", "0"], "y"),
        "a:\r\n    b: 1 # b\r\n    c:\r\n    - x\r\n    - y\r\n"
    );
    assert_eq!(insert("- a: 1", &["0", "a"], "b: 2"), "- a: 1\n  b: 2");
    assert_eq!(insert("a: {b: 1}\n", &["a", "b"], "c: 2"), "a: {b: 1, c: 2}\n");
    assert_eq!(
        insert("a: [\n  b # b\n]\n", &["a", "0"], "c"),
        "a: [\n  b, # b\n  c\n]\n"
    );

    let append_to = |text: &str, path: &[&str], content: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let node = yaml.root().unwrap().lookup(path.iter().copied()).unwrap();
        apply(text, append(node, content).unwrap())
    };
    assert_eq!(
        append_to("a:\n  b: 1\n  # c\nd: 1\n", &["a"], "e: 1"),
        "a:\n  b: 1\n  e: 1\n  # c\nd: 1\n"
    );
    assert_eq!(
        append_to("a: # a\nd: 1\n", &["a"], "- x\n- y"),
        "a: # a\n  - x\n  - y\nd: 1\n"
    );
    assert_eq!(append_to("a: {}\n", &["a"], "x: 1"), "a: {x: 1}\n");

    let text = "a: 1\n# about b\nb: 2\n";
    let yaml = Yaml::parse(text).unwrap();
    let b = yaml.root().unwrap().get("b").unwrap();
    assert_eq!(
        apply(text, insert_before(b, "c: 3").unwrap()),
        "a: 1\nc: 3\n# about b\nb: 2\n"
    );
}

#[test]
fn a_pair_without_braces_gets_no_second_entry() {
    for text in [
        "[a: b]",
        "[: b]",
        "[:]",
        "[{a: b}: c]",
        "[? a : b]",
        "[\"a\":b, c]",
    ] {
        let yaml = Yaml::parse(text).unwrap();
        let pair = yaml.root().unwrap().items().next().unwrap();
        for entry in pair.entries() {
            assert_eq!(insert_after(entry.value, "c: d"), None, "{text}");
            assert_eq!(insert_before(entry.value, "c: d"), None, "{text}");
        }
        assert_eq!(append(pair, "c: d"), None, "{text}");
    }
    let yaml = Yaml::parse("[{a: b}, c: d]").unwrap();
    let items: Vec<_> = yaml.root().unwrap().items().collect();
    let inserted = insert_after(items[0].get("a").unwrap(), "e: f").unwrap();
    assert_eq!(apply(yaml.text(), inserted), "[{a: b, e: f}, c: d]");
    let inserted = insert_after(items[1], "e: f").unwrap();
    assert_eq!(apply(yaml.text(), inserted), "[{a: b}, c: d, e: f]");
}

#[test]
fn a_kept_scalar_gets_no_line_break_more() {
    let insert = |text: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let key = yaml.root().unwrap().entries().next().unwrap().key;
        insert_after(key, "b: 1").map(|changes| apply(text, changes))
    };
    assert_eq!(insert("a: >+\n  x\n "), None);
    assert_eq!(insert("a: >+\n\n "), None);
    assert_eq!(insert("a: >+\n  x\n\n").as_deref(), Some("a: >+\n  x\n\nb: 1\n"));
    assert_eq!(insert("a: x\n ").as_deref(), Some("a: x\nb: 1\n "));
}

#[test]
fn a_document_that_is_not_written_is_not_put_into_a_comment() {
    for text in ["---\n# --", "a: 1\n---\n# -"] {
        let yaml = Yaml::parse(text).unwrap();
        let last = yaml.documents().last().unwrap();
        assert!(last.is_null(), "{text}");
        assert_eq!(replacement(last, "x"), None, "{text}");
    }
}

#[test]
fn an_entry_is_not_removed_from_above_a_template_that_may_be_its_own() {
    let remove_first = |text: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let key = yaml.root().unwrap().entries().next().unwrap().key;
        remove(text, key)
    };
    assert_eq!(
        remove_first("a:\n  b: {{ x }}-y\n  c:\n    {{- z }}\nd: 1\n"),
        None
    );
    assert_eq!(remove_first("a:\n{{- z }}\nd: {{ x }}-1\n"), None);
    assert_eq!(
        remove_first("a: {{ x }}-y\nd: 1\n{{- z }}\n").as_deref(),
        Some("d: 1\n{{- z }}\n")
    );
}

#[test]
fn replacements_keep_the_quotes() {
    let replace = |text: &str, new: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let node = yaml.root().unwrap().get("a").unwrap();
        apply(text, vec![replacement(node, new).unwrap()])
    };
    assert_eq!(replace("a: x # c\n", "y z"), "a: y z # c\n");
    assert_eq!(replace("a: x\n", "1.10"), "a: \"1.10\"\n");
    assert_eq!(replace("a: 1\n", "2"), "a: 2\n");
    assert_eq!(replace("a: 1\n", "~"), "a: \"~\"\n");
    assert_eq!(replace("a:\n", "null"), "a: \"null\"\n");
    assert_eq!(replace("a: x\n", "y: z"), "a: \"y: z\"\n");
    assert_eq!(replace("a: 'x'\n", "it's"), "a: 'it''s'\n");
    assert_eq!(replace("a: \"x\"\n", "a\\b\"c"), "a: \"a\\\\b\\\"c\"\n");
    assert_eq!(replace("a:\nb: 1\n", "x"), "a: x\nb: 1\n");
    assert_eq!(
        replace("a: | # c\n   x\n   y\nb: 1\n", "one\n\n  two\n"),
        "a: | # c\n   one\n\n     two\nb: 1\n"
    );
    assert_eq!(replace("a: |\n   x\n", "one"), "a: |-\n   one\n");
    assert_eq!(
        replace("a: >-\n   x\n   y\n", "one\ntwo"),
        "a: |-\n   one\n   two\n"
    );
}

const SAMPLES: &[&str] = &[
    "a: &a\n  b: 1 # c\n\n  # d\n  e: [x, {y: z}, 'q']\nf: *a\ng:\n- 1\n- k: v\n  l: |\n    text\n\n- - n\n  - m\n",
    "services:\n  web:\n    build: {context: ., args: [A=1, B]}\n    command: >-\n      one\n      two\n\n  # db\n  db: !reset null\n",
    "{\n  \"a\": {\"b\": [1, 2, 3], \"c\": null},\n  \"d\": \"e\\n\"\n}\n",
    "? [a, b]\n: - c\n  - d\n? |\n  key\n: 'v'\n\"q\" : \"x\n  y\"\n",
    "x: |+\n  keep\n\n\ny: >2\n    more\n\n  less\n\nz:\n",
    "a:\r\n  - b\r\n  # c\r\n  - d: |\r\n      e\r\n\r\n    f: g\r\n",
    "on:\n  push:\n    branches: [ main ]\njobs:\n  a:\n    steps:\n      - uses: x@v1\n        with: { k: v, }\n      - run: |\n          a\n            b\n",
    "---\na: 1\n...\n---\nb:\n    c:\n        d: 1\n    e: f",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn edits_of_samples_do_what_is_meant(sample in 0..SAMPLES.len(), at: prop::sample::Index, words in "[ -~\n\té]{0,12}") {
        let yaml = Yaml::parse(SAMPLES[sample]).unwrap();
        let nodes: Vec<_> = yaml.nodes().collect();
        edits(&yaml, nodes[at.index(nodes.len())], &words, &mut Count::default());
    }

    #[test]
    fn edits_of_any_text_do_what_is_meant(text in yamlish(), at: prop::sample::Index, words in "[ -~\n]{0,6}") {
        if let Ok(yaml) = Yaml::parse(&text) && !yaml.is_templated() {
            let nodes: Vec<_> = yaml.nodes().collect();
            if !nodes.is_empty() {
                edits(&yaml, nodes[at.index(nodes.len())], &words, &mut Count::default());
            }
        }
    }
}

/// What the fuzz target found.
#[test]
fn texts_that_fuzzing_found_keep_the_rules() {
    for text in [
        "[: *\"]",
        "[:]",
        "---\n# --",
        "# c\n---\n# d\n---\n# e-",
        ": >+\n\n ",
        ": a\n: ?\n:\n :",
        "...\n- /",
        "- a\r\t#\n -",
        "on: [? ,sh, pull_request]\n\njobs:\n  ",
        "[? , a]",
        "{? , a: b}",
        ": .\n\t#\n -",
        "- a\r#\n b",
        "{a o,?,? }",
        "|\n ...",
        "|\n ---",
        ": [b:\n\t]",
        "a: [a\u{2028}, b\t\t\t:\r\n\t\t]",
        ": [q\n,<\t]",
        "c: [\"d\" # c\n, \"e\":!!st\r\nrB\t?\t%\t]\n<<: ",
        "{:,{a: b}}",
        "{a|-\n..\n,\n.\n.,...\n\n<<.\n,<<:(}",
        "a: &${{ x ---\nb:}}",
        "a:\n? b:\n  # \n  c:\n:d:\n:",
        "a:\n  b: >+ \n  c: |-\n    d:\n  ",
        "a: &'2'\nb:\n  c:\r?\n  d:\ne:\n  c:\r:\n  ",
    ] {
        hold(text);
    }
}

#[test]
fn a_file_with_lines_of_another_kind_is_not_edited() {
    for (text, is_edited) in [
        ("a: b\r\nc: d\r\n", true),
        ("a: b\rc: d\r", false),
        ("a: 'b\r\rc'\n", false),
    ] {
        let yaml = Yaml::parse(text).unwrap();
        let value = yaml.root().unwrap().get("a").unwrap();
        assert_eq!(removal(value).is_some(), is_edited, "{text:?}");
        assert_eq!(insert_after(value, "n: m").is_some(), is_edited, "{text:?}");
        assert_eq!(replacement(value, "x").is_some(), is_edited, "{text:?}");
    }
}

#[test]
fn a_text_does_not_go_on_behind_a_comment() {
    for text in [": .\n\t#\n -", "a: b\r#c\r d", "a: b\t#c\n\td"] {
        let read = Yaml::parse(text).map(|yaml| format!("{:?}", yaml.nodes().collect::<Vec<_>>()));
        assert!(read.is_err(), "{text:?}: {read:?}");
    }
    let yaml = Yaml::parse("a: b#c # d\ne: f\t# g\n").unwrap();
    assert_eq!(yaml.comments().count(), 2);
}

/// `UNSTALE_CORPUS=folder:folder cargo test -p unstale-audit corpus -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of real files in UNSTALE_CORPUS"]
#[allow(clippy::print_stdout)]
fn corpus_of_edits() {
    let mut files = Vec::new();
    for folder in std::env::var("UNSTALE_CORPUS").unwrap().split(':') {
        files_below(folder.as_ref(), &mut files);
    }
    let mut count = Count::default();
    for path in &files {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let Ok(yaml) = Yaml::parse(&text) else { continue };
        let nodes: Vec<_> = yaml.nodes().collect();
        let step = (nodes.len() / 6).max(1);
        for (index, node) in nodes.iter().enumerate().step_by(step) {
            let words = ["x", "a: b", "1", "one\ntwo\n", "it's \"q\""][index / step % 5];
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                edits(&yaml, *node, words, &mut count);
            }));
            assert!(checked.is_ok(), "{}", path.display());
        }
    }
    println!("{count:?} in {} files", files.len());
    assert!(count.made > 0);
}
