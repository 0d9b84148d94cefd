//! Answers of `--call` as tables for people, in buildx's form.

use serde_json::Value;

/// Lines whose cells stand in columns, `padding` spaces apart; the last cell of a line ends it.
fn columns(rows: &[Vec<String>], padding: usize) -> String {
    let mut widths: Vec<usize> = vec![];
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let length = cell.chars().count();
            match widths.get_mut(index) {
                Some(width) => *width = length.max(*width),
                None => widths.push(length),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let last = row.len().saturating_sub(1);
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(cell);
            if index < last {
                let filled = width + padding;
                text.extend(std::iter::repeat_n(' ', filled.saturating_sub(cell.chars().count())));
            }
        }
        text.push('\n');
    }
    text
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is_set(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// The answer of `--call=targets`.
pub(super) fn targets(answer: &Value) -> String {
    let mut rows = vec![row(&["TARGET", "DESCRIPTION"])];
    for target in entries(answer, "targets") {
        let name = match (field(target, "name"), is_set(target, "default")) {
            ("", true) => "(default)".to_owned(),
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        rows.push(row(&[&name, field(target, "description")]));
    }
    columns(&rows, 1)
}

/// The answer of `--call=outline`.
pub(super) fn outline(answer: &Value) -> String {
    let mut text = String::new();
    let (name, about) = (field(answer, "name"), field(answer, "description"));
    if !name.is_empty() || !about.is_empty() {
        let mut rows = vec![row(&["TARGET:", if name.is_empty() { "(default)" } else { name }])];
        if !about.is_empty() {
            rows.push(row(&["DESCRIPTION:", about]));
        }
        text.push_str(&columns(&rows, 1));
        text.push('\n');
    }
    let mut table = |title: &[&str], entries: &[Value], cells: &dyn Fn(&Value) -> Vec<String>| {
        if !entries.is_empty() {
            let rows: Vec<_> = std::iter::once(row(title)).chain(entries.iter().map(cells)).collect();
            text.push_str(&columns(&rows, 3));
            text.push('\n');
        }
    };
    table(&["BUILD ARG", "VALUE", "DESCRIPTION"], entries(answer, "args"), &|arg| {
        row(&[field(arg, "name"), field(arg, "value"), field(arg, "description")])
    });
    let required =
        |entry: &Value| row(&[field(entry, "name"), if is_set(entry, "required") { "true" } else { "" }]);
    table(&["SECRET", "REQUIRED"], entries(answer, "secrets"), &required);
    table(&["SSH", "REQUIRED"], entries(answer, "ssh"), &required);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The texts are buildx's for the same answers.
    #[test]
    fn tables_are_buildx_s() {
        let answer = json!({ "targets": [
            { "name": "tools", "description": "compilers" },
            { "name": "b" },
            { "name": "build", "default": true, "description": "the program" },
        ] });
        let expected = "TARGET          DESCRIPTION\ntools           compilers\nb               \n\
                        build (default) the program\n";
        assert_eq!(targets(&answer), expected);
        assert_eq!(
            targets(&json!({ "targets": [{ "default": true }] })),
            "TARGET    DESCRIPTION\n(default) \n"
        );

        let answer = json!({
            "name": "build",
            "description": "the program",
            "args": [{ "name": "TAG", "value": "1", "description": "version" }, { "name": "MODE" }],
            "secrets": [{ "name": "token", "required": true }, { "name": "k" }],
            "ssh": [{ "name": "default" }],
        });
        let expected = "TARGET:      build\nDESCRIPTION: the program\n\n\
                        BUILD ARG   VALUE   DESCRIPTION\nTAG         1       version\nMODE                \n\n\
                        SECRET   REQUIRED\ntoken    true\nk        \n\n\
                        SSH       REQUIRED\ndefault   \n\n";
        assert_eq!(outline(&answer), expected);
        assert_eq!(outline(&json!({})), "");
    }
}
