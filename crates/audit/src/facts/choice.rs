//! Steps of a Dockerfile that a build argument switches on: `if [ "$DEV" = true ]; then …; fi`.

use crate::shell::{Check, Command, Test};
use unstale_dockerfile::{DeclarationKind, Dockerfile};

/// Whether a command of a `RUN` is left out unless a build gives an argument another value than its own.
pub fn is_by_choice(dockerfile: &Dockerfile, instruction: usize, command: &Command) -> bool {
    let mut tests = command
        .context
        .guards
        .iter()
        .flat_map(|guard| &guard.tests)
        .peekable();
    if tests.peek().is_none() {
        return false;
    }
    let visible = dockerfile.visible(instruction);
    tests.any(|test| {
        // What the builder sets has no value of its own, and is always set.
        let argument = visible
            .get(&test.variable)
            .filter(|one| one.kind == DeclarationKind::Arg);
        argument.is_some_and(|argument| match &argument.value {
            Some(value) => !holds(test, value.raw.trim_matches(['"', '\''])),
            None => !is_of_builder(&test.variable) && !holds(test, ""),
        })
    })
}

/// Whether the builder itself gives an argument its value.
fn is_of_builder(name: &str) -> bool {
    name.starts_with("TARGET")
        || name.starts_with("BUILDPLATFORM")
        || matches!(name, "BUILDOS" | "BUILDARCH" | "BUILDVARIANT")
}

/// Whether a test holds for a value. What is not plain text may hold.
fn holds(test: &Test, value: &str) -> bool {
    let is_open = |pattern: &String| pattern.contains(['*', '?', '[', '$']);
    if value.contains('$') {
        return true;
    }
    match &test.check {
        Check::OneOf(values) => values.iter().any(|one| one == value || is_open(one)),
        Check::NoneOf(values) => values.iter().all(|one| one != value),
        Check::Empty => value.is_empty(),
        Check::NotEmpty => !value.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, File, FileKind, Project, Source, Tree};

    fn chosen(arg: &str, run: &str) -> bool {
        let text = format!("FROM x\n{arg}\nRUN {run}\n");
        let file = File::read(Source::new("Dockerfile", text), FileKind::Dockerfile);
        let project = Project::new([file], Tree::default());
        let (_, file) = project.files().next().unwrap();
        let Content::Dockerfile(dockerfile) = &file.content else {
            panic!("no Dockerfile")
        };
        let commands = file.scripts[0].script.commands();
        let install = commands
            .iter()
            .find(|command| command.name() == "install")
            .unwrap();
        is_by_choice(dockerfile, 2, install)
    }

    #[test]
    fn an_argument_chooses_when_its_own_value_does_not_hold() {
        for (arg, run, expected) in [
            ("ARG DEV=false", "if [ \"$DEV\" = true ]; then install; fi", true),
            ("ARG DEV=true", "if [ \"$DEV\" = true ]; then install; fi", false),
            ("ARG DEV", "[ -n \"$DEV\" ] && install", true),
            ("ARG DEV", "[ -z \"$DEV\" ] && install", false),
            (
                "ARG DEV=0",
                "if [ \"$DEV\" = 1 ]; then true; else install; fi",
                false,
            ),
            (
                "ARG TARGETARCH",
                "if [ \"$TARGETARCH\" = arm64 ]; then install; fi",
                false,
            ),
            ("ARG OTHER=1", "if [ -f a ]; then install; fi", false),
            ("ENV DEV=false", "if [ \"$DEV\" = true ]; then install; fi", false),
        ] {
            assert_eq!(chosen(arg, run), expected, "{arg}: {run}");
        }
    }
}
