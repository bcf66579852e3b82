//! A build secret whose content ends up in the image or decides what is built: a file that is copied out of the mount, an
//! `.env` that a build reads, an address that is fetched. The cache does not see that content: a step with another secret is
//! the same step.
//!
//! ## Why
//!
//! BuildKit leaves the content of secrets out of the cache key on purpose. For a token that only lets a download through that
//! is right. Where the content becomes a part of the result, a new secret changes nothing: the step is CACHED, and the image
//! keeps what the old one made (docker/buildx#551).
//!
//! ## Example
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! RUN --mount=type=secret,id=env,target=/app/.env npm run build
//! ```
//!
//! ## Instead
//!
//! Settings that are no secrets are arguments; for those that are, let a digest of them be one:
//!
//! ```dockerfile
//! FROM node:22
//! WORKDIR /app
//! COPY . .
//! # --build-arg ENV_HASH=$(sha256sum .env | cut -c1-16)
//! ARG ENV_HASH
//! RUN --mount=type=secret,id=env,target=/app/.env npm run build
//! ```
//!
//! ## References
//!
//! - docker/buildx#551
//! - Docker, "Build cache invalidation": "The contents of build secrets are not part of the build cache. Changing the value of
//!   a secret doesn't result in cache invalidation."

use super::Rule;
use crate::facts::is_secret_name;
use crate::shell::{Command, PartKind, Script};
use crate::{Confidence, Finding, Project, ScriptPlace, Severity, Span};
use unstale_dockerfile::{DeclarationKind, Dockerfile, Mount};

pub(super) const RULE: Rule = Rule::new(
    "secret-not-in-key",
    "a build secret decides what is built, and the cache does not see it change",
    Severity::Low,
    check,
);

fn check(project: &Project, findings: &mut Vec<Finding>) {
    for (id, file, dockerfile) in project.dockerfiles() {
        for script in &file.scripts {
            let ScriptPlace::Run(index) = script.place else {
                continue;
            };
            let Some(instruction) = dockerfile.instructions.get(index) else {
                continue;
            };
            let secrets = instruction.mounts.iter().filter(|mount| mount.kind() == "secret");
            for mount in secrets {
                let Some(secret) = Secret::of(mount) else { continue };
                let Some((how, span)) = becomes_content(&secret, &script.script) else {
                    continue;
                };
                if has_digest(dockerfile, index) {
                    continue;
                }
                let message = format!(
                    "{how} secret `{}`, which is not in the cache key: with another content the step is still cached",
                    secret.id
                );
                let help = "pass a digest of the content as a build argument that is declared before the step (`ARG CONFIG_HASH`), or pass settings that are no secret as arguments";
                let place = (id, mount.span);
                let mut finding = Finding::new(RULE.id, RULE.severity, Confidence::Medium, message, place).help(help);
                if let Some(span) = span {
                    finding = finding.also((id, span), "here");
                }
                findings.push(finding);
            }
        }
    }
}

/// A secret that is mounted.
struct Secret {
    id: String,
    /// Where it is a file; none if it is a variable alone.
    path: Option<String>,
    variable: Option<String>,
}

impl Secret {
    fn of(mount: &Mount) -> Option<Secret> {
        let target = mount.value("target");
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let variable = mount.value("env").map(str::to_owned);
        let id = mount.value("id").map(str::to_owned).or_else(|| target.map(name))?;
        let path = match (target, &variable) {
            (Some(target), _) => Some(target.to_owned()),
            (None, Some(_)) => None,
            (None, None) => Some(format!("/run/secrets/{id}")),
        };
        Some(Secret { id, path, variable })
    }
}

