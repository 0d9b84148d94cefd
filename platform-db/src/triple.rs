//! Target triples in: clang's, GCC's, Rust's and Debian's.
//!
//! Rust's targets and the GNU words of Linux are rows of the tables. Everything else is read by `target-lexicon`; the
//! spellings it does not know (`w64-mingw32`, `macos11.0`) are turned into ones it does first.

use target_lexicon::{Architecture, ArmArchitecture, Environment, Mips32Architecture, Mips64Architecture};
use target_lexicon::{OperatingSystem, Triple};

use crate::arch::Arch;
use crate::os::Os;
use crate::platform::Platform;
use crate::rust;
use crate::table::{self, GnuWords, ROWS};
use crate::variant::Variant;

impl Platform {
    /// Reads a target triple; `None` when it names no known platform.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let platform = Platform::from_triple("armv6-alpine-linux-musleabihf").unwrap();
    /// assert_eq!(platform.to_string(), "linux/arm/v6");
    /// ```
    #[must_use]
    pub fn from_triple(text: &str) -> Option<Self> {
        if let Some((os, arch, variant)) =
            rust::platform(text).or_else(|| linux_words(text)).or_else(|| riscv(text))
        {
            return Some(Self::from_ids(os, arch, variant, None));
        }
        let triple: Triple = known_spelling(text)?.parse().ok()?;
        let (arch, variant) = arch(&triple)?;
        let os = os(&triple)?;
        table::find(os, arch, variant).map(|_| Self::from_ids(os, arch, variant, None))
    }
}

/// `CPU[-VENDOR]-linux-LIBCABI`, in the words of a row; of several rows the lowest variant.
fn linux_words(text: &str) -> Option<(Os, Arch, Variant)> {
    let (cpu, rest) = text.split_once('-')?;
    let last = rest.strip_prefix("linux-").or_else(|| rest.split_once("-linux-").map(|(_, last)| last))?;
    let abi = ["gnu", "musl", "uclibc"].iter().find_map(|libc| last.strip_prefix(libc))?;
    let fits = |words: Option<GnuWords<'static>>| words == Some(GnuWords { cpu, abi });
    let found = ROWS.iter().find(|row| row.os == Os::Linux && (fits(row.gnu) || fits(row.alpine_gnu)))?;
    Some((found.os, found.arch, found.variant))
}

/// LLVM leaves out the extensions that Rust puts into the first word: `riscv64gc`.
fn riscv(text: &str) -> Option<(Os, Arch, Variant)> {
    let (cpu, rest) = text.split_once('-').filter(|(cpu, _)| matches!(*cpu, "riscv32" | "riscv64"))?;
    let same =
        |target: &str| target.split_once('-').is_some_and(|(word, end)| word.starts_with(cpu) && end == rest);
    rust::TARGETS.iter().find(|row| same(row.4)).map(|(os, arch, variant, ..)| (*os, *arch, *variant))
}

fn known_spelling(text: &str) -> Option<String> {
    if let Some(cpu) = text.strip_suffix("-w64-mingw32") {
        return Some(format!("{cpu}-pc-windows-gnu"));
    }
    let (cpu, rest) = text.split_once('-')?;
    if rest.split('-').next_back()?.starts_with("macos") {
        let cpu = if cpu == "arm64" { "aarch64" } else { cpu };
        return Some(format!("{cpu}-apple-darwin"));
    }
    Some(text.to_owned())
}

fn os(triple: &Triple) -> Option<Os> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of another crate with systems that are not rows"
    )]
    Some(match triple.operating_system {
        OperatingSystem::Linux
            if matches!(triple.environment, Environment::Android | Environment::Androideabi) =>
        {
            Os::Android
        }
        OperatingSystem::Linux => Os::Linux,
        OperatingSystem::Darwin(_) | OperatingSystem::MacOSX(_) => Os::Darwin,
        OperatingSystem::Dragonfly => Os::Dragonfly,
        OperatingSystem::Emscripten => Os::Emscripten,
        OperatingSystem::Freebsd => Os::Freebsd,
        OperatingSystem::Fuchsia => Os::Fuchsia,
        OperatingSystem::Illumos => Os::Illumos,
        OperatingSystem::IOS(_) => Os::Ios,
        OperatingSystem::Netbsd => Os::Netbsd,
        OperatingSystem::None_ => Os::None,
        OperatingSystem::Openbsd => Os::Openbsd,
        OperatingSystem::Redox => Os::Redox,
        OperatingSystem::Solaris => Os::Solaris,
        OperatingSystem::TvOS(_) => Os::Tvos,
        OperatingSystem::VisionOS(_) => Os::Visionos,
        OperatingSystem::WatchOS(_) => Os::Watchos,
        OperatingSystem::Aix => Os::Aix,
        OperatingSystem::Unknown if triple.architecture == Architecture::Wasm32 => Os::None,
        OperatingSystem::Uefi => Os::Uefi,
        OperatingSystem::Wasi => Os::Wasi,
        OperatingSystem::WasiP1 => Os::Wasip1,
        OperatingSystem::WasiP2 => Os::Wasip2,
        OperatingSystem::Windows => Os::Windows,
        _ => return None,
    })
}

