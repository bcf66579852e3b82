//! What an engine's own Dockerfile frontend takes: asked, not looked up.

use testkit::{Engine, Project, unstale_binary};

use super::recipe::Features;
use crate::run;

/// The answers.
#[derive(Debug, Clone, Default)]
pub struct Probed {
    /// What may be used.
    pub features: Features,
    /// What was refused, and the engine's words.
    pub refused: Vec<(&'static str, String)>,
}

/// Asks an engine, with a build of each form.
///
/// # Errors
/// When a program cannot be run.
pub fn probe(engine: &Engine) -> Result<Probed, String> {
    let project = Project::new("campaign-probe");
    project.write("folder/file", "content\n");
    let mut probed = Probed::default();
    let mut ask = |name: &'static str, instruction: &str| -> Result<bool, String> {
        project.write("Dockerfile", format!("FROM scratch\n{instruction}\n"));
        let mut command = run::bounded(&project, engine, unstale_binary());
        command.args(["build", "--progress", "quiet", "--tag", project.name(), "."]);
        let output = run::output(&mut command)?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let error = text
                .lines()
                .find(|line| line.contains("parse error") || line.starts_with("error"));
            let error = error.or(text.lines().last()).unwrap_or_default();
            probed.refused.push((name, error.to_owned()));
        }
        Ok(output.status.success())
    };
    let mut features = Features {
        link: ask("`COPY --link`", "COPY --link folder /")?,
        exclude: ask("`COPY --exclude`", "COPY --exclude=**/x folder /")?,
        parents: ask("`COPY --parents`", "COPY --parents folder/./file /")?,
        heredoc: ask("heredocs", "COPY <<EOF /file\ncontent\nEOF")?,
        no_cache_filter: false,
    };
    let compose = "{services: {app: {build: {context: ., no_cache_filter: [app]}}}}";
    project.write("compose.yaml", compose);
    let mut command = run::bounded(&project, engine, "docker");
    let output = run::output(command.args(["compose", "config", "--quiet"]))?;
    features.no_cache_filter = output.status.success();
    if !features.no_cache_filter {
        let text = String::from_utf8_lossy(&output.stderr);
        let error = text.rsplit("compose.yaml: ").next().unwrap_or_default().trim();
        probed
            .refused
            .push(("`no_cache_filter` of Compose", error.to_owned()));
    }
    probed.features = features;
    Ok(probed)
}
