//! The forms of output: plain, quiet, JSON, the live view.

use crate::bad_input::{run, unstale, web};
use insta::assert_snapshot;
use testkit::{Engine, Project, engines, unique, unstale_binary};

/// Digests, ids, times and the engine's name replaced.
fn steady(text: &str, project: &Project, engine: &Engine) -> String {
    let text = text
        .replace(project.name(), "[name]")
        .replace(&engine.version, "[version]");
    let mut steady = String::new();
    for word in text.split_inclusive([' ', '\n', ')']) {
        let (bare, end) = word.split_at(word.trim_end_matches([' ', '\n', ')']).len());
        let is_time = |text: &str| text.ends_with('s') && text[..text.len() - 1].parse::<f64>().is_ok();
        let is_offset = |text: &str| text.len() > 4 && text.contains('.') && text.parse::<f64>().is_ok();
        match bare {
            _ if bare.contains("sha256:") => {
                steady += &format!("{}sha256:[digest]", bare.split("sha256:").next().unwrap())
            }
            _ if is_time(bare) || is_offset(bare) => steady += "[time]",
            _ => steady += bare,
        }
        steady += end;
    }
    steady
}

#[test]
fn plain_progress_has_dockers_shape_and_stays_on_standard_error() {
    for engine in engines() {
        let _shared = engine.shared();
        let mark = unique("mark");
        let project = web(
            "plain",
            format!("FROM busybox\nRUN echo {mark}\nRUN echo 2 {mark}\n"),
        );
        let ended = unstale(&project, engine, &["build", "--progress", "plain"]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let text = steady(&ended.stderr, &project, engine).replace(&mark, "[mark]");
        assert!(text.starts_with("Building on docker [version] ("), "{text}");
        // Numbers depend on the order in which the engine tells of the steps; lines of several steps may alternate.
        let block = |name: &str| {
            let start = text.find(name).unwrap_or_else(|| panic!("{name}: {text}"));
            let number = text[..start].rsplit('\n').next().unwrap().trim().to_owned();
            let own = text
                .lines()
                .filter_map(|line| line.strip_prefix(&number)?.strip_prefix(' '));
            own.filter(|line| !line.starts_with("[web "))
                .map(|line| format!("#N {line}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            block("[web 2/3] RUN echo [mark]"),
            [
                "#N [time] [mark]",
                "#N DONE [time]  (first build of this service here)"
            ],
            "{}",
            engine.name
        );
        assert_eq!(
            block("[web 3/3] RUN echo 2 [mark]"),
            [
                "#N [time] 2 [mark]",
                "#N DONE [time]  (first build of this service here)"
            ],
            "{}",
            engine.name
        );
        // What a step transferred; 20.10 may tell of it long after its end.
        let load = block("[web internal] load build definition from Dockerfile");
        assert!(
            load.iter().any(|line| line.contains("transferring dockerfile: ")),
            "{load:?}"
        );
        assert!(load.iter().any(|line| line == "#N DONE [time]"), "{text}");
        assert!(
            text.ends_with("\nweb: built [name]-web sha256:[digest] in [time]\n"),
            "{text}"
        );
        assert!(ended.stdout.starts_with("\nweb  "), "{}", ended.stdout);

        let again = unstale(&project, engine, &["build", "--progress", "plain"]);
        let text = steady(&again.stderr, &project, engine).replace(&mark, "[mark]");
        for step in ["[web 2/3] RUN echo [mark]", "[web 3/3] RUN echo 2 [mark]"] {
            let after = text.split_once(step).unwrap().1.lines().nth(1).unwrap();
            let (outcome, _origin) = after.split_once("  (").unwrap_or((after, ""));
            assert!(outcome.ends_with(" CACHED"), "{text}");
        }
        assert!(again.stdout.contains("\n0 ran, 2 cached "), "{}", again.stdout);
    }
}

#[test]
fn quiet_prints_image_ids_and_nothing_else() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("quiet", "FROM busybox\nRUN echo noise; echo noise >&2\n");
        for arguments in [&["build", "--quiet"][..], &["build", "--progress", "quiet"]] {
            let ended = unstale(&project, engine, arguments);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", engine.name);
            let image = engine
                .api("GET", &format!("/images/{}-web/json", project.name()))
                .unwrap();
            assert_eq!(ended.stdout, format!("{}\n", image["Id"].as_str().unwrap()));
        }
    }
}

#[test]
fn json_is_one_document_with_the_documented_fields() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("json", format!("FROM busybox\nRUN echo {}\n", unique("mark")));
        let commit = project.commit("one");
        let document = unstale(&project, engine, &["build", "--format", "json"]).json();
        assert_eq!(document["schema"], "unstale.build/1");
        assert_eq!(document["commit"], commit.as_str());
        assert_eq!(
            (&document["dirty"], &document["interrupted"]),
            (&false.into(), &false.into())
        );
        assert!(document["builder"].as_str().unwrap().contains(&engine.version));
        assert_eq!(document["build_id"].as_str().unwrap().len(), 12);
        let service = &document["services"][0];
        let image = engine
            .api("GET", &format!("/images/{}-web/json", project.name()))
            .unwrap();
        assert_eq!(service["image_id"], image["Id"]);
        assert_eq!(
            (&service["service"], &service["up_to_date"]),
            (&"web".into(), &false.into())
        );
        assert_eq!(service["image"], format!("{}-web", project.name()));
        let step = &service["steps"][1];
        assert_eq!(
            (&step["outcome"], &step["location"]["line"]),
            (&"ran".into(), &2.into())
        );
        assert_eq!(step["location"]["file"], "Dockerfile");
        assert!(step["duration_ms"].is_u64() && step["started"].is_string() && step["completed"].is_string());
        for digest in ["digest", "stable_digest"] {
            assert!(step[digest].as_str().unwrap().starts_with("sha256:"));
        }
        let again = unstale(&project, engine, &["build", "--format", "json"]).json();
        let service = &again["services"][0];
        assert_eq!(service["up_to_date"], true);
        assert_eq!(
            (&service["steps"][1]["outcome"], &service["steps"][1]["started"]),
            (&"cached".into(), &serde_json::Value::Null)
        );
        assert_eq!(service["steps"][1]["stable_digest"], step["stable_digest"]);
    }
}

