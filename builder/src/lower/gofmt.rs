//! Texts as Go's `fmt` writes them, because image histories hold them.

use crate::dockerfile::sexpr::escape;
pub(super) use crate::dockerfile::sexpr::quote;

/// `%q` of an integer: a character.
pub(super) fn quote_rune(number: i64) -> String {
    let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut out = String::from('\'');
    escape(&mut out, c, '\'');
    out.push('\'');
    out
}

/// `%q` of a list of strings.
pub(super) fn quote_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|t| quote(t)).collect();
    format!("[{}]", quoted.join(" "))
}

/// `%v` of a list of strings.
pub(super) fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    format!("[{}]", texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_quotes() {
        assert_eq!(quote("a\"b\\c\n\u{1}ä"), "\"a\\\"b\\\\c\\n\\x01ä\"");
        assert_eq!((quote_rune(3), quote_rune(39)), ("'\\x03'".to_owned(), "'\\''".to_owned()));
        assert_eq!(quote_list(&["a".into(), "b c".into()]), "[\"a\" \"b c\"]");
        assert_eq!(list(&["a", "b"]), "[a b]");
    }
}
