//! What the tree promises, on texts written for it, on arbitrary texts, and on real files.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Yaml {
    let yaml = Yaml::parse(text).unwrap_or_else(|error| panic!("{error} at {:?}\n{text}", error.span));
    check_tree(&yaml);
    yaml
}

/// All that holds of every tree, and what only its own module sees: the places of items, with their `-`.
pub(crate) fn check_tree(yaml: &Yaml) {
    super::invariants::tree(yaml);
    for node in yaml.nodes() {
        let mut at = node.span().start;
        for slot in node.slots() {
            assert!(node.span().contains(slot.span), "{node:?} {slot:?}");
            assert!(at <= slot.span.start, "{node:?} {slot:?} in {:?}", yaml.text());
            at = slot.span.end;
        }
        if let Some((parent, index)) = node.data().parent {
            let slot = Node::new(yaml, parent).slots()[index];
            assert!(slot.value == node.id() || slot.key == Some(node.id()));
        }
    }
}

/// The places of all values at the paths, as they stand in the file.
#[test]
fn every_node_has_its_place() {
    let text = "\
# top
x: &x !foo   # c1
  a: 1  # c2
  # between
  b:
    - one

    - two
    # after two
'q': 'it''s
  long'
? |
  key
: v
empty:
tagged: !t
anchored: &z
flow: {a: [1, 2,], b, \"c\":d, ? e : f, }
pair: [k: v, ]
last: &k !!str |-  # header

  text
";
    let yaml = parse(text);
    let root = yaml.root().unwrap();
    let at = |path: &[&str]| root.lookup(path.iter().copied()).unwrap();
    let slice = |path: &[&str]| at(path).span().slice(text);
    assert_eq!(slice(&["x", "a"]), "1");
    assert_eq!(slice(&["x", "b"]), "- one\n\n    - two");
    assert_eq!(
        slice(&["x"]),
        "a: 1  # c2\n  # between\n  b:\n    - one\n\n    - two"
    );
    assert_eq!(at(&["x"]).tag(), Some("!foo"));
    assert_eq!(
        at(&["x"]).anchor().map(|(name, span)| (name, span.slice(text))),
        Some(("x", "&x"))
    );
    assert!(
        at(&["x"])
            .outer_span()
            .slice(text)
            .starts_with("&x !foo   # c1\n  a")
    );
    assert_eq!(at(&["q"]).as_str(), Some("it's long"));
    assert_eq!(slice(&["q"]), "'it''s\n  long'");
    assert_eq!(slice(&["key\n"]), "v");
    assert_eq!(
        root.get_entry("key\n").unwrap().span.slice(text),
        "? |\n  key\n: v"
    );
    assert_eq!(root.get_entry("empty").unwrap().span.slice(text), "empty:");
    assert!(at(&["empty"]).is_null() && at(&["empty"]).as_str().is_none());
    assert!(!at(&["tagged"]).is_null());
    assert_eq!(
        root.get_entry("anchored").unwrap().span.slice(text),
        "anchored: &z"
    );
    assert_eq!(slice(&["flow", "a"]), "[1, 2,]");
    assert!(at(&["flow", "b"]).is_null());
    assert_eq!(slice(&["flow", "c"]), "d");
    assert_eq!(at(&["flow"]).get_entry("e").unwrap().span.slice(text), "? e : f");
    assert_eq!(slice(&["pair", "0", "k"]), "v");
    assert_eq!(slice(&["pair", "0"]), "k: v");
    assert_eq!(slice(&["last"]), "|-  # header\n\n  text");
    assert_eq!(at(&["last"]).as_str(), Some("\ntext"));
    let comments: Vec<_> = yaml.comments().map(|comment| comment.text).collect();
    assert_eq!(
        comments,
        [" top", " c1", " c2", " between", " after two", " header"]
    );
}

#[test]
fn a_colon_further_out_is_none_of_a_key_without_value() {
    let text = "a:\n ? b\n:\n  c: d\n";
    let yaml = parse(text);
    let entries: Vec<_> = yaml.root().unwrap().entries().collect();
    let places: Vec<_> = entries.iter().map(|entry| entry.span.slice(text)).collect();
    assert_eq!(places, ["a:\n ? b", ":\n  c: d"]);
    let text = "\u{FEFF}? b\n:\n? c\n# c\n:\n";
    let yaml = parse(text);
    let entries: Vec<_> = yaml.root().unwrap().entries().collect();
    let places: Vec<_> = entries.iter().map(|entry| entry.span.slice(text)).collect();
    assert_eq!(places, ["? b\n:", "? c\n# c\n:"]);
}

#[test]
fn ends_of_no_document_belong_to_no_node() {
    for text in [
        "...\n- a\n- b\n",
        "\u{FEFF}... # c\n...\n- a\n- b\n",
        "x\n...\n...\n- a\n- b\n",
    ] {
        let yaml = parse(text);
        let last = yaml.documents().last().unwrap();
        assert_eq!(last.span().slice(text), "- a\n- b", "{text:?}");
    }
    assert_eq!(parse("...x\n").root().unwrap().as_str(), Some("...x"));
}

#[test]
fn a_script_in_a_block_is_found_in_the_file() {
    let text = "jobs:\r\n  - run: |\r\n      docker build .\r\n\r\n        --pull\r\n  - run: >-\r\n      docker\r\n      build\r\n\r\n      next\r\n";
    let yaml = parse(text);
    let runs: Vec<_> = yaml
        .root()
        .unwrap()
        .get("jobs")
        .unwrap()
        .items()
        .map(|job| job.get("run").unwrap())
        .collect();
    let script = runs[0].scalar().unwrap();
    assert_eq!(script.text(), "docker build .\n\n  --pull\n");
    let at = script.text().find("--pull").unwrap();
    assert_eq!(script.mapped().span(Span::new(at, at + 6)), {
        let at = text.find("--pull").unwrap();
        Span::new(at, at + 6)
    });
    assert_eq!(
        script.mapped().span(Span::new(0, at + 6)).slice(text),
        "docker build .\r\n\r\n        --pull"
    );
    let folded = runs[1].scalar().unwrap();
    assert_eq!(folded.text(), "docker build\nnext");
    assert_eq!(
        folded.mapped().span(Span::new(0, 12)).slice(text),
        "docker\r\n      build"
    );
}

#[test]
fn escapes_are_found_in_the_file() {
    let text = r#"a: "x\ty \"q\" \u00e9\ud834\udd1e end \
   more"
"#;
    let yaml = parse(text);
    let scalar = yaml.root().unwrap().get("a").unwrap().scalar().unwrap();
    assert_eq!(scalar.text(), "x\ty \"q\" é𝄞 end more");
    let find = |words: &str| {
        let at = scalar.text().find(words).unwrap();
        scalar.mapped().span(Span::new(at, at + words.len())).slice(text)
    };
    assert_eq!(find("\t"), "\\t");
    assert_eq!(find("\"q\""), "\\\"q\\\"");
    assert_eq!(find("é"), "\\u00e9");
    assert_eq!(find("𝄞"), "\\ud834\\udd1e");
    assert_eq!(find("more"), "more");
}

#[test]
fn merges_keep_the_places_of_where_they_come_from() {
    let text = "\
a: &a {x: 1, y: 1}
b: &b {y: 2, z: 2}
c:
  <<: [*a, *b]
  x: 3
d:
  <<: *a
  <<: *nope
loop: &loop
  <<: *loop
  k: *loop
";
    let yaml = parse(text);
    let root = yaml.root().unwrap();
    let c = root.get("c").unwrap();
    let all: Vec<_> = c
        .merged_entries()
        .iter()
        .map(|entry| entry.span.slice(text))
        .collect();
    assert_eq!(all, ["x: 3", "y: 1", "z: 2"]);
    assert_eq!(c.get("z").unwrap().span().slice(text), "2");
    assert_eq!(c.get("y").unwrap().span().start, text.find("y: 1").unwrap() + 3);
    assert_eq!(root.lookup(["d", "x"]).unwrap().as_str(), Some("1"));
    assert_eq!(
        root.lookup(["loop", "k", "k", "k"]).unwrap().resolved(),
        root.get("loop").unwrap()
    );
    assert!(root.lookup(["loop", "none"]).is_none());
    assert_eq!(root.get("a").unwrap().aliases().count(), 2);
}

#[test]
fn what_is_written_last_counts() {
    let yaml = parse("a: 1\na: 2\n");
    let root = yaml.root().unwrap();
    assert_eq!(root.get("a").unwrap().as_str(), Some("2"));
    assert_eq!(root.entries().count(), 2);
    assert_eq!(root.merged_entries().len(), 1);
}

#[test]
fn several_documents_marks_and_directives() {
    let yaml = parse("\u{FEFF}%YAML 1.2\n---\na: 1\n...\n---\n- b\n---\n# nothing\n");
    let kinds: Vec<_> = yaml
        .documents()
        .map(|node| (node.is_mapping(), node.is_sequence(), node.is_null()))
        .collect();
    assert_eq!(
        kinds,
        [(true, false, false), (false, true, false), (false, false, true)]
    );
    assert_eq!(parse("").documents().count(), 0);
    assert_eq!(parse("# nothing\n").documents().count(), 0);
}

#[test]
fn templates_do_not_make_a_file_useless() {
    let text = "\
{{- if .Values.on }}
services:
  web:
    image: {{ .Values.image }}:{{ .Values.tag }}
    {{- with .Values.extra }}
    labels: {{ toYaml . | nindent 4 }}
    {% for x in y %}
    command: [ ${{ matrix.os }}, run ]
    {% if a %}{{ x }}_data: {}{% endif %}
  db:{% if b %} &db{% endif %}
    user: me
{{ end }}
";
    let yaml = parse(text);
    assert!(yaml.is_templated());
    let root = yaml.root().unwrap();
    assert_eq!(
        root.lookup(["services", "web", "image"]).unwrap().as_str(),
        Some("{{ .Values.image }}:{{ .Values.tag }}")
    );
    assert_eq!(
        root.lookup(["services", "web", "command", "0"]).unwrap().as_str(),
        Some("${{ matrix.os }}")
    );
    assert_eq!(
        root.lookup(["services", "db", "user"]).unwrap().as_str(),
        Some("me")
    );
    assert!(
        root.lookup(["services", "web", "{% if a %}{{ x }}_data"])
            .is_some()
    );
    let yaml = parse("port: {{ .Port }}\n");
    assert_eq!(
        yaml.root().unwrap().get("port").unwrap().as_str(),
        Some("{{ .Port }}")
    );
    assert!(!parse("run: echo ${{ github.sha }}\n").is_templated());
}

#[test]
fn errors_have_a_place() {
    let error = Yaml::parse("a: 1\n b: [\n").unwrap_err();
    assert!(!error.message.is_empty() && error.span.start >= 4, "{error:?}");
    let error = Yaml::parse("a:\n\tb: 1\n").unwrap_err();
    assert!(error.span.start >= 3, "{error:?}");
}

#[test]
fn json_is_read() {
    let yaml = parse(
        "{\n\t\"target\": {\"app\": {\"args\": {\"A\": null, \"B\": \"x\\n\"}, \"no-cache\": true}}\n}\n",
    );
    let app = yaml.root().unwrap().lookup(["target", "app"]).unwrap();
    assert!(app.lookup(["args", "A"]).unwrap().is_null());
    assert_eq!(app.lookup(["args", "B"]).unwrap().as_str(), Some("x\n"));
    assert_eq!(app.get("no-cache").unwrap().as_bool(), Some(true));
}

#[test]
fn hostile_texts_are_done_with_quickly() {
    let bomb = (1..40).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let p = n - 1;
        text + &format!("a{n}: &a{n} {{<<: [*a{p}, *a{p}, *a{p}], k: [*a{p}, *a{p}]}}\n")
    });
    let started = std::time::Instant::now();
    let yaml = parse(&bomb);
    assert_eq!(yaml.root().unwrap().get("a39").unwrap().merged_entries().len(), 1);
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "a:\n ".repeat(20_000),
        "&a ".repeat(20_000),
        "# c\n".repeat(50_000),
        "- # c\n".repeat(20_000),
        "{{".repeat(50_000),
        "{{ x }}".repeat(20_000),
        format!("a: {}", "x ".repeat(100_000)),
        format!("a: \"{}\"", "\\\n ".repeat(50_000)),
        format!("a: |{}x", "\n ".repeat(50_000)),
        format!("a: >{}", "\n x".repeat(50_000)),
    ] {
        if let Ok(yaml) = Yaml::parse(&text) {
            check_tree(&yaml);
        }
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

/// Texts of the characters that mean something.
pub(crate) fn yamlish() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => Just(" ".to_owned()), 3 => Just("\n".to_owned()), 2 => Just("\n  ".to_owned()), 2 => Just(": ".to_owned()),
        2 => Just("- ".to_owned()), 2 => "[a-c]{1,2}", 1 => "[\\[\\]{},:?#&*!|>'\"%@`\\\\-]", 1 => Just("\r\n".to_owned()),
        1 => Just("\t".to_owned()), 1 => Just("é".to_owned()), 1 => Just(" # c".to_owned()), 1 => Just("|-\n".to_owned()),
        1 => Just(">+\n".to_owned()), 1 => Just("&a ".to_owned()), 1 => Just("*a".to_owned()), 1 => Just("<<: ".to_owned()),
        1 => Just("{{ x }}".to_owned()), 1 => Just("---\n".to_owned()), 1 => Just("\u{FEFF}".to_owned()), 1 => Just("!t ".to_owned()),
        1 => Just("\"a\"".to_owned()), 1 => Just("'b'".to_owned()), 1 => Just("? ".to_owned()), 1 => Just(", ".to_owned()),
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_texts_do_not_break_it(text in "\\PC{0,60}|[\\x00-\\x7f]{0,40}") {
        if let Ok(yaml) = Yaml::parse(&text) {
            check_tree(&yaml);
        }
    }

    #[test]
    fn texts_of_indicators_do_not_break_it(text in yamlish()) {
        if let Ok(yaml) = Yaml::parse(&text) {
            check_tree(&yaml);
        }
    }
}

