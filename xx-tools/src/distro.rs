//! The distribution of the build stage, from the text of `/etc/os-release`.
//!
//! `/usr/lib/os-release` is deliberately not read: images that drop the file in `/etc` mean to have no distribution.

/// A family decides package names and the shape of target triples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Debian, Ubuntu and what derives from them.
    Debian,
    /// Alpine, and others built on apk.
    Alpine,
    /// Fedora, RHEL and what derives from them.
    Rhel,
    /// Any other.
    Other,
}

impl Family {
    /// Returns what to type to install packages of the build machine.
    #[must_use]
    pub fn install(self, packages: &str) -> String {
        match self {
            Self::Debian => format!("`apt-get install {packages}`"),
            Self::Alpine => format!("`apk add {packages}`"),
            Self::Rhel => format!("`dnf install {packages}`"),
            Self::Other => format!("install the package `{packages}`"),
        }
    }
}

/// What os-release says, as far as the tools ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distro {
    /// `ID`, `""` without the file.
    pub id: String,
    /// `VERSION_ID`.
    pub version: String,
    /// `VERSION_CODENAME` or Ubuntu's `UBUNTU_CODENAME`.
    pub codename: String,
    /// Family, from `ID`, else from `ID_LIKE`.
    pub family: Family,
}

impl Distro {
    /// Reads the text of os-release; `None` is a root without the file.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        let value = |key: &str| text.and_then(|text| value(text, key)).unwrap_or_default();
        let (id, like) = (value("ID"), value("ID_LIKE"));
        let family = std::iter::once(id.as_str())
            .chain(like.split_ascii_whitespace())
            .find_map(family_of)
            .unwrap_or(Family::Other);
        let ubuntu = value("UBUNTU_CODENAME");
        let codename = if ubuntu.is_empty() { value("VERSION_CODENAME") } else { ubuntu };
        Self { version: value("VERSION_ID"), codename, family, id }
    }

    /// Returns the number before the first dot of the version.
    #[must_use]
    pub fn major(&self) -> Option<u32> {
        self.version.split('.').next()?.parse().ok()
    }
}

/// Returns the family that an `ID` names.
#[must_use]
pub fn family_of(id: &str) -> Option<Family> {
    match id {
        "debian" | "ubuntu" => Some(Family::Debian),
        "alpine" => Some(Family::Alpine),
        "rhel" | "fedora" | "centos" | "rocky" | "ol" => Some(Family::Rhel),
        _ => None,
    }
}

/// Reads one assignment; the last one wins, as when a shell reads the file.
fn value(text: &str, key: &str) -> Option<String> {
    let mut found = None;
    for line in text.lines() {
        if let Some((name, value)) = line.trim().split_once('=')
            && name == key
        {
            found = Some(unquoted(value));
        }
    }
    found
}

/// Undoes shell quoting as os-release(5) allows it: one quoted or bare word, with backslashes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        plain.push(if char == '\\' { chars.next().unwrap_or(char) } else { char });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Distro, Family};

    #[test]
    fn os_release_files() {
        let cases = [
            (Some("ID=debian\nVERSION_ID=\"12\"\n"), "debian", "12", Family::Debian),
            (Some("ID=\"fedora\"\nVERSION_ID=35"), "fedora", "35", Family::Rhel),
            (Some("ID=raspbian\nID_LIKE=debian\nVERSION_ID='11'"), "raspbian", "11", Family::Debian),
            (Some("ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\""), "almalinux", "", Family::Rhel),
            (Some("ID=alpine\nVERSION_ID=3.20.1"), "alpine", "3.20.1", Family::Alpine),
            (Some("ID=\"a\\\"b\""), "a\"b", "", Family::Other),
            (None, "", "", Family::Other),
        ];
        for (text, id, version, family) in cases {
            let distro = Distro::parse(text);
            assert_eq!((distro.id.as_str(), distro.version.as_str(), distro.family), (id, version, family));
        }
    }
}
