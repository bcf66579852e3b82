//! What a bake file says: targets, groups, variables.

use super::tree::{Block, Entry, Fault, Form, List, Map, Node, Tree, Value};
use super::{hcl, json};
use crate::{Source, Span};

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
        BakeFile::of_read(text, hcl::read(text))
    }

    /// Reads JSON.
    pub fn of_json(text: &str) -> BakeFile {
        BakeFile::of_read(text, json::read(text))
    }

    /// Reads a file in the notation that its name says.
    pub fn of(source: &Source) -> BakeFile {
        match source.name().ends_with(".json") {
            true => BakeFile::of_json(source.text()),
            false => BakeFile::of_hcl(source.text()),
        }
    }

    fn of_read(text: &str, read: Result<Tree, Fault>) -> BakeFile {
        match read {
            Ok(tree) => BakeFile::of_tree(text, tree),
            Err(fault) => BakeFile {
                fault: Some(fault),
                ..BakeFile::default()
            },
        }
    }

    fn of_tree(text: &str, tree: Tree) -> BakeFile {
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
