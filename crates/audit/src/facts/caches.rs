//! Which caches are imported and exported, and which images carry their own cache.

use super::environment::{EnvSetting, settings};
use super::names::{self, Likeness};
use super::overrides::{Override, overrides};
use super::{Build, BuildArg, CacheUse, Via};
use crate::compose::interpolate;
use crate::{Confidence, Edit, FileId, Project, Span};

/// The build argument that puts the cache into the image.
pub(crate) const INLINE_CACHE: &str = "BUILDKIT_INLINE_CACHE";

/// Something that makes images carry their cache.
#[derive(Debug, Clone)]
pub(crate) struct Inline<'a> {
    /// The file.
    pub file: FileId,
    /// Where.
    pub span: Span,
    /// What to edit so that it is gone; empty where that is not known.
    pub removal: Vec<Edit>,
    /// Whether it is said by `cache-to: type=inline` rather than by the argument.
    pub is_export: bool,
    /// How sure it is that it is on.
    pub confidence: Confidence,
    /// The builds that it is said to.
    pub builds: Vec<&'a Build>,
    /// The names of the images; empty if none is known.
    pub images: Vec<String>,
    /// Where the environment gives the argument its value.
    pub environment: Option<EnvSetting>,
}

/// A cache that is imported or exported, and by which build if that is known.
#[derive(Debug, Clone)]
pub(crate) struct CacheAt<'a> {
    /// The build; none for what is given to bake.
    pub build: Option<&'a Build>,
    /// The cache.
    pub cache: CacheUse,
}

/// What Go's `strconv.ParseBool`, which buildx and the engine ask, takes for true.
pub(crate) fn is_true(value: &str) -> bool {
    matches!(value.trim(), "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// All caches that are imported.
pub(crate) fn imports(project: &Project) -> Vec<CacheAt<'_>> {
    caches(project, "cache-from", |build| &build.cache_from)
}

/// All caches that are exported.
pub(crate) fn exports(project: &Project) -> Vec<CacheAt<'_>> {
    caches(project, "cache-to", |build| &build.cache_to)
}

fn caches<'a>(project: &'a Project, key: &str, of: fn(&Build) -> &Vec<CacheUse>) -> Vec<CacheAt<'a>> {
    let mut found = Vec::new();
    for build in &project.facts().builds {
        for cache in of(build) {
            let mut cache = cache.clone();
            restore(project, &mut cache);
            let build = Some(build);
            found.push(CacheAt { build, cache });
        }
    }
    for one in overrides(project).into_iter().filter(|one| one.key == key) {
        let Override {
            value,
            file,
            span,
            removal,
            ..
        } = one;
        let cache = CacheUse::new(&value, file, span, removal);
        found.push(CacheAt { build: None, cache });
    }
    found
}

/// Puts the expressions of a workflow back into a cache that the shell's reader has masked.
fn restore(project: &Project, cache: &mut CacheUse) {
    let masks = |text: &str| text.contains("${__");
    let is_masked = cache.cache.reference.as_deref().is_some_and(masks)
        || cache.cache.attributes.values().any(|value| masks(value));
    if is_masked {
        let text = written(project, cache.file, cache.span);
        cache.cache = crate::docker::Cache::parse(&text, cache.cache.words.clone(), cache.span);
    }
}

/// The value of an option as it is written in the file: without the option's name and quotes.
pub(crate) fn written(project: &Project, file: FileId, span: Span) -> String {
    let text = span.slice(project.file(file).source.text()).trim();
    let value = match text.strip_prefix('-') {
        Some(option) => option
            .find(['=', ' ', '\t', '\n'])
            .map_or(option, |at| &option[at + 1..]),
        None => text,
    };
    value.trim().trim_matches(['"', '\'', '\\']).trim().to_owned()
}

/// An image's name without its tag.
pub(crate) fn repository(image: &str) -> &str {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    }
}

