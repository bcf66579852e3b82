//! A service of a resolved Compose project.

use super::{
    Context, DockerfileSource, NamedContext, Overrides, SecretSource, ServiceBuild, SpecError, Unsupported,
    network,
};
use crate::build::cache_entry;
use std::collections::BTreeMap;
use std::path::PathBuf;
use unstale_docker::Compose;
use unstale_docker::compose::{BuildSpec, Project, ProjectSecret, Service, rules};

/// What a Compose project is read with.
pub struct ComposeInputs<'a> {
    /// The resolved project.
    pub project: &'a Project,
    /// The Compose CLI that resolved it.
    pub compose: &'a Compose,
    /// The project's environment with `.env`.
    pub environment: &'a BTreeMap<String, String>,
    /// The arguments that every build gets without anybody writing them ([`rules::ambient_args`]).
    pub ambient: &'a BTreeMap<String, String>,
}

impl ServiceBuild {
    /// Reads one service of a Compose project.
    pub fn from_compose(
        inputs: &ComposeInputs<'_>,
        service: &Service,
        overrides: &Overrides,
    ) -> Result<ServiceBuild, SpecError> {
        let ComposeInputs {
            project,
            compose,
            environment,
            ambient,
        } = *inputs;
        let build = service
            .build
            .clone()
            .ok_or_else(|| SpecError::NothingToBuild(service.name.clone()))?;
        let prefix = format!("services.{}.build.", service.name);
        let unsupported = |field: &str, problem: String| SpecError::Unsupported {
            field: format!("{prefix}{field}"),
            problem,
        };
        check_attestations(&build, &unsupported)?;
        if let Some(isolation) = build
            .isolation
            .as_deref()
            .filter(|mode| !matches!(*mode, "" | "default"))
        {
            return Err(unsupported(
                "isolation",
                format!("{isolation:?} exists on Windows only"),
            ));
        }
        let platforms =
            rules::build_platforms(service, environment).map_err(|error| SpecError::Unsupported {
                field: error.path,
                problem: error.problem,
            })?;
        let platform = match platforms.as_slice() {
            [] => None,
            [platform] => Some(platform.clone()),
            several => {
                let problem = format!("{} platforms at once are not supported; name one", several.len());
                return Err(unsupported("platforms", problem));
            }
        };
        let separator = rules::name_separator(compose.version(), environment);
        let mut images = vec![rules::image_name(project, service, separator)];
        images.extend(
            build
                .tags
                .iter()
                .filter(|tag| **tag != images[0])
                .cloned()
                .collect::<Vec<_>>(),
        );
        let secrets = secrets(&build, project, environment, &unsupported)?;
        let context = context(&build.context);
        let dockerfile = match (build.dockerfile_inline, &build.dockerfile) {
            (Some(_), Some(_)) => {
                let problem = "cannot be given together with dockerfile".to_owned();
                return Err(unsupported("dockerfile_inline", problem));
            }
            (Some(text), None) => DockerfileSource::Inline(text),
            (None, file) => DockerfileSource::File(in_context(&context, file.as_deref())),
        };
        let entry = |field: &str, text: &String| {
            cache_entry::parse(text).map_err(|problem| unsupported(field, problem))
        };
        Ok(ServiceBuild {
            args: rules::build_args(service, &overrides.args, environment, ambient),
            labels: rules::image_labels(project, service, compose.version()),
            named_contexts: named_contexts(&build.additional_contexts, &unsupported)?,
            cache_from: build
                .cache_from
                .iter()
                .map(|text| entry("cache_from", text))
                .collect::<Result<_, _>>()?,
            cache_to: build
                .cache_to
                .iter()
                .map(|text| entry("cache_to", text))
                .collect::<Result<_, _>>()?,
            network: network(build.network, &unsupported)?,
            ulimits: build
                .ulimits
                .into_iter()
                .map(|(name, limit)| (name, (limit.soft, limit.hard)))
                .collect(),
            service: service.name.clone(),
            images,
            platform,
            context,
            dockerfile,
            secrets,
            entitlements: build.entitlements,
            privileged: build.privileged,
            ssh: build.ssh,
            no_cache: build.no_cache || overrides.no_cache,
            no_cache_filter: build.no_cache_filter,
            pull: build.pull || overrides.pull,
            extra_hosts: build.extra_hosts,
            shm_size: build.shm_size,
            target: build.target,
            field_prefix: prefix,
        })
    }
}

