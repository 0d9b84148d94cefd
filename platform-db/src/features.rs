//! Microarchitecture levels: what a variant is to compilers.

use crate::arch::Arch;
use crate::platform::Platform;
use crate::variant::Variant;

impl Platform {
    /// Returns the C compiler's flag for a level above the base of the architecture: `-march=x86-64-v3`.
    ///
    /// Source: clang's and GCC's `-march` values; the x86-64 psABI names the levels.
    fn march_flag(&self) -> Option<String> {
        let level = self.variant();
        match (self.arch_id(), self.variant_id()) {
            (_, Variant::Base | Variant::R6 | Variant::Softfloat | Variant::Spe) => None,
            (Arch::Amd64, _) => Some(format!("-march=x86-64-{level}")),
            (Arch::Arm64, _) => Some(format!("-march=arm{}-a", level)),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power9) => Some("-mcpu=power9".to_owned()),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power10) => Some("-mcpu=power10".to_owned()),
            _ => None,
        }
    }

    /// Returns the C compiler's flags that say the variant in full, where it is not the base of every compiler.
    ///
    /// 32-bit ARM always has flags, because compilers differ in what a plain `arm` is. The float ABI is not among
    /// them: the target triple says it.
    ///
    /// ```
    /// let platform: platform_db::Platform = "linux/arm/v7".parse().unwrap();
    /// assert_eq!(platform.c_flags(), ["-march=armv7-a", "-mfpu=vfpv3-d16"]);
    /// ```
    #[must_use]
    pub fn c_flags(&self) -> Vec<String> {
        let fixed: &[&str] = match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V5) => &["-march=armv5te"],
            (Arch::Arm, Variant::V6) => &["-march=armv6", "-mfpu=vfp"],
            (Arch::Arm, Variant::V7) => &["-march=armv7-a", "-mfpu=vfpv3-d16"],
            (Arch::Arm, Variant::V8) => &["-march=armv8-a", "-mfpu=neon-fp-armv8"],
            (Arch::Mips | Arch::Mipsle, Variant::R6) => &["-march=mips32r6"],
            (Arch::Mips64 | Arch::Mips64le | Arch::Mips64p32 | Arch::Mips64p32le, Variant::R6) => {
                &["-march=mips64r6"]
            }
            (Arch::Mips | Arch::Mipsle | Arch::Mips64 | Arch::Mips64le, Variant::Softfloat) => {
                &["-msoft-float"]
            }
            (Arch::Ppc, Variant::Spe) => &["-mspe"],
            // Only the newest compilers know the profiles by name; these parts of them GCC 12 and clang 14 know.
            (Arch::Riscv64, Variant::Rva22u64) => &["-march=rv64gc_zba_zbb_zbs"],
            (Arch::Riscv64, Variant::Rva23u64) => &["-march=rv64gcv_zba_zbb_zbs"],
            _ => return self.march_flag().into_iter().collect(),
        };
        fixed.iter().map(|flag| (*flag).to_owned()).collect()
    }

    /// Returns zig's `-mcpu` for the variant, where it is not zig's own base of the target.
    ///
    /// Source: `zig targets` of 0.17. arm v5 has none: zig's own run-time library does not link for it.
    #[must_use]
    pub fn zig_cpu(&self) -> Option<String> {
        let level = self.variant();
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V6) => Some("arm1176jzf_s".to_owned()),
            (Arch::Arm, _) | (_, Variant::Base) => None,
            (Arch::Amd64, _) => Some(format!("x86_64_{level}")),
            (Arch::Arm64, _) => Some(format!("generic+{}a", level.replace('.', "_"))),
            (Arch::Ppc64 | Arch::Ppc64le, _) => self.rust_cpu().map(str::to_owned),
            (Arch::Riscv64, Variant::Rva22u64) => Some("baseline_rv64+zba+zbb+zbs".to_owned()),
            (Arch::Riscv64, Variant::Rva23u64) => Some("baseline_rv64+v+zba+zbb+zbs".to_owned()),
            _ => None,
        }
    }

    /// Returns rustc's `-C target-feature` for a level that has no processor name: `+v8.2a`.
    #[must_use]
    pub fn rust_features(&self) -> Option<String> {
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm64, Variant::Base) => None,
            (Arch::Arm64, _) => Some(format!("+{}a", self.variant())),
            _ => None,
        }
    }

    /// Returns rustc's `-C target-cpu` for a level above the base of the architecture.
    #[must_use]
    pub fn rust_cpu(&self) -> Option<&'static str> {
        match (self.arch_id(), self.variant_id()) {
            (Arch::Amd64, Variant::V2) => Some("x86-64-v2"),
            (Arch::Amd64, Variant::V3) => Some("x86-64-v3"),
            (Arch::Amd64, Variant::V4) => Some("x86-64-v4"),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power9) => Some("pwr9"),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power10) => Some("pwr10"),
            _ => None,
        }
    }

    /// Returns the variable and value by which Go is told the variant: `GOARM`, `7`.
    ///
    /// Source: `go help environment`. Go's own default is not repeated, except for arm, where it depends on the
    /// machine that builds.
    #[must_use]
    pub fn go_level(&self) -> Option<(&'static str, &'static str)> {
        let variant = self.variant();
        match (self.arch_id(), self.variant_id()) {
            (Arch::Arm, Variant::V5) => Some(("GOARM", "5")),
            (Arch::Arm, Variant::V6) => Some(("GOARM", "6")),
            (Arch::Arm, _) => Some(("GOARM", "7")),
            (_, Variant::Base) => None,
            (Arch::Amd64, _) => Some(("GOAMD64", variant)),
            (Arch::Arm64, _) => Some(("GOARM64", go_arm64(self.variant_id()))),
            (Arch::I386, _) => Some(("GO386", variant)),
            (_, Variant::R6) => None,
            (Arch::Mips | Arch::Mipsle, _) => Some(("GOMIPS", variant)),
            (Arch::Mips64 | Arch::Mips64le, _) => Some(("GOMIPS64", variant)),
            (Arch::Ppc64 | Arch::Ppc64le, _) => Some(("GOPPC64", variant)),
            (Arch::Riscv64, _) => Some(("GORISCV64", variant)),
            _ => None,
        }
    }
}

