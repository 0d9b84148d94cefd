//! Addresses of package archives that end up in a user's image: those that the original writes, and no others.
//!
//! They are used only where the user's own sources cannot serve the target. debian-ports, which the original adds for
//! riscv64 before Debian 13, is deliberately not here: that archive no longer has the architecture.

/// Ubuntu's archives: Debian architectures, main archive, security archive.
pub(super) const UBUNTU: &[(&[&str], &str, &str)] = &[
    (&["amd64", "i386"], "http://archive.ubuntu.com/ubuntu/", "http://security.ubuntu.com/ubuntu/"),
    (
        &["arm64", "armhf", "ppc64el", "riscv64", "s390x"],
        "http://ports.ubuntu.com/ubuntu-ports/",
        "http://ports.ubuntu.com/ubuntu-ports/",
    ),
];

/// Alpine's first release for an architecture: what stands in for an older one. OCI architecture, release, address.
pub(super) const ALPINE: &[(&str, (u32, u32), &str)] = &[
    ("loong64", (3, 21), "https://dl-cdn.alpinelinux.org/alpine/v3.21"),
    ("riscv64", (3, 20), "https://dl-cdn.alpinelinux.org/alpine/v3.20"),
];
