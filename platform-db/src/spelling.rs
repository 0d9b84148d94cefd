//! Names in: a platform from the spelling of one tool.
//!
//! One function per tool, because tools disagree: `armhf` is ARMv7 on Debian and ARMv6 on Alpine. OCI platforms are
//! read by `FromStr`, target triples by `from_triple`, `uname -m` by `from_uname`.

use crate::arch::Arch;
use crate::os::Os;
use crate::parse::read;
use crate::platform::Platform;
use crate::rust;
use crate::table::{ROWS, Row};
use crate::variant::Variant;

impl Platform {
    /// Returns the platform of a Debian architecture. `armel` runs on ARMv5.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// assert_eq!(Platform::from_debian("armhf").unwrap().to_string(), "linux/arm/v7");
    /// assert_eq!(Platform::from_alpine("armhf").unwrap().to_string(), "linux/arm/v6");
    /// ```
    #[must_use]
    pub fn from_debian(name: &str) -> Option<Self> {
        first(|row| row.debian == Some(name))
    }

    /// Returns the platform of an Alpine architecture. apk's own names of little-endian MIPS are read too.
    #[must_use]
    pub fn from_alpine(name: &str) -> Option<Self> {
        let name = match name {
            "mipsel" => "mipsle",
            "mips64el" => "mips64le",
            other => other,
        };
        first(|row| row.alpine == Some(name))
    }

    /// Returns the platform of an RPM architecture, or of one of the processors that rpm names (`i686`, `armv7hnl`).
    #[must_use]
    pub fn from_rpm(name: &str) -> Option<Self> {
        let name = lookup(RPM_PROCESSORS, name).unwrap_or(name);
        first(|row| row.rpm == Some(name))
    }

    /// Returns the platform of a Rust target; older systems, other float ABIs and simulators count as their platform.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// assert_eq!(Platform::from_rust("riscv64a23-unknown-linux-gnu").unwrap().to_string(), "linux/riscv64/rva23u64");
    /// ```
    #[must_use]
    pub fn from_rust(target: &str) -> Option<Self> {
        let (os, arch, variant) = crate::rust::platform(target)?;
        Some(Self::from_ids(os, arch, variant, None))
    }

    /// Returns the platform of Go's pair of names, without a variant.
    #[must_use]
    pub fn from_go(goos: &str, goarch: &str) -> Option<Self> {
        read(&format!("{goos}/{goarch}")).ok().filter(Self::is_go)
    }

    /// Returns the platform of a TARGETPAIR: `linux-armv7`, `darwin-arm64`.
    #[must_use]
    pub fn from_pair(pair: &str) -> Option<Self> {
        let (os, arch) = pair.split_once('-')?;
        match arch.strip_prefix("armv") {
            Some(version) => read(&format!("{os}/arm/v{version}")).ok(),
            None => read(&format!("{os}/{arch}")).ok(),
        }
    }

    /// Returns the platform of a Docker Hub prefix: `arm64v8` of `arm64v8/debian`.
    #[must_use]
    pub fn from_docker_prefix(prefix: &str) -> Option<Self> {
        let found = DOCKER_PREFIXES.iter().find(|(known, _)| *known == prefix.trim_end_matches('/'));
        found.and_then(|(_, platform)| read(platform).ok())
    }

