//! Edits as a careful person makes them, and what holds of every edit of every file: the text parses again, and its tree
//! differs in exactly what was meant.

use super::*;
use crate::yaml::tests::{check_tree, files_below, yamlish};
use crate::yaml::{Kind, Node, Style, Yaml};
use proptest::prelude::*;

fn apply(text: &str, mut changes: Vec<Change>) -> String {
    changes.sort();
    let mut result = text.to_owned();
    for change in changes.iter().rev() {
        result.replace_range(change.span.start..change.span.end, &change.content);
    }
    for pair in changes.windows(2) {
        assert!(pair[0].span.end <= pair[1].span.start, "{pair:?}");
    }
    result
}

fn remove(text: &str, node: Node<'_>) -> Option<String> {
    let spans = removal(node)?;
    Some(apply(
        text,
        spans
            .into_iter()
            .map(|span| Change {
                span,
                content: String::new(),
            })
            .collect(),
    ))
}

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
fn replacements_keep_the_quotes() {
    let replace = |text: &str, new: &str| {
        let yaml = Yaml::parse(text).unwrap();
        let node = yaml.root().unwrap().get("a").unwrap();
        apply(text, vec![replacement(node, new).unwrap()])
    };
    assert_eq!(replace("a: x # c\n", "y z"), "a: y z # c\n");
    assert_eq!(replace("a: x\n", "1.10"), "a: \"1.10\"\n");
    assert_eq!(replace("a: 1\n", "2"), "a: 2\n");
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

/// A tree without places.
#[derive(Debug, PartialEq)]
struct Tree {
    tag: String,
    anchor: String,
    form: Form,
}

#[derive(Debug, PartialEq)]
enum Form {
    Null,
    Text(String, bool),
    Entries(Vec<(Tree, Tree)>),
    Items(Vec<Tree>),
    Alias(String),
}

/// What an edit is meant to do to a tree.
#[derive(Clone, Copy)]
enum Meant<'a> {
    Nothing,
    Remove(usize, usize),
    InsertAfter(usize, usize),
    Text(usize, &'a str),
}

fn tree(node: Node<'_>, meant: Meant<'_>) -> Tree {
    let id = node.id().index();
    let form = match (node.kind(), meant) {
        (Kind::Scalar(_), Meant::Text(at, text)) if at == id => Form::Text(text.to_owned(), false),
        (Kind::Scalar(scalar), _) if scalar.is_null() => Form::Null,
        (Kind::Scalar(scalar), _) => {
            let replaced = matches!(meant, Meant::Text(..));
            Form::Text(
                scalar.text().to_owned(),
                scalar.style() == Style::Plain && !replaced,
            )
        }
        (Kind::Alias(name), _) => Form::Alias(name.to_owned()),
        (kind, _) => {
            let new = |text: &str| Tree {
                tag: String::new(),
                anchor: String::new(),
                form: Form::Text(text.to_owned(), true),
            };
            let (mut entries, mut items) = (Vec::new(), Vec::new());
            for (index, slot) in node.slots().iter().enumerate() {
                if matches!(meant, Meant::Remove(at, which) if (at, which) == (id, index)) {
                    continue;
                }
                let value = tree(Node::new(node.yaml(), slot.value), meant);
                let is_next = matches!(meant, Meant::InsertAfter(at, which) if (at, which) == (id, index));
                match slot.key {
                    Some(key) => {
                        entries.push((tree(Node::new(node.yaml(), key), meant), value));
                        if is_next {
                            entries.push((new("newkey"), new("newvalue")));
                        }
                    }
                    None => {
                        items.push(value);
                        if is_next {
                            items.push(new("newitem"));
                        }
                    }
                }
            }
            match kind {
                Kind::Mapping => Form::Entries(entries),
                _ => Form::Items(items),
            }
        }
    };
    Tree {
        tag: node.tag().unwrap_or_default().to_owned(),
        anchor: node.anchor().map_or(String::new(), |(name, _)| name.to_owned()),
        form,
    }
}

fn trees(yaml: &Yaml, meant: Meant<'_>) -> Vec<Tree> {
    yaml.documents().map(|node| tree(node, meant)).collect()
}

/// With the styles of scalars forgotten.
fn plain_trees(yaml: &Yaml) -> Vec<Tree> {
    trees(yaml, Meant::Text(usize::MAX, ""))
}

fn reread(text: &str, edited: &str) -> Yaml {
    let yaml = Yaml::parse(edited).unwrap_or_else(|error| panic!("{error}\n{text:?}\n{edited:?}"));
    check_tree(&yaml);
    yaml
}

/// How many edits were possible and how many were tried.
#[derive(Debug, Default)]
struct Count {
    made: usize,
    tried: usize,
}

fn check_edits(yaml: &Yaml, node: Node<'_>, words: &str, count: &mut Count) {
    let text = yaml.text();
    if let Some((mut parent, mut index)) = layout::place(node) {
        count.tried += 2;
        if let Some(edited) = remove(text, node) {
            count.made += 1;
            while parent.slots().len() == 1 {
                let Some(above) = layout::place(parent) else { break };
                (parent, index) = above;
            }
            let expected = trees(yaml, Meant::Remove(parent.id().index(), index));
            let found = reread(text, &edited);
            let is_emptied = parent.slots().len() == 1 && !parent.is_flow();
            if !is_emptied {
                assert_eq!(
                    trees(&found, Meant::Nothing),
                    expected,
                    "{node:?}\n{text:?}\n{edited:?}"
                );
            }
        }
        let (parent, index) = layout::place(node).unwrap();
        let new = match parent.kind() {
            Kind::Mapping => "newkey: newvalue",
            _ => "newitem",
        };
        if let Some(changes) = insert_after(node, new) {
            count.made += 1;
            let edited = apply(text, changes);
            let expected = trees(yaml, Meant::InsertAfter(parent.id().index(), index));
            assert_eq!(
                trees(&reread(text, &edited), Meant::Nothing),
                expected,
                "{node:?}\n{text:?}\n{edited:?}"
            );
        }
    }
    count.tried += 1;
    if let Some(change) = replacement(node, words) {
        count.made += 1;
        let edited = apply(text, vec![change]);
        let expected = trees(yaml, Meant::Text(node.id().index(), words));
        assert_eq!(
            plain_trees(&reread(text, &edited)),
            expected,
            "{node:?}\n{text:?}\n{edited:?}"
        );
    }
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
        check_edits(&yaml, nodes[at.index(nodes.len())], &words, &mut Count::default());
    }

    #[test]
    fn edits_of_any_text_do_what_is_meant(text in yamlish(), at: prop::sample::Index, words in "[ -~\n]{0,6}") {
        if let Ok(yaml) = Yaml::parse(&text) && !yaml.is_templated() {
            let nodes: Vec<_> = yaml.nodes().collect();
            if !nodes.is_empty() {
                check_edits(&yaml, nodes[at.index(nodes.len())], &words, &mut Count::default());
            }
        }
    }
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
                check_edits(&yaml, *node, words, &mut count);
            }));
            assert!(checked.is_ok(), "{}", path.display());
        }
    }
    println!("{count:?} in {} files", files.len());
    assert!(count.made > 0);
}
