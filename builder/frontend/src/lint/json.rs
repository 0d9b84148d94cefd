//! A report as JSON, in the schema of BuildKit's subrequest `frontend.lint`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::{RULES, Report};
use crate::dockerfile::Diagnostic;
use crate::source_text::SourceText;

/// Where the pages of the rules are.
pub const PAGES: &str = "docs/checks/";

/// Renders warnings, and the error that stopped the reading, when there is one.
#[must_use]
pub fn report(source: &SourceText, report: &Report, error: Option<&Diagnostic>) -> Value {
    let ranges = |d: &Diagnostic| {
        let at = |offset: usize| json!({ "line": source.line(offset) });
        json!({ "ranges": [{ "start": at(d.span.start), "end": at(d.span.end.saturating_sub(1).max(d.span.start)) }] })
    };
    let warnings: Vec<Value> = report
        .warnings
        .iter()
        .map(|warning| {
            let rule = RULES.iter().find(|r| Some(r.name) == warning.code);
            json!({
                "ruleName": warning.code,
                "description": rule.map(|r| r.why),
                "url": rule.map(|r| format!("{PAGES}{}.md", r.page)),
                "detail": warning.message,
                "location": ranges(warning),
            })
        })
        .collect();
    let mut out = json!({
        "warnings": warnings,
        "sources": [{
            "filename": source.name(),
            "language": "Dockerfile",
            "data": BASE64_STANDARD.encode(source.text().as_bytes()),
        }],
    });
    if let (Some(error), Some(map)) = (error, out.as_object_mut()) {
        map.insert("buildError".to_owned(), json!({ "message": error.message, "location": ranges(error) }));
    }
    out
}
