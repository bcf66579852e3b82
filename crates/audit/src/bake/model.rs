//! What a bake file says: targets, groups, variables.

use super::hcl;
use super::tree::{Block, Entry, Fault, Form, List, Map, Node, Tree, Value};
use crate::Span;

/// A bake file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BakeFile {
    /// What is built, in the order of the file.
    pub targets: Vec<Target>,
    /// Targets under one name.
    pub groups: Vec<Group>,
    /// What the environment can set.
    pub variables: Vec<Variable>,
    /// Why the file could not be read; then the rest is empty.
    pub fault: Option<Fault>,
}

/// Something with a name, such as `args`, that holds entries or items, and goes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<T> {
    /// From its name to its end.
    pub span: Span,
    /// What to cut to remove it whole.
    pub removal: Span,
    /// What it holds.
    pub value: T,
}

/// The items of a list such as `cache-from`.
pub type Items = Named<Vec<Item>>;

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The item; of an item that is a map (`{ type = "gha" }`), its text.
    pub value: Value,
    /// `type=gha,scope=main`, or the map that says the same, as fields. Empty where the item is neither.
    pub fields: Vec<Field>,
    /// What to cut to remove it alone.
    pub removal: Span,
}

impl Item {
    /// The value of a field such as `mode`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_str())
    }
}

/// `name=value` of a list that is written with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, in lower case.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Its name; of a matrix, the name of the block.
    pub name: String,
    /// Where the name stands, with its quotes.
    pub name_span: Span,
    /// The whole block.
    pub span: Span,
    /// Folder or address. `.` if it is missing: the folder that bake is called in.
    pub context: Option<Entry>,
    /// Path in the context. `Dockerfile` if it is missing.
    pub dockerfile: Option<Entry>,
    /// The Dockerfile's text itself.
    pub dockerfile_inline: Option<Entry>,
    /// The stage that is built.
    pub stage: Option<Entry>,
    /// Build arguments.
    pub args: Option<Named<Vec<Entry>>>,
    /// Named contexts.
    pub contexts: Option<Named<Vec<Entry>>>,
    /// Labels.
    pub labels: Option<Named<Vec<Entry>>>,
    /// Where cached results are read from.
    pub cache_from: Option<Items>,
    /// Where they are written to.
    pub cache_to: Option<Items>,
    /// Names of the image.
    pub tags: Option<Items>,
    /// Platforms.
    pub platforms: Option<Items>,
    /// What becomes of the result.
    pub output: Option<Items>,
    /// Secrets.
    pub secret: Option<Items>,
    /// Stages that are built without cache.
    pub no_cache_filter: Option<Items>,
    /// Whether nothing cached is used.
    pub no_cache: Option<Entry>,
    /// Whether base images are asked for anew.
    pub pull: Option<Entry>,
    /// Targets that it takes over what it does not say.
    pub inherits: Option<Items>,
    /// Whether it is many targets in one (`matrix`).
    pub matrix: bool,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Where the name stands, with its quotes.
    pub name_span: Span,
    /// The whole block.
    pub span: Span,
    /// Targets and groups.
    pub targets: Vec<Item>,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name, which is also that of the environment's variable.
    pub name: String,
    /// Where the name stands, with its quotes.
    pub name_span: Span,
    /// The whole block, or the whole attribute.
    pub span: Span,
    /// What it is unless the environment says otherwise.
    pub default: Option<Value>,
}

impl BakeFile {
    /// Reads HCL.
    pub fn of_hcl(text: &str) -> BakeFile {
        match hcl::read(text) {
            Ok(tree) => BakeFile::of_tree(text, tree),
            Err(fault) => BakeFile {
                fault: Some(fault),
                ..BakeFile::default()
            },
        }
    }

    pub(super) fn of_tree(text: &str, tree: Tree) -> BakeFile {
        let mut file = BakeFile::default();
        for attribute in tree.attributes {
            file.variables.push(Variable {
                name: attribute.name,
                name_span: attribute.name_span,
                span: attribute.span,
                default: Some(value_of(text, attribute.value)),
            });
        }
        for block in tree.blocks {
            match block.kind.as_str() {
                "target" => file.targets.push(Target::of(text, block)),
                "group" => file.groups.push(Group::of(text, block)),
                "variable" => file.variables.push(Variable::of(text, block)),
                _ => {}
            }
        }
        file
    }

    /// The target of a name; of several blocks of one name, the last.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().rev().find(|target| target.name == name)
    }
}

