//! Layer 1: the commit in the build and in the image.

use testkit::{Engine, Project, engines};

const LABEL: &str = "org.opencontainers.image.revision";

/// Two services, of which `web` declares the commit argument.
fn project() -> Project {
    let project = Project::new("layer1");
    project.write(
        "compose.yaml",
        "services:\n  web:\n    build: ./web\n  api:\n    build: ./api\n",
    );
    project.write(
        "web/Dockerfile",
        "FROM busybox\nARG GIT_COMMIT_HASH=none\nRUN echo \"commit $GIT_COMMIT_HASH\" > /commit\nCOPY site /site\n",
    );
    project.write("web/site/index", "hello");
    project.write("api/Dockerfile", "FROM busybox\nCOPY main /main\n");
    project.write("api/main", "1");
    project
}

struct Built {
    stderr: String,
    services: serde_json::Value,
}

impl Built {
    fn service(&self, name: &str) -> &serde_json::Value {
        let services = self.services.as_array().unwrap();
        services
            .iter()
            .find(|service| service["service"] == name)
            .unwrap()
    }

    fn image_id(&self, name: &str) -> String {
        self.service(name)["image_id"].as_str().unwrap().to_owned()
    }
}

fn build(project: &Project, engine: &Engine) -> Built {
    let mut command = project.unstale(engine);
    let output = command
        .args(["build", "--progress", "plain", "--format", "json"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{}: {stderr}", engine.name);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    Built {
        stderr,
        services: document["services"].clone(),
    }
}

fn label(project: &Project, engine: &Engine, service: &str) -> String {
    let image = format!("{}-{service}", project.name());
    let format = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
    let mut docker = project.command(engine, "docker");
    let output = docker
        .args(["image", "inspect", "--format", &format, &image])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What the RUN step of `web` wrote.
fn commit_in(project: &Project, engine: &Engine) -> String {
    let image = format!("{}-web", project.name());
    let mut docker = project.command(engine, "docker");
    let output = docker
        .args(["run", "--rm", "--network", "none", &image, "cat", "/commit"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_unchanged_service_keeps_its_image_across_commits() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = project();
        project.write("unstale.toml", "[commit]\nscope = \"service\"\n");
        let first = project.commit("first");
        let one = build(&project, engine);
        assert_eq!(label(&project, engine, "web"), first, "{}", engine.name);
        assert_eq!(label(&project, engine, "api"), first);

        project.write("api/main", "2");
        let second = project.commit("second");
        let two = build(&project, engine);
        assert_eq!(
            one.image_id("web"),
            two.image_id("web"),
            "{}: web did not change",
            engine.name
        );
        assert_eq!(label(&project, engine, "web"), first);
        assert_ne!(one.image_id("api"), two.image_id("api"));
        assert_eq!(label(&project, engine, "api"), second);
        assert_eq!(two.service("web")["up_to_date"], true);

        // A file that no COPY takes is not an input either.
        project.write("web/notes", "not copied");
        project.commit("third");
        assert_eq!(
            build(&project, engine).image_id("web"),
            one.image_id("web"),
            "{}",
            engine.name
        );
    }
}

#[test]
fn the_label_alone_keeps_the_image_of_a_service_that_does_not_declare_the_argument() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = project();
        let first = project.commit("first");
        let one = build(&project, engine);
        project.write("web/site/index", "changed");
        project.commit("second");
        let two = build(&project, engine);
        assert_eq!(one.image_id("api"), two.image_id("api"), "{}", engine.name);
        assert_eq!(label(&project, engine, "api"), first);
    }
}

#[test]
fn the_head_commit_reaches_the_dockerfile_that_declares_it() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = project();
        let first = project.commit("first");
        let built = build(&project, engine);
        let announced = format!("Building from commit: {}...\n", &first[..7]);
        assert!(
            built.stderr.contains(&announced),
            "{}: {}",
            engine.name,
            built.stderr
        );
        assert_eq!(
            commit_in(&project, engine),
            format!("commit {first}"),
            "{}",
            engine.name
        );

        // With the default scope each commit runs the steps that use the argument, and those after them.
        project.write("api/main", "2");
        let second = project.commit("second");
        build(&project, engine);
        assert_eq!(
            commit_in(&project, engine),
            format!("commit {second}"),
            "{}",
            engine.name
        );
    }
}

#[test]
fn a_dirty_tree_is_never_passed_off_as_its_commit() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = project();
        let first = project.commit("first");
        project.write("web/site/index", "edited");
        let built = build(&project, engine);
        let announced = format!("Building from commit: {}-dirty (1 file differs)\n", &first[..7]);
        assert!(
            built.stderr.contains(&announced),
            "{}: {}",
            engine.name,
            built.stderr
        );
        assert_eq!(
            commit_in(&project, engine),
            format!("commit {first}-dirty"),
            "{}",
            engine.name
        );
        assert_eq!(label(&project, engine, "web"), format!("{first}-dirty"));
        assert_eq!(
            label(&project, engine, "api"),
            first,
            "{}: its own inputs are those of the commit",
            engine.name
        );
        assert_eq!(built.service("web")["dirty"], true);
    }
}

#[test]
fn what_the_user_sets_is_left_alone() {
    let Some(engine) = engines().first() else {
        return testkit::left_out("no engine");
    };
    let _shared = engine.shared();
    let project = project();
    project.write(
        "compose.yaml",
        format!(
            "services:\n  web:\n    build:\n      context: ./web\n      args:\n        GIT_COMMIT_HASH: mine\n      labels:\n        {LABEL}: own\n"
        ),
    );
    project.commit("first");
    build(&project, engine);
    assert_eq!(commit_in(&project, engine), "commit mine");
    assert_eq!(label(&project, engine, "web"), "own");
}

#[test]
fn the_argument_and_the_label_can_be_configured() {
    let Some(engine) = engines().first() else {
        return testkit::left_out("no engine");
    };
    let _shared = engine.shared();
    let project = project();
    project.write("unstale.toml", "[commit]\narg = \"REVISION\"\nlabel = false\n");
    project.write("web/Dockerfile", "FROM busybox\nARG REVISION\nARG GIT_COMMIT_HASH=none\nRUN echo \"$REVISION $GIT_COMMIT_HASH\" > /commit\n");
    let first = project.commit("first");
    build(&project, engine);
    assert_eq!(commit_in(&project, engine), format!("{first} none"));
    assert_eq!(label(&project, engine, "web"), "");
}

#[test]
fn without_a_repository_nothing_is_claimed() {
    let Some(engine) = engines().first() else {
        return testkit::left_out("no engine");
    };
    let _shared = engine.shared();
    let project = project();
    let built = build(&project, engine);
    assert!(!built.stderr.contains("Building from commit"), "{}", built.stderr);
    assert_eq!(commit_in(&project, engine), "commit none");
    assert_eq!(label(&project, engine, "web"), "");
    assert_eq!(built.service("web")["commit"], serde_json::Value::Null);
}
