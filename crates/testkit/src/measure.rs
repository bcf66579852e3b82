//! What a program costs: its memory at the peak, its time, and which files of a folder it opens.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use wait4::Wait4 as _;

/// A program that has ended.
#[derive(Debug)]
pub struct Measured {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said.
    pub stderr: String,
    /// The most memory (resident set, in bytes) that it or one of its own children had at a time, as the kernel counted
    /// it. At least the caller's own, since a new process begins as a copy of it.
    pub peak_memory: u64,
    /// From its start to its end.
    pub duration: Duration,
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started.
pub fn measure(command: &mut Command) -> io::Result<Measured> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()?;
    let ended = child.wait4()?;
    let duration = started.elapsed();
    Ok(Measured {
        status: ended.status,
        stdout: text(&mut stdout)?,
        stderr: String::from_utf8_lossy(&text(&mut stderr)?).into_owned(),
        peak_memory: ended.rusage.maxrss,
        duration,
    })
}

fn text(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Sees every opening of a file in some folders, by whomever: the kernel tells.
#[derive(Debug)]
pub struct Openings {
    queue: OwnedFd,
}

impl Openings {
    /// Begins to watch the files right in these folders.
    ///
    /// # Errors
    /// When the kernel refuses to watch them.
    pub fn watch<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        for folder in folders {
            let events = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE | WatchFlags::ONLYDIR;
            inotify::add_watch(&queue, folder.as_ref(), events)?;
        }
        Ok(Self { queue })
    }

    /// How many files were opened since the last time; the kernel's queue ends at some thousands, and the count with it.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn count(&mut self) -> io::Result<u64> {
        let mut count = 0;
        self.each(|events, _| {
            let lost = events.contains(ReadFlags::QUEUE_OVERFLOW);
            count +=
                u64::from(lost || events.contains(ReadFlags::OPEN) && !events.contains(ReadFlags::ISDIR));
        })?;
        Ok(count)
    }

    /// Waits until a file of this name was read and closed again; `false` when that does not happen in time.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub fn wait_until_read(&mut self, name: &str, within: Duration) -> io::Result<bool> {
        let end = Instant::now() + within;
        let mut read = false;
        while !read {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            };
            let mut queue = [PollFd::new(&self.queue, PollFlags::IN)];
            if poll(&mut queue, Some(&timeout))? == 0 {
                return Ok(false);
            }
            self.each(|events, file| {
                read |= events.contains(ReadFlags::CLOSE_NOWRITE) && file == name.as_bytes()
            })?;
        }
        Ok(true)
    }

    fn each(&mut self, mut see: impl FnMut(ReadFlags, &[u8])) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(&self.queue, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => see(event.events(), event.file_name().unwrap_or_default().to_bytes()),
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
