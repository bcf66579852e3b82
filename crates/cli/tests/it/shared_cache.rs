//! `[cache] shared`: what one machine builds another one reuses, until any of them clears it.

use crate::options::{Built, output, unstale_build};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use testkit::web::{Answer, Server};
use testkit::{Engine, Project, Registry, buildkitd, engine, left_out, registry};

/// A machine: an engine, and what unstale remembers there.
struct Machine<'a> {
    engine: &'a Engine,
    project: &'a Project,
}

impl Machine<'_> {
    fn state(&self) -> String {
        let state = self
            .project
            .path()
            .join("..")
            .join(format!("state-{}", self.engine.name));
        state.to_string_lossy().into_owned()
    }

    fn build(&self, arguments: &[&str]) -> Built {
        let mut command = unstale_build(self.project, self.engine, arguments);
        Built::run(command.env("XDG_STATE_HOME", self.state())).ok()
    }

    fn unstale(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let mut command = self.project.unstale(self.engine);
        command.env("XDG_STATE_HOME", self.state()).args(arguments);
        let output = command.args(["--format", "json"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        let document = serde_json::from_slice(&output.stdout);
        let document = document.unwrap_or_else(|error| panic!("{}: {error}: {text}", self.engine.name));
        (output.status.code(), document)
    }

    fn clear(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let first = ["clear", "--target", "imports", "--yes"];
        self.unstale(&[&first, arguments].concat())
    }
}

/// Runs a test with two machines whose engines have the same kind of image store, so that their base images are the same.
fn on_two_machines(test: impl Fn(&Machine, &Machine, &Registry)) {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    for (one, two) in [("d28c", "d29"), ("d28", "d20")] {
        let (Some(one), Some(two)) = (engine(one), engine(two)) else {
            left_out(&format!("{one} and {two} are not both there"));
            continue;
        };
        let project = Project::new("shared");
        let _locks = (one.shared(), two.shared());
        let [one, two] = [one, two].map(|engine| Machine {
            engine,
            project: &project,
        });
        write(&one, &two, &registry);
        test(&one, &two, &registry);
    }
}

/// Two services on a base image that both engines have from the registry; one uses the shared cache.
fn write(one: &Machine, two: &Machine, registry: &Registry) {
    let (project, name) = (one.project, one.project.name());
    let base = format!("{}/{name}-base:1", registry.host);
    let docker = |machine: &Machine, arguments: &[&str]| {
        output(project.command(machine.engine, "docker").args(arguments));
    };
    docker(one, &["tag", "unstale-base", &base]);
    docker(one, &["push", "--quiet", &base]);
    docker(two, &["pull", "--quiet", &base]);
    project.write("code", name);
    project.write(
        "Dockerfile",
        format!("FROM {base}\nCOPY code /{name}-code\nRUN date +%N > /{name}\n"),
    );
    let service = format!("{{image: \"{name}-app\", build: .}}");
    project.write(
        "compose.yaml",
        format!("name: {name}\nservices: {{app: {service}}}\n"),
    );
    project.write(
        "unstale.toml",
        format!("[cache]\nshared = \"{}/{name}\"\n", registry.host),
    );
}

/// Where the reused results of a build were imported from.
fn imported(built: &Built) -> Vec<String> {
    let steps = built.service("app")["steps"].as_array().unwrap().iter();
    let origins = steps
        .map(|step| &step["origin"])
        .filter(|origin| origin["kind"] == "imported");
    origins
        .map(|origin| origin["ref"].as_str().unwrap().to_owned())
        .collect()
}

/// The tags of the project's shared cache.
fn tags(registry: &Registry, project: &Project) -> Vec<String> {
    let mut connection = TcpStream::connect(&registry.host).unwrap();
    let path = format!("/v2/{}/tags/list", project.name());
    write!(
        connection,
        "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n",
        registry.host
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let document: Value = serde_json::from_str(body).unwrap();
    let tags = document["tags"].as_array().into_iter().flatten();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_one_machine_builds_another_reuses_until_one_clears_it() {
    on_two_machines(|one, two, registry| {
        let name = two.engine.name.as_str();
        assert_eq!(one.build(&[]).outcomes("app"), ["ran", "ran"], "{name}");
        let built = two.build(&[]);
        let repository = format!("{}/{}:cache-", registry.host, one.project.name());
        let from = imported(&built);
        assert!(
            !from.is_empty() && from.iter().all(|from| from.contains(&repository)),
            "{name}: {from:?}: {:#}",
            built.service("app")
        );
        if name != "d20" {
            // The steps of Engine 20.10 have other keys than those of 28.5.
            assert_eq!(built.outcomes("app"), ["cached", "cached"], "{name}");
        }

        // What two has reused is in its own cache by now: a clear on one holds there as well.
        let (code, document) = one.clear(&[]);
        assert_eq!(code, Some(0), "{name}: {document:#}");
        let store = &document["stores"][1];
        assert_eq!(
            (&store["store"], &store["after"]["records"]),
            (&"shared-cache".into(), &0.into()),
            "{name}"
        );
        let (_, plan) = two.unstale(&["plan"]);
        let steps = plan["services"][0]["steps"].as_array().unwrap().iter();
        let steps: Vec<&Value> = steps.filter(|step| step["kind"] == "instruction").collect();
        assert!(
            steps.iter().all(|step| step["outcome"] == "run"),
            "{name}: {steps:#?}"
        );
        assert!(
            steps.iter().any(|step| step["cause"]["kind"] == "cleared"),
            "{name}: {steps:#?}"
        );
        let built = two.build(&[]);
        assert_eq!(built.outcomes("app"), ["ran", "ran"], "{name}: {}", built.stderr);

        // And what is made after it is shared again.
        let built = two.build(&[]);
        assert_eq!(
            built.outcomes("app"),
            ["cached", "cached"],
            "{name}: {}",
            built.stderr
        );
        assert!(!built.stderr.contains("warning"), "{name}: {}", built.stderr);
        let built = one.build(&[]);
        let reused = built
            .outcomes("app")
            .iter()
            .filter(|outcome| **outcome == "cached")
            .count();
        assert_eq!(
            imported(&built).len(),
            reused,
            "{name}: an own result is from before the clear"
        );
    });
}

#[test]
fn a_stand_alone_builder_shares_its_cache_as_well() {
    let (Some(registry), Some(buildkitd)) = (registry(), buildkitd()) else {
        return left_out("no registry or no buildkitd answers");
    };
    let (Some(engine), Some(other)) = (engine("d28"), engine("d28c")) else {
        return left_out("d28 and d28c are not both there");
    };
    let project = Project::new("shared");
    let _locks = (engine.shared(), other.shared(), buildkitd.shared());
    let [engine, other] = [engine, other].map(|engine| Machine {
        engine,
        project: &project,
    });
    // The base image in the registry is that of the last push.
    write(&other, &engine, &registry);
    let built = engine.build(&["--builder", &buildkitd.unix]);
    assert_eq!(built.outcomes("app"), ["ran", "ran"]);
    assert!(!built.stderr.contains("warning"), "{}", built.stderr);
    let built = other.build(&[]);
    assert_eq!(built.outcomes("app"), ["cached", "cached"], "{}", built.stderr);
    assert_eq!(imported(&built).len(), 2);
    assert_eq!(other.clear(&[]).0, Some(0));
    let built = engine.build(&["--builder", &buildkitd.unix]);
    assert_eq!(built.outcomes("app"), ["ran", "ran"], "{}", built.stderr);
}

#[test]
fn another_project_of_the_machine_keeps_its_cache() {
    on_two_machines(|one, two, _| {
        let other = Project::new("other");
        other.write(
            "Dockerfile",
            format!("FROM unstale-base\nRUN echo {} > /a\n", other.name()),
        );
        let machine = Machine {
            engine: two.engine,
            project: &other,
        };
        let outcomes = |built: &Built| built.outcomes(built.services()[0]).join(" ");
        assert_eq!(outcomes(&machine.build(&["."])), "ran");
        two.build(&[]);
        assert_eq!(one.clear(&[]).0, Some(0));
        two.build(&[]);
        let again = machine.build(&["."]);
        assert_eq!(
            outcomes(&again),
            "cached",
            "{}: {}",
            two.engine.name,
            again.stderr
        );
    });
}

#[test]
fn caches_are_deleted_in_the_registry_if_that_is_wanted() {
    on_two_machines(|one, _, registry| {
        let (name, project) = (&one.engine.name, one.project);
        one.build(&[]);
        let [cache] = &tags(registry, project)
            .into_iter()
            .filter(|tag| tag != "cache-epoch")
            .collect::<Vec<_>>()[..]
        else {
            panic!("{name}: not one cache: {:?}", tags(registry, project));
        };
        // Without it, everything stays in the registry.
        assert_eq!(one.clear(&[]).0, Some(0), "{name}");
        assert!(tags(registry, project).contains(cache), "{name}");
        let (code, document) = one.clear(&["--remote"]);
        assert_eq!(code, Some(0), "{name}: {document:#}");
        assert_eq!(
            document["stores"][1]["before"]["records"], 1,
            "{name}: {document:#}"
        );
        assert_eq!(tags(registry, project), ["cache-epoch"], "{name}");
    });
}

#[test]
fn an_image_of_the_registry_that_is_no_cache_is_not_deleted() {
    let (Some(engine), Some(registry)) = (engine("d28"), registry()) else {
        return left_out("no registry answers, or d28 is not there");
    };
    let project = Project::new("shared");
    let _lock = engine.shared();
    let machine = Machine {
        engine,
        project: &project,
    };
    write(&machine, &machine, &registry);
    machine.build(&[]);
    // The cache of this engine is in the image, which the project keeps in the same repository.
    let image = format!("{}/{}:release", registry.host, project.name());
    let docker = |arguments: &[&str]| output(project.command(engine, "docker").args(arguments));
    docker(&["tag", &format!("{}-app", project.name()), &image]);
    docker(&["push", "--quiet", &image]);
    let (code, document) = machine.clear(&["--remote"]);
    assert_eq!(code, Some(0), "{document:#}");
    let left = document["stores"][1]["leftovers"][0]["reason"].as_str().unwrap();
    assert!(left.contains("has another tag of the same image"), "{left}");
    assert!(tags(&registry, &project).contains(&"release".to_owned()));
}

#[test]
fn a_registry_that_is_down_stops_no_build_and_proves_no_clear() {
    let (Some(engine), Some(registry)) = (engine("d28c"), registry()) else {
        return left_out("no registry answers, or d28c is not there");
    };
    let project = Project::new("shared");
    let _lock = engine.shared();
    let machine = Machine {
        engine,
        project: &project,
    };
    write(&machine, &machine, &registry);
    // Nothing listens there.
    project.write("unstale.toml", "[cache]\nshared = \"127.0.0.1:1/cache\"\n");
    let built = machine.build(&[]);
    let warning = "the shared cache is not used: cannot reach the registry 127.0.0.1:1";
    assert!(built.stderr.contains(warning), "{}", built.stderr);
    let (code, document) = machine.clear(&[]);
    assert_eq!(
        (code, &document["proven"]),
        (Some(21), &false.into()),
        "{document:#}"
    );
    let left = document["stores"][1]["leftovers"][0]["reason"].as_str().unwrap();
    assert!(
        left.starts_with("cannot reach the registry 127.0.0.1:1: Connection refused"),
        "{left}"
    );
    project.write(
        "unstale.toml",
        format!("[cache]\nshared = \"{}/{}\"\n", registry.host, project.name()),
    );
    assert_eq!(machine.clear(&[]).0, Some(0));
}

/// A registry with a marker, cleared at a moment, that takes nothing.
fn read_only(cleared: u64) -> Server {
    let empty = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:0","size":2}"#;
    let annotations = format!(r#"{{"unstale.cleared":"{cleared}000000000"}}"#);
    let marker = format!(
        r#"{{"schemaVersion":2,"artifactType":"application/vnd.unstale.cache.epoch.v1","config":{empty},"layers":[{empty}],"annotations":{annotations}}}"#
    );
    Server::start(move |request, _| match request.line.split_once(' ') {
        Some(("GET", path)) if path.ends_with("/manifests/cache-epoch") => Answer::new(200, marker.clone()),
        Some(("GET", path)) if path.contains("/tags/list") => Answer::new(200, r#"{"tags":["cache-epoch"]}"#),
        Some(("GET" | "HEAD", path)) if !path.ends_with("/v2/") => Answer::new(404, ""),
        Some(("GET", _)) => Answer::new(200, ""),
        _ => Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#),
    })
}

#[test]
fn a_registry_that_takes_nothing_fails_no_build_and_proves_no_clear() {
    let Some(registry) = registry() else {
        return left_out("no registry answers");
    };
    for name in ["d28", "d28c"] {
        let Some(engine) = engine(name) else {
            left_out(&format!("{name} is not there"));
            continue;
        };
        let project = Project::new("shared");
        let _lock = engine.shared();
        let machine = Machine {
            engine,
            project: &project,
        };
        write(&machine, &machine, &registry);
        let shared = |server: &Server| {
            let host = server.url.strip_prefix("http://").unwrap();
            project.write("unstale.toml", format!("[cache]\nshared = \"{host}/cache\"\n"));
        };
        let server = read_only(1_000_000_000);
        shared(&server);
        let built = machine.build(&[]);
        assert!(
            built.stderr.contains("the shared cache was not written"),
            "{name}: {}",
            built.stderr
        );
        let (code, document) = machine.clear(&[]);
        assert_eq!(
            (code, &document["proven"]),
            (Some(21), &false.into()),
            "{name}: {document:#}"
        );
        assert!(document.to_string().contains("read only"), "{name}: {document:#}");

        // A clock that is wrong is said.
        let server = read_only(4_000_000_000);
        shared(&server);
        let built = machine.build(&[]);
        assert!(
            built.stderr.contains("ahead of this machine's clock"),
            "{name}: {}",
            built.stderr
        );
    }
}
