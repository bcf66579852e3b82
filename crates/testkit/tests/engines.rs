//! The testkit against the engines that it started: what every other test relies on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Engine, Kind, Project, Store, engine, engines, image_tree, left_out};

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Every engine that answers, held as tests hold it; says so when there is none.
fn each_engine(test: impl Fn(&Engine)) {
    if engines().is_empty() {
        left_out("no engine answers");
    }
    for engine in engines() {
        let _hold = engine.shared();
        test(engine);
    }
}

#[test]
fn the_client_speaks_with_its_engine_and_has_its_plugins() {
    each_engine(|engine| {
        let version = run(engine
            .command("docker")
            .args(["version", "--format", "{{.Server.Version}}"]));
        assert_eq!(version, engine.version);
        for plugin in ["compose", "buildx"] {
            run(engine.command("docker").args([plugin, "version"]));
        }
    });
}

#[test]
fn nothing_of_the_developers_environment_reaches_a_program() {
    each_engine(|engine| {
        let environment = run(&mut engine.command("env"));
        let variables: BTreeMap<&str, &str> = environment
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        assert_eq!(variables["DOCKER_HOST"], engine.docker_host);
        assert!(!variables.contains_key("CARGO_MANIFEST_DIR"), "{environment}");
        assert_ne!(Some(variables["HOME"]), std::env::var("HOME").ok().as_deref());
    });
}

#[test]
fn the_stores_are_as_the_names_promise() {
    for (name, store) in [
        ("d20", Store::Classic),
        ("d28", Store::Classic),
        ("d28c", Store::Containerd),
    ] {
        match engine(name) {
            Some(engine) => assert_eq!(engine.store, store, "{name}"),
            None => left_out(&format!("{name} does not answer")),
        }
    }
}

#[test]
fn the_base_image_is_the_same_everywhere() {
    let mut first: Option<BTreeMap<PathBuf, testkit::Node>> = None;
    each_engine(|engine| {
        let tree = image_tree(engine, "unstale-base:latest").expect("the image is there");
        assert_eq!(
            tree[Path::new("bin/sh")].link.as_deref(),
            Some(Path::new("busybox"))
        );
        assert_eq!(tree[Path::new("home/app")].uid, 1000);
    });
    for engine in engines() {
        let _hold = engine.shared();
        let tree = image_tree(engine, "unstale-base:latest").expect("the image is there");
        assert_eq!(
            first.get_or_insert_with(|| tree.clone()),
            &tree,
            "{}",
            engine.name
        );
    }
}

#[test]
fn an_images_tree_has_whiteouts_links_modes_and_owners_applied() {
    each_engine(|engine| {
        let project = Project::new("tree");
        project.write("context/sub/kept", "kept\n");
        project.write("context/sub/removed", "removed\n");
        project.chmod("context/sub/kept", 0o4751);
        let dockerfile = "FROM unstale-base\nCOPY --chown=app context /data\nRUN rm /data/sub/removed && rm -r /tmp \
                          && echo file > /tmp && ln /data/sub/kept /data/twin && mkfifo /data/pipe\n\
                          RUN rm -r /home && mkdir -p /home/new\n";
        project.write("Dockerfile", dockerfile);
        let tag = format!("{}:latest", project.name());
        let mut build = project.command(engine, "docker");
        run(build
            .args(["build", "--quiet", "--tag", &tag, "."])
            .env("DOCKER_BUILDKIT", "1"));
        let tree = image_tree(engine, &tag).expect("the image was built");
        let node = |path: &str| tree.get(Path::new(path));
        let kept = node("data/sub/kept").expect("kept");
        assert_eq!(
            (kept.kind, kept.mode, kept.uid, kept.gid),
            (Kind::File, 0o4751, 1000, 1000)
        );
        assert_eq!(kept.sha256, node("data/twin").expect("linked").sha256);
        assert_eq!(node("data/sub/removed"), None);
        assert_eq!(node("tmp").expect("replaced").kind, Kind::File);
        assert_eq!(node("data/pipe").expect("made").kind, Kind::Fifo);
        assert_eq!(node("home/app"), None);
        assert!(node("home/new").is_some());
    });
}

