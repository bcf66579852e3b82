//! Options about what may be reused: `no_cache`, `pull`, `cache_from`, `cache_to`.

use super::{Built, build, image, is_modern, on_every_engine, on_every_engine_alone, output};
use testkit::{Engine, Project, Registry, Store, engines, left_out, registry};

#[test]
fn no_cache_runs_every_step_again() {
    on_every_engine(|engine, project| {
        project.write(
            "Dockerfile",
            format!(
                "FROM busybox\nRUN echo {} > /a\nRUN echo b > /b\n",
                project.name()
            ),
        );
        project.write(
            "compose.yaml",
            "services: {always: {build: {context: ., no_cache: true}}, normal: {build: .}}\n",
        );
        let outcomes = |arguments: &[&str]| {
            let built = build(project, engine, arguments).ok();
            built.outcomes(arguments[0]).join(" ")
        };
        assert_eq!(outcomes(&["normal"]), "ran ran");
        assert_eq!(outcomes(&["normal"]), "cached cached");
        assert_eq!(outcomes(&["always"]), "ran ran");
        assert_eq!(outcomes(&["always"]), "ran ran");
        assert_eq!(outcomes(&["normal", "--no-cache"]), "ran ran");
    });
}

/// A tag that stands for one image here and for a newer one in the registry.
struct MovedTag {
    reference: String,
}

impl MovedTag {
    fn new(engine: &Engine, project: &Project, registry: &Registry) -> MovedTag {
        let reference = format!("{}/{}:tag", registry.host, project.name());
        let docker = |arguments: &[&str]| output(project.command(engine, "docker").args(arguments));
        for state in ["old", "new"] {
            project.write("base/Dockerfile", format!("FROM busybox\nLABEL state={state}\n"));
            let local = format!("{}-{state}", project.name());
            Built::run(super::unstale_build(project, engine, &["./base"]).args(["--tag", &local])).ok();
            docker(&["tag", &local, &reference]);
            docker(&["push", "--quiet", &reference]);
        }
        docker(&["tag", &format!("{}-old", project.name()), &reference]);
        MovedTag { reference }
    }
}

#[test]
fn a_moved_tag_is_seen_with_pull_and_not_without() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    on_every_engine(|engine, project| {
        let moved = MovedTag::new(engine, project, &registry);
        project.write("Dockerfile", format!("FROM {}\nLABEL own=1\n", moved.reference));
        project.write(
            "compose.yaml",
            "services: {local: {build: .}, pulled: {build: {context: ., pull: true}}}\n",
        );
        let state = |service: &str| {
            image(engine, &format!("{}-{service}", project.name()))["Config"]["Labels"]["state"].clone()
        };
        build(project, engine, &["local"]).ok();
        assert_eq!(state("local"), "old");
        build(project, engine, &["pulled"]).ok();
        assert_eq!(state("pulled"), "new");
        build(project, engine, &["local", "--pull"]).ok();
        assert_eq!(state("local"), "new");
    });
}

/// The graph of the other service goes along as an input then, for its image is in no registry.
#[test]
fn a_service_is_built_on_another_one_when_base_images_are_pulled() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    on_every_engine(|engine, project| {
        let moved = MovedTag::new(engine, project, &registry);
        let name = project.name();
        project.write(
            "base/Dockerfile",
            format!(
                "FROM {}\nENV INHERITED=yes\nRUN echo {name} > /content\n",
                moved.reference
            ),
        );
        project.write(
            "app/Dockerfile",
            format!("FROM {name}-zbase\nRUN grep -qx {name} /content && test $INHERITED = yes\n"),
        );
        project.write(
            "compose.yaml",
            "services: {app: {build: app}, zbase: {build: base}}\n",
        );
        let built = build(project, engine, &["--pull"]);
        if !is_modern(engine) {
            return built.refused(20, &["services.app.build.pull", "Docker Engine 23"]);
        }
        built.ok();
        let labels = &image(engine, &format!("{name}-app"))["Config"]["Labels"];
        assert_eq!(labels["state"], "new");
    });
}

/// Two steps whose commands nobody else runs, so that their records can be told in the builder's list.
fn write_marked_project(project: &Project, cache: &str) {
    let marker = project.name();
    project.write(
        "Dockerfile",
        format!("FROM busybox\nRUN echo {marker}-one > /one\nRUN echo {marker}-two > /two\n"),
    );
    project.write(
        "compose.yaml",
        format!(
            "services: {{app: {{image: '{}', build: {{context: ., {cache}}}}}}}\n",
            cached_image(project)
        ),
    );
}

