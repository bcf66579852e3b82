//! Services of Compose projects together with what their images hold.

use super::{ImagePaths, image_paths};
use crate::compose::project::{ComposeProject, context_of, dockerfile_of};
use crate::compose::{Build, Mount, Service, interpolate};
use crate::{Content, FileId, Project, Span, dockerignore};

/// A service whose image a Dockerfile of the project makes.
#[derive(Debug, Clone)]
pub struct BuiltService<'a> {
    /// The project that it is a part of.
    pub compose: &'a ComposeProject,
    /// The service.
    pub service: &'a Service,
    /// The Dockerfile.
    pub dockerfile: FileId,
    /// The context's folder, relative to the checked folder; none if it is elsewhere.
    pub context: Option<String>,
    /// What the image has where.
    pub paths: ImagePaths,
}

/// The services that are built here, and those that use the image of one.
pub fn built_services(project: &Project) -> Vec<BuiltService<'_>> {
    let mut found = Vec::new();
    for compose in &project.facts().compose {
        for service in &compose.services {
            let Some(build) = service
                .build
                .as_ref()
                .or_else(|| build_of_image(compose, service))
            else {
                continue;
            };
            let Some(dockerfile) = dockerfile_of(build).and_then(|path| project.find(&path)) else {
                continue;
            };
            let context = context_of(build).filter(|context| !context.starts_with(".."));
            let target = match &build.target {
                None => None,
                Some(target) => match interpolate(&target.value).value {
                    None => continue,
                    target => target,
                },
            };
            let Some(paths) = image_paths(project, dockerfile, context.as_deref(), target.as_deref()) else {
                continue;
            };
            found.push(BuiltService {
                compose,
                service,
                dockerfile,
                context,
                paths,
            });
        }
    }
    found
}

/// The build of the service that makes the image which this one names.
fn build_of_image<'a>(compose: &'a ComposeProject, service: &Service) -> Option<&'a Build> {
    let image = service.image.as_ref()?;
    let same = |other: &&Service| {
        other
            .image
            .as_ref()
            .is_some_and(|other| other.value == image.value)
    };
    compose
        .services
        .iter()
        .filter(same)
        .find_map(|other| other.build.as_ref())
}

/// Where a mount is written.
pub fn mount_place(project: &Project, mount: &Mount) -> Option<(FileId, Span)> {
    Some((project.find(&mount.place.path)?, mount.place.span))
}

/// Where a mount is in the container, cleaned; none if a variable decides.
pub fn mount_target(mount: &Mount) -> Option<String> {
    super::clean(&interpolate(&mount.target).value?)
}

/// Whether the ignore file of a build leaves out a path, which is relative to the checked folder.
pub fn is_ignored(project: &Project, dockerfile: FileId, context: Option<&str>, path: &str) -> bool {
    let context = context.unwrap_or_default();
    let candidates = dockerignore::candidates(project.file(dockerfile).source.path(), context);
    let inner = super::below(path, context).unwrap_or(path);
    let file = candidates.iter().find_map(|candidate| project.find(candidate));
    file.is_some_and(|id| match &project.file(id).content {
        Content::Ignore(file) => file.ignores(inner, false),
        _ => false,
    })
}

/// Whether a file is one that a service runs or serves, by the end of its name: code, markup, styles.
pub fn is_code(path: &str) -> bool {
    const CODE: &[&str] = &[
        "c", "cc", "cjs", "clj", "cpp", "cs", "css", "ejs", "erb", "ex", "exs", "fs", "go", "gohtml",
        "groovy", "h", "hbs", "hs", "html", "htm", "java", "jinja", "jinja2", "js", "jsp", "jsx", "kt",
        "less", "lua", "mjs", "php", "pl", "pug", "py", "rb", "rs", "sass", "scala", "scss", "sh", "svelte",
        "swift", "ts", "tsx", "twig", "vue",
    ];
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(_, end)| CODE.contains(&end))
}

/// Whether a service answers on a port that its file publishes.
pub fn has_ports(project: &Project, service: &Service) -> bool {
    let Some(compose) = project.compose_file(&service.place.path) else {
        return false;
    };
    let node = compose.node(&service.place);
    node.is_some_and(|node| node.get("ports").is_some() || node.get("expose").is_some())
}
