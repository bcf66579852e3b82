//! What steps find when they run: network, hosts, limits, privileges, secrets, ssh.

use super::{Built, build, is_modern, on_every_engine, output, unstale_build};
use std::fs;
use std::process::{Child, Command, Stdio};
use testkit::{Engine, Project};

#[test]
fn steps_run_in_the_network_that_is_asked_for() {
    on_every_engine(|engine, project| {
        let options = engine.api("GET", "/networks/bridge").unwrap()["Options"].clone();
        let bridge = options["com.docker.network.bridge.name"]
            .as_str()
            .unwrap()
            .to_owned();
        let run = |test: &str| format!("FROM busybox\nRUN {test}\n");
        project.write(
            "default",
            run(&format!(
                "test -e /sys/class/net/eth0 -a ! -e /sys/class/net/{bridge}"
            )),
        );
        project.write("none", run("test \"$(ls /sys/class/net)\" = lo"));
        project.write("host", run(&format!("test -e /sys/class/net/{bridge}")));
        project.write(
            "compose.yaml",
            "services:
  unset: {build: {context: ., dockerfile: default}}
  default: {build: {context: ., dockerfile: default, network: default}}
  none: {build: {context: ., dockerfile: none, network: none}}
  host: {build: {context: ., dockerfile: host, network: host}}
",
        );
        build(project, engine, &[]).ok();
    });
}

