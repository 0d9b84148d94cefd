//! Git repositories as sources: `https://host/r.git#ref:subdir`, `git@host:r`, and the query form
//! `?ref=...&subdir=...&checksum=...&keep-git-dir=...&submodules=...`.

use std::collections::BTreeMap;

use super::paths;
use crate::dockerfile::mount::boolean;
use crate::llb::pb;

/// How a URL of a repository is written.
pub(super) const FORM: &str =
    "write `https://host/path.git#REF:FOLDER`, or `?ref=REF&subdir=FOLDER&checksum=COMMIT` for `#`";

/// A git repository and what of it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Repository {
    /// URL without fragment and query.
    pub(super) remote: String,
    host: String,
    path: String,
    ssh: bool,
    pub(super) reference: String,
    pub(super) subdir: String,
    pub(super) checksum: String,
    pub(super) keep_git_dir: Option<bool>,
    pub(super) submodules: Option<bool>,
    pub(super) mtime: String,
    /// The checksum is the commit, whatever the reference stands for by now.
    fetch_by_commit: bool,
    /// `github.com/...` without a scheme: only a context can be written so.
    pub(super) like_a_path: bool,
}

/// How the repository is taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Options {
    keep_git_dir: bool,
    checksum: String,
    mtime: String,
}

impl Options {
    /// As the URL says; `dated` gives files the time of the commit.
    pub(super) fn of_url(repository: &Repository, dated: bool) -> Self {
        let mtime = if repository.mtime.is_empty() && dated { "commit" } else { &repository.mtime };
        Self {
            keep_git_dir: repository.keep_git_dir.unwrap_or(false),
            checksum: repository.checksum.clone(),
            mtime: mtime.to_owned(),
        }
    }

    /// The same, with `.git` also when the URL does not ask for it.
    pub(super) fn keeping(self, keep: bool) -> Self {
        Self { keep_git_dir: self.keep_git_dir || keep, ..self }
    }

    /// As ADD's flags and the URL say together.
    ///
    /// # Errors
    /// They contradict each other.
    pub(super) fn of_add(
        repository: &Repository,
        keep: Option<bool>,
        checksum: &str,
    ) -> Result<Self, String> {
        if let (Some(flag), Some(query)) = (keep, repository.keep_git_dir)
            && flag != query
        {
            return Err("`--keep-git-dir` and `keep-git-dir` of the URL contradict each other".to_owned());
        }
        if !checksum.is_empty() && !repository.checksum.is_empty() && checksum != repository.checksum {
            return Err(format!("`--checksum={checksum}` and `{}` of the URL differ", repository.checksum));
        }
        let from_url = if repository.checksum.is_empty() { checksum } else { &repository.checksum };
        Ok(Self {
            keep_git_dir: repository.keep_git_dir.or(keep).unwrap_or(false),
            checksum: from_url.to_owned(),
            // The flag form of ADD has no times; only contexts take them from the URL.
            mtime: String::new(),
        })
    }
}

