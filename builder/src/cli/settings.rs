//! Options that set how every RUN of a build runs: `--add-host`, `--ulimit`, `--shm-size`, `--network`.

use std::net::IpAddr;

use crate::report::Report;
use xx_build_frontend::dockerfile::{csv, mount, size, suggest};
use xx_build_frontend::lower::{NetworkMode, Ulimit};

/// Every `--add-host`, each of which may hold several between commas.
pub(super) fn hosts(texts: &[String]) -> Result<Vec<(String, IpAddr)>, Report> {
    let mut hosts = vec![];
    for text in texts {
        let record = csv::record(text)
            .map_err(|error| Report::new(format!("`--add-host {text}`: {error}")).hint(csv::HINT))?;
        for one in record {
            hosts.push(host(&one)?);
        }
    }
    Ok(hosts)
}

/// `NAME:ADDRESS`, also with `=` in between or brackets around the address.
fn host(text: &str) -> Result<(String, IpAddr), Report> {
    let bad = || Report::new(format!("`--add-host {text}` is not `NAME:ADDRESS`"));
    let at = text.find(['=', ':']).filter(|at| *at > 0).ok_or_else(bad)?;
    let (name, address) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if address == "host-gateway" {
        return Err(Report::new("`--add-host` with `host-gateway` is not supported: there is no gateway")
            .hint("a step with `--network=host` reaches the machine as 127.0.0.1"));
    }
    let address = address.parse().map_err(|_| bad().hint("write `--add-host registry.example:192.0.2.1`"))?;
    Ok((name.to_owned(), address))
}

/// `--ulimit NAME=SOFT[:HARD]`; -1 is no limit.
pub(super) fn ulimit(text: &str) -> Result<Ulimit, Report> {
    let bad = || {
        Report::new(format!("`--ulimit {text}` is not `NAME=SOFT[:HARD]`"))
            .hint("write `--ulimit nofile=1024:4096`")
    };
    let (name, values) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(bad)?;
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let value = |text: &str| text.parse::<i64>().ok().filter(|value| *value >= -1).ok_or_else(bad);
    let (soft, hard) = (value(soft)?, value(hard)?);
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(Report::new(format!("`--ulimit {text}`: the soft limit is above the hard one")));
    }
    Ok(Ulimit { name: name.to_owned(), soft, hard })
}

/// `--shm-size SIZE` in bytes.
pub(super) fn shm_size(text: &str) -> Result<i64, Report> {
    size::parse(text).filter(|size| *size >= 0).ok_or_else(|| {
        Report::new(format!("`--shm-size {text}` is not a size")).hint("write `--shm-size 64m` or `1g`")
    })
}

/// `BUILDKIT_MULTI_PLATFORM`: whether the result counts as one of several platforms, of which there are `count`.
pub(super) fn multi_platform(text: &str, count: usize) -> Result<bool, Report> {
    if text.is_empty() {
        return Ok(count > 1);
    }
    let wanted = mount::boolean(text)
        .ok_or_else(|| Report::new(format!("BUILDKIT_MULTI_PLATFORM: `{text}` is not `true` or `false`")))?;
    if !wanted && count > 1 {
        return Err(Report::new(format!("`BUILDKIT_MULTI_PLATFORM={text}`, and {count} platforms"))
            .hint("name one platform with `--platform`, or leave the argument out"));
    }
    Ok(wanted)
}

/// `SOURCE_DATE_EPOCH` in seconds.
pub(super) fn epoch(text: Option<&str>) -> Result<Option<i64>, Report> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            Report::new(format!("invalid SOURCE_DATE_EPOCH `{text}`"))
                .hint("give the seconds since 1970-01-01, as `git log -1 --format=%ct` prints them")
        })
    };
    text.map(parse).transpose()
}

/// `--network MODE`.
pub(super) fn network(text: &str) -> Result<NetworkMode, Report> {
    match text {
        "default" => Ok(NetworkMode::Sandbox),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        other => {
            let near = suggest::hint(other, ["default", "host", "none"]);
            Err(Report::new(format!("`--network {other}` is not known"))
                .hint(near.unwrap_or_else(|| "`default`, `host` or `none`".to_owned())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases = [
            ("a:192.0.2.1", Some(("a", "192.0.2.1"))),
            ("a=192.0.2.1", Some(("a", "192.0.2.1"))),
            ("a:::1", Some(("a", "::1"))),
            ("a=[::1]", Some(("a", "::1"))),
            ("a", None),
            (":1.2.3.4", None),
            ("a:b", None),
            ("a:host-gateway", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(name, ip)| (name.to_owned(), ip.parse().unwrap()));
            assert_eq!(host(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn limits() {
        let limit = |soft, hard| Some(Ulimit { name: "nofile".into(), soft, hard });
        let cases = [
            ("nofile=10", limit(10, 10)),
            ("nofile=10:20", limit(10, 20)),
            ("nofile=10:-1", limit(10, -1)),
            ("nofile=20:10", None),
            ("nofile=-1:10", None),
            ("nofile", None),
            ("=1", None),
            ("nofile=x", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ulimit(text).ok(), expected, "{text}");
        }
        assert_eq!(shm_size("64m").ok(), Some(64 << 20));
        for (text, count, expected) in [
            ("", 1, Some(false)),
            ("", 2, Some(true)),
            ("1", 1, Some(true)),
            ("true", 2, Some(true)),
            ("0", 1, Some(false)),
            ("0", 2, None),
            ("maybe", 1, None),
        ] {
            assert_eq!(multi_platform(text, count).ok(), expected, "{text} {count}");
        }
        assert!(shm_size("much").is_err() && network("bridge").is_err());
        assert_eq!(network("none").ok(), Some(NetworkMode::None));
    }
}
