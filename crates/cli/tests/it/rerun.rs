//! `--rerun` runs the steps that it names and what builds on them; a selection that makes no sense runs nothing.

use crate::options::{Built, build, image, is_modern, on_every_engine, output, unstale_build};
use testkit::{Engine, Project, buildkitd, engine, left_out, registry};

/// A step whose result is another one each time that it runs, but for `/same`.
const STAMP: &str = "RUN cat /proc/sys/kernel/random/uuid > /stamp; echo same > /same";

/// The instructions of a service that ran, in the order of the alphabet.
#[track_caller]
fn ran<'a>(built: &'a Built, service: &str) -> Vec<&'a str> {
    let steps = built.service(service)["steps"].as_array().unwrap();
    let ran = steps.iter().filter(|step| step["outcome"] == "ran");
    let keywords = ["RUN ", "COPY ", "LINK ", "ADD ", "WORKDIR "];
    let mut ran: Vec<_> = ran
        .map(|step| step["instruction"].as_str().unwrap())
        .filter(|text| keywords.iter().any(|keyword| text.starts_with(keyword)))
        .collect();
    ran.sort_unstable();
    ran
}

#[track_caller]
fn rerun(project: &Project, engine: &Engine, selection: &str) -> Built {
    build(project, engine, &["--rerun", selection]).ok()
}

#[track_caller]
fn id(project: &Project, engine: &Engine, service: &str) -> String {
    let image = image(engine, &format!("{}-{service}", project.name()));
    image["Id"].as_str().unwrap().to_owned()
}

/// A service `app` of two stages, whose steps are no other project's.
fn two_stages(project: &Project) {
    let name = project.name();
    project.write(
        "Dockerfile",
        format!(
            "FROM busybox AS tools
RUN echo {name} > /name
{STAMP}
RUN echo late > /late
FROM busybox
RUN echo {name} > /own
COPY --from=tools /same /same
RUN echo after same > /middle
COPY --from=tools /stamp /stamp
RUN echo after stamp > /end
"
        ),
    );
    project.write("compose.yaml", "services: {app: {build: .}}\n");
}

#[test]
fn a_step_runs_again_with_what_builds_on_it_and_nothing_else() {
    on_every_engine(|engine, project| {
        if engine.name == "d29" {
            return left_out("moby 29 beta: a COPY --from of a step that ran again stays cached");
        }
        two_stages(project);
        build(project, engine, &[]).ok();
        let before = id(project, engine, "app");
        for selection in ["app:tools/3", "RUN cat /proc/sys"] {
            let built = rerun(project, engine, selection);
            // `COPY --from` looks at what it copies: the stamp is another one, and `/same` and what follows it are reused.
            let expected = [
                "COPY --from=tools /stamp /stamp",
                STAMP,
                "RUN echo after stamp > /end",
                "RUN echo late > /late",
            ];
            assert_eq!(ran(&built, "app"), expected, "{selection}");
        }
        let after = id(project, engine, "app");
        assert_ne!(before, after);
        // The newest results are reused, and not those of before.
        let plain = build(project, engine, &[]).ok();
        assert_eq!(ran(&plain, "app"), [""; 0]);
        assert_eq!(id(project, engine, "app"), after);
    });
}

#[test]
fn a_stage_is_run_again_as_a_whole() {
    on_every_engine(|engine, project| {
        let name = project.name();
        project.write("file", "content");
        project.write(
            "Dockerfile",
            format!(
                "FROM busybox AS tools
WORKDIR /{name}
COPY file .
FROM busybox
RUN echo {name} > /own
COPY --from=tools /{name}/file /
"
            ),
        );
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        build(project, engine, &[]).ok();
        let before = id(project, engine, "app");
        let built = rerun(project, engine, "tools");
        let expected = ["COPY file .".to_owned(), format!("WORKDIR /{name}")];
        assert_eq!(ran(&built, "app"), expected);
        assert_eq!(id(project, engine, "app"), before, "the stage made the same file");
    });
}

