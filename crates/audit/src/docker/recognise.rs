//! Which command lines are Docker's, and what they say.

use super::action::{Action, BuilderAction, ContainerVerb, ImageTransfer, Prune, PruneScope, Run};
use super::build::{Bake, Build};
use super::compose::{ComposeBuild, ComposeRun, ComposeUp, ComposeVerb, Project};
use super::flags::{self, Table};
use super::option::{Argument, Flags, argument, split};
use crate::shell::{Command, Word};

/// A command line of Docker or of a program like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerCommand {
    /// The program.
    pub tool: Tool,
    /// The options before the verb: `--context`, `--host`, those of Compose's project.
    pub globals: Flags,
    /// The index of the verb among the command's words: of `prune` in `docker builder prune`.
    pub verb: usize,
    /// The options of the verb. Unknown ones are kept.
    pub flags: Flags,
    /// The project, for commands of Compose.
    pub project: Option<Project>,
    /// What it does.
    pub action: Action,
    /// Whether a variable that is not known can hold more options.
    pub is_open: bool,
}

/// A program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// `docker`.
    Docker,
    /// `podman`.
    Podman,
    /// `nerdctl`.
    Nerdctl,
    /// `buildah`.
    Buildah,
    /// `docker compose`, also of podman and nerdctl.
    Compose,
    /// `docker-compose`, `podman-compose`.
    ComposeStandalone,
    /// `docker buildx`, `docker-buildx`.
    Buildx,
    /// `buildctl`.
    Buildctl,
}

impl DockerCommand {
    /// What the command is, if it is one of Docker's.
    pub fn recognise(command: &Command) -> Option<DockerCommand> {
        let words = &command.words;
        let tool = tool(words.first()?, command.name())?;
        let mut reader = Reader {
            words,
            globals: Vec::new(),
        };
        match tool {
            Tool::ComposeStandalone => reader.compose(tool, 1),
            Tool::Buildx => reader.buildx(1),
            Tool::Buildctl => reader.buildctl(),
            Tool::Buildah => reader.buildah(),
            _ => reader.docker(tool),
        }
    }
}

/// The program by its name, or by the name of the variable that holds it.
fn tool(word: &Word, name: &str) -> Option<Tool> {
    let name = name.strip_suffix(".exe").unwrap_or(name);
    match name {
        "docker" => return Some(Tool::Docker),
        "podman" | "podman-remote" => return Some(Tool::Podman),
        "nerdctl" => return Some(Tool::Nerdctl),
        "buildah" => return Some(Tool::Buildah),
        "docker-compose" | "podman-compose" | "docker-compose-v1" => return Some(Tool::ComposeStandalone),
        "docker-buildx" | "buildx" => return Some(Tool::Buildx),
        "buildctl" | "buildctl-daemonless.sh" => return Some(Tool::Buildctl),
        _ => {}
    }
    let variable = word
        .as_variable()
        .filter(|_| !word.is_known())?
        .to_ascii_uppercase();
    match variable.as_str() {
        "DOCKER" | "DOCKER_CMD" | "DOCKER_BIN" | "DOCKER_CLI" | "DOCKER_EXE" | "DOCKER_COMMAND"
        | "CONTAINER_ENGINE" | "CONTAINER_RUNTIME" | "CONTAINER_TOOL" | "CONTAINER_CLI" | "CONTAINER_CMD"
        | "OCI_BIN" => Some(Tool::Docker),
        "PODMAN" => Some(Tool::Podman),
        "DOCKER_COMPOSE"
        | "DOCKER_COMPOSE_CMD"
        | "DOCKERCOMPOSE"
        | "COMPOSE"
        | "COMPOSE_CMD"
        | "COMPOSE_COMMAND"
        | "COMPOSE_BIN"
        | "DC"
        | "DC_CMD"
        | "DOCKER_COMPOSE_BIN"
        | "DOCKER_COMPOSE_COMMAND" => Some(Tool::ComposeStandalone),
        "BUILDX" | "BUILDX_CMD" | "DOCKER_BUILDX" => Some(Tool::Buildx),
        "BUILDCTL" => Some(Tool::Buildctl),
        "BUILDAH" => Some(Tool::Buildah),
        _ => None,
    }
}

