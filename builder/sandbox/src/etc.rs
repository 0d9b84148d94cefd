//! Texts of `/etc/hosts` and `/etc/resolv.conf` inside a step. Pure.

/// What `hostname` says in a step that sets no other; BuildKit's, so that builds that record it stay the same.
pub const DEFAULT_HOSTNAME: &str = "buildkitsandbox";

/// The hosts file: the loopback names, then the extra `(name, address)` pairs.
pub(super) fn hosts(hostname: &str, extra: &[(String, String)]) -> String {
    let mut text = format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    for (name, address) in extra {
        text.extend([address, "\t", name, "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_hosts_follow() {
        let extra = [("db".to_owned(), "10.0.0.1".to_owned())];
        let text = hosts("box", &extra);
        assert_eq!(
            text,
            "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\tdb\n"
        );
    }
}
