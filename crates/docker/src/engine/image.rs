//! Images in the engine: looked at and tagged.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Engine, EngineError};

/// An image as the engine stores it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    /// `sha256:…`; of what, depends on the [`super::ImageStore`].
    pub id: String,
    /// `name:tag`, every one.
    #[serde(default, deserialize_with = "null_as_default")]
    pub repo_tags: Vec<String>,
    /// `name@sha256:…`, for what came from or went to a registry (or into containerd's store).
    #[serde(default, deserialize_with = "null_as_default")]
    pub repo_digests: Vec<String>,
    /// When it was built, as its config says: RFC 3339.
    #[serde(default)]
    pub created: Option<String>,
    /// `linux`
    #[serde(default)]
    pub os: String,
    /// `amd64`
    #[serde(rename = "Architecture", default)]
    pub arch: String,
    /// `v8` of `arm64/v8`
    #[serde(default)]
    pub variant: Option<String>,
    /// The `Config` section in full, as the engine prints it.
    #[serde(default)]
    pub config: Value,
    /// The layers.
    #[serde(rename = "RootFS", default, deserialize_with = "null_as_default")]
    pub root_fs: RootFs,
}

/// The layers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RootFs {
    /// The digests of their uncompressed archives (`sha256:…`), the lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<String>,
}

impl Image {
    /// The labels of the image's config.
    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::deserialize(&self.config["Labels"]).unwrap_or_default()
    }
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Engine {
    /// Looks at an image, named by reference, digest or id; [`None`] if the engine has no such image.
    pub async fn inspect_image(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        let what = format!("inspect image {reference}");
        let path = format!("/v{}/images/{}/json", self.version, escape(reference));
        match self.transport.get_json(&what, &path).await {
            Ok(image) => Ok(Some(image)),
            Err(EngineError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the image `source` another name; `repository` is without tag.
    ///
    /// # Errors
    /// If there is no such image, or the name is none.
    pub async fn tag(&self, source: &str, repository: &str, tag: &str) -> Result<(), EngineError> {
        let what = format!("tag image {source} as {repository}:{tag}");
        let options = bollard::query_parameters::TagImageOptionsBuilder::default()
            .repo(repository)
            .tag(tag)
            .build();
        let done = self.api.tag_image(&escape(source), Some(options)).await;
        done.map_err(|error| EngineError::from_api(what, error))
    }
}

/// A reference as part of a URL's path: the slashes stay, everything that could end the path goes.
pub(super) fn escape(reference: &str) -> String {
    let mut path = String::with_capacity(reference.len());
    for byte in reference.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => {
                path.push(char::from(byte));
            }
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_cannot_leave_its_place_in_the_url() {
        assert_eq!(escape("reg:5000/a/b@sha256:0f"), "reg:5000/a/b@sha256:0f");
        assert_eq!(escape("a?b#c d%/é"), "a%3Fb%23c%20d%25/%C3%A9");
    }

    #[test]
    fn an_image_without_labels_or_tags_is_read() {
        let text = r#"{"Id": "sha256:1", "RepoTags": null, "Architecture": "amd64", "Os": "linux", "Config": {"Labels": null}}"#;
        let image: Image = serde_json::from_str(text).unwrap();
        assert!(image.repo_tags.is_empty() && image.labels().is_empty());
    }
}
