//! What builds of the project import: the images and caches that `cache_from` names.

use super::{Amount, ClearError, ClearRequest, Leftover, StoreReport};
use crate::build::explain::{CACHE_CONFIG, has_cache};
use crate::build::{cache_entry, credentials, docker_credentials};
use crate::builder::Builder;
use crate::registry;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;
use unstale_buildkit::gateway::{JobRequest, Place};
use unstale_buildkit::session::{Services, Session};
use unstale_docker::engine::ContainerUse;
use unstale_docker::{Engine, Environment, ImageStore, Project};
use unstale_registry::{Client, InvalidReference, Reference, RegistryError};

/// What the store is called.
const STORE: &str = "imports";

/// The file by which a folder is known to hold a cache that BuildKit has exported.
const CACHE_INDEX: &str = "index.json";

/// No manifest is larger, in bytes.
const MANIFEST_LIMIT: u64 = 16 << 20;

/// What one entry of `cache_from` leads to.
enum Import {
    /// An image of the engine, which the classic store's builder takes before it asks a registry.
    Local {
        name: String,
        container: Option<ContainerUse>,
    },
    /// A folder.
    Folder { path: PathBuf, bytes: u64 },
    /// Something in a registry.
    Remote {
        name: String,
        client: Box<Client>,
        digest: String,
    },
    /// It cannot be told whether there is anything.
    Unclear { name: String, reason: String },
}

/// The imports of a project.
pub(super) struct Imports {
    found: Vec<Import>,
    force: bool,
    remote: bool,
}

impl Imports {
    /// Looks what stands behind every `cache_from`.
    ///
    /// # Errors
    /// If the engine does not say which images containers use.
    pub(super) async fn find(
        environment: &Environment,
        builder: &Builder,
        project: &Project,
        folder: &Path,
        request: &ClearRequest,
    ) -> Result<Imports, ClearError> {
        let builds = project
            .services
            .values()
            .filter_map(|service| service.build.as_ref());
        let entries: BTreeSet<&String> = builds.flat_map(|build| &build.cache_from).collect();
        let uses = builder.engine.image_uses().await?;
        let mut found = Vec::new();
        for entry in entries {
            match cache_entry::reference(entry) {
                cache_entry::Reference::Name(name) => {
                    found.extend(behind_name(environment, builder, &uses, name).await);
                }
                cache_entry::Reference::Folder(path) => found.extend(behind_folder(&folder.join(path))),
                cache_entry::Reference::Elsewhere(kind) => found.push(Import::Unclear {
                    name: entry.clone(),
                    reason: format!("unstale cannot look into caches of the kind {kind}"),
                }),
            }
        }
        Ok(Imports {
            found,
            force: request.force,
            remote: request.remote,
        })
    }

    /// What is there.
    pub(super) fn found(&self) -> StoreReport {
        let mut report = StoreReport::found(STORE, None, amount(self.found.iter()));
        report.leftovers = self.found.iter().filter_map(|import| self.kept(import)).collect();
        report
    }

    /// Why one is not taken away.
    fn kept(&self, import: &Import) -> Option<Leftover> {
        let (reason, hint) = match import {
            Import::Local {
                name,
                container: Some(used),
                ..
            } if !self.force => {
                let word = if used.runs { "running" } else { "stopped" };
                (
                    format!(
                        "{name} holds a cache, and is kept for the {word} container {}",
                        used.container
                    ),
                    "remove the container first, or clear with --force; or take the name out of cache_from"
                        .to_owned(),
                )
            }
            Import::Local { .. } | Import::Folder { .. } => return None,
            Import::Remote { .. } if self.remote => return None,
            Import::Remote { name, .. } => (
                format!("{name} is in its registry, and builds import from it"),
                "clear with --remote to delete it there, or take it out of cache_from".to_owned(),
            ),
            Import::Unclear { name, reason } => (
                format!("{name}: {reason}"),
                "clear it where it is, or take it out of cache_from".to_owned(),
            ),
        };
        Some(Leftover {
            reason,
            hint: Some(hint),
            can_answer: true,
        })
    }

