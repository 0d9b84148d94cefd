//! Ports of EXPOSE: `[address:][host:]port[-port][/protocol]`.

/// Reads one word into `port/protocol`, a range into its ports.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ports(text: &str) -> Result<Vec<String>, &'static str> {
    let parts: Vec<&str> = text.split(':').collect();
    let (address, host, container) = match parts.as_slice() {
        [port] => (String::new(), "", *port),
        [host, port] => (String::new(), *host, *port),
        [address @ .., host, port] => (address.join(":"), *host, *port),
        [] => return Err("there is no port"),
    };
    let (port, protocol) = container.split_once('/').unwrap_or((container, ""));
    if port.is_empty() {
        return Err("there is no port");
    }
    let protocol = match protocol.to_lowercase().as_str() {
        "" | "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        _ => return Err("the protocol must be tcp, udp or sctp"),
    };
    let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(&address);
    if !address.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
        return Err("the part before the last two colons is not an address");
    }
    let (start, end) = range(port)?;
    if !host.is_empty() {
        let (host_start, host_end) = range(host)?;
        if end != start && host_end - host_start != end - start {
            return Err("the two ranges differ in length");
        }
    }
    Ok((start..=end).map(|port| format!("{port}/{protocol}")).collect())
}

fn range(text: &str) -> Result<(u16, u16), &'static str> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| "a port is a number from 0 to 65535");
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let (start, end) = (number(start)?, number(end)?);
    if end < start { Err("the range ends before it begins") } else { Ok((start, end)) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn port_forms() {
        let cases: [(&str, Result<&[&str], &str>); 11] = [
            ("80", Ok(&["80/tcp"])),
            ("53/UDP", Ok(&["53/udp"])),
            ("8000-8002/sctp", Ok(&["8000/sctp", "8001/sctp", "8002/sctp"])),
            ("8080:80", Ok(&["80/tcp"])),
            ("127.0.0.1:8080:80", Ok(&["80/tcp"])),
            ("[::1]:8080:80", Ok(&["80/tcp"])),
            ("", Err("there is no port")),
            ("70000", Err("a port is a number from 0 to 65535")),
            ("9-8", Err("the range ends before it begins")),
            ("80/http", Err("the protocol must be tcp, udp or sctp")),
            ("x:1:2", Err("the part before the last two colons is not an address")),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|ports| ports.iter().map(|p| (*p).to_owned()).collect());
            assert_eq!(super::ports(text), expected, "{text}");
        }
    }
}
