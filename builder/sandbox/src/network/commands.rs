//! How the programs that can bear a network are called. Pure.

use std::net::IpAddr;

use super::resolv::Forward;

/// A program that can bear a network.
#[derive(Debug)]
pub(super) struct Helper {
    /// Its name on `PATH`.
    pub(super) program: &'static str,
    /// Whether root runs it as an ordinary user; otherwise it gives up root's rights by itself.
    pub(super) as_nobody: bool,
    /// How it reaches the machine's name servers.
    pub(super) forward: Forward,
    /// Its arguments.
    pub(super) arguments: fn(&Place<'_>) -> Vec<String>,
}

/// What a call refers to.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// Path of the namespace.
    pub(super) namespace: &'a str,
    /// Path of the named pipe that says when it is ready.
    pub(super) ready: &'a str,
    /// The number of a descriptor of the same.
    pub(super) ready_number: i32,
    /// Addresses of the namespace at which the machine's name servers answer.
    pub(super) forwards: &'a [IpAddr],
}

/// In the order in which they are tried.
pub(super) const HELPERS: &[Helper] = &[
    Helper { program: "pasta", as_nobody: true, forward: Forward::Given, arguments: pasta },
    Helper { program: "slirp4netns", as_nobody: false, forward: Forward::Slirp, arguments: slirp4netns },
];

/// By passt's manual page. `--no-map-gw` alone leaves the machine's loopback in reach: ports are forwarded from inside (`-T`,
/// `-U`) by default, too.
fn pasta(place: &Place<'_>) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--foreground", "--quiet", "--config-net", "--no-map-gw", "--no-dhcp", "--no-dhcpv6", "--no-ra"]
            .into_iter()
            .chain(["-t", "none", "-u", "none", "-T", "none", "-U", "none"])
            .chain(["--netns-only", "--no-netns-quit", "--netns", place.namespace, "--pid", place.ready])
            .map(str::to_owned)
            .collect();
    for address in place.forwards {
        arguments.extend(["--dns-forward".to_owned(), address.to_string()]);
    }
    arguments
}

/// By slirp4netns's manual page. Without IPv6, which it calls experimental, and which comes up some time after it says
/// that it is ready.
fn slirp4netns(place: &Place<'_>) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--configure",
        "--mtu=65520",
        "--disable-host-loopback",
        "--enable-sandbox",
        "--enable-seccomp",
        "--netns-type=path",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.push(format!("--ready-fd={}", place.ready_number));
    arguments.extend([place.namespace.to_owned(), "tap0".to_owned()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_machine_is_mapped() {
        let forwards = ["169.254.1.1".parse().unwrap()];
        let place = Place { namespace: "/n", ready: "/r", ready_number: 7, forwards: &forwards };
        for (helper, parts) in HELPERS.iter().zip([
            [
                "--no-map-gw",
                "-t none -u none -T none -U none",
                "--netns /n",
                "--pid /r",
                "--dns-forward 169.254.1.1",
            ],
            [
                "--disable-host-loopback",
                "--enable-sandbox --enable-seccomp",
                "--ready-fd=7",
                "--netns-type=path",
                " /n tap0",
            ],
        ]) {
            let line = (helper.arguments)(&place).join(" ");
            for part in parts {
                assert!(line.contains(part), "{part}: {} {line}", helper.program);
            }
        }
    }
}
