//! `RUN --mount`: one comma-separated list of keys and values.
//!
//! Values may hold variables, so a mount is checked twice: what can be known when the file is read ([`check`]), and
//! everything when the values are known ([`parse`]).

use super::csv;
use super::diagnostic::Diagnostic;
use super::node::Word;
use super::size;
use super::suggest;
use crate::source_text::Span;

/// The kinds of mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret, as file or variable.
    Secret,
    /// The socket of an SSH agent.
    Ssh,
}

/// Names of the kinds, sorted.
pub const KINDS: [(&str, Kind); 5] = [
    ("bind", Kind::Bind),
    ("cache", Kind::Cache),
    ("secret", Kind::Secret),
    ("ssh", Kind::Ssh),
    ("tmpfs", Kind::Tmpfs),
];

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// Everyone.
    #[default]
    Shared,
    /// Each build a copy of its own when it is in use.
    Private,
    /// One after the other.
    Locked,
}

/// Names of the sharing modes, sorted.
pub const SHARINGS: [(&str, Sharing); 3] =
    [("locked", Sharing::Locked), ("private", Sharing::Private), ("shared", Sharing::Shared)];

/// The keys a mount may have.
pub const KEYS: [&str; 19] = [
    "destination",
    "dst",
    "env",
    "from",
    "gid",
    "id",
    "mode",
    "readonly",
    "readwrite",
    "required",
    "ro",
    "rw",
    "sharing",
    "size",
    "source",
    "src",
    "target",
    "type",
    "uid",
];

/// One mount, values expanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mount {
    /// `type`.
    pub kind: Kind,
    /// `from`: a stage, image or context; empty for the build context.
    pub from: String,
    /// `source`.
    pub source: String,
    /// `target`.
    pub target: String,
    /// `readonly`.
    pub readonly: bool,
    /// `size` of a tmpfs in bytes, zero for no limit.
    pub size: i64,
    /// `id`.
    pub id: String,
    /// `sharing`.
    pub sharing: Sharing,
    /// `required`.
    pub required: bool,
    /// `env`: name of the variable that gets the secret.
    pub env: Option<String>,
    /// `mode`.
    pub mode: Option<u32>,
    /// `uid`.
    pub uid: Option<u32>,
    /// `gid`.
    pub gid: Option<u32>,
}

/// What can be told before variables are known: the list is well formed, `from` holds no variable.
///
/// # Errors
/// The list is not one, or `from` holds a variable.
pub fn check(word: &Word) -> Result<(), Diagnostic> {
    if !word.text.contains(['$', '"']) {
        return Ok(());
    }
    for field in fields(word)? {
        if let Some((key, value)) = field.split_once('=')
            && key.eq_ignore_ascii_case("from")
            && value.find('$').is_some_and(|at| at + 1 != value.len())
        {
            return Err(Diagnostic::error(word.span, "`from` of a mount cannot hold a variable")
                .hint("name a stage `FROM ${...} AS name` and use `from=name`"));
        }
    }
    Ok(())
}

