//! From a [`ServiceBuild`] to BuildKit's request. Pure: what the builder can do comes in as a value, and what
//! it cannot do is an error that names the field.

use super::cache_entry::imports_option;
use super::spec::{Context, DockerfileSource, NamedContext, ServiceBuild, SpecError};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::collections::BTreeMap;
use unstale_buildkit::gateway::{CacheEntry, Capabilities, Exporter};
use unstale_docker::ImageStore;

/// Where the image goes, which decides what the builder can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An engine's own BuildKit and its image store.
    Engine(ImageStore),
    /// A stand-alone BuildKit; the image is sent to the engine as an archive.
    BuildKit,
}

/// The names under which the graph asks for the folders of a build. They are those of docker/buildx, so that
/// the steps have the same digests as in its builds.
pub const CONTEXT: &str = "context";
/// See [`CONTEXT`].
pub const DOCKERFILE: &str = "dockerfile";

/// The capability by which named contexts are known, and since when. An older frontend ignores them in silence, and no
/// capability tells of them; this one is of the same release.
const NAMED_CONTEXTS: (&str, &str) = ("exec.mount.tmpfs.size", "BuildKit 0.10 (Docker Engine 23)");

/// The graph's name for a named context that is a folder.
pub fn folder_name(context: &str) -> String {
    match context {
        CONTEXT | DOCKERFILE => format!("_{context}"),
        name => name.to_owned(),
    }
}

/// How the image leaves the builder.
pub fn exporter(build: &ServiceBuild, target: Target) -> Exporter {
    let kind = match target {
        Target::Engine(_) => "moby",
        Target::BuildKit => "docker",
    };
    let attrs = BTreeMap::from([("name".to_owned(), build.images.join(","))]);
    Exporter {
        kind: kind.to_owned(),
        attrs,
    }
}

/// Where the build's cache is written to, with the inline cache that `BUILDKIT_INLINE_CACHE` asks for.
pub fn cache_exports(build: &ServiceBuild, target: Target) -> Result<Vec<CacheEntry>, SpecError> {
    let mut exports = build.cache_to.clone();
    if target == Target::Engine(ImageStore::Classic)
        && let Some(entry) = exports.iter().find(|entry| entry.kind != "inline")
    {
        let problem = format!(
            "this engine cannot export a {} cache: its image store is the classic one, which exports inline only",
            entry.kind
        );
        return Err(build.unsupported("cache_to", problem));
    }
    let inline = build
        .args
        .get("BUILDKIT_INLINE_CACHE")
        .is_some_and(|value| is_true(value));
    if inline && !exports.iter().any(|entry| entry.kind == "inline") {
        exports.push(CacheEntry {
            kind: "inline".to_owned(),
            attrs: BTreeMap::new(),
        });
    }
    Ok(exports)
}

/// Go's `strconv.ParseBool`, by which the builder's own client reads the argument.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

/// The privileges that the build may use, each with the field that asks for it.
pub fn entitlements(build: &ServiceBuild) -> BTreeMap<String, &'static str> {
    let mut entitlements = BTreeMap::new();
    if build.network.as_deref() == Some("host") {
        entitlements.insert("network.host".to_owned(), "network");
    }
    if build.privileged {
        entitlements.insert("security.insecure".to_owned(), "privileged");
    }
    entitlements.extend(
        build
            .entitlements
            .iter()
            .map(|name| (name.clone(), "entitlements")),
    );
    entitlements
}

/// The builder's refusal of a privilege, by the field that asks for it. The builder says it in words only (BuildKit,
/// `util/entitlements`).
pub fn refused_entitlement(build: &ServiceBuild, message: &str) -> Option<SpecError> {
    let names = ["granting entitlement ", "unknown entitlement "];
    let name = names.iter().find_map(|words| message.split_once(words))?.1;
    let name = name.split_whitespace().next()?;
    let field = *entitlements(build).get(name)?;
    Some(build.unsupported(field, message))
}

/// How another service's image is named to the frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceImage {
    /// An image of the engine's store.
    Image(String),
    /// The input of this name, with the image's configuration.
    Input(String, String),
}

/// What the options depend on beside the build itself.
pub struct Facts<'a> {
    /// What the builder can do.
    pub capabilities: &'a Capabilities,
    /// Where the image goes.
    pub target: Target,
    /// The address that `host-gateway` stands for at this builder.
    pub host_gateway: Option<&'a str>,
    /// The images of the services that this one needs, by the name of the context that they stand for.
    pub service_images: &'a BTreeMap<String, ServiceImage>,
}

