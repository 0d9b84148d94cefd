//! `--call`: says something about the Dockerfile instead of building it, without reading any image.

use std::collections::BTreeMap;
use std::io::Write;

use super::Environment;
use super::checks;
use crate::dockerfile::{Diagnostic, Dockerfile};
use crate::lint::{self, check};
use crate::lower::{BuildConfig, LowerError, outline};
use crate::report::Report;
use crate::source_text::SourceText;

/// What is asked, and in which form it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    method: Method,
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Build,
    Check,
    Outline,
    Targets,
}

impl Call {
    /// Reads `METHOD[,format=json]`.
    pub(super) fn parse(text: &str) -> Result<Self, Report> {
        let (method, format) = text.split_once(',').unwrap_or((text, "format=text"));
        let method = match method {
            "build" => Method::Build,
            "check" | "lint" => Method::Check,
            "outline" => Method::Outline,
            "targets" => Method::Targets,
            other => {
                return Err(Report::new(format!("`--call={other}` is not known"))
                    .hint("`build`, `check`, `outline` or `targets`"));
            }
        };
        match format {
            "format=text" => Ok(Self { method, json: false }),
            "format=json" => Ok(Self { method, json: true }),
            other => Err(Report::new(format!("`--call`: `{other}` is not known"))
                .hint("`format=json` or `format=text`")),
        }
    }

    /// Whether the Dockerfile is to be built.
    pub(super) fn is_build(self) -> bool {
        self.method == Method::Build
    }

    /// Shows errors of a file that cannot be read: a check in JSON has a place for the first of them.
    pub(super) fn refuse(self, problems: &[Diagnostic], source: &SourceText, colour: bool) -> Report {
        let nothing = lint::Report { warnings: Vec::new(), failed: true };
        if let (Method::Check, true, Some(first)) = (self.method, self.json, problems.first()) {
            let answer = lint::json::report(source, &nothing, Some(first));
            let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
            if let Err(error) = writeln!(std::io::stdout(), "{text}") {
                return Report::new(error);
            }
        }
        Report::diagnostics(problems, source, colour)
    }

    /// Answers on standard output; findings of a check are an error.
    pub(super) fn answer(
        self,
        file: &Dockerfile,
        config: &BuildConfig,
        environment: &Environment,
    ) -> Result<(), Report> {
        let source = &file.source;
        let mut out = std::io::stdout().lock();
        let mut print = |text: &str| writeln!(out, "{text}").map_err(Report::new);
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).map_err(Report::new);
        match self.method {
            Method::Build => Ok(()),
            Method::Targets => print(&pretty(&outline::targets(file))?),
            Method::Outline => match outline::outline(file, config) {
                Ok(value) => print(&pretty(&value)?),
                Err(LowerError::Invalid(problem)) => {
                    Err(Report::diagnostics(&[*problem], source, environment.colour()))
                }
                Err(error @ LowerError::MissingImages(_)) => Err(Report::new(error)),
            },
            Method::Check => {
                let found = check(file, &checks::context(config, BTreeMap::new()))
                    .map_err(|error| checks::invalid(&error, source, environment.colour()))?;
                if self.json {
                    print(&pretty(&lint::json::report(source, &found, None))?)?;
                } else {
                    for warning in &found.warnings {
                        print(&warning.render(source, false))?;
                    }
                }
                match found.warnings.len() {
                    0 => Ok(()),
                    1 => Err(Report::new("the check found 1 problem")),
                    count => Err(Report::new(format!("the check found {count} problems"))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Method};

    #[test]
    fn calls_are_read() {
        let cases = [
            ("build", Some((Method::Build, false))),
            ("check", Some((Method::Check, false))),
            ("check,format=json", Some((Method::Check, true))),
            ("outline", Some((Method::Outline, false))),
            ("targets", Some((Method::Targets, false))),
            ("nosuch", None),
            ("check,format=xml", None),
        ];
        for (text, expected) in cases {
            let read = Call::parse(text).ok().map(|call| (call.method, call.json));
            assert_eq!(read, expected, "{text}");
        }
    }
}
