//! The document that `compose config` prints → [`Project`]. Strict in the `build` section: a key that we do not know
//! is an error, for a build that leaves something out is a wrong build.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::fields::{Field, Fields};
use super::project::{BuildSpec, Project, ProjectSecret, SecretMount, Service, Ssh, Ulimit};
use super::{FieldError, units};

/// Reads a resolved project. `config` doubles every dollar sign, so that its output is a Compose file again.
pub(super) fn project(mut document: Value) -> Result<Project, FieldError> {
    halve_dollars(&mut document);
    let mut top = Fields::of(Field {
        path: String::new(),
        value: document,
    })?;
    let name = top.read("name", Field::string)?;
    let mut services = BTreeMap::new();
    if let Some(field) = top.take("services") {
        for (name, field) in Fields::of(field)?.into_entries() {
            services.insert(name.clone(), service(name, field)?);
        }
    }
    let mut secrets = BTreeMap::new();
    if let Some(field) = top.take("secrets") {
        for (name, field) in Fields::of(field)?.into_entries() {
            secrets.insert(name, project_secret(field)?);
        }
    }
    Ok(Project {
        name,
        services,
        secrets,
    })
}

fn halve_dollars(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('$') => *text = text.replace("$$", "$"),
        Value::Array(values) => values.iter_mut().for_each(halve_dollars),
        Value::Object(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(key, mut value)| {
                    halve_dollars(&mut value);
                    (key.replace("$$", "$"), value)
                })
                .collect();
        }
        _ => {}
    }
}

fn service(name: String, field: Field) -> Result<Service, FieldError> {
    let mut fields = Fields::of(field)?;
    Ok(Service {
        name,
        image: fields
            .read("image", Field::optional_string)?
            .filter(|image| !image.is_empty()),
        platform: fields
            .read("platform", Field::optional_string)?
            .filter(|platform| !platform.is_empty()),
        build: fields.read("build", |field| build(field).map(Some))?,
        depends_on: fields.read("depends_on", names)?,
        pull_policy: fields.read("pull_policy", Field::optional_string)?,
    })
}

/// The keys of a mapping, or the items of a list.
fn names(field: Field) -> Result<Vec<String>, FieldError> {
    match field.value {
        Value::Object(map) => Ok(map.into_iter().map(|(name, _)| name).collect()),
        _ => field.strings(),
    }
}

fn build(field: Field) -> Result<BuildSpec, FieldError> {
    if let Value::String(context) = field.value {
        return Ok(BuildSpec {
            context,
            ..BuildSpec::default()
        });
    }
    let mut fields = Fields::of(field)?;
    let spec = BuildSpec {
        context: fields.read("context", Field::string)?,
        dockerfile: fields
            .read("dockerfile", Field::optional_string)?
            .filter(|path| !path.is_empty()),
        dockerfile_inline: fields.read("dockerfile_inline", Field::optional_string)?,
        args: fields.read("args", Field::mapping)?,
        ssh: fields.read("ssh", ssh)?,
        labels: values_or_empty(fields.read("labels", Field::mapping)?),
        cache_from: fields.read("cache_from", Field::strings)?,
        cache_to: fields.read("cache_to", Field::strings)?,
        no_cache: fields.read("no_cache", Field::boolean)?,
        no_cache_filter: fields.read("no_cache_filter", Field::strings)?,
        additional_contexts: values_or_empty(fields.read("additional_contexts", Field::mapping)?),
        pull: fields.read("pull", Field::boolean)?,
        extra_hosts: fields.read("extra_hosts", extra_hosts)?,
        isolation: fields.read("isolation", Field::optional_string)?,
        network: fields.read("network", Field::optional_string)?,
        target: fields
            .read("target", Field::optional_string)?
            .filter(|target| !target.is_empty()),
        secrets: fields.read("secrets", secret_mounts)?,
        shm_size: fields.read("shm_size", |field| size(field).map(Some))?,
        ulimits: fields.read("ulimits", ulimits)?,
        platforms: fields.read("platforms", Field::strings)?,
        privileged: fields.read("privileged", Field::boolean)?,
        entitlements: fields.read("entitlements", Field::strings)?,
        tags: fields.read("tags", Field::strings)?,
        provenance: fields.read("provenance", Field::optional_string)?,
        sbom: fields.read("sbom", Field::optional_string)?,
    };
    fields.finish()?;
    Ok(spec)
}

fn values_or_empty(mapping: BTreeMap<String, Option<String>>) -> BTreeMap<String, String> {
    mapping
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect()
}

