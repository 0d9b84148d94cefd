//! `xx-ar`, `xx-strip` and the like: the target's tool, whoever brings it.

use std::path::PathBuf;

use platform_db::Platform;

use crate::distro::Family;
use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::programs::{LLVM_PROGRAMS, REWRITERS, gnu_name, llvm_program};
use crate::toolchain::{family, linker};

/// Plans a call of the target's tool: GNU's with the prefix, LLVM's, or the build machine's own for itself.
///
/// # Errors
/// When the target is not supported, or no such tool is installed.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let tool = env.name.strip_prefix("xx-").unwrap_or(&env.name).to_owned();
    let target = Target::read(&env, host);
    let triple = target.c_triple()?;
    let multiarch = target.platform.as_ref().and_then(|platform| platform.multiarch()).unwrap_or_default();
    let prefixed = [format!("{triple}-{tool}"), format!("{multiarch}-{tool}")];
    let own = || host.program(&tool).filter(|_| !target.is_cross(host));
    let found = prefixed.iter().find_map(|name| host.program(name)).or_else(|| llvm_program(host, &tool));
    let program = found.or_else(own).or_else(|| own_rewriter(host, &tool, target.platform.as_ref()));
    let program = program.ok_or_else(|| missing(host, &format!("no {tool} for {triple}"), triple))?;
    host.why(format_args!("{tool}: {}, the first with the target's prefix, else LLVM's", program.display()));
    Ok(Plan::new(vec![Step::Exec(CommandPlan::new(program).args(env.args))]))
}

/// Plans a call by the target's prefix, where set-up linked it here: `arm64-apple-macos11.0-ar`, `TRIPLE-zig-ar`, or a
/// `TRIPLE-strip` for which nothing is installed.
pub fn plan_prefixed(env: &Env, host: &dyn Host) -> Option<Result<Plan, Failure>> {
    for tool in ["ar", "ranlib"] {
        if env.name.ends_with(&format!("-zig-{tool}")) {
            let words = std::iter::once(tool.into()).chain(env.args.clone());
            return Some(Ok(Plan::new(vec![Step::Exec(CommandPlan::new("zig").args(words))])));
        }
    }
    let (name, triple) = LLVM_PROGRAMS
        .iter()
        .find_map(|name| Some((*name, env.name.strip_suffix(gnu_name(name))?.strip_suffix('-')?)))
        .filter(|(_, triple)| triple.len() > 2 && *triple != "xx")?;
    let platform = Platform::from_triple(triple);
    let program = llvm_program(host, name).or_else(|| own_rewriter(host, name, platform.as_ref()));
    let program = program.ok_or_else(|| missing(host, &format!("llvm-{name}: not found"), triple));
    let args = env.args.clone();
    Some(program.map(|program| Plan::new(vec![Step::Exec(CommandPlan::new(program).args(args))])))
}

/// The build machine's own strip or objcopy, where it knows objects of the target.
fn own_rewriter(host: &dyn Host, tool: &str, platform: Option<&Platform>) -> Option<PathBuf> {
    let knows = REWRITERS.contains(&tool) && linker::own_binutils_know(host, platform);
    host.program(tool).filter(|_| knows)
}

fn missing(host: &dyn Host, what: &str, triple: &str) -> Failure {
    let family = family(host);
    let hint = match family {
        Family::Debian => {
            let binutils = format!("binutils-{}", triple.replace('_', "-"));
            format!("{} or {}", family.install("llvm"), family.install(&binutils))
        }
        Family::Alpine | Family::Rhel | Family::Other => family.install("llvm"),
    };
    Failure::new(what).hint(hint).code(127)
}