/// The names of a build's image; none if they are not known.
pub(crate) fn images_of(project: &Project, build: &Build) -> Vec<String> {
    let mut images: Vec<String> = Vec::new();
    for tag in &build.tags {
        match tag.text.contains("${__") {
            true => images.push(written(project, build.file, tag.span)),
            false => images.push(tag.text.clone()),
        }
    }
    images.extend(build.output_names().map(str::to_owned));
    if build.has_open_tag {
        let any_tag = |image: &String| format!("{}:${{DOCKER_METADATA_OUTPUT_VERSION}}", repository(image));
        images = images.iter().map(any_tag).chain(images.iter().cloned()).collect();
    }
    if let (true, Via::Service(service)) = (images.is_empty(), &build.via) {
        images.extend(["-", "_"].map(|between| format!("${{COMPOSE_PROJECT_NAME}}{between}{service}")));
    }
    if build.is_of_compose() {
        let services = project
            .facts()
            .builds
            .iter()
            .filter(|one| matches!(one.via, Via::Service(_)));
        images.extend(services.flat_map(|service| images_of(project, service)));
    }
    images
}

/// How a name of an image compares with those of a build; [`Likeness::Possible`] if none of them is known. In another file a
/// name that is nothing but a variable says nothing.
pub(crate) fn likeness(images: &[String], reference: &str, in_one_file: bool) -> Likeness {
    let compare = |image: &String| {
        let found = names::images(image, reference);
        let says_nothing = !in_one_file && (names::is_open(image) || names::is_open(reference));
        match found {
            Likeness::Possible if says_nothing => Likeness::Different,
            found => found,
        }
    };
    let best = images.iter().map(compare).max();
    best.unwrap_or(match in_one_file {
        true => Likeness::Possible,
        false => Likeness::Different,
    })
}

/// Everything that makes images carry their cache.
pub(crate) fn inline(project: &Project) -> Vec<Inline<'_>> {
    let mut found: Vec<Inline<'_>> = Vec::new();
    let mut environment: Vec<(String, Vec<EnvSetting>)> = Vec::new();
    for build in project.facts().builds.iter().filter(|build| build.makes_image()) {
        let images = images_of(project, build);
        let mut add = |one: Inline<'_>| {
            let same = |known: &&mut Inline<'_>| (known.file, known.span) == (one.file, one.span);
            match found.iter_mut().find(same) {
                Some(known) => {
                    known.builds.push(build);
                    known.images.extend(images.iter().cloned());
                }
                None => found.push(Inline {
                    builds: vec![build],
                    images: images.clone(),
                    file: one.file,
                    span: one.span,
                    removal: one.removal,
                    is_export: one.is_export,
                    confidence: one.confidence,
                    environment: one.environment,
                }),
            }
        };
        if let Some(arg) = build.arg(INLINE_CACHE)
            && let Some((confidence, from)) = value_of(project, arg, &mut environment)
        {
            add(at(
                arg.file,
                arg.span,
                arg.removal.clone(),
                false,
                confidence,
                from,
            ));
        }
        for cache in build.cache_to.iter().filter(|cache| cache.cache.kind == "inline") {
            add(at(
                cache.file,
                cache.span,
                cache.removal.clone(),
                true,
                Confidence::High,
                None,
            ));
        }
    }
    for one in overrides(project) {
        let is_export = one.key == "cache-to" && one.value.contains("type=inline");
        let is_argument = one.key == format!("args.{INLINE_CACHE}") && is_true(&one.value);
        if !is_export && !is_argument {
            continue;
        }
        let concerns = |build: &&Build| matches!(&build.via, Via::Target(name) if one.concerns(name));
        let builds: Vec<&Build> = project.facts().builds.iter().filter(concerns).collect();
        let images = builds
            .iter()
            .flat_map(|build| images_of(project, build))
            .collect();
        let inline = at(one.file, one.span, one.removal, is_export, Confidence::High, None);
        found.push(Inline {
            builds,
            images,
            ..inline
        });
    }
    found
}