/// `default`, `id=path`, `id: path` (the YAML of Compose 2.x), or a mapping.
fn ssh(field: Field) -> Result<Vec<Ssh>, FieldError> {
    let entry = |id: &str, path: &str| Ssh {
        id: id.to_owned(),
        path: Some(path.trim())
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    };
    if field.value.is_object() {
        let mapping = field.mapping()?;
        return Ok(mapping
            .iter()
            .map(|(id, path)| entry(id, path.as_deref().unwrap_or_default()))
            .collect());
    }
    let read = |text: &String| match text.split_once('=').or_else(|| text.split_once(": ")) {
        Some((id, path)) => entry(id, path),
        None => entry(text, ""),
    };
    Ok(field.strings()?.iter().map(read).collect())
}

/// `name=address`, `name:address`, or a mapping to an address or a list of them.
fn extra_hosts(field: Field) -> Result<Vec<(String, String)>, FieldError> {
    let mut hosts = Vec::new();
    if field.value.is_object() {
        for (name, field) in Fields::of(field)?.into_entries() {
            hosts.extend(
                field
                    .strings()?
                    .into_iter()
                    .map(|address| (name.clone(), address)),
            );
        }
        return Ok(hosts);
    }
    for item in field.list()? {
        let path = item.path.clone();
        let text = item.string()?;
        let Some((name, address)) = text.split_once('=').or_else(|| text.split_once(':')) else {
            return Err(FieldError {
                path,
                problem: format!("{text:?} is not HOST=ADDRESS"),
            });
        };
        hosts.push((name.to_owned(), address.to_owned()));
    }
    Ok(hosts)
}

fn secret_mounts(field: Field) -> Result<Vec<SecretMount>, FieldError> {
    field.list()?.into_iter().map(secret_mount).collect()
}

fn secret_mount(field: Field) -> Result<SecretMount, FieldError> {
    if let Value::String(source) = field.value {
        return Ok(SecretMount {
            source,
            ..SecretMount::default()
        });
    }
    let mut fields = Fields::of(field)?;
    let mount = SecretMount {
        source: fields.read("source", Field::string)?,
        target: fields
            .read("target", Field::optional_string)?
            .filter(|target| !target.is_empty()),
        uid: fields.read("uid", Field::optional_string)?,
        gid: fields.read("gid", Field::optional_string)?,
        mode: fields.read("mode", |field| mode(field).map(Some))?,
    };
    fields.finish()?;
    Ok(mount)
}

/// A number is what YAML made of an octal literal; a string is printed by Compose as it stood.
fn mode(field: Field) -> Result<String, FieldError> {
    match field.value.as_u64() {
        Some(number) => Ok(format!("{number:04o}")),
        None => field.string(),
    }
}

fn size(field: Field) -> Result<u64, FieldError> {
    let path = field.path.clone();
    let text = field.string()?;
    units::bytes(&text).ok_or_else(|| FieldError {
        path,
        problem: format!("{text:?} is not a size in bytes"),
    })
}

fn ulimits(field: Field) -> Result<BTreeMap<String, Ulimit>, FieldError> {
    Fields::of(field)?
        .into_entries()
        .map(|(name, field)| Ok((name, ulimit(field)?)))
        .collect()
}

fn ulimit(field: Field) -> Result<Ulimit, FieldError> {
    if !field.value.is_object() {
        return integer(field).map(|both| Ulimit {
            soft: both,
            hard: both,
        });
    }
    let mut fields = Fields::of(field)?;
    let limit = Ulimit {
        soft: fields.read("soft", integer)?,
        hard: fields.read("hard", integer)?,
    };
    fields.finish()?;
    Ok(limit)
}

fn integer(field: Field) -> Result<i64, FieldError> {
    let number = match &field.value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| field.error("must be a whole number"))
}

fn project_secret(field: Field) -> Result<ProjectSecret, FieldError> {
    let mut fields = Fields::of(field)?;
    if let Some(field) = fields.take("file") {
        return Ok(ProjectSecret::File(PathBuf::from(field.string()?)));
    }
    if let Some(field) = fields.take("environment") {
        return Ok(ProjectSecret::Environment(field.string()?));
    }
    let kind = ["external", "content", "driver"]
        .into_iter()
        .find(|key| fields.take(key).is_some());
    Ok(ProjectSecret::Other(kind.unwrap_or("nothing").to_owned()))
}

#[cfg(test)]
mod tests;
