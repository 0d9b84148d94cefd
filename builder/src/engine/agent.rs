//! An ssh agent inside a step: a socket of the step's own whose connections are passed on to the user's agent.
//!
//! Passed on rather than mounted, because an agent answers its own user only, which a step of another user is not, and
//! because the socket is to have the owner and mode that the mount asks for. Nothing that passes is looked at or
//! kept. Not here: agents made from key files.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::rootfs::Owners;

/// Connections at once; a step gets no further ones.
const MOST: usize = 64;

/// Passes connections on as long as it lives.
#[derive(Debug)]
pub(super) struct Agent {
    /// The socket, to mount.
    socket: OwnedFd,
    stop: Arc<OwnedFd>,
    listening: Option<JoinHandle<()>>,
    folder: PathBuf,
}

impl Agent {
    /// Makes the new directory `folder` with a socket in it that leads to the agent at `target`.
    pub(super) fn start(
        folder: PathBuf,
        target: &Path,
        owners: Owners,
        ((uid, gid), mode): ((u32, u32), u32),
    ) -> io::Result<Self> {
        std::fs::create_dir(&folder)?;
        let directory = std::fs::File::open(&folder)?;
        // A socket's path has 107 bytes at most, the store's may have more.
        let path = format!("/proc/self/fd/{}/agent", directory.as_raw_fd());
        let listener = UnixListener::bind(&path)?;
        let name = std::ffi::OsStr::new("agent");
        owners.change(directory.as_fd(), name, (uid, gid))?;
        rustix::fs::chmodat(&directory, name, Mode::from_raw_mode(mode & 0o777), AtFlags::empty())?;
        let socket = rustix::fs::openat(&directory, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (ended, target) = (Arc::clone(&stop), target.to_owned());
        let listening = std::thread::Builder::new()
            .name("ssh agent".to_owned())
            .spawn(move || listen(&listener, &target, &ended))?;
        Ok(Self { socket, stop, listening: Some(listening), folder })
    }

    /// The socket, to mount.
    pub(super) fn socket(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It fails only when the counter is full, and then it has been told.
        let _told = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(listening) = self.listening.take() {
            let _ended = listening.join();
        }
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until one of the two can be read; `None` once it is over.
fn either(one: impl AsFd, other: impl AsFd, stop: &OwnedFd) -> Option<(bool, bool)> {
    let mut ready = [
        PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN),
        PollFd::from_borrowed_fd(other.as_fd(), PollFlags::IN),
        PollFd::new(stop, PollFlags::IN),
    ];
    rustix::io::retry_on_intr(|| poll(&mut ready, None)).ok()?;
    let [one, other, stop] = ready;
    stop.revents().is_empty().then(|| (!one.revents().is_empty(), !other.revents().is_empty()))
}

fn listen(listener: &UnixListener, target: &Path, stop: &Arc<OwnedFd>) {
    let count = Arc::new(AtomicUsize::new(0));
    while either(listener, listener, stop).is_some() {
        let Ok((client, _)) = listener.accept() else { return };
        if count.load(Ordering::Relaxed) >= MOST {
            continue;
        }
        // An agent that is gone is a closed connection to the step, as it is outside.
        let Ok(agent) = UnixStream::connect(target) else { continue };
        let (stop, count) = (Arc::clone(stop), Arc::clone(&count));
        count.fetch_add(1, Ordering::Relaxed);
        std::thread::spawn(move || {
            let _closed = pass(&client, &agent, &stop);
            count.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Copies both ways until one side closes.
fn pass(client: &UnixStream, agent: &UnixStream, stop: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    let mut copy = |mut from: &UnixStream, mut to: &UnixStream| -> io::Result<bool> {
        let length = from.read(&mut buffer)?;
        to.write_all(buffer.get(..length).unwrap_or_default())?;
        Ok(length > 0)
    };
    while let Some((asked, answered)) = either(client, agent, stop) {
        if asked && !copy(client, agent)? {
            agent.shutdown(Shutdown::Write)?;
            // What the agent still answers goes out; then it closes too.
            while copy(agent, client)? {}
            return Ok(());
        }
        if answered && !copy(agent, client)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether there is a socket to pass connections on to.
pub(crate) fn is_socket(path: &Path) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::empty())
        .is_ok_and(|found| rustix::fs::FileType::from_raw_mode(found.st_mode).is_socket())
}
