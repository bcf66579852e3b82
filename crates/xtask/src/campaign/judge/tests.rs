//! The judge on reports written by hand.

use serde_json::{Value, json};

use super::super::dockerfile::{Base, Copy, Dockerfile, Instruction, Line, Run, Stage};
use super::super::tree::Tree;
use super::*;

/// Line 2 is a COPY of everything, line 3 an ARG, line 4 a RUN.
fn picture(script: &str, argument: &str, files: &[(&str, &str)]) -> Picture {
    let line = |id, what| Line {
        id,
        comments: Vec::new(),
        what,
    };
    let copy = Copy {
        word: "COPY",
        flags: Vec::new(),
        from: None,
        exclude: None,
        sources: vec![".".to_owned()],
        target: "/".to_owned(),
    };
    let run = Run {
        mounts: Vec::new(),
        script: script.to_owned(),
        heredoc: false,
    };
    let dockerfile = Dockerfile {
        comments: Vec::new(),
        stages: vec![Stage {
            name: "final".to_owned(),
            base: Base::Image,
            lines: vec![
                line(1, Instruction::Copy(copy)),
                line(2, Instruction::Arg("LEVEL".to_owned(), argument.to_owned())),
                line(3, Instruction::Run(run)),
            ],
        }],
    };
    let tree = Tree::of(files);
    Picture::new(&dockerfile, "base", "a", &BTreeMap::new(), &tree)
}

fn report(build: Option<&str>, copy: Value, run: Value) -> Report {
    let step = |name: &str, line: u64, said: &Value| {
        let mut step = json!({"kind": "instruction", "name": name, "location": {"line": line}});
        for (key, value) in said.as_object().unwrap() {
            step[key] = value.clone();
        }
        step
    };
    let steps = [step("copy", 2, &copy), step("run", 4, &run)];
    let document = json!({"build_id": build, "services": [{"steps": steps}]});
    Report::read(document.to_string().as_bytes()).unwrap()
}

fn cached() -> Value {
    json!({"outcome": "cached", "origin": {"kind": "local", "build": "b0"}})
}

fn ran(kind: &str, rest: Value) -> Value {
    let mut cause = json!({"kind": kind});
    for (key, value) in rest.as_object().unwrap() {
        cause[key] = value.clone();
    }
    json!({"outcome": "ran", "cause": cause})
}

fn past() -> Vec<Past> {
    vec![Past {
        build: Some("b0".to_owned()),
        picture: picture("true", "1", &[("x", "1")]),
        ran: BTreeSet::from([1, 3]),
    }]
}

fn judge(past: &[Past], now: &Picture, pruned: bool, copy: Value, run: Value) -> Vec<(Wrong, String)> {
    let known = Known {
        past,
        now,
        no_cache: NoCache::Nothing,
        pruned,
        emptied: false,
        imports: false,
    };
    let mistakes = reasons(&report(Some("b1"), copy, run), &known);
    mistakes
        .into_iter()
        .map(|mistake| (mistake.wrong, mistake.step))
        .collect()
}

fn wrong(wrong: Wrong, step: &str) -> Vec<(Wrong, String)> {
    vec![(wrong, step.to_owned())]
}

#[test]
fn a_plan_that_the_build_contradicts_is_wrong_and_maybe_never_is() {
    let plan = |copy: &str, run: &str| report(None, json!({"outcome": copy}), json!({"outcome": run}));
    let built = report(Some("b"), json!({"outcome": "cached"}), json!({"outcome": "ran"}));
    let kinds = |plan: &Report| -> Vec<Wrong> {
        outcomes(plan, &built)
            .into_iter()
            .map(|mistake| mistake.wrong)
            .collect()
    };
    assert_eq!(kinds(&plan("cached", "run")), []);
    assert_eq!(kinds(&plan("maybe", "maybe")), []);
    assert_eq!(kinds(&plan("cached", "cached")), [Wrong::FalseHit]);
    assert_eq!(kinds(&plan("run", "run")), [Wrong::FalseRun]);
    let mut fewer = plan("cached", "run");
    fewer.steps.pop();
    assert_eq!(kinds(&fewer), [Wrong::Shape]);
}