impl Repository {
    /// Reads a URL; `None` when it is not one of a git repository.
    ///
    /// # Errors
    /// It is one, and its query is wrong.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let is_path = text.starts_with("./") || text.starts_with("../");
        if is_path || text.contains(|c: char| c.is_ascii_control()) {
            return Ok(None);
        }
        let Some(mut parts) = Parts::of(text) else { return Ok(None) };
        let http = matches!(parts.scheme.as_str(), "http" | "https");
        let like_a_path = text.starts_with("github.com/");
        if http && !like_a_path && !parts.path.ends_with(".git") {
            return Ok(None);
        }
        let mut repository = Self {
            remote: std::mem::take(&mut parts.remote),
            host: parts.host,
            path: parts.path,
            ssh: parts.scheme == "ssh",
            like_a_path,
            ..Self::default()
        };
        if !parts.fragment.is_empty() {
            let (reference, subdir) = parts.fragment.split_once(':').unwrap_or((&parts.fragment, ""));
            repository.reference = decode(reference);
            repository.subdir = paths::join("/", &decode(subdir)).trim_start_matches('/').to_owned();
        }
        repository.read_query(&parts.query)?;
        Ok(Some(repository))
    }

    fn read_query(&mut self, query: &str) -> Result<(), String> {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")));
            if value.is_empty() && !matches!(key.as_str(), "submodules" | "keep-git-dir" | "fetch-by-commit")
            {
                return Err(format!("`{key}` in the query of the git URL has no value"));
            }
            if seen.insert(key.clone(), value).is_some() {
                return Err(format!("`{key}` is twice in the query of the git URL"));
            }
        }
        let switch = |key: &str, value: &str| {
            let parsed = if value.is_empty() { Some(true) } else { boolean(value) };
            parsed.ok_or_else(|| format!("invalid `{key}={value}` in the query of the git URL"))
        };
        for (key, value) in &seen {
            match key.as_str() {
                "ref" => same(&mut self.reference, value, "ref")?,
                "subdir" => same(&mut self.subdir, value, "subdir")?,
                "checksum" | "commit" => same(&mut self.checksum, value, "checksum")?,
                "keep-git-dir" => self.keep_git_dir = Some(switch(key, value)?),
                "submodules" => self.submodules = Some(switch(key, value)?),
                "mtime" if matches!(value.as_str(), "checkout" | "commit") => self.mtime.clone_from(value),
                "mtime" => return Err(format!("invalid `mtime={value}`: expected `checkout` or `commit`")),
                "tag" | "branch" => {}
                "fetch-by-commit" => self.fetch_by_commit = switch(key, value)?,
                _ => return Err(format!("unknown `{key}` in the query of the git URL")),
            }
        }
        let prefixed = |value: &str, prefix: &str| {
            if value.starts_with(prefix) { value.to_owned() } else { format!("{prefix}{value}") }
        };
        if let Some(tag) = seen.get("tag") {
            same(&mut self.reference, &prefixed(tag, "refs/tags/"), "ref")?;
        }
        if let Some(branch) = seen.get("branch") {
            same(&mut self.reference, &prefixed(branch, "refs/heads/"), "ref")?;
        }
        Ok(())
    }

    /// The source operation.
    pub(super) fn source(&self, options: &Options) -> pb::SourceOp {
        let mut identifier = format!("git://{}{}", self.host, paths::join("/", &self.path));
        if !self.reference.is_empty() || !self.subdir.is_empty() {
            identifier.push_str(&format!("#{}", self.reference));
            if !self.subdir.is_empty() {
                identifier.push_str(&format!(":{}", self.subdir));
            }
        }
        let mut attrs = BTreeMap::from([
            ("git.authheadersecret".to_owned(), "GIT_AUTH_HEADER".to_owned()),
            ("git.authtokensecret".to_owned(), "GIT_AUTH_TOKEN".to_owned()),
            ("git.fullurl".to_owned(), self.remote.clone()),
        ]);
        let mut set = |key: &str, value: &str| attrs.insert(key.to_owned(), value.to_owned());
        if options.keep_git_dir {
            set("git.keepgitdir", "true");
        }
        if self.ssh {
            // The host's keys are the engine's to find: reading them here would be I/O.
            set("git.mountsshsock", "default");
        }
        if !options.checksum.is_empty() {
            set("git.checksum", &options.checksum);
        }
        if self.submodules == Some(false) {
            set("git.skipsubmodules", "true");
        }
        if !options.mtime.is_empty() {
            set("git.mtime", &options.mtime);
        }
        if self.fetch_by_commit {
            set("git.fetchbycommit", "true");
        }
        pb::SourceOp { identifier, attrs }
    }
}

fn same(slot: &mut String, value: &str, name: &str) -> Result<(), String> {
    if !slot.is_empty() && slot != value {
        return Err(format!("the git URL names two values for `{name}`: `{slot}` and `{value}`"));
    }
    value.clone_into(slot);
    Ok(())
}

/// The pieces of a URL, in either way of writing.
struct Parts {
    scheme: String,
    host: String,
    path: String,
    query: String,
    fragment: String,
    remote: String,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let text_with_scheme =
            if text.starts_with("github.com/") { format!("https://{text}") } else { text.to_owned() };
        let (rest, fragment) = text_with_scheme.split_once('#').unwrap_or((&text_with_scheme, ""));
        let (remote, query) = rest.split_once('?').unwrap_or((rest, ""));
        let known = |scheme: &str| matches!(scheme, "http" | "https" | "ssh" | "git");
        let url = remote.split_once("://").map(|(scheme, after)| (scheme.to_ascii_lowercase(), after));
        let (scheme, host, path) = match url.filter(|(scheme, _)| known(scheme)) {
            Some((scheme, after)) => {
                let slash = after.find('/').unwrap_or(after.len());
                let (authority, path) = after.split_at_checked(slash)?;
                if is_malformed(authority, path) {
                    return None;
                }
                let host = authority.rsplit('@').next().unwrap_or(authority);
                (scheme, host.to_owned(), decode(path))
            }
            None => {
                let (user, rest) = remote.split_once('@')?;
                let (host, path) = rest.split_once(':')?;
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
                if user.is_empty() || host.is_empty() || !user.chars().all(word) || !host.chars().all(name) {
                    return None;
                }
                ("ssh".to_owned(), host.to_owned(), path.to_owned())
            }
        };
        let short = text.starts_with("github.com/");
        let shown = if short { remote.trim_start_matches("https://") } else { remote };
        let remote = shown.to_owned();
        Some(Self { scheme, host, path, query: query.to_owned(), fragment: fragment.to_owned(), remote })
    }
}

