//! Which tool a call means: by its own name, or as a subcommand of `xx`.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::tools;

/// Plans a call of one tool.
type PlanFn = fn(Env, &dyn Host) -> Result<Plan, Failure>;

/// A tool under its full name, with what it is for.
struct Tool {
    name: &'static str,
    what: &'static str,
    plan: PlanFn,
}

/// All tools, sorted by name.
const TOOLS: &[Tool] =
    &[Tool { name: "xx-info", what: "name the target in any tool's spelling", plan: tools::info::plan }];

/// Plans the call.
///
/// # Errors
/// When no tool has the name, or the tool cannot plan.
pub fn plan(mut env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    if let Some(tool) = find(&env.name) {
        return (tool.plan)(env, host);
    }
    let Some(word) = env.args.first().map(|word| word.to_string_lossy().into_owned()) else {
        return Err(Failure::new(list()).code(2));
    };
    if matches!(word.as_str(), "--help" | "-h" | "help") {
        return Ok(Plan::new(vec![Step::Print(list())]));
    }
    if matches!(word.as_str(), "--version" | "-V") {
        return Ok(Plan::line(format_args!("xx {}", env!("CARGO_PKG_VERSION"))));
    }
    let full = if word.starts_with("xx-") { word.clone() } else { format!("xx-{word}") };
    match find(&full) {
        Some(tool) => {
            env.args.remove(0);
            full.clone_into(&mut env.name);
            (tool.plan)(env, host)
        }
        None => Err(Failure::new(format!("no tool `{word}`")).hint("`xx --help` lists the tools").code(2)),
    }
}

fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.binary_search_by_key(&name, |tool| tool.name).ok().and_then(|at| TOOLS.get(at))
}

fn list() -> String {
    let mut text =
        "Usage: xx TOOL [ARGUMENT]...\n\nEach tool also answers to its full name, such as xx-info.\n\n"
            .to_owned();
    for tool in TOOLS {
        let short = tool.name.strip_prefix("xx-").unwrap_or(tool.name);
        text.push_str(&format!("   {short:<12} {}\n", tool.what));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::TOOLS;

    #[test]
    fn tools_are_sorted() {
        assert!(TOOLS.is_sorted_by(|a, b| a.name < b.name));
    }
}