#[test]
fn both_halves_of_a_linked_copy_run_again() {
    on_every_engine(|engine, project| {
        let name = project.name();
        project.write("file", "content");
        project.write(
            "Dockerfile",
            format!("FROM busybox\nRUN echo {name} > /name\nCOPY --link file /{name}\nRUN echo end > /end\n"),
        );
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        if !is_modern(engine) {
            left_out(&format!(
                "{}: its Dockerfile frontend has no COPY --link",
                engine.name
            ));
            return;
        }
        build(project, engine, &[]).ok();
        let built = rerun(project, engine, "3");
        let copy = format!("COPY --link file /{name}");
        let ran = ran(&built, "app");
        assert!(ran.contains(&copy.as_str()), "{ran:?}");
        assert!(ran.contains(&"RUN echo end > /end"), "{ran:?}");
        assert!(!ran.iter().any(|step| step.contains("> /name")), "{ran:?}");
    });
}

/// Two services, each with a step of its own and one that both have.
fn two_services(project: &Project) {
    let name = project.name();
    for service in ["one", "two"] {
        project.write(
            format!("{service}/Dockerfile"),
            format!("FROM busybox\nRUN echo {name} > /shared\nRUN echo {service} > /own\n"),
        );
    }
    project.write(
        "compose.yaml",
        "services: {one: {build: ./one}, two: {build: ./two}, db: {image: busybox}}\n",
    );
}

#[test]
fn the_other_services_are_not_run_again() {
    on_every_engine(|engine, project| {
        two_services(project);
        build(project, engine, &[]).ok();
        let built = rerun(project, engine, "two:3/3");
        assert_eq!(ran(&built, "one"), [""; 0]);
        assert_eq!(ran(&built, "two"), ["RUN echo two > /own"]);
        let both = build(project, engine, &["--rerun", "two:3", "--rerun", "one:3"]).ok();
        assert_eq!(ran(&both, "one"), ["RUN echo one > /own"]);
        assert_eq!(ran(&both, "two"), ["RUN echo two > /own"]);
    });
}

/// The build is refused with exit code 2 and these words.
#[track_caller]
fn is_refused(built: &Built, words: &[&str]) {
    assert_eq!(built.code, Some(2), "{}", built.stderr);
    for word in words {
        assert!(
            built.stderr.contains(word),
            "{word:?} is not in:\n{}",
            built.stderr
        );
    }
}

#[test]
fn a_selection_of_no_step_runs_nothing_in_any_service() {
    on_every_engine(|engine, project| {
        two_services(project);
        let unknown = ["two:4: two has no such step", "two:3/3  RUN echo two > /own"];
        for (arguments, words) in [
            (&["--rerun", "two:4"][..], &unknown[..]),
            (
                &["--keep-going", "--rerun", "two:4", "--rerun", "one:3"],
                &unknown,
            ),
            (
                &["--rerun", "two:RUN"],
                &["2 steps of two", "two:2/3  RUN", "two:3/3  RUN"],
            ),
            (&["--rerun", "two:1"], &["FROM", "is fetched, not run", "--pull"]),
        ] {
            let built = build(project, engine, arguments);
            is_refused(&built, words);
            for service in ["one", "two"] {
                assert_eq!(ran(&built, service), [""; 0], "{arguments:?}");
                assert_ne!(built.service(service)["outcome"], "built", "{arguments:?}");
            }
        }
    });
}

#[test]
fn a_selection_of_a_service_that_is_not_built_begins_no_build() {
    on_every_engine(|engine, project| {
        two_services(project);
        for (arguments, words) in [
            (&["--rerun", "3"][..], &["several services", "one, two"][..]),
            (&["--rerun", "db:3"], &["no service db is built", "one, two"]),
            (
                &["one", "--rerun", "two:3"],
                &["no service two is built", "built here: one;"],
            ),
            (&["--rerun", "one:"], &["names no step", "SERVICE:STAGE/6"]),
        ] {
            let built = build(project, engine, arguments);
            is_refused(&built, words);
            assert!(!built.stderr.contains("[one"), "{arguments:?}: {}", built.stderr);
        }
    });
}