impl Target {
    fn of(text: &str, block: Block) -> Target {
        let mut target = Target {
            name: block.name,
            name_span: block.name_span,
            span: block.span,
            ..Target::default()
        };
        for entry in block.body.entries {
            let single = |entry| Some(single(text, entry));
            let items = |entry| items(text, entry);
            let pairs = |entry| pairs(text, entry);
            match entry.name.as_str() {
                "context" => target.context = single(entry),
                "dockerfile" => target.dockerfile = single(entry),
                "dockerfile-inline" => target.dockerfile_inline = single(entry),
                "target" => target.stage = single(entry),
                "no-cache" => target.no_cache = single(entry),
                "pull" => target.pull = single(entry),
                "args" => target.args = pairs(entry),
                "contexts" => target.contexts = pairs(entry),
                "labels" => target.labels = pairs(entry),
                "cache-from" => target.cache_from = items(entry),
                "cache-to" => target.cache_to = items(entry),
                "tags" => target.tags = items(entry),
                "platforms" => target.platforms = items(entry),
                "output" => target.output = items(entry),
                "secret" => target.secret = items(entry),
                "no-cache-filter" => target.no_cache_filter = items(entry),
                "inherits" => target.inherits = items(entry),
                "matrix" => target.matrix = true,
                _ => {}
            }
        }
        target
    }
}

impl Group {
    fn of(text: &str, block: Block) -> Group {
        let targets = block
            .body
            .entries
            .into_iter()
            .find(|entry| entry.name == "targets");
        Group {
            name: block.name,
            name_span: block.name_span,
            span: block.span,
            targets: targets
                .and_then(|entry| items(text, entry))
                .map_or_else(Vec::new, |items| items.value),
        }
    }
}

impl Variable {
    fn of(text: &str, block: Block) -> Variable {
        let default = block
            .body
            .entries
            .into_iter()
            .find(|entry| entry.name == "default");
        Variable {
            name: block.name,
            name_span: block.name_span,
            span: block.span,
            default: default.map(|entry| value_of(text, entry.value)),
        }
    }
}

/// A node as one value: a list or a map becomes the text that stands in the file.
fn value_of(text: &str, node: Node) -> Value {
    match node {
        Node::Value(value) => value,
        other => Value {
            text: other.span().slice(text).to_owned(),
            form: Form::Expression,
            span: other.span(),
        },
    }
}

fn single(text: &str, entry: Entry<Node>) -> Entry {
    Entry {
        name: entry.name,
        name_span: entry.name_span,
        span: entry.span,
        removal: entry.removal,
        value: value_of(text, entry.value),
    }
}

/// The entries of a map; nothing where it is an expression, whose entries only bake knows.
fn pairs(text: &str, entry: Entry<Node>) -> Option<Named<Vec<Entry>>> {
    let Node::Map(Map { entries, .. }) = entry.value else {
        return None;
    };
    Some(Named {
        span: entry.span,
        removal: entry.removal,
        value: entries.into_iter().map(|entry| single(text, entry)).collect(),
    })
}

/// The items of a list. An expression is one item, as a string is in the JSON notation.
fn items(text: &str, entry: Entry<Node>) -> Option<Items> {
    let nodes = match entry.value {
        Node::List(List { items, .. }) => items,
        Node::Value(Value { form: Form::Null, .. }) => return None,
        other => vec![(other, entry.removal)],
    };
    let item = |(node, removal): (Node, Span)| {
        let fields = match &node {
            Node::Map(map) => map
                .entries
                .iter()
                .map(|entry| Field {
                    name: entry.name.to_lowercase(),
                    value: value_of(text, entry.value.clone()).text,
                })
                .collect(),
            Node::Value(value) if value.form != Form::Expression => fields(&value.text),
            _ => Vec::new(),
        };
        Item {
            value: value_of(text, node),
            fields,
            removal,
        }
    };
    Some(Named {
        span: entry.span,
        removal: entry.removal,
        value: nodes.into_iter().map(item).collect(),
    })
}

/// The fields of `type=gha,scope=main`: one line of CSV, as BuildKit's clients read cache, output and secret entries.
/// Empty where a part is no `name=value` (`user/app:cache`).
pub fn fields(text: &str) -> Vec<Field> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let part = parts.last_mut();
        match character {
            // A doubled quote within quotes is one.
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.into_iter().for_each(|part| part.push('"'));
            }
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            character => part.into_iter().for_each(|part| part.push(character)),
        }
    }
    let field = |part: &String| {
        part.split_once('=').map(|(name, value)| Field {
            name: name.trim().to_lowercase(),
            value: value.to_owned(),
        })
    };
    parts
        .iter()
        .map(field)
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
