//! Stages, what they need, and the names that are visible in them.

use std::collections::BTreeMap;

use unstale_dockerfile::{DeclarationKind, Dockerfile, Scope, UsedBy, Uses};

const FILE: &str = "\
ARG TAG=1
ARG BASE=node:$TAG
FROM $BASE AS base
ENV MODE=dev
ARG BASE
FROM base AS build
ARG COMMIT=none
ENV MODE $COMMIT
RUN --mount=from=Tools,target=/t x
FROM scratch AS unused
FROM alpine AS tools
FROM nginx
COPY --from=build --chown=$TAG /a \"$WHERE/${COMMIT:-$MODE}\"
COPY --from=1 /b /
COPY --from=9 /b /
COPY --from=other:2 /c /
";

#[test]
fn names_and_numbers_are_resolved_to_stages() {
    let file = Dockerfile::parse(FILE);
    let stages = file.stages();
    assert_eq!(stages[0].resolved_base, "node:1");
    assert_eq!(
        (stages[0].base.as_str(), stages[0].base_span.slice(FILE)),
        ("$BASE", "$BASE")
    );
    assert_eq!(stages[1].base_stage, Some(0));
    assert_eq!(stages[0].instructions, 2..5);
    assert_eq!(stages[1].name_span.unwrap().slice(FILE), "build");
    let uses: Vec<_> = file
        .stage_uses(&BTreeMap::new())
        .into_iter()
        .map(|one| (one.stage, one.by, one.span.slice(FILE), one.uses))
        .collect();
    let image = |name: &str| Uses::Image(name.to_owned());
    assert_eq!(
        uses,
        [
            (0, UsedBy::From, "$BASE", image("node:1")),
            (1, UsedBy::From, "base", Uses::Stage(0)),
            (1, UsedBy::Mount, "Tools", Uses::Stage(3)),
            (2, UsedBy::From, "scratch", Uses::Scratch),
            (3, UsedBy::From, "alpine", image("alpine")),
            (4, UsedBy::From, "nginx", image("nginx")),
            (4, UsedBy::Copy, "build", Uses::Stage(1)),
            (4, UsedBy::Copy, "1", Uses::Stage(1)),
            (4, UsedBy::Copy, "9", Uses::NoStage("9".to_owned())),
            (4, UsedBy::Copy, "other:2", image("other:2")),
        ]
    );
}

#[test]
fn a_target_needs_what_its_stages_need() {
    let file = Dockerfile::parse(FILE);
    let needed = |target| file.needed_stages(target).into_iter().collect::<Vec<_>>();
    assert_eq!(needed(4), [0, 1, 3, 4]);
    assert_eq!(needed(2), [2]);
    // A circle, which the engine refuses later, has an end too.
    let circle = Dockerfile::parse("FROM x AS a\nCOPY --from=b / /\nFROM x AS b\nCOPY --from=a / /\n");
    assert_eq!(circle.needed_stages(0).len(), 2);
}

#[test]
fn declarations_have_scopes() {
    let file = Dockerfile::parse(FILE);
    let all: Vec<_> = file
        .declarations()
        .into_iter()
        .map(|one| (one.kind, one.name, one.value.map(|word| word.raw), one.scope))
        .collect();
    let some = |text: &str| Some(text.to_owned());
    let (arg, env) = (DeclarationKind::Arg, DeclarationKind::Env);
    assert_eq!(
        all,
        [
            (arg, "TAG".to_owned(), some("1"), Scope::Global),
            (arg, "BASE".to_owned(), some("node:$TAG"), Scope::Global),
            (env, "MODE".to_owned(), some("dev"), Scope::Stage(0)),
            (arg, "BASE".to_owned(), None, Scope::Stage(0)),
            (arg, "COMMIT".to_owned(), some("none"), Scope::Stage(1)),
            (env, "MODE".to_owned(), some("$COMMIT"), Scope::Stage(1)),
        ]
    );
}

#[test]
fn a_stage_sees_its_own_names_and_those_it_is_based_on() {
    let file = Dockerfile::parse(FILE);
    let names = |index| file.visible(index).into_keys().collect::<Vec<_>>();
    assert_eq!(names(2), ["BASE", "TAG"]);
    assert_eq!(names(4), ["MODE"]);
    assert_eq!(names(8), ["BASE", "COMMIT", "MODE"]);
    assert_eq!(file.visible(8)["MODE"].instruction, 7);
    assert!(names(12).is_empty());
    let env_wins = Dockerfile::parse("FROM x\nENV A=1\nARG A=2\nRUN x\n");
    assert_eq!(env_wins.visible(3)["A"].kind, DeclarationKind::Env);
}

#[test]
fn variables_are_found_where_the_engine_expands_them() {
    let file = Dockerfile::parse(FILE);
    let names = |index: usize| {
        let all = file.instructions[index].references.iter();
        all.map(|one| one.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(1), ["TAG"]);
    assert_eq!(names(2), ["BASE"]);
    assert_eq!(names(7), ["COMMIT"]);
    assert_eq!(names(12), ["TAG", "WHERE", "COMMIT", "MODE"]);
    let text =
        "RUN --mount=target=$T echo $SHELL_ONLY\nHEALTHCHECK CMD $H\nCOPY <<A <<'B' /\n$IN\nA\n$NOT\nB\n";
    let file = Dockerfile::parse(text);
    let all: Vec<_> = file
        .instructions
        .iter()
        .flat_map(|one| &one.references)
        .map(|one| one.span.slice(text))
        .collect();
    assert_eq!(all, ["$T", "$IN"]);
}
