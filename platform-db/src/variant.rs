//! Revisions of an architecture: the third part of an OCI platform.
//!
//! The default revision of an architecture is [`Variant::Base`] and has no name (`linux/arm64`, not
//! `linux/arm64/v8`). 32-bit ARM has no default in this sense: containerd reads `linux/arm` as `linux/arm/v7`, so
//! its variant is always named. Release 6 of MIPS and the SPE of PowerPC stand alone: neither runs the programs of its base.

use crate::arch::Arch;
use crate::axis::{axis, key, known};

axis! {
    /// A revision of an architecture, in OCI spelling.
    Variant {
        /// The default revision; printed as nothing.
        Base = "",
        /// MIPS release 6, which dropped instructions of the earlier ones.
        R6 = "r6",
        /// 32-bit MIPS, 64-bit MIPS or 386 without floating-point instructions.
        Softfloat = "softfloat",
        /// ppc: the Signal Processing Engine in place of the usual floating-point registers.
        Spe = "spe",
        /// amd64: up to SSE4.2 and POPCNT.
        V2 = "v2",
        /// amd64: AVX2, BMI2, FMA.
        V3 = "v3",
        /// amd64: AVX-512 F, BW, CD, DQ, VL.
        V4 = "v4",
        /// arm: ARMv5TE, software floating point.
        V5 = "v5",
        /// arm: ARMv6 with VFPv2.
        V6 = "v6",
        /// arm: ARMv7-A with VFPv3-D16.
        V7 = "v7",
        /// arm: 32-bit state of ARMv8-A.
        V8 = "v8",
        /// arm64: ARMv8.1-A.
        V8_1 = "v8.1",
        /// arm64: ARMv8.2-A.
        V8_2 = "v8.2",
        /// arm64: ARMv8.3-A.
        V8_3 = "v8.3",
        /// arm64: ARMv8.4-A.
        V8_4 = "v8.4",
        /// arm64: ARMv8.5-A.
        V8_5 = "v8.5",
        /// arm64: ARMv8.6-A.
        V8_6 = "v8.6",
        /// arm64: ARMv8.7-A.
        V8_7 = "v8.7",
        /// arm64: ARMv8.8-A.
        V8_8 = "v8.8",
        /// arm64: ARMv8.9-A.
        V8_9 = "v8.9",
        /// arm64: ARMv9.0-A.
        V9 = "v9",
        /// arm64: ARMv9.1-A.
        V9_1 = "v9.1",
        /// arm64: ARMv9.2-A.
        V9_2 = "v9.2",
        /// arm64: ARMv9.3-A.
        V9_3 = "v9.3",
        /// arm64: ARMv9.4-A.
        V9_4 = "v9.4",
        /// arm64: ARMv9.5-A.
        V9_5 = "v9.5",
        /// ppc64le and ppc64: POWER9.
        Power9 = "power9",
        /// ppc64le and ppc64: POWER10.
        Power10 = "power10",
        /// riscv64: profile RVA22U64.
        Rva22u64 = "rva22u64",
        /// riscv64: profile RVA23U64.
        Rva23u64 = "rva23u64",
    }
}

use Variant::{
    Base, Power9, Power10, R6, Rva22u64, Rva23u64, Softfloat, Spe, V2, V3, V4, V5, V6, V7, V8, V8_1, V8_2,
    V8_3, V8_4, V8_5, V8_6, V8_7, V8_8, V8_9, V9, V9_1, V9_2, V9_3, V9_4, V9_5,
};

impl Variant {
    /// Returns whether names and programs of this variant are right for a higher one of the same architecture too.
    pub(crate) const fn serves(self, higher: Self) -> bool {
        self as u8 == higher as u8 || !(matches!(self, R6 | Spe) || matches!(higher, R6 | Spe))
    }
}