#[test]
fn a_dropped_project_leaves_nothing_on_the_engine() {
    each_engine(|engine| {
        let project = Project::new("gone");
        let name = project.name().to_owned();
        let docker = |arguments: &[&str]| run(project.command(engine, "docker").args(arguments));
        docker(&["tag", "busybox", &format!("{name}:one")]);
        docker(&["tag", "busybox", &format!("{name}-web:two")]);
        docker(&["network", "create", &format!("{name}_default")]);
        docker(&[
            "run",
            "--detach",
            "--name",
            &format!("{name}-web-1"),
            "--volume",
            &format!("{name}_data:/data"),
            "busybox",
            "sleep",
            "600",
        ]);
        drop(project);
        for path in ["/containers/json?all=1", "/networks", "/volumes", "/images/json"] {
            let left = engine.api("GET", path).expect("the engine answers").to_string();
            assert!(!left.contains(&name), "{} {path}: {left}", engine.name);
        }
        assert!(
            image_tree(engine, "busybox:latest").is_ok(),
            "the base image stays"
        );
    });
}

#[test]
fn commits_have_the_same_hash_in_every_run() {
    let commits = || {
        let project = Project::new("git");
        project.write("a", "1\n");
        let first = project.commit("first");
        project.write("a", "2\n");
        (first, project.commit("second"))
    };
    let once = commits();
    assert_ne!(once.0, once.1);
    assert_eq!(once, commits());
}

#[test]
fn an_exclusive_hold_waits_for_the_shared_ones() {
    let Some(engine) = engines().first() else {
        return left_out("no engine answers");
    };
    let log = std::sync::Mutex::new(Vec::new());
    let note = |word| log.lock().expect("no panic").push(word);
    let first = engine.shared();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _alone = engine.exclusive();
            note("alone");
        });
        note("shared");
        drop(first);
    });
    drop(engine.shared());
    note("shared again");
    assert_eq!(
        log.into_inner().expect("no panic"),
        ["shared", "alone", "shared again"]
    );
}

#[test]
fn buildkit_answers_mutual_tls_only() {
    let Some(buildkitd) = testkit::buildkitd() else {
        return left_out("no buildkitd");
    };
    for file in [&buildkitd.ca, &buildkitd.cert, &buildkitd.key] {
        assert!(file.is_file(), "{}", file.display());
    }
    let address = buildkitd.tcp.trim_start_matches("tcp://");
    // With TLS 1.2 the server's refusal is part of the handshake; with 1.3 it comes some time after.
    let mut handshake = Command::new("openssl");
    handshake.args([
        "s_client",
        "-tls1_2",
        "-alpn",
        "h2",
        "-verify_return_error",
        "-brief",
        "-connect",
        address,
    ]);
    handshake
        .arg("-CAfile")
        .arg(&buildkitd.ca)
        .stdin(std::process::Stdio::null());
    if Command::new("openssl").arg("version").output().is_err() {
        return left_out("no openssl program");
    }
    let with = |command: &mut Command| {
        let output = command.output().expect("openssl runs");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refused = with(&mut handshake);
    assert!(refused.contains("alert handshake failure"), "{refused}");
    let accepted = with(
        handshake
            .arg("-cert")
            .arg(&buildkitd.cert)
            .arg("-key")
            .arg(&buildkitd.key),
    );
    assert!(
        accepted.contains("Verification: OK") && !accepted.contains("alert"),
        "{accepted}"
    );
}

#[test]
fn an_engine_pushes_to_the_registry_and_pulls_again() {
    let Some(registry) = testkit::registry() else {
        return left_out("no registry");
    };
    each_engine(|engine| {
        let project = Project::new("push");
        let name = format!("{}/{}:latest", registry.host, project.name());
        let docker = |arguments: &[&str]| run(project.command(engine, "docker").args(arguments));
        docker(&["tag", "busybox", &name]);
        docker(&["push", "--quiet", &name]);
        docker(&["image", "rm", &name]);
        docker(&["pull", "--quiet", &name]);
    });
}