/// How the secret becomes a part of what the step makes, and where.
fn becomes_content(secret: &Secret, script: &Script) -> Option<(&'static str, Option<Span>)> {
    let commands = script.commands();
    if let Some(path) = &secret.path {
        for command in commands {
            if let Some(to) = copied_to(command, path) {
                let is_removed = commands.iter().any(|other| other.name() == "rm" && names(other, &to));
                let is_passing = ["/dev/", "/run/", "/proc/"].iter().any(|prefix| to.starts_with(prefix));
                if !is_removed && !is_passing && !is_credential(&to) && !is_credential(&secret.id) {
                    return Some(("the image gets the content of", Some(command.span)));
                }
            }
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let builds = commands.iter().find(|command| is_build(command));
        if let Some(build) = builds.filter(|_| name.starts_with(".env") || name.ends_with(".env")) {
            return Some(("the build reads its settings from", Some(build.span)));
        }
    }
    let variable = secret.variable.as_deref()?;
    let decides = ["_URL", "_URI", "_ENDPOINT", "_HOST", "_VERSION", "_BRANCH", "_REF"].iter().any(|end| variable.ends_with(end))
        || ["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "EXPO_PUBLIC_", "NUXT_PUBLIC_"].iter().any(|start| variable.starts_with(start));
    // What a compiler's cache is reached by decides nothing that is built.
    let is_of_cache = ["ACTIONS_", "SCCACHE_", "CCACHE_", "TURBO_", "NX_"].iter().any(|start| variable.starts_with(start));
    let holds_credentials = is_of_cache || ["DATABASE", "DB_", "REDIS", "PROXY", "INDEX", "REGISTRY", "MIRROR"].iter().any(|part| variable.contains(part));
    (decides && !holds_credentials).then_some(("the step depends on the content of", None))
}

/// Where a command puts the content of a file.
fn copied_to(command: &Command, path: &str) -> Option<String> {
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).filter(|word| !word.starts_with('-')).collect();
    match (command.name(), words.as_slice()) {
        ("cp" | "install" | "mv", [source, to]) if *source == path => Some((*to).to_owned()),
        ("cat", [source]) if *source == path => {
            let mut outputs = command.redirections.iter().filter(|one| matches!(one.operator.as_str(), ">" | ">>" | "1>"));
            outputs.next().map(|one| one.target.clone())
        }
        _ => None,
    }
}

/// Whether a command names a path.
fn names(command: &Command, path: &str) -> bool {
    command.arguments().iter().any(|word| word.text == path || path.starts_with(&format!("{}/", word.text)))
}

/// Whether a file or secret only lets something through, by its name.
fn is_credential(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let parts = ["npmrc", "netrc", "pip.conf", "settings.xml", "credential", "token", "auth", "ssh", "id_rsa", "id_ed25519", "key", "config.json", "pypirc", "nuget.config", "gitconfig", "cert", ".pem", ".crt"];
    parts.iter().any(|part| name.contains(part)) || path.contains("/.ssh/") || is_secret_name(&name)
}

fn is_build(command: &Command) -> bool {
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let builds = |word: &&str| *word == "build" || word.starts_with("build:");
    let is_expansion = |word: &crate::shell::Word| word.parts.iter().any(|part| part.kind == PartKind::Substitution);
    match command.name() {
        "npm" | "pnpm" | "yarn" | "bun" | "next" | "vite" | "nuxt" | "ng" | "turbo" | "npx" => words.iter().any(builds),
        "make" => !command.arguments().iter().any(is_expansion),
        "python" | "python3" => words.contains(&"collectstatic"),
        _ => false,
    }
}

/// Whether an argument before the step stands for contents: a digest, or one that is there to run steps again.
fn has_digest(dockerfile: &Dockerfile, index: usize) -> bool {
    let parts = ["HASH", "DIGEST", "CHECKSUM", "SHA", "BUST", "EPOCH", "MTIME", "SECRET_VERSION"];
    dockerfile.visible(index).values().any(|declared| {
        let name = declared.name.to_ascii_uppercase();
        let is_commit = name.contains("COMMIT") || name.contains("GIT");
        declared.kind == DeclarationKind::Arg && !is_commit && parts.iter().any(|part| name.contains(part))
    })
}
