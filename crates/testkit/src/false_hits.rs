//! Changes that a builder can miss: what is on disk before and after, and what an image must then hold.
//!
//! Every case keeps what builders compare (size, modification time) and changes what they should look at. A builder
//! under test is a function from a context folder to an image; it is called before and after the change.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::tree::Node;

/// The modification time of every file of every case (2024-01-01T00:00:00.5Z).
const TIME: Duration = Duration::new(1_704_067_200, 500_000_000);

/// One change, and how to see in an image whether it was noticed.
#[derive(Debug)]
pub struct Case {
    /// What changes, in a few words.
    pub name: &'static str,
    /// The context folders of the first and the second build, relative to the project.
    pub contexts: [&'static str; 2],
    write: fn(&Path),
    change: fn(&Path),
    old: &'static [(&'static str, Seen)],
    new: &'static [(&'static str, Seen)],
}

/// What an image holds at a path.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Text(&'static str),
    Mode(u32),
    Absent,
    /// The change is not seen in the image; the COPY must have run (or must have been cached).
    Copied(bool),
}

/// What a builder made of a context.
#[derive(Debug)]
pub struct Observed {
    /// The image's file tree.
    pub tree: BTreeMap<PathBuf, Node>,
    /// Whether the COPY ran, rather than being taken from the cache.
    pub copy_ran: bool,
}

/// Whether the second image holds what was on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    New,
    /// It holds what was on disk before.
    Old,
    /// Neither.
    Mixed,
}

/// All cases.
pub const CASES: [Case; 12] = [
    Case {
        change: |root| write(root, "app/src/code", "two"),
        ..Case::of_code("file content")
    },
    Case {
        // Written in place, so that the inode stays.
        write: |root| {
            plain(root);
            hard_link(root, "app/src/code", "app/src/twin");
        },
        change: |root| write(root, "app/src/twin", "two"),
        old: &[("app/code", Seen::Text("one")), ("app/twin", Seen::Text("one"))],
        new: &[("app/code", Seen::Text("two")), ("app/twin", Seen::Text("two"))],
        ..Case::of_code("content of a hard-linked file")
    },
    Case {
        write: |root| {
            plain(root);
            write(root, "app/src/other", "two");
        },
        change: |root| {
            rename(root, "app/src/code", "app/src/third");
            rename(root, "app/src/other", "app/src/code");
            rename(root, "app/src/third", "app/src/other");
        },
        old: &[("app/code", Seen::Text("one")), ("app/other", Seen::Text("two"))],
        new: &[("app/code", Seen::Text("two")), ("app/other", Seen::Text("one"))],
        ..Case::of_code("two files of equal stat swapped")
    },
    Case {
        write: |root| {
            plain(root);
            write(root, "app/waiting", "two");
        },
        change: |root| rename(root, "app/waiting", "app/src/code"),
        ..Case::of_code("another file of equal stat moved into place")
    },
    Case {
        write: |root| {
            for (folder, code) in [("a/src", "one"), ("b/src", "two")] {
                write(root, &format!("app/src/{folder}/code"), code);
            }
            dockerfile(root, "app", "");
        },
        change: |root| {
            rename(root, "app/src/a", "app/src/c");
            rename(root, "app/src/b", "app/src/a");
            rename(root, "app/src/c", "app/src/b");
            age(&root.join("app/src"));
        },
        old: &[
            ("app/a/src/code", Seen::Text("one")),
            ("app/b/src/code", Seen::Text("two")),
        ],
        new: &[
            ("app/a/src/code", Seen::Text("two")),
            ("app/b/src/code", Seen::Text("one")),
        ],
        ..Case::of_code("two folders of equal stat swapped")
    },
    Case {
        contexts: ["one/app", "two/app"],
        write: |root| {
            for project in ["one", "two"] {
                write(root, &format!("{project}/app/src/code"), project);
                dockerfile(root, &format!("{project}/app"), "");
            }
        },
        change: |_| {},
        ..Case::of_code("two projects in folders of the same name")
    },
    Case {
        change: |root| dockerfile(root, "app", "RUN echo -n two > /which\n"),
        write: |root| {
            plain(root);
            dockerfile(root, "app", "RUN echo -n one > /which\n");
        },
        old: &[("which", Seen::Text("one"))],
        new: &[("which", Seen::Text("two"))],
        ..Case::of_code("the Dockerfile")
    },
    Case {
        write: |root| {
            plain(root);
            write(root, "app/src/a", "a");
            write(root, "app/src/b", "b");
            write(root, "app/.dockerignore", "src/a\n");
        },
        change: |root| write(root, "app/.dockerignore", "src/b\n"),
        old: &[("app/a", Seen::Absent), ("app/b", Seen::Text("b"))],
        new: &[("app/a", Seen::Text("a")), ("app/b", Seen::Absent)],
        ..Case::of_code("the .dockerignore")
    },
    Case {
        change: |root| {
            let path = root.join("app/src/code");
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap_or_else(failed(&path));
        },
        old: &[("app/code", Seen::Mode(0o644))],
        new: &[("app/code", Seen::Mode(0o755))],
        ..Case::of_code("a file's mode")
    },
    Case {
        write: |root| {
            write(root, "app/src/below/code", "one");
            dockerfile(root, "app", "");
        },
        change: |root| {
            let path = root.join("app/src/below");
            fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap_or_else(failed(&path));
        },
        old: &[("app/below", Seen::Mode(0o755))],
        new: &[("app/below", Seen::Mode(0o700))],
        ..Case::of_code("a folder's mode")
    },
    Case {
        write: |root| {
            plain(root);
            unique(root);
            link(root, "first", "app/src/link");
        },
        change: |root| link(root, "other", "app/src/link"),
        old: &[("app/link", Seen::Copied(false))],
        new: &[("app/link", Seen::Copied(true))],
        ..Case::of_code("a symbolic link's target")
    },
    Case {
        write: |root| {
            plain(root);
            unique(root);
            attribute(root, "app/src/code", b"one");
        },
        change: |root| attribute(root, "app/src/code", b"two"),
        // No engine writes user attributes into an image's layers; a later RUN sees them.
        old: &[("app/code", Seen::Copied(false))],
        new: &[("app/code", Seen::Copied(true))],
        ..Case::of_code("a file's extended attribute")
    },
];