/// Runs a command on a terminal of 100 columns; gives the bytes that it wrote.
fn on_a_terminal(
    project: &Project,
    engine: &Engine,
    environment: &[(&str, &str)],
    arguments: &str,
) -> (String, vt100::Parser) {
    let line = format!(
        "stty cols 100 rows 50; exec {} {arguments} >/dev/null",
        unstale_binary().display()
    );
    let mut command = project.command(engine, "script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
    command.envs(environment.iter().copied());
    let bytes = run(&mut command).stdout;
    let mut screen = vt100::Parser::new(50, 100, 0);
    screen.process(bytes.as_bytes());
    (bytes, screen)
}

#[test]
fn the_live_view_leaves_the_steps_and_the_end_of_a_failing_steps_output_on_the_screen() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web(
            "live",
            "FROM busybox\nWORKDIR /app\nRUN for i in $(seq 25); do echo line $i; done; sleep 1; exit 7\nRUN echo never\n",
        );
        let (_, terminal) = on_a_terminal(&project, engine, &[], "build");
        let rows = terminal.screen().rows(0, 100);
        let lines: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        let screen = lines.join("\n");
        let find = |text: &str| lines.iter().position(|line| line.contains(text));
        let failed =
            find("ERROR [web 3/4] RUN for i in").unwrap_or_else(|| panic!("{}: {screen}", engine.name));
        assert!(find("│ line 5") < find("│ line 6"), "{screen}");
        assert!(
            lines[failed + 1].ends_with("│ line 6"),
            "only the last twenty lines: {screen}"
        );
        assert!(lines[failed + 20].ends_with("│ line 25"), "{screen}");
        assert!(find("failed web after").is_some(), "{screen}");
        assert!(find("Building on docker").is_some(), "{screen}");
        assert!(
            find("error: web: ").is_some() && find("Dockerfile:3").is_some(),
            "{screen}"
        );
        assert_eq!(screen.matches("line 25").count(), 1, "not said twice: {screen}");
        assert!(
            find("RUN echo never").is_none_or(|line| lines[line].contains("|")),
            "{screen}"
        );
        // No running step or spinner is left behind.
        assert!(
            !screen.contains([
                '⠁', '⠉', '⠙', '⠚', '⠒', '⠂', '⠲', '⠴', '⠤', '⠄', '⠠', '⠦', '⠖', '⠓', '⠋', '⠈'
            ]),
            "{screen}"
        );
    }
}

