//! Microarchitecture levels: what a variant is to compilers.

use crate::arch::Arch;
use crate::platform::Platform;
use crate::variant::Variant;

impl Platform {
    /// Returns the C compiler's flag for a level above the base of the architecture: `-march=x86-64-v3`.
    ///
    /// Source: clang's and GCC's `-march` values; the x86-64 psABI names the levels.
    #[must_use]
    pub fn march_flag(&self) -> Option<String> {
        let level = self.variant();
        match (self.arch_id(), self.variant_id()) {
            (_, Variant::Base | Variant::Softfloat) => None,
            (Arch::Amd64, _) => Some(format!("-march=x86-64-{level}")),
            (Arch::Arm64, _) => Some(format!("-march=arm{}-a", level)),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power9) => Some("-mcpu=power9".to_owned()),
            (Arch::Ppc64 | Arch::Ppc64le, Variant::Power10) => Some("-mcpu=power10".to_owned()),
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
        ];
        for (platform, march, rust, go) in cases {
            let platform: Platform = platform.parse().unwrap();
            assert_eq!(platform.march_flag().as_deref(), march, "{platform}");
            assert_eq!((platform.rust_cpu(), platform.go_level()), (rust, go), "{platform}");
        }
    }
}
