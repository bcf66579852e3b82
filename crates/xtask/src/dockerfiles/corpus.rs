//! The real files.

use std::fs;
use std::path::Path;

/// Larger files are no Dockerfiles.
const LARGEST: u64 = 1 << 20;

/// A file to be compared.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path in the corpus, and what was done to it.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Whether it was mutated.
    pub mutated: bool,
}

/// Every file of a folder and the folders in it, in order.
///
/// # Errors
/// When there is none.
pub fn read(folder: &Path) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(found) if found.is_dir() => open.push(path),
                Ok(found) if found.is_file() && found.len() <= LARGEST => {
                    let Ok(bytes) = fs::read(&path) else { continue };
                    let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                    files.push(File {
                        name,
                        bytes,
                        mutated: false,
                    });
                }
                _ => {}
            }
        }
    }
    if files.is_empty() {
        return Err(format!(
            "there are no files in {}: copy Dockerfiles into it, for instance \
             `git clone https://github.com/docker/awesome-compose` and the like, then \
             `find CLONES -iname '*dockerfile*' -type f -exec cp --backup=numbered -t DIR {{}} +`",
            folder.display()
        ));
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}
