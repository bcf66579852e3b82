//! Dockerfiles, images and steps that mean harm, or do not know measure.

use super::{run, unstale, web};
use std::process::Stdio;
use testkit::{Engine, Project, engines, left_out, unstale_binary};

/// No control character but line breaks and tabs, nothing that a terminal or a CI runner obeys.
fn assert_harmless(text: &str) {
    let hostile =
        |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!text.contains(hostile), "{text:?}");
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("::"), "{line:?}");
        assert!(!line.contains("##["), "{line:?}");
    }
}

#[test]
fn nothing_of_a_dockerfile_or_its_output_reaches_a_terminal_or_runner_as_an_order() {
    let escapes = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
    let dockerfile = format!(
        "FROM busybox\n\
         LABEL a=\"{escapes}\"\n\
         RUN echo '::set-env name=PATH::/evil{escapes}' && echo '##[add-mask]x' && printf '\\033[2J\\033]0;t\\007\\r::error::x\\n'\n\
         RUN printf '\\033[31m::stop-commands::x\\n##[group]y\\n' && echo '##[error]{escapes}' && false\n"
    );
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("hostile", &dockerfile);
        for arguments in [
            &["build", "--progress", "plain", "--no-cache"][..],
            &["build", "--quiet"],
            &["build", "--format", "json", "--quiet"],
            &["log"],
        ] {
            let ended = run(project
                .unstale(engine)
                .args(arguments)
                .env("GITHUB_ACTIONS", "true"));
            assert_harmless(&ended.stderr);
            if arguments.contains(&"json") {
                assert!(!ended.stdout.contains('\u{1b}') && !ended.stdout.contains('\u{9b}'));
                ended.json();
            } else {
                assert_harmless(&ended.stdout);
            }
        }
        let id = super::recorded(&project, engine)[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let shown = run(project
            .unstale(engine)
            .args(["log", &id])
            .env("GITHUB_ACTIONS", "true"));
        assert_eq!(shown.code, 0);
        assert_harmless(&shown.stdout);
    }
}

#[test]
fn an_error_of_the_engine_is_harmless_too() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web(
            "words",
            "FROM busybox\nFOO \u{1b}[2J ::error::x\nCOPY ##[group] /\n",
        );
        let ended = run(project
            .unstale(engine)
            .args(["build", "-q"])
            .env("GITHUB_ACTIONS", "1"));
        assert_eq!(ended.code, 20);
        assert_harmless(&ended.stderr);
        let project = Project::new("name");
        project.write(
            "compose.yaml",
            "services:\n  web:\n    build: .\n    image: \"x\\e[31m::y\"\n",
        );
        let ended = run(project
            .unstale(engine)
            .args(["build", "-q"])
            .env("GITHUB_ACTIONS", "1"));
        assert_ne!(ended.code, 0);
        assert_harmless(&ended.stderr);
    }
}

/// Runs under a limit on address space being impractical (threads reserve a lot), so the peak is read afterwards.
fn peak_megabytes(engine: &Engine, project: &Project, arguments: &[&str]) -> Option<u64> {
    let mut command = project.command(engine, "/usr/bin/env");
    command.args(["bash", "-c", "\"$@\" & pid=$!; while kill -0 $pid 2>/dev/null; do grep VmHWM /proc/$pid/status 2>/dev/null; sleep 0.2; done; wait $pid", "-"]);
    command.arg(unstale_binary()).args(arguments);
    command.stderr(Stdio::null());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let peak = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .max();
    peak.map(|kilobytes| kilobytes / 1024)
}

#[test]
fn a_hundred_megabytes_of_output_and_a_line_without_end_take_bounded_memory() {
    // The newest engine passes the most on; all of them clip a step's output, which is no reason to rely on it.
    let Some(engine) = engines().last() else {
        return left_out("no engine answers");
    };
    let _shared = engine.shared();
    let plain = &["build", "--progress", "plain"][..];
    for (what, arguments) in [
        ("yes 'a line of output, and another one'", plain),
        ("tr '\\0' x </dev/zero", plain),
        ("yes 'another line'", &["build", "--format", "json", "-q"]),
    ] {
        let mark = testkit::unique("mark");
        let dockerfile = format!("FROM busybox\nRUN {what} | head -c 100000000 # {mark}\n");
        let project = web("loud", dockerfile);
        match peak_megabytes(engine, &project, arguments) {
            Some(peak) => assert!(peak < 100, "{what}: {peak} MB"),
            None => left_out("/proc/PID/status tells no VmHWM"),
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_of_ours() {
    let Some(engine) = engines().first() else {
        return left_out("no engine answers");
    };
    let _shared = engine.shared();
    let project = web("pipe", "FROM busybox\nRUN true\n");
    assert_eq!(unstale(&project, engine, &["build", "-q"]).code, 0);
    let program = unstale_binary().display().to_string();
    let shell = |script: &str| run(project.command(engine, "bash").args(["-c", script]));
    for arguments in [
        "log",
        "log --format json",
        "build --format json",
        "--help",
        "build --progress plain 2>&1",
    ] {
        // Nobody ever reads.
        let ended = shell(&format!("{program} {arguments} | true; echo ${{PIPESTATUS[0]}}"));
        assert_eq!(ended.stdout.trim(), "0", "{arguments}: {}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
    assert_eq!(shell(&format!("{program} build >&- 2>&-")).code, 0);
}
