//! Expansion, case by case. `PWD` is `/home`, `SHELL` is `bash`, `E` is empty, `한글` is 20, `AZ` is `Alpha.Beta.Alpha`.

use super::*;

fn variables() -> BTreeMap<String, String> {
    [("PWD", "/home"), ("SHELL", "bash"), ("E", ""), ("한글", "20"), ("AZ", "Alpha.Beta.Alpha"), ("S", "a b")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
}

#[test]
fn words() {
    let cases = [
        ("hello", "hello"),
        ("\u{feff}a\u{feff}", "a\u{feff}"),
        ("he'll'o", "hello"),
        ("he'llo", "!unclosed quote '"),
        ("he\\'llo", "he'llo"),
        ("he\\\\'llo'", "he\\llo"),
        ("'abc\\'", "abc\\"),
        ("\"a\\\"b\"", "a\"b"),
        ("\"a\\xb\"", "a\\xb"),
        ("\"a\\$PWD\"", "a$PWD"),
        ("a\\", "a"),
        ("$", "$"),
        ("a$", "a$"),
        ("$PWD/x", "/home/x"),
        ("'$PWD'", "$PWD"),
        ("\"$PWD\"", "/home"),
        ("\\$PWD", "$PWD"),
        ("$한글", "20"),
        ("${한글}x", "20x"),
        ("$1x", "x"),
        ("$$", ""),
        ("${PWD", "!missing `}` after `${`"),
        ("${}", "!`${` must be followed by a variable name"),
        ("${:x}", "!`${` must be followed by a variable name"),
        ("${{x}", "!`${` must be followed by a variable name"),
        ("${PWD!x}", "!unsupported operator `!` in `${PWD!`"),
        ("${PWD:#x}", "!unsupported operator `:#` in `${PWD:#`"),
        ("${X:-d}", "d"),
        ("${X-d}", "d"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${PWD:-d}", "/home"),
        ("${X:-${SHELL}}", "bash"),
        ("${X:-'a b'}", "a b"),
        ("${X:-a\\}b}", "a}b"),
        ("${X:+d}", ""),
        ("${PWD:+d}", "d"),
        ("${E:+d}", ""),
        ("${E+d}", "d"),
        ("${X:?need X}", "!X: need X"),
        ("${X?}", "!X: must be set"),
        ("${E:?}", "!E: must not be empty"),
        ("${E?}", ""),
        ("${PWD:?x}", "/home"),
        ("${AZ#Al}", "pha.Beta.Alpha"),
        ("${AZ#*.}", "Beta.Alpha"),
        ("${AZ##*.}", "Alpha"),
        ("${AZ%.*}", "Alpha.Beta"),
        ("${AZ%%.*}", "Alpha"),
        ("${AZ%pha}", "Alpha.Beta.Al"),
        ("${AZ#?}", "lpha.Beta.Alpha"),
        ("${AZ%x}", "Alpha.Beta.Alpha"),
        ("${AZ#\\*}", "Alpha.Beta.Alpha"),
        ("${AZ#\\q}", "!invalid escape `\\q` in a pattern: only `*`, `?`, `\\`, `/` and `}` can be escaped"),
        ("${AZ/Alpha/x}", "x.Beta.Alpha"),
        ("${AZ//Alpha/x}", "x.Beta.x"),
        ("${AZ/e*a/x}", "Alpha.Bx"),
        ("${AZ//./\\/}", "Alpha\\/Beta\\/Alpha"),
        ("${PWD/\\//x}", "xhome"),
        ("${AZ//?/-}", "----------------"),
        ("${AZ/zz/x}", "Alpha.Beta.Alpha"),
        ("${AZ/x}", "!missing `/` before the replacement in `${AZ/`"),
        ("${NONE/a/b}", ""),
        ("a<b", "a<b"),
        ("<< EOF", "<< EOF"),
    ];
    for (word, expected) in cases {
        let actual = match expand(word, &variables(), Rules::new('\\')) {
            Ok(expanded) => expanded.text,
            Err(error) => format!("!{error}"),
        };
        assert_eq!(actual, expected, "{word}");
    }
}

#[test]
fn split_words() {
    let cases: [(&str, &[&str]); 8] = [
        ("a b", &["a", "b"]),
        (" a  b ", &["a", "b"]),
        ("'a b' c", &["a b", "c"]),
        ("a\\ b", &["a b"]),
        ("$S", &["a", "b"]),
        ("\"$S\"", &["a b"]),
        ("x$S", &["xa", "b"]),
        ("", &[]),
    ];
    for (word, expected) in cases {
        assert_eq!(expand(word, &variables(), Rules::new('\\')).unwrap().words, expected, "{word}");
    }
}

#[test]
fn rules_change_the_reading() {
    let raw = Rules { raw_quotes: true, keep_unset: true, ..Rules::new('\\') };
    let cases = [
        ("'a' \"$PWD\" $NO ${NO} ${NO:-x}", "'a' \"/home\" $NO ${NO} ${NO:-x}"),
        ("${NO#x} ${NO/a/b}", "${NO#x} ${NO/a/b}"),
    ];
    for (word, expected) in cases {
        assert_eq!(expand(word, &variables(), raw).unwrap().text, expected);
    }
    let file = Rules { no_quotes: true, ..Rules::new('\\') };
    assert_eq!(expand("it's $PWD \"x\"", &variables(), file).unwrap().text, "it's /home \"x\"");
    let backtick = Rules::new('`');
    assert_eq!(expand("c:\\x`$PWD", &variables(), backtick).unwrap().text, "c:\\x$PWD");
}

#[test]
fn names_are_reported() {
    let expanded = expand("$PWD ${X:-$Y} ${SHELL+z}", &variables(), Rules::new('\\')).unwrap();
    assert_eq!(expanded.used.iter().map(String::as_str).collect::<Vec<_>>(), ["PWD", "SHELL"]);
    assert_eq!(expanded.missing.iter().map(String::as_str).collect::<Vec<_>>(), ["X", "Y"]);
}

#[test]
fn nesting_is_bounded() {
    let word = "${a:-".repeat(100_000);
    assert!(expand(&word, &variables(), Rules::new('\\')).is_err());
}
