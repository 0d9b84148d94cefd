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
    /// What `xx help` prints.
    help: &'static str,
    plan: PlanFn,
}

/// All tools, sorted by name.
#[rustfmt::skip]
const TOOLS: &[Tool] = &[
    Tool { name: "clang", what: "clang, for calls with --target or while wrapped", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "clang++", what: "clang++, likewise", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "xcrun", what: "Apple's xcrun, for the SDK in /xx-sdk", help: tools::help::XCRUN, plan: tools::xcrun::plan },
    Tool { name: "xx-apk", what: "apk for packages of the target", help: tools::help::APK, plan: tools::apk::plan },
    Tool { name: "xx-apt", what: "apt for packages of the target", help: tools::help::APT, plan: tools::apt::plan },
    Tool { name: "xx-apt-get", what: "apt-get for packages of the target", help: tools::help::APT, plan: tools::apt::plan },
    Tool { name: "xx-ar", what: "archiver for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-c++", what: "C++ compiler for the target", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "xx-cargo", what: "cargo for the target", help: tools::help::CARGO, plan: tools::cargo::plan },
    Tool { name: "xx-cc", what: "C compiler for the target", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "xx-clang", what: "clang for the target", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "xx-clang++", what: "clang++ for the target", help: tools::help::CC, plan: tools::cc::plan },
    Tool { name: "xx-dnf", what: "dnf for packages of the target", help: tools::help::DNF, plan: tools::dnf::plan },
    Tool { name: "xx-doctor", what: "what each target still lacks, and what brings it", help: tools::doctor::USAGE, plan: tools::doctor::plan },
    Tool { name: "xx-go", what: "go for the target", help: tools::help::GO, plan: tools::go::plan },
    Tool { name: "xx-info", what: "name the target in any tool's spelling", help: tools::info::USAGE, plan: tools::info::plan },
    Tool { name: "xx-microdnf", what: "microdnf for packages of the target", help: tools::help::DNF, plan: tools::dnf::plan },
    Tool { name: "xx-nm", what: "symbol lister for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-objcopy", what: "object copier for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-objdump", what: "object dumper for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-pkg-config", what: "pkg-config for the target", help: tools::help::PKG_CONFIG, plan: tools::pkg_config::plan },
    Tool { name: "xx-ranlib", what: "archive indexer for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-readelf", what: "ELF reader for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-size", what: "size lister for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-strings", what: "text finder for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-strip", what: "symbol stripper for the target", help: tools::help::BINUTILS, plan: tools::binutils::plan },
    Tool { name: "xx-verify", what: "check what files were built for", help: tools::verify::USAGE, plan: tools::verify::plan },
    Tool { name: "xx-windres", what: "compile Windows resources", help: tools::windres::USAGE, plan: tools::windres::plan },
    Tool { name: "xx-yum", what: "yum for packages of the target", help: tools::help::DNF, plan: tools::dnf::plan },
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
        let Some(tool) = env.args.get(1) else { return Ok(Plan::new(vec![Step::Print(list())])) };
        let word = tool.to_string_lossy();
        let tool = named(&word).ok_or_else(|| unknown(&word))?;
        return Ok(Plan::new(vec![Step::Print(tool.help.to_owned())]));
    }
    if word == "--names" {
        return Ok(Plan::new(vec![Step::Print(names())]));
    }
    if matches!(word.as_str(), "--version" | "-V") {
        return Ok(Plan::line(format_args!("xx {}", env!("CARGO_PKG_VERSION"))));
    }
    let tool = named(&word).ok_or_else(|| unknown(&word))?;
    env.args.remove(0);
    tool.name.clone_into(&mut env.name);
    (tool.plan)(env, host)
}

/// The tool that a word after `xx` means.
fn named(word: &str) -> Option<&'static Tool> {
    if word.starts_with("xx-") { find(word) } else { find(&format!("xx-{word}")) }
}

fn unknown(word: &str) -> Failure {
    Failure::new(format!("no tool `{word}`")).hint("`xx --help` lists the tools").code(2)
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

/// The tools in the order of `xx --help`, by what they are for.
const GROUPS: &[(&str, &[&str])] = &[
    ("name the target, and look whether it can be built for", &["info", "doctor", "verify"]),
    ("compile for the target", &["cc", "c++", "clang", "clang++", "go", "cargo", "windres", "pkg-config"]),
    ("install packages of the target", &["apk", "apt", "apt-get", "dnf", "microdnf", "yum"]),
    (
        "work on object files of the target",
        &["ar", "nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strings", "strip"],
    ),
];

fn list() -> String {
    let mut text = "usage: xx TOOL [ARGUMENT]...\n\n\
        These are the tools. Each also answers to its full name, such as xx-info.\n"
        .to_owned();
    for (what, names) in GROUPS {
        text.push_str(&format!("\n{what}\n"));
        for name in *names {
            let what = find(&format!("xx-{name}")).map_or("", |tool| tool.what);
            text.push_str(&format!("   {name:<12} {what}\n"));
        }
    }
    text + "\n`xx help TOOL` says more of one; `--xx-dry-run` prints what a tool would do.\n"
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

    /// `xx help` says more of each, whatever is installed, and names the tool.
    #[test]
    fn every_tool_has_help() {
        for tool in TOOLS.iter().filter(|tool| tool.name.starts_with("xx-")) {
            let usage = tool.help.lines().next().unwrap_or_default().replace("xx doctor", "xx-doctor");
            let names = usage.strip_prefix("Usage: ").and_then(|usage| usage.split(' ').next());
            assert!(names.is_some_and(|names| names.split('|').any(|name| name == tool.name)), "{usage}");
        }
    }

    /// `xx --help` has every tool, once, with what it is for.
    #[test]
    fn every_tool_is_in_one_group() {
        let mut grouped: Vec<String> = super::GROUPS
            .iter()
            .flat_map(|(_, names)| names.iter())
            .map(|name| format!("xx-{name}\n"))
            .collect();
        grouped.sort();
        assert_eq!(grouped.concat(), super::names());
        assert!(super::list().lines().all(|line| !line.starts_with("   ") || line.len() > 20));
    }

    #[test]
    fn tools_are_sorted() {
        assert!(TOOLS.is_sorted_by(|a, b| a.name < b.name));
    }
}
