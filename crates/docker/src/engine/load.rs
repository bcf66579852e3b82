//! Loading an image archive into the engine, streamed: the archive is never held in memory.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, pin_mut};

use super::{Engine, EngineError};

/// The engine answers a load only after the whole archive has come, however long the caller's stream takes: this
/// bound is only against waiting for ever. A caller that gives up drops the future.
const LOAD_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the engine made of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedImages {
    /// The loaded images: their names, or ids for those without a name.
    pub images: Vec<String>,
}

impl Engine {
    /// Loads a `docker save` or OCI layout archive. An error in `archive`, or one that the engine reports while it
    /// reads, is an error here.
    pub async fn load<S, E>(&self, archive: S) -> Result<LoadedImages, EngineError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let options = bollard::query_parameters::ImportImageOptionsBuilder::default()
            .quiet(true)
            .build();
        let api = self.api.clone().with_timeout(LOAD_LIMIT);
        let answers = api.import_image_stream(options, archive, None);
        pin_mut!(answers);
        let mut loaded = LoadedImages::default();
        while let Some(answer) = answers.next().await {
            let answer =
                answer.map_err(|error| EngineError::from_api("load an image into the engine", error))?;
            loaded.images.extend(
                answer
                    .stream
                    .iter()
                    .flat_map(|text| text.lines())
                    .filter_map(name),
            );
        }
        Ok(loaded)
    }
}

/// The name in a line of the engine's answer; the wording is moby's (`image/tarexport/load.go`) since 2016.
fn name(line: &str) -> Option<String> {
    let line = line.trim();
    let name = line
        .strip_prefix("Loaded image: ")
        .or_else(|| line.strip_prefix("Loaded image ID: "))?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_are_read_from_the_answer() {
        assert_eq!(name("Loaded image: a/b:1\n"), Some("a/b:1".to_owned()));
        assert_eq!(name("Loaded image ID: sha256:0f"), Some("sha256:0f".to_owned()));
        assert_eq!(name("The image a/b:1 already exists, renaming the old one"), None);
    }
}
