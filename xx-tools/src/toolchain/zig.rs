//! zig as C and C++ compiler: it brings headers and libraries of every target, and needs no set-up.
//!
//! Rust's linker must be one program, so for `xx-cargo` a link named `TRIPLE-zig-cc` leads back to this program.

use std::ffi::OsString;

use platform_db::Libc;

use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::Commands;

/// Returns what follows zig's `-target`: `aarch64-linux-gnu.2.17`. `XX_GLIBC` is the glibc whose symbols are enough,
/// whatever the build machine has.
///
/// # Errors
/// When zig has no C library for the target, or a glibc is asked for where there is none.
pub fn target_name(env: &Env, target: &Target) -> Result<String, Failure> {
    let platform = target.known()?;
    let name = platform
        .zig(target.libc_id())
        .ok_or_else(|| Failure::new(format!("zig has no C library for {platform} with {}", target.libc)))?;
    match (env.var("XX_GLIBC"), target.libc_id()) {
        ("", _) => Ok(name),
        (glibc, Libc::Gnu) if target.os == "linux" && is_version(glibc) => Ok(format!("{name}.{glibc}")),
        (glibc, Libc::Gnu) if target.os == "linux" => {
            Err(Failure::new(format!("XX_GLIBC={glibc}: not a version"))
                .hint("write it as in `XX_GLIBC=2.17`"))
        }
        (glibc, _) => Err(Failure::new(format!("XX_GLIBC={glibc}: {platform} is not built for glibc"))
            .hint("leave XX_GLIBC empty, or take a target with glibc")),
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.starts_with("2.") && text.split('.').all(is_number)
}

/// Returns the commands that compile for the target.
///
/// # Errors
/// When zig is missing, or has no such target.
pub fn commands(env: &Env, host: &dyn Host, target: &Target) -> Result<Commands, Failure> {
    let name = target_name(env, target)?;
    if host.program("zig").is_none() {
        return Err(Failure::new("zig: not found")
            .hint("put zig on PATH; PyPI's ziglang brings it")
            .code(127));
    }
    host.why(format_args!("compiler: zig for {name}"));
    let cpu = target.platform.as_ref().and_then(|platform| platform.zig_cpu());
    let cpu = cpu.map(|cpu| format!("-mcpu={cpu}"));
    let command = |language: &str| {
        let words = ["zig", language, "-target", &name].map(str::to_owned);
        words.into_iter().chain(cpu.clone()).collect()
    };
    Ok(Commands { c: command("cc"), cxx: command("c++") })
}

/// Returns a compiler's arguments without what zig does not take: triples and ISA names in other spellings, which build
/// scripts pass. The command already says both.
///
/// Source: what zig 0.17 answers to the command lines of the crate `cc`.
#[must_use]
pub fn arguments(args: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        if matches!(text.as_ref(), "-target" | "--target") {
            args.next();
        } else if let Some(level) = text.strip_prefix("-march=x86-64") {
            kept.push(format!("-march=x86_64{}", level.replace('-', "_")).into());
        } else if !["--target=", "-march=arm", "-march=rv"].iter().any(|start| text.starts_with(start)) {
            kept.push(arg.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{OsString, arguments, is_version};

    #[test]
    fn arguments_of_build_scripts() {
        let cases = [
            ("-O3 --target=x86_64-unknown-linux-gnu -m64 -c x.c", "-O3 -m64 -c x.c"),
            ("-target aarch64-linux-gnu -c x.c", "-c x.c"),
            ("-march=armv7-a -mfpu=vfpv3-d16 x.c", "-mfpu=vfpv3-d16 x.c"),
            ("-march=rv64gc -mabi=lp64d x.c", "-mabi=lp64d x.c"),
            ("-march=x86-64-v3 -march=native x.c", "-march=x86_64_v3 -march=native x.c"),
        ];
        let split = |text: &str| -> Vec<OsString> { text.split(' ').map(Into::into).collect() };
        for (given, expected) in cases {
            assert_eq!(arguments(&split(given)), split(expected), "{given}");
        }
    }

    #[test]
    fn versions_of_glibc() {
        for (text, expected) in
            [("2.17", true), ("2.2.5", true), ("2", false), ("2.", false), ("latest", false)]
        {
            assert_eq!(is_version(text), expected, "{text}");
        }
    }
}