fn check_attestations(build: &BuildSpec, unsupported: &Unsupported<'_>) -> Result<(), SpecError> {
    for (field, value) in [("provenance", &build.provenance), ("sbom", &build.sbom)] {
        if value
            .as_deref()
            .is_some_and(|value| !matches!(value, "" | "false" | "disabled=true"))
        {
            let problem =
                "attestations are not supported: an attested image has a new identity after every build";
            return Err(unsupported(field, problem.to_owned()));
        }
    }
    Ok(())
}

fn secrets(
    build: &BuildSpec,
    project: &Project,
    environment: &BTreeMap<String, String>,
    unsupported: &Unsupported<'_>,
) -> Result<BTreeMap<String, SecretSource>, SpecError> {
    let mut secrets = BTreeMap::new();
    for mount in &build.secrets {
        let refuse = |problem: String| unsupported(&format!("secrets.{}", mount.source), problem);
        let source = match project.secrets.get(&mount.source) {
            Some(ProjectSecret::File(path)) => SecretSource::File(path.clone()),
            Some(ProjectSecret::Environment(name)) => match environment.get(name) {
                Some(value) => SecretSource::Value(value.clone()),
                None => return Err(refuse(format!("the variable {name} is not set"))),
            },
            Some(ProjectSecret::Other(kind)) => {
                return Err(refuse(format!(
                    "a build takes secrets from files and variables, not {kind}"
                )));
            }
            None => return Err(refuse("the project has no such secret".to_owned())),
        };
        for (attribute, value) in [("uid", &mount.uid), ("gid", &mount.gid), ("mode", &mount.mode)] {
            // Compose drops these silently; in a build only the Dockerfile's mount can set them.
            if value.is_some() {
                return Err(refuse(format!(
                    "set {attribute} in the Dockerfile's --mount=type=secret instead"
                )));
            }
        }
        secrets.insert(mount.id().to_owned(), source);
    }
    Ok(secrets)
}

/// True if a context is fetched by the builder: a git repository or an archive by URL. The rule is that of
/// docker/buildx (`build/opt.go`).
fn is_remote(context: &str) -> bool {
    let schemes = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    schemes.iter().any(|scheme| context.starts_with(scheme))
}

fn context(context: &str) -> Context {
    if is_remote(context) {
        Context::Remote(context.to_owned())
    } else {
        Context::Folder(PathBuf::from(context))
    }
}

/// The Dockerfile's path: relative to a folder, or a plain name in a remote context.
fn in_context(context: &Context, file: Option<&str>) -> PathBuf {
    let file = file.filter(|file| !file.is_empty()).unwrap_or("Dockerfile");
    match context {
        Context::Folder(folder) => folder.join(file),
        Context::Remote(_) => PathBuf::from(file),
    }
}

fn named_contexts(
    contexts: &BTreeMap<String, String>,
    unsupported: &Unsupported<'_>,
) -> Result<BTreeMap<String, NamedContext>, SpecError> {
    let read = |(name, value): (&String, &String)| {
        let context = if let Some(service) = value.strip_prefix("service:") {
            NamedContext::Service(service.to_owned())
        } else if value.starts_with("docker-image://") || is_remote(value) {
            NamedContext::Remote(value.clone())
        } else if let Some((scheme, _)) = value.split_once("://") {
            let field = format!("additional_contexts.{name}");
            return Err(unsupported(
                &field,
                format!("{scheme}:// contexts are not supported"),
            ));
        } else {
            NamedContext::Folder(PathBuf::from(value))
        };
        Ok((name.clone(), context))
    };
    contexts.iter().map(read).collect()
}
