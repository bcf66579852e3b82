//! The key under which a daemon keeps the folders that it received.

use super::revision::folders;
use super::spec::{DockerfileSource, ServiceBuild};
use sha2::{Digest, Sha256};

/// A key that is the same for the same folders of the same machine, and for no others: the daemon asks for changed
/// files only, compared with what it keeps under this key. docker/buildx takes the folder's base name, so that two
/// projects with folders of the same name share what the daemon keeps.
pub fn shared_key(build: &ServiceBuild) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(machine().as_bytes());
    // Two services may take different parts of one folder.
    add(build.service.as_bytes());
    for (name, root) in folders(build) {
        add(name.as_bytes());
        add(root.as_os_str().as_encoded_bytes());
    }
    if let DockerfileSource::File(path) = &build.dockerfile {
        add(path.as_os_str().as_encoded_bytes());
    }
    hex::encode(hash.finalize())
}

/// This machine among those that use the same daemon.
fn machine() -> String {
    let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    format!(
        "{}{}",
        id.trim(),
        rustix::system::uname().nodename().to_string_lossy()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::spec::Context;

    #[test]
    fn the_key_tells_trees_and_services_apart() {
        let build = |service: &str, root: &str| ServiceBuild {
            service: service.to_owned(),
            context: Context::Folder(root.into()),
            ..ServiceBuild::default()
        };
        let key = shared_key(&build("web", "/srv/a/app"));
        assert_eq!(key, shared_key(&build("web", "/srv/a/app")));
        assert_ne!(
            key,
            shared_key(&build("web", "/srv/b/app")),
            "same base name, other folder"
        );
        assert_ne!(
            key,
            shared_key(&build("api", "/srv/a/app")),
            "same folder, other service"
        );
    }
}
