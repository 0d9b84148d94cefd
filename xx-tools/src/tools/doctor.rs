//! `xx doctor`: what is installed, what each target still lacks, and the package that brings it.
//!
//! Only looks; nothing is installed or set up.

mod checks;

use platform_db::Platform;

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::clang;

/// Targets looked at when neither arguments nor the environment name one.
const USUAL: &[&str] = &["linux/amd64", "linux/arm64", "linux/arm/v7"];

pub(crate) const USAGE: &str = "\
Usage: xx doctor [PLATFORM]...

Says what is installed, and what each platform still lacks to be built for, with what to type. Without a platform: the
one that TARGETPLATFORM names, or the usual ones.
";

/// Plans the report; exit code 1 when a target lacks something.
///
/// # Errors
/// When an argument is no platform.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    if env.args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return Ok(Plan::new(vec![Step::Print(USAGE.to_owned())]));
    }
    let mut text = tools(host);
    let named: Vec<String> = env.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let has_target = env.is_set("TARGETPLATFORM") || env.is_set("TARGETPAIR") || env.is_set("TARGETARCH");
    let targets: Vec<Env> = match (named.is_empty(), has_target) {
        (true, true) => vec![env.clone()],
        (true, false) => USUAL.iter().map(|platform| of(&env, platform)).collect(),
        (false, _) => {
            for platform in &named {
                platform.parse::<Platform>()?;
            }
            named.iter().map(|platform| of(&env, platform)).collect()
        }
    };
    let mut complete = true;
    for env in targets {
        let target = Target::read(&env, host);
        let name = target.platform.as_ref().map_or_else(|| target.os.clone(), ToString::to_string);
        let lacks = checks::all(&env, host, &target);
        let is_ready = lacks.iter().all(|lack| lack.is_extra);
        complete &= is_ready;
        text.push_str(&format!("\n{name}: {}\n", if is_ready { "ready" } else { "lacks" }));
        text.extend(lacks.iter().map(|lack| {
            let extra = if lack.is_extra { "optional, " } else { "" };
            format!("  {}: {extra}{}\n    {}\n", lack.part, lack.what, lack.remedy)
        }));
    }
    let plan = Plan::new(vec![Step::Print(text)]);
    Ok(if complete { plan } else { plan.then(Step::Exit(1)) })
}

fn of(env: &Env, platform: &str) -> Env {
    env.clone().native().with("TARGETPLATFORM", platform)
}

fn tools(host: &dyn Host) -> String {
    let line = |name: &str| {
        let path = match name {
            "clang" => clang::find(host, name).ok(),
            name => host.program(name),
        };
        format!("{name:<12} {}\n", path.map_or_else(|| "-".to_owned(), |path| path.display().to_string()))
    };
    ["clang", "lld", "llvm-ar", "gcc", "zig", "go", "cargo", "rustup", "pkg-config", "cmake"]
        .map(line)
        .concat()
}
