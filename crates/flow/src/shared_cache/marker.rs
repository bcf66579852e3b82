//! The marker of a shared cache: a manifest without content, whose annotations say when the cache was cleared.

use serde::Deserialize;
use serde_json::json;
use std::time::SystemTime;
use unstale_registry::Manifest;

/// How much of the marker's digest is part of the names of caches, in characters.
pub(super) const NAME_LENGTH: usize = 12;

/// The kind of the marker's manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The content of what has none (OCI image specification, "Guidance for an Empty Descriptor").
pub(super) const EMPTY: &[u8] = b"{}";

/// The kind of [`EMPTY`].
const EMPTY_KIND: &str = "application/vnd.oci.empty.v1+json";

/// What sort of artifact it is.
const KIND: &str = "application/vnd.unstale.cache.epoch.v1";

/// The annotation with the moment of the clear, in nanoseconds since 1970.
const CLEARED: &str = "unstale.cleared";

/// The annotation that makes every marker unlike any other.
const NONCE: &str = "unstale.nonce";

/// The moment of a clear, by which caches are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The part of the names.
    pub name: String,
    /// What was made before is not to be reused, in nanoseconds since 1970; [`None`] if nothing was ever cleared.
    pub cleared: Option<i64>,
}

impl Marker {
    /// The manifest of a new marker. `empty` is the digest of [`EMPTY`].
    pub fn write(cleared: Option<i64>, empty: &str) -> Vec<u8> {
        let empty = json!({ "mediaType": EMPTY_KIND, "digest": empty, "size": EMPTY.len() });
        let mut annotations = json!({
            "org.opencontainers.image.created": humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
            NONCE: unstale_buildkit::random_id(),
        });
        if let Some(cleared) = cleared {
            annotations[CLEARED] = cleared.to_string().into();
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": KIND,
            "config": empty,
            "layers": [empty],
            "annotations": annotations,
        });
        manifest.to_string().into_bytes()
    }

    /// Reads a marker; [`None`] if it is none.
    pub fn read(manifest: &Manifest) -> Option<Marker> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read {
            artifact_type: String,
            annotations: Annotations,
        }
        #[derive(Deserialize)]
        struct Annotations {
            #[serde(rename = "unstale.cleared")]
            cleared: Option<String>,
        }
        let read: Read = serde_json::from_slice(&manifest.bytes).ok()?;
        let hex = manifest.digest.strip_prefix("sha256:")?;
        let cleared = match read.annotations.cleared {
            Some(cleared) => Some(cleared.parse().ok()?),
            None => None,
        };
        (read.artifact_type == KIND).then_some(Marker {
            name: hex.get(..NAME_LENGTH)?.to_owned(),
            cleared,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_and_nothing_else_is_taken_for_one() {
        let read = |text: Vec<u8>| {
            Marker::read(&Manifest {
                digest: format!("sha256:{}", "0123456789ab".repeat(6)),
                bytes: text,
            })
        };
        let named = |cleared| {
            let name = "0123456789ab".to_owned();
            Some(Marker { name, cleared })
        };
        let cleared = Some(1_764_000_000_123_456_789);
        assert_eq!(read(Marker::write(cleared, "sha256:0")), named(cleared));
        assert_eq!(read(Marker::write(None, "sha256:0")), named(None));
        assert_eq!(read(b"{\"schemaVersion\":2}".to_vec()), None);
        let changed = |from: &str, to: &str| {
            let text = String::from_utf8(Marker::write(cleared, "sha256:0")).unwrap();
            read(text.replace(from, to).into_bytes())
        };
        assert_eq!(changed(KIND, "application/x"), None);
        assert_eq!(changed("1764000000123456789", "soon"), None);
    }
}