/// Takes percent signs out; wrong ones stay.
fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, hex(ahead.next()), hex(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A URL for display: user and password in it are nobody's business.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or(authority))
        }
        None => url.to_owned(),
    }
}

/// Whether a host with its port, or a path, is none that a URL can have.
fn is_malformed(host: &str, path: &str) -> bool {
    let escaped = |(at, _): (usize, &str)| {
        path.get(at + 1..at + 3).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let port =
        host.rsplit(['@', ']']).next().and_then(|host| host.rsplit_once(':')).map_or("", |(_, port)| port);
    (host.contains('%') && !host.contains('['))
        || !port.bytes().all(|byte| byte.is_ascii_digit())
        || !path.match_indices('%').all(escaped)
}

/// Name of a download whose URL ends in none, or is malformed.
const UNNAMED: &str = "__unnamed__";

/// The file name that a URL's download gets.
pub(super) fn file_name_of_url(url: &str) -> String {
    let rest = url.split(['?', '#']).next().unwrap_or(url);
    let path = rest.split_once("://").map_or(rest, |(_, after)| after);
    let (host, path) = path.split_at(path.find('/').unwrap_or(path.len()));
    let malformed = url.contains(|c: char| c.is_ascii_control()) || is_malformed(host, path);
    if malformed {
        return UNNAMED.to_owned();
    }
    match paths::base_name(&decode(path)) {
        "." | "/" => UNNAMED.to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(url: &str) -> Result<Option<String>, String> {
        let repository = Repository::parse(url)?;
        Ok(repository.map(|r| r.source(&Options::of_url(&r, false)).identifier))
    }

    #[test]
    fn forms_of_urls() {
        let cases = [
            ("https://github.com/o/r.git", Some("git://github.com/o/r.git")),
            ("https://github.com/o/r.git#v1", Some("git://github.com/o/r.git#v1")),
            ("https://github.com/o/r.git#v1:a/b", Some("git://github.com/o/r.git#v1:a/b")),
            ("https://github.com/o/r.git#:a", Some("git://github.com/o/r.git#:a")),
            ("https://github.com/o/r.git?tag=v1&subdir=x", Some("git://github.com/o/r.git#refs/tags/v1:x")),
            ("https://u:p@host:8443/r.git?branch=main", Some("git://host:8443/r.git#refs/heads/main")),
            ("git@github.com:o/r.git#v1", Some("git://github.com/o/r.git#v1")),
            ("ssh://git@host/o/r", Some("git://host/o/r")),
            ("git://host/r", Some("git://host/r")),
            ("https://host/file.tar.gz", None),
            ("./x.git", None),
            ("a/b", None),
            ("ftp://host/r.git", None),
            ("https://host/%x.git", None),
            ("https://host:x/r.git", None),
            ("https://host:/%41.git", Some("git://host:/A.git")),
            ("a@b://h/r.git", Some("git://b/h/r.git")),
            ("https://host/r\u{13}.git", None),
        ];
        for (url, expected) in cases {
            assert_eq!(identifier(url), Ok(expected.map(str::to_owned)), "{url}");
        }
    }

    #[test]
    fn wrong_queries() {
        let cases = [
            ("?ref=", "`ref` in the query of the git URL has no value"),
            ("?x=1", "unknown `x` in the query of the git URL"),
            ("?ref=a#b", "the git URL names two values for `ref`: `b` and `a`"),
            ("?fetch-by-commit=maybe", "invalid `fetch-by-commit=maybe` in the query of the git URL"),
            ("?submodules=maybe", "invalid `submodules=maybe` in the query of the git URL"),
            ("?commit=a&checksum=b", "the git URL names two values for `checksum`: `b` and `a`"),
            ("?ref=a&ref=b", "`ref` is twice in the query of the git URL"),
        ];
        for (query, message) in cases {
            assert_eq!(identifier(&format!("https://h/r.git{query}")), Err(message.to_owned()));
        }
    }

    #[test]
    fn urls_for_display() {
        let cases = [
            ("https://u:p@h/r.git#v1", "https://h/r.git#v1"),
            ("https://h/r@v.git", "https://h/r@v.git"),
            ("git@h:r", "git@h:r"),
            ("https://token@h", "https://h"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn names_of_downloads() {
        let cases = [
            ("https://h/a/b.tar.gz?x=1#y", "b.tar.gz"),
            ("https://h/a%20b", "a b"),
            ("https://h/", "__unnamed__"),
            ("https://h", "__unnamed__"),
            ("https://h/dir/", "dir"),
            ("https://h%20h/a", "__unnamed__"),
            ("https://:h/a", "__unnamed__"),
            ("https://[::1]:80/a", "a"),
            ("https://u:p@h/a", "a"),
            ("https://h/a%2", "__unnamed__"),
            ("https://h/a\u{1}", "__unnamed__"),
        ];
        for (url, name) in cases {
            assert_eq!(file_name_of_url(url), name, "{url}");
        }
    }
}
