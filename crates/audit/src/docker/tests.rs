//! Command lines, and what they say.

use super::*;
use crate::MappedText;
use crate::shell::{Dialect, Script};

fn read(text: &str) -> DockerCommand {
    let script = Script::read(&MappedText::verbatim(text, 0), Dialect::script());
    script
        .commands()
        .iter()
        .find_map(DockerCommand::recognise)
        .unwrap_or_else(|| panic!("{text}"))
}

fn is_none(text: &str) -> bool {
    let script = Script::read(&MappedText::verbatim(text, 0), Dialect::script());
    script
        .commands()
        .iter()
        .all(|command| DockerCommand::recognise(command).is_none())
}

fn texts(list: &[Argument]) -> Vec<&str> {
    list.iter().map(|argument| argument.text.as_str()).collect()
}

fn build(text: &str) -> Build {
    match read(text).action {
        Action::Build(build) => build,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_build_is_one_under_all_its_names() {
    for text in [
        "docker build .",
        "sudo docker image build .",
        "docker --context x -H tcp://y builder build .",
        "docker buildx build .",
        "docker buildx --builder z b .",
        "docker-buildx build .",
        "podman build .",
        "nerdctl -n k8s.io build .",
        "buildah bud .",
        "DOCKER=podman; $DOCKER build .",
        "$DOCKER build .",
        "${DOCKER_CMD} build .",
        "D=\"sudo docker\"; $D build .",
        "/usr/bin/docker build .",
    ] {
        assert_eq!(build(text).context.unwrap().text, ".", "{text}");
    }
    for text in [
        "docker",
        "docker --version",
        "dockerd build .",
        "$X build .",
        "echo docker build .",
        "docker-compose",
    ] {
        assert!(is_none(text), "{text}");
    }
}

#[test]
fn the_options_of_a_build_are_read_as_the_program_does() {
    let text = "docker build -t a:1 --tag=b -tc --build-arg A=1 --build-arg=B --no-cache --pull=false -f x/Dockerfile \
                --platform linux/amd64,linux/arm64 --target prod --secret id=s,src=f -q --foo --label l ctx";
    let own = build(text);
    assert_eq!(own.tags, ["a:1", "b", "c"]);
    assert_eq!(own.dockerfile.as_deref(), Some("x/Dockerfile"));
    assert_eq!(own.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(own.target.as_deref(), Some("prod"));
    assert!(own.no_cache && !own.pull && !own.push);
    assert_eq!(own.context.as_ref().unwrap().text, "ctx");
    let args: Vec<_> = own
        .build_args
        .iter()
        .map(|arg| (arg.name.as_str(), arg.value.as_deref(), arg.span.slice(text)))
        .collect();
    assert_eq!(
        args,
        [("A", Some("1"), "--build-arg A=1"), ("B", None, "--build-arg=B")]
    );
    assert_eq!(own.build_args[0].words, 6..8);
    let command = read(text);
    assert!(command.flags.get("foo").is_some());
    assert!(command.flags.is_off("pull"));
    assert!(command.flags.is_on("quiet"));
}

#[test]
fn caches_are_read() {
    let own = build(
        "docker buildx build --cache-from type=gha,scope=x --cache-from repo/app:cache --cache-to type=registry,ref=repo/app:cache,mode=max --load .",
    );
    let from: Vec<_> = own
        .cache_from
        .iter()
        .map(|cache| (cache.kind.as_str(), cache.reference.as_deref()))
        .collect();
    assert_eq!(from, [("gha", None), ("registry", Some("repo/app:cache"))]);
    assert_eq!(own.cache_from[0].attributes["scope"], "x");
    assert_eq!((own.cache_to[0].mode(), own.cache_from[0].mode()), ("max", "min"));
    assert!(own.load && own.is_buildkit);
}

#[test]
fn options_from_variables_are_options() {
    let own = build("ARGS=\"--build-arg A=1 --no-cache\"; docker build $ARGS .");
    assert_eq!((own.build_args.len(), own.no_cache), (1, true));
    let own = read("docker build $ARGS -t x .");
    assert!(own.is_open);
    assert!(!read("docker build -t $X .").is_open);
    assert!(!read("docker build \"$X\"").is_open);
}

#[test]
fn prunes_say_what_they_clear() {
    let prune = |text: &str| match read(text).action {
        Action::Prune(prune) => prune,
        other => panic!("{text}: {other:?}"),
    };
    for (text, scope, all) in [
        ("docker builder prune -af", PruneScope::Builder, true),
        ("docker builder prune -f", PruneScope::Builder, false),
        ("docker builder prune --all --force", PruneScope::Builder, true),
        ("docker builder prune --all=false -f", PruneScope::Builder, false),
        ("docker buildx prune -f", PruneScope::Buildx, false),
        ("docker system prune -af --volumes", PruneScope::System, true),
        ("docker image prune -f", PruneScope::Image, false),
        ("docker volume prune -f -a", PruneScope::Volume, true),
        ("docker container prune -f", PruneScope::Container, false),
        ("buildctl prune --all", PruneScope::Buildctl, true),
        ("podman system prune -a -f", PruneScope::System, true),
    ] {
        let prune = prune(text);
        assert_eq!((prune.scope, prune.all), (scope, all), "{text}");
    }
    let own = prune("docker builder prune -f --filter until=24h --keep-storage 5GB");
    assert_eq!(own.filters, ["until=24h"]);
    assert_eq!(own.keeps.as_deref(), Some("5GB"));
    assert!(own.force);
    assert_eq!(
        prune("docker buildx --builder x prune -f").builder.as_deref(),
        Some("x")
    );
    assert_eq!(
        prune("docker buildx prune --builder=x -f").builder.as_deref(),
        Some("x")
    );
    assert_eq!(prune("buildctl prune -f until=1h").filters, ["until=1h"]);
    let command = read("docker builder prune -aqf");
    assert!(
        command
            .flags
            .iter()
            .all(|flag| flag.in_cluster && flag.words == (3..4))
    );
    assert_eq!(command.verb, 2);
}

#[test]
fn compose_is_read_in_both_forms() {
    let up = |text: &str| match read(text) {
        DockerCommand {
            action: Action::ComposeUp(up),
            project: Some(project),
            ..
        } => (up, project),
        other => panic!("{text}: {other:?}"),
    };
    for text in [
        "docker compose -f a.yml -f b.yml -p x --profile y --env-file .env up -d --build --force-recreate web api",
        "docker-compose -fa.yml --file=b.yml -p x --profile y --env-file .env up --detach --build --force-recreate web api",
        "$DOCKER_COMPOSE -f a.yml -f b.yml -p x --profile y --env-file .env up -d --build --force-recreate web api",
        "DC=\"docker compose -f a.yml -f b.yml\"; sudo $DC -p x --profile y --env-file .env up -d web --build api --force-recreate",
    ] {
        let (up, project) = up(text);
        assert!(
            up.build && up.detach && up.force_recreate && !up.no_build,
            "{text}"
        );
        assert_eq!(texts(&up.services), ["web", "api"], "{text}");
        assert_eq!(project.files, ["a.yml", "b.yml"], "{text}");
        assert_eq!(project.name.as_deref(), Some("x"), "{text}");
        assert_eq!(
            (project.profiles.len(), project.env_files.len()),
            (1, 1),
            "{text}"
        );
    }
    assert_eq!(
        up("docker compose up --pull always").0.pull.as_deref(),
        Some("always")
    );
    assert_eq!(texts(&up("docker compose up -t 5 web").0.services), ["web"]);
    assert!(read("docker compose $FILES up -d").is_open);
    let build = match read("docker-compose build --parallel --build-arg A=1 --no-cache --pull web").action {
        Action::ComposeBuild(build) => build,
        other => panic!("{other:?}"),
    };
    assert!(build.no_cache && build.pull);
    assert_eq!((texts(&build.services), build.build_args.len()), (vec!["web"], 1));
    let run = match read("docker compose run --rm -e A=b --build web npm run build --rm").action {
        Action::ComposeRun(run) => run,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (
            run.service.unwrap().text.as_str(),
            texts(&run.command).len(),
            run.build
        ),
        ("web", 4, true)
    );
    for (text, verb) in [
        ("docker compose restart web", ComposeVerb::Restart),
        ("docker compose down -v --rmi all", ComposeVerb::Down),
        ("docker compose pull -q", ComposeVerb::Pull),
        ("docker-compose logs -f", ComposeVerb::Show),
        ("docker compose config", ComposeVerb::Config),
    ] {
        assert!(
            matches!(read(text).action, Action::Compose(found, _) if found == verb),
            "{text}"
        );
    }
}

#[test]
fn containers_and_images_are_told() {
    let run = match read("docker run -d --rm -v a:/b --mount type=bind,src=x,dst=y --name n -p 80:80 -it --pull=always img:1 sh -c 'x -v y'").action {
        Action::Run(run) => run,
        other => panic!("{other:?}"),
    };
    assert_eq!(run.image.unwrap().text, "img:1");
    assert_eq!(run.volumes, ["a:/b", "type=bind,src=x,dst=y"]);
    assert_eq!(
        (run.name.as_deref(), run.pull.as_deref()),
        (Some("n"), Some("always"))
    );
    assert!(run.detach && run.remove);
    for (text, expected) in [
        (
            "docker restart -t 5 a b",
            Action::Container(ContainerVerb::Restart, Vec::new()),
        ),
        (
            "docker container rm -f a b",
            Action::Container(ContainerVerb::Rm, Vec::new()),
        ),
        ("docker rmi -f a b", Action::RemoveImages(Vec::new())),
        ("docker image rm a b", Action::RemoveImages(Vec::new())),
        ("docker volume rm a b", Action::RemoveVolumes(Vec::new())),
        ("docker tag a b", Action::Tag(Vec::new())),
        ("docker cp a:/x b", Action::Copy(Vec::new())),
        ("docker commit -m x a b", Action::Commit(Vec::new())),
        (
            "docker pull --platform x a b",
            Action::Transfer(ImageTransfer::Pull, Vec::new()),
        ),
        (
            "docker image push a b",
            Action::Transfer(ImageTransfer::Push, Vec::new()),
        ),
        (
            "docker save -o x a b",
            Action::Transfer(ImageTransfer::Save, Vec::new()),
        ),
        ("docker exec -it -w / a b", Action::Exec(Vec::new())),
        (
            "docker stack deploy -c x.yml a b",
            Action::StackDeploy(Vec::new()),
        ),
        (
            "docker service update --force --image x a b",
            Action::ServiceUpdate(Vec::new()),
        ),
    ] {
        let action = read(text).action;
        assert_eq!(
            std::mem::discriminant(&action),
            std::mem::discriminant(&expected),
            "{text}"
        );
        let (Action::Container(_, list)
        | Action::RemoveImages(list)
        | Action::RemoveVolumes(list)
        | Action::Tag(list)
        | Action::Copy(list)
        | Action::Commit(list)
        | Action::Transfer(_, list)
        | Action::Exec(list)
        | Action::StackDeploy(list)
        | Action::ServiceUpdate(list)) = action
        else {
            panic!("{text}");
        };
        assert_eq!(list.len(), 2, "{text}");
    }
    assert_eq!(
        read("docker system df -v").action,
        Action::Other(vec!["system".to_owned(), "df".to_owned()])
    );
}

#[test]
fn bake_and_builders_are_told() {
    let bake = match read(
        "docker buildx bake -f docker-bake.hcl --set '*.platform=linux/amd64' --load --no-cache a b",
    )
    .action
    {
        Action::Bake(bake) => bake,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (texts(&bake.targets), bake.files.len(), bake.set.len()),
        (vec!["a", "b"], 1, 1)
    );
    assert!(bake.load && bake.no_cache && !bake.push);
    assert_eq!(
        read("docker buildx create --name x --driver docker-container --use").action,
        Action::Builder(BuilderAction::Create {
            name: Some("x".into()),
            driver: Some("docker-container".into()),
            is_used: true
        })
    );
    let own = build(
        "buildctl --addr x build --frontend dockerfile.v0 --opt build-arg:A=1 --opt filename=D --export-cache type=inline --import-cache type=registry,ref=r --local context=.",
    );
    assert_eq!(
        (own.build_args[0].name.as_str(), own.dockerfile.as_deref()),
        ("A", Some("D"))
    );
    assert_eq!(
        (
            own.cache_to[0].kind.as_str(),
            own.cache_from[0].reference.as_deref()
        ),
        ("inline", Some("r"))
    );
}
