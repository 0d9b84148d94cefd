//! What is being built for, from the environment.
//!
//! The precedence of TARGETPAIR, TARGETPLATFORM, TARGETOS/ARCH/VARIANT, the `XX_*` overrides and the build machine
//! lives here and in the two modules below only. The words stay as the user wrote them, because Dockerfiles read them
//! back; the names derived from them come from [`Platform`], and a target that is no known platform has none.

mod names;
mod words;

use std::path::Path;

use platform_db::{Arch, Libc, Os, Platform};

use crate::distro::{Distro, Family, family_of};
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;

pub use names::Names;
use words::Words;

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
            && names::is_answered(here.arch_id())
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
        let platform = words.platform();
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
        target.names = names::read(env, &target);
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
        self.names.as_ref().ok_or_else(|| self.refusal())
    }

    /// Returns the C compiler's triple, or the refusal of a target that has none.
    ///
    /// # Errors
    /// When no C compiler is set up for the target.
    pub fn c_triple(&self) -> Result<&str, Failure> {
        self.triple().ok_or_else(|| self.refusal())
    }

    /// Returns the C compiler's triple, if the target has one.
    #[must_use]
    pub fn triple(&self) -> Option<&str> {
        self.names.as_ref()?.triple.as_deref()
    }

    fn refusal(&self) -> Failure {
        let word = |word: &str| if word.is_empty() { "unknown".to_owned() } else { word.to_owned() };
        let (os, arch) = (word(&self.os), word(&self.arch));
        let failure =
            Failure::new(format!("unsupported target: os={os} arch={arch} variant={}", self.variant));
        match self.known() {
            Ok(platform) if (platform.os(), platform.arch()) != (os.as_str(), arch.as_str()) => {
                failure.hint(format!("did you mean `{platform}`?"))
            }
            Ok(platform) => {
                failure.hint(format!("no C compiler is set up for {platform}; `xx-go` may build for it"))
            }
            Err(known) => Failure { hint: known.hint, ..failure },
        }
    }

    /// Returns what is skipped by tools that install packages of the target, which only Linux has: Dockerfiles install
    /// packages and then build for every target. A system that nobody knows is a slip, and refused.
    ///
    /// # Errors
    /// When the target is no platform that the tools support.
    pub fn without_packages(&self) -> Result<Option<&str>, Failure> {
        if self.os != "linux" && (Os::from_name(&self.os).is_some() || self.platform.is_some()) {
            return Ok(Some(&self.os));
        }
        self.supported().map(|_| None)
    }

    /// Returns the platform whose variant says the processor's level: a system may be known on one level only (OpenBSD
    /// on ARMv7) that compilers build for on others, too.
    #[must_use]
    pub fn level(&self) -> Option<Platform> {
        let arm = || Platform::from_parts("linux", "arm", &self.variant, "").ok();
        let platform = self.platform.clone()?;
        if platform.arch_id() == Arch::Arm { arm().or(Some(platform)) } else { Some(platform) }
    }

    /// Returns the platform, or the refusal of a target that is none.
    ///
    /// # Errors
    /// When the target is no known platform.
    pub fn known(&self) -> Result<&Platform, Failure> {
        self.platform.as_ref().ok_or_else(|| {
            let variant = Some(&self.variant).filter(|variant| !variant.is_empty());
            let text = format!("{}/{}", self.os, self.arch);
            let text = variant.map_or_else(|| text.clone(), |variant| format!("{text}/{variant}"));
            let hint = text.parse::<Platform>().err().and_then(|error| error.did_you_mean);
            let failure = Failure::new(format!(
                "unsupported target: os={} arch={} variant={}",
                self.os, self.arch, self.variant
            ));
            failure.hint(match hint {
                Some(known) => format!("did you mean `{known}`?"),
                None if self.has_unknown_variant() => self.variants(),
                None => {
                    "set TARGETPLATFORM as in `linux/arm64`; `xx-info list` has every platform".to_owned()
                }
            })
        })
    }

    /// What variants there are.
    fn variants(&self) -> String {
        let Ok(plain) = self.plain() else { return String::new() };
        let of_it = Platform::all()
            .filter(|platform| platform.os_id() == plain.os_id() && platform.arch_id() == plain.arch_id());
        let known: Vec<String> = of_it.map(|platform| format!("`{platform}`")).collect();
        format!("it is one of {}", known.join(" "))
    }

    /// Returns whether the target is none because its architecture has no such variant.
    #[must_use]
    pub fn has_unknown_variant(&self) -> bool {
        self.platform.is_none() && !self.variant.is_empty() && self.plain().is_ok()
    }

    /// Looks for the folder that the user names with `XX_SYSROOT`. Compilers would say of each file that it is missing.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn has_sysroot(&self, host: &dyn Host) -> Result<(), Failure> {
        if self.sysroot.is_empty() || host.is_dir(Path::new(&self.sysroot)) {
            return Ok(());
        }
        Err(Failure::new(format!("XX_SYSROOT: `{}` is no folder", self.sysroot)).hint(
            match self.distro.family {
                Family::Alpine => {
                    "leave it empty: `xx-apk add xx-c-essentials` fills the target's own root".to_owned()
                }
                Family::Rhel => {
                    "leave it empty: `xx-dnf install xx-c-essentials` fills the target's own root".to_owned()
                }
                Family::Debian | Family::Other => {
                    format!(
                        "fill one with `xx-apt-get --target-root {} install xx-c-essentials`",
                        self.sysroot
                    )
                }
            },
        ))
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
        Platform::from_parts(&self.os, &self.arch, "", "")
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
        let triple = self.triple().unwrap_or_default();
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