fn at<'a>(
    file: FileId,
    span: Span,
    removal: Vec<Edit>,
    is_export: bool,
    confidence: Confidence,
    environment: Option<EnvSetting>,
) -> Inline<'a> {
    Inline {
        file,
        span,
        removal,
        is_export,
        confidence,
        builds: Vec::new(),
        images: Vec::new(),
        environment,
    }
}

/// The variable of the environment that an argument's value is taken from.
pub(crate) fn variable_of(arg: &BuildArg) -> Option<String> {
    let Some(value) = &arg.value else {
        return Some(arg.name.clone());
    };
    let name = value.trim().strip_prefix('$')?;
    let name = name.trim_start_matches('{').trim_end_matches('}').trim();
    let name = name.strip_prefix("env.").unwrap_or(name);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| name.to_owned())
}

/// Whether the argument is on, how sure that is, and where the environment says so.
fn value_of(
    project: &Project,
    arg: &BuildArg,
    known: &mut Vec<(String, Vec<EnvSetting>)>,
) -> Option<(Confidence, Option<EnvSetting>)> {
    if let Some(value) = &arg.value {
        if is_true(value) {
            return Some((Confidence::High, None));
        }
        // `${NAME:-1}`
        if interpolate(value).value.is_some_and(|value| is_true(&value)) {
            return Some((Confidence::Medium, None));
        }
    }
    let name = variable_of(arg)?;
    if !known.iter().any(|(known, _)| *known == name) {
        known.push((name.clone(), settings(project, &name)));
    }
    let (_, settings) = known.iter().find(|(known, _)| *known == name)?;
    let on = settings.iter().find(|setting| is_true(&setting.value))?;
    Some((Confidence::Medium, Some(on.clone())))
}

/// Whether what is exported is what is imported.
pub(crate) fn is_same_store(import: &CacheUse, export: &CacheUse) -> Likeness {
    let (from, to) = (&import.cache, &export.cache);
    if from.kind != to.kind {
        return Likeness::Different;
    }
    let attribute = |cache: &crate::docker::Cache, name: &str, default: &str| {
        let value = cache.attributes.get(name).cloned();
        value
            .filter(|value| !value.is_empty())
            .unwrap_or_else(|| default.to_owned())
    };
    match from.kind.as_str() {
        "registry" => match (&from.reference, &to.reference) {
            (Some(from), Some(to)) => names::images(from, to),
            _ => Likeness::Different,
        },
        "gha" => names::texts(
            &attribute(from, "scope", "buildkit"),
            &attribute(to, "scope", "buildkit"),
        ),
        "local" => {
            let to = attribute(to, "dest", "");
            // The usual dance: the new folder takes the place of the old one afterwards.
            let plain = |text: &str| {
                let text = text.trim_end_matches('/').trim_start_matches("./");
                text.strip_suffix("-new")
                    .or(text.strip_suffix("-next"))
                    .unwrap_or(text)
                    .to_owned()
            };
            let found = names::texts(&plain(&attribute(from, "src", "")), &plain(&to));
            match import.file == export.file {
                true => found.max(Likeness::Possible),
                false => found,
            }
        }
        _ => {
            let of = |cache: &crate::docker::Cache| {
                attribute(cache, "name", "buildkit") + &attribute(cache, "bucket", "")
            };
            names::texts(&of(from), &of(to))
        }
    }
}

/// What people call a cache.
pub(crate) fn name(cache: &CacheUse) -> String {
    let cache = &cache.cache;
    let attribute = |name: &str| cache.attributes.get(name).map(String::as_str);
    match cache.kind.as_str() {
        "registry" => format!("`{}`", cache.reference.as_deref().unwrap_or_default()),
        "gha" => match attribute("scope") {
            Some(scope) => format!("GitHub's cache, scope `{scope}`,"),
            None => "GitHub's cache".to_owned(),
        },
        "local" => format!(
            "the folder `{}`",
            attribute("src").or(attribute("dest")).unwrap_or_default()
        ),
        kind => format!("the {kind} cache `{}`", attribute("name").unwrap_or("buildkit")),
    }
}
