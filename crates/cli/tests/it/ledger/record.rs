//! What a build leaves in the ledger is what really happened, and no secret.

use crate::bad_input::{recorded, run, unstale, web};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use testkit::{Engine, Project, engines};

/// One build as `unstale log BUILD --format json` shows it.
fn one(project: &Project, engine: &Engine, id: &str) -> Value {
    let shown = unstale(project, engine, &["log", id, "--format", "json"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let document = shown.json();
    assert_eq!(document["schema"], "unstale.log/1");
    document["build"].clone()
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}

fn ledger_file(project: &Project) -> std::path::PathBuf {
    project
        .path()
        .parent()
        .unwrap()
        .join("environment/state/ledger.db")
}

#[test]
fn a_build_is_recorded_as_it_really_was() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = Project::new("real");
        project.write(
            "compose.yaml",
            "services:\n  web:\n    build:\n      context: .\n      args: {COLOUR: blue, EMPTY: ''}\n",
        );
        let mark = testkit::unique("mark");
        project.write(
            "Dockerfile",
            format!("FROM busybox\nARG COLOUR\nRUN echo {mark} $COLOUR\nCOPY app /app\nRUN true\n"),
        );
        project.write("app/main.py", "print(1)\n");
        project.write("app/data/table.csv", "a,b\n");
        std::os::unix::fs::symlink("main.py", project.path().join("app/link")).unwrap();
        project.chmod("app/main.py", 0o755);
        let commit = project.commit("first");
        let built = unstale(
            &project,
            engine,
            &["build", "--format", "json", "--build-arg", "EXTRA=1"],
        );
        assert_eq!(built.code, 0, "{}", built.stderr);
        let document = built.json();
        let id = document["build_id"].as_str().unwrap();
        let build = one(&project, engine, id);

        assert_eq!(build["state"], "succeeded");
        assert_eq!(build["command"], "unstale build --build-arg EXTRA");
        assert_eq!(build["project"], project.name());
        assert_eq!(build["project_dir"], project.path().to_str().unwrap());
        assert_eq!(
            (&build["commit"], &build["dirty"]),
            (&Value::from(commit.as_str()), &Value::from(false))
        );
        assert!(build["started_ms"].as_i64().unwrap() <= build["completed_ms"].as_i64().unwrap());

        let info = engine.api("GET", "/info").unwrap();
        let identity = &build["engine"];
        assert_eq!(identity["id"], info["ID"]);
        assert_eq!(identity["name"], info["Name"]);
        assert_eq!(identity["version"], info["ServerVersion"]);
        let store = if engine.store == testkit::Store::Classic {
            "classic"
        } else {
            "containerd"
        };
        assert_eq!(identity["store"], store);
        assert_eq!(build["builder"], "engine");

        let service = &build["details"][0];
        let image = format!("{}-web", project.name());
        let inspected = engine.api("GET", &format!("/images/{image}/json")).unwrap();
        assert_eq!(service["image_id"], inspected["Id"]);
        assert_eq!(service["image"], serde_json::json!([image]));
        assert_eq!(
            inspected["Config"]["Labels"]["org.opencontainers.image.revision"],
            service["revision"]
        );
        let args: Vec<_> = service["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arg| {
                (
                    arg["name"].as_str().unwrap(),
                    arg["value"]["plain"].as_str().unwrap(),
                )
            })
            .filter(|(name, _)| ["COLOUR", "EMPTY", "EXTRA"].contains(name))
            .collect();
        assert_eq!(args, [("COLOUR", "blue"), ("EMPTY", ""), ("EXTRA", "1")]);

        let base = &service["bases"][0];
        assert_eq!(base["reference"], "docker.io/library/busybox:latest");
        // The classic store resolves a local tag without a digest.
        let busybox = engine.api("GET", "/images/busybox/json").unwrap();
        match base["digest"].as_str() {
            Some(digest) => assert_eq!(digest, busybox["Id"], "{}", engine.name),
            None => assert_eq!(store, "classic"),
        }

        let manifest = service["manifests"].as_array().unwrap();
        let context = manifest
            .iter()
            .find(|manifest| manifest["context"] == "context" && manifest["files"] != 0)
            .unwrap();
        assert_eq!(context["root"], project.path().to_str().unwrap());
        let opened = unstale_ledger::Ledger::open(&ledger_file(&project)).unwrap();
        let files = opened.ledger.files(context["digest"].as_str().unwrap()).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap()).collect();
        let file = |path: &str| files.iter().find(|file| file.path == path).unwrap();
        for path in ["app/main.py", "app/data/table.csv"] {
            let on_disk = project.path().join(path);
            assert_eq!(
                file(path).content.as_deref(),
                Some(sha256(&on_disk).as_str()),
                "{path}"
            );
            assert_eq!(file(path).size, std::fs::metadata(on_disk).unwrap().len());
        }
        assert_eq!(
            (file("app/main.py").mode, file("app/link").content.as_deref()),
            (0o755, Some("main.py"))
        );
        assert!(
            files.iter().all(|file| file.path.starts_with("app")),
            "what no step reads is not sent"
        );

        let steps = service["steps"].as_array().unwrap();
        let work: Vec<_> = steps
            .iter()
            .filter(|step| step["kind"] == "instruction")
            .collect();
        let lines: Vec<_> = work
            .iter()
            .map(|step| step["location"]["line"].as_u64().unwrap())
            .collect();
        assert_eq!(lines, [3, 4, 5]);
        for (recorded, printed) in work.iter().zip(
            document["services"][0]["steps"]
                .as_array()
                .unwrap()
                .iter()
                .skip(1),
        ) {
            for key in [
                "digest",
                "stable_digest",
                "outcome",
                "name",
                "number",
                "instruction",
            ] {
                assert_eq!(recorded[key], printed[key], "{}", engine.name);
            }
            assert!(recorded["completed_ms"].as_i64().unwrap() >= recorded["started_ms"].as_i64().unwrap());
        }

        project.write("app/main.py", "print(2)\n");
        assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
        let again = &recorded(&project, engine)[0];
        assert_eq!(
            (&again["commit"], &again["dirty"]),
            (&Value::from(commit.as_str()), &Value::from(true))
        );
        assert_eq!(
            (&again["services"][0]["ran"], &again["services"][0]["cached"]),
            (&2.into(), &1.into())
        );
    }
}