    /// Takes away what is on this machine and the engine's.
    pub(super) async fn clear(&self, engine: &Engine, cancel: &CancellationToken) -> StoreReport {
        let mut report = self.found();
        let mut left = Vec::new();
        for import in &self.found {
            if self.kept(import).is_some() {
                left.push(import);
                continue;
            }
            let cleared = match import {
                _ if cancel.is_cancelled() => Err("the clear was interrupted".to_owned()),
                Import::Local { name, .. } => remove_image(engine, name, self.force).await,
                Import::Folder { path, .. } => remove_cache(path),
                Import::Remote { name, client, digest } => delete(client, name, digest).await,
                Import::Unclear { .. } => Ok(()),
            };
            if let Err(reason) = cleared {
                left.push(import);
                report.leftovers.push(Leftover {
                    reason,
                    hint: Some("clear again, or take it out of cache_from".to_owned()),
                    can_answer: true,
                });
            }
        }
        report.after = amount(left.into_iter());
        report
    }
}

/// An image or a cache of a name. The containerd store's builder asks the registry alone.
async fn behind_name(
    environment: &Environment,
    builder: &Builder,
    uses: &[ContainerUse],
    name: &str,
) -> Vec<Import> {
    let mut found = Vec::new();
    let unclear = |reason: String| Import::Unclear {
        name: name.to_owned(),
        reason,
    };
    let local = match builder.identity.storage {
        ImageStore::Classic => builder.engine.inspect_image(name).await,
        ImageStore::Containerd => Ok(None),
    };
    let id = match local {
        Ok(image) => image.map(|image| image.id),
        Err(error) => return vec![unclear(error.to_string())],
    };
    let remote = in_registry(environment, builder, name).await;
    if let Some(id) = id
        && holds_cache(environment, builder, name, Place::Engine)
            .await
            .unwrap_or(true)
    {
        found.push(Import::Local {
            name: name.to_owned(),
            container: uses.iter().find(|used| used.image == id).cloned(),
        });
    }
    match remote {
        Ok(Some((client, digest))) => {
            let exact = client.repository().at(&digest).to_string();
            if holds_cache(environment, builder, &exact, Place::Registry)
                .await
                .unwrap_or(true)
            {
                found.push(Import::Remote {
                    name: name.to_owned(),
                    client: Box::new(client),
                    digest,
                });
            }
        }
        Ok(None) => {}
        Err(reason) => found.push(unclear(reason)),
    }
    found
}

/// What a registry has of a name.
async fn in_registry(
    environment: &Environment,
    builder: &Builder,
    name: &str,
) -> Result<Option<(Client, String)>, String> {
    let Reference { repository, object } = name
        .parse()
        .map_err(|error: InvalidReference| error.to_string())?;
    let login = credentials(environment, repository.host()).await;
    let asked = async {
        let client = registry::connect(&builder.engine, repository, login).await?;
        let manifest = client.manifest(&object).await?;
        Ok(manifest.map(|manifest| (client, manifest.digest)))
    };
    asked.await.map_err(|error: RegistryError| error.to_string())
}

