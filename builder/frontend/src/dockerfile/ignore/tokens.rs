//! The parts of a pattern.

/// One of them.
#[derive(Debug, Clone)]
pub(super) enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Star,
    /// `**` before something: nothing, or (the next token) anything up to a `/`.
    Dirs,
    /// Inside the directories of `**`.
    InDirs,
    /// `**` at the end.
    Rest,
    /// `[a-z]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Splits a pattern into tokens; also tells whether it holds no special character but stars.
pub(super) fn tokens(text: &str) -> Result<(Vec<Token>, bool), &'static str> {
    let mut out = Vec::new();
    let mut literal = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                chars.next_if_eq(&'/');
                if chars.peek().is_none() {
                    out.push(Token::Rest);
                } else {
                    out.extend([Token::Dirs, Token::InDirs]);
                }
            }
            '*' => out.push(Token::Star),
            '?' => {
                literal = false;
                out.push(Token::One);
            }
            '[' => {
                literal = false;
                out.push(class(&mut chars)?);
            }
            '\\' => {
                literal = false;
                out.push(Token::Char(chars.next().ok_or("nothing behind the last `\\`")?));
            }
            c => out.push(Token::Char(c)),
        }
    }
    Ok((out, literal))
}

fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, &'static str> {
    const OPEN: &str = "`[` without `]`";
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    let one = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| match chars.next() {
        Some('\\') => chars.next().ok_or(OPEN),
        Some('-') => Err("`-` at the wrong place in brackets"),
        Some(c) => Ok(c),
        None => Err(OPEN),
    };
    loop {
        if chars.peek() == Some(&']') && !ranges.is_empty() {
            chars.next();
            return Ok(Token::Class { negated, ranges });
        }
        if chars.peek() == Some(&']') {
            return Err("empty brackets");
        }
        let low = one(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { one(chars)? } else { low };
        if high < low {
            return Err("a range in brackets ends before it begins");
        }
        ranges.push((low, high));
    }
}
