use super::*;
use crate::shell::{AssignmentKind, Certainty};

fn docker(text: &str) -> String {
    line(find(&read(text), "docker"))
}

#[test]
fn a_variable_with_one_value_is_put_in() {
    assert_eq!(
        docker("IMAGE=foo:latest\ndocker push \"$IMAGE\""),
        "docker push foo:latest"
    );
    assert_eq!(
        docker("T=1\nIMAGE=\"foo:$T\"\ndocker push ${IMAGE}-x"),
        "docker push foo:1-x"
    );
    assert_eq!(docker("D=docker\n$D ps"), "docker ps");
    assert_eq!(
        docker("D=\"docker --context x\"\nsudo $D ps"),
        "docker --context x ps"
    );
    assert_eq!(docker("X=1\nX=2\ndocker run $X\nX=3"), "docker run 2");
    assert_eq!(docker("X=1\nf() { docker run $X; }\nf"), "docker run 1");
}

#[test]
fn a_variable_with_several_values_is_left_as_it_is() {
    assert_eq!(
        docker("if x; then I=a; else I=b; fi\ndocker push $I"),
        "docker push $I"
    );
    assert_eq!(
        docker("I=a\nif x; then I=b; fi\ndocker push $I"),
        "docker push $I"
    );
    assert_eq!(docker("I=a\nread I\ndocker push $I"), "docker push $I");
    assert_eq!(docker("for I in a b; do docker push $I; done"), "docker push $I");
    assert_eq!(docker("docker push $I\nI=a"), "docker push $I");
    assert_eq!(
        docker("f() { I=$1; }\ng() { I=b; }\ndocker push $I"),
        "docker push $I"
    );
}

#[test]
fn options_in_a_string_or_an_array_are_words_with_their_own_places() {
    for text in [
        "A=\"--build-arg X=1\"; docker build $A .",
        "A=(--build-arg X=1); docker build \"${A[@]}\" .",
        "A=(--build-arg); A+=(X=1); docker build \"${A[@]}\" .",
        "A=--build-arg; A+=\" X=1\"; docker build $A .",
    ] {
        let script = read(text);
        let command = find(&script, "docker");
        assert_eq!(line(command), "docker build --build-arg X=1 .", "{text}");
        assert_eq!(command.words[3].written().slice(text), "X=1", "{text}");
        assert_eq!(command.words[3].variable.as_deref(), Some("A"), "{text}");
        assert!(command.words[3].span.slice(text).contains('$'), "{text}");
        assert_eq!(command.written.len(), 4, "{text}");
    }
}

#[test]
fn words_that_come_under_a_condition_say_so() {
    let script = read("A=(--load)\nif x; then A+=(--pull); fi\ndocker build \"${A[@]}\" .");
    let command = find(&script, "docker");
    let words: Vec<_> = command
        .words
        .iter()
        .map(|word| (word.text.as_str(), word.certainty))
        .collect();
    assert_eq!(
        words[2..4],
        [("--load", Certainty::Certain), ("--pull", Certainty::Conditional)]
    );
}

#[test]
fn defaults_are_values_that_are_not_certain() {
    for text in [
        "docker push foo:${TAG:-latest}",
        "TAG=${TAG:-latest}\ndocker push foo:$TAG",
        ": \"${TAG:=latest}\"\ndocker push foo:$TAG",
    ] {
        let script = read(text);
        let command = find(&script, "docker");
        assert_eq!(line(command), "docker push foo:latest", "{text}");
        assert_eq!(command.words[2].certainty, Certainty::Default, "{text}");
        assert!(!command.words[2].literal);
    }
}

#[test]
fn assignments_are_listed() {
    let text = "export X=$(git rev-parse HEAD)\n: \"${Y:=y z}\"\nlocal Z=1\nreadonly -a W=(a b)\n";
    let script = read(text);
    let all: Vec<_> = script
        .assignments()
        .iter()
        .map(|one| (one.name.as_str(), one.kind, one.exported))
        .collect();
    assert_eq!(
        all,
        [
            ("X", AssignmentKind::Set, true),
            ("Y", AssignmentKind::Default, false),
            ("Z", AssignmentKind::Set, false),
            ("W", AssignmentKind::Set, false)
        ]
    );
    assert_eq!(
        script.assignments()[0].span.slice(text),
        "X=$(git rev-parse HEAD)"
    );
}

#[test]
fn a_value_that_names_itself_ends() {
    assert_eq!(docker("A=$B\nB=$A\ndocker x $A"), "docker x $B");
    assert_eq!(
        docker("A=\"$A $A $A\"\ndocker x $A").split(' ').next(),
        Some("docker")
    );
}