/// The YAML files below a folder.
pub(crate) fn files_below(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&path, found),
            Ok(kind) if kind.is_file() => {
                let name = path
                    .extension()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                if matches!(name, "yml" | "yaml" | "json") {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}

/// `UNSTALE_CORPUS=folder:folder cargo test -p unstale-audit corpus -- --ignored --nocapture`
#[test]
#[ignore = "needs a folder of real files in UNSTALE_CORPUS"]
#[allow(clippy::print_stdout)]
fn corpus_of_yaml_files() {
    let mut files = Vec::new();
    for folder in std::env::var("UNSTALE_CORPUS").unwrap().split(':') {
        files_below(folder.as_ref(), &mut files);
    }
    let (mut read, mut templated, mut bytes) = (0, 0, 0);
    let mut slowest = (std::time::Duration::ZERO, std::path::PathBuf::new());
    for path in &files {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let started = std::time::Instant::now();
        let parsed = Yaml::parse(&text);
        slowest = slowest.max((started.elapsed(), path.clone()));
        bytes += text.len();
        match parsed {
            Ok(yaml) => {
                check_tree(&yaml);
                read += 1;
                templated += usize::from(yaml.is_templated());
            }
            Err(error) => {
                let line = text[..error.span.start].lines().count().max(1);
                println!("{}:{line}: {error}", path.display());
            }
        }
    }
    println!(
        "{read} of {} files read ({templated} as templates), {bytes} bytes, slowest {slowest:?}",
        files.len()
    );
    assert!(read > 0);
}
