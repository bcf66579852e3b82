//! `unstale init`: what it writes, that it overwrites nothing, and that the script does what it says.

use insta::assert_snapshot;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use testkit::{Project, left_out, tool_path, unstale_binary};

const WORKFLOW: &str = ".github/workflows/clear-caches.yml";
const SCRIPT: &str = "scripts/clear-caches.sh";

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a program; the project's folder is `[project]` in what it wrote.
fn run(project: &Project, command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let folder = project.path().canonicalize().unwrap().display().to_string();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&folder, "[project]");
    Ended {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command_without_engine(unstale_binary());
    command
        .args(["init", "--workflow", "clear-caches"])
        .args(arguments);
    command
}

/// `unstale init` on a machine without Compose.
fn init(project: &Project, arguments: &[&str]) -> Ended {
    run(
        project,
        command(project, arguments).env("PATH", tool_path(&["git"])),
    )
}

fn read(project: &Project, path: &str) -> String {
    fs::read_to_string(project.path().join(path)).unwrap()
}

fn mode(project: &Project, path: &str) -> u32 {
    let meta = fs::metadata(project.path().join(path)).unwrap();
    meta.permissions().mode() & 0o7777
}

/// All files below the project's folder, but those of git.
fn files(project: &Project) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![project.path()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_type().unwrap().is_dir() {
                if entry.file_name() != ".git" {
                    folders.push(entry.path());
                }
            } else {
                let path = entry.path();
                found.push(path.strip_prefix(project.path()).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// A linter of this machine; the test goes on without one that is missing, and says so.
fn lint(program: &str, arguments: &[&str], file: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(program) = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
    else {
        return left_out(&format!("no {program} on this machine"));
    };
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .current_dir(file.parent().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}

fn lint_all(project: &Project, script: &str) {
    lint("actionlint", &["-no-color"], &project.path().join(WORKFLOW));
    lint("shellcheck", &[], &project.path().join(script));
}

#[test]
fn the_workflow_and_its_script_are_written_and_sound() {
    let project = Project::new("init");
    let ended = init(&project, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_snapshot!(ended.stdout, @r"
    wrote .github/workflows/clear-caches.yml
    wrote scripts/clear-caches.sh
    ");
    assert_snapshot!(ended.stderr, @"warning: the workflow offers no services: the Docker Compose CLI is missing: no docker on PATH; no docker-compose on PATH");
    assert_eq!(files(&project), [WORKFLOW, SCRIPT]);
    assert_eq!((mode(&project, WORKFLOW), mode(&project, SCRIPT)), (0o644, 0o755));
    assert_snapshot!("workflow", read(&project, WORKFLOW));
    assert_snapshot!("script", read(&project, SCRIPT));
    lint_all(&project, SCRIPT);
}

#[test]
fn the_services_that_are_built_are_choices() {
    let project = Project::new("init");
    let compose = project
        .command_without_engine("docker")
        .args(["compose", "version"])
        .output();
    if !compose.is_ok_and(|output| output.status.success()) {
        return left_out("no Compose on this machine");
    }
    project.write(
        "compose.yaml",
        "services:\n  web: {build: .}\n  on: {build: .}\n  db: {image: postgres}\n  ci: {build: .}\n",
    );
    let ended = run(&project, &mut command(&project, &[]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_snapshot!(ended.stderr, @r#"warning: the workflow does not offer the service "ci": the name means something else there"#);
    let workflow = read(&project, WORKFLOW);
    let choices = workflow.lines().skip_while(|line| line.trim() != "options:");
    let choices: Vec<&str> = choices
        .skip(1)
        .map_while(|line| line.trim().strip_prefix("- "))
        .collect();
    assert_eq!(
        choices,
        [
            "all", "builder", "mounts", "images", "imports", "ci", "ledger", "'on'", "'web'"
        ]
    );
    lint_all(&project, SCRIPT);
}

#[test]
fn a_project_below_the_repositorys_root_is_where_the_script_runs() {
    let project = Project::new("init");
    project.git(&["init", "--quiet"]);
    project.write("it's/a b/compose.yaml", "services: {}\n");
    project.write("it's/a b/deeper/x", "");
    let mut command = command(&project, &[]);
    command
        .env("PATH", tool_path(&["git"]))
        .current_dir(project.path().join("it's/a b/deeper"));
    let ended = run(&project, &mut command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_snapshot!(ended.stdout, @r"
    wrote [project]/.github/workflows/clear-caches.yml
    wrote [project]/it's/a b/scripts/clear-caches.sh
    ");
    let workflow = read(&project, WORKFLOW);
    assert!(workflow.contains("        working-directory: 'it''s/a b'\n"));
    lint_all(&project, "it's/a b/scripts/clear-caches.sh");
}

#[test]
fn the_folder_is_that_of_the_compose_file_that_is_named() {
    let project = Project::new("init");
    project.write("sub/other.yml", "services: {}\n");
    assert_eq!(init(&project, &["-f", "sub/other.yml"]).code, Some(0));
    assert_eq!(
        files(&project),
        [
            "sub/.github/workflows/clear-caches.yml",
            "sub/other.yml",
            "sub/scripts/clear-caches.sh"
        ]
    );
}

#[test]
fn a_file_that_is_there_already_is_not_overwritten() {
    let project = Project::new("init");
    project.write(SCRIPT, "mine\n");
    let ended = init(&project, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let message = ended.stderr.split_once("error: ").unwrap().1;
    assert_snapshot!(message, @r"
    there already, and different: [project]/scripts/clear-caches.sh
    hint: --force overwrites; nothing was written
    ");
    assert_eq!(read(&project, SCRIPT), "mine\n");
    assert_eq!(files(&project), [SCRIPT]);

    let ended = init(&project, &["--force"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(read(&project, SCRIPT).starts_with("#!/usr/bin/env bash\n"));
    assert_eq!(mode(&project, SCRIPT), 0o755);

    // The same once more changes nothing, but a script that lost its permission to run gets it back.
    let ended = init(&project, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_snapshot!(ended.stdout, @r"
    unchanged .github/workflows/clear-caches.yml
    unchanged scripts/clear-caches.sh
    ");
    project.chmod(SCRIPT, 0o600);
    assert!(init(&project, &[]).stdout.contains("wrote scripts"));
    assert_eq!(mode(&project, SCRIPT), 0o755);
    assert_eq!(files(&project), [WORKFLOW, SCRIPT]);
}

#[test]
fn nothing_is_written_through_a_link_that_leads_out_of_the_project() {
    let outside = Project::new("init");
    for link in [".github", "scripts"] {
        let project = Project::new("init");
        symlink(outside.path(), project.path().join(link)).unwrap();
        let ended = init(&project, &["--force"]);
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.stderr.contains("leads out of [project]"),
            "{}",
            ended.stderr
        );
        assert_eq!(files(&outside), Vec::<String>::new());
    }
    // A link in the file's own place is replaced, not followed.
    let project = Project::new("init");
    let victim = outside.write("victim", "mine\n");
    fs::create_dir(project.path().join("scripts")).unwrap();
    symlink(&victim, project.path().join(SCRIPT)).unwrap();
    assert_eq!(init(&project, &[]).code, Some(1));
    assert_eq!(init(&project, &["--force"]).code, Some(0));
    assert_eq!(fs::read_to_string(victim).unwrap(), "mine\n");
    assert!(project.path().join(SCRIPT).symlink_metadata().unwrap().is_file());
}

#[test]
fn what_stands_in_the_way_is_an_error_and_leaves_nothing_behind() {
    let project = Project::new("init");
    project.write("scripts", "a file\n");
    assert_eq!(init(&project, &["--force"]).code, Some(1));
    assert_eq!(files(&project), ["scripts"]);

    let project = Project::new("init");
    project.git(&["init", "--quiet"]);
    project.write("a${{ secrets.X }}/compose.yaml", "services: {}\n");
    let ended = init(&project, &["--project-directory", "a${{ secrets.X }}"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("a workflow cannot name the folder"),
        "{}",
        ended.stderr
    );
    assert_eq!(files(&project), ["a${{ secrets.X }}/compose.yaml"]);
}

#[test]
fn an_unknown_workflow_is_answered_with_those_there_are() {
    let project = Project::new("init");
    let mut command = project.command_without_engine(unstale_binary());
    let ended = run(&project, command.args(["init", "--workflow", "deploy-all"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--workflow"), "{}", ended.stderr);
    // Without one, the contract is written, and here is nothing to promise.
    let mut command = project.command_without_engine(unstale_binary());
    let ended = run(&project, command.arg("init"));
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("nothing to check"), "{}", ended.stderr);
    let mut command = project.command_without_engine(unstale_binary());
    let ended = run(&project, command.args(["init", "--workflow", "x"]));
    assert!(
        ended.stderr.contains("[possible values: clear-caches]"),
        "{}",
        ended.stderr
    );
    assert_eq!(files(&project), Vec::<String>::new());
}

/// The script of a project, and a program in the place of `unstale` that writes down how it is called. What it prints and
/// its exit code are files.
struct Script {
    project: Project,
}

impl Script {
    fn new(code: &str, report: &str) -> Script {
        let project = Project::new("init");
        assert_eq!(init(&project, &[]).code, Some(0));
        project.write("code", code);
        project.write("report", report);
        project.write(
            "programs/unstale",
            "#!/bin/sh\nprintf '%s\\n' \"$PWD\" \"$TARGET\" \"$@\" > called\ncat report\necho progress >&2\nexit \"$(cat code)\"\n",
        );
        project.chmod("programs/unstale", 0o755);
        Script { project }
    }

    /// A `PATH` with the program.
    fn path(&self) -> String {
        format!("{}:/usr/bin:/bin", self.project.path().join("programs").display())
    }

    /// The script's command, from another folder than its own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.project.command_without_engine("bash");
        command
            .arg(self.project.path().join(SCRIPT))
            .args(arguments)
            .env("PATH", self.path())
            .current_dir("/");
        command
    }

    fn run(&self, command: &mut Command) -> Ended {
        run(&self.project, command)
    }

    /// Where unstale ran, its `TARGET` and its arguments, a line each.
    fn called(&self) -> String {
        let folder = self.project.path().canonicalize().unwrap();
        read(&self.project, "called").replace(&folder.display().to_string(), "[project]")
    }
}

#[test]
fn the_script_passes_the_target_in_the_environment() {
    let script = Script::new("0", "proven\n");
    let ended = script.run(&mut script.command(&[]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "proven\n"));
    assert_eq!(ended.stderr, "progress\n");
    assert_eq!(script.called(), "[project]\nall\nclear\n--yes\n");

    script.run(script.command(&["--format", "json"]).env("TARGET", "mounts,web"));
    assert_eq!(
        script.called(),
        "[project]\nmounts,web\nclear\n--yes\n--format\njson\n"
    );
    script.run(script.command(&[]).env("TARGET", ""));
    assert_eq!(script.called(), "[project]\nall\nclear\n--yes\n");
}

#[test]
fn the_script_finds_its_project_wherever_cd_looks_first() {
    let script = Script::new("0", "");
    let elsewhere = Project::new("init");
    fs::create_dir(elsewhere.path().join("scripts")).unwrap();
    let mut command = script.project.command_without_engine("bash");
    command.arg(SCRIPT).env("PATH", script.path());
    let ended = script.run(command.env("CDPATH", elsewhere.path()));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(script.called(), "[project]\nall\nclear\n--yes\n");
}

#[test]
fn a_hostile_target_is_a_value_and_nothing_else() {
    for target in [
        "$(touch x)",
        "`touch x`",
        "all; touch x",
        "a b  c",
        "--force",
        "-n",
        "*",
        "'\"\\",
        "%s%n",
        "a\n```\n# heading\r# heading",
    ] {
        let script = Script::new("0", "proven\n");
        let summary = script.project.path().join("summary.md");
        let mut command = script.command(&[]);
        command.env("TARGET", target).env("GITHUB_STEP_SUMMARY", &summary);
        let ended = script.run(&mut command);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(0), "proven\n"),
            "{target}"
        );
        assert_eq!(script.called(), format!("[project]\n{target}\nclear\n--yes\n"));
        assert!(!files(&script.project).contains(&"x".to_owned()), "{target}");
        // In the summary it is text: no line of it begins in the first column.
        let text = fs::read_to_string(summary).unwrap();
        let shown = text
            .strip_prefix("### Clear caches\n\nCleared, and proven.\n\n")
            .unwrap();
        assert!(
            shown
                .split(['\n', '\r'])
                .all(|line| line.is_empty() || line.starts_with("    ")),
            "{text}"
        );
    }
}

#[test]
fn the_scripts_exit_code_is_that_of_unstale_and_the_summary_says_it() {
    let table = "store  before  after\nbuilder  7  1  in use\n\nnot proven\n";
    let script = Script::new("21", table);
    let summary = script.project.path().join("summary.md");
    let run = |script: &Script| {
        let mut command = script.command(&[]);
        let ended = script.run(command.env("GITHUB_STEP_SUMMARY", &summary));
        (ended, fs::read_to_string(&summary).unwrap_or_default())
    };
    let (ended, text) = run(&script);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(21), table));
    assert_snapshot!(text.replace("    \n", "\n"), @r"
    ### Clear caches

    **Not proven**: the table says what is left, and why.

        TARGET=all

        store  before  after
        builder  7  1  in use

        not proven
    ");
    script.project.write("code", "1");
    script.project.write("report", "");
    fs::remove_file(&summary).unwrap();
    let (ended, text) = run(&script);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(text.contains("**Failed** with exit code 1"), "{text}");

    // A summary that cannot be written does not make a failure of a success, nor the other way round.
    fs::remove_file(&summary).unwrap();
    fs::create_dir(&summary).unwrap();
    for code in ["0", "21"] {
        script.project.write("code", code);
        let (ended, _) = run(&script);
        assert_eq!(ended.code.map(|code| code.to_string()).as_deref(), Some(code));
        assert!(ended.stderr.contains("WARNING: the summary cannot be written"));
    }
}

#[test]
fn a_machine_without_unstale_is_told() {
    let script = Script::new("0", "");
    let mut command = script.command(&[]);
    let ended = script.run(command.env("PATH", "/usr/bin:/bin"));
    assert_eq!(ended.code, Some(127));
    assert_snapshot!(ended.stderr, @"ERROR: unstale is not on PATH: install it on this machine, or add its folder to the PATH of the runner");
}

#[test]
fn the_examples_after_state_is_what_is_written_for_it() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let after = examples.join("watch-party-after/init");
    let project = Project::new("after");
    let compose = fs::read_to_string(examples.join("watch-party/docker-compose.yml")).unwrap();
    project.write("docker-compose.yml", compose);
    // With Compose, which knows the services.
    let ended = run(&project, &mut command(&project, &[]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    if ended.stderr.contains("Compose") {
        return left_out(&ended.stderr);
    }
    for path in [WORKFLOW, SCRIPT] {
        let kept = fs::read_to_string(after.join(path)).unwrap();
        assert_eq!(
            kept,
            read(&project, path),
            "{path}: write it again with `unstale init`"
        );
    }
    let mode = fs::metadata(after.join(SCRIPT)).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}
