//! What an architecture is to a linker and a loader: word size, byte order, object file machine numbers.
//!
//! One row per architecture, walked by tests. Facts of one file are `object::Facts`.

use crate::arch::Arch;
use crate::libc::Libc;
use crate::os::Os;
use crate::platform::Platform;
use crate::variant::Variant;

/// Byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl std::fmt::Display for Endian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        })
    }
}

/// How floating-point values are passed between functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FloatAbi {
    /// In floating-point registers.
    Hard,
    /// In integer registers.
    Soft,
}

/// Numbers that identify an architecture in object files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArchFacts {
    /// Width of a pointer, in bits.
    pub bits: u8,
    /// Byte order of data.
    pub endian: Endian,
    /// `e_machine` of ELF.
    pub elf_machine: u16,
    /// Bits of ELF's `e_flags`, and their value, that tell it from another architecture with the same machine, width
    /// and byte order; no bits where there is no other.
    pub elf_flags: (u32, u32),
    /// `Machine` of a COFF header, where Windows runs on it.
    pub coff_machine: Option<u16>,
    /// `cputype` of Mach-O, where Apple systems run on it.
    pub macho_cputype: Option<u32>,
}

const fn facts(bits: u8, endian: Endian, elf_machine: u16) -> ArchFacts {
    ArchFacts { bits, endian, elf_machine, elf_flags: (0, 0), coff_machine: None, macho_cputype: None }
}

const fn with(facts: ArchFacts, coff_machine: Option<u16>, macho_cputype: Option<u32>) -> ArchFacts {
    ArchFacts { coff_machine, macho_cputype, ..facts }
}

const fn flagged(facts: ArchFacts, elf_flags: (u32, u32)) -> ArchFacts {
    ArchFacts { elf_flags, ..facts }
}

/// `EF_MIPS_ABI2`: the n32 calling convention.
const EF_MIPS_ABI2: (u32, u32) = (0x20, 0x20);
/// `EF_SH3` of `EF_SH_MACH_MASK`.
const EF_SH3: (u32, u32) = (0x1f, 3);

use Endian::{Big, Little};

impl Arch {
    /// Returns the object file facts. Sources: the ELF registry (`EM_*`), PE format `IMAGE_FILE_MACHINE_*`, Mach-O `CPU_TYPE_*`.
    #[must_use]
    pub const fn facts(self) -> ArchFacts {
        match self {
            Self::I386 => with(facts(32, Little, 3), Some(0x014c), Some(7)),
            Self::Alpha => facts(64, Little, 0x9026),
            Self::Amd64 => with(facts(64, Little, 62), Some(0x8664), Some(0x0100_0007)),
            Self::Amd64p32 => facts(32, Little, 62),
            Self::Amdgcn => facts(64, Little, 224),
            Self::Arc => facts(32, Little, 195),
            Self::Arm => with(facts(32, Little, 40), Some(0x01c4), Some(12)),
            Self::Arm64 => with(facts(64, Little, 183), Some(0xaa64), Some(0x0100_000c)),
            Self::Arm64be => facts(64, Big, 183),
            Self::Arm64p32 => with(facts(32, Little, 183), None, Some(0x0200_000c)),
            Self::Arm64p32be => facts(32, Big, 183),
            Self::Armbe => facts(32, Big, 40),
            Self::Avr => facts(16, Little, 83),
            Self::Avr32 => facts(32, Big, 0x18ad),
            Self::Bpf => facts(64, Little, 247),
            Self::Bpfbe => facts(64, Big, 247),
            Self::Cris => facts(32, Little, 76),
            Self::Csky => facts(32, Little, 252),
            Self::Hexagon => facts(32, Little, 164),
            Self::Hppa => facts(32, Big, 15),
            Self::Ia64 => with(facts(64, Little, 50), Some(0x0200), None),
            Self::Loong32 => with(facts(32, Little, 258), Some(0x6232), None),
            Self::Loong64 => with(facts(64, Little, 258), Some(0x6264), None),
            Self::M32r => facts(32, Big, 88),
            Self::M68k => facts(32, Big, 4),
            Self::Microblaze => facts(32, Big, 189),
            Self::Microblazeel => facts(32, Little, 189),
            Self::Mips => facts(32, Big, 8),
            Self::Mips64 => facts(64, Big, 8),
            Self::Mips64le => facts(64, Little, 8),
            Self::Mips64p32 => flagged(facts(32, Big, 8), EF_MIPS_ABI2),
            Self::Mips64p32le => flagged(facts(32, Little, 8), EF_MIPS_ABI2),
            Self::Mipsle => facts(32, Little, 8),
            Self::Msp430 => facts(16, Little, 105),
            Self::Nios2 => facts(32, Little, 113),
            Self::Nvptx64 => facts(64, Little, 190),
            Self::Or1k => facts(32, Big, 92),
            Self::Ppc => with(facts(32, Big, 20), None, Some(18)),
            Self::Ppc64 => facts(64, Big, 21),
            Self::Ppc64le => facts(64, Little, 21),
            Self::Ppcle => facts(32, Little, 20),
            Self::Riscv => with(facts(32, Little, 243), Some(0x5032), None),
            Self::Riscv64 => with(facts(64, Little, 243), Some(0x5064), None),
            Self::S390 => facts(32, Big, 22),
            Self::S390x => facts(64, Big, 22),
            Self::Sh3 => flagged(facts(32, Little, 42), EF_SH3),
            Self::Sh3be => flagged(facts(32, Big, 42), EF_SH3),
            Self::Sh4 => facts(32, Little, 42),
            Self::Sh4be => facts(32, Big, 42),
            Self::Sparc => facts(32, Big, 2),
            Self::Sparc64 => facts(64, Big, 43),
            Self::Tilegx => facts(64, Little, 191),
            Self::Wasm => facts(32, Little, 0),
            Self::Wasm64 => facts(64, Little, 0),
            Self::Xtensa => facts(32, Little, 94),
            Self::Xtensabe => facts(32, Big, 94),
        }
    }
}

