use super::*;

#[test]
fn commands_stand_in_the_order_of_the_text_wherever_they_are() {
    let script = read(
        "a 1\nif b; then c; elif d; then e; else f; fi\nfor x in $(g); do h $x; done\n\
         while i; do j; done\ncase $x in k) l ;; *) m ;; esac\n(n; o) | { p; }\nq() { r; }\n\
         s \"$(t \"$(u)\")\" && v || w &\n! x1\n",
    );
    assert!(!script.is_broken());
    let names: Vec<_> = script.commands().iter().map(Command::name).collect();
    assert_eq!(names.join(" "), "a b c d e f g h i j l m n o p r s t u v w x1");
}

#[test]
fn a_line_of_assignments_is_not_a_part_of_the_next_command() {
    let script = read("A=1 B=2\nexport C\nD=3 E=4\ndocker build .\n");
    assert_eq!(lines(&script), ["export C", "docker build ."]);
    assert!(find(&script, "docker").assignments.is_empty());
    let names: Vec<_> = script.assignments().iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["A", "B", "D", "E"]);
}

#[test]
fn wrappers_are_taken_off_and_kept() {
    for (text, wrappers) in [
        ("sudo -E -u root docker ps", 1),
        ("sudo A=b docker ps", 1),
        ("env -i A=b C=d docker ps", 1),
        ("time docker ps", 1),
        ("nohup timeout -k 5 60 docker ps", 2),
        ("nice -n 5 docker ps", 1),
        ("exec docker ps", 1),
        ("command docker ps", 1),
        ("xargs -r -n 1 docker ps", 1),
        ("doppler run --project x -- docker ps", 1),
        ("A=b docker ps", 0),
        ("/usr/bin/docker ps", 0),
    ] {
        let script = read(text);
        let command = find(&script, "docker");
        assert_eq!(command.arguments().len(), 1, "{text}");
        assert_eq!(command.wrappers.len(), wrappers, "{text}");
    }
    assert_eq!(lines(&read("command -v docker")), ["command -v docker"]);
    assert_eq!(lines(&read("sudo -i")), ["sudo -i"]);
}

#[test]
fn what_is_set_for_a_command_is_found_through_env_too() {
    for text in [
        "DOCKER_BUILDKIT=0 docker build .",
        "sudo env DOCKER_BUILDKIT=0 docker build .",
    ] {
        let script = read(text);
        let [assignment] = find(&script, "docker").assignments.as_slice() else {
            panic!("{text}");
        };
        assert_eq!(assignment.name, "DOCKER_BUILDKIT");
        assert_eq!(assignment.span.slice(text), "DOCKER_BUILDKIT=0");
        assert!(assignment.exported);
    }
}

#[test]
fn words_behind_a_redirection_are_arguments() {
    let script = read("docker build 2>&1 -t x > log . 2>/dev/null\n");
    assert_eq!(lines(&script), ["docker build -t x ."]);
    let command = find(&script, "docker");
    assert_eq!(command.redirections.len(), 3);
    assert!(command.hides_errors());
    assert!(find(&read("x >/dev/null 2>&1"), "x").hides_errors());
    assert!(!find(&read("x 2>&1 >/dev/null"), "x").hides_errors());
}

#[test]
fn spans_are_those_of_the_command_the_pipeline_and_the_statement() {
    let text = "x && sudo docker build \\\n  . 2>&1 | tee log || exit 1\n";
    let script = read(text);
    let docker = find(&script, "docker");
    assert_eq!(docker.span.slice(text), "sudo docker build \\\n  .");
    assert_eq!(
        docker.pipeline.slice(text),
        "sudo docker build \\\n  . 2>&1 | tee log"
    );
    assert_eq!(docker.statement.slice(text), text.trim_end());
    assert_eq!(docker.words[1].span.slice(text), "build");
}

#[test]
fn what_is_broken_is_left_out() {
    let script = read("docker build .\nif x; then\n  docker push y\n");
    assert!(script.is_broken());
    let found = lines(&script);
    assert!(found.contains(&"docker build .".to_owned()), "{found:?}");
    assert!(found.contains(&"docker push y".to_owned()), "{found:?}");
}
