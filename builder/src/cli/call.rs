//! `--call`: says something about the Dockerfile instead of building it, without reading any image.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use super::Environment;
use super::checks;
use super::table;
use crate::progress::terminal;
use crate::report::Report;
use xx_build_frontend::dockerfile::{Diagnostic, Dockerfile, csv};
use xx_build_frontend::lint::{self, check};
use xx_build_frontend::lower::{BuildConfig, LowerError, outline, problems};
use xx_build_frontend::source_text::SourceText;

/// What is asked, and in which form it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    method: Method,
    json: bool,
    /// Findings of a check are no error.
    ignore_status: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Build,
    Check,
    Outline,
    Targets,
}

impl Call {
    /// Reads `METHOD[,format=json][,ignorestatus=true]`.
    pub(super) fn parse(text: &str) -> Result<Self, Report> {
        let fields = csv::record(text)
            .map_err(|error| Report::new(format!("`--call={text}`: {error}")).hint(csv::HINT))?;
        let mut fields = fields.iter().map(String::as_str);
        let method = match fields.next().unwrap_or_default() {
            "build" => Method::Build,
            "check" | "lint" => Method::Check,
            "outline" => Method::Outline,
            "targets" => Method::Targets,
            other => {
                return Err(Report::new(format!("`--call={other}` is not known"))
                    .hint("`build`, `check`, `outline` or `targets`"));
            }
        };
        let mut call = Self { method, json: false, ignore_status: false };
        for field in fields {
            match field {
                "format=text" => call.json = false,
                "format=json" => call.json = true,
                "ignorestatus" | "ignorestatus=true" => call.ignore_status = true,
                "ignorestatus=false" => call.ignore_status = false,
                other => {
                    return Err(Report::new(format!("`--call`: `{other}` is not known"))
                        .hint("`format=json`, `format=text` or `ignorestatus=true`"));
                }
            }
        }
        Ok(call)
    }

    /// Whether the Dockerfile is to be built.
    pub(super) fn is_build(self) -> bool {
        self.method == Method::Build
    }

    /// Shows errors of a file that cannot be read: a check in JSON has a place for the first of them.
    pub(super) fn refuse(self, problems: &[Diagnostic], source: &SourceText, colour: bool) -> Report {
        let nothing = lint::Report { warnings: Vec::new(), failed: BTreeSet::new() };
        if let (Method::Check, true, Some(first)) = (self.method, self.json, problems.first()) {
            let answer = lint::json::report(source, &nothing, Some(first));
            let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
            if let Err(error) = writeln!(terminal::stdout(), "{text}") {
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
        let mut out = terminal::stdout();
        let mut print = |text: &str| write!(out, "{text}").map_err(Report::new);
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).map_err(Report::new);
        match self.method {
            Method::Build => Ok(()),
            Method::Targets => {
                let answer = outline::targets(file);
                print(&if self.json { pretty(&answer)? + "\n" } else { table::targets(&answer) })
            }
            Method::Outline => match outline::outline(file, config) {
                Ok(answer) => {
                    print(&if self.json { pretty(&answer)? + "\n" } else { table::outline(&answer) })
                }
                Err(LowerError::Invalid(problem)) => {
                    Err(Report::diagnostics(&[*problem], source, environment.colour()))
                }
                Err(error @ LowerError::MissingImages(_)) => Err(Report::new(error)),
            },
            Method::Check => {
                let found = check(file, &checks::context(config, BTreeMap::new()))
                    .map_err(|error| checks::invalid(&error, source, environment.colour()))?;
                let problems = problems(file, config);
                if self.json {
                    print(
                        &(pretty(&lint::json::report(source, &found, problems.first()))?
                            + "
"),
                    )?;
                } else {
                    for warning in &found.warnings {
                        print(&(warning.render(source, false) + "\n"))?;
                    }
                    if found.warnings.is_empty() && problems.is_empty() {
                        print("Check complete, no warnings found.\n")?;
                    }
                }
                if !problems.is_empty() {
                    return Err(Report::diagnostics(&problems, source, environment.colour()));
                }
                match found.warnings.len() {
                    0 => Ok(()),
                    _ if self.ignore_status => Ok(()),
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
            ("build", Some((Method::Build, false, false))),
            ("check", Some((Method::Check, false, false))),
            ("check,format=json", Some((Method::Check, true, false))),
            ("lint,format=json,ignorestatus=true", Some((Method::Check, true, true))),
            ("outline", Some((Method::Outline, false, false))),
            ("targets", Some((Method::Targets, false, false))),
            ("check,\"format=json\"", Some((Method::Check, true, false))),
            ("nosuch", None),
            ("check,format=\"json\"", None),
            ("check,format=xml", None),
            ("check,ignorestatus=maybe", None),
        ];
        for (text, expected) in cases {
            let read = Call::parse(text).ok().map(|call| (call.method, call.json, call.ignore_status));
            assert_eq!(read, expected, "{text}");
        }
    }
}
