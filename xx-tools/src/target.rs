//! What is being built for, from the environment.
//!
//! The precedence of TARGETPAIR, TARGETPLATFORM, TARGETOS/ARCH/VARIANT, the `XX_*` overrides and the build machine
//! lives here only. The words stay as the user wrote them, because Dockerfiles read them back; the names derived
//! from them come from [`Platform`], and a target that is no known platform has none.

use std::path::Path;

use platform_db::{Arch, GnuWords, Libc, Os, Platform};

use crate::distro::{Distro, Family, family_of};
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;

/// The target, with every name that depends on the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Operating system as written: `linux`.
    pub os: String,
    /// Architecture as written; empty when neither the user nor the machine says one.
    pub arch: String,
    /// Variant as written.
    pub variant: String,
    /// Distribution of the build stage.
    pub distro: Distro,
    /// Vendor word: `debian`, `alpine`, `apple`, or the user's.
    pub vendor: String,
    /// C library word of the triple: `gnu`, `musl`, `mingw32`.
    pub libc: String,
    /// Folder with the target's headers and libraries that the user named (`XX_SYSROOT`), absolute; empty for the
    /// running system.
    pub sysroot: String,
    /// The platform, when the three words name a known one.
    pub platform: Option<Platform>,
    /// Names, when the drop-in commands answer for the target.
    pub names: Option<Names>,
}

/// Names of a target in the spelling of each tool.
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
    /// Clang's target triple.
    pub triple: String,
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

impl Target {
    /// Reads the target of a call.
    #[must_use]
    pub fn read(env: &Env, host: &dyn Host) -> Self {
        let mut words = Words::read(env);
        let distro = Distro::parse(host.read(Path::new("/etc/os-release")).as_deref());
        let vendor = vendor(env, &words.os, &distro);
        let libc = libc(env, &words.os, &distro);
        if words.arch.is_empty()
            && let Ok(here) = Platform::from_uname(&host.machine())
            && (LINUX.contains(&here.arch_id()))
        {
            here.arch().clone_into(&mut words.arch);
            if here.arch_id() == Arch::Arm {
                here.variant().clone_into(&mut words.variant);
            }
        }
        if words.os.is_empty() {
            "linux".clone_into(&mut words.os);
        }
        if words.arch == "arm" && words.variant.is_empty() {
            "v7".clone_into(&mut words.variant);
        }
        let platform = platform(&words);
        let mut target = Self {
            os: words.os,
            arch: words.arch,
            variant: words.variant,
            distro,
            vendor,
            libc,
            sysroot: given_sysroot(env),
            platform,
            names: None,
        };
        target.names = names(env, &target);
        target.tell(env, host);
        target
    }

    /// Says where the words come from.
    fn tell(&self, env: &Env, host: &dyn Host) {
        let Self { os, arch, variant, vendor, libc, .. } = self;
        let named = ["TARGETPLATFORM", "TARGETPAIR", "TARGETARCH", "TARGETOS"];
        let named = named.into_iter().find(|name| env.is_set(name));
        let of = |name: &'static str, other: &'static str| if env.is_set(name) { name } else { other };
        host.why(format_args!(
            "target {os}/{arch} {variant}: {}",
            named.unwrap_or("the build machine, nothing names one")
        ));
        host.why(format_args!(
            "vendor {vendor}: {}; C library {libc}: {}",
            of("XX_VENDOR", "os-release and system"),
            of("XX_LIBC", "os-release and system")
        ));
    }

    /// Returns the names, or the refusal of a target that has none.
    ///
    /// # Errors
    /// When the target is no platform that the tools support.
    pub fn supported(&self) -> Result<&Names, Failure> {
        let word = |word: &str| if word.is_empty() { "unknown".to_owned() } else { word.to_owned() };
        self.names.as_ref().ok_or_else(|| {
            let (os, arch) = (word(&self.os), word(&self.arch));
            let failure =
                Failure::new(format!("unsupported target: os={os} arch={arch} variant={}", self.variant));
            match self.known() {
                Ok(platform) => {
                    failure.hint(format!("no C compiler is set up for {platform}; `xx-go` may build for it"))
                }
                Err(known) => Failure { hint: known.hint, ..failure },
            }
        })
    }