impl Arch {
    /// Returns the variants this architecture has, lowest first. Never empty.
    #[must_use]
    pub const fn variants(self) -> &'static [Variant] {
        match self {
            Self::Amd64 => &[Base, V2, V3, V4],
            Self::Arm => &[V5, V6, V7, V8],
            Self::Arm64 => &[
                Base, V8_1, V8_2, V8_3, V8_4, V8_5, V8_6, V8_7, V8_8, V8_9, V9, V9_1, V9_2, V9_3, V9_4, V9_5,
            ],
            Self::I386 => &[Base, Softfloat],
            Self::Mips | Self::Mipsle | Self::Mips64 | Self::Mips64le => &[Base, R6, Softfloat],
            Self::Mips64p32 | Self::Mips64p32le => &[Base, R6],
            Self::Ppc => &[Base, Spe],
            Self::Ppc64 | Self::Ppc64le => &[Base, Power9, Power10],
            Self::Riscv64 => &[Base, Rva22u64, Rva23u64],
            Self::Alpha
            | Self::Amd64p32
            | Self::Amdgcn
            | Self::Arc
            | Self::Arm64be
            | Self::Arm64p32
            | Self::Arm64p32be
            | Self::Armbe
            | Self::Avr
            | Self::Avr32
            | Self::Bpf
            | Self::Bpfbe
            | Self::Cris
            | Self::Csky
            | Self::Hexagon
            | Self::Hppa
            | Self::Ia64
            | Self::Loong32
            | Self::Loong64
            | Self::M32r
            | Self::M68k
            | Self::Microblaze
            | Self::Microblazeel
            | Self::Msp430
            | Self::Nios2
            | Self::Nvptx64
            | Self::Or1k
            | Self::Ppcle
            | Self::Riscv
            | Self::S390
            | Self::S390x
            | Self::Sh3
            | Self::Sh3be
            | Self::Sh4
            | Self::Sh4be
            | Self::Sparc
            | Self::Sparc64
            | Self::Tilegx
            | Self::Wasm
            | Self::Wasm64
            | Self::Xtensa
            | Self::Xtensabe => &[Base],
        }
    }

    /// Returns the variant meant when none is written: `v7` for arm, as containerd normalises it, else [`Variant::Base`].
    #[must_use]
    pub const fn default_variant(self) -> Variant {
        if matches!(self, Self::Arm) { V7 } else { Base }
    }

    /// Reads a variant of this architecture, with containerd's other spellings of it (`8`, `v8.0`, `7`, `v1`), in any case.
    #[must_use]
    pub fn variant(self, text: &str) -> Option<Variant> {
        if text.is_empty() {
            return Some(self.default_variant());
        }
        let name = key(text)?;
        let of_this = |variant: &Variant| self.variants().contains(variant);
        let other = || {
            let spelled = SPELLINGS.iter().find(|(arch, spelling, _)| *arch == self && *spelling == name);
            spelled.map(|(.., variant)| *variant)
        };
        Variant::from_key(name).filter(of_this).or_else(other)
    }
}

/// Other spellings of variants. Sources: containerd's `normalizeArch`; Go's names of the lowest levels; z13 is the least that
/// Go and Debian ask for, LA64 v1.0 the first LoongArch.
const SPELLINGS: &[(Arch, u128, Variant)] = &[
    (Arch::Amd64, known("v1"), Base),
    (Arch::Arm, known("5"), V5),
    (Arch::Arm, known("6"), V6),
    (Arch::Arm, known("7"), V7),
    (Arch::Arm, known("8"), V8),
    (Arch::Arm64, known("8"), Base),
    (Arch::Arm64, known("9"), V9),
    (Arch::Arm64, known("9.0"), V9),
    (Arch::Arm64, known("v8"), Base),
    (Arch::Arm64, known("v8.0"), Base),
    (Arch::Arm64, known("v9.0"), V9),
    (Arch::I386, known("sse2"), Base),
    (Arch::Loong64, known("v1"), Base),
    (Arch::Mips, known("hardfloat"), Base),
    (Arch::Mips64, known("hardfloat"), Base),
    (Arch::Mips64le, known("hardfloat"), Base),
    (Arch::Mips64p32, known("hardfloat"), Base),
    (Arch::Mips64p32le, known("hardfloat"), Base),
    (Arch::Mipsle, known("hardfloat"), Base),
    (Arch::Ppc64, known("power8"), Base),
    (Arch::Ppc64le, known("power8"), Base),
    (Arch::Riscv64, known("rva20u64"), Base),
    (Arch::S390x, known("z13"), Base),
];
