//! Signals that end a build: the first one cancels it, so that it tidies up; what does not end soon is ended by the
//! kernel, as it would have been at once. Either leaves the store sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::Cancel;

/// What ends a build.
const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// How long a build may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// Cancels on SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub struct Signals {
    caught: Arc<AtomicI32>,
}

impl Signals {
    /// Begins to watch. To be called while the process has a single thread: later ones inherit what is blocked here.
    ///
    /// # Errors
    ///
    /// No thread is left.
    pub fn watch(cancel: Arc<Cancel>) -> std::io::Result<Self> {
        change(libc::SIG_BLOCK, blocked());
        let caught = Arc::new(AtomicI32::new(0));
        let noted = Arc::clone(&caught);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let Some(signal) = wait(None) else { return };
            noted.store(signal, Ordering::Relaxed);
            cancel.cancel();
            // Asked twice, or not ended in time.
            let again = wait(Some(GRACE)).unwrap_or(signal);
            end_by(again);
        })?;
        Ok(Self { caught })
    }

    /// The signal that has cancelled the build.
    #[must_use]
    pub fn caught(&self) -> Option<i32> {
        Some(self.caught.load(Ordering::Relaxed)).filter(|signal| *signal != 0)
    }
}

fn set() -> libc::sigset_t {
    #[expect(unsafe_code, reason = "sigaddset(3), sigaction(2)")]
    // SAFETY: the set is filled by sigemptyset before it is read, and the action by sigaction.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        for signal in ENDING {
            let mut action = std::mem::zeroed::<libc::sigaction>();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            // Whoever started this with the signal ignored, as `nohup` does, wants it to go on.
            if action.sa_sigaction != libc::SIG_IGN {
                libc::sigaddset(&raw mut set, signal);
            }
        }
        set
    }
}

/// Also the one that ends who writes beyond the limit for files (`ulimit -f`): blocked, the write fails and is an error.
fn blocked() -> libc::sigset_t {
    let mut set = set();
    #[expect(unsafe_code, reason = "sigaddset(3)")]
    // SAFETY: the set is initialised.
    unsafe {
        libc::sigaddset(&raw mut set, libc::SIGXFSZ);
    }
    set
}

fn change(how: libc::c_int, set: libc::sigset_t) {
    #[expect(unsafe_code, reason = "pthread_sigmask(3)")]
    // SAFETY: the set is live; only this thread's mask changes.
    unsafe {
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    }
}

/// For a program about to start: what the builder blocks is not blocked there.
pub(super) fn unblock() {
    change(libc::SIG_UNBLOCK, blocked());
}

/// The next of these signals; `None` after the time is over.
fn wait(limit: Option<Duration>) -> Option<libc::c_int> {
    let set = set();
    loop {
        #[expect(unsafe_code, reason = "sigtimedwait(2)")]
        // SAFETY: set and time are live, and nothing is to be told about the signal.
        let signal = unsafe {
            match limit {
                None => libc::sigwaitinfo(&raw const set, std::ptr::null_mut()),
                Some(limit) => {
                    let time = libc::timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: 0 };
                    libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const time)
                }
            }
        };
        match signal {
            1.. => return Some(signal),
            _ if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

/// Ends this process as the signal does where nobody catches it.
fn end_by(signal: libc::c_int) {
    unblock();
    #[expect(unsafe_code, reason = "raise(3)")]
    // SAFETY: the action is the default one, which ends the process.
    unsafe {
        libc::raise(signal);
    }
}
