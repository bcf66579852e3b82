//! Edits of files: what editors, `git` and `rsync` do to a tree.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::edit::Kind;
use super::project::Work;
use super::tree::{self, NAMED};

/// Does one edit; `None` where there is nothing to do it to.
///
/// # Errors
/// When a file cannot be changed.
pub fn edit(kind: Kind, work: &Work, random: &mut StdRng) -> io::Result<Option<String>> {
    let root = work.root();
    let tree = tree::Tree::read(&root)?;
    let is_own = |path: &str| !matches!(path, "Dockerfile" | ".dockerignore" | "compose.yaml" | "token");
    let is_ignored = |path: &str| {
        Path::new(path)
            .extension()
            .is_some_and(|extension| extension == "log")
    };
    let files: Vec<&str> = tree
        .files()
        .map(|(path, _)| path)
        .filter(|path| is_own(path) && is_ignored(path) == (kind == Kind::Ignored))
        .collect();
    let movable: Vec<&str> = files
        .iter()
        .copied()
        .filter(|path| !NAMED.contains(path))
        .collect();
    let folders: Vec<&str> = tree.folders().map(|(path, _)| path).collect();
    let any = |from: &[&str], random: &mut StdRng| from.choose(random).map(|path| (*path).to_owned());
    let chosen = match kind {
        Kind::FolderMode => any(&folders, random),
        Kind::Rename | Kind::Remove => any(&movable, random),
        Kind::Add => Some(format!(
            "{}new{}.txt",
            ["", "src/", "src/lib/", "conf/"].choose(random).unwrap_or(&""),
            random.random_range(0..1000)
        )),
        _ => any(&files, random),
    };
    let Some(path) = chosen else { return Ok(None) };
    let place = root.join(&path);
    match kind {
        Kind::Content | Kind::Ignored | Kind::Add => {
            fs::create_dir_all(place.parent().unwrap_or(&root))?;
            fs::write(&place, tree::content(random))?;
        }
        Kind::SilentContent => change_silently(&place, random)?,
        Kind::FileMode => change_mode(&place, &[0o600, 0o644, 0o755, 0o640], random)?,
        Kind::FolderMode => change_mode(&place, &[0o700, 0o755, 0o750, 0o775], random)?,
        Kind::Rename => {
            let to = format!("{path}.{}.txt", random.random_range(0..1000));
            fs::rename(&place, root.join(&to))?;
            return Ok(Some(format!("{path} → {to}")));
        }
        Kind::Touch => set_modified(&place, SystemTime::now())?,
        Kind::Remove => fs::remove_file(&place)?,
        _ => return Ok(None),
    }
    Ok(Some(path))
}

/// Another content of the same size, and the old modification time.
fn change_silently(place: &Path, random: &mut StdRng) -> io::Result<()> {
    let modified = place.metadata()?.modified()?;
    let mut content = fs::read(place)?;
    if content.is_empty() {
        return Ok(());
    }
    let at = random.random_range(0..content.len());
    content[at] = if content[at] == b'x' { b'y' } else { b'x' };
    fs::write(place, content)?;
    set_modified(place, modified)
}

fn change_mode(place: &Path, modes: &[u32], random: &mut StdRng) -> io::Result<()> {
    let present = place.metadata()?.permissions().mode() & 0o7777;
    let others: Vec<u32> = modes.iter().copied().filter(|mode| *mode != present).collect();
    let mode = others.choose(random).copied().unwrap_or(present);
    fs::set_permissions(place, Permissions::from_mode(mode))
}

fn set_modified(place: &Path, time: SystemTime) -> io::Result<()> {
    File::options()
        .write(true)
        .open(place)?
        .set_times(FileTimes::new().set_modified(time))
}
