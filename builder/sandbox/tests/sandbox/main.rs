//! The sandbox against real kernels and a real Debian root, as root and as an ordinary user.
//!
//! Entering namespaces needs a process with one thread, so every case is run by a new process of this same
//! binary: `sandbox --inside CASE`. `XX_TEST_DEBIAN_TAR` may name a Debian root as a tar file; otherwise
//! `mmdebstrap` makes one, once. What cannot run here is counted as ignored, with the reason in its name.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test; without the standard harness clippy does not know it"
)]

mod devices;
mod harness;
mod mounts;
mod network;
mod overlay;
mod run;
mod single;
mod userns;
mod users;

use harness::Case;

/// Every case of every file.
fn cases() -> Vec<Case> {
    [
        harness::SERVICES,
        userns::CASES,
        overlay::CASES,
        run::CASES,
        devices::CASES,
        mounts::CASES,
        network::CASES,
        users::CASES,
        single::CASES,
    ]
    .concat()
}

fn main() {
    let mut arguments = std::env::args();
    if arguments.nth(1).as_deref() == Some("--inside") {
        let name = arguments.next().expect("a case name");
        return harness::inside(&cases(), &name);
    }
    harness::outside(&cases());
}
