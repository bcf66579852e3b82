//! Reading a file of a snapshot without ever passing on other content than the snapshot's.

use std::fs::File;
use std::io::{self, Read};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::ContextError;
use crate::root::{Root, is_absent, unreadable};

/// A file that is compared with its snapshot while it is read.
///
/// Length and hash are compared **before** the last bytes are handed out: whoever received all bytes of a file received
/// exactly the bytes that were hashed. A difference is [`ContextError::ChangedDuringBuild`], which [`Read`] wraps into an
/// [`io::Error`]. No read hands out more than the recorded size.
#[derive(Debug)]
pub struct VerifiedFile {
    path: String,
    /// `None` for a socket, which is sent as an empty file.
    file: Option<File>,
    remaining: u64,
    hasher: Sha256,
    expected: [u8; 32],
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Verified,
    Changed,
}

impl VerifiedFile {
    pub(crate) fn open(root: &Root, path: &str, size: u64, expected: [u8; 32]) -> Result<Self, ContextError> {
        let changed = || ContextError::ChangedDuringBuild {
            path: path.to_owned(),
        };
        let file = match root.open_file(path.as_bytes()) {
            Ok(file) => {
                let stat = fstat(&file).map_err(|error| unreadable(path.as_bytes(), error))?;
                let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
                if !regular || u64::try_from(stat.st_size) != Ok(size) {
                    return Err(changed());
                }
                Some(File::from(file))
            }
            Err(Errno::NXIO) if size == 0 => None,
            Err(error) if is_absent(error) || error == Errno::NXIO => return Err(changed()),
            Err(error) => return Err(unreadable(path.as_bytes(), error)),
        };
        let (hasher, state) = (Sha256::new(), State::Reading);
        Ok(Self {
            path: path.to_owned(),
            file,
            remaining: size,
            hasher,
            expected,
            state,
        })
    }

    /// Reads into `buffer` and returns how many bytes; 0 at the end of the file.
    ///
    /// # Errors
    /// [`ContextError::ChangedDuringBuild`] if the file is not what it was, [`ContextError::Unreadable`] if reading fails.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, ContextError> {
        match self.state {
            State::Verified => return Ok(0),
            State::Changed => return Err(self.changed()),
            State::Reading => {}
        }
        if buffer.is_empty() && self.remaining > 0 {
            return Ok(0);
        }
        let wanted =
            usize::try_from(self.remaining).map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
        let read = if wanted == 0 {
            0
        } else {
            self.fill(&mut buffer[..wanted])?
        };
        if read < wanted && read == 0 {
            return Err(self.changed());
        }
        self.hasher.update(&buffer[..read]);
        self.remaining -= read as u64;
        if self.remaining == 0 {
            let surplus = self.fill(&mut [0])?;
            if surplus > 0 || self.hasher.finalize_reset() != self.expected.into() {
                return Err(self.changed());
            }
            self.state = State::Verified;
        }
        Ok(read)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ContextError> {
        let Some(file) = &mut self.file else { return Ok(0) };
        loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ContextError::Unreadable {
                        path: self.path.clone(),
                        source,
                    });
                }
                Ok(read) => return Ok(read),
            }
        }
    }

    fn changed(&mut self) -> ContextError {
        self.state = State::Changed;
        ContextError::ChangedDuringBuild {
            path: self.path.clone(),
        }
    }
}

impl Read for VerifiedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).map_err(io::Error::other)
    }
}
