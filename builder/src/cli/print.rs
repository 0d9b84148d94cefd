//! `--print`: shows a stage of the build instead of going on.

use std::io::Write;

use platform_db::Platform;

use super::images::Lacking;
use crate::report::Report;
use xx_build_frontend::llb::{json, wire};
use xx_build_frontend::lower::{Lowered, plan};

/// What is shown, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Print {
    /// The graph as JSON.
    LlbJson,
    /// The graph as a serialised `pb.Definition`.
    LlbPb,
    /// What runs where, in words.
    Plan,
    /// The same as JSON.
    PlanJson,
}

impl Print {
    /// Reads `WHAT[,format=FORM]`.
    pub(super) fn parse(text: &str) -> Result<Self, Report> {
        match text {
            "llb" | "llb,format=json" => Ok(Self::LlbJson),
            "llb,format=pb" => Ok(Self::LlbPb),
            "plan" | "plan,format=text" => Ok(Self::Plan),
            "plan,format=json" => Ok(Self::PlanJson),
            other => Err(Report::new(format!("`--print={other}` is not known"))
                .hint("`llb`, `llb,format=pb`, `plan` or `plan,format=json`")),
        }
    }

    /// What it does about images that were not given: what runs where can be said without them, most of the time.
    pub(super) fn lacking(self) -> Lacking {
        match self {
            Self::LlbJson | Self::LlbPb => Lacking::Refuse,
            Self::Plan | Self::PlanJson => Lacking::StandIn,
        }
    }

    /// Writes it.
    pub(super) fn write(
        self,
        lowered: &Lowered,
        build_platform: &Platform,
        out: &mut dyn Write,
    ) -> Result<(), Report> {
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).map_err(Report::new);
        let text = match self {
            Self::LlbJson => pretty(&llb(lowered)?)? + "\n",
            Self::LlbPb => return out.write_all(&definition(lowered)?).map_err(Report::new),
            Self::Plan => plan::plan(lowered, build_platform).map_err(Report::new)?.to_string(),
            Self::PlanJson => {
                pretty(&plan::plan(lowered, build_platform).map_err(Report::new)?.to_json())? + "\n"
            }
        };
        out.write_all(text.as_bytes()).map_err(Report::new)
    }
}

/// One platform's graph alone, several by platform.
fn llb(lowered: &Lowered) -> Result<serde_json::Value, Report> {
    let graph = |definition| json::definition(definition).map_err(Report::new);
    if let [only] = &lowered.targets[..] {
        return graph(&only.definition);
    }
    let mut platforms = serde_json::Map::new();
    for target in &lowered.targets {
        platforms.insert(target.platform.to_string(), graph(&target.definition)?);
    }
    Ok(serde_json::Value::Object(platforms))
}

/// The one platform's graph; a definition has room for no more.
fn definition(lowered: &Lowered) -> Result<Vec<u8>, Report> {
    match &lowered.targets[..] {
        [only] => Ok(wire::encode_definition(&only.definition)),
        several => Err(Report::new(format!(
            "`--print=llb,format=pb` writes one graph, and there are {}",
            several.len()
        ))
        .hint("name one platform with `--platform`")),
    }
}

#[cfg(test)]
mod tests {
    use super::Print;

    #[test]
    fn forms_are_read() {
        let cases = [
            ("llb", Some(Print::LlbJson)),
            ("llb,format=json", Some(Print::LlbJson)),
            ("llb,format=pb", Some(Print::LlbPb)),
            ("plan", Some(Print::Plan)),
            ("plan,format=json", Some(Print::PlanJson)),
            ("plan,format=pb", None),
            ("graph", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Print::parse(text).ok(), expected, "{text}");
        }
    }
}
