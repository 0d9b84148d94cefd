//! Image references: `debian`, `ghcr.io/o/r:tag`, `r@sha256:...`, and their normal form.
//!
//! The rules are those of the distribution project: a first component with a dot, a colon or capitals, or `localhost`,
//! is a registry; otherwise the image is Docker Hub's, and one without a slash is below `library/`.

use std::fmt;

/// A reference in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Registry host, perhaps with a port.
    pub domain: String,
    /// Repository in the registry.
    pub path: String,
    /// Tag.
    pub tag: Option<String>,
    /// Digest.
    pub digest: Option<String>,
}

const HUB: &str = "docker.io";

/// A text that is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid image reference `{text}`: {problem}")]
pub struct InvalidReference {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Reference {
    /// Reads a reference and completes registry and `library/`, not the tag.
    ///
    /// # Errors
    /// The text is not a reference.
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let wrong = |problem| InvalidReference { text: text.chars().take(200).collect(), problem };
        if text.len() == 64 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(wrong("64 hex digits are an image id, not a name"));
        }
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        let slash = rest.rfind('/').map_or(0, |i| i + 1);
        let (name, tag) = match rest.get(slash..).and_then(|last| last.find(':')) {
            Some(colon) => rest.split_at_checked(slash + colon).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        let tag = tag.strip_prefix(':');
        let (domain, path) = match name.split_once('/') {
            Some((first, path)) if is_domain(first) => (first, path),
            _ => (HUB, name),
        };
        let domain = if domain == "index.docker.io" { HUB } else { domain };
        let path =
            if domain == HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        if path.chars().any(char::is_uppercase) {
            return Err(wrong("a repository name must be lower case"));
        }
        if !path.split('/').all(is_component) || !is_host(domain) {
            return Err(wrong("expected `[registry/]name[:tag][@digest]`"));
        }
        if path.len() + domain.len() > 255 {
            return Err(wrong("the name is longer than 255 characters"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag has up to 128 letters, digits, `_`, `.` and `-`"));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(wrong("a digest is `sha256:` and 64 hex digits"));
        }
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The same with `:latest` when there is neither tag nor digest.
    #[must_use]
    pub fn with_default_tag(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// The short form users write: without `docker.io/`, `library/` and `:latest`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").map(|s| s.strip_prefix("library/").unwrap_or(s));
        let short = short.unwrap_or(&full);
        short.strip_suffix(":latest").unwrap_or(short).to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

fn is_domain(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase)
}

fn is_host(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[').and_then(|d| d.split_once(']')) {
        Some((address, port)) => {
            return !address.is_empty()
                && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':')
                && port.strip_prefix(':').is_none_or(is_port);
        }
        None => domain.split_once(':').map_or((domain, None), |(h, p)| (h, Some(p))),
    };
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

/// Letters and digits, with single `.`, one or two `_`, or any number of `-` between them.
fn is_component(component: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = component.starts_with(alphanumeric) && component.ends_with(alphanumeric);
    let separators = component.split(alphanumeric).filter(|s| !s.is_empty());
    ends && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.chars().all(|c| c == '-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(word) && tag.len() <= 128 && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.parse::<crate::oci::digest::Digest>().is_ok()
        || digest
            .strip_prefix("sha512:")
            .is_some_and(|hex| hex.len() == 128 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_and_familiar_forms() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let cases = [
            ("debian".to_owned(), Some(("docker.io/library/debian:latest".to_owned(), "debian".to_owned()))),
            ("debian:12".into(), Some(("docker.io/library/debian:12".into(), "debian:12".into()))),
            ("a/b".into(), Some(("docker.io/a/b:latest".into(), "a/b".into()))),
            ("ghcr.io/o/r:1".into(), Some(("ghcr.io/o/r:1".into(), "ghcr.io/o/r:1".into()))),
            ("localhost:5000/x".into(), Some(("localhost:5000/x:latest".into(), "localhost:5000/x".into()))),
            ("index.docker.io/x".into(), Some(("docker.io/library/x:latest".into(), "x".into()))),
            (format!("x@{digest}"), Some((format!("docker.io/library/x@{digest}"), format!("x@{digest}")))),
            (
                format!("x:1@{digest}"),
                Some((format!("docker.io/library/x:1@{digest}"), format!("x:1@{digest}"))),
            ),
            ("Debian".into(), None),
            ("a//b".into(), None),
            ("x:".into(), None),
            ("x@sha256:12".into(), None),
            ("-x".into(), None),
            ("".into(), None),
            ("a b".into(), None),
            ("f".repeat(64), None),
        ];
        for (text, expected) in cases {
            let forms = Reference::parse(&text).ok().map(|r| {
                let familiar = r.familiar();
                (r.with_default_tag().to_string(), familiar)
            });
            assert_eq!(forms, expected, "{text}");
        }
    }
}
