//! What `unstale plan` and `unstale build` say of the steps, read from their JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one command printed.
#[derive(Debug, Default)]
pub struct Report {
    /// The build's name in the ledger; a plan has none.
    pub build: Option<String>,
    /// The instructions that are steps, in order.
    pub steps: Vec<Step>,
    /// The document.
    pub document: Value,
}

/// One step of a plan or of a build.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// BuildKit's name.
    pub name: String,
    /// Where its instruction begins in the Dockerfile.
    pub line: u64,
    /// `cached`, `run`, `maybe`; `cached`, `ran`, `not-reached`.
    pub outcome: String,
    /// Why it runs.
    pub cause: Option<Cause>,
    /// Where its result is from.
    pub origin: Option<Origin>,
}

/// Why a step runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// `files-changed`…
    pub kind: String,
    /// The step that changed, if it is `parent-ran`.
    pub step: Option<String>,
    /// What changed.
    pub changes: Vec<BTreeMap<String, String>>,
}

/// Where a result is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// `local`…
    pub kind: String,
    /// The build that made it.
    pub build: Option<String>,
}

impl Report {
    /// Reads the document of a project with one service.
    ///
    /// # Errors
    /// When it has another form.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let document: Value =
            serde_json::from_slice(text).map_err(|error| format!("what was printed is no JSON: {error}"))?;
        let service = &document["services"][0];
        let steps = service["steps"].as_array().ok_or("the document has no steps")?;
        let instructions = steps.iter().filter(|step| is_instruction(step));
        Ok(Self {
            build: word(&document["build_id"]),
            steps: instructions.map(Step::read).collect(),
            document: document.clone(),
        })
    }
}

impl Step {
    fn read(step: &Value) -> Self {
        let cause = |cause: &Value| Cause {
            kind: word(&cause["kind"]).unwrap_or_default(),
            step: word(&cause["step"]),
            changes: cause["changes"]
                .as_array()
                .into_iter()
                .flatten()
                .map(texts)
                .collect(),
        };
        let origin = |origin: &Value| Origin {
            kind: word(&origin["kind"]).unwrap_or_default(),
            build: word(&origin["build"]),
        };
        Self {
            name: word(&step["name"]).unwrap_or_default(),
            line: step["location"]["line"].as_u64().unwrap_or(0),
            outcome: word(&step["outcome"]).unwrap_or_default(),
            cause: step["cause"].is_object().then(|| cause(&step["cause"])),
            origin: step["origin"].is_object().then(|| origin(&step["origin"])),
        }
    }
}

impl Cause {
    /// What the changes name under a key: `path`, `arg`…; as a set in order.
    pub fn named(&self, key: &str) -> Vec<&str> {
        let mut named: Vec<&str> = self
            .changes
            .iter()
            .filter_map(|change| change.get(key))
            .map(|path| path.trim_start_matches("./").trim_matches('/'))
            .collect();
        named.sort_unstable();
        named.dedup();
        named
    }
}

fn is_instruction(step: &Value) -> bool {
    step["kind"] == "instruction"
}

fn word(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(change: &Value) -> BTreeMap<String, String> {
    let fields = change.as_object().into_iter().flatten();
    let texts = fields.map(|(key, value)| (key.clone(), word(value).unwrap_or_else(|| value.to_string())));
    texts.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instructions_are_read_with_cause_and_origin() {
        let document = json!({"build_id": "b1", "services": [{"steps": [
            {"kind": "source", "name": "[1/2] FROM busybox", "outcome": "cached"},
            {"kind": "instruction", "name": "[2/2] COPY . /", "location": {"file": "Dockerfile", "line": 3},
             "outcome": "ran", "cause": {"kind": "files-changed", "summary": "x", "changes": [{"path": "./src/", "change": "mode"}]}},
            {"kind": "instruction", "name": "x", "outcome": "cached", "origin": {"kind": "local", "build": "b0"}},
        ]}]});
        let report = Report::read(document.to_string().as_bytes()).unwrap();
        assert_eq!(report.build.as_deref(), Some("b1"));
        assert_eq!(report.steps.len(), 2);
        let cause = report.steps[0].cause.as_ref().unwrap();
        assert_eq!(
            (cause.kind.as_str(), cause.named("path")),
            ("files-changed", vec!["src"])
        );
        assert_eq!(report.steps[0].line, 3);
        let origin = report.steps[1].origin.as_ref().unwrap();
        assert_eq!(
            (origin.kind.as_str(), origin.build.as_deref()),
            ("local", Some("b0"))
        );
    }
}
