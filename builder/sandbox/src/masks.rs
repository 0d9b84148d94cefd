//! Kernel files that a step does not see, or cannot write: the OCI runtimes' defaults as a table.
//!
//! Source: containerd `pkg/oci/spec.go` (`MaskedPaths`, `ReadonlyPaths`), runc's default specification. What the
//! running kernel does not have is passed over.

use std::ffi::CStr;

/// What covers a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// A null device.
    Null,
    /// An empty directory.
    Empty,
    /// Itself, read-only.
    ReadOnly,
}

/// Below `/proc`.
pub(super) const PROC: &[(&CStr, Cover)] = &[
    (c"acpi", Cover::Empty),
    (c"asound", Cover::Empty),
    (c"bus", Cover::ReadOnly),
    (c"fs", Cover::ReadOnly),
    (c"irq", Cover::ReadOnly),
    (c"kcore", Cover::Null),
    (c"keys", Cover::Null),
    (c"latency_stats", Cover::Null),
    (c"sched_debug", Cover::Null),
    (c"scsi", Cover::Empty),
    (c"sys", Cover::ReadOnly),
    (c"sysrq-trigger", Cover::ReadOnly),
    (c"timer_list", Cover::Null),
    (c"timer_stats", Cover::Null),
];

/// Below `/sys`, all directories, covered by an empty one.
pub(super) const SYS: &[&CStr] = &[c"devices/virtual/powercap", c"firmware"];
