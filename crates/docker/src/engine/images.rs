//! What images an engine has, which of them containers use, and taking them away.

use super::{Engine, EngineError, escape};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use std::collections::HashMap;

/// An image in a list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    /// `sha256:…`
    pub id: String,
    /// The image that the classic builder made it on; [`None`] for everything else, BuildKit's images among it.
    pub parent: Option<String>,
    /// `name:tag`, every one.
    pub tags: Vec<String>,
    /// What no other image shares of it, in bytes; 0 where the engine does not tell (before API 1.42).
    pub own_bytes: u64,
    /// The labels of its config.
    pub labels: HashMap<String, String>,
}

/// A container's use of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUse {
    /// The container's name.
    pub container: String,
    /// The image that it was made of: `sha256:…`.
    pub image: String,
    /// It runs now.
    pub runs: bool,
}

impl Engine {
    /// All images, those included that only others lie upon.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn images(&self) -> Result<Vec<ListedImage>, EngineError> {
        let options = ListImagesOptionsBuilder::default()
            .all(true)
            .shared_size(true)
            .build();
        let images = self.api.list_images(Some(options)).await;
        let images = images.map_err(|error| EngineError::from_api("list the images", error))?;
        let images = images.into_iter().map(|image| ListedImage {
            id: image.id,
            parent: Some(image.parent_id).filter(|parent| !parent.is_empty()),
            // What Engine 20.10 prints for an image without a name.
            tags: image
                .repo_tags
                .into_iter()
                .filter(|tag| tag != "<none>:<none>")
                .collect(),
            own_bytes: match image.shared_size {
                shared @ 0.. => u64::try_from(image.size.saturating_sub(shared)).unwrap_or(0),
                _ => 0,
            },
            labels: image.labels,
        });
        Ok(images.collect())
    }

    /// Which images containers use, stopped ones among them.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub async fn image_uses(&self) -> Result<Vec<ContainerUse>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self.api.list_containers(Some(options)).await;
        let containers = containers.map_err(|error| EngineError::from_api("list the containers", error))?;
        let uses = containers.into_iter().filter_map(|container| {
            let name = container.names.unwrap_or_default().into_iter().next();
            let name = name.map(|name| name.trim_start_matches('/').to_owned());
            Some(ContainerUse {
                container: name.or(container.id)?,
                image: container.image_id?,
                runs: container.state.is_some_and(|state| state.as_ref() == "running"),
            })
        });
        Ok(uses.collect())
    }

    /// Takes a name away from an image, and the image with its last name. With `force`, although a container uses it.
    /// True if there was such an image.
    ///
    /// # Errors
    /// If the engine refuses: a container uses it.
    pub async fn remove_image(&self, reference: &str, force: bool) -> Result<bool, EngineError> {
        let options = RemoveImageOptionsBuilder::default().force(force).build();
        match self
            .api
            .remove_image(&escape(reference), Some(options), None)
            .await
        {
            Ok(_) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(EngineError::from_api(format!("remove image {reference}"), error)),
        }
    }
}
