//! OCI platform strings in: `os[(version)]/arch[/variant]`, with containerd's normalisations.
//!
//! Pure: no part is ever filled in from the machine this runs on. Where a tool allows a single part (`--platform=arm64`),
//! it passes the platform that fills the rest to [`Platform::parse_on`]. Spellings of other tools are in
//! `spelling.rs`.

use crate::arch::Arch;
use crate::axis::{key, known};
use crate::error::{ParsePlatformError, Part};
use crate::os::Os;
use crate::platform::Platform;
use crate::suggest::nearest;
use crate::table;
use crate::variant::Variant;

/// Longest operating system version accepted, in bytes.
const LONGEST_VERSION: usize = 64;

/// An architecture as read, before the variant: some spellings fix the variant too.
#[derive(Clone, Copy)]
struct ReadArch {
    arch: Arch,
    /// The variant that the spelling itself names (`armhf`), which then replaces a written one.
    variant: Option<Variant>,
}

pub(crate) fn parse(input: &str) -> Result<Platform, ParsePlatformError> {
    read(input).map_err(|part| ParsePlatformError::new(input, part, suggestion(input, part)))
}

/// Reads a platform, or says which part is wrong, without looking for what was meant.
pub(crate) fn read(input: &str) -> Result<Platform, Part> {
    let mut parts = input.split('/');
    let (Some(os), Some(arch)) = (parts.next(), parts.next()) else { return Err(Part::Shape) };
    let variant = parts.next();
    if parts.next().is_some() || variant == Some("") || arch.is_empty() || os.is_empty() {
        return Err(Part::Shape);
    }
    let (os, version) = split_version(os).ok_or(Part::OsVersion)?;
    read_parts(os, arch, variant.unwrap_or_default(), version)
}

pub(crate) fn parse_parts(
    os: &str,
    arch: &str,
    variant: &str,
    version: &str,
) -> Result<Platform, ParsePlatformError> {
    let version = Some(version).filter(|version| !version.is_empty());
    let read = match version {
        Some(version) if !is_version(version) => Err(Part::OsVersion),
        _ => read_parts(os, arch, variant, version),
    };
    read.map_err(|part| {
        let whole =
            if variant.is_empty() { format!("{os}/{arch}") } else { format!("{os}/{arch}/{variant}") };
        ParsePlatformError::new(&whole, part, suggestion(&whole, part))
    })
}

fn read_parts(os: &str, arch: &str, variant: &str, version: Option<&str>) -> Result<Platform, Part> {
    let os = read_os(os).ok_or(Part::Os)?;
    let read = read_arch(arch).ok_or(Part::Arch)?;
    let variant = match read.variant {
        Some(fixed) => fixed,
        None => read.arch.variant(variant).ok_or(Part::Variant)?,
    };
    if table::find(os, read.arch, variant).is_none() {
        return Err(Part::Combination);
    }
    Ok(Platform::from_ids(os, read.arch, variant, version))
}

/// Reads one part (`linux` or `arm64`) or a whole platform, taking what is missing from `host`.
pub(crate) fn parse_on(input: &str, host: &Platform) -> Result<Platform, ParsePlatformError> {
    if input.contains('/') {
        return parse(input);
    }
    let (os, arch, variant) = match (read_os(input), read_arch(input)) {
        (Some(os), _) => (os, host.arch_id(), host.variant_id()),
        (None, Some(read)) => (host.os_id(), read.arch, read.variant.unwrap_or(read.arch.default_variant())),
        (None, None) => return parse(input),
    };
    if !table::runs_on(os, arch) {
        return Err(ParsePlatformError::new(input, Part::Combination, None));
    }
    Ok(Platform::from_ids(os, arch, variant, None))
}

fn read_os(text: &str) -> Option<Os> {
    const MACOS: u128 = known("macos");
    match key(text)? {
        MACOS => Some(Os::Darwin),
        name => Os::from_key(name),
    }
}

/// Other spellings of architectures. Source: containerd's `normalizeArch`.
const ARCHES: &[(u128, ReadArch)] = &[
    (known("aarch64"), ReadArch { arch: Arch::Arm64, variant: None }),
    (known("armel"), ReadArch { arch: Arch::Arm, variant: Some(Variant::V6) }),
    (known("armhf"), ReadArch { arch: Arch::Arm, variant: Some(Variant::V7) }),
    (known("i386"), ReadArch { arch: Arch::I386, variant: Some(Variant::Base) }),
    (known("wasm32"), ReadArch { arch: Arch::Wasm, variant: None }),
    (known("x86-64"), ReadArch { arch: Arch::Amd64, variant: None }),
    (known("x86_64"), ReadArch { arch: Arch::Amd64, variant: None }),
];

