//! `xx doctor`: what is installed, what each target still lacks, and the package that brings it.
//!
//! Only looks; nothing is installed or set up.

use std::path::Path;

use platform_db::Platform;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::clang;
use crate::toolchain::layout::Layout;
use crate::toolchain::linker;
use crate::toolchain::setup::has_start_files;

/// Targets looked at when neither arguments nor the environment name one.
const USUAL: &[&str] = &["linux/amd64", "linux/arm64", "linux/arm/v7"];

/// Plans the report; exit code 1 when a target lacks something.
///
/// # Errors
/// When an argument is no platform.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let mut text = tools(host);
    let named: Vec<String> = env.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let has_target = env.is_set("TARGETPLATFORM") || env.is_set("TARGETPAIR") || env.is_set("TARGETARCH");
    let targets: Vec<Env> = match (named.is_empty(), has_target) {
        (true, true) => vec![env.clone()],
        (true, false) => USUAL.iter().map(|platform| of(&env, platform)).collect(),
        (false, _) => {
            for platform in &named {
                platform.parse::<Platform>().map_err(|error| Failure::new(error.to_string()))?;
            }
            named.iter().map(|platform| of(&env, platform)).collect()
        }
    };
    let mut complete = true;
    for env in targets {
        let target = Target::read(&env, host);
        let name = target.platform.as_ref().map_or_else(|| target.os.clone(), ToString::to_string);
        let lacking = lacking(&env, host, &target);
        complete &= lacking.is_empty();
        text.push_str(&format!("\n{name}: {}\n", if lacking.is_empty() { "ready" } else { "lacks" }));
        text.extend(lacking.iter().map(|(what, remedy)| format!("  {what}\n    {remedy}\n")));
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

/// What is missing, each with what to type.
fn lacking(env: &Env, host: &dyn Host, target: &Target) -> Vec<(String, String)> {
    let names = match target.supported() {
        Ok(names) => names,
        Err(failure) => return vec![(failure.message, "no tool here supports it".to_owned())],
    };
    let mut lacking = Vec::new();
    let mut missing = |failure: Failure| {
        lacking.push((failure.message, failure.hint.unwrap_or_default()));
    };
    if let Err(failure) = clang::find(host, "clang") {
        missing(failure);
    }
    let layout = Layout::of(env, host, &names.triple);
    match linker::choose(env, host, &layout, &names.triple, target.platform.as_ref()) {
        Err(failure) => missing(failure),
        Ok(linker) => {
            if let Some(note) = linker.note {
                missing(Failure::new(note).hint("put ld64.signed or ld64 on PATH"));
            }
        }
    }
    if target.os == "linux" && !has_start_files(host, target) {
        let tool = match target.distro.family {
            Family::Alpine => "xx-apk add xx-c-essentials",
            Family::Rhel => "xx-dnf install glibc-devel gcc",
            Family::Debian | Family::Other => "xx-apt-get install -y --no-install-recommends xx-c-essentials",
        };
        let platform = target.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        missing(
            Failure::new("headers and start files of the C library")
                .hint(format!("TARGETPLATFORM={platform} {tool}")),
        );
    }
    if target.os == "darwin" && host.list(Path::new("/xx-sdk")).is_empty() {
        missing(Failure::new("the macOS SDK in /xx-sdk").hint("copy one there; it may not be distributed"));
    }
    lacking
}