    /// Returns Docker Hub's prefix for the platform's images: `arm64v8`.
    #[must_use]
    pub fn docker_prefix(&self) -> Option<&'static str> {
        let own = self.without_os_version().to_string();
        DOCKER_PREFIXES.iter().find(|(_, platform)| *platform == own).map(|(prefix, _)| *prefix)
    }

    /// Returns the platform as a TARGETPAIR, which carries the variant of 32-bit ARM only: `linux-armv7`.
    #[must_use]
    pub fn pair(&self) -> String {
        let variant = if self.arch_id() == Arch::Arm { self.variant() } else { "" };
        format!("{}-{}{variant}", self.os(), self.arch())
    }

    /// Returns the platform of a release file's words: `Linux_x86_64`, `darwin-arm64`, `win-x64`, `linux64`.
    ///
    /// A Rust target in the name says it best. Else words count, compared without case; `_`, `-`, `.` and space separate
    /// them.
    #[must_use]
    pub fn from_release_name(name: &str) -> Option<Self> {
        if let Some((os, arch, variant)) = rust::contained(name) {
            return Some(Self::from_ids(os, arch, variant, None));
        }
        let name = name.to_ascii_lowercase().replace("x86_64", "amd64").replace("x86-64", "amd64");
        let words = || name.split(['_', '-', '.', ' ']);
        if let Some((_, platform)) = WHOLE_WORDS.iter().find(|(word, _)| words().any(|found| found == *word))
        {
            return read(platform).ok();
        }
        let os = words().find_map(|word| lookup(RELEASE_OSES, word))?;
        let arch = words().find_map(|word| lookup(RELEASE_ARCHES, word))?;
        read(&format!("{os}/{arch}")).ok()
    }
}

fn lookup(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == word).map(|(_, name)| *name)
}

/// The first row is the lowest variant, which runs on every machine that the name stands for.
fn first(matches: impl Fn(&Row) -> bool) -> Option<Platform> {
    let (os, arch, variant): (Os, Arch, Variant) =
        ROWS.iter().find(|row| matches(row)).map(|row| (row.os, row.arch, row.variant))?;
    Some(Platform::from_ids(os, arch, variant, None))
}

/// Processors of which rpm knows more than of the architecture that their packages are for. Source: `rpmrc`.
#[rustfmt::skip]
const RPM_PROCESSORS: &[(&str, &str)] = &[
    ("alphaev5", "alpha"), ("alphaev56", "alpha"), ("alphaev6", "alpha"), ("alphaev67", "alpha"),
    ("alphapca56", "alpha"),
    ("amd64", "x86_64"), ("em64t", "x86_64"), ("ia32e", "x86_64"),
    ("armv5tejl", "armv5tel"), ("armv5tl", "armv5tel"), ("armv6l", "armv6hl"),
    ("armv7hnl", "armv7hl"), ("armv7l", "armv7hl"), ("armv8hl", "armv7hl"), ("armv8l", "armv7hl"),
    ("athlon", "i386"), ("geode", "i386"), ("i486", "i386"), ("i586", "i386"), ("i686", "i386"),
    ("pentium3", "i386"), ("pentium4", "i386"),
    ("ppc32dy4", "ppc"), ("ppc8260", "ppc"), ("ppc8560", "ppc"), ("ppciseries", "ppc"), ("ppcpseries", "ppc"),
    ("ppc64iseries", "ppc64"), ("ppc64p7", "ppc64"), ("ppc64pseries", "ppc64"),
    ("sh4a", "sh4"),
    ("sparc64v", "sparc64"), ("sparcv8", "sparc"), ("sparcv9", "sparc"), ("sparcv9v", "sparc"),
];

/// Source: the architecture list of Docker's official images.
const DOCKER_PREFIXES: &[(&str, &str)] = &[
    ("amd64", "linux/amd64"),
    ("arm32v5", "linux/arm/v5"),
    ("arm32v6", "linux/arm/v6"),
    ("arm32v7", "linux/arm/v7"),
    ("arm64v8", "linux/arm64"),
    ("i386", "linux/386"),
    ("loong64", "linux/loong64"),
    ("mips64le", "linux/mips64le"),
    ("ppc64le", "linux/ppc64le"),
    ("riscv64", "linux/riscv64"),
    ("s390x", "linux/s390x"),
    ("winamd64", "windows/amd64"),
];

/// Words that say both.
const WHOLE_WORDS: &[(&str, &str)] = &[
    ("linux32", "linux/386"),
    ("linux64", "linux/amd64"),
    ("osx64", "darwin/amd64"),
    ("win32", "windows/386"),
    ("win64", "windows/amd64"),
];

