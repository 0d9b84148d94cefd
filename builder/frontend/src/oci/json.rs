//! The JSON dialect of the Go tools that write these documents.

use serde::{Deserialize, Deserializer, Serialize};

/// Reads a field that other writers give as `null` when it is empty.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Writes compact JSON as Go's `encoding/json` does: `<`, `>`, `&` and the two Unicode line separators, which can only
/// stand inside strings, become `\u` escapes. The same document then has the same digest whoever wrote it.
pub(crate) fn to_go_json<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let plain = serde_json::to_string(value)?;
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    Ok(out.into_bytes())
}
