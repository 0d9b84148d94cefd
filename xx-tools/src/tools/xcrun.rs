//! `xcrun`: the few questions that build systems ask of Apple's, answered for the SDK in `/xx-sdk`.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::tools::info::macos_sdk;

const MACOSX: &str = "macosx";
/// The original answers to this name whatever the SDK is.
const ALWAYS_KNOWN: &str = "macosx11.1";
const USAGE: &str = "\
Usage: xcrun [--sdk NAME] [--show-sdk-path | --show-sdk-version | --find PROGRAM | PROGRAM [ARGUMENT]...]

Only what builds for macOS with an SDK in /xx-sdk ask for.
";

/// Plans an answer, or running a program.
///
/// # Errors
/// When the SDK is not the one installed, or an option is unknown.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let path = macos_sdk(host);
    let version = path.trim_start_matches("/xx-sdk/MacOSX").trim_end_matches(".sdk").to_owned();
    let (mut show_path, mut show_version, mut find) = (false, false, false);
    let mut notes = Vec::new();
    let mut at = 0;
    while let Some(arg) = env.args.get(at).map(|arg| arg.to_string_lossy()) {
        at += 1;
        match arg.as_ref() {
            "-h" | "--help" => return Ok(Plan::new(vec![Step::Note(USAGE.to_owned())])),
            "--sdk" => {
                let name = env.args.get(at).map(|name| name.to_string_lossy().into_owned());
                let name =
                    name.ok_or_else(|| Failure::new("xcrun: error: argument to '--sdk' is missing"))?;
                if ![MACOSX, ALWAYS_KNOWN].contains(&name.as_str()) && name != format!("{MACOSX}{version}") {
                    return Err(Failure::new(format!("sdk {name} not found"))
                        .hint(format!("installed: macosx{version}")));
                }
                at += 1;
            }
            "--show-sdk-path" => show_path = true,
            "--show-sdk-version" => show_version = true,
            "--" => break,
            "-f" | "--find" => find = true,
            // As the original does it: builds that pass more than it knows go on.
            option if option.starts_with('-') => {
                notes.push(Step::Note(format!("option {option} not found or unimplemented")));
            }
            _ => {
                at -= 1;
                break;
            }
        }
    }
    let program = env.args.get(at);
    let last = match program {
        _ if show_path => Step::Print(format!("{path}\n")),
        _ if show_version => Step::Print(format!("{version}\n")),
        Some(program) if find => found(host, &program.to_string_lossy())?,
        Some(program) => Step::Exec(CommandPlan::new(program).args(env.args.iter().skip(at + 1).cloned())),
        None => return Err(Failure::new(USAGE)),
    };
    Ok(Plan::new(notes).then(last))
}

/// Answers `--find`: where a program is, LLVM's in place of Apple's.
fn found(host: &dyn Host, name: &str) -> Result<Step, Failure> {
    let path = host.program(name).or_else(|| host.program(&format!("llvm-{}", name.replace('_', "-"))));
    let path = path.ok_or_else(|| {
        Failure::new(format!("xcrun: error: unable to find utility \"{name}\""))
            .hint("install the package that brings it: `clang` or `llvm`")
    })?;
    Ok(Step::Print(format!("{}\n", path.display())))
}