impl Platform {
    /// Returns how floating-point values are passed by the usual Linux distributions of the platform.
    #[must_use]
    pub fn float_abi(&self) -> FloatAbi {
        match (self.arch_id(), self.variant_id()) {
            (_, Variant::Softfloat) | (Arch::Arm, Variant::V5 | Variant::V6) => FloatAbi::Soft,
            _ => FloatAbi::Hard,
        }
    }

    /// Returns the dynamic linker that a program of the platform names, for Linux with GNU libc or musl.
    #[must_use]
    pub fn dynamic_linker(&self, libc: Libc) -> Option<String> {
        if self.os_id() != Os::Linux {
            return None;
        }
        let soft = self.float_abi() == FloatAbi::Soft;
        // Alpine builds ARMv6 with the hard-float ABI.
        let soft_musl = soft && self.variant_id() != Variant::V6;
        match libc {
            Libc::Gnu => glibc_linker(self.arch_id(), self.variant_id(), soft).map(str::to_owned),
            Libc::Musl => musl_linker(self.arch_id(), self.variant_id(), soft_musl),
            Libc::Msvc | Libc::Gnullvm | Libc::Uclibc | Libc::Ohos | Libc::System => None,
        }
    }
}

/// Source: glibc's `shlib-versions` and each port's `ldsodefs`, as Debian builds them; MIPS release 6 is `nan2008`.
pub(crate) const fn glibc_linker(arch: Arch, variant: Variant, soft: bool) -> Option<&'static str> {
    let r6 = matches!(variant, Variant::R6);
    Some(match arch {
        Arch::Arm if soft => "/lib/ld-linux.so.3",
        Arch::Arm | Arch::Armbe => "/lib/ld-linux-armhf.so.3",
        Arch::Mips | Arch::Mipsle if r6 => "/lib/ld-linux-mipsn8.so.1",
        Arch::Mips64p32 | Arch::Mips64p32le if r6 => "/lib32/ld-linux-mipsn8.so.1",
        Arch::Mips64 | Arch::Mips64le if r6 => "/lib64/ld-linux-mipsn8.so.1",
        Arch::Mips64p32 | Arch::Mips64p32le => "/lib32/ld.so.1",
        Arch::Mips64 | Arch::Mips64le => "/lib64/ld.so.1",
        Arch::Alpha | Arch::I386 | Arch::Sh3 | Arch::Sh3be | Arch::Sh4 | Arch::Sh4be | Arch::Sparc => {
            "/lib/ld-linux.so.2"
        }
        Arch::Hppa
        | Arch::M68k
        | Arch::Microblaze
        | Arch::Microblazeel
        | Arch::Mips
        | Arch::Mipsle
        | Arch::Ppc
        | Arch::S390
        | Arch::Tilegx => "/lib/ld.so.1",
        Arch::Amd64 => "/lib64/ld-linux-x86-64.so.2",
        Arch::Amd64p32 => "/libx32/ld-linux-x32.so.2",
        Arch::Arc => "/lib/ld-linux-arc.so.2",
        Arch::Arm64 => "/lib/ld-linux-aarch64.so.1",
        Arch::Arm64be => "/lib/ld-linux-aarch64_be.so.1",
        Arch::Arm64p32 => "/lib/ld-linux-aarch64_ilp32.so.1",
        Arch::Arm64p32be => "/lib/ld-linux-aarch64_be_ilp32.so.1",
        Arch::Csky => "/lib/ld-linux-cskyv2-hf.so.1",
        Arch::Ia64 => "/lib/ld-linux-ia64.so.2",
        Arch::Loong32 => "/lib32/ld-linux-loongarch-ilp32d.so.1",
        Arch::Loong64 => "/lib64/ld-linux-loongarch-lp64d.so.1",
        Arch::Nios2 => "/lib/ld-linux-nios2.so.1",
        Arch::Or1k => "/lib/ld-linux-or1k.so.1",
        Arch::Ppc64 => "/lib64/ld64.so.1",
        Arch::Ppc64le => "/lib64/ld64.so.2",
        Arch::Riscv => "/lib/ld-linux-riscv32-ilp32d.so.1",
        Arch::Riscv64 => "/lib/ld-linux-riscv64-lp64d.so.1",
        Arch::S390x => "/lib/ld64.so.1",
        Arch::Sparc64 => "/lib64/ld-linux.so.2",
        Arch::Amdgcn
        | Arch::Avr
        | Arch::Avr32
        | Arch::Bpf
        | Arch::Bpfbe
        | Arch::Cris
        | Arch::Hexagon
        | Arch::M32r
        | Arch::Msp430
        | Arch::Nvptx64
        | Arch::Ppcle
        | Arch::Wasm
        | Arch::Wasm64
        | Arch::Xtensa
        | Arch::Xtensabe => return None,
    })
}

