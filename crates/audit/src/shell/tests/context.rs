use super::*;
use crate::shell::{Errexit, GuardKind, SwallowKind};

fn values(text: &str, variable: &str) -> Option<Vec<String>> {
    find(&read(text), "docker")
        .context
        .values_of(variable)
        .map(<[String]>::to_vec)
}

#[test]
fn guards_tell_which_values_a_variable_must_have() {
    for text in [
        r#"if [ "$TARGET" = all ]; then docker x; fi"#,
        r#"if [[ $TARGET == "all" ]]; then docker x; fi"#,
        r#"if test "${TARGET:-}" = "all" && foo; then docker x; fi"#,
        r#"if foo; then :; elif [ all = "$TARGET" ]; then docker x; fi"#,
        r#"if [ "$TARGET" != all ]; then foo; else docker x; fi"#,
        r#"case "$TARGET" in all) docker x ;; esac"#,
        r#"[ "$TARGET" = all ] && docker x"#,
        r#"[ "$TARGET" != all ] || docker x"#,
        r#"[[ ! $TARGET = all ]] || docker x"#,
        r#"! [ "$TARGET" = all ] || docker x"#,
        "[ \"$TARGET\" = all ] || exit 0\nfoo\ndocker x",
        "[ \"$TARGET\" != all ] && exit 0\ndocker x",
        "[ \"$TARGET\" = all ] || { echo no; exit 1; }\ndocker x",
        "if [ \"$TARGET\" != all ]; then echo; exit 0; fi\ndocker x",
        "if [ \"$TARGET\" = all ]; then foo; else exit 0; fi\ndocker x",
        "case $TARGET in all) ;; *) exit 0 ;; esac\ndocker x",
        "die() { echo; exit 1; }\n[ \"$TARGET\" = all ] || die no\ndocker x",
        "f() { docker x; }\nif [ \"$TARGET\" = all ]; then f; fi",
        "g() { docker x; }\nf() { g; }\n[ \"$TARGET\" = all ] && f",
        "f() { docker x; }\nif [ $TARGET = all ]; then f; fi\n[ \"$TARGET\" = all ] && f",
        "f() { [ \"$TARGET\" = all ] || return 0\n docker x; }\nf",
        r#"if [ "$TARGET" = all ]; then ssh host "docker x"; fi"#,
        r#"[[ "$TARGET" =~ ^all$ ]] && docker x"#,
    ] {
        assert_eq!(values(text, "TARGET"), Some(vec!["all".to_owned()]), "{text}");
    }
}

#[test]
fn guards_that_say_nothing_of_the_value_are_no_gate() {
    for text in [
        "docker x",
        r#"if [ "$TARGET" != all ]; then docker x; fi"#,
        r#"if [ "$TARGET" = all ]; then foo; fi; docker x"#,
        r#"if [ "$TARGET" = all ]; then foo; else docker x; fi"#,
        r#"if [ "$TARGET" = all ] || foo; then docker x; fi"#,
        r#"case "$TARGET" in all) foo ;; *) docker x ;; esac"#,
        r#"[ "$TARGET" = all ] || docker x"#,
        "f() { docker x; }\nif [ \"$TARGET\" = all ]; then f; fi\nf",
        "f() { [ \"$TARGET\" = all ] || return 0; }\nf\ndocker x",
        "[ \"$OTHER\" = all ] || exit 0\ndocker x",
    ] {
        assert_eq!(values(text, "TARGET"), None, "{text}");
    }
}

#[test]
fn several_values_are_told() {
    let both = Some(vec!["all".to_owned(), "cache".to_owned()]);
    for text in [
        r#"case $T in all|cache) docker x ;; esac"#,
        r#"if [ "$T" = all ] || [ "$T" = cache ]; then docker x; fi"#,
        r#"if [[ $T == all || $T == cache ]]; then docker x; fi"#,
        r#"if [ "$T" = all -o "$T" = cache ]; then docker x; fi"#,
        r#"[[ $T =~ ^(all|cache)$ ]] && docker x"#,
    ] {
        assert_eq!(values(text, "T"), both, "{text}");
    }
}

#[test]
fn a_guard_has_its_text_and_place() {
    let text = "if [ -n \"$A\" ]; then\n  while read x; do docker y; done\nfi";
    let script = read(text);
    let docker = find(&script, "docker");
    let guards: Vec<_> = docker
        .context
        .guards
        .iter()
        .map(|one| (one.kind, one.condition.as_str(), one.span.slice(text)))
        .collect();
    assert_eq!(
        guards,
        [
            (GuardKind::If, "[ -n \"$A\" ]", "[ -n \"$A\" ]"),
            (GuardKind::While, "read x", "read x")
        ]
    );
    assert!(docker.context.in_loop);
}