/// The frontend's options.
pub fn frontend_options(
    build: &ServiceBuild,
    facts: &Facts<'_>,
) -> Result<BTreeMap<String, String>, SpecError> {
    let mut options = BTreeMap::new();
    let mut set = |name: &str, value: String| options.insert(name.to_owned(), value);
    let needs = |field: &str, capability: &str, since: &str| {
        if facts.capabilities.llb(capability) {
            return Ok(());
        }
        Err(build.unsupported(field, format!("this builder cannot do it; it needs {since}")))
    };
    set("filename", dockerfile_name(build));
    if let Context::Remote(url) = &build.context {
        set("context", url.clone());
        if matches!(build.dockerfile, DockerfileSource::Inline(_)) {
            set("dockerfilekey", DOCKERFILE.to_owned());
        }
    }
    for (name, value) in &build.args {
        set(&format!("build-arg:{name}"), value.clone());
    }
    for (name, value) in &build.labels {
        set(&format!("label:{name}"), value.clone());
    }
    if let Some(stage) = &build.target {
        set("target", stage.clone());
    }
    if let Some(platform) = &build.platform {
        set("platform", platform.clone());
    }
    if build.no_cache {
        set("no-cache", String::new());
    } else if !build.no_cache_filter.is_empty() {
        set("no-cache", build.no_cache_filter.join(","));
    }
    if build.pull {
        set("image-resolve-mode", "pull".to_owned());
    } else if matches!(facts.target, Target::Engine(_)) {
        // What the engine's images are called is what a `FROM` means, as in `docker build`.
        set("image-resolve-mode", "local".to_owned());
    }
    if let Some(network) = &build.network {
        set("force-network-mode", network.clone());
    }
    if !build.extra_hosts.is_empty() {
        set("add-hosts", extra_hosts(build, facts.host_gateway)?);
    }
    if let Some(bytes) = build.shm_size.filter(|&bytes| bytes > 0) {
        needs(
            "shm_size",
            "exec.mount.tmpfs.size",
            "BuildKit 0.10 (Docker Engine 23)",
        )?;
        set("shm-size", bytes.to_string());
    }
    if !build.ulimits.is_empty() {
        needs("ulimits", "exec.meta.ulimit", "BuildKit 0.10 (Docker Engine 23)")?;
        let limits = build
            .ulimits
            .iter()
            .map(|(name, (soft, hard))| format!("{name}={soft}:{hard}"));
        set("ulimit", limits.collect::<Vec<_>>().join(","));
    }
    if !build.cache_from.is_empty() {
        set("cache-imports", imports_option(&build.cache_from));
    }
    if !build.named_contexts.is_empty() {
        needs("additional_contexts", NAMED_CONTEXTS.0, NAMED_CONTEXTS.1)?;
    }
    for (name, context) in &build.named_contexts {
        match context {
            NamedContext::Folder(_) => {
                set(&format!("context:{name}"), format!("local:{}", folder_name(name)))
            }
            NamedContext::Remote(url) => set(&format!("context:{name}"), url.clone()),
            NamedContext::Service(_) => None,
        };
    }
    for (name, image) in facts.service_images {
        match image {
            ServiceImage::Image(image) => set(&format!("context:{name}"), format!("docker-image://{image}")),
            ServiceImage::Input(input, config) => {
                // The image is in no store and no registry that such a builder would ask.
                let field = if build.pull { "pull" } else { "dockerfile" };
                needs(field, NAMED_CONTEXTS.0, NAMED_CONTEXTS.1)?;
                set(&format!("context:{name}"), format!("input:{input}"));
                // Go's JSON of a map of bytes.
                let config = BASE64.encode(config);
                let metadata = serde_json::json!({ "containerimage.config": config });
                set(&format!("input-metadata:{input}"), metadata.to_string())
            }
        };
    }
    Ok(options)
}

/// The Dockerfile's name below the folder that is sent for it.
fn dockerfile_name(build: &ServiceBuild) -> String {
    match (&build.dockerfile, &build.context) {
        (DockerfileSource::Inline(_), _) => "Dockerfile".to_owned(),
        (DockerfileSource::File(path), Context::Remote(_)) => path.to_string_lossy().into_owned(),
        (DockerfileSource::File(path), Context::Folder(_)) => path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
    }
}

fn extra_hosts(build: &ServiceBuild, gateway: Option<&str>) -> Result<String, SpecError> {
    let entry = |(host, address): &(String, String)| {
        let address = match (address.as_str(), gateway) {
            ("host-gateway", Some(gateway)) => gateway,
            ("host-gateway", None) => {
                let problem = "this builder does not say what host-gateway is";
                return Err(build.unsupported("extra_hosts", problem));
            }
            (address, _) => address,
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(build.unsupported("extra_hosts", format!("{address:?} is not an IP address")));
        }
        Ok(format!("{host}={address}"))
    };
    Ok(build
        .extra_hosts
        .iter()
        .map(entry)
        .collect::<Result<Vec<_>, _>>()?
        .join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_privilege_is_told_by_the_field_that_asks_for_it() {
        let build = ServiceBuild {
            field_prefix: "services.web.build.".to_owned(),
            entitlements: vec!["device".to_owned()],
            privileged: true,
            network: Some("host".to_owned()),
            ..ServiceBuild::default()
        };
        let refused = |name: &str| {
            let message = format!("granting entitlement {name} is not allowed by build daemon configuration");
            refused_entitlement(&build, &message).map(|error| error.to_string())
        };
        for (name, field) in [
            ("device", "entitlements"),
            ("security.insecure", "privileged"),
            ("network.host", "network"),
        ] {
            let error = refused(name).unwrap();
            assert!(
                error.starts_with(&format!("services.web.build.{field}: ")),
                "{error}"
            );
        }
        assert_eq!(refused("of.somebody.else"), None);
        assert_eq!(refused_entitlement(&build, "process did not complete"), None);
    }
}
