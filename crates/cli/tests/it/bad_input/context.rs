//! Contexts that cannot be read or sent.

use super::{recorded, run, unstale, web};
use insta::assert_snapshot;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use testkit::{Engine, Project, engines, left_out, unstale_binary};

/// `unstale` as somebody whom file permissions bind: as we are, or as root without the privilege to ignore them.
pub(super) fn without_privileges(project: &Project, engine: Option<&Engine>) -> Option<Command> {
    let base = |program: &OsStr| match engine {
        Some(engine) => project.command(engine, program),
        None => project.command_without_engine(program),
    };
    project.write("probe", "");
    project.chmod("probe", 0o000);
    let bound = std::fs::File::open(project.path().join("probe")).is_err();
    std::fs::remove_file(project.path().join("probe")).unwrap();
    if bound {
        return Some(base(unstale_binary().as_os_str()));
    }
    let drop = "--bounding-set=-dac_override,-dac_read_search";
    let works = Command::new("setpriv").args([drop, "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        left_out("setpriv cannot drop root's privileges");
        return None;
    }
    let mut command = base(OsStr::new("setpriv"));
    command.arg(drop).arg(unstale_binary());
    Some(command)
}

#[test]
fn an_unreadable_file_fails_the_build_unless_it_is_ignored() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("unreadable", "FROM busybox\nCOPY . /app/\n");
        project.write("keys/secret.key", "not for everybody");
        project.chmod("keys/secret.key", 0o000);
        let Some(mut command) = without_privileges(&project, Some(engine)) else {
            return;
        };
        let ended = run(command.args(["build", "--quiet"]));
        assert_eq!(ended.code, 20, "{}: {}", engine.name, ended.stderr);
        insta::allow_duplicates! {
            assert_snapshot!(ended.message(&project), @r#"
        error: web: cannot send the build context "context": cannot read "keys/secret.key" in the build context: Permission denied (os error 13)
        hint: make it readable (chmod u+rX), or add "keys/secret.key" to .dockerignore
        "#);
        }
        assert_eq!(recorded(&project, engine)[0]["state"], "failed");
        project.write(".dockerignore", "keys/*.key\n");
        let ended = run(without_privileges(&project, Some(engine))
            .unwrap()
            .args(["build", "--quiet"]));
        assert_eq!(ended.code, 0, "{}: {}", engine.name, ended.stderr);
    }
}

#[test]
fn an_unreadable_folder_fails_the_build_unless_it_is_ignored() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("locked", "FROM busybox\nCOPY . /app/\n");
        project.write("data/base/table", "rows");
        project.chmod("data/base", 0o000);
        let Some(mut command) = without_privileges(&project, Some(engine)) else {
            return;
        };
        let ended = run(command.args(["build", "--quiet"]));
        assert_eq!(ended.code, 20, "{}: {}", engine.name, ended.stderr);
        insta::allow_duplicates! {
            assert_snapshot!(ended.message(&project), @r#"
        error: web: cannot send the build context "context": cannot read "data/base" in the build context: Permission denied (os error 13)
        hint: make it readable (chmod u+rX), or add "data/base" to .dockerignore
        "#);
        }
        project.write(".dockerignore", "data\n");
        let ended = run(without_privileges(&project, Some(engine))
            .unwrap()
            .args(["build", "--quiet"]));
        assert_eq!(ended.code, 0, "{}: {}", engine.name, ended.stderr);
        project.chmod("data/base", 0o700);
    }
}

#[test]
fn a_file_name_that_is_not_utf8_fails_the_build_unless_it_is_ignored() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("latin", "FROM busybox\nCOPY . /app/\n");
        project.write(OsStr::from_bytes(b"old/caf\xe9.txt"), "latin-1");
        let ended = unstale(&project, engine, &["build", "--quiet"]);
        assert_eq!(ended.code, 20, "{}: {}", engine.name, ended.stderr);
        insta::allow_duplicates! {
            assert_snapshot!(ended.message(&project), @r#"
        error: web: cannot send the build context "context": file name in the build context is not valid UTF-8: "old/caf\xe9.txt"
        hint: rename it, or add its folder or a pattern with `?` for the odd bytes to .dockerignore
        "#);
        }
        for pattern in ["old\n", "old/caf?.txt\n"] {
            project.write(".dockerignore", pattern);
            let ended = unstale(&project, engine, &["build", "--quiet"]);
            assert_eq!(ended.code, 0, "{} {pattern}: {}", engine.name, ended.stderr);
        }
    }
}

#[test]
fn a_context_that_only_the_dockerfile_leaves_alone_is_never_read() {
    for engine in engines() {
        let _shared = engine.shared();
        let project = web("unused", "FROM busybox\nCOPY good /good\n");
        project.write("good", "1");
        project.write("secret", "2");
        project.chmod("secret", 0o000);
        let Some(mut command) = without_privileges(&project, Some(engine)) else {
            return;
        };
        let ended = run(command.args(["build", "--quiet"]));
        assert_eq!(ended.code, 0, "{}: {}", engine.name, ended.stderr);
    }
}
