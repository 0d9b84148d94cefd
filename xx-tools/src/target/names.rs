//! The names of a target that depend on the build stage: its distribution, its C library and the `XX_*` overrides.
//!
//! What a platform is called regardless of the stage is the platform table's. Every system is listed in [`triple`]: one
//! whose C programs nothing here builds is refused, not named after another.

use platform_db::{Arch, GnuWords, Libc, Os, Platform};

use super::Target;
use crate::distro::Family;
use crate::env::Env;

/// Names of a target in the spelling of each tool. Only C compilers need a triple: Go and package managers do not, and
/// build for systems that have none here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `uname -m` on the target.
    pub march: String,
    /// Debian architecture.
    pub debian: String,
    /// Alpine architecture.
    pub alpine: String,
    /// RPM architecture.
    pub rpm: String,
    /// Clang's target triple, where a C compiler is set up for the target.
    pub triple: Option<String>,
}

/// Architectures that the drop-in commands answer for on Linux; others stay refused, as Dockerfiles expect.
const LINUX: &[Arch] = &[
    Arch::I386,
    Arch::Amd64,
    Arch::Arm,
    Arch::Arm64,
    Arch::Loong64,
    Arch::Mips,
    Arch::Mips64,
    Arch::Mips64le,
    Arch::Mipsle,
    Arch::Ppc64le,
    Arch::Riscv64,
    Arch::S390x,
];

/// Returns whether the drop-in commands answer for the architecture on Linux.
pub(super) fn is_answered(arch: Arch) -> bool {
    LINUX.contains(&arch)
}

/// Returns the names of the target's platform, or those that the user gives.
pub(super) fn read(env: &Env, target: &Target) -> Option<Names> {
    let named = target.platform.as_ref().filter(|platform| {
        platform.arch() == target.arch && (platform.os_id() != Os::Linux || is_answered(platform.arch_id()))
    });
    let Some(platform) = named else { return user_names(env) };
    let linux = linux_twin(platform);
    let text = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
    let names_of = linux.as_ref().unwrap_or(platform);
    let march = if platform.os_id() == Os::Darwin { platform.uname() } else { names_of.uname() };
    Some(Names {
        march: march.unwrap_or(platform.arch()).to_owned(),
        debian: text(names_of.debian()),
        alpine: text(names_of.alpine()),
        rpm: text(names_of.rpm()),
        triple: triple(env, target, platform),
    })
}

/// Package architectures are asked for other systems too; they are those of Linux on the same processor.
fn linux_twin(platform: &Platform) -> Option<Platform> {
    let arch = platform.arch_id();
    let linux = |variant| Platform::new(Os::Linux, arch, variant);
    linux(platform.variant_id()).or_else(|| linux(arch.default_variant()))
}

/// A target that the table does not have, when the user names it whole (`XX_MARCH` and `XX_TRIPLE`).
fn user_names(env: &Env) -> Option<Names> {
    let word = |name: &str| if env.is_set(name) { env.var(name).to_owned() } else { "unknown".to_owned() };
    (env.is_set("XX_MARCH") && env.is_set("XX_TRIPLE")).then(|| Names {
        march: word("XX_MARCH"),
        debian: word("XX_DEBIAN_ARCH"),
        alpine: word("XX_ALPINE_ARCH"),
        rpm: word("XX_RHEL_ARCH"),
        triple: Some(word("XX_TRIPLE")),
    })
}

fn triple(env: &Env, target: &Target, platform: &Platform) -> Option<String> {
    let vendor = vendor_part(target);
    match platform.os_id() {
        Os::Linux => Some(linux_triple(env, target, platform, &vendor)),
        Os::Windows => {
            let twin = linux_twin(platform)?.gnu_words()?;
            let cpu = if platform.arch_id() == Arch::Arm { "armv7" } else { twin.cpu };
            Some(format!("{cpu}-w64-mingw32"))
        }
        Os::Darwin => {
            let given = env.var("MACOSX_VERSION_MIN");
            let intel = matches!(platform.arch_id(), Arch::Amd64 | Arch::I386);
            let version = match given {
                "" if intel => "10.6",
                "" => "11.0",
                given => given,
            };
            Some(format!("{}{vendor}-macos{version}", platform.uname().unwrap_or(platform.arch())))
        }
        Os::Wasi | Os::Wasip1 | Os::Wasip2 | Os::Wasip3 => platform.rust(Libc::System).map(str::to_owned),
        Os::Dragonfly | Os::Freebsd | Os::Netbsd | Os::Openbsd => bsd_triple(platform),
        Os::Aix
        | Os::Amdhsa
        | Os::Android
        | Os::Cuda
        | Os::Cygwin
        | Os::Emscripten
        | Os::Espidf
        | Os::Fuchsia
        | Os::Haiku
        | Os::Helenos
        | Os::Hermit
        | Os::Horizon
        | Os::Hurd
        | Os::Illumos
        | Os::Ios
        | Os::Js
        | Os::Kfreebsd
        | Os::L4re
        | Os::Lynxos178
        | Os::Managarm
        | Os::Mint
        | Os::Motor
        | Os::Nacl
        | Os::None
        | Os::Nto
        | Os::Nuttx
        | Os::Plan9
        | Os::Psp
        | Os::Psx
        | Os::Qurt
        | Os::Redox
        | Os::Rtems
        | Os::Solaris
        | Os::Solidasp3
        | Os::Teeos
        | Os::Trusty
        | Os::Tvos
        | Os::Uefi
        | Os::Vexos
        | Os::Visionos
        | Os::Vita
        | Os::Vxworks
        | Os::Watchos
        | Os::Xous
        | Os::Zkvm
        | Os::Zos => None,
    }
}

/// Rust names the BSDs as LLVM does, save for RISC-V's extension letters.
fn bsd_triple(platform: &Platform) -> Option<String> {
    platform.rust(Libc::System).map(|rust| rust.replacen("riscv64gc-", "riscv64-", 1))
}

/// The families without a vendor word are those whose own cross compilers have none.
fn vendor_part(target: &Target) -> String {
    match target.family() {
        Family::Debian | Family::Rhel => String::new(),
        Family::Alpine | Family::Other => format!("-{}", target.vendor),
    }
}

fn linux_triple(env: &Env, target: &Target, platform: &Platform, vendor: &str) -> String {
    let alpine = if target.vendor == "alpine" { platform.alpine_gnu_words() } else { None };
    let words = alpine.or(platform.gnu_words()).unwrap_or(GnuWords { cpu: platform.arch(), abi: "" });
    let given = match (platform.arch_id(), platform.variant()) {
        (Arch::Arm, "v7" | "v8") => env.var("ARM_TARGET_ARCH"),
        (Arch::Riscv64, _) => env.var("RISCV64_TARGET_ARCH"),
        _ => "",
    };
    let cpu = if given.is_empty() { words.cpu } else { given };
    format!("{cpu}{vendor}-linux-{}{}", target.libc, words.abi)
}
