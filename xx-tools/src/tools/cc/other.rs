//! Compilers other than clang: `XX_CC_PREFER_COMPILER=gcc` and `=zig`. They need no set-up.

use platform_db::Libc;

use crate::env::Env;
use crate::host::Host;
use crate::plan::{CommandPlan, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::tools::cc::Request;

/// Commands of a compiler for the target: what CC and CXX would be.
pub(crate) struct Commands {
    pub(crate) c: Vec<String>,
    pub(crate) cxx: Vec<String>,
}

/// Returns the commands of the compiler that the user prefers to clang, `None` for clang.
///
/// # Errors
/// When the compiler is missing, or has no such target.
pub(crate) fn commands(env: &Env, host: &dyn Host, target: &Target) -> Result<Option<Commands>, Failure> {
    match env.var("XX_CC_PREFER_COMPILER") {
        "" | "clang" => Ok(None),
        "gcc" => gcc(host, target).map(Some),
        "zig" => zig(env, host, target).map(Some),
        other => Err(Failure::new(format!("XX_CC_PREFER_COMPILER: no compiler `{other}`"))
            .hint("known: clang gcc zig")),
    }
}

fn gcc(host: &dyn Host, target: &Target) -> Result<Commands, Failure> {
    let triple = &target.supported()?.triple;
    let (c, cxx) = (format!("{triple}-gcc"), format!("{triple}-g++"));
    if host.program(&c).is_some() {
        return Ok(Commands { c: vec![c], cxx: vec![cxx] });
    }
    if !target.is_cross(host) && host.program("gcc").is_some() {
        return Ok(Commands { c: vec!["gcc".to_owned()], cxx: vec!["g++".to_owned()] });
    }
    let package = triple.replace('_', "-");
    Err(Failure::new(format!("{c} not found"))
        .hint(format!("on Debian: `apt-get install gcc-{package} g++-{package}`")))
}

fn zig(env: &Env, host: &dyn Host, target: &Target) -> Result<Commands, Failure> {
    let platform = target.known()?;
    let name = platform
        .zig(target.libc_id())
        .ok_or_else(|| Failure::new(format!("zig has no C library for {platform} with {}", target.libc)))?;
    // zig links against the symbols of this glibc, whatever the build machine has.
    let glibc = env.var("XX_GLIBC");
    let name = match (glibc, target.libc_id()) {
        ("", _) => name,
        (glibc, Libc::Gnu) => format!("{name}.{glibc}"),
        _ => return Err(Failure::new(format!("XX_GLIBC={glibc}: {platform} is not built for glibc"))),
    };
    if host.program("zig").is_none() {
        return Err(Failure::new("zig: not found")
            .hint("put zig on PATH; PyPI's ziglang brings it")
            .code(127));
    }
    let command = |language: &str| ["zig", language, "-target", &name].map(str::to_owned).to_vec();
    Ok(Commands { c: command("cc"), cxx: command("c++") })
}

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
    let flag = target.platform.as_ref().and_then(|platform| platform.march_flag());
    // zig takes processor names, not levels, and spells them its own way.
    let flag = flag.filter(|_| program != "zig");
    // zig brings the C library of each target itself.
    let sysroot = Some(&target.sysroot).filter(|root| !root.is_empty() && program != "zig");
    let sysroot = sysroot.map(|root| format!("--sysroot={root}"));
    let words = rest.iter().cloned().chain(sysroot).chain(flag);
    let command = CommandPlan::new(program).args(words).args(env.args.clone());
    Ok(Plan::new(vec![Step::Exec(command)]))
}