struct Reader<'a> {
    words: &'a [Word],
    globals: Vec<super::option::Flag>,
}

impl Reader<'_> {
    fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// Takes options that stand before a verb. The verb's index.
    fn before(&mut self, from: usize, table: &Table) -> usize {
        let (split, end) = split(self.words, from, table);
        self.globals.extend(split.flags);
        end
    }

    fn finish(
        &mut self,
        tool: Tool,
        verb: usize,
        table: &Table,
        action: impl FnOnce(&Flags, Vec<Argument>) -> Action,
    ) -> DockerCommand {
        let (mut read, end) = split(self.words, verb + 1, table);
        let open_before = read.arguments.iter().any(|argument| argument.can_be_more);
        if !table.mixed {
            let rest = self.words.iter().enumerate().skip(end);
            read.arguments
                .extend(rest.map(|(index, word)| argument(word, index)));
        }
        let first_is_open = read
            .arguments
            .first()
            .is_some_and(|argument| argument.can_be_more);
        let flags = Flags(read.flags);
        let is_compose = matches!(tool, Tool::Compose | Tool::ComposeStandalone);
        let globals = Flags(std::mem::take(&mut self.globals));
        DockerCommand {
            tool,
            project: is_compose.then(|| Project::new(&globals)),
            globals,
            verb,
            action: action(&flags, read.arguments),
            flags,
            is_open: open_before || first_is_open,
        }
    }

    fn docker(&mut self, tool: Tool) -> Option<DockerCommand> {
        let at = self.before(1, &flags::DOCKER);
        self.words.get(at)?;
        let sub = self.text(at + 1).to_owned();
        let command = match self.text(at) {
            "compose" => return self.compose(Tool::Compose, at + 1),
            "buildx" => return self.buildx(at + 1),
            "builder" => match sub.as_str() {
                "prune" => self.prune(tool, at + 1, PruneScope::Builder),
                "build" => self.build(tool, at + 1, false),
                // `docker builder` is an alias of `docker buildx`.
                _ => return self.buildx(at + 1),
            },
            "build" => self.build(tool, at, false),
            "image" => match sub.as_str() {
                "build" => self.build(tool, at + 1, false),
                "prune" => self.prune(tool, at + 1, PruneScope::Image),
                "rm" | "remove" => self.finish(tool, at + 1, &flags::REMOVE_IMAGES, |_, list| {
                    Action::RemoveImages(list)
                }),
                "tag" => self.finish(tool, at + 1, &flags::IMAGE, |_, list| Action::Tag(list)),
                _ => match transfer(&sub) {
                    Some(transfer) => self.transfer(tool, at + 1, transfer),
                    None => self.other(tool, at, 2),
                },
            },
            "system" if sub == "prune" => self.prune(tool, at + 1, PruneScope::System),
            "volume" => match sub.as_str() {
                "prune" => self.prune(tool, at + 1, PruneScope::Volume),
                "rm" | "remove" => {
                    self.finish(tool, at + 1, &flags::IMAGE, |_, list| Action::RemoveVolumes(list))
                }
                _ => self.other(tool, at, 2),
            },
            "network" if sub == "prune" => self.prune(tool, at + 1, PruneScope::Network),
            "container" if sub == "prune" => self.prune(tool, at + 1, PruneScope::Container),
            "container" => match self.container(tool, at + 1) {
                Some(command) => command,
                None => self.other(tool, at, 2),
            },
            "stack" if matches!(sub.as_str(), "deploy" | "up") => {
                self.finish(tool, at + 1, &flags::STACK_DEPLOY, |_, list| {
                    Action::StackDeploy(list)
                })
            }
            "service" if sub == "update" => self.finish(tool, at + 1, &flags::SERVICE_UPDATE, |_, list| {
                Action::ServiceUpdate(list)
            }),
            "rmi" => self.finish(tool, at, &flags::REMOVE_IMAGES, |_, list| {
                Action::RemoveImages(list)
            }),
            "tag" => self.finish(tool, at, &flags::IMAGE, |_, list| Action::Tag(list)),
            "system" | "network" | "stack" | "service" | "context" | "plugin" | "swarm" | "manifest" => {
                self.other(tool, at, 2)
            }
            verb => match (transfer(verb), self.container(tool, at)) {
                (_, Some(command)) => command,
                (Some(transfer), None) => self.transfer(tool, at, transfer),
                (None, None) => self.other(tool, at, 1),
            },
        };
        Some(command)
    }

    /// Commands that are about containers, with or without `container` before them.
    fn container(&mut self, tool: Tool, at: usize) -> Option<DockerCommand> {
        let verb = match self.text(at) {
            "run" | "create" => {
                let only_created = self.text(at) == "create";
                return Some(self.finish(tool, at, &flags::RUN, |flags, list| {
                    Action::Run(Run::new(flags, list, only_created))
                }));
            }
            "exec" => return Some(self.finish(tool, at, &flags::EXEC, |_, list| Action::Exec(list))),
            "cp" => return Some(self.finish(tool, at, &flags::COPY, |_, list| Action::Copy(list))),
            "commit" => return Some(self.finish(tool, at, &flags::COMMIT, |_, list| Action::Commit(list))),
            "restart" => ContainerVerb::Restart,
            "start" => ContainerVerb::Start,
            "stop" => ContainerVerb::Stop,
            "kill" => ContainerVerb::Kill,
            "rm" | "remove" => ContainerVerb::Rm,
            _ => return None,
        };
        Some(self.finish(tool, at, &flags::CONTAINER, |_, list| {
            Action::Container(verb, list)
        }))
    }

    fn build(&mut self, tool: Tool, verb: usize, is_buildkit: bool) -> DockerCommand {
        self.finish(tool, verb, &flags::BUILD, |flags, list| {
            Action::Build(Build::new(flags, &list, is_buildkit))
        })
    }

    fn prune(&mut self, tool: Tool, verb: usize, scope: PruneScope) -> DockerCommand {
        let table = if tool == Tool::Buildctl {
            &flags::PRUNE
        } else {
            &flags::DOCKER_PRUNE
        };
        let builder = self
            .globals
            .iter()
            .rev()
            .find(|flag| flag.name == "builder")
            .and_then(|flag| flag.value.clone());
        self.finish(tool, verb, table, |flags, _| {
            let mut prune = Prune::new(scope, flags);
            prune.builder = prune.builder.or(builder);
            Action::Prune(prune)
        })
    }

    fn transfer(&mut self, tool: Tool, verb: usize, transfer: ImageTransfer) -> DockerCommand {
        let table = if transfer == ImageTransfer::Save {
            &flags::SAVE
        } else {
            &flags::IMAGE
        };
        self.finish(tool, verb, table, |_, list| Action::Transfer(transfer, list))
    }

    fn other(&mut self, tool: Tool, at: usize, length: usize) -> DockerCommand {
        let names: Vec<_> = self
            .words
            .iter()
            .skip(at)
            .take(length)
            .map(|word| word.text.clone())
            .collect();
        let verb = (at + names.len()).saturating_sub(1).max(at);
        self.finish(tool, verb, &flags::IMAGE, |_, _| Action::Other(names))
    }

    fn buildx(&mut self, from: usize) -> Option<DockerCommand> {
        let at = self.before(from, &flags::BUILDX);
        self.words.get(at)?;
        let tool = Tool::Buildx;
        let builder = |globals: &[super::option::Flag]| {
            globals
                .iter()
                .rev()
                .find(|flag| flag.name == "builder")
                .and_then(|flag| flag.value.clone())
        };
        let named = builder(&self.globals);
        let mut command = match self.text(at) {
            "build" | "b" => self.build(tool, at, true),
            "bake" | "f" => self.finish(tool, at, &flags::BAKE, |flags, list| {
                Action::Bake(Bake::new(flags, list))
            }),
            "prune" => self.prune(tool, at, PruneScope::Buildx),
            "create" => self.finish(tool, at, &flags::BUILDER, |flags, _| {
                Action::Builder(BuilderAction::Create {
                    name: flags.value("name").map(str::to_owned),
                    driver: flags.value("driver").map(str::to_owned),
                    is_used: flags.is_on("use"),
                })
            }),
            "use" => self.finish(tool, at, &flags::BUILDER, |_, list| {
                Action::Builder(BuilderAction::Use(list))
            }),
            "rm" => self.finish(tool, at, &flags::BUILDER, |_, list| {
                Action::Builder(BuilderAction::Rm(list))
            }),
            "install" => self.finish(tool, at, &flags::BUILDER, |_, _| {
                Action::Builder(BuilderAction::Install)
            }),
            _ => self.other(tool, at, 1),
        };
        match &mut command.action {
            Action::Build(Build { builder, .. }) | Action::Bake(Bake { builder, .. })
                if builder.is_none() =>
            {
                *builder = named;
            }
            _ => {}
        }
        Some(command)
    }

    fn buildctl(&mut self) -> Option<DockerCommand> {
        let at = self.before(1, &flags::BUILDCTL);
        self.words.get(at)?;
        let tool = Tool::Buildctl;
        Some(match self.text(at) {
            "build" | "b" => self.finish(tool, at, &flags::BUILDCTL_BUILD, |flags, _| {
                Action::Build(Build::of_buildctl(flags))
            }),
            "prune" => self.prune(tool, at, PruneScope::Buildctl),
            _ => self.other(tool, at, 1),
        })
    }

    fn buildah(&mut self) -> Option<DockerCommand> {
        let at = self.before(1, &flags::DOCKER);
        self.words.get(at)?;
        let tool = Tool::Buildah;
        Some(match self.text(at) {
            "bud" | "build" | "build-using-dockerfile" => self.build(tool, at, false),
            "rmi" => self.finish(tool, at, &flags::REMOVE_IMAGES, |_, list| {
                Action::RemoveImages(list)
            }),
            "tag" => self.finish(tool, at, &flags::IMAGE, |_, list| Action::Tag(list)),
            verb => match transfer(verb) {
                Some(transfer) => self.transfer(tool, at, transfer),
                None => self.other(tool, at, 1),
            },
        })
    }

    fn compose(&mut self, tool: Tool, from: usize) -> Option<DockerCommand> {
        let mut at = self.before(from, &flags::COMPOSE);
        // Variables before the verb can hold options: `docker compose $FILES up`.
        let mut open = false;
        while self
            .words
            .get(at)
            .is_some_and(|word| argument(word, at).can_be_more)
            && at + 1 < self.words.len()
        {
            open = true;
            at = self.before(at + 1, &flags::COMPOSE);
        }
        self.words.get(at)?;
        let mut command = match self.text(at) {
            "build" => self.finish(tool, at, &flags::COMPOSE_BUILD, |flags, list| {
                Action::ComposeBuild(ComposeBuild::new(flags, list))
            }),
            verb @ ("up" | "create") => {
                let creates = verb == "create";
                self.finish(tool, at, &flags::COMPOSE_UP, |flags, list| {
                    Action::ComposeUp(ComposeUp::new(flags, list, creates))
                })
            }
            "run" => self.finish(tool, at, &flags::COMPOSE_RUN, |flags, list| {
                Action::ComposeRun(ComposeRun::new(flags, list))
            }),
            "exec" => self.finish(tool, at, &flags::COMPOSE_EXEC, |flags, list| {
                Action::ComposeExec(ComposeRun::new(flags, list))
            }),
            verb => {
                let verb = ComposeVerb::of(verb);
                self.finish(tool, at, &flags::COMPOSE_OTHER, |_, list| {
                    Action::Compose(verb, list)
                })
            }
        };
        command.is_open |= open;
        Some(command)
    }
}

fn transfer(verb: &str) -> Option<ImageTransfer> {
    Some(match verb {
        "pull" => ImageTransfer::Pull,
        "push" => ImageTransfer::Push,
        "load" => ImageTransfer::Load,
        "save" => ImageTransfer::Save,
        "import" => ImageTransfer::Import,
        _ => return None,
    })
}
