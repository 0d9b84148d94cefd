//! `xcrun`: the few questions that build systems ask of Apple's, answered for the SDK in `/xx-sdk`.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::tools::info::macos_sdk;

const USAGE: &str = "\
Usage: xcrun [--sdk NAME] [--show-sdk-path | --show-sdk-version | PROGRAM [ARGUMENT]...]

Only what builds for macOS with an SDK in /xx-sdk ask for.
";

/// Plans an answer, or running a program.
///
/// # Errors
/// When the SDK is not the one installed, or an option is unknown.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let path = macos_sdk(host);
    let version = path.trim_start_matches("/xx-sdk/MacOSX").trim_end_matches(".sdk").to_owned();
    let (mut show_path, mut show_version) = (false, false);
    let mut at = 0;
    while let Some(arg) = env.args.get(at).map(|arg| arg.to_string_lossy()) {
        at += 1;
        match arg.as_ref() {
            "-h" | "--help" => return Ok(Plan::new(vec![Step::Note(USAGE.to_owned())])),
            "--sdk" => {
                let name = env.args.get(at).map(|name| name.to_string_lossy().into_owned());
                let name =
                    name.ok_or_else(|| Failure::new("xcrun: error: argument to '--sdk' is missing"))?;
                if name != "macosx" && name != format!("macosx{version}") {
                    return Err(Failure::new(format!("sdk {name} not found"))
                        .hint(format!("installed: macosx{version}")));
                }
                at += 1;
            }
            "--show-sdk-path" => show_path = true,
            "--show-sdk-version" => show_version = true,
            "--" => break,
            option if option.starts_with('-') => {
                return Err(Failure::new(format!("option {option} not found or unimplemented")));
            }
            _ => {
                at -= 1;
                break;
            }
        }
    }
    if show_path {
        return Ok(Plan::line(path));
    }
    if show_version {
        return Ok(Plan::line(version));
    }
    match env.args.get(at) {
        Some(program) => {
            let rest = env.args.iter().skip(at + 1).cloned();
            Ok(Plan::new(vec![Step::Exec(CommandPlan::new(program).args(rest))]))
        }
        None => Err(Failure::new(USAGE)),
    }
}
