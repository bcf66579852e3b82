//! A build's part in the cache that machines share: where it imports from and exports to, and what of it is too old.

use super::epoch::Epoch;
use super::project::{Purpose, credentials};
use super::request::Target;
use super::spec::ServiceBuild;
use crate::builder::Builder;
use crate::registry;
use crate::shared_cache::{Place, SharedCache};
use std::collections::{BTreeMap, HashMap};
use unstale_buildkit::gateway::CacheEntry;
use unstale_docker::{EngineError, Environment, ImageStore};
use unstale_registry::{RegistryError, Repository};

/// Where the caches of a build are.
pub(super) struct Sharing {
    places: HashMap<String, Place>,
    login: Option<(String, String)>,
    /// The last clear of the shared cache.
    pub epoch: Option<Epoch>,
}

impl Sharing {
    /// Asks the registry, and adds to the builds what they import and export. A cache that is new gets its marker, if there
    /// is to be a build.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn begin(
        environment: &Environment,
        builder: &Builder,
        repository: &Repository,
        purpose: Purpose,
        builds: &mut [ServiceBuild],
    ) -> Result<Sharing, RegistryError> {
        let login = credentials(environment, repository.host()).await;
        let client = registry::connect(&builder.engine, repository.clone(), login.clone()).await?;
        let mut cache = SharedCache::open(client).await?;
        if cache.marker().is_none() && purpose == Purpose::Build {
            cache.mark(None).await?;
        }
        let present = match cache.marker() {
            Some(_) => cache.tags().await?.current,
            None => Vec::new(),
        };
        let mut places = HashMap::new();
        for build in builds {
            let Some(place) = cache.place(&build.service) else {
                continue;
            };
            build.cache_from.extend(place.imports(&present));
            match builder.target {
                // Its exporters know no other.
                Target::Engine(ImageStore::Classic) => {
                    build.cache_to.retain(|entry| entry.kind != "inline");
                    build.cache_to.push(inline());
                }
                Target::Engine(ImageStore::Containerd) | Target::BuildKit => {
                    build.cache_to.push(place.export())
                }
            }
            places.insert(build.service.clone(), place);
        }
        Ok(Sharing {
            places,
            login,
            epoch: cache.marker().and_then(Epoch::of_shared),
        })
    }

    /// Sends a service's image to where its cache is, if its builder could export no other one.
    ///
    /// # Errors
    /// If the registry cannot be reached by the engine or refuses.
    pub async fn push(&self, builder: &Builder, service: &str, image: &str) -> Result<(), EngineError> {
        let (Target::Engine(ImageStore::Classic), Some(place)) = (builder.target, self.places.get(service))
        else {
            return Ok(());
        };
        let (engine, tag) = (&builder.engine, &place.inline_tag);
        engine.tag(image, &place.repository, tag).await?;
        let pushed = engine.push(&place.repository, tag, self.login.clone()).await;
        // An image of the engine would be taken for the cache instead of what the registry has.
        engine
            .remove_image(&format!("{}:{tag}", place.repository), false)
            .await?;
        pushed
    }

    /// Whether a cache was exported, as far as the builder's answer tells.
    pub fn is_exported(&self, builder: &Builder, answer: &HashMap<String, String>) -> bool {
        let is_inline = matches!(builder.target, Target::Engine(ImageStore::Classic));
        is_inline || self.places.is_empty() || answer.contains_key("cache.manifest")
    }
}

fn inline() -> CacheEntry {
    CacheEntry {
        kind: "inline".to_owned(),
        attrs: BTreeMap::new(),
    }
}