/// The registry's host comes first in it.
fn cached_image(project: &Project) -> String {
    let host = registry().map(|registry| registry.host).unwrap_or_default();
    format!("{host}/{}-app:latest", project.name())
}

/// Forgets the project's image and its steps at this engine, and nothing else. Only alone: a build that runs beside a
/// prune may lose results that were not pruned at all.
fn forget(project: &Project, engine: &Engine) {
    output(
        project
            .command(engine, "docker")
            .args(["image", "rm", "--force", &cached_image(project)]),
    );
    let records = || -> Vec<String> {
        let usage = engine.api("GET", "/system/df?type=build-cache").unwrap();
        let records = usage["BuildCache"].as_array().cloned().unwrap_or_default();
        let own = records
            .iter()
            .filter(|record| record["Description"].to_string().contains(project.name()));
        own.map(|record| record["ID"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut left = records();
    assert!(!left.is_empty(), "the steps left no record");
    // A record goes after the one that stands on it.
    while !left.is_empty() {
        for id in &left {
            // {"id":["…"]}
            let filters = format!("%7B%22id%22%3A%5B%22{id}%22%5D%7D");
            engine
                .api("POST", &format!("/build/prune?all=1&filters={filters}"))
                .unwrap();
        }
        let now = records();
        assert!(now.len() < left.len(), "records cannot be pruned: {now:?}");
        left = now;
    }
}

/// Outcome and origin of each instruction, as a plan says them.
fn planned(project: &Project, engine: &Engine) -> Vec<String> {
    let document = crate::plan::plan(project, engine, &[]);
    let steps = document["services"][0]["steps"].as_array().unwrap();
    let own = steps.iter().filter(|step| step["kind"] == "instruction");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    own.map(|step| format!("{} {}", text(&step["outcome"]), text(&step["origin"]["kind"])))
        .collect()
}

#[test]
fn an_inline_cache_in_a_registry_is_hit_after_the_local_one_is_gone() {
    if registry().is_none() {
        return left_out("no registry answers");
    }
    on_every_engine_alone(|engine, project| {
        let image = cached_image(project);
        write_marked_project(
            project,
            &format!("cache_from: ['{image}'], cache_to: ['type=inline']"),
        );
        assert_eq!(build(project, engine, &[]).ok().outcomes("app"), ["ran", "ran"]);
        output(
            project
                .command(engine, "docker")
                .args(["push", "--quiet", &image]),
        );
        forget(project, engine);
        assert_eq!(planned(project, engine), ["cached imported", "cached imported"]);
        assert_eq!(
            build(project, engine, &[]).ok().outcomes("app"),
            ["cached", "cached"]
        );
        // The same without the import: it was not the engine's own memory.
        forget(project, engine);
        write_marked_project(project, "no_cache: false");
        assert_eq!(planned(project, engine), ["run ", "run "]);
        assert_eq!(build(project, engine, &[]).ok().outcomes("app"), ["ran", "ran"]);
    });
}

/// As `--build-arg BUILDKIT_INLINE_CACHE=1` of Docker's own builders.
#[test]
fn the_argument_for_an_inline_cache_writes_one() {
    let Some(engine) = engines().iter().find(|_| registry().is_some()) else {
        return left_out("no engine or no registry answers");
    };
    let _exclusive = engine.exclusive();
    let project = Project::new("options");
    let image = cached_image(&project);
    write_marked_project(
        &project,
        &format!("cache_from: ['type=registry,ref={image}'], args: [BUILDKIT_INLINE_CACHE=1]"),
    );
    build(&project, engine, &[]).ok();
    output(
        project
            .command(engine, "docker")
            .args(["push", "--quiet", &image]),
    );
    forget(&project, engine);
    assert_eq!(
        build(&project, engine, &[]).ok().outcomes("app"),
        ["cached", "cached"]
    );
}

#[test]
fn a_registry_cache_is_written_and_hit_where_the_engine_can_and_refused_where_not() {
    if registry().is_none() {
        return left_out("no registry answers");
    }
    on_every_engine_alone(|engine, project| {
        let reference = cached_image(project).replace(":latest", ":cache");
        write_marked_project(
            project,
            &format!("cache_from: ['{reference}'], cache_to: ['type=registry,ref={reference},mode=max']"),
        );
        let built = build(project, engine, &[]);
        if engine.store == Store::Classic {
            return built.refused(20, &["services.app.build.cache_to", "registry", "classic"]);
        }
        assert_eq!(built.ok().outcomes("app"), ["ran", "ran"]);
        forget(project, engine);
        assert_eq!(planned(project, engine), ["cached imported", "cached imported"]);
        assert_eq!(
            build(project, engine, &[]).ok().outcomes("app"),
            ["cached", "cached"]
        );
    });
}
