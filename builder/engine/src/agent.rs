//! An ssh agent inside a step: a socket of the step's own whose connections are passed on to the user's agent.
//!
//! Passed on rather than mounted, because an agent answers its own user only, which a step of another user is not, and
//! because the socket is to have the owner and mode that the mount asks for. A step may ask for the keys and have
//! something signed; whatever changes the user's agent (adding, removing, locking, loading libraries) is refused, but
//! with `raw=true`, where anything passes.
//! Not here: agents for key files, which `keys` starts.

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

use xx_build_rootfs::Owners;

/// Connections at once; a step gets no further ones.
const MOST: usize = 64;

/// What a step may say to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conduct {
    /// What leaves it as it is.
    ReadOnly,
    /// Anything, in any protocol.
    Raw,
}

/// `SSH_AGENTC_REQUEST_IDENTITIES` and `SSH_AGENTC_SIGN_REQUEST` of the agent protocol (draft-ietf-sshm-ssh-agent).
const ALLOWED: [u8; 2] = [11, 13];

/// `SSH_AGENT_FAILURE`, as a whole message.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];

/// Bytes of a message, at most; OpenSSH's own bound.
const MOST_BYTES: usize = 256 << 10;

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
        conduct: Conduct,
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
            .spawn(move || listen(&listener, &target, conduct, &ended))?;
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
        let _removed = xx_build_rootfs::remove_tree(&self.folder);
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

fn listen(listener: &UnixListener, target: &Path, conduct: Conduct, stop: &Arc<OwnedFd>) {
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
            let _closed = match conduct {
                Conduct::Raw => pass(&client, &agent, &stop),
                Conduct::ReadOnly => requests(&client, &agent, &stop),
            };
            count.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Passes requests on one by one, and refuses those that are not allowed, until one side closes.
fn requests(client: &UnixStream, agent: &UnixStream, stop: &OwnedFd) -> io::Result<()> {
    loop {
        let request = message(client, stop)?;
        if request.get(4).is_some_and(|kind| ALLOWED.contains(kind)) {
            let (mut to, mut back) = (agent, client);
            to.write_all(&request)?;
            back.write_all(&message(agent, stop)?)?;
        } else {
            let mut back = client;
            back.write_all(&FAILURE)?;
        }
    }
}

/// The next message: its length in four bytes, and so many more.
fn message(from: &UnixStream, stop: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    fill(from, &mut message, stop)?;
    let length = message.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    if length > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    message.resize(4 + length, 0);
    fill(from, message.get_mut(4..).unwrap_or_default(), stop)?;
    Ok(message)
}

fn fill(mut from: &UnixStream, mut to: &mut [u8], stop: &OwnedFd) -> io::Result<()> {
    while !to.is_empty() {
        either(from, from, stop).ok_or(io::ErrorKind::Interrupted)?;
        match from.read(to)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => to = to.get_mut(length..).unwrap_or_default(),
        }
    }
    Ok(())
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
pub fn is_socket(path: &Path) -> bool {
    rustix::fs::statat(CWD, path, AtFlags::empty())
        .is_ok_and(|found| rustix::fs::FileType::from_raw_mode(found.st_mode).is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of a step, and what it hears; `agent` stands for the user's own, which answers each with the same message.
    #[test]
    fn what_changes_the_agent_is_refused() {
        const ANSWER: [u8; 6] = [0, 0, 0, 2, 12, 7];
        let message = |kind: u8, rest: &[u8]| {
            [&u32::try_from(1 + rest.len()).unwrap().to_be_bytes(), &[kind][..], rest].concat()
        };
        for (request, expected) in [
            (message(11, b""), Some(&ANSWER[..])),
            (message(13, b"key, data, flags"), Some(&ANSWER)),
            // Add, remove, remove all, add from a smart card, lock, unlock, add constrained, extension.
            (message(17, b"key"), Some(&FAILURE)),
            (message(18, b"key"), Some(&FAILURE)),
            (message(19, b""), Some(&FAILURE)),
            (message(20, b"/lib/x.so"), Some(&FAILURE)),
            (message(22, b"pass"), Some(&FAILURE)),
            (message(23, b"pass"), Some(&FAILURE)),
            (message(25, b"key"), Some(&FAILURE)),
            (message(27, b"query"), Some(&FAILURE)),
            (vec![0, 0, 0, 0], Some(&FAILURE)),
            (vec![0xff; 9], None),
        ] {
            let (step, inner) = UnixStream::pair().unwrap();
            let (outer, agent) = UnixStream::pair().unwrap();
            let stop: OwnedFd = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
            let heard = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let _closed = requests(&inner, &outer, &stop);
                    inner.shutdown(Shutdown::Both).and(outer.shutdown(Shutdown::Both))
                });
                scope.spawn(|| {
                    let mut byte = [0; 512];
                    while (&agent).read(&mut byte).is_ok_and(|length| length > 0) {
                        (&agent).write_all(&ANSWER).unwrap();
                    }
                });
                (&step).write_all(&request).unwrap();
                let mut heard = [0; 64];
                let length = (&step).read(&mut heard).unwrap();
                // Before anything is judged: the others wait for it.
                step.shutdown(Shutdown::Both).unwrap();
                heard[..length].to_vec()
            });
            assert_eq!((!heard.is_empty()).then_some(&heard[..]), expected, "{request:?}");
        }
    }
}