/// Source: musl's `arch/*/reloc.h` (`LDSO_ARCH`); Hexagon's is that of Zig's port.
fn musl_linker(arch: Arch, variant: Variant, soft: bool) -> Option<String> {
    let r6 = if matches!(variant, Variant::R6) { "r6" } else { "" };
    let name = match arch {
        Arch::Amd64 => "x86_64",
        Arch::Amd64p32 => "x32",
        Arch::Arm if soft => "arm",
        Arch::Arm => "armhf",
        Arch::Armbe => "armebhf",
        Arch::Arm64 => "aarch64",
        Arch::Arm64be => "aarch64_be",
        Arch::Hexagon => "hexagon",
        Arch::I386 => "i386",
        Arch::Loong64 => "loongarch64",
        Arch::M68k => "m68k",
        Arch::Microblaze => "microblaze",
        Arch::Microblazeel => "microblazeel",
        Arch::Mips | Arch::Mipsle => "mips",
        Arch::Mips64 | Arch::Mips64le => "mips64",
        Arch::Mips64p32 | Arch::Mips64p32le => "mipsn32",
        Arch::Or1k => "or1k",
        Arch::Ppc => "powerpc",
        Arch::Ppc64 => "powerpc64",
        Arch::Ppc64le => "powerpc64le",
        Arch::Riscv => "riscv32",
        Arch::Riscv64 => "riscv64",
        Arch::S390x => "s390x",
        Arch::Sh4 => "sh",
        Arch::Sh4be => "sheb",
        Arch::Alpha
        | Arch::Amdgcn
        | Arch::Arc
        | Arch::Arm64p32
        | Arch::Arm64p32be
        | Arch::Avr
        | Arch::Avr32
        | Arch::Bpf
        | Arch::Bpfbe
        | Arch::Cris
        | Arch::Csky
        | Arch::Hppa
        | Arch::Ia64
        | Arch::Loong32
        | Arch::M32r
        | Arch::Msp430
        | Arch::Nios2
        | Arch::Nvptx64
        | Arch::Ppcle
        | Arch::S390
        | Arch::Sh3
        | Arch::Sh3be
        | Arch::Sparc
        | Arch::Sparc64
        | Arch::Tilegx
        | Arch::Wasm
        | Arch::Wasm64
        | Arch::Xtensa
        | Arch::Xtensabe => {
            return None;
        }
    };
    let order = if matches!(arch, Arch::Mipsle | Arch::Mips64le | Arch::Mips64p32le) { "el" } else { "" };
    let float = if soft && arch != Arch::Arm { "-sf" } else { "" };
    Some(format!("/lib/ld-musl-{name}{r6}{order}{float}.so.1"))
}