/// Go writes the first revision of version 9 with its zero.
fn go_arm64(variant: Variant) -> &'static str {
    if variant == Variant::V9 { "v9.0" } else { variant.name() }
}

#[cfg(test)]
mod tests {
    use crate::platform::Platform;

    #[test]
    fn cpus_of_zig() {
        let cases = [
            ("linux/amd64", None),
            ("linux/amd64/v3", Some("x86_64_v3")),
            ("linux/arm", None),
            ("linux/arm/v6", Some("arm1176jzf_s")),
            ("linux/arm64/v8.2", Some("generic+v8_2a")),
            ("linux/ppc64le/power9", Some("pwr9")),
            ("linux/riscv64/rva22u64", Some("baseline_rv64+zba+zbb+zbs")),
            ("linux/mips/softfloat", None),
        ];
        for (platform, cpu) in cases {
            assert_eq!(platform.parse::<Platform>().unwrap().zig_cpu().as_deref(), cpu, "{platform}");
        }
    }

    #[test]
    fn levels() {
        let cases = [
            ("linux/amd64", None, None, None),
            ("linux/amd64/v3", Some("-march=x86-64-v3"), Some("x86-64-v3"), Some(("GOAMD64", "v3"))),
            ("linux/arm64/v8.2", Some("-march=armv8.2-a"), None, Some(("GOARM64", "v8.2"))),
            ("linux/arm64/v9", Some("-march=armv9-a"), None, Some(("GOARM64", "v9.0"))),
            ("linux/arm/v6", None, None, Some(("GOARM", "6"))),
            ("linux/ppc64le/power10", Some("-mcpu=power10"), Some("pwr10"), Some(("GOPPC64", "power10"))),
            ("linux/mips64le/softfloat", None, None, Some(("GOMIPS64", "softfloat"))),
            ("linux/riscv64/rva22u64", None, None, Some(("GORISCV64", "rva22u64"))),
            ("linux/mips64/r6", None, None, None),
            ("linux/ppc/spe", None, None, None),
        ];
        for (platform, march, rust, go) in cases {
            let platform: Platform = platform.parse().unwrap();
            assert_eq!(platform.march_flag().as_deref(), march, "{platform}");
            assert_eq!((platform.rust_cpu(), platform.go_level()), (rust, go), "{platform}");
        }
    }

    #[test]
    fn flags_in_full() {
        let cases = [
            ("linux/amd64", ""),
            ("linux/amd64/v3", "-march=x86-64-v3"),
            ("linux/386/softfloat", ""),
            ("linux/arm/v5", "-march=armv5te"),
            ("linux/arm/v6", "-march=armv6 -mfpu=vfp"),
            ("linux/arm/v8", "-march=armv8-a -mfpu=neon-fp-armv8"),
            ("linux/arm64/v9", "-march=armv9-a"),
            ("linux/mips/softfloat", "-msoft-float"),
            ("linux/mips64p32le/r6", "-march=mips64r6"),
            ("linux/ppc64le/power9", "-mcpu=power9"),
            ("linux/riscv64/rva23u64", "-march=rv64gcv_zba_zbb_zbs"),
        ];
        for (platform, flags) in cases {
            let platform: Platform = platform.parse().unwrap();
            assert_eq!(platform.c_flags().join(" "), flags, "{platform}");
        }
        let features = |text: &str| text.parse::<Platform>().unwrap().rust_features();
        assert_eq!(features("linux/arm64/v8.2").as_deref(), Some("+v8.2a"));
        assert_eq!(features("linux/arm64/v9").as_deref(), Some("+v9a"));
        assert_eq!(features("linux/arm64"), None);
    }
}