    /// Returns the platform, or the refusal of a target that is none.
    ///
    /// # Errors
    /// When the target is no known platform.
    pub fn known(&self) -> Result<&Platform, Failure> {
        self.platform.as_ref().ok_or_else(|| {
            let text = format!("{}/{}", self.os, self.arch);
            let hint = text.parse::<Platform>().err().and_then(|error| error.did_you_mean);
            let failure = Failure::new(format!(
                "unsupported target: os={} arch={} variant={}",
                self.os, self.arch, self.variant
            ));
            failure.hint(match hint {
                Some(known) => format!("did you mean `{known}`?"),
                None => {
                    "set TARGETPLATFORM as in `linux/arm64`; `xx-info list` has every platform".to_owned()
                }
            })
        })
    }

    /// Returns whether programs of the target are foreign to the machine that builds.
    #[must_use]
    pub fn is_cross(&self, host: &dyn Host) -> bool {
        let machine = host.machine();
        let same = self.names.as_ref().is_some_and(|names| {
            names.march == machine
                || (names.march == "i386" && Platform::from_uname(&machine) == self.plain())
        });
        !(same && self.os == "linux")
    }

    fn plain(&self) -> Result<Platform, platform_db::ParsePlatformError> {
        format!("{}/{}", self.os, self.arch).parse()
    }

    /// Returns the family whose package names the vendor word selects.
    #[must_use]
    pub fn family(&self) -> Family {
        if self.vendor == self.distro.id {
            self.distro.family
        } else {
            family_of(&self.vendor).unwrap_or(Family::Other)
        }
    }

    /// Returns the architecture in the package manager's spelling.
    #[must_use]
    pub fn package_arch(&self) -> &str {
        match (self.family(), &self.names) {
            (Family::Debian, Some(names)) => &names.debian,
            (Family::Alpine, Some(names)) => &names.alpine,
            (Family::Rhel, Some(names)) => &names.rpm,
            (Family::Other, _) | (_, None) => &self.arch,
        }
    }

    /// Returns where dynamic linkers of the target are: what QEMU's `-L` takes. None where it is at its own place in the
    /// running system: that of a cross compiler's package is of another build, and would not fit the libraries there.
    #[must_use]
    pub fn ld_prefix(&self, host: &dyn Host) -> Option<String> {
        if self.sysroot.is_empty() && self.dynamic_linker().is_some_and(|path| host.is_file(Path::new(&path)))
        {
            return None;
        }
        let triple = self.names.as_ref().map(|names| names.triple.as_str()).unwrap_or_default();
        let roots = match self.sysroot.as_str() {
            "" => vec![format!("/{triple}"), format!("/usr/{triple}")],
            root => vec![format!("{root}/usr/{triple}"), root.to_owned()],
        };
        roots.into_iter().find(|root| host.is_dir(&Path::new(root).join("lib")))
    }

    /// Returns the path of the dynamic linker that programs of the target name.
    #[must_use]
    pub fn dynamic_linker(&self) -> Option<String> {
        self.platform.as_ref()?.dynamic_linker(self.libc_id())
    }

    /// Returns the C library as the platform table knows it.
    #[must_use]
    pub fn libc_id(&self) -> Libc {
        match (self.os.as_str(), self.libc.as_str()) {
            ("linux", "musl") => Libc::Musl,
            ("linux" | "windows", _) => Libc::Gnu,
            _ => Libc::System,
        }
    }
}

/// A root unpacked by `xx-apt-get --target-root` instead of packages installed beside the build machine's.
fn given_sysroot(env: &Env) -> String {
    if !env.is_set("XX_SYSROOT") {
        return String::new();
    }
    let path = env.cwd.join(env.var("XX_SYSROOT")).to_string_lossy().into_owned();
    path.trim_end_matches('/').to_owned()
}

/// The three words of a target.
#[derive(Default)]
struct Words {
    os: String,
    arch: String,
    variant: String,
    /// Third field of TARGETPLATFORM, as it is. The original takes only some into TARGETVARIANT, and its answers stay;
    /// but compilers are told of every one.
    written: String,
}

