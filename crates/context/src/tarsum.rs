//! The header that BuildKit hashes before a file's content ("tarsum"), for files as a session sends them.
//!
//! Owner and group are 0, as file sync sends them; the modification time is not part of it.

/// What a header says beside mode and attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Header<'h> {
    Directory,
    File { size: u64 },
    Symlink { target: &'h str },
    Fifo,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
}

impl Header<'_> {
    /// The bytes to hash. `mode` is a unix mode; `xattrs` are sorted by name.
    pub(crate) fn bytes(self, mode: u32, xattrs: &[(String, Vec<u8>)]) -> Vec<u8> {
        let (kind, size, link, major, minor) = match self {
            Self::File { size } => ('0', size, "", 0, 0),
            Self::Symlink { target } => ('2', 0, target, 0, 0),
            Self::CharDevice { major, minor } => ('3', 0, "", major, minor),
            Self::BlockDevice { major, minor } => ('4', 0, "", major, minor),
            Self::Directory => ('5', 0, "", 0, 0),
            Self::Fifo => ('6', 0, "", 0, 0),
        };
        let mode = mode & 0o7777;
        let mut bytes = format!(
            "namemode{mode}uid0gid0size{size}typeflag{kind}linkname{link}unamegnamedevmajor{major}devminor{minor}"
        )
        .into_bytes();
        for (name, value) in xattrs {
            let hashed = name == "security.capability"
                || !name.starts_with("security.") && !name.starts_with("system.");
            if hashed {
                bytes.extend_from_slice(name.as_bytes());
                bytes.extend_from_slice(value);
            }
        }
        bytes
    }
}
