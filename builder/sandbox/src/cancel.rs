//! Ending a build from another thread: one handle that everything which may take long listens to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::channel;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fs::Timespec;
use rustix::pipe::{PipeFlags, pipe_with};

use super::SandboxError;

/// Ends steps from another thread: everything running under it is killed, and what is started under it later.
#[derive(Debug)]
pub struct Cancel {
    event: OwnedFd,
}

impl AsFd for Cancel {
    /// Readable once it has fired.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Cancel {
    /// A handle that has not fired.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn new() -> Result<Self, SandboxError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(SandboxError::on("create", "a cancel handle"))?;
        Ok(Self { event })
    }

    /// Fires, for good.
    pub fn cancel(&self) {
        // Refused only when the counter is full, and then it has fired.
        let _counted = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Whether it has fired.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        let mut event = [PollFd::new(&self.event, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut event, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// Does `work`, which may wait for others without end, on a thread of its own. When this fires first the answer
    /// is `None`, and what `work` still comes to is dropped.
    ///
    /// # Errors
    ///
    /// No thread or descriptor is left.
    pub fn unless_fired<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        let (done, end) = pipe_with(PipeFlags::CLOEXEC)?;
        let (sender, receiver) = channel();
        std::thread::Builder::new().spawn(move || {
            // Closed last, also by a panic; nobody listens any more once the build is over.
            let _end = end;
            let _dropped = sender.send(work());
        })?;
        let mut either = [PollFd::new(&done, PollFlags::IN), PollFd::new(&self.event, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut either, None))?;
        Ok(receiver.try_recv().ok())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_is_waited_for_until_it_fires() {
        let cancel = Cancel::new().unwrap();
        assert!(!cancel.is_fired());
        assert_eq!(cancel.unless_fired(|| 7).unwrap(), Some(7));
        let (dropped, (blocked, gate)) = (channel::<()>(), channel::<()>());
        let (alive, gone) = dropped;
        std::thread::scope(|scope| {
            scope.spawn(|| cancel.cancel());
            let work = move || {
                // Nothing is ever sent: it ends when the other end is dropped.
                let _none = gate.recv();
                alive
            };
            assert!(cancel.unless_fired(work).unwrap().is_none());
        });
        assert!(cancel.is_fired());
        drop(blocked);
        assert!(gone.recv().is_err(), "what came too late is dropped");
    }
}