#[test]
fn secrets_in_arguments_are_in_no_byte_of_the_ledger_and_in_no_output() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web(
            "secrets",
            "FROM busybox\nARG API_TOKEN\nARG DB_PASSWORD\nRUN test -n \"$API_TOKEN\"\n",
        );
        let (token, password) = (testkit::unique("tok"), testkit::unique("pwd"));
        let arguments = [
            "build",
            "--progress",
            "plain",
            "--build-arg",
            &format!("API_TOKEN={token}"),
            "--build-arg",
            "DB_PASSWORD",
        ];
        let mut ended = run(project
            .unstale(engine)
            .args(arguments)
            .env("DB_PASSWORD", &password));
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let id = recorded(&project, engine)[0]["id"].as_str().unwrap().to_owned();
        for arguments in [&["log"][..], &["log", &id], &["log", &id, "--format", "json"]] {
            let shown = unstale(&project, engine, arguments);
            ended.stdout += &shown.stdout;
            ended.stderr += &shown.stderr;
        }
        assert!(
            ended.stdout.contains("arg API_TOKEN=(secret)"),
            "{}",
            ended.stdout
        );
        let state = ledger_file(&project).parent().unwrap().to_owned();
        for secret in [&token, &password] {
            assert!(!ended.stdout.contains(secret.as_str()) && !ended.stderr.contains(secret.as_str()));
            for file in std::fs::read_dir(&state).unwrap() {
                let path = file.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[test]
fn two_builds_at_once_are_both_recorded() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("both", "FROM busybox\nARG WHO\nRUN sleep 1; echo $WHO\n");
        let start = |who: &str| {
            let mut command = project.unstale(engine);
            // Under names of their own: engine 28 with the containerd store refuses one that is given at the same moment.
            let tag = format!("{}-{who}", project.name());
            command.args([
                "build",
                ".",
                "-q",
                "-t",
                &tag,
                "--build-arg",
                &format!("WHO={tag}"),
            ]);
            std::thread::spawn(move || run(&mut command))
        };
        let builds = [start("a"), start("b"), start("c")].map(|build| build.join().unwrap());
        for build in &builds {
            assert_eq!((build.code, build.stderr.as_str()), (0, ""), "{}", engine.name);
        }
        let recorded = recorded(&project, engine);
        assert_eq!(recorded.len(), 3);
        assert!(
            recorded
                .iter()
                .all(|build| build["state"] == "succeeded" && build["services"][0]["ran"] == 1)
        );
    }
}

#[test]
fn a_build_is_found_by_the_beginning_of_its_id() {
    let Some(engine) = engines().first() else {
        return testkit::left_out("no engine answers");
    };
    let _shared = engine.shared();
    let project = web("prefix", "FROM busybox\nRUN true\n");
    // Two ids with the same first digit come at the latest with the seventeenth.
    let mut ids: Vec<String> = Vec::new();
    let twin = loop {
        let built = unstale(&project, engine, &["build", "--format", "json", "-q"]).json();
        let id = built["build_id"].as_str().unwrap().to_owned();
        if let Some(twin) = ids.iter().find(|other| other[..1] == id[..1]) {
            break [twin.clone(), id];
        }
        ids.push(id);
    };
    let shown = unstale(&project, engine, &["log", &twin[0][..8]]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(
        shown.stdout.contains(&format!("build    {}", twin[0])),
        "{}",
        shown.stdout
    );
    let ambiguous = unstale(&project, engine, &["log", &twin[0][..1]]);
    assert_eq!((ambiguous.code, ambiguous.stdout.as_str()), (1, ""));
    assert!(ambiguous.stderr.contains("is ambiguous"), "{}", ambiguous.stderr);
    assert!(
        twin.iter().all(|id| ambiguous.stderr.contains(id.as_str())),
        "{}",
        ambiguous.stderr
    );
    for unknown in ["zzzz", "%", "' OR 1=1", "\u{1b}[31m"] {
        let ended = unstale(&project, engine, &["log", unknown]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{unknown}");
        assert!(
            ended.stderr.contains("no build `") && ended.stderr.contains("hint: "),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains('\u{1b}'));
    }
    let other = unstale(&project, engine, &["log", "-p", "nosuchproject"]);
    assert_eq!(
        (other.code, other.stdout.as_str()),
        (0, "no builds are recorded\n")
    );
    let limited = unstale(&project, engine, &["log", "-n", "1", "--format", "json"]).json();
    assert_eq!(limited["builds"].as_array().unwrap().len(), 1);
    assert_eq!(limited["builds"][0]["id"], twin[1].as_str());
}
