use super::*;
use crate::shell::Place;

/// The spans of a command's words in the file, and where it runs.
fn inner(text: &str, name: &str) -> (Vec<String>, Vec<String>) {
    let script = read(text);
    assert!(!script.is_broken(), "{text}");
    let command = find(&script, name);
    assert!(command.context.depth > 0, "{text}");
    let words = command
        .words
        .iter()
        .map(|word| word.span.slice(text).to_owned())
        .collect();
    let places = command.context.places.iter().map(|place| match place {
        Place::Remote { host, .. } => host.clone(),
        Place::Container => "container".to_owned(),
    });
    (words, places.collect())
}

#[test]
fn scripts_in_quotes_are_read_at_any_depth() {
    for text in [
        r#"ssh host "cd /srv && docker build --x .""#,
        r#"ssh -o StrictHostKeyChecking=no -i key -p 22 host 'docker build --x .'"#,
        r#"ssh host docker build --x ."#,
        r#"ssh host sudo docker build --x ."#,
        r#"ssh $SSH_OPTS host -t "sudo docker build --x .""#,
        r#"SSH="ssh -i key host"; $SSH 'docker build --x .'"#,
        r#"ssh host "bash -c 'docker build --x .'""#,
        r#"ssh host "bash -c \"sudo docker build --x .\"""#,
        "ssh host <<EOF\ncd x\ndocker build --x .\nEOF\n",
        "ssh host bash -s <<'EOF'\ndocker build --x .\nEOF\n",
        "ssh host 'bash -se' <<-EOF | tee log\n\tdocker build --x .\n\tEOF\n",
        "cat <<EOF | ssh host bash\ndocker build --x .\nEOF\n",
        "ssh host <<< 'docker build --x .'\n",
    ] {
        let (words, places) = inner(text, "docker");
        assert_eq!(words, ["docker", "build", "--x", "."], "{text}");
        assert_eq!(places, ["host"], "{text}");
    }
}

#[test]
fn scripts_on_this_machine_are_read_too() {
    for text in [
        r#"bash -c "docker build --x .""#,
        r#"sudo sh -ec 'docker build --x .'"#,
        r#"su - deploy -c "docker build --x .""#,
        r#"eval "docker build --x .""#,
        r#"trap 'docker build --x .' EXIT"#,
        r#"xargs -I{} sh -c 'docker build --x .'"#,
        "bash <<EOF\ndocker build --x .\nEOF\n",
        "echo 'docker build --x .' | sh\n",
        r#"timeout 60 bash -euo pipefail -c "docker build --x .""#,
    ] {
        let (words, places) = inner(text, "docker");
        assert_eq!(words, ["docker", "build", "--x", "."], "{text}");
        assert!(places.is_empty(), "{text}");
    }
}

#[test]
fn scripts_in_containers_are_told_apart() {
    let (words, places) = inner(r#"docker compose exec -T web sh -c "npm run build""#, "npm");
    assert_eq!((words.len(), places), (3, vec!["container".to_owned()]));
    assert_eq!(inner("kubectl exec x -- bash -c 'npm ci'", "npm").0.len(), 2);
}

#[test]
fn what_the_outer_shell_runs_is_not_run_by_the_inner_one() {
    let text = r#"ssh host "docker build --build-arg H=$(git rev-parse HEAD) \$(whoami)""#;
    let script = read(text);
    assert_eq!(find(&script, "git").context.depth, 0);
    assert_eq!(find(&script, "whoami").context.depth, 1);
    let gits = script.commands().iter().filter(|command| command.name() == "git");
    assert_eq!(gits.count(), 1);
    let heredoc = "ssh host <<EOF\ndocker build $(git a) \\$(whoami)\nEOF\n";
    let script = read(heredoc);
    assert_eq!(find(&script, "git").context.depth, 0);
    assert_eq!(find(&script, "whoami").context.depth, 1);
}

#[test]
fn the_settings_of_an_inner_shell_are_its_own() {
    let errexit = |text: &str| find(&read(text), "docker").context.errexit;
    use crate::shell::Errexit;
    assert_eq!(errexit("set -e\nssh host 'docker ps; x'"), Errexit::Unset);
    assert_eq!(errexit("bash -ec 'docker ps; x'"), Errexit::On);
    assert_eq!(errexit("set -e\neval 'docker ps; x'"), Errexit::On);
    assert_eq!(errexit("ssh host 'set -e; docker ps; x'"), Errexit::On);
}

#[test]
fn find_runs_commands_of_words() {
    assert_eq!(
        lines(&read(r"find . -name x -exec docker rmi {} \; -print")),
        ["find . -name x -exec docker rmi {} ; -print", "docker rmi {}"]
    );
}

#[test]
fn functions_that_run_their_arguments_are_wrappers() {
    let script = read("run() { echo \"+ $*\"; \"$@\"; }\nrun docker build .\n");
    assert_eq!(find(&script, "docker").arguments().len(), 2);
}
