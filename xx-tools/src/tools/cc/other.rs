//! Calls with compilers other than clang: `XX_CC_PREFER_COMPILER=gcc` and `=zig`. They need no set-up.

use crate::env::Env;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::{Commands, zig};
use crate::tools::cc::Request;

/// Plans a call or an answer.
pub(super) fn plan(
    env: &Env,
    request: &Request,
    target: &Target,
    commands: &Commands,
) -> Result<Plan, Failure> {
    let triple = &target.supported()?.triple;
    if request.print_triple {
        return Ok(Plan::line(triple));
    }
    if request.print_cmake {
        let text = |words: &[String]| words.join(";");
        let (c, cxx) = (text(&commands.c), text(&commands.cxx));
        return Ok(Plan::line(format_args!(
            "-DCMAKE_C_COMPILER={c} -DCMAKE_CXX_COMPILER={cxx} -DCMAKE_ASM_COMPILER={c}"
        )));
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