/// The `from` of a mount before expansion; empty when it has none.
#[must_use]
pub fn from_of(word: &Word) -> String {
    let fields = fields(word).unwrap_or_default();
    let from =
        fields.iter().filter_map(|f| f.split_once('=')).rfind(|(key, _)| key.eq_ignore_ascii_case("from"));
    from.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// Reads a mount, expanding each value.
///
/// # Errors
/// A key that does not exist or does not fit the kind, a value that is wrong.
pub fn parse(
    word: &Word,
    mut expand: impl FnMut(&str) -> Result<String, Diagnostic>,
) -> Result<Mount, Diagnostic> {
    let mut mount = Mount::default();
    let mut readonly = None;
    let mut shared = None;
    for field in fields(word)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(expand(value)?)),
            None => (field.to_ascii_lowercase(), None),
        };
        let switch = |value: &Option<String>| match value {
            None => Ok(true),
            Some(text) => boolean(text).ok_or_else(|| bad_value(word.span, &key, text, "`true` or `false`")),
        };
        match key.as_str() {
            "readonly" | "ro" => readonly = Some(switch(&value)?),
            "readwrite" | "rw" => readonly = Some(!switch(&value)?),
            "required" => {
                fits(word.span, &mount, &key, &[Kind::Secret, Kind::Ssh])?;
                mount.required = switch(&value)?;
            }
            _ => {
                let Some(value) = value else {
                    return Err(if KEYS.contains(&key.as_str()) {
                        Diagnostic::error(word.span, format!("`{key}` of a mount has no value"))
                            .hint(format!("write `{key}=value`"))
                    } else {
                        unknown_key(word.span, &key)
                    });
                };
                set(word.span, &mut mount, &mut shared, &key, value)?;
            }
        }
    }
    validate(word.span, &mount, shared)?;
    mount.sharing = shared.unwrap_or_default();
    mount.readonly = readonly.unwrap_or(!matches!(mount.kind, Kind::Cache | Kind::Tmpfs));
    Ok(mount)
}

fn set(
    span: Span,
    mount: &mut Mount,
    shared: &mut Option<Sharing>,
    key: &str,
    value: String,
) -> Result<(), Diagnostic> {
    match key {
        "type" => mount.kind = choose(span, key, &value, &KINDS)?,
        "from" => mount.from = value,
        "source" | "src" => mount.source = value,
        "target" | "dst" | "destination" => mount.target = value,
        "size" => {
            fits(span, mount, key, &[Kind::Tmpfs])?;
            let size = size::parse(&value);
            mount.size = size.ok_or_else(|| bad_value(span, key, &value, "a size such as `64m`"))?;
        }
        "id" => mount.id = value,
        "sharing" => *shared = Some(choose(span, key, &value, &SHARINGS)?),
        "mode" => {
            let mode = u32::from_str_radix(&value, 8);
            mount.mode = Some(mode.map_err(|_| bad_value(span, key, &value, "octal digits"))?);
        }
        "uid" => mount.uid = Some(value.parse().map_err(|_| bad_value(span, key, &value, "a number"))?),
        "gid" => mount.gid = Some(value.parse().map_err(|_| bad_value(span, key, &value, "a number"))?),
        "env" => mount.env = Some(value),
        _ => return Err(unknown_key(span, key)),
    }
    Ok(())
}