/// A service that is built from another one, in which a step runs again.
fn base_and_app(project: &Project, base: &str) {
    let name = project.name();
    project.write(
        "base/Dockerfile",
        format!("FROM {base}\nRUN echo {name} > /name\n{STAMP}\n"),
    );
    project.write(
        "app/Dockerfile",
        format!("FROM {name}-base\nRUN cp /stamp /copy\nRUN cp /same /copy-of-same\n"),
    );
    project.write(
        "compose.yaml",
        "services: {app: {build: ./app}, base: {build: ./base}}\n",
    );
}

/// Prints the stamp that an image has from its base, and the one that a step of its own took from it.
#[track_caller]
fn stamps(project: &Project, engine: &Engine) -> (String, String) {
    let stamp = |service: &str, file: &str| {
        let image = format!("{}-{service}", project.name());
        let mut docker = project.command(engine, "docker");
        output(docker.args(["run", "--rm", &image, "cat", file]))
    };
    (stamp("base", "/stamp"), stamp("app", "/copy"))
}

#[test]
fn a_service_is_built_from_what_its_base_made_just_now() {
    on_every_engine(|engine, project| {
        base_and_app(project, "busybox");
        build(project, engine, &[]).ok();
        let before = stamps(project, engine);
        let built = rerun(project, engine, "base:3");
        assert_eq!(ran(&built, "base"), [STAMP]);
        assert_eq!(
            ran(&built, "app"),
            ["RUN cp /same /copy-of-same", "RUN cp /stamp /copy"]
        );
        let after = stamps(project, engine);
        assert_eq!(after.0, after.1);
        assert_ne!(before.0, after.0);
        // The number is the app's own, whichever the base's are.
        let built = rerun(project, engine, "app:3");
        assert_eq!(ran(&built, "base"), [""; 0]);
        assert_eq!(ran(&built, "app"), ["RUN cp /same /copy-of-same"]);
        assert_eq!(stamps(project, engine), after);
    });
}

#[test]
fn a_stand_alone_builder_gives_the_next_service_the_step_that_ran_again() {
    let (Some(builder), Some(registry), Some(engine)) = (buildkitd(), registry(), engine("d28c")) else {
        left_out("no buildkitd, registry or engine answers");
        return;
    };
    let _shared = (engine.shared(), builder.shared());
    let project = Project::new("rerun");
    let base = format!("{}/{}-busybox", registry.host, project.name());
    output(project.command(engine, "docker").args(["tag", "busybox", &base]));
    output(project.command(engine, "docker").args(["push", "--quiet", &base]));
    base_and_app(&project, &base);
    let build = |arguments: &[&str]| {
        let mut command = unstale_build(&project, engine, &["--builder", &builder.unix]);
        Built::run(command.args(arguments)).ok()
    };
    build(&[]);
    let before = stamps(&project, engine);
    let built = build(&["--rerun", "base:3"]);
    assert_eq!(ran(&built, "base"), [STAMP]);
    let after = stamps(&project, engine);
    assert_eq!(after.0, after.1);
    assert_ne!(before.0, after.0);
    // The base's vertices are in this graph, too.
    build(&["--rerun", "app:2"]);
    assert_eq!(stamps(&project, engine), after);
}

#[test]
fn imported_caches_are_consulted_as_in_other_builds() {
    on_every_engine(|engine, project| {
        let name = project.name();
        let cache = format!("127.0.0.1:1/{name}:cache");
        project.write(
            "Dockerfile",
            format!("FROM busybox\nRUN echo {name} > /name\nRUN echo > /end\n"),
        );
        project.write(
            "compose.yaml",
            format!("services: {{app: {{build: {{context: ., cache_from: ['{cache}']}}}}}}\n"),
        );
        for arguments in [&[][..], &["--rerun", "2"]] {
            let built = build(project, engine, arguments).ok();
            let words = format!("importing cache manifest from {cache}");
            assert!(built.stderr.contains(&words), "{arguments:?}: {}", built.stderr);
        }
    });
}
