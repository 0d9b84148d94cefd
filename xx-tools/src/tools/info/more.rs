//! What xx-info answers beyond the original: `--json`, `list`, `qemu`, `translate`.

use platform_db::{Libc, Platform};

use crate::host::Host;
use crate::plan::Plan;
use crate::report::Failure;
use crate::target::Target;
use crate::tools::info::sysroot;

/// A spelling that `translate --to` knows.
type Spelling = (&'static str, fn(&Platform, Libc) -> Option<String>);

/// Sorted by name.
const SPELLINGS: &[Spelling] = &[
    ("alpine", |platform, _| owned(platform.alpine())),
    ("arch", |platform, _| owned(Some(platform.arch()))),
    ("c-flags", |platform, _| Some(platform.c_flags().join(" "))),
    ("conda", |platform, _| owned(platform.conda())),
    ("dashes", |platform, _| Some(platform.to_string().replace('/', "-"))),
    ("debian", |platform, _| owned(platform.debian())),
    ("docker", |platform, _| owned(platform.docker_prefix())),
    ("dynamic-linker", |platform, libc| platform.dynamic_linker(libc)),
    ("efi", |platform, _| owned(platform.efi_boot_file())),
    ("go", |platform, _| Some(format!("{}/{}", platform.os(), platform.arch())).filter(|_| platform.is_go())),
    ("goarch", |platform, _| owned(Some(platform.arch()).filter(|_| platform.is_go()))),
    ("goarm", |platform, _| {
        owned(platform.go_level().filter(|(name, _)| *name == "GOARM").map(|(_, level)| level))
    }),
    ("goos", |platform, _| owned(Some(platform.os()).filter(|_| platform.is_go()))),
    ("llvm", |platform, libc| platform.llvm(libc).or_else(|| platform.llvm(Libc::System))),
    ("multiarch", |platform, _| platform.multiarch()),
    ("nix", |platform, _| owned(platform.nix())),
    ("npm", |platform, _| platform.npm().map(|(os, cpu)| format!("{os}-{cpu}"))),
    ("npm-cpu", |platform, _| owned(platform.npm().map(|(_, cpu)| cpu))),
    ("npm-os", |platform, _| owned(platform.npm().map(|(os, _)| os))),
    ("oci", |platform, _| Some(platform.to_string())),
    ("os", |platform, _| owned(Some(platform.os()))),
    ("pair", |platform, _| Some(platform.pair())),
    ("qemu", |platform, _| owned(platform.qemu())),
    ("rpm", |platform, _| owned(platform.rpm())),
    ("rust", |platform, libc| owned(platform.rust(libc).or_else(|| platform.rust(Libc::System)))),
    ("uname", |platform, _| owned(platform.uname())),
    ("variant", |platform, _| owned(Some(platform.variant()))),
    ("wheel", |platform, libc| platform.wheel(libc, wheel_version(platform, libc))),
    ("zig", |platform, libc| platform.zig(libc).or_else(|| platform.zig(Libc::System))),
];

/// The oldest system that tools in use build wheels for: manylinux2014, musl 1.2, and Apple's first of the processor.
fn wheel_version(platform: &Platform, libc: Libc) -> (u32, u32) {
    match (platform.os(), platform.arch()) {
        ("darwin", "amd64") => (10, 9),
        ("darwin", _) => (11, 0),
        _ if libc == Libc::Musl => (1, 2),
        (_, "riscv64") => (2, 31),
        (_, "loong64") => (2, 36),
        _ => (2, 17),
    }
}

/// A spelling that `translate --from` reads.
type Reader = (&'static str, fn(&str) -> Option<Platform>);

/// Sorted by name.
const READERS: &[Reader] = &[
    ("alpine", Platform::from_alpine),
    ("conda", Platform::from_conda),
    ("debian", Platform::from_debian),
    ("docker", Platform::from_docker_prefix),
    ("efi", Platform::from_efi_boot_file),
    ("go", |name| name.split_once('/').and_then(|(os, arch)| Platform::from_go(os, arch))),
    ("llvm", Platform::from_triple),
    ("nix", Platform::from_nix),
    ("npm", |name| name.split_once('-').and_then(|(os, cpu)| Platform::from_npm(os, cpu))),
    ("oci", |name| name.parse().ok()),
    ("pair", Platform::from_pair),
    ("release", Platform::from_release_name),
    ("rpm", Platform::from_rpm),
    ("rust", Platform::from_rust),
    ("uname", |name| Platform::from_uname(name).ok()),
    ("wheel", Platform::from_wheel),
    ("zig", Platform::from_zig),
];

fn owned(name: Option<&str>) -> Option<String> {
    name.map(str::to_owned)
}

fn names<T>(table: &[(&str, T)]) -> String {
    table.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// Reads `SPELLING=NAME`.
fn from(text: &str) -> Result<Platform, Failure> {
    let hint = || format!("write it as in `--from debian=armhf`; spellings: {}", names(READERS));
    let (spelling, name) = text
        .split_once('=')
        .ok_or_else(|| Failure::new(format!("`{text}` names no spelling")).hint(hint()))?;
    let reader = READERS.iter().find(|(known, _)| *known == spelling);
    let (_, read) =
        reader.ok_or_else(|| Failure::new(format!("`{spelling}` is no spelling")).hint(hint()))?;
    read(name).ok_or_else(|| {
        let failure = Failure::new(format!("`{name}` is no platform in the spelling `{spelling}`"));
        failure.hint("`xx-info list` has every platform, `xx-info translate --to` how each tool spells it")
    })
}

/// Answers `translate --to NAME` or `translate --format TEXT`, for the target, `--platform P` or `--from SPELLING=NAME`.
///
/// In a format, `{os}`, `{arch}`, `{variant}` and every name of `--to` stand for the platform's word.
pub(super) fn translate(args: &[String], target: &Target) -> Result<Plan, Failure> {
    let usage = || {
        let usage = "Usage: xx-info translate [--platform PLATFORM | --from SPELLING=NAME] (--to NAME | --format TEXT)";
        Failure::new(usage).hint(format!("names: {}", names(SPELLINGS)))
    };
    let (mut platform, mut text) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, value.to_owned()),
            None => (arg.as_str(), args.next().cloned().ok_or_else(usage)?),
        };
        match flag {
            "--platform" => platform = Some(value.parse::<Platform>()?),
            "--from" => platform = Some(from(&value)?),
            "--to" => text = Some(format!("{{{value}}}")),
            "--format" => text = Some(value),
            _ => return Err(usage()),
        }
    }
    let platform = match platform {
        Some(platform) => platform,
        None => target.known()?.clone(),
    };
    fill(&text.ok_or_else(usage)?, &platform, target.libc_id()).map(Plan::line)
}

