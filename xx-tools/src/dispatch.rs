//! Which tool a call means: by its own name, or as a subcommand of `xx`.

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Plan, Step};
use crate::report::Failure;
use crate::tools;

/// Plans a call of one tool.
type PlanFn = fn(Env, &dyn Host) -> Result<Plan, Failure>;

/// A tool under its full name, with what it is for.
struct Tool {
    name: &'static str,
    what: &'static str,
    plan: PlanFn,
}

/// All tools, sorted by name.
#[rustfmt::skip]
const TOOLS: &[Tool] = &[
    Tool { name: "clang", what: "clang, for calls with --target or while wrapped", plan: tools::cc::plan },
    Tool { name: "clang++", what: "clang++, likewise", plan: tools::cc::plan },
    Tool { name: "xcrun", what: "Apple's xcrun, for the SDK in /xx-sdk", plan: tools::xcrun::plan },
    Tool { name: "xx-apk", what: "apk for packages of the target", plan: tools::apk::plan },
    Tool { name: "xx-apt", what: "apt for packages of the target", plan: tools::apt::plan },
    Tool { name: "xx-apt-get", what: "apt-get for packages of the target", plan: tools::apt::plan },
    Tool { name: "xx-ar", what: "archiver for the target", plan: tools::binutils::plan },
    Tool { name: "xx-c++", what: "C++ compiler for the target", plan: tools::cc::plan },
    Tool { name: "xx-cargo", what: "cargo for the target", plan: tools::cargo::plan },
    Tool { name: "xx-cc", what: "C compiler for the target", plan: tools::cc::plan },
    Tool { name: "xx-clang", what: "clang for the target", plan: tools::cc::plan },
    Tool { name: "xx-clang++", what: "clang++ for the target", plan: tools::cc::plan },
    Tool { name: "xx-dnf", what: "dnf for packages of the target", plan: tools::dnf::plan },
    Tool { name: "xx-doctor", what: "what each target still lacks, and what brings it", plan: tools::doctor::plan },
    Tool { name: "xx-go", what: "go for the target", plan: tools::go::plan },
    Tool { name: "xx-info", what: "name the target in any tool's spelling", plan: tools::info::plan },
    Tool { name: "xx-microdnf", what: "microdnf for packages of the target", plan: tools::dnf::plan },
    Tool { name: "xx-nm", what: "symbol lister for the target", plan: tools::binutils::plan },
    Tool { name: "xx-objcopy", what: "object copier for the target", plan: tools::binutils::plan },
    Tool { name: "xx-objdump", what: "object dumper for the target", plan: tools::binutils::plan },
    Tool { name: "xx-pkg-config", what: "pkg-config for the target", plan: tools::pkg_config::plan },
    Tool { name: "xx-ranlib", what: "archive indexer for the target", plan: tools::binutils::plan },
    Tool { name: "xx-readelf", what: "ELF reader for the target", plan: tools::binutils::plan },
    Tool { name: "xx-size", what: "size lister for the target", plan: tools::binutils::plan },
    Tool { name: "xx-strings", what: "text finder for the target", plan: tools::binutils::plan },
    Tool { name: "xx-strip", what: "symbol stripper for the target", plan: tools::binutils::plan },
    Tool { name: "xx-verify", what: "check what files were built for", plan: tools::verify::plan },
    Tool { name: "xx-windres", what: "compile Windows resources", plan: tools::windres::plan },
    Tool { name: "xx-yum", what: "yum for packages of the target", plan: tools::dnf::plan },
];

/// Plans the call.
///
/// # Errors
/// When no tool has the name, or the tool cannot plan.
pub fn plan(mut env: Env, host: &dyn Host) -> Result<Plan, Failure> {
    if let Some(tool) = find(&env.name) {
        return (tool.plan)(env, host);
    }
    if let Some(plan) = prefixed(&env, host) {
        return plan;
    }
    let Some(word) = env.args.first().map(|word| word.to_string_lossy().into_owned()) else {
        return Err(Failure::new(list()).code(2));
    };
    if matches!(word.as_str(), "--help" | "-h" | "help") {
        return Ok(Plan::new(vec![Step::Print(list())]));
    }
    if word == "--names" {
        return Ok(Plan::new(vec![Step::Print(names())]));
    }
    if matches!(word.as_str(), "--version" | "-V") {
        return Ok(Plan::line(format_args!("xx {}", env!("CARGO_PKG_VERSION"))));
    }
    let full = if word.starts_with("xx-") { word.clone() } else { format!("xx-{word}") };
    match find(&full) {
        Some(tool) => {
            env.args.remove(0);
            full.clone_into(&mut env.name);
            (tool.plan)(env, host)
        }
        None => Err(Failure::new(format!("no tool `{word}`")).hint("`xx --help` lists the tools").code(2)),
    }
}

/// Programs with a target's prefix that set-up links to this one: `aarch64-linux-gnu-clang`.
fn prefixed(env: &Env, host: &dyn Host) -> Option<Result<Plan, Failure>> {
    let triple = |suffix: &str| env.name.strip_suffix(suffix).filter(|triple| triple.contains('-'));
    if let Some(triple) = triple("-pkg-config").filter(|triple| *triple != "xx") {
        return Some(tools::pkg_config::plan_prefixed(env, host, triple));
    }
    if let Some(triple) = triple("-windres") {
        let mut env = env.clone();
        env.args.splice(0..0, [std::ffi::OsString::from(format!("--target={triple}"))]);
        return Some(tools::windres::plan(env, host));
    }
    for compiler in ["gcc", "zig"] {
        for language in ["cc", "c++"] {
            if triple(&format!("-{compiler}-{language}")).is_some() {
                let env = Env { name: format!("xx-{language}"), ..env.clone() };
                return Some(tools::cc::plan(env.with("XX_CC_PREFER_COMPILER", compiler), host));
            }
        }
    }
    let compilers =
        [("clang", &["-clang", "-gcc", "-cc"][..]), ("clang++", &["-clang++", "-g++", "-c++"][..])];
    for (compiler, suffixes) in compilers {
        if let Some(triple) = suffixes.iter().find_map(|suffix| triple(suffix)) {
            return Some(tools::cc::plan_prefixed(env, host, triple, compiler));
        }
    }
    tools::binutils::plan_prefixed(env, host)
}

fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.binary_search_by_key(&name, |tool| tool.name).ok().and_then(|at| TOOLS.get(at))
}

/// The names under which an image installs the binary, one per line. Set-up links the others where they are wanted.
fn names() -> String {
    let names = TOOLS.iter().filter(|tool| tool.name.starts_with("xx-"));
    names.map(|tool| format!("{}\n", tool.name)).collect()
}

fn list() -> String {
    let mut text =
        "Usage: xx TOOL [ARGUMENT]...\n\nEach tool also answers to its full name, such as xx-info.\n\n"
            .to_owned();
    for tool in TOOLS.iter().filter(|tool| tool.name.starts_with("xx-")) {
        let short = tool.name.strip_prefix("xx-").unwrap_or(tool.name);
        text.push_str(&format!("   {short:<12} {}\n", tool.what));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::TOOLS;

    /// What the original installs is there.
    #[test]
    fn names_of_the_original() {
        let names = super::names();
        let original = "xx-apk xx-apt xx-apt-get xx-c++ xx-cargo xx-cc xx-clang xx-clang++ xx-go xx-info xx-verify xx-windres";
        for name in original.split(' ') {
            assert!(names.lines().any(|found| found == name), "{name}");
        }
    }

    #[test]
    fn tools_are_sorted() {
        assert!(TOOLS.is_sorted_by(|a, b| a.name < b.name));
    }
}
