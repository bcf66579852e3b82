//! Reads a file as what it is. What cannot be read is a [`Problem`], never a failure.

use crate::bake::BakeFile;
use crate::compose::{ComposeError, ComposeFile};
use crate::docker::DockerCommand;
use crate::dockerignore::IgnoreFile;
use crate::makefile::Makefile;
use crate::project::Problem;
use crate::shell::{self, Dialect, Script};
use crate::workflow::{Pipeline, Workflow, expressions};
use crate::yaml::Yaml;
use crate::{Confidence, FileKind, MappedText, PackageManifest, Source, Span};
use unstale_dockerfile::{Dockerfile, Frontend, Interpreter};

/// A shell script, and where in a file it stands.
#[derive(Debug)]
pub struct EmbeddedScript {
    /// Where.
    pub place: ScriptPlace,
    /// What it does.
    pub script: Script,
    /// Its commands that are Docker's or of programs like it, each with its index among [`Script::commands`].
    pub docker: Vec<(usize, DockerCommand)>,
}

impl EmbeddedScript {
    fn read(place: ScriptPlace, text: &MappedText, dialect: Dialect) -> EmbeddedScript {
        let script = Script::read(text, dialect);
        let docker = script
            .commands()
            .iter()
            .enumerate()
            .filter_map(|(index, command)| Some((index, DockerCommand::recognise(command)?)))
            .collect();
        EmbeddedScript {
            place,
            script,
            docker,
        }
    }
}

/// Where a shell script stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptPlace {
    /// It is the file.
    Whole,
    /// A line of a recipe: [`Makefile::recipes`], and its lines.
    Recipe(usize, usize),
    /// A step of a job: [`Workflow::jobs`], and its steps.
    Step(usize, usize),
    /// A job's script: [`Pipeline::jobs`].
    Job(usize),
    /// What runs after a job's script: [`Pipeline::jobs`].
    AfterJob(usize),
    /// A `RUN`: [`Dockerfile::instructions`].
    Run(usize),
}

/// What a file says.
#[derive(Debug)]
pub enum Content {
    /// A Dockerfile.
    Dockerfile(Dockerfile),
    /// A Compose file.
    Compose(ComposeFile),
    /// A Makefile.
    Makefile(Makefile),
    /// A workflow or an action of GitHub Actions.
    GithubWorkflow(Workflow),
    /// A pipeline of GitLab CI.
    GitlabPipeline(Pipeline),
    /// A bake file.
    Bake(BakeFile),
    /// An ignore file.
    Ignore(IgnoreFile),
    /// The manifest of a package manager.
    Package(PackageManifest),
    /// A shell script: what it does is in the file's scripts.
    Script,
    /// It could not be read.
    Unreadable,
}

/// What reading a file gives.
pub(crate) struct Read {
    pub content: Content,
    pub scripts: Vec<EmbeddedScript>,
    pub problem: Option<Problem>,
}

impl Read {
    fn of(content: Content) -> Read {
        Read {
            content,
            scripts: Vec::new(),
            problem: None,
        }
    }

    fn unreadable(source: &Source, span: Span, message: &str) -> Read {
        let confidence = match is_yaml_template(source.text()) {
            true => Confidence::Low,
            false => Confidence::High,
        };
        Read {
            problem: Some(problem(span, message, confidence)),
            ..Read::of(Content::Unreadable)
        }
    }
}

/// Reads.
pub(crate) fn read(source: &Source, kind: FileKind) -> Read {
    match kind {
        FileKind::Dockerfile => dockerfile(source),
        FileKind::Makefile => {
            let makefile = Makefile::of(source.text());
            Read {
                scripts: recipes(&makefile),
                ..Read::of(Content::Makefile(makefile))
            }
        }
        FileKind::Script => {
            let text = MappedText::verbatim(source.text(), 0);
            let whole = EmbeddedScript::read(ScriptPlace::Whole, &text, Dialect::script());
            Read {
                scripts: vec![whole],
                ..Read::of(Content::Script)
            }
        }
        FileKind::Compose => match ComposeFile::read(source) {
            Ok(compose) => Read::of(Content::Compose(compose)),
            Err(ComposeError::Yaml(error)) => Read::unreadable(source, error.span, &error.message),
            // Something else under such a name is nobody's fault.
            Err(ComposeError::Other) => Read::of(Content::Unreadable),
        },
        FileKind::GithubWorkflow => with_yaml(source, |yaml| {
            let workflow = Workflow::of(source, yaml);
            Read {
                scripts: steps(&workflow),
                ..Read::of(Content::GithubWorkflow(workflow))
            }
        }),
        FileKind::GitlabPipeline => with_yaml(source, |yaml| {
            let pipeline = Pipeline::of(source, yaml);
            Read {
                scripts: jobs(&pipeline),
                ..Read::of(Content::GitlabPipeline(pipeline))
            }
        }),
        FileKind::Bake => {
            let bake = BakeFile::of(source);
            let problem = bake
                .fault
                .as_ref()
                .map(|fault| problem(fault.span, &fault.message, Confidence::High));
            Read {
                problem,
                ..Read::of(Content::Bake(bake))
            }
        }
        // What is wrong with one is the package manager's to say.
        FileKind::Package => Read::of(match PackageManifest::read(source.name(), source.text()) {
            Some(manifest) => Content::Package(manifest),
            None => Content::Unreadable,
        }),
        FileKind::DockerIgnore => {
            let file = IgnoreFile::of(source);
            let fault = file.faults().first();
            let problem = fault.map(|fault| problem(fault.span, &fault.message, Confidence::High));
            Read {
                problem,
                ..Read::of(Content::Ignore(file))
            }
        }
    }
}