fn fill(format: &str, platform: &Platform, libc: Libc) -> Result<String, Failure> {
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}').ok_or_else(|| {
            Failure::new(format!("`{format}`: a brace is not closed")).hint("write it as in `{os}_{arch}`")
        })?;
        let spelling = SPELLINGS.iter().find(|(known, _)| *known == name);
        let (_, spell) = spelling.ok_or_else(|| {
            Failure::new(format!("`{name}` is no spelling")).hint(format!("known: {}", names(SPELLINGS)))
        })?;
        let word = spell(platform, libc).ok_or_else(|| {
            let failure = Failure::new(format!("{platform} has no name in the spelling `{name}`"));
            failure.hint("`xx-info --json` has the names of the target")
        })?;
        text.push_str(before);
        text.push_str(&word);
        rest = next;
    }
    text.push_str(rest);
    Ok(text)
}

/// Answers `list`: every platform of the table.
pub(super) fn list() -> Plan {
    let lines: Vec<String> = Platform::all().map(|platform| platform.to_string()).collect();
    Plan::line(lines.join("\n"))
}

/// Answers `qemu`: the user-mode program that runs the target, and the folder of its libraries.
pub(super) fn qemu(target: &Target, host: &dyn Host) -> Result<Plan, Failure> {
    let platform = target.known()?;
    let suffix = platform.qemu().ok_or_else(|| {
        let failure = Failure::new(format!("QEMU has no user-mode program for {platform}"));
        failure.hint("run its programs on a machine of that platform")
    })?;
    let names = [format!("qemu-{suffix}"), format!("qemu-{suffix}-static")];
    let found = names.iter().find_map(|name| host.program(name));
    let program =
        found.map_or_else(|| names.first().cloned().unwrap_or_default(), |path| path.display().to_string());
    let prefix = target.ld_prefix(host).unwrap_or_else(|| "/".to_owned());
    Ok(Plan::line(format_args!("QEMU={program}\nQEMU_LD_PREFIX={prefix}")))
}

/// Answers `--json`: every value, those that the target does not have as null.
///
/// # Errors
/// When the target is no known platform: nothing is answered for it.
pub(super) fn json(target: &Target, host: &dyn Host) -> Result<Plan, Failure> {
    target.known()?;
    let names = target.names.as_ref();
    let mut object = serde_json::Map::new();
    let mut put = |name: &str, value: Option<String>| object.insert(name.to_owned(), value.into());
    put("os", Some(target.os.clone()));
    put("arch", Some(target.arch.clone()));
    put("variant", Some(target.variant.clone()));
    put("platform", target.platform.as_ref().map(ToString::to_string));
    put("vendor", Some(target.vendor.clone()));
    put("libc", Some(target.libc.clone()));
    put("os_version", Some(target.distro.version.clone()));
    put("triple", target.triple().map(str::to_owned));
    put("march", names.map(|names| names.march.clone()));
    put("pkg_arch", names.map(|_| target.package_arch().to_owned()));
    put("sysroot", names.map(|names| sysroot(target, names, host)));
    for (name, spell) in SPELLINGS.iter().filter(|(name, _)| !matches!(*name, "os" | "arch" | "variant")) {
        put(name, target.platform.as_ref().and_then(|platform| spell(platform, target.libc_id())));
    }
    object.insert("is_cross".to_owned(), target.is_cross(host).into());
    Ok(Plan::line(serde_json::Value::Object(object)))
}