impl Words {
    fn read(env: &Env) -> Self {
        let mut words = Self {
            os: env.var("TARGETOS").to_owned(),
            arch: env.var("TARGETARCH").to_owned(),
            variant: env.var("TARGETVARIANT").to_owned(),
            written: String::new(),
        };
        words.take_pair(env.var("TARGETPAIR"));
        words.take_platform(env.var("TARGETPLATFORM"));
        words
    }

    /// `os-arch[variant]`; only an arm variant can be told from the architecture.
    fn take_pair(&mut self, pair: &str) {
        let (os, arch) = two(pair, '-');
        if os.is_empty() || arch.is_empty() {
            return;
        }
        os.clone_into(&mut self.os);
        match arch.strip_prefix("armv") {
            Some(version) => {
                "arm".clone_into(&mut self.arch);
                self.variant = format!("v{version}");
            }
            None => arch.clone_into(&mut self.arch),
        }
    }

    /// `os/arch[/variant]`.
    fn take_platform(&mut self, platform: &str) {
        let (os, arch) = two(platform, '/');
        if os.is_empty() || arch.is_empty() {
            return;
        }
        let variant = platform.split('/').nth(2).unwrap_or_default();
        os.clone_into(&mut self.os);
        arch.clone_into(&mut self.arch);
        variant.clone_into(&mut self.written);
        match (arch, variant) {
            ("amd64", "v2" | "v3" | "v4") | ("arm", "v5" | "v6" | "v8") => {
                variant.clone_into(&mut self.variant)
            }
            ("arm", _) => "v7".clone_into(&mut self.variant),
            (arch, _) if arch.starts_with("mips") => variant.clone_into(&mut self.variant),
            _ => {}
        }
    }
}

/// First two fields; a text without the separator is both, as `cut` has it.
fn two(text: &str, separator: char) -> (&str, &str) {
    let mut fields = text.split(separator);
    let first = fields.next().unwrap_or_default();
    (first, fields.next().unwrap_or(first))
}

/// A variant left over from another architecture (`TARGETVARIANT=v7` with arm64) does not count.
fn platform(words: &Words) -> Option<Platform> {
    let plain = format!("{}/{}", words.os, words.arch);
    let variant = if words.variant.is_empty() { &words.written } else { &words.variant };
    let written = format!("{plain}/{variant}");
    written.parse().or_else(|_| plain.parse()).ok()
}

fn vendor(env: &Env, os: &str, distro: &Distro) -> String {
    let given = env.var("XX_VENDOR");
    let vendor = if !given.is_empty() {
        given
    } else if os == "darwin" {
        "apple"
    } else if distro.id.is_empty() {
        "unknown"
    } else {
        &distro.id
    };
    vendor.to_owned()
}

fn libc(env: &Env, os: &str, distro: &Distro) -> String {
    let given = env.var("XX_LIBC");
    let libc = if !given.is_empty() {
        given
    } else if os == "windows" {
        "mingw32"
    } else if distro.family == Family::Alpine {
        "musl"
    } else {
        "gnu"
    };
    libc.to_owned()
}

fn names(env: &Env, target: &Target) -> Option<Names> {
    let named = target.platform.as_ref().filter(|platform| {
        platform.arch() == target.arch
            && (platform.os_id() != Os::Linux || LINUX.contains(&platform.arch_id()))
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
        triple: triple(env, target, platform)?,
    })
}

/// Package architectures are asked for other systems too; they are those of Linux on the same processor.
fn linux_twin(platform: &Platform) -> Option<Platform> {
    format!("linux/{}/{}", platform.arch(), platform.variant())
        .parse()
        .or_else(|_| format!("linux/{}", platform.arch()).parse())
        .ok()
}

/// A target that the table does not have, when the user names it whole (`XX_MARCH` and `XX_TRIPLE`).
fn user_names(env: &Env) -> Option<Names> {
    let word = |name: &str| if env.is_set(name) { env.var(name).to_owned() } else { "unknown".to_owned() };
    (env.is_set("XX_MARCH") && env.is_set("XX_TRIPLE")).then(|| Names {
        march: word("XX_MARCH"),
        debian: word("XX_DEBIAN_ARCH"),
        alpine: word("XX_ALPINE_ARCH"),
        rpm: word("XX_RHEL_ARCH"),
        triple: word("XX_TRIPLE"),
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