fn arch(triple: &Triple) -> Option<(Arch, Variant)> {
    let x32 = triple.environment == Environment::Gnux32;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an enum of another crate with machines that are not rows"
    )]
    let arch = match triple.architecture {
        Architecture::X86_32(_) => Arch::I386,
        Architecture::X86_64 if x32 => Arch::Amd64p32,
        Architecture::X86_64 => Arch::Amd64,
        Architecture::Arm(arm) => return Some(arm_revision(arm, triple.environment)),
        Architecture::Aarch64(target_lexicon::Aarch64Architecture::Aarch64be) => Arch::Arm64be,
        Architecture::Aarch64(_) => Arch::Arm64,
        Architecture::LoongArch64 => Arch::Loong64,
        Architecture::M68k => Arch::M68k,
        Architecture::Mips32(Mips32Architecture::Mips) => Arch::Mips,
        Architecture::Mips32(Mips32Architecture::Mipsel) => Arch::Mipsle,
        Architecture::Mips64(Mips64Architecture::Mips64) => Arch::Mips64,
        Architecture::Mips64(Mips64Architecture::Mips64el) => Arch::Mips64le,
        Architecture::Powerpc => Arch::Ppc,
        Architecture::Powerpc64 => Arch::Ppc64,
        Architecture::Powerpc64le => Arch::Ppc64le,
        Architecture::Riscv32(_) => Arch::Riscv,
        Architecture::Riscv64(_) => Arch::Riscv64,
        Architecture::S390x => Arch::S390x,
        Architecture::Sparc => Arch::Sparc,
        Architecture::Sparc64 | Architecture::Sparcv9 => Arch::Sparc64,
        Architecture::Wasm32 => Arch::Wasm,
        _ => return None,
    };
    Some((arch, Variant::Base))
}

/// A plain `arm` is v7 with the hard-float ABI and v5 with the soft one, as Debian builds for these triples.
fn arm_revision(arm: ArmArchitecture, environment: Environment) -> (Arch, Variant) {
    let word = arm.into_str();
    let soft = matches!(environment, Environment::Gnueabi | Environment::Musleabi);
    let variant = match word.as_bytes() {
        [b'a', b'r', b'm', b'v', b'4' | b'5', ..] => Variant::V5,
        [b'a', b'r', b'm', b'v', b'6', ..] => Variant::V6,
        [b'a', b'r', b'm', b'v', b'8', ..] => Variant::V8,
        b"arm" if soft => Variant::V5,
        _ => Variant::V7,
    };
    (Arch::Arm, variant)
}

#[cfg(test)]
mod tests {
    use crate::platform::Platform;

    #[test]
    fn triples_of_every_kind() {
        let cases = [
            ("x86_64-linux-gnu", Some("linux/amd64")),
            ("x86_64-unknown-linux-gnu", Some("linux/amd64")),
            ("aarch64-alpine-linux-musl", Some("linux/arm64")),
            ("arm-linux-gnueabihf", Some("linux/arm/v7")),
            ("arm-linux-gnueabi", Some("linux/arm/v5")),
            ("armv7-unknown-linux-gnueabihf", Some("linux/arm/v7")),
            ("armv5te-unknown-linux-gnueabi", Some("linux/arm/v5")),
            ("i586-alpine-linux-musl", Some("linux/386")),
            ("riscv64gc-unknown-linux-gnu", Some("linux/riscv64")),
            ("riscv64-linux-gnu", Some("linux/riscv64")),
            ("powerpc64le-linux-gnu", Some("linux/ppc64le")),
            ("s390x-linux-gnu", Some("linux/s390x")),
            ("loongarch64-linux-gnu", Some("linux/loong64")),
            ("mips64el-linux-gnuabi64", Some("linux/mips64le")),
            ("x86_64-w64-mingw32", Some("windows/amd64")),
            ("aarch64-w64-mingw32", Some("windows/arm64")),
            ("arm64-apple-macos11.0", Some("darwin/arm64")),
            ("aarch64-apple-darwin", Some("darwin/arm64")),
            ("x86_64-unknown-freebsd", Some("freebsd/amd64")),
            ("wasm32-wasip1", Some("wasip1/wasm")),
            ("or1k-linux-gnu", Some("linux/or1k")),
            ("mips64-linux-gnuabin32", Some("linux/mips64p32")),
            ("sh4-unknown-linux-musl", Some("linux/sh4")),
            ("powerpc-linux-gnuspe", Some("linux/ppc/spe")),
            ("nonsense-linux-gnu", None),
            ("nonsense", None),
            ("", None),
        ];
        for (triple, expected) in cases {
            let found = Platform::from_triple(triple).map(|platform| platform.to_string());
            assert_eq!(found.as_deref(), expected, "{triple}");
        }
    }

    /// Every Rust target of the table is read as the platform it stands for.
    #[test]
    fn rust_targets_read_back() {
        for (os, arch, variant, _, target) in crate::rust::TARGETS {
            let platform = Platform::from_triple(target).unwrap();
            if *os != crate::Os::Wasi {
                let found = (platform.os_id(), platform.arch_id(), platform.variant_id());
                assert_eq!(found, (*os, *arch, *variant), "{target}");
            }
        }
    }

    #[test]
    fn gnu_triples_of_every_row_read_back() {
        for platform in Platform::all().filter(|platform| platform.os() == "linux") {
            let words = platform.gnu_words().unwrap();
            let triple = format!("{}-linux-gnu{}", words.cpu, words.abi);
            let found = Platform::from_triple(&triple).and_then(|found| found.gnu_words());
            assert_eq!(found, Some(words), "{triple}");
        }
    }
}