fn validate(span: Span, mount: &Mount, shared: Option<Sharing>) -> Result<(), Diagnostic> {
    for (key, given) in [("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)] {
        if given.is_some() {
            fits(span, mount, key, &[Kind::Secret, Kind::Ssh, Kind::Cache])?;
        }
    }
    if mount.kind == Kind::Secret {
        if !mount.from.is_empty() {
            return Err(Diagnostic::error(span, "a secret mount cannot have `from`")
                .hint("secrets come from `--secret id=NAME`: write `--mount=type=secret,id=NAME`"));
        }
        if mount.source.is_empty() && mount.target.is_empty() && mount.id.is_empty() {
            return Err(Diagnostic::error(span, "a secret mount needs `id`, `source` or `target`")
                .hint("write `--mount=type=secret,id=NAME`"));
        }
        if !mount.source.is_empty() && !mount.id.is_empty() {
            return Err(Diagnostic::error(span, "a secret mount cannot have both `source` and `id`")
                .hint("`source` is another word for `id`: keep one"));
        }
    }
    if shared.is_some() {
        fits(span, mount, "sharing", &[Kind::Cache])?;
    }
    Ok(())
}

fn choose<T: Copy>(span: Span, key: &str, value: &str, table: &[(&'static str, T)]) -> Result<T, Diagnostic> {
    let lower = value.to_ascii_lowercase();
    table.iter().find(|(name, _)| *name == lower).map(|(_, item)| *item).ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        Diagnostic::error(span, format!("unknown `{key}={value}` of a mount"))
            .hint(format!("use one of: {}", names.join(", ")))
            .maybe_hint(suggest::hint(value, names))
    })
}

fn fits(span: Span, mount: &Mount, key: &str, kinds: &[Kind]) -> Result<(), Diagnostic> {
    if kinds.contains(&mount.kind) {
        return Ok(());
    }
    let name = |kind: &Kind| KINDS.iter().find(|(_, k)| k == kind).map_or("", |(name, _)| *name);
    let names: Vec<&str> = kinds.iter().map(name).collect();
    Err(Diagnostic::error(span, format!("`{key}` does not fit a mount of type `{}`", name(&mount.kind)))
        .hint(format!("it belongs to type {}, and `type` must stand before it", names.join(", "))))
}

fn bad_value(span: Span, key: &str, value: &str, expected: &str) -> Diagnostic {
    Diagnostic::error(span, format!("invalid `{key}={value}` of a mount: expected {expected}"))
        .hint(format!("write `{key}=VALUE` with {expected}, or leave it out"))
}

fn unknown_key(span: Span, key: &str) -> Diagnostic {
    Diagnostic::error(span, format!("unknown key `{key}` of a mount")).maybe_hint(suggest::hint(key, KEYS))
}

/// Go's `strconv.ParseBool`.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn fields(word: &Word) -> Result<Vec<String>, Diagnostic> {
    csv::record(&word.text).map_err(|error| {
        Diagnostic::error(word.span, format!("malformed list of mount options: {error}")).hint(csv::HINT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mount, String> {
        let word = Word { text: text.to_owned(), span: Span::default() };
        let expand = |value: &str| Ok(value.replace("$V", "value"));
        check(&word).and_then(|()| parse(&word, expand)).map_err(|d| d.message)
    }

    #[test]
    fn keys_in_any_order() {
        let mount = read("dst=/x,readwrite,source=a,from=base").unwrap();
        let expected =
            Mount { from: "base".into(), source: "a".into(), target: "/x".into(), ..Mount::default() };
        assert_eq!(mount, expected);
        let mount = read("type=cache,id=$V,target=/c,sharing=locked,uid=1,mode=0750").unwrap();
        assert_eq!((mount.id.as_str(), mount.sharing, mount.uid), ("value", Sharing::Locked, Some(1)));
        assert_eq!((mount.mode, mount.readonly), (Some(0o750), false));
        assert_eq!(read("type=tmpfs,target=/t,size=64m").unwrap().size, 64 << 20);
        assert!(read("target=/t").unwrap().readonly);
        assert_eq!(read("\"target=/a,b\"").unwrap().target, "/a,b");
        assert_eq!(read("\"source=a\"\"b,c\",target=/x").unwrap().source, "a\"b,c");
    }

    #[test]
    fn refusals() {
        let cases = [
            ("type=bnd", "unknown `type=bnd` of a mount"),
            ("targe=/x", "unknown key `targe` of a mount"),
            ("target", "`target` of a mount has no value"),
            ("from=$V", "`from` of a mount cannot hold a variable"),
            ("size=1", "`size` does not fit a mount of type `bind`"),
            ("mode=0644", "`mode` does not fit a mount of type `bind`"),
            ("type=secret", "a secret mount needs `id`, `source` or `target`"),
            ("type=secret,id=a,source=b", "a secret mount cannot have both `source` and `id`"),
            ("type=secret,id=a,from=b", "a secret mount cannot have `from`"),
            ("type=secret,id=a,sharing=locked", "`sharing` does not fit a mount of type `secret`"),
            ("type=cache,required=true", "`required` does not fit a mount of type `cache`"),
            ("type=cache,mode=9", "invalid `mode=9` of a mount: expected octal digits"),
            ("ro=maybe", "invalid `ro=maybe` of a mount: expected `true` or `false`"),
            ("a\"b", "malformed list of mount options: a double quote stands inside a field"),
            ("", "malformed list of mount options: it is empty"),
        ];
        for (text, message) in cases {
            assert_eq!(read(text), Err(message.to_owned()), "{text}");
        }
    }
}