/// How release files name systems.
const RELEASE_OSES: &[(&str, &str)] = &[
    ("android", "android"),
    ("apple", "darwin"),
    ("darwin", "darwin"),
    ("freebsd", "freebsd"),
    ("linux", "linux"),
    ("mac", "darwin"),
    ("macos", "darwin"),
    ("netbsd", "netbsd"),
    ("openbsd", "openbsd"),
    ("osx", "darwin"),
    ("win", "windows"),
    ("windows", "windows"),
];

/// How release files name processors, with the variant where the name has one.
const RELEASE_ARCHES: &[(&str, &str)] = &[
    ("386", "386"),
    ("64bit", "amd64"),
    ("aarch64", "arm64"),
    ("amd64", "amd64"),
    ("arm", "arm/v7"),
    ("arm64", "arm64"),
    ("armhf", "arm/v7"),
    ("armv5", "arm/v5"),
    ("armv6", "arm/v6"),
    ("armv6l", "arm/v6"),
    ("armv7", "arm/v7"),
    ("armv7l", "arm/v7"),
    ("i386", "386"),
    ("i586", "386"),
    ("i686", "386"),
    ("ia32", "386"),
    ("loong64", "loong64"),
    ("loongarch64", "loong64"),
    ("mips", "mips"),
    ("mips64", "mips64"),
    ("mips64el", "mips64le"),
    ("mips64le", "mips64le"),
    ("mipsel", "mipsle"),
    ("mipsle", "mipsle"),
    ("powerpc64le", "ppc64le"),
    ("ppc64", "ppc64"),
    ("ppc64el", "ppc64le"),
    ("ppc64le", "ppc64le"),
    ("riscv64", "riscv64"),
    ("riscv64gc", "riscv64"),
    ("s390x", "s390x"),
    ("x64", "amd64"),
    ("x86", "386"),
];

#[cfg(test)]
mod tests {
    use crate::platform::Platform;

    fn text(platform: Option<Platform>) -> String {
        platform.map_or_else(|| "-".to_owned(), |platform| platform.to_string())
    }

    #[test]
    fn release_files() {
        let cases = [
            ("tool_Linux_x86_64.tar.gz", "linux/amd64"),
            ("tool-1.2-darwin-arm64.zip", "darwin/arm64"),
            ("node-v20-win-x64.zip", "windows/amd64"),
            ("tool-linux64", "linux/amd64"),
            ("tool-macOS-aarch64", "darwin/arm64"),
            ("tool-x86_64-unknown-linux-musl", "linux/amd64"),
            ("ripgrep-14.1.0-arm-unknown-linux-gnueabihf.tar.gz", "linux/arm/v6"),
            ("tool-1.0-powerpc64le-unknown-linux-gnu.zip", "linux/ppc64le"),
            ("tool-x86_64-pc-windows-msvc.exe", "windows/amd64"),
            ("tool-aarch64-apple-darwin.tar.gz", "darwin/arm64"),
            ("prometheus-2.53.linux-armv7.tar.gz", "linux/arm/v7"),
            ("Tool-FreeBSD-amd64", "freebsd/amd64"),
            ("tool_linux_armv6", "linux/arm/v6"),
            ("tool-win32.exe", "windows/386"),
            ("tool-linux", "-"),
            ("", "-"),
        ];
        for (name, expected) in cases {
            assert_eq!(text(Platform::from_release_name(name)), expected, "{name}");
        }
    }

    #[test]
    fn pairs_and_prefixes() {
        assert_eq!(text(Platform::from_pair("linux-armv6")), "linux/arm/v6");
        assert_eq!(text(Platform::from_pair("linux-amd64v3")), "-");
        assert_eq!(text(Platform::from_pair("linux")), "-");
        assert_eq!(text(Platform::from_docker_prefix("arm64v8/")), "linux/arm64");
        assert_eq!(text(Platform::from_go("js", "wasm")), "js/wasm");
        assert_eq!(text(Platform::from_go("linux", "sparc64")), "-");
        assert_eq!(text(Platform::from_rpm("i686")), "linux/386");
    }
}
