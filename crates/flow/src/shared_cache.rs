//! The build cache that machines share in a registry: `[cache] shared` of `unstale.toml`.
//!
//! The repository has a [`Marker`], whose digest is part of the names of all caches. Clearing replaces the marker, and with
//! it the names, on every machine at once. The marker also says when that was, because what a machine reused from the old
//! cache is in its own by now.

mod marker;
mod tags;

pub(crate) use marker::Marker;
pub(crate) use tags::{Place, Tags};

use std::time::{SystemTime, UNIX_EPOCH};
use unstale_registry::{Client, RegistryError};

/// A repository with caches, and its marker.
#[derive(Debug)]
pub(crate) struct SharedCache {
    client: Client,
    marker: Option<Marker>,
}

impl SharedCache {
    /// Reads the marker.
    ///
    /// # Errors
    /// If the registry cannot be asked, or something else is where the marker should be.
    pub async fn open(client: Client) -> Result<SharedCache, RegistryError> {
        let found = client.manifest(tags::MARKER).await?;
        let marker = found.as_ref().and_then(Marker::read);
        if found.is_some() && marker.is_none() {
            let name = client.repository().at(tags::MARKER);
            return Err(RegistryError::Malformed {
                host: client.repository().host().to_owned(),
                reason: format!("{name} is not what unstale writes there"),
            });
        }
        Ok(SharedCache { client, marker })
    }

    /// The repository's name.
    pub fn name(&self) -> String {
        self.client.repository().to_string()
    }

    /// The marker, if there is one.
    pub fn marker(&self) -> Option<&Marker> {
        self.marker.as_ref()
    }

    /// Writes a new marker, and sees that it is there. What is from before `cleared` (in nanoseconds since 1970) is not to be
    /// reused then.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn mark(&mut self, cleared: Option<i64>) -> Result<(), RegistryError> {
        let empty = self.client.put_blob(marker::EMPTY).await?;
        let written = Marker::write(cleared, &empty);
        self.client
            .put_manifest(tags::MARKER, marker::MANIFEST, &written)
            .await?;
        let found = self.client.manifest(tags::MARKER).await?;
        // Whoever writes at the same time has cleared, too: the later one counts.
        self.marker = found.as_ref().and_then(Marker::read);
        match self.marker {
            Some(_) => Ok(()),
            None => Err(RegistryError::Malformed {
                host: self.client.repository().host().to_owned(),
                reason: format!("{} is not there after it was written", tags::MARKER),
            }),
        }
    }

    /// The tags of the repository, but for the marker's.
    ///
    /// # Errors
    /// If the registry cannot be asked.
    pub async fn tags(&self) -> Result<Tags, RegistryError> {
        Ok(Tags::sorted(self.client.tags().await?, self.marker.as_ref()))
    }

    /// Deletes what stands behind tags, and gives what is kept because another tag has it as well.
    ///
    /// # Errors
    /// If the registry cannot be asked or refuses.
    pub async fn delete(&self, tags: &[String], but: &[String]) -> Result<Vec<String>, RegistryError> {
        let mut kept = Vec::new();
        let mut needed = Vec::new();
        for tag in but {
            needed.extend(self.client.manifest(tag).await?.map(|manifest| manifest.digest));
        }
        for tag in tags {
            match self.client.manifest(tag).await? {
                Some(manifest) if needed.contains(&manifest.digest) => kept.push(tag.clone()),
                Some(manifest) => {
                    self.client.delete(&manifest.digest).await?;
                }
                None => {}
            }
        }
        Ok(kept)
    }

    /// Where the caches of a service are; [`None`] without a marker.
    pub fn place(&self, service: &str) -> Option<Place> {
        Some(Place::new(self.name(), self.marker.as_ref()?, service))
    }
}

/// A time in nanoseconds since 1970.
pub(crate) fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
