//! `unstale build PATH`: a folder with a Dockerfile and no Compose file.

use super::{Built, build, image, label, on_every_engine, output, unstale_build};
use std::fs;

#[test]
fn a_folder_is_built_with_the_options_of_the_command_line() {
    on_every_engine(|engine, project| {
        let name = project.name();
        project.write(
            "docker/App",
            "FROM busybox AS wanted
ARG VALUE=default
ARG EMPTY=default
ARG FLAG=default
LABEL got=\"$VALUE|$EMPTY|$FLAG\"
COPY file /file
RUN --mount=type=secret,id=file grep -qx 'of the file' /run/secrets/file
RUN --mount=type=secret,id=TEST_SECRET grep -qx 'of the shell' /run/secrets/TEST_SECRET
RUN --mount=type=secret,id=named grep -qx 'of the shell' /run/secrets/named
RUN test \"$(ls /sys/class/net)\" = lo
FROM wanted
LABEL got=unwanted
",
        );
        project.write("app/file", "x");
        project.write("secret", "of the file\n");
        let tags = [format!("{name}-one:1"), format!("{name}-two")];
        let arguments = [
            "./app",
            "--dockerfile",
            "docker/App",
            "-t",
            &tags[0],
            "--tag",
            &tags[1],
            "--target",
            "wanted",
        ];
        let arguments = [
            &arguments[..],
            &[
                "--build-arg",
                "VALUE=flag",
                "--build-arg",
                "EMPTY",
                "--build-arg",
                "FLAG",
            ],
        ]
        .concat();
        let secrets = [
            "--secret",
            "id=file,src=secret",
            "--secret",
            "id=TEST_SECRET",
            "--secret",
            "type=env,id=named,env=TEST_SECRET",
        ];
        let others = [
            "--label",
            "own=x=y",
            "--label",
            "empty",
            "--network",
            "none",
            "--platform",
            "linux/amd64",
        ];
        let mut command = unstale_build(project, engine, &[&arguments[..], &secrets, &others].concat());
        let built = Built::run(
            command
                .env("TEST_SECRET", "of the shell")
                .env("EMPTY", "")
                .env("FLAG", "of the shell"),
        )
        .ok();
        let first = image(engine, &tags[0]);
        assert_eq!(
            [&first["Id"], &first["Id"]],
            [&image(engine, &tags[1])["Id"], &built.service("app")["image_id"]]
        );
        let labels = &first["Config"]["Labels"];
        assert_eq!(
            [&labels["got"], &labels["own"], &labels["empty"]],
            ["flag||of the shell", "x=y", ""]
        );
        assert_eq!(labels["com.docker.compose.project"], serde_json::Value::Null);
    });
}

#[test]
fn a_folders_image_is_called_as_the_folder_unless_it_is_tagged() {
    on_every_engine(|engine, project| {
        let folder = format!("{}-Folder", project.name());
        project.write(format!("{folder}/Dockerfile"), "FROM busybox\nLABEL found=yes\n");
        build(project, engine, &[&format!("./{folder}")]).ok();
        assert_eq!(label(engine, &folder.to_lowercase(), "found"), "yes");
        // The current folder, too.
        let mut command = unstale_build(project, engine, &["."]);
        Built::run(command.current_dir(project.path().join(&folder))).ok();
    });
}

#[test]
fn a_folders_steps_reach_keys_from_files() {
    on_every_engine(|engine, project| {
        output(
            project
                .command_without_engine("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", "key"]),
        );
        project.write("Dockerfile", format!("FROM busybox\nRUN --mount=type=ssh test -S \"$SSH_AUTH_SOCK\" && echo {}\nRUN --mount=type=ssh,id=other test -S \"$SSH_AUTH_SOCK\"\n", project.name()));
        let arguments = ["./", "--ssh", "default=key", "--ssh", "other=key"];
        assert_eq!(
            build(project, engine, &arguments).ok().outcomes(project.name()),
            ["ran", "ran"]
        );
        fs::remove_file(project.path().join("key")).unwrap();
        build(project, engine, &arguments).refused(20, &["ssh \"default\"", "key"]);
    });
}

#[test]
fn flags_that_make_no_sense_are_refused_by_name() {
    on_every_engine(|engine, project| {
        project.write("Dockerfile", "FROM busybox\n");
        project.write("compose.yaml", "services: {app: {build: .}}\n");
        for (arguments, code, word) in [
            (&[".", "--secret", "src=x"][..], 1, "--secret"),
            (
                &[".", "--secret", "id=x,env=NO_SUCH_VARIABLE"],
                1,
                "NO_SUCH_VARIABLE",
            ),
            (&[".", "--network", "of-mine"], 1, "--network"),
            (&["--network", "none", "app"], 2, "--network"),
            (&[".", "app"], 2, "\".\""),
        ] {
            build(project, engine, arguments).refused(code, &[word]);
        }
    });
}