/// Deletes what stands behind a name in a registry, with every other tag of it.
async fn delete(client: &Client, name: &str, digest: &str) -> Result<(), String> {
    let deleted = async {
        client.delete(digest).await?;
        client.manifest(digest).await
    };
    match deleted.await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(format!("{name} is still in its registry")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Whether there is a cache in the image that the engine finds by a name; unknown if it finds no image, but something else.
async fn holds_cache(environment: &Environment, builder: &Builder, name: &str, place: Place) -> Option<bool> {
    let services = Services {
        credentials: docker_credentials(environment),
        ..Services::default()
    };
    let session = Session::open(&builder.transport, &unstale_buildkit::random_id(), services)
        .await
        .ok()?;
    let job = JobRequest {
        session: session.id().to_owned(),
        internal: true,
        ..JobRequest::default()
    };
    let (job, mut events) = builder.client.start(job).await.ok()?;
    let drain = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let config = job.resolve_image(name, place).await.ok();
    let _ = job.abandon("nothing is to be run".to_owned()).await;
    let _ = drain.await;
    has_cache(&config?.1)
}

/// A cache that BuildKit has exported. Images are kept in folders of the same form, and are not ours to delete.
fn behind_folder(path: &Path) -> Option<Import> {
    if !path.join(CACHE_INDEX).is_file() {
        return None;
    }
    let name = path.display().to_string();
    Some(match is_cache(path) {
        Some(true) => Import::Folder {
            path: path.to_owned(),
            bytes: folder_bytes(path),
        },
        Some(false) => Import::Unclear {
            name,
            reason: "the folder holds something else than a build cache".to_owned(),
        },
        None => Import::Unclear {
            name,
            reason: "the folder cannot be read as a build cache".to_owned(),
        },
    })
}

/// Whether everything that a folder's index names is a build cache; unknown if that cannot be read.
fn is_cache(path: &Path) -> Option<bool> {
    let index = read_json(&path.join(CACHE_INDEX))?;
    let mut all = true;
    for manifest in index["manifests"].as_array()? {
        let hex = manifest["digest"].as_str()?.strip_prefix("sha256:")?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let manifest = read_json(&path.join("blobs/sha256").join(hex))?;
        // BuildKit writes an index whose last entry is the cache's configuration, or an image's manifest with it.
        let entries = manifest["manifests"].as_array().into_iter().flatten();
        let mut entries = entries.chain([&manifest["config"]]);
        all &= entries.any(|entry| entry["mediaType"] == CACHE_CONFIG);
    }
    Some(all)
}

fn read_json(path: &Path) -> Option<serde_json::Value> {
    let file = std::fs::File::open(path).ok()?;
    let mut text = Vec::new();
    file.take(MANIFEST_LIMIT).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The sizes of the blobs in a cache's folder; they lie in `blobs/sha256`.
fn folder_bytes(path: &Path) -> u64 {
    let entries = path
        .join("blobs/sha256")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

async fn remove_image(engine: &Engine, name: &str, force: bool) -> Result<(), String> {
    engine
        .remove_image(name, force)
        .await
        .map_err(|error| error.to_string())?;
    match engine.inspect_image(name).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(format!("{name} is still there")),
        Err(error) => Err(error.to_string()),
    }
}

/// Removes what BuildKit put there, and nothing else.
fn remove_cache(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot clear {}: {error}", path.display());
    // Without it the rest is no cache, so it goes first.
    std::fs::remove_file(path.join(CACHE_INDEX)).map_err(failed)?;
    for name in ["oci-layout", "index.json.lock"] {
        let _ = std::fs::remove_file(path.join(name));
    }
    match std::fs::remove_dir_all(path.join("blobs")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn amount<'a>(imports: impl Iterator<Item = &'a Import>) -> Amount {
    imports.fold(Amount::default(), |sum, import| {
        let bytes = match import {
            Import::Folder { bytes, .. } => *bytes,
            Import::Local { .. } | Import::Remote { .. } | Import::Unclear { .. } => 0,
        };
        Amount {
            records: sum.records + 1,
            bytes: sum.bytes + bytes,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_told_from_an_image_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (path, hex) = (folder.path(), "0f".repeat(32));
        std::fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        let index = format!("{{\"manifests\": [{{\"digest\": \"sha256:{hex}\"}}]}}");
        std::fs::write(path.join(CACHE_INDEX), index).unwrap();
        assert_eq!(is_cache(path), None);
        let holds =
            |manifest: String| std::fs::write(path.join("blobs/sha256").join(&hex), manifest).unwrap();
        holds("{\"config\": {\"mediaType\": \"application/vnd.oci.image.config.v1+json\"}}".to_owned());
        assert_eq!(is_cache(path), Some(false));
        assert!(matches!(behind_folder(path), Some(Import::Unclear { .. })));
        holds(format!(
            "{{\"manifests\": [{{\"mediaType\": \"{CACHE_CONFIG}\"}}]}}"
        ));
        assert!(matches!(behind_folder(path), Some(Import::Folder { .. })));
        remove_cache(path).unwrap();
        assert!(behind_folder(path).is_none());
    }
}
