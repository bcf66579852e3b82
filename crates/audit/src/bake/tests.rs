//! What is read of a bake file.

use super::{BakeFile, Field, Form, fields};

const FILE: &str = r#"# comment
target "app" {
  context    = "./app" # where
  dockerfile = "docker/Dockerfile"
  args = {
    BUILDKIT_INLINE_CACHE = 1 // caches
    "VERSION"             = "${TAG}"
    PLAIN                 = TAG
  }
  cache-from = [
    "type=registry,ref=acme/app:cache",
    { type = "gha", scope = "main" },
    "acme/app:latest"
  ]
  no-cache = true
  contexts = { base = "target:base" }
  platforms = TAG != "" ? ["linux/amd64"] : []
}
function "f" {
  params = [x]
  result = x
}
TAG = "dev"
"#;

#[test]
fn places_are_those_of_the_file() {
    let file = BakeFile::of_hcl(FILE);
    assert_eq!(file.fault, None);
    let target = file.target("app").unwrap();
    assert_eq!(target.name_span.slice(FILE), "\"app\"");
    assert!(target.span.slice(FILE).starts_with("target \"app\" {"));
    assert!(target.span.slice(FILE).ends_with("[]\n}"));
    let context = target.context.as_ref().unwrap();
    assert_eq!(context.value.literal(), Some("./app"));
    assert_eq!(context.value.span.slice(FILE), "\"./app\"");
    assert_eq!(context.span.slice(FILE), "context    = \"./app\"");
    assert_eq!(context.removal.slice(FILE), "  context    = \"./app\" # where\n");
    let args = target.args.as_ref().unwrap();
    assert!(args.removal.slice(FILE).starts_with("  args = {\n"));
    assert!(args.removal.slice(FILE).ends_with("TAG\n  }\n"));
    let seen: Vec<_> = args
        .value
        .iter()
        .map(|arg| (arg.name.as_str(), arg.value.text.as_str(), arg.value.form))
        .collect();
    assert_eq!(
        seen,
        [
            ("BUILDKIT_INLINE_CACHE", "1", Form::Literal),
            ("VERSION", "${TAG}", Form::Template),
            ("PLAIN", "TAG", Form::Expression),
        ]
    );
    assert_eq!(args.value[0].name_span.slice(FILE), "BUILDKIT_INLINE_CACHE");
    assert_eq!(args.value[0].span.slice(FILE), "BUILDKIT_INLINE_CACHE = 1");
    assert_eq!(
        args.value[0].removal.slice(FILE),
        "    BUILDKIT_INLINE_CACHE = 1 // caches\n"
    );
    assert_eq!(args.value[1].name_span.slice(FILE), "\"VERSION\"");
    assert_eq!(
        target.contexts.as_ref().unwrap().value[0].removal.slice(FILE),
        "base = \"target:base\""
    );
    assert_eq!(target.no_cache.as_ref().unwrap().value.literal(), Some("true"));
}

#[test]
fn cache_entries_are_fields_in_either_form() {
    let file = BakeFile::of_hcl(FILE);
    let items = file.target("app").unwrap().cache_from.clone().unwrap().value;
    assert_eq!(items[0].field("ref"), Some("acme/app:cache"));
    assert_eq!(
        (items[1].field("type"), items[1].field("scope")),
        (Some("gha"), Some("main"))
    );
    assert!(items[2].fields.is_empty());
    assert_eq!(
        items[0].removal.slice(FILE),
        "    \"type=registry,ref=acme/app:cache\",\n"
    );
    assert_eq!(items[2].removal.slice(FILE), "    \"acme/app:latest\"\n");
    let platforms = file.target("app").unwrap().platforms.clone().unwrap().value;
    assert_eq!(platforms[0].value.form, Form::Expression);
    assert_eq!(
        fields("type=gha,\"scope=a,b\""),
        [
            Field {
                name: "type".into(),
                value: "gha".into()
            },
            Field {
                name: "scope".into(),
                value: "a,b".into()
            },
        ]
    );
}

#[test]
fn a_variable_has_a_long_and_a_short_form() {
    let file = BakeFile::of_hcl(FILE);
    assert_eq!(file.variables[0].default.as_ref().unwrap().literal(), Some("dev"));
    let long = BakeFile::of_hcl("variable \"A\" {\n  default = <<EOT\nx ${B}\nEOT\n}\n");
    assert_eq!(long.fault, None);
    let default = long.variables[0].default.clone().unwrap();
    assert_eq!(
        (default.text.as_str(), default.form),
        ("x ${B}\n", Form::Template)
    );
}

#[test]
fn a_broken_file_is_one_fault_with_a_place() {
    let file = BakeFile::of_hcl("target \"a\" {\n  context = [\n");
    let fault = file.fault.unwrap();
    assert!(
        fault.message.starts_with("not readable as HCL"),
        "{}",
        fault.message
    );
    assert!(file.targets.is_empty());
    assert!(BakeFile::of_hcl(&"[".repeat(200_000)).fault.is_some());
    assert!(
        BakeFile::of_hcl(&format!("a = {}", "[".repeat(60_000)))
            .fault
            .is_some()
    );
}

#[test]
fn json_says_the_same() {
    let text = r#"{
  "variable": { "TAG": { "default": "1\u002e2" } },
  "group": { "default": { "targets": ["app"] } },
  "target": {
    "app": {
      "args": {
        "BUILDKIT_INLINE_CACHE": "1",
        "V": "${TAG}"
      },
      "cache-from": ["type=gha", { "type": "local", "src": "x" }],
      "no-cache": true
    }
  }
}
"#;
    let file = BakeFile::of_json(text);
    assert_eq!(file.fault, None);
    let app = file.target("app").unwrap();
    let args = app.args.as_ref().unwrap();
    assert_eq!(
        args.value[0].removal.slice(text),
        "        \"BUILDKIT_INLINE_CACHE\": \"1\",\n"
    );
    assert_eq!(args.value[1].removal.slice(text), ",\n        \"V\": \"${TAG}\"");
    assert_eq!(file.resolve(&args.value[1].value).as_deref(), Some("1.2"));
    let sources = app.cache_from.as_ref().unwrap();
    assert_eq!(sources.value[1].field("src"), Some("x"));
    assert_eq!(app.no_cache.as_ref().unwrap().value.literal(), Some("true"));
    assert_eq!(app.name_span.slice(text), "\"app\"");
    assert_eq!(file.targets_of("default").len(), 1);
    assert!(BakeFile::of_json("{").fault.is_some());
    assert!(BakeFile::of_json("[]").fault.is_some());
    assert!(BakeFile::of_json(&"[".repeat(100_000)).fault.is_some());
}
