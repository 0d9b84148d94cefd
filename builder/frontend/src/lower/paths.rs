//! Paths of the target's operating system, as text: clean, join, absolute or not, Windows' drive letters.
//!
//! Never the paths of this machine; those are bytes and belong to the engine.

use crate::dockerfile::Diagnostic;
pub(crate) use crate::dockerfile::path::clean;
use crate::source_text::Span;

/// Cleaned concatenation; empty parts count for nothing.
pub(crate) fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean(b),
        (false, true) => clean(a),
        (false, false) => clean(&format!("{a}/{b}")),
    }
}

/// The last component; `/` for a root, `.` for nothing.
pub(crate) fn base_name(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}

/// A Windows path that cannot be used in an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{0}` names a drive and no path")]
    NoPath(String),
    #[error("`{0}` is a network path")]
    Network(String),
    #[error("`{0}` is not on drive C:")]
    Drive(String),
}

impl PathError {
    /// The error at a place of the Dockerfile.
    pub(super) fn at(&self, span: Span) -> Diagnostic {
        Diagnostic::error(span, self.to_string()).hint("write a path on drive C:, such as `C:\\\\app`")
    }
}

/// The rules of one operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    windows: bool,
}

impl Rules {
    pub(crate) fn of(os: &str) -> Self {
        Self { windows: os == "windows" }
    }

    /// Forward slashes.
    pub(crate) fn to_slash(self, path: &str) -> String {
        if self.windows { path.replace('\\', "/") } else { path.to_owned() }
    }

    /// Takes `C:` off a Windows path and cleans it; leaves others alone.
    pub(crate) fn without_drive(self, path: &str, keep_slash: bool) -> Result<String, PathError> {
        if !self.windows {
            return Ok(path.to_owned());
        }
        let slashed = self.to_slash(path);
        if slashed.len() == 2 && slashed.ends_with(':') {
            return Err(PathError::NoPath(path.to_owned()));
        }
        if slashed.starts_with("//") {
            return Err(PathError::Network(path.to_owned()));
        }
        let rest = match slashed.split_once(':') {
            None => slashed.as_str(),
            Some((drive, rest)) if drive.eq_ignore_ascii_case("c") => rest,
            Some(_) => return Err(PathError::Drive(path.to_owned())),
        };
        let cleaned = clean(rest);
        let slash = keep_slash && cleaned.len() > 1 && rest.ends_with('/');
        Ok(if slash { format!("{cleaned}/") } else { cleaned })
    }

    pub(crate) fn is_absolute(self, path: &str) -> bool {
        self.without_drive(path, false).is_ok_and(|p| self.to_slash(&p).starts_with('/'))
    }

    /// An absolute path with forward slashes: `path` itself, or below `parent` when it is relative. `keep_slash` keeps
    /// a trailing `/` or `/.`, which mean something to COPY.
    pub(crate) fn normalize(self, parent: &str, path: &str, keep_slash: bool) -> Result<String, PathError> {
        let original = self.to_slash(path);
        let parent = if parent.is_empty() { "/".to_owned() } else { self.to_slash(parent) };
        let mut parent = self.without_drive(&parent, keep_slash)?;
        if !self.is_absolute(&parent) {
            parent = join("/", &parent);
        }
        let path = if original.is_empty() { parent.clone() } else { original.clone() };
        let mut path = self.without_drive(&path, keep_slash)?;
        if !self.is_absolute(&path) {
            path = join(&parent, &path);
        }
        if keep_slash {
            keep_ending(&original, &mut path);
        }
        Ok(self.to_slash(&path))
    }

    /// The working directory as the image configuration holds it: backslashes on Windows.
    pub(crate) fn workdir(self, current: &str, path: &str) -> Result<String, PathError> {
        let path = self.normalize(current, path, false)?;
        Ok(if self.windows { path.replace('/', "\\") } else { path })
    }
}

/// Gives a cleaned path the ending `/` or `/.` of the one it came from.
pub(crate) fn keep_ending(original: &str, path: &mut String) {
    if original.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    } else if original.ends_with("/.") {
        if path != "/" {
            path.push('/');
        }
        path.push('.');
    }
}

/// The path as a file operation holds it: cleaned, below `parent` when relative.
pub fn in_operation(parent: &str, original: &str, keep_slash: bool) -> String {
    let mut path = clean(original);
    if !path.starts_with('/') {
        path = join(&join("/", parent), &path);
    }
    if keep_slash {
        keep_ending(original, &mut path);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        let cases =
            [("", "."), ("/", "/"), ("a/../b", "b"), ("../a", "../a"), ("/../a", "/a"), ("a//b/.", "a/b")];
        for (path, expected) in cases {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!((join("", ""), join("/a", "b/..")), (String::new(), "/a".to_owned()));
        assert_eq!((base_name("/a/b/"), base_name("/"), base_name("")), ("b", "/", "."));
    }

    #[test]
    fn destinations() {
        let linux = Rules::of("linux");
        let cases = [
            ("/w", "a", "/w/a"),
            ("/w", "a/", "/w/a/"),
            ("/w", "./", "/w/"),
            ("/w", "/x/", "/x/"),
            ("/w", "a/.", "/w/a/."),
            ("", "x", "/x"),
            ("/w", "/x/../y", "/x/../y"),
        ];
        for (parent, path, expected) in cases {
            assert_eq!(linux.normalize(parent, path, true).as_deref(), Ok(expected), "{parent} {path}");
        }
        let windows = Rules::of("windows");
        assert_eq!(windows.normalize("C:\\w", "a\\b\\", true).as_deref(), Ok("/w/a/b/"));
        assert_eq!(windows.workdir("\\w", "c:\\x\\..\\y").as_deref(), Ok("\\y"));
        assert_eq!(windows.workdir("", "d:\\x"), Err(PathError::Drive("d:/x".into())));
        assert_eq!(windows.workdir("", "c:"), Err(PathError::NoPath("c:".into())));
        assert_eq!(windows.workdir("", "\\\\h\\s"), Err(PathError::Network("//h/s".into())));
    }
}
