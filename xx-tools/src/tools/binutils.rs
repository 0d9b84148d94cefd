//! `xx-ar`, `xx-strip` and the like: the target's tool, whoever brings it.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::programs::{LLVM_PROGRAMS, gnu_name, llvm_program};

/// Plans a call of the target's tool: GNU's with the prefix, LLVM's, or the build machine's own for itself.
///
/// # Errors
/// When the target is not supported, or no such tool is installed.
pub fn plan(env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    let tool = env.name.strip_prefix("xx-").unwrap_or(&env.name).to_owned();
    let target = Target::read(&env, host);
    let triple = &target.supported()?.triple;
    let multiarch = target.platform.as_ref().and_then(|platform| platform.multiarch()).unwrap_or_default();
    let mut names = vec![format!("{triple}-{tool}"), format!("{multiarch}-{tool}"), format!("llvm-{tool}")];
    if !target.is_cross(host) {
        names.push(tool.clone());
    }
    let program = names.iter().find_map(|name| host.program(name)).ok_or_else(|| {
        Failure::new(format!("no {tool} for {triple}"))
            .hint(format!("install `llvm`, or on Debian `binutils-{}`", triple.replace('_', "-")))
            .code(127)
    })?;
    host.why(format_args!("{tool}: {}, the first of {}", program.display(), names.join(", ")));
    Ok(Plan::new(vec![Step::Exec(CommandPlan::new(program).args(env.args))]))
}

/// Plans a call by the target's prefix, where set-up linked it here: `arm64-apple-macos11.0-ar`, `TRIPLE-zig-ar`.
pub fn plan_prefixed(env: &Env, host: &dyn Host) -> Option<Result<Plan, Failure>> {
    for tool in ["ar", "ranlib"] {
        if env.name.ends_with(&format!("-zig-{tool}")) {
            let words = std::iter::once(tool.into()).chain(env.args.clone());
            return Some(Ok(Plan::new(vec![Step::Exec(CommandPlan::new("zig").args(words))])));
        }
    }
    let (name, gnu) = LLVM_PROGRAMS
        .iter()
        .map(|name| (*name, gnu_name(name)))
        .find(|(_, gnu)| env.name.strip_suffix(gnu).is_some_and(|rest| rest.ends_with('-')))?;
    let program = llvm_program(host, name).ok_or_else(|| {
        Failure::new(format!("llvm-{name}: not found")).hint("install the package `llvm`").code(127)
    });
    let args = env.args.clone();
    let exec = |program| Plan::new(vec![Step::Exec(CommandPlan::new(program).args(args))]);
    Some(program.map(exec)).filter(|_| env.name.len() > gnu.len() + 3 && !env.name.starts_with("xx-"))
}
