//! Calls with compilers other than clang: `XX_CC_PREFER_COMPILER=gcc` and `=zig`. They need no set-up.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::{Commands, zig};
use crate::tools::cc::{Request, sysroot};

/// Plans a call or an answer.
pub(super) fn plan(
    env: &Env,
    request: &Request,
    target: &Target,
    host: &dyn Host,
    commands: &Commands,
) -> Result<Plan, Failure> {
    let triple = target.c_triple()?;
    if request.print_triple {
        return Ok(Plan::line(triple));
    }
    if request.print_cmake {
        let text = |words: &[String]| words.join(";");
        let (c, cxx) = (text(&commands.c), text(&commands.cxx));
        let pkg_config =
            Layout::of(env, host, triple).pkg_config(host, triple).filter(|_| target.is_cross(host));
        let pkg_config = pkg_config.map(|path| format!(" -DPKG_CONFIG_EXECUTABLE={}", path.display()));
        return Ok(Plan::line(format_args!(
            "-DCMAKE_C_COMPILER={c} -DCMAKE_CXX_COMPILER={cxx} -DCMAKE_ASM_COMPILER={c}{}",
            pkg_config.unwrap_or_default()
        )));
    }
    if request.print_sysroot {
        return Ok(Plan::line(sysroot(target, host, triple)));
    }
    if request.setup {
        return Ok(Plan::default());
    }
    let words = if env.name.ends_with("++") { &commands.cxx } else { &commands.c };
    let (program, rest) = words.split_first().ok_or_else(|| Failure::new("no compiler"))?;
    let given = if program == "zig" { zig::arguments(&env.args) } else { env.args.clone() };
    let command = CommandPlan::new(program).args(rest.to_vec()).args(given);
    Ok(Plan::new(vec![Step::Exec(command)]))
}