impl Case {
    /// The usual case: one file, `one` before and `two` after, copied to `/app/code`.
    const fn of_code(name: &'static str) -> Self {
        Self {
            name,
            contexts: ["app", "app"],
            write: plain,
            change: |_| {},
            old: &[("app/code", Seen::Text("one"))],
            new: &[("app/code", Seen::Text("two"))],
        }
    }

    /// Writes the case's files below `root`, builds, changes them, builds again, and says what the second image holds.
    ///
    /// # Errors
    /// What `build` fails with, or a first image that does not hold what was on disk.
    ///
    /// # Panics
    /// When the files cannot be written.
    pub fn judge(
        &self,
        root: &Path,
        mut build: impl FnMut(&Path) -> Result<Observed, String>,
    ) -> Result<Verdict, String> {
        (self.write)(root);
        let first = build(&root.join(self.contexts[0]))?;
        let sees = |observed: &Observed, all: &[(&str, Seen)]| {
            all.iter().all(|(path, seen)| observed.holds(path, *seen))
        };
        if !self
            .old
            .iter()
            .all(|(path, seen)| matches!(seen, Seen::Copied(_)) || first.holds(path, *seen))
        {
            return Err("the first image does not hold what was on disk".to_owned());
        }
        (self.change)(root);
        let second = build(&root.join(self.contexts[1]))?;
        Ok(match (sees(&second, self.new), sees(&second, self.old)) {
            (true, _) => Verdict::New,
            (_, true) => Verdict::Old,
            _ => Verdict::Mixed,
        })
    }
}

impl Observed {
    fn holds(&self, path: &str, seen: Seen) -> bool {
        let node = self.tree.get(Path::new(path));
        match seen {
            Seen::Text(text) => {
                let sha256 = hex::encode(Sha256::digest(text));
                node.is_some_and(|node| node.sha256.as_deref() == Some(&sha256))
            }
            Seen::Mode(mode) => node.is_some_and(|node| node.mode == mode),
            Seen::Absent => node.is_none(),
            Seen::Copied(ran) => node.is_some() && self.copy_ran == ran,
        }
    }
}

/// One file, and a Dockerfile that copies it.
fn plain(root: &Path) {
    write(root, "app/src/code", "one");
    dockerfile(root, "app", "");
}

/// A file that no other context has, so that a step which runs cannot have run before for another one.
fn unique(root: &Path) {
    write(root, "app/src/unique", &root.display().to_string());
}

fn dockerfile(root: &Path, context: &str, more: &str) {
    let text = format!("FROM unstale-base\n{more}COPY src /app/\n");
    write(root, &format!("{context}/Dockerfile"), &text);
}

/// Writes a file in place and sets its time, and its folder's.
fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .unwrap_or_else(failed(&path));
    age(&path);
    age(folder);
}

fn rename(root: &Path, from: &str, to: &str) {
    let (from, to) = (root.join(from), root.join(to));
    fs::rename(&from, &to).unwrap_or_else(failed(&to));
    for path in [&from, &to] {
        path.parent().into_iter().for_each(age);
    }
}

fn hard_link(root: &Path, from: &str, to: &str) {
    let to = root.join(to);
    fs::hard_link(root.join(from), &to).unwrap_or_else(failed(&to));
}

/// Makes a symbolic link anew, with the time of all files.
fn link(root: &Path, target: &str, path: &str) {
    let path = root.join(path);
    let _ = fs::remove_file(&path);
    std::os::unix::fs::symlink(target, &path).unwrap_or_else(failed(&path));
    let time = rustix::fs::Timespec {
        tv_sec: TIME.as_secs() as i64,
        tv_nsec: i64::from(TIME.subsec_nanos()),
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(
        rustix::fs::CWD,
        &path,
        &times,
        rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
    )
    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn attribute(root: &Path, path: &str, value: &[u8]) {
    let path = root.join(path);
    rustix::fs::setxattr(&path, "user.note", value, rustix::fs::XattrFlags::empty())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn age(path: &Path) {
    let time: SystemTime = UNIX_EPOCH + TIME;
    File::open(path)
        .and_then(|file| file.set_modified(time))
        .unwrap_or_else(failed(path));
}

fn failed<T>(path: &Path) -> impl FnOnce(std::io::Error) -> T {
    move |error| panic!("{}: {error}", path.display())
}