#[test]
fn steps_know_the_extra_hosts() {
    on_every_engine(|engine, project| {
        let networks = engine.api("GET", "/networks/bridge").unwrap();
        let gateway = networks["IPAM"]["Config"][0]["Gateway"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let has =
            |address: &str, name: &str| format!("RUN grep -E '^{address}[[:space:]]+{name}$' /etc/hosts\n");
        project.write(
            "Dockerfile",
            format!(
                "FROM busybox\n{}{}",
                has("10.9.8.7", "one.test"),
                has("fd00::1", "two.test")
            ),
        );
        project.write(
            "gateway",
            format!("FROM busybox\n{}", has(&gateway, "gateway.test")),
        );
        project.write(
            "compose.yaml",
            "services:
  list: {build: {context: ., extra_hosts: ['one.test:10.9.8.7', 'two.test=[fd00::1]']}}
  mapping: {build: {context: ., extra_hosts: {one.test: 10.9.8.7, two.test: 'fd00::1'}}}
  gateway: {build: {context: ., dockerfile: gateway, extra_hosts: ['gateway.test:host-gateway']}}
",
        );
        build(project, engine, &["list", "mapping"]).ok();
        let built = build(project, engine, &["gateway"]);
        if is_modern(engine) {
            built.ok();
        } else {
            built.refused(20, &["services.gateway.build.extra_hosts", "host-gateway"]);
        }
    });
}

#[test]
fn steps_have_the_limits_and_the_shared_memory_that_are_asked_for() {
    on_every_engine(|engine, project| {
        project.write("ulimits", "FROM busybox\nRUN test $(ulimit -Sn) = 1234 && test $(ulimit -Hn) = 2345\nRUN grep -E '^Max processes +4321 +4321 ' /proc/self/limits\n");
        project.write(
            "shm",
            "FROM busybox\nRUN test $(df -k /dev/shm | awk 'NR == 2 {print $2}') = 131072\n",
        );
        project.write(
            "compose.yaml",
            "services:
  ulimits: {build: {context: ., dockerfile: ulimits, ulimits: {nofile: {soft: 1234, hard: 2345}, nproc: 4321}}}
  shm: {build: {context: ., dockerfile: shm, shm_size: 128m}}
",
        );
        if is_modern(engine) {
            build(project, engine, &[]).ok();
            return;
        }
        let since = "Docker Engine 23";
        build(project, engine, &["ulimits"]).refused(20, &["services.ulimits.build.ulimits", since]);
        build(project, engine, &["shm"]).refused(20, &["services.shm.build.shm_size", since]);
    });
}

/// Docker's engines allow the host's network by default, and no insecure steps.
#[test]
fn privileges_are_asked_for_and_what_the_engine_forbids_is_named() {
    on_every_engine(|engine, project| {
        // The flag of a single step is newer than the option for all.
        let flag = if is_modern(engine) { "--network=host " } else { "" };
        project.write("Dockerfile", format!("FROM busybox\nRUN {flag}true\n"));
        project.write(
            "compose.yaml",
            "services:
  host: {build: {context: ., entitlements: [network.host]}}
  privileged: {build: {context: ., privileged: true}}
  insecure: {build: {context: ., entitlements: [security.insecure]}}
",
        );
        build(project, engine, &["host"]).ok();
        build(project, engine, &["privileged"])
            .refused(20, &["services.privileged.build.privileged", "security.insecure"]);
        build(project, engine, &["insecure"])
            .refused(20, &["services.insecure.build.entitlements", "security.insecure"]);
    });
}

#[test]
fn secrets_come_from_files_and_variables_also_of_dotenv_alone() {
    on_every_engine(|engine, project| {
        let check = |id: &str, value: &str| {
            format!("RUN --mount=type=secret,id={id},required=true grep -qx '{value}' /run/secrets/{id}\n")
        };
        let secrets = [
            ("file", "of the file"),
            ("renamed", "of the shell"),
            ("dotenv", "of .env"),
        ];
        let steps: String = secrets.iter().map(|(id, value)| check(id, value)).collect();
        project.write(
            "Dockerfile",
            format!("FROM busybox\nENV OWN={}\n{steps}", project.name()),
        );
        project.write("secrets/file", "of the file\n");
        project.write(".env", "ONLY_IN_DOTENV=of .env\n");
        project.write(
            "compose.yaml",
            "services:
  app: {build: {context: ., secrets: [file, {source: shell, target: renamed}, dotenv]}}
secrets:
  file: {file: ./secrets/file}
  shell: {environment: TEST_SECRET}
  dotenv: {environment: ONLY_IN_DOTENV}
",
        );
        let built = Built::run(unstale_build(project, engine, &[]).env("TEST_SECRET", "of the shell")).ok();
        assert_eq!(built.outcomes("app"), ["ran", "ran", "ran"]);
        build(project, engine, &[]).refused(1, &["services.app.build.secrets.shell", "TEST_SECRET"]);
        fs::remove_file(project.path().join("secrets/file")).unwrap();
        let built =
            Built::run(unstale_build(project, engine, &["--no-cache"]).env("TEST_SECRET", "of the shell"));
        built.refused(20, &["secrets/file"]);
    });
}

#[test]
fn steps_reach_the_users_ssh_agent_and_keys_from_files() {
    on_every_engine(|engine, project| {
        let public = with_ssh_client(project);
        let agent = Agent::start(project, engine);
        fs::write(project.path().join("context/public"), public).unwrap();
        let has_key = |id: &str| {
            format!(
                "RUN --mount=type=ssh{id} ssh-add -L | cut -d' ' -f1-2 > /{id}keys && cmp /{id}keys /public\n",
                id = id
            )
        };
        project.write(
            "context/agent",
            format!("FROM busybox\nCOPY . /\n{}", has_key("")),
        );
        project.write(
            "context/file",
            format!("FROM busybox\nCOPY . /\n{}", has_key(",id=deploy")),
        );
        project.write(
            "compose.yaml",
            "services:
  agent: {build: {context: context, dockerfile: agent, ssh: [default]}}
  file: {build: {context: context, dockerfile: file, ssh: [deploy=./key]}}
",
        );
        Built::run(unstale_build(project, engine, &[]).env("SSH_AUTH_SOCK", &agent.socket)).ok();
        build(project, engine, &["agent"]).refused(20, &["agent: ssh \"default\"", "SSH_AUTH_SOCK"]);
    });
}

/// Makes a key, and a context with the machine's own `ssh-add`; gives the public key.
fn with_ssh_client(project: &Project) -> String {
    output(
        project
            .command_without_engine("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "key"]),
    );
    let client = output(
        project
            .command_without_engine("sh")
            .args(["-c", "command -v ssh-add"]),
    );
    let libraries = output(project.command_without_engine("ldd").arg(client.trim()));
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain([client.trim()]) {
        let target = if file == client.trim() {
            "/usr/bin/ssh-add"
        } else {
            file
        };
        let target = project
            .path()
            .join("context")
            .join(target.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
    let public = fs::read_to_string(project.path().join("key.pub")).unwrap();
    public.split_whitespace().take(2).collect::<Vec<_>>().join(" ") + "\n"
}

/// An ssh agent with the project's key; ends with this value.
struct Agent {
    socket: String,
    process: Child,
}

impl Agent {
    fn start(project: &Project, engine: &Engine) -> Agent {
        use std::io::{BufRead as _, BufReader};
        let socket = project.path().join("agent.sock").display().to_string();
        let mut command: Command = project.command(engine, "ssh-agent");
        let mut process = command
            .args(["-D", "-a", &socket])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It prints the socket once it listens there.
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        output(
            project
                .command_without_engine("ssh-add")
                .args(["-q", "key"])
                .env("SSH_AUTH_SOCK", &socket),
        );
        Agent { socket, process }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
