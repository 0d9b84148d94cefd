//! Lists between commas, as options of the command line and mounts write them: one record of CSV (RFC 4180).
//!
//! The rules are those of Go's `encoding/csv`, which buildx and BuildKit read these lists with: a field in double
//! quotes holds commas, and quotes doubled; a quote elsewhere is an error. Spaces stay.

/// Why a text is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// A quote in a field that does not begin with one.
    #[error("a double quote stands inside a field")]
    Bare,
    /// A field in quotes has no end, or goes on behind it.
    #[error("a field in double quotes does not end before a comma")]
    Open,
}

/// What to write instead.
pub const HINT: &str =
    "put the quotes around the whole field, as in `\"key=a,b\"`, and double a quote inside";

/// Splits a record into its fields.
///
/// # Errors
/// Quotes that do not enclose a whole field, or an empty text.
pub fn record(text: &str) -> Result<Vec<String>, CsvError> {
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(CsvError::Empty);
    }
    let mut fields = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (field, after) = match text.strip_prefix('"') {
            Some(quoted) => enclosed(quoted)?,
            None => bare(text)?,
        };
        fields.push(field);
        rest = after;
    }
    Ok(fields)
}

/// A field up to the next comma, and what follows that.
fn bare(text: &str) -> Result<(String, Option<&str>), CsvError> {
    let (field, after) = text.split_once(',').map_or((text, None), |(field, after)| (field, Some(after)));
    if field.contains('"') { Err(CsvError::Bare) } else { Ok((field.to_owned(), after)) }
}

/// The rest of a field that began with a quote, and what follows the comma behind it.
fn enclosed(mut text: &str) -> Result<(String, Option<&str>), CsvError> {
    let mut field = String::new();
    loop {
        let (part, after) = text.split_once('"').ok_or(CsvError::Open)?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                text = more;
            }
            None if after.is_empty() => return Ok((field, None)),
            None => return Ok((field, Some(after.strip_prefix(',').ok_or(CsvError::Open)?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let cases: [(&str, Result<&[&str], CsvError>); 18] = [
            ("a", Ok(&["a"])),
            ("a=b,c=d", Ok(&["a=b", "c=d"])),
            ("\"a=b,c\",d", Ok(&["a=b,c", "d"])),
            ("d,\"a=b,c\"", Ok(&["d", "a=b,c"])),
            ("\"a=\"\"b\"\"\"", Ok(&["a=\"b\""])),
            ("\"\",a", Ok(&["", "a"])),
            ("a,,b,", Ok(&["a", "", "b", ""])),
            (",", Ok(&["", ""])),
            (" a , b ", Ok(&[" a ", " b "])),
            ("\"a\nb\",c", Ok(&["a\nb", "c"])),
            ("a,b\n", Ok(&["a", "b"])),
            ("a,b\r\n", Ok(&["a", "b"])),
            ("", Err(CsvError::Empty)),
            ("\n", Err(CsvError::Empty)),
            ("a=\"b,c\"", Err(CsvError::Bare)),
            ("\"a", Err(CsvError::Open)),
            ("\"a\"b", Err(CsvError::Open)),
            ("\"a\" ,b", Err(CsvError::Open)),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|fields| fields.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(record(text), expected, "{text:?}");
        }
    }
}
