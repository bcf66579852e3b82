//! Gives each image a scope of its own.

use super::{Export, Image};
use crate::facts::CacheUse;
use crate::{Applicability, Edit, Fix, Project, Span};
use std::collections::{BTreeMap, BTreeSet};

/// `,scope=NAME` behind each import and export, if the names that the images go by differ.
pub(super) fn of(project: &Project, exports: &[Export<'_>]) -> Option<Fix> {
    let mut names: BTreeMap<String, &Image> = BTreeMap::new();
    let mut edits: BTreeSet<Edit> = BTreeSet::new();
    for export in exports {
        let name = name(&export.image)?;
        if names.entry(name.clone()).or_insert(&export.image).inputs() != export.image.inputs() {
            return None;
        }
        let scoped =
            |cache: &&CacheUse| cache.cache.kind == "gha" && !cache.cache.attributes.contains_key("scope");
        let build = export.build;
        for cache in build.cache_from.iter().chain(&build.cache_to).filter(scoped) {
            let text = cache.span.slice(project.file(cache.file).source.text());
            if text.trim_matches(['"', '\'']) != cache.text || !cache.text.starts_with("type=") {
                return None;
            }
            let end = cache.span.start + text.trim_end_matches(['"', '\'']).len();
            edits.insert(Edit {
                file: cache.file,
                span: Span::new(end, end),
                content: format!(",scope={name}"),
            });
        }
    }
    let edits: Vec<Edit> = edits.into_iter().collect();
    let is_clear = edits
        .windows(2)
        .all(|pair| (pair[0].file, pair[0].span) != (pair[1].file, pair[1].span));
    (is_clear && !edits.is_empty()).then(|| Fix {
        title: "give each image a scope of its own".to_owned(),
        change: "Gave each image a cache scope of its own".to_owned(),
        impact: "Builds no longer overwrite each other's cache".to_owned(),
        applicability: Applicability::Unsafe,
        edits,
    })
}

/// What an image can be called: its stage, its folder, or what its Dockerfile is named after.
fn name(image: &Image) -> Option<String> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let file = last(&image.dockerfile);
    let of_file = file.strip_prefix("Dockerfile.").or_else(|| {
        file.strip_suffix(".Dockerfile")
            .or(file.strip_suffix(".dockerfile"))
    });
    let folder = match image.context.is_empty() {
        true => last(image.dockerfile.rsplit_once('/').map_or("", |(folder, _)| folder)),
        false => last(&image.context),
    };
    let name = match (of_file, image.target.as_str()) {
        (Some(name), "") => name.to_owned(),
        (_, "") => folder,
        (_, target) => target.to_owned(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && name.chars().all(is_plain)).then_some(name)
}