#[test]
fn files_are_named_exactly_and_what_follows_names_the_step() {
    let now = picture("true", "1", &[("x", "2"), ("y", "1")]);
    let files = |paths: &[&str]| {
        let changes: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
        ran("files-changed", json!({ "changes": changes }))
    };
    let parent = |step: &str| ran("parent-ran", json!({ "step": step }));
    let judge = |copy, run| judge(&past(), &now, false, copy, run);
    assert_eq!(judge(files(&["./x", "y"]), parent("copy")), []);
    assert_eq!(judge(files(&["x"]), parent("copy")), wrong(Wrong::Cause, "copy"));
    assert_eq!(
        judge(files(&["x", "y"]), parent("run")),
        wrong(Wrong::Cause, "run")
    );
    assert_eq!(
        judge(files(&["x", "y"]), ran("unknown", json!({}))),
        wrong(Wrong::Cause, "run")
    );
}

#[test]
fn an_argument_is_named_and_an_instruction_has_to_be_another_one() {
    let argument = |name: &str| ran("arg-changed", json!({"changes": [{"arg": name}]}));
    let instruction = || ran("instruction-changed", json!({}));
    let now = picture("true", "2", &[("x", "1")]);
    assert_eq!(judge(&past(), &now, false, cached(), argument("LEVEL")), []);
    assert_eq!(
        judge(&past(), &now, false, cached(), argument("OTHER")),
        wrong(Wrong::Cause, "run")
    );
    assert_eq!(
        judge(&past(), &now, false, cached(), instruction()),
        wrong(Wrong::Cause, "run")
    );
    let now = picture("false", "1", &[("x", "1")]);
    assert_eq!(judge(&past(), &now, false, cached(), instruction()), []);
    assert_eq!(
        judge(&past(), &now, false, cached(), argument("LEVEL")),
        wrong(Wrong::Cause, "run")
    );
}

#[test]
fn a_record_can_be_gone_only_if_something_was_pruned_and_the_state_was_built_before() {
    let gone = || ran("record-pruned", json!({}));
    let same = picture("true", "1", &[("x", "1")]);
    assert_eq!(judge(&past(), &same, true, cached(), gone()), []);
    assert_eq!(
        judge(&past(), &same, false, cached(), gone()),
        wrong(Wrong::Cause, "run")
    );
    let other = picture("false", "1", &[("x", "1")]);
    assert_eq!(
        judge(&past(), &other, true, cached(), gone()),
        wrong(Wrong::Cause, "run")
    );
}

#[test]
fn an_origin_names_a_build_in_which_the_step_ran() {
    let now = picture("true", "1", &[("x", "1")]);
    let origin =
        |kind: &str, build: &str| json!({"outcome": "cached", "origin": {"kind": kind, "build": build}});
    let judge = |run| judge(&past(), &now, false, cached(), run);
    assert_eq!(judge(cached()), []);
    for (kind, build) in [("local", "b7"), ("unknown", ""), ("imported", "")] {
        assert_eq!(judge(origin(kind, build)), wrong(Wrong::Origin, "run"), "{kind}");
    }
    assert_eq!(judge(json!({"outcome": "cached"})), wrong(Wrong::Origin, "run"));
}

#[test]
fn a_first_build_is_the_cause_of_all_of_it() {
    let now = picture("true", "1", &[("x", "1")]);
    let first = || ran("first-build", json!({}));
    assert_eq!(judge(&[], &now, false, first(), first()), []);
    assert_eq!(
        judge(
            &[],
            &now,
            false,
            first(),
            ran("parent-ran", json!({"step": "copy"}))
        ),
        wrong(Wrong::Cause, "run")
    );
    assert_eq!(
        judge(&past(), &now, false, first(), cached()),
        wrong(Wrong::Cause, "copy")
    );
}
