//! Where a variable is put into the environment of commands: by scripts, Makefiles, workflows and pipelines.

use crate::shell::{Assignment, Command, Value};
use crate::workflow::Pair;
use crate::{Content, Edit, EmbeddedScript, FileId, Project, ScriptPlace, Span};

/// A place that puts a variable into the environment.
#[derive(Debug, Clone)]
pub(crate) struct EnvSetting {
    /// The file.
    pub file: FileId,
    /// Where.
    pub span: Span,
    /// Its value.
    pub value: String,
    /// What to edit so that it is gone; empty where that is not known.
    pub removal: Vec<Edit>,
    /// Whether it holds for one command alone.
    pub is_for_one_command: bool,
}

/// All places that put a variable with a known value into the environment, in the order of the files.
pub(crate) fn settings(project: &Project, name: &str) -> Vec<EnvSetting> {
    let mut found = Vec::new();
    for (file, read) in project.files() {
        for script in &read.scripts {
            if !matches!(script.place, ScriptPlace::Run(_)) {
                of_script(project, file, script, name, &mut found);
            }
        }
        match &read.content {
            Content::GithubWorkflow(workflow) => {
                of_pairs(file, &workflow.env, name, &mut found);
                for job in &workflow.jobs {
                    of_pairs(file, &job.env, name, &mut found);
                    job.steps.iter().for_each(|step| of_pairs(file, &step.env, name, &mut found));
                }
            }
            Content::GitlabPipeline(pipeline) => {
                of_pairs(file, &pipeline.variables, name, &mut found);
                pipeline.jobs.iter().for_each(|job| of_pairs(file, &job.variables, name, &mut found));
            }
            Content::Makefile(makefile) => {
                for variable in makefile.variables.iter().filter(|variable| variable.name == name) {
                    let line = read.source.whole_lines(variable.name_span);
                    let is_exported = line.slice(read.source.text()).trim_start().starts_with("export ");
                    if let (true, Some(value)) = (is_exported, variable.literal()) {
                        found.push(EnvSetting {
                            file,
                            span: Span::new(variable.name_span.start, variable.value_span.end),
                            value: value.trim().to_owned(),
                            removal: Vec::new(),
                            is_for_one_command: false,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    // `NAME=value env command` is both a setting of the script and of the command.
    found.sort_by_key(|setting| (setting.file, setting.span.start, !setting.is_for_one_command));
    found.dedup_by_key(|setting| (setting.file, setting.span.start));
    found
}

fn of_script(project: &Project, file: FileId, embedded: &EmbeddedScript, name: &str, found: &mut Vec<EnvSetting>) {
    let script = &embedded.script;
    let text = project.file(file).source.text();
    let mut add = |assignment: &Assignment, is_for_one_command: bool| {
        let Value::Scalar(word) = &assignment.value else {
            return;
        };
        if !word.is_known() {
            return;
        }
        let removal = match is_for_one_command {
            true => Vec::new(),
            false => whole_line(project, file, assignment.span),
        };
        found.push(EnvSetting {
            file,
            span: assignment.span,
            value: word.text.clone(),
            removal,
            is_for_one_command,
        });
    };
    let exports = |command: &Command| {
        matches!(command.name(), "export" | "declare" | "typeset")
            && command.arguments().iter().any(|word| word.text == name)
    };
    let is_exported_later = script.commands().iter().any(exports);
    for assignment in script.assignments().iter().filter(|assignment| assignment.name == name) {
        // What is set for one command stands among its own.
        let is_own = |command: &Command| command.assignments.iter().any(|own| own.span == assignment.span);
        if (assignment.exported || is_exported_later) && !script.commands().iter().any(is_own) {
            add(assignment, false);
        }
    }
    for command in script.commands() {
        for assignment in command.assignments.iter().filter(|assignment| assignment.name == name) {
            add(assignment, true);
        }
    }
    // `echo "NAME=value" >> "$GITHUB_ENV"`.
    for command in script.commands().iter().filter(|command| command.name() == "echo") {
        let to_env = command.redirections.iter().any(|one| one.target.contains("GITHUB_ENV"));
        let set = command.arguments().iter().find_map(|word| Some((word, word.text.strip_prefix(name)?.strip_prefix('=')?)));
        if let (true, Some((word, value))) = (to_env && text.is_char_boundary(command.span.end), set) {
            found.push(EnvSetting {
                file,
                span: word.span,
                value: value.to_owned(),
                removal: Vec::new(),
                is_for_one_command: false,
            });
        }
    }
}

/// The line of an `export NAME=value` that stands alone on it.
fn whole_line(project: &Project, file: FileId, span: Span) -> Vec<Edit> {
    let source = &project.file(file).source;
    let line = source.whole_lines(span);
    let before = Span::new(line.start, span.start.max(line.start)).slice(source.text()).trim();
    let after = Span::new(span.end.min(line.end), line.end).slice(source.text()).trim();
    match (before.is_empty() || before == "export") && (after.is_empty() || after.starts_with('#')) {
        true => vec![Edit {
            file,
            span: line,
            content: String::new(),
        }],
        false => Vec::new(),
    }
}

fn of_pairs(file: FileId, pairs: &[Pair], name: &str, found: &mut Vec<EnvSetting>) {
    for pair in pairs.iter().filter(|pair| pair.name == name) {
        // An `env:` with nothing in it is refused.
        let removal = match pairs.len() {
            0 | 1 => Vec::new(),
            _ => vec![Edit {
                file,
                span: pair.removal,
                content: String::new(),
            }],
        };
        found.push(EnvSetting {
            file,
            span: pair.span,
            value: pair.text().trim().to_owned(),
            removal,
            is_for_one_command: false,
        });
    }
}
