//! The loopback interface of a network namespace.

use std::os::fd::AsRawFd;

use rustix::io::Result;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::super::mountapi::last_error;

/// Brings `lo` up in this thread's network namespace; the kernel gives it its addresses.
pub(crate) fn loopback_up() -> Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    #[expect(unsafe_code, reason = "SIOCSIFFLAGS has no safe wrapper")]
    // SAFETY: `ifreq` is plain data for which all zeroes is a valid value; the name is shorter than the field and
    // stays NUL-terminated; the kernel reads the live request during the call.
    let answer = unsafe {
        let mut request = std::mem::zeroed::<libc::ifreq>();
        for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
            *place = byte.cast_signed();
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request)
    };
    if answer == 0 { Ok(()) } else { Err(last_error()) }
}