fn read_arch(text: &str) -> Option<ReadArch> {
    let name = key(text)?;
    let other = ARCHES.iter().find(|(other, _)| *other == name).map(|(_, read)| *read);
    other.or_else(|| Arch::from_key(name).map(|arch| ReadArch { arch, variant: None }))
}

/// Splits `windows(10.0.17763)` into its two parts; `None` when the parentheses or the version are malformed.
fn split_version(os: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, rest)) = os.split_once('(') else {
        return (!os.contains(')')).then_some((os, None));
    };
    let version = rest.strip_suffix(')')?;
    is_version(version).then_some((name, Some(version)))
}

fn is_version(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= LONGEST_VERSION && text.bytes().all(plain)
}

/// Builds the nearest known platform for a message.
fn suggestion(input: &str, part: Part) -> Option<String> {
    let (os, rest) = input.split_once('/').unwrap_or(("linux", input));
    let (arch, variant) = rest.split_once('/').map_or((rest, None), |(arch, variant)| (arch, Some(variant)));
    match part {
        Part::Shape if !input.contains('/') => {
            let (arch, said) = near_arch(arch)?;
            whole(os, arch, said)
        }
        Part::Os => whole(near_os(os)?, read_arch(arch)?.arch, variant),
        Part::Arch => {
            let (arch, said) = near_arch(arch)?;
            whole(os, arch, said.or(variant))
        }
        Part::Variant => {
            let arch = read_arch(arch)?.arch;
            whole(os, arch, Some(nearest(variant?, arch.variants().iter().map(|variant| variant.name()))?))
        }
        Part::Shape | Part::OsVersion | Part::Combination | Part::Machine => None,
    }
}

fn whole(os: &str, arch: Arch, variant: Option<&str>) -> Option<String> {
    let text = match variant {
        Some(variant) => format!("{os}/{arch}/{variant}"),
        None => format!("{os}/{arch}"),
    };
    read(&text).ok().map(|platform| platform.to_string())
}

/// Names that people write for an architecture, with the variant that they say, for suggestions only.
const ARCH_HABITS: &[(&str, Arch, Option<&str>)] = &[
    ("amd64v2", Arch::Amd64, Some("v2")),
    ("amd64v3", Arch::Amd64, Some("v3")),
    ("amd64v4", Arch::Amd64, Some("v4")),
    ("arm32v5", Arch::Arm, Some("v5")),
    ("arm32v6", Arch::Arm, Some("v6")),
    ("arm32v7", Arch::Arm, Some("v7")),
    ("arm64v8", Arch::Arm64, None),
    ("armv5", Arch::Arm, Some("v5")),
    ("armv5l", Arch::Arm, Some("v5")),
    ("armv6", Arch::Arm, Some("v6")),
    ("armv6l", Arch::Arm, Some("v6")),
    ("armv7", Arch::Arm, Some("v7")),
    ("armv7a", Arch::Arm, Some("v7")),
    ("armv7l", Arch::Arm, Some("v7")),
    ("armv8", Arch::Arm64, None),
    ("i586", Arch::I386, None),
    ("i686", Arch::I386, None),
    ("ia32", Arch::I386, None),
    ("x86", Arch::I386, None),
    ("loongarch64", Arch::Loong64, None),
    ("mips64el", Arch::Mips64le, None),
    ("mipsel", Arch::Mipsle, None),
    ("powerpc64le", Arch::Ppc64le, None),
    ("ppc64el", Arch::Ppc64le, None),
    ("riscv64gc", Arch::Riscv64, None),
    ("x64", Arch::Amd64, None),
];

/// Names that people write for an operating system, for suggestions only.
const OS_HABITS: &[(&str, &str)] = &[
    ("mac", "darwin"),
    ("osx", "darwin"),
    ("sunos", "solaris"),
    ("win", "windows"),
    ("win32", "windows"),
    ("win64", "windows"),
];

fn near_os(text: &str) -> Option<&'static str> {
    let habit = OS_HABITS.iter().find(|(habit, _)| habit.eq_ignore_ascii_case(text));
    habit.map(|(_, os)| *os).or_else(|| nearest(text, Os::ALL.iter().map(|os| os.name())))
}

/// The architecture that is meant, and the variant that its name says.
fn near_arch(text: &str) -> Option<(Arch, Option<&'static str>)> {
    if let Some(read) = read_arch(text) {
        return Some((read.arch, None));
    }
    if let Some((_, arch, variant)) = ARCH_HABITS.iter().find(|(habit, ..)| habit.eq_ignore_ascii_case(text))
    {
        return Some((*arch, *variant));
    }
    Some((Arch::from_name(nearest(text, Arch::ALL.iter().map(|arch| arch.name()))?)?, None))
}
