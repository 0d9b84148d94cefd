//! The default network of a build's steps: a namespace of their own, from which connections lead outwards only.
//!
//! A program of the machine bears it: `pasta` (package passt), else `slirp4netns`. It reads the packets that leave the
//! namespace and speaks to the world through ordinary sockets, as the ordinary user it is; nothing of the machine's
//! network is changed, and nothing is left when the build ends. The namespace is made when the first step needs it, and
//! shared by the steps of one build. Not here: a machine with neither program, whose steps use its own network
//! without rights over it ([`Network::Guarded`]).

mod bridge;
mod commands;
mod helper;
mod loopback;
mod resolv;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use self::bridge::Bridge;
use self::commands::{HELPERS, Helper};
use self::helper::Running;
pub(super) use self::loopback::loopback_up;
use super::step::Network;
use super::{SandboxError, landlock};

/// Which network the steps have that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultNetwork {
    /// A namespace of their own where a program can bear it, else the machine's network without rights over it.
    #[default]
    Own,
    /// A pair of interfaces and rules of the machine, for root; else the machine's network without rights over it.
    Bridge,
    /// The latter at once.
    Host,
}

/// A network namespace with connections outwards. It ends with this value, and with the builder.
#[derive(Debug)]
pub struct Outward {
    namespace: OwnedFd,
    resolv_conf: Option<Vec<u8>>,
    _bearer: Bearer,
}

/// What leads outwards.
#[derive(Debug)]
enum Bearer {
    /// There is nothing outside.
    Nothing,
    Program(#[expect(dead_code, reason = "runs until it is dropped")] Running),
    Bridge(#[expect(dead_code, reason = "is there until it is dropped")] Bridge),
}

impl Outward {
    /// Moves this thread into it.
    pub(super) fn join(&self) -> rustix::io::Result<()> {
        enter(&self.namespace)
    }
}

fn enter(namespace: &OwnedFd) -> rustix::io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
}

/// The default network of one build, made once it is needed.
#[derive(Debug, Default)]
pub struct Uplink {
    kind: DefaultNetwork,
    path: OsString,
    made: OnceLock<Result<Arc<Outward>, String>>,
    told: AtomicBool,
}

impl Uplink {
    /// One that will be of this kind; `path` is the value of `PATH`, to find programs on.
    #[must_use]
    pub fn new(kind: DefaultNetwork, path: &OsStr) -> Self {
        Self { kind, path: path.to_owned(), ..Self::default() }
    }

    /// Makes it, unless it is there: some hundredths of a second, in which the builder has other things to do.
    pub fn prepare(&self) {
        if self.kind != DefaultNetwork::Host {
            let _made = self.made();
        }
    }

    /// The network for a step, and once what there is to say about it.
    pub fn network(&self) -> (Network, Option<String>) {
        if self.kind == DefaultNetwork::Host {
            return (Network::Guarded, None);
        }
        match self.made() {
            Ok(outward) => (Network::Outward(Arc::clone(outward)), None),
            Err(why) => {
                let first = !self.told.swap(true, Ordering::Relaxed);
                (Network::Guarded, first.then(|| warning(why, landlock::scope().is_some())))
            }
        }
    }

