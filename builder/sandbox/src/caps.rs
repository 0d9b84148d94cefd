//! Which capabilities a step keeps.

use rustix::thread::CapabilitySet;

use super::step::Network;

/// What the builder itself may do, and so all that anybody can have from it: in a container that is not everything.
pub(super) fn held() -> rustix::io::Result<CapabilitySet> {
    rustix::thread::capabilities(None).map(|sets| sets.permitted)
}

/// Their names as runtimes write them.
pub(super) fn names(set: CapabilitySet) -> Vec<String> {
    set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect()
}

/// What a sandboxed step on this network keeps: on the machine's own, raw sockets would read everybody's packets.
pub(super) fn sandboxed(network: &Network) -> CapabilitySet {
    match network {
        Network::Guarded => DEFAULT.difference(CapabilitySet::NET_RAW),
        Network::Host | Network::Outward(_) | Network::None => DEFAULT,
    }
}

/// The set that Docker and containerd leave to a container by default (moby `oci/caps/defaults.go`, containerd
/// `pkg/oci/spec.go`).
const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);
