//! How the supervising thread and the step find each other.
//!
//! The step's process exec's under the filter already, while the thread that bears it waits for exactly that: so
//! another thread answers. It is told the step's mount namespace, enters it, and takes the descriptor that the
//! kernel asks on from the step's process.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Result;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
};
use rustix::process::{chroot, fchdir};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use super::super::passwd::User;
use super::Unreal;

/// The side of the thread that bears the step.
pub(crate) struct Ask {
    /// Goes to the step's process, which sends the listener on it.
    pub(crate) socket: OwnedFd,
    namespace: Sender<OwnedFd>,
}

/// The side of the thread that answers.
pub(crate) struct Listen {
    socket: OwnedFd,
    procfs: OwnedFd,
    namespace: Receiver<OwnedFd>,
}

/// Makes both sides, while `/proc` is still the host's.
pub(crate) fn link() -> Result<(Ask, Listen)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let procfs = rustix::fs::openat(CWD, c"/proc", flags, Mode::empty())?;
    let (tell, hear) = channel();
    Ok((Ask { socket: theirs, namespace: tell }, Listen { socket: ours, procfs, namespace: hear }))
}

impl Ask {
    /// Tells the calling thread's mount namespace.
    pub(crate) fn tell_namespace(&self) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let namespace = rustix::fs::openat(CWD, c"/proc/thread-self/ns/mnt", flags, Mode::empty())?;
        // Nobody hears only when the other thread has failed, which it reports itself.
        let _heard = self.namespace.send(namespace);
        Ok(())
    }
}

impl Listen {
    /// Answers until the last process of the step is gone. Returns at once when the step does not come to be.
    pub(crate) fn run(self, root: BorrowedFd<'_>, user: &User) -> Result<Option<Unreal>> {
        let Ok(namespace) = self.namespace.recv() else { return Ok(None) };
        #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
        // SAFETY: the descriptor table stays shared, which is what the wrapper warns about; root and working
        // directory become this thread's own.
        unsafe {
            unshare_unsafe(UnshareFlags::FS)?;
        }
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
        fchdir(root)?;
        chroot(c".")?;
        rustix::process::umask(Mode::empty());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut slices = [IoSliceMut::new(&mut byte)];
        recvmsg(&self.socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let listener = control.drain().find_map(|message| {
            if let RecvAncillaryMessage::ScmRights(mut fds) = message { fds.next() } else { None }
        });
        listener.map_or(Ok(None), |listener| super::supervise(&listener, self.procfs.as_fd(), root, user))
    }
}