#[test]
fn the_live_view_marks_cached_steps_and_what_ran() {
    for engine in engines().iter().take(1) {
        let _shared = engine.shared();
        let good = format!("FROM busybox\nRUN echo {}\n", unique("mark"));
        let project = web("marks", &good);
        assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
        project.write("Dockerfile", good + "RUN sleep 0.3 && echo new\n");
        let (bytes, terminal) = on_a_terminal(&project, engine, &[], "build");
        let rows: Vec<String> = terminal.screen().rows(0, 100).collect();
        let screen = rows.join("\n");
        assert!(
            screen.contains("CACHED [web 2/3] RUN echo"),
            "{}: {screen}",
            engine.name
        );
        assert!(
            screen
                .lines()
                .any(|line| line.contains("s [web 3/3] RUN sleep 0.3 && echo new")),
            "{screen}"
        );
        assert!(
            screen.contains(&format!("built web {}-web sha256:", project.name())),
            "{screen}"
        );
        assert!(bytes.contains("\u{1b}[32m"), "colours on a terminal: {bytes:?}");

        let (bytes, _) = on_a_terminal(&project, engine, &[("NO_COLOR", "1")], "build");
        let colours = ["\u{1b}[3", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[1;"];
        assert!(!colours.iter().any(|code| bytes.contains(code)), "{bytes:?}");
        // A terminal that can do nothing gets lines.
        let (bytes, _) = on_a_terminal(&project, engine, &[("TERM", "dumb")], "build");
        assert!(bytes.contains("#1 [web internal]"), "{bytes:?}");
    }
}

#[test]
fn the_help_says_what_there_is() {
    let project = Project::new("help");
    let help = |arguments: &[&str]| {
        let ended = run(project.command_without_engine(unstale_binary()).args(arguments));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        ended.stdout
    };
    assert_snapshot!(help(&["--help"]), @r"
    Build and deploy Docker and Compose projects whose cache cannot lie

    Usage: unstale [OPTIONS] <COMMAND>

    Commands:
      build  Build the services of a Compose project, or a folder with a Dockerfile
      plan   Say what a build would run and why, without running anything
      why    Say why the steps of a build ran, and where reused results came from
      clear  Clear caches, and prove that they are cleared
      check  Find cache and staleness hazards in Dockerfiles, Compose files, scripts and CI workflows
      log    Show what was built before
      init   Write what the project promises into unstale.toml, or files that call unstale

    Options:
      -H, --host <ADDRESS>  The Docker engine to use, such as unix:///run/docker.sock or ssh://host (default: as the docker command)
      -c, --context <NAME>  The Docker context to use
      -h, --help            Print help
      -V, --version         Print version
    ");
    let build = help(&["build", "--help"]);
    for flag in [
        "--build-arg",
        "--no-cache",
        "--pull",
        "--allow-old",
        "--keep-going",
        "--progress",
        "--quiet",
        "--format",
        "--file",
        "--builder",
        "--target",
        "--secret",
    ] {
        assert!(build.contains(flag), "{flag}: {build}");
    }
    let clear = help(&["clear", "--help"]);
    for flag in ["--target", "--mount", "--force", "--yes", "--dry-run", "--wait"] {
        assert!(clear.contains(flag), "{flag}: {clear}");
    }
    assert!(help(&["log", "--help"]).contains("--limit"));
    assert!(help(&["--version"]).starts_with("unstale "));
}
