//! `/etc/resolv.conf` for a namespace of its own: name servers on the machine's loopback answer there, too. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How a helper reaches the machine's name servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forward {
    /// At the addresses that it is given: the first server of each family.
    Given,
    /// At slirp's own: the first IPv4 server.
    Slirp,
    /// At the machine's side of a pair of interfaces, if it is on the machine's loopback: the first IPv4 server.
    Machine(Ipv4Addr),
}

/// Where pasta answers for the first IPv4 server; link-local, so that no network has it.
const IPV4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Where it answers for an IPv6 server that only the machine can name. It lies behind the default route.
const IPV6: Ipv6Addr = Ipv6Addr::new(0xfd53, 0x7878, 0x6275, 0x696c, 0, 0, 0, 0x53);

/// slirp4netns's own server.
const SLIRP: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);

/// What a step's file says, and what the helper has to answer at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Servers {
    pub(super) text: String,
    pub(super) forwards: Vec<IpAddr>,
}

/// The machine's file as a step reads it: the first server by the helper, others as they are unless only the machine
/// can reach them; search domains and options as they are.
pub(super) fn inside(host: &str, forward: Forward, has_ipv6: bool) -> Servers {
    let mut servers = Servers { text: String::new(), forwards: vec![] };
    let (mut ipv4, mut ipv6) = (false, false);
    for line in host.lines() {
        let mut words = line.split_whitespace();
        let server = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next());
        let Some(server) = server else {
            servers.text.extend([line, "\n"]);
            continue;
        };
        let (address, zone) = server.split_once('%').map_or((server, false), |(address, _)| (address, true));
        let address: Option<IpAddr> = match address.parse() {
            Ok(IpAddr::V4(own)) => {
                let first = !std::mem::replace(&mut ipv4, true);
                match (first, forward) {
                    (true, Forward::Given) => Some(IPV4.into()),
                    (true, Forward::Slirp) => Some(SLIRP.into()),
                    (true, Forward::Machine(machine)) if own.is_loopback() => Some(machine.into()),
                    (true, Forward::Machine(_)) => Some(own.into()),
                    (false, _) => Some(own.into()).filter(|_| !own.is_loopback() && !own.is_unspecified()),
                }
            }
            Ok(IpAddr::V6(own)) => {
                let first = !std::mem::replace(&mut ipv6, true);
                let local = zone || own.is_loopback() || own.is_unspecified();
                let reached = has_ipv6 && forward == Forward::Given;
                match (reached, local, first) {
                    (true, false, _) => Some(own.into()),
                    (true, true, true) => Some(IPV6.into()),
                    (true, true, false) | (false, ..) => None,
                }
            }
            Err(_) => None,
        };
        let Some(address) = address else { continue };
        if [IpAddr::V4(IPV4), IpAddr::V6(IPV6)].contains(&address) {
            servers.forwards.push(address);
        }
        servers.text.push_str(&format!("nameserver {address}\n"));
    }
    servers
}

/// The first IPv4 server, if it is on the machine's loopback.
pub(super) fn on_loopback(host: &str) -> Option<Ipv4Addr> {
    let servers = host.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    let mut servers = servers.filter_map(|rest| rest.split_whitespace().next()?.parse::<Ipv4Addr>().ok());
    servers.next().filter(Ipv4Addr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_the_machine_answer_inside() {
        let table: &[(&str, Forward, &str)] = &[
            // systemd-resolved, dnsmasq, a container's own.
            (
                "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.test corp.test\n",
                Forward::Given,
                "nameserver 169.254.1.1\noptions edns0 trust-ad\nsearch example.test corp.test\n",
            ),
            ("search a\nnameserver 127.0.0.1\n", Forward::Slirp, "search a\nnameserver 10.0.2.3\n"),
            (
                "nameserver 192.0.2.1\nnameserver 127.0.0.1\nnameserver\t198.51.100.7 # second\n",
                Forward::Given,
                "nameserver 169.254.1.1\nnameserver 198.51.100.7\n",
            ),
            (
                "nameserver 192.0.2.1\nnameserver 198.51.100.7\n",
                Forward::Slirp,
                "nameserver 10.0.2.3\nnameserver 198.51.100.7\n",
            ),
            (
                "nameserver fe80::1%eth0\nnameserver 2001:db8::1\nnameserver ::1\n",
                Forward::Given,
                "nameserver fd53:7878:6275:696c::53\nnameserver 2001:db8::1\n",
            ),
            ("nameserver 2001:db8::1\nnameserver 192.0.2.1\n", Forward::Slirp, "nameserver 10.0.2.3\n"),
            ("# nothing\n", Forward::Given, "# nothing\n"),
            ("nameserver what\n", Forward::Given, ""),
        ];
        for (host, forward, text) in table {
            let servers = inside(host, *forward, true);
            assert_eq!(servers.text, *text, "{host}");
            for address in &servers.forwards {
                assert!(servers.text.contains(&address.to_string()), "{host}");
            }
        }
        let machine = Ipv4Addr::new(10, 213, 0, 1);
        for (host, loopback, text) in [
            (
                "nameserver 127.0.0.53\nnameserver 192.0.2.1\n",
                true,
                "nameserver 10.213.0.1\nnameserver 192.0.2.1\n",
            ),
            ("nameserver 192.0.2.1\nnameserver 127.0.0.1\n", false, "nameserver 192.0.2.1\n"),
        ] {
            assert_eq!(inside(host, Forward::Machine(machine), false).text, text, "{host}");
            assert_eq!(on_loopback(host).is_some(), loopback, "{host}");
        }
        assert_eq!(inside("nameserver ::1\nnameserver 2001:db8::1\n", Forward::Given, false).text, "");
    }
}