fn with_yaml(source: &Source, read: impl FnOnce(&Yaml) -> Read) -> Read {
    match Yaml::parse(source.text()) {
        Ok(yaml) => read(&yaml),
        Err(error) => Read::unreadable(source, error.span, &error.message),
    }
}

fn dockerfile(source: &Source) -> Read {
    let dockerfile = Dockerfile::parse(source.text());
    // A frontend of the file's own choice may take what the engine's refuses, and a template is no file yet.
    let confidence = match dockerfile.directive("syntax") {
        _ if is_template(source.text()) => Confidence::Low,
        Some(_) => Confidence::Medium,
        None => Confidence::High,
    };
    // Which engine builds it is not known: flags that any has are taken as known.
    let problems = dockerfile.problems_for(Frontend::Named);
    let problem = problems
        .first()
        .map(|first| problem(first.span, &first.message, confidence));
    Read {
        scripts: runs(&dockerfile),
        problem,
        ..Read::of(Content::Dockerfile(dockerfile))
    }
}

/// The scripts of `RUN`, where a shell runs them.
fn runs(dockerfile: &Dockerfile) -> Vec<EmbeddedScript> {
    let all = dockerfile.instructions.iter().enumerate();
    all.filter(|(_, instruction)| instruction.keyword == "RUN")
        .filter_map(|(index, instruction)| {
            let command = instruction.command_text()?;
            let dialect = match &command.interpreter {
                Interpreter::Default => Dialect::dockerfile(),
                Interpreter::Shell(words) if is_shell(words.first()?) => {
                    Dialect::of_command(&words.join(" "))
                }
                Interpreter::Shebang(line) if line.split_whitespace().any(is_shell) => {
                    Dialect::of_command(line)
                }
                Interpreter::Shell(_) | Interpreter::Shebang(_) => return None,
            };
            let text = MappedText::verbatim(command.text.as_str(), command.span.start);
            Some(EmbeddedScript::read(ScriptPlace::Run(index), &text, dialect))
        })
        .collect()
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    ["sh", "bash", "ash", "dash", "ksh", "zsh"].contains(&name)
}

fn recipes(makefile: &Makefile) -> Vec<EmbeddedScript> {
    let shell = Dialect::of_command(&format!("{} {}", makefile.shell(), makefile.shell_flags()));
    let mut scripts = Vec::new();
    for (index, recipe) in makefile.recipes.iter().enumerate() {
        for (number, line) in recipe.lines.iter().enumerate() {
            let dialect = Dialect {
                ignored: line.ignore_errors,
                ..shell
            };
            scripts.push(EmbeddedScript::read(
                ScriptPlace::Recipe(index, number),
                &line.text,
                dialect,
            ));
        }
    }
    scripts
}

fn steps(workflow: &Workflow) -> Vec<EmbeddedScript> {
    let mut scripts = Vec::new();
    for (index, job) in workflow.jobs.iter().enumerate() {
        for (number, step) in job.steps.iter().enumerate() {
            let Some(run) = step.run.as_ref().filter(|run| run.shell.name.is_some()) else {
                continue;
            };
            let ignored = step
                .continue_on_error
                .as_ref()
                .is_some_and(|text| text.value == "true");
            let dialect = Dialect {
                errexit: run.shell.errexit,
                pipefail: run.shell.pipefail,
                ignored,
            };
            let text = shell::mask(&run.script, &expressions(run.script.text()));
            scripts.push(EmbeddedScript::read(
                ScriptPlace::Step(index, number),
                &text,
                dialect,
            ));
        }
    }
    scripts
}

fn jobs(pipeline: &Pipeline) -> Vec<EmbeddedScript> {
    let mut scripts = Vec::new();
    for (index, job) in pipeline.jobs.iter().enumerate() {
        let places = [
            (ScriptPlace::Job(index), &job.script),
            (ScriptPlace::AfterJob(index), &job.after_script),
        ];
        for (place, script) in places {
            if !script.text.text().is_empty() {
                let text = shell::mask(&script.text, &expressions(script.text.text()));
                scripts.push(EmbeddedScript::read(place, &text, Dialect::gitlab()));
            }
        }
    }
    scripts
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "<%", "%%", "@@"]
        .iter()
        .any(|mark| text.contains(mark))
}

/// The same for YAML, in which `${{ … }}` are the expressions of workflows.
fn is_yaml_template(text: &str) -> bool {
    ["{%", "<%"].iter().any(|mark| text.contains(mark)) || text.replace("${{", "").contains("{{")
}

fn problem(span: Span, message: &str, confidence: Confidence) -> Problem {
    Problem {
        span,
        message: message.to_owned(),
        confidence,
    }
}
