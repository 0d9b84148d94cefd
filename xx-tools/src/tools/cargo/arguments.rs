//! cargo's command line: where `--target` goes, and where it does not.

use std::ffi::OsString;

/// Built-in subcommands that do not take `--target`, and well-known installed ones. Source: `cargo help COMMAND`, and
/// each program's own help. Any other is given it, as it was by the original.
const WITHOUT_TARGET: &[&str] = &[
    "about",
    "add",
    "audit",
    "cache",
    "config",
    "fmt",
    "generate",
    "generate-lockfile",
    "help",
    "info",
    "init",
    "install-update",
    "locate-project",
    "login",
    "logout",
    "machete",
    "metadata",
    "new",
    "outdated",
    "owner",
    "pkgid",
    "read-manifest",
    "remove",
    "report",
    "rm",
    "search",
    "sort",
    "sweep",
    "uninstall",
    "update",
    "vendor",
    "verify-project",
    "version",
    "watch",
    "yank",
];
/// Words of subcommands with words of their own that do not take it. Source: cargo-chef's and cargo-nextest's help.
const WORDS_WITHOUT_TARGET: &[(&str, &str)] =
    &[("chef", "prepare"), ("nextest", "self"), ("nextest", "show-config")];
/// Options before the subcommand that take the next word.
const GLOBAL_WITH_VALUE: &[&str] = &["-C", "-Z", "--color", "--config", "--explain"];

/// Removes a flag of this program, and tells whether it was there. What comes after `--` is another program's.
pub(super) fn take_flag(args: &mut Vec<OsString>, flag: &str) -> bool {
    let before = args.len();
    let end = args.iter().position(|arg| arg == "--").unwrap_or(before);
    let mut at = 0;
    args.retain(|arg| {
        at += 1;
        at > end || arg != flag
    });
    args.len() < before
}

/// The toolchain that rustup's `+nightly` names.
pub(super) fn toolchain(args: &[OsString]) -> Option<String> {
    args.first()?.to_str()?.strip_prefix('+').map(str::to_owned)
}

/// The words before `--` that are no options of cargo's own: the subcommand, and what follows it.
fn words(args: &[OsString]) -> Vec<String> {
    let mut words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        if GLOBAL_WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with(['-', '+']) {
            return std::iter::once(word).chain(words.filter(|word| !word.starts_with('-'))).collect();
        }
    }
    Vec::new()
}

/// Whether the call builds something for the target.
pub(super) fn takes_target(args: &[OsString]) -> bool {
    let words = words(before_dashes(args));
    let Some(subcommand) = words.first() else { return false };
    let next = words.get(1).map(String::as_str).unwrap_or_default();
    !WITHOUT_TARGET.contains(&subcommand.as_str())
        && !WORDS_WITHOUT_TARGET.contains(&(subcommand.as_str(), next))
}

fn before_dashes(args: &[OsString]) -> &[OsString] {
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    args.get(..end).unwrap_or(args)
}

/// Returns the arguments with `--target`, where the subcommand takes it and the user gives none.
pub(super) fn with_target(args: &[OsString], rust: &str) -> Vec<OsString> {
    let ours = before_dashes(args);
    let has_target =
        ours.iter().any(|arg| arg == "--target" || arg.to_string_lossy().starts_with("--target="));
    let mut all = ours.to_vec();
    if takes_target(args) && !has_target {
        all.push(format!("--target={rust}").into());
    }
    all.extend(args.iter().skip(ours.len()).cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::{OsString, take_flag, toolchain, with_target};

    fn split(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(Into::into).collect()
    }

    #[test]
    fn the_target_goes_where_it_is_taken() {
        let cases = [
            ("build --release", "build --release --target=T"),
            ("run -- a", "run --target=T -- a"),
            ("test --doc -- --nocapture", "test --doc --target=T -- --nocapture"),
            ("+nightly -Z x build", "+nightly -Z x build --target=T"),
            ("--config a build", "--config a build --target=T"),
            ("--version", "--version"),
            ("--list", "--list"),
            ("metadata", "metadata"),
            ("fmt -- --check", "fmt -- --check"),
            ("build --target=x", "build --target=x"),
            ("build --target x", "build --target x"),
            ("run -- --target=x", "run --target=T -- --target=x"),
            ("auditable build", "auditable build --target=T"),
            ("chef prepare --recipe-path r", "chef prepare --recipe-path r"),
            ("chef cook --recipe-path r", "chef cook --recipe-path r --target=T"),
            ("nextest run", "nextest run --target=T"),
            ("cbuild", "cbuild --target=T"),
            ("audit", "audit"),
            ("", ""),
        ];
        for (given, expected) in cases {
            assert_eq!(with_target(&split(given), "T"), split(expected), "{given}");
        }
    }

    #[test]
    fn own_words() {
        let mut args = split("build --print-target-triple -- --print-target-triple");
        assert!(take_flag(&mut args, "--print-target-triple"));
        assert_eq!(args, split("build -- --print-target-triple"));
        assert!(!take_flag(&mut args, "--print-target-triple"));
        assert_eq!(toolchain(&split("+nightly build")).as_deref(), Some("nightly"));
        assert_eq!(toolchain(&split("build +nightly")), None);
    }
}
