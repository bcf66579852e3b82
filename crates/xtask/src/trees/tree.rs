//! Random trees on disk. Everything follows from the random source: the same source, the same tree.

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngCore as _};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat};

/// Names as people have them, and as nobody should.
const NAMES: [&str; 60] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "main.go",
    "main_test.go",
    "README.md",
    "src",
    "lib",
    "node_modules",
    "dist",
    ".git",
    ".env",
    ".hidden",
    "Dockerfile",
    "Makefile",
    "a.txt",
    "b.txt",
    "data.json",
    "x.tar.gz",
    "sub",
    "deep",
    "space name",
    " leading",
    "trailing ",
    "quote's",
    "double\"quote",
    "new\nline",
    "-dash",
    "--flag",
    "#hash",
    "!bang",
    "[bracket]",
    "[",
    "]",
    "a*b",
    "what?",
    "back\\slash",
    "$HOME",
    "${x}",
    "tab\t",
    "ünïcode",
    "e\u{301}",
    "é",
    "日本語",
    "🦀",
    "..dots",
    "...",
    "%41",
    "a+b",
    "~",
    "{a,b}",
    "ctrl\u{1}",
    "\u{feff}bom",
    "\u{202e}rtl",
    "a,b",
    "a=b",
    "a:b",
    "CON",
];

/// How many paths a usual and a large tree have.
const PATHS: (usize, usize) = (45, 400);

/// The paths of a tree, relative to its root.
#[derive(Debug, Default)]
pub struct Tree {
    /// Everything.
    pub paths: Vec<String>,
    /// The folders among them.
    pub folders: Vec<String>,
    /// The regular files among them.
    pub files: Vec<String>,
}

/// Plants a random tree in an existing empty folder. Needs root: owners and devices are random too.
///
/// # Errors
/// When the file system refuses something.
pub fn plant(root: &Path, random: &mut StdRng) -> io::Result<Tree> {
    let most = if random.random_ratio(1, 25) {
        PATHS.1
    } else {
        random.random_range(1..PATHS.0)
    };
    let mut tree = Tree::default();
    let mut folders = vec![String::new()];
    for _ in 0..most {
        let folder = folders.choose(random).cloned().unwrap_or_default();
        let path = join(&folder, &name(random));
        let place = root.join(&path);
        // What lies at the root under this name is git's business: a broken repository is an error of ours.
        if place.symlink_metadata().is_ok() || path.split('/').count() > 7 || path == ".git" {
            continue;
        }
        let made = match random.random_range(0..1000) {
            0..230 => {
                fs::create_dir(&place)?;
                folders.push(path.clone());
                tree.folders.push(path.clone());
                true
            }
            230..360 => symlink(target(&tree, &folder, random), &place).is_ok(),
            360..430 => match tree.files.choose(random) {
                Some(file) => fs::hard_link(root.join(file), &place).is_ok(),
                None => false,
            },
            430..445 => special(&place, FileType::Fifo, 0).is_ok(),
            // A socket's path may have 107 bytes only.
            445..455 => UnixListener::bind(&place).is_ok(),
            455..460 => special(&place, FileType::CharacterDevice, makedev(1, 3)).is_ok(),
            _ => {
                fs::write(&place, content(random))?;
                tree.files.push(path.clone());
                true
            }
        };
        if made {
            tree.paths.push(path);
        }
    }
    for path in &tree.paths {
        adorn(&root.join(path), random)?;
    }
    Ok(tree)
}

/// A path below a folder, which is empty for the root.
fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn name(random: &mut StdRng) -> String {
    let name = NAMES.choose(random).copied().unwrap_or("a");
    match random.random_range(0..20) {
        0 => format!("{name}{}", random.random_range(0..100)),
        1 => format!("{name}.txt"),
        2 => "long".repeat(random.random_range(1..=50)),
        _ => name.to_owned(),
    }
}

/// What a symbolic link points at: something in the tree, outside of it, nothing at all, or itself.
fn target(tree: &Tree, folder: &str, random: &mut StdRng) -> String {
    let up = "../".repeat(if folder.is_empty() {
        0
    } else {
        folder.split('/').count()
    });
    let some = tree
        .paths
        .choose(random)
        .cloned()
        .unwrap_or_else(|| "none".to_owned());
    match random.random_range(0..10) {
        0..4 => format!("{up}{some}"),
        4 => format!("/{some}"),
        5 => "dangling".to_owned(),
        6 => ".".to_owned(),
        7 => format!("{up}../outside"),
        8 => "/etc/passwd".to_owned(),
        _ => some,
    }
}

fn content(random: &mut StdRng) -> Vec<u8> {
    let size = match random.random_range(0..100) {
        0..10 => 0,
        10..60 => random.random_range(1..64),
        60..90 => random.random_range(64..8 << 10),
        90..98 => random.random_range(8 << 10..300 << 10),
        _ => random.random_range(300 << 10..3 << 20),
    };
    let mut content = vec![0; size];
    random.fill_bytes(&mut content);
    content
}

/// Gives a path a random owner, mode, time and attributes.
fn adorn(place: &Path, random: &mut StdRng) -> io::Result<()> {
    let kind = place.symlink_metadata()?.file_type();
    if random.random_ratio(1, 10) {
        std::os::unix::fs::lchown(
            place,
            Some(random.random_range(0..2000)),
            Some(random.random_range(0..2000)),
        )?;
    }
    if kind.is_symlink() {
        return Ok(());
    }
    if random.random_ratio(1, 50) {
        chown(place, Some(65_534), None)?;
    }
    let usual = if kind.is_dir() { 0o755 } else { 0o644 };
    let mode = match random.random_range(0..10) {
        0 => 0o755,
        1 => 0o600,
        2 => random.random_range(0..=0o777),
        3 => random.random_range(0..=0o7777),
        _ => usual,
    };
    fs::set_permissions(place, Permissions::from_mode(mode))?;
    if !kind.is_dir() && !kind.is_file() {
        return Ok(());
    }
    if random.random_ratio(1, 12) {
        let value: [u8; 12] = random.random();
        attribute(place, "user.note", &value[..random.random_range(0..12)])?;
        attribute(place, "user.ünï code", b"value")?;
    }
    if kind.is_file() && random.random_ratio(1, 40) {
        // Version 2, cap_net_bind_service permitted.
        let capability = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        attribute(place, "security.capability", &capability)?;
    }
    if random.random_ratio(1, 3) {
        let offset = Duration::new(
            random.random_range(0..4_000_000_000),
            random.random_range(0..1_000_000_000),
        );
        let time = if random.random_ratio(1, 20) {
            UNIX_EPOCH - offset / 4
        } else {
            UNIX_EPOCH + offset
        };
        File::open(place)?.set_modified(time)?;
    }
    Ok(())
}

fn attribute(place: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::setxattr(place, name, value, XattrFlags::empty())?)
}

fn special(place: &Path, kind: FileType, device: u64) -> io::Result<()> {
    let path = CString::new(place.as_os_str().as_bytes())?;
    Ok(mknodat(CWD, path, kind, Mode::from(0o644), device)?)
}
