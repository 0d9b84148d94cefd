//! Texts as Go's `fmt` writes them, because image histories hold them.

pub(super) use crate::dockerfile::sexpr::quote;

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
        assert_eq!(quote_list(&["a".into(), "b c".into()]), "[\"a\" \"b c\"]");
        assert_eq!(list(&["a", "b"]), "[a b]");
    }
}