    fn made(&self) -> &Result<Arc<Outward>, String> {
        self.made.get_or_init(|| {
            let made = match self.kind {
                DefaultNetwork::Bridge => {
                    let namespace = namespace().map_err(|error| error.to_string());
                    namespace.and_then(|namespace| bridge::make(&self.path, namespace, name_servers()))
                }
                DefaultNetwork::Own | DefaultNetwork::Host => make(&self.path),
            };
            made.map(Arc::new)
        })
    }
}

/// What is said of a build whose steps share the machine's network.
fn warning(why: &str, scoped: bool) -> String {
    let sockets = if scoped {
        ""
    } else {
        ", and this kernel (before Linux 6.12) lets them reach its abstract sockets"
    };
    format!("warning: steps use this machine's network{sockets}: {why}")
}

fn make(path: &OsStr) -> Result<Outward, String> {
    let text = |error: SandboxError| error.to_string();
    let resolv_conf = name_servers();
    if is_offline(&routes("route"), &routes("ipv6_route")) {
        return Ok(Outward { namespace: namespace().map_err(text)?, resolv_conf, _bearer: Bearer::Nothing });
    }
    let found: Vec<(&Helper, PathBuf)> = HELPERS
        .iter()
        .filter_map(|helper| Some((helper, super::machine::find_program(path, helper.program)?)))
        .collect();
    if found.is_empty() {
        return Err(
            "neither `pasta` nor `slirp4netns` is installed; the package `passt` brings the first".to_owned()
        );
    }
    if let Err(errno) = rustix::fs::openat(CWD, "/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
    {
        return Err(format!("`/dev/net/tun` {}", no_device(errno)));
    }
    let mut failures = vec![];
    for (helper, program) in found {
        // A new one each time: a helper that failed may have left an interface.
        let namespace = namespace().map_err(text)?;
        let host = String::from_utf8_lossy(resolv_conf.as_deref().unwrap_or_default()).into_owned();
        let has_ipv6 = has_default(&routes("ipv6_route"));
        let servers = resolv::inside(&host, helper.forward, has_ipv6);
        match Running::start(helper, &program, &namespace, &servers.forwards) {
            Ok(running) => {
                let resolv_conf = resolv_conf.map(|_| servers.text.into_bytes());
                return Ok(Outward { namespace, resolv_conf, _bearer: Bearer::Program(running) });
            }
            Err(reason) => failures.push(format!("`{}` failed: {reason}", helper.program)),
        }
    }
    Err(failures.join("; "))
}

/// The machine's own file.
fn name_servers() -> Option<Vec<u8>> {
    fs::read("/etc/resolv.conf").ok()
}

/// Why the device that programs make an interface by cannot be opened, and what to do.
fn no_device(errno: Errno) -> &'static str {
    match errno {
        Errno::ACCESS | Errno::PERM => {
            "is closed to this user; as root: `chmod 666 /dev/net/tun`, which udev does elsewhere"
        }
        _ => "is not there; as root: `modprobe tun`; for a container: `--device /dev/net/tun`",
    }
}

/// A new network namespace with its loopback interface up, in which no process is.
fn namespace() -> Result<OwnedFd, SandboxError> {
    let make = || {
        #[expect(unsafe_code, reason = "unshare(2) can break assumptions of other threads")]
        // SAFETY: it concerns this thread alone, which ends after it.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
        loopback_up()?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, "/proc/thread-self/ns/net", flags, Mode::empty())
    };
    let made = std::thread::scope(|scope| scope.spawn(make).join());
    made.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        .map_err(SandboxError::on("make", "a network namespace"))
}

fn routes(table: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default()
}

/// Whether the machine has no way to any other: the kernel's tables of routes name no interface but loopback, apart
/// from what every interface has.
fn is_offline(ipv4: &str, ipv6: &str) -> bool {
    let is_local = |line: &str| line.ends_with(" lo") || line.starts_with("fe80") || line.starts_with("ff");
    ipv4.lines().skip(1).all(|line| line.starts_with("lo\t"))
        && ipv6.lines().all(|line| is_local(line.trim_end()))
}

/// Whether a table of IPv6 routes has a default one.
fn has_default(ipv6: &str) -> bool {
    let default = format!("{} 00 ", "0".repeat(32));
    ipv6.lines().any(|line| line.starts_with(&default) && !line.trim_end().ends_with(" lo"))
}

impl Network {
    /// The name servers that a step on this network asks: the text of its `/etc/resolv.conf`.
    pub(super) fn resolv_conf(&self) -> Option<Vec<u8>> {
        match self {
            Self::Outward(outward) => outward.resolv_conf.clone(),
            Self::Host | Self::Guarded | Self::None => name_servers(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Iface\tDestination\tGateway\tFlags\n";

    #[test]
    fn machines_without_routes_are_offline() {
        let (zero, one) = ("0".repeat(32), format!("{}1", "0".repeat(31)));
        let loopback = format!("{one} 80 {zero} 00 {zero} 00000000 00000002 00000000 80200001       lo\n");
        let link = format!(
            "fe80{} 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001     eth0\n",
            "0".repeat(28)
        );
        let default = format!(
            "{zero} 00 {zero} 00 fd{}1 00000400 00000001 00000000 00000003     eth0\n",
            "0".repeat(29)
        );
        let unreachable =
            format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n");
        for (ipv4, ipv6, offline, ipv6_default) in [
            (HEADER.to_owned(), String::new(), true, false),
            (HEADER.to_owned(), format!("{loopback}{link}{unreachable}"), true, false),
            (HEADER.to_owned(), format!("{loopback}{default}"), false, true),
            (format!("{HEADER}eth0\t00000000\t0100\t0003\n"), unreachable, false, false),
            (format!("{HEADER}lo\t0000007F\t0\t1\n"), String::new(), true, false),
        ] {
            assert_eq!(
                (is_offline(&ipv4, &ipv6), has_default(&ipv6)),
                (offline, ipv6_default),
                "{ipv4}{ipv6}"
            );
        }
    }
}
