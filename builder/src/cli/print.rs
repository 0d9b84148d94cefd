//! `--print`: shows a stage of the build instead of going on.

use crate::llb::json;
use crate::lower::Lowered;
use crate::report::Report;

/// The graph as JSON: one platform's alone, several by platform.
pub(super) fn llb(lowered: &Lowered) -> Result<String, Report> {
    let graph = |definition| json::definition(definition).map_err(Report::new);
    let value = match &lowered.targets[..] {
        [only] => graph(&only.definition)?,
        several => {
            let mut platforms = serde_json::Map::new();
            for target in several {
                platforms.insert(target.platform.to_string(), graph(&target.definition)?);
            }
            serde_json::Value::Object(platforms)
        }
    };
    serde_json::to_string_pretty(&value).map_err(Report::new)
}