fn swallowed(text: &str) -> Option<SwallowKind> {
    swallowed_in(text, Dialect::script())
}

fn swallowed_in(text: &str, dialect: Dialect) -> Option<SwallowKind> {
    let script = Script::read(&MappedText::verbatim(text, 0), dialect);
    find(&script, "docker")
        .context
        .swallowed
        .as_ref()
        .map(|swallow| swallow.kind)
}

#[test]
fn a_failure_that_ends_the_script_is_noticed() {
    for text in [
        "docker x",
        "set -e\ndocker x\nfoo",
        "set -euo pipefail\ndocker x | tee log\nfoo",
        "set -o errexit\ndocker x\nfoo",
        "#!/bin/bash -e\ndocker x\nfoo",
        "docker x || exit 1\nfoo",
        "docker x || { echo failed; exit 1; }\nfoo",
        "die() { exit 1; }\ndocker x || die no\nfoo",
        "if ! docker x; then echo; exit 1; fi\nfoo",
        "if docker x; then foo; else exit 1; fi\nfoo",
        "docker x\nif [ $? -ne 0 ]; then exit 1; fi\nfoo",
        "docker x && foo",
        "set -e\nX=$(docker x)\nfoo",
        "set -e\n{ docker x; }\nfoo",
        "set -e\nif foo; then docker x; fi\nbar",
        "f() { docker x; }\nset -e\nf\nfoo",
    ] {
        assert_eq!(swallowed(text), None, "{text}");
    }
}

#[test]
fn a_failure_can_be_swallowed_in_many_ways() {
    use SwallowKind::*;
    for (text, kind) in [
        ("docker x || true", OrTrue),
        ("docker x || :", OrTrue),
        ("docker x || exit 0", OrTrue),
        ("docker x && foo || true", OrTrue),
        ("{ docker x; foo; } || true", OrTrue),
        ("docker x || echo failed", OrMessage),
        ("docker x || { echo failed; true; }", OrMessage),
        ("docker x || log_warn failed", OrMessage),
        ("docker x || podman y", OrFallback),
        ("docker x; true", ThenTrue),
        ("set -e\ndocker x && foo\nbar", AndList),
        ("docker x && foo\nbar", AndList),
        ("if docker x; then foo; fi", Condition),
        ("while docker x; do foo; done", Condition),
        ("set -e\n! docker x\nfoo", Negated),
        ("set -e\ndocker x | tee log", Pipe),
        ("set -e\ndocker x &\nwait", Background),
        ("set -e\necho $(docker x)", Substitution),
        ("set -e\nlocal y=$(docker x)", Substitution),
        ("docker x\nfoo", NoErrexit),
        ("set -e\nset +e\ndocker x\nfoo", ErrexitOff),
        ("set -e\nssh host 'docker x; foo'", NoErrexit),
        ("ssh host 'docker x' || true", OrTrue),
        ("f() { docker x; }\nf || true", OrTrue),
    ] {
        assert_eq!(swallowed(text), Some(kind), "{text}");
    }
}

#[test]
fn the_runner_of_a_script_counts() {
    assert_eq!(swallowed_in("docker x\nfoo", Dialect::github()), None);
    assert_eq!(
        swallowed_in("docker x | tee y", Dialect::github()),
        Some(SwallowKind::Pipe)
    );
    assert_eq!(swallowed_in("docker x | tee y", Dialect::github_bash()), None);
    assert_eq!(swallowed_in("docker x | tee y", Dialect::gitlab()), None);
    assert_eq!(
        swallowed_in("docker x", Dialect::make(true)),
        Some(SwallowKind::Runner)
    );
    assert_eq!(swallowed_in("docker x", Dialect::make(false)), None);
    assert_eq!(
        swallowed_in("docker x; foo", Dialect::dockerfile()),
        Some(SwallowKind::NoErrexit)
    );
}

#[test]
fn a_subshell_keeps_its_settings_to_itself() {
    let script = read("(set -e; docker a); docker b\nset -e\ndocker c");
    let all: Vec<_> = script
        .commands()
        .iter()
        .filter(|command| command.name() == "docker")
        .map(|command| command.context.errexit)
        .collect();
    assert_eq!(all, [Errexit::On, Errexit::Unset, Errexit::On]);
}
