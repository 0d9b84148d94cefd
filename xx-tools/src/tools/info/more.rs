//! What xx-info answers beyond the original: `--json`, `list`, `qemu`, `translate`.

use platform_db::{Libc, Platform};

use crate::host::Host;
use crate::plan::Plan;
use crate::report::Failure;
use crate::target::Target;
use crate::tools::info::sysroot;

/// Spellings that `translate --to` knows, sorted.
type Spelling = (&'static str, fn(&Platform, Libc) -> Option<String>);

const SPELLINGS: &[Spelling] = &[
    ("alpine", |platform, _| owned(platform.alpine())),
    ("arch", |platform, _| owned(Some(platform.arch()))),
    ("dashes", |platform, _| Some(platform.to_string().replace('/', "-"))),
    ("debian", |platform, _| owned(platform.debian())),
    ("goarch", |platform, _| owned(Some(platform.arch()).filter(|_| platform.is_go()))),
    ("goarm", |platform, _| {
        owned(platform.go_level().filter(|(name, _)| *name == "GOARM").map(|(_, level)| level))
    }),
    ("goos", |platform, _| owned(Some(platform.os()).filter(|_| platform.is_go()))),
    ("multiarch", |platform, _| platform.multiarch()),
    ("oci", |platform, _| Some(platform.to_string())),
    ("os", |platform, _| owned(Some(platform.os()))),
    ("qemu", |platform, _| owned(platform.qemu())),
    ("rpm", |platform, _| owned(platform.rpm())),
    ("rust", |platform, libc| owned(platform.rust(libc).or_else(|| platform.rust(Libc::System)))),
    ("uname", |platform, _| owned(platform.uname())),
    ("variant", |platform, _| owned(Some(platform.variant()))),
    ("zig", |platform, libc| platform.zig(libc)),
];

fn owned(name: Option<&str>) -> Option<String> {
    name.map(str::to_owned)
}

/// Answers `translate --to NAME` or `translate --format TEXT`, for the target or `--platform P`.
///
/// In a format, `{os}`, `{arch}`, `{variant}` and every name of `--to` stand for the platform's word.
pub(super) fn translate(args: &[String], target: &Target) -> Result<Plan, Failure> {
    let usage = || {
        let names: Vec<&str> = SPELLINGS.iter().map(|(name, _)| *name).collect();
        Failure::new("Usage: xx-info translate [--platform PLATFORM] (--to NAME | --format TEXT)")
            .hint(format!("names: {}", names.join(" ")))
    };
    let (mut platform, mut text) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, value.to_owned()),
            None => (arg.as_str(), args.next().cloned().ok_or_else(usage)?),
        };
        match flag {
            "--platform" => {
                platform = Some(value.parse::<Platform>().map_err(|error| Failure::new(error.to_string()))?)
            }
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
        let (name, next) = after
            .split_once('}')
            .ok_or_else(|| Failure::new(format!("`{format}`: a brace is not closed")))?;
        let spelling = SPELLINGS.iter().find(|(known, _)| *known == name);
        let (_, spell) = spelling.ok_or_else(|| {
            let names: Vec<&str> = SPELLINGS.iter().map(|(name, _)| *name).collect();
            Failure::new(format!("`{name}` is no spelling")).hint(format!("known: {}", names.join(" ")))
        })?;
        let word = spell(platform, libc)
            .ok_or_else(|| Failure::new(format!("{platform} has no name in the spelling `{name}`")))?;
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
    let suffix = platform
        .qemu()
        .ok_or_else(|| Failure::new(format!("QEMU has no user-mode program for {platform}")))?;
    let names = [format!("qemu-{suffix}"), format!("qemu-{suffix}-static")];
    let found = names.iter().find_map(|name| host.program(name));
    let program =
        found.map_or_else(|| names.first().cloned().unwrap_or_default(), |path| path.display().to_string());
    let prefix = target.ld_prefix(host).unwrap_or_else(|| "/".to_owned());
    Ok(Plan::line(format_args!("QEMU={program}\nQEMU_LD_PREFIX={prefix}")))
}

/// Answers `--json`: every value, those that the target does not have as null.
pub(super) fn json(target: &Target, host: &dyn Host) -> Plan {
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
    put("triple", names.map(|names| names.triple.clone()));
    put("march", names.map(|names| names.march.clone()));
    put("pkg_arch", names.map(|_| target.package_arch().to_owned()));
    put("sysroot", names.map(|names| sysroot(target, names, host)));
    for (name, spell) in SPELLINGS.iter().filter(|(name, _)| !matches!(*name, "os" | "arch" | "variant")) {
        put(name, target.platform.as_ref().and_then(|platform| spell(platform, target.libc_id())));
    }
    object.insert("is_cross".to_owned(), target.is_cross(host).into());
    Plan::line(serde_json::Value::Object(object))
}
