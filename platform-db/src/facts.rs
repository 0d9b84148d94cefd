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
    /// `Machine` of a COFF header, where Windows runs on it.
    pub coff_machine: Option<u16>,
    /// `cputype` of Mach-O, where Apple systems run on it.
    pub macho_cputype: Option<u32>,
}

const fn facts(bits: u8, endian: Endian, elf_machine: u16) -> ArchFacts {
    ArchFacts { bits, endian, elf_machine, coff_machine: None, macho_cputype: None }
}

const fn with(facts: ArchFacts, coff_machine: Option<u16>, macho_cputype: Option<u32>) -> ArchFacts {
    ArchFacts { coff_machine, macho_cputype, ..facts }
}

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
            Self::Arm => with(facts(32, Little, 40), Some(0x01c4), Some(12)),
            Self::Arm64 => with(facts(64, Little, 183), Some(0xaa64), Some(0x0100_000c)),
            Self::Arm64be => facts(64, Big, 183),
            Self::Armbe => facts(32, Big, 40),
            Self::Hppa => facts(32, Big, 15),
            Self::Ia64 => facts(64, Little, 50),
            Self::Loong64 => facts(64, Little, 258),
            Self::M68k => facts(32, Big, 4),
            Self::Mips => facts(32, Big, 8),
            Self::Mips64 => facts(64, Big, 8),
            Self::Mips64le => facts(64, Little, 8),
            Self::Mipsle => facts(32, Little, 8),
            Self::Ppc => facts(32, Big, 20),
            Self::Ppc64 => facts(64, Big, 21),
            Self::Ppc64le => facts(64, Little, 21),
            Self::Riscv => facts(32, Little, 243),
            Self::Riscv64 => facts(64, Little, 243),
            Self::S390 => facts(32, Big, 22),
            Self::S390x => facts(64, Big, 22),
            Self::Sh4 => facts(32, Little, 42),
            Self::Sparc => facts(32, Big, 2),
            Self::Sparc64 => facts(64, Big, 43),
            Self::Wasm => facts(32, Little, 0),
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
    pub fn dynamic_linker(&self, libc: Libc) -> Option<&'static str> {
        if self.os_id() != Os::Linux {
            return None;
        }
        let soft = self.float_abi() == FloatAbi::Soft;
        match libc {
            Libc::Gnu => glibc_linker(self.arch_id(), soft),
            Libc::Musl => musl_linker(self.arch_id(), soft),
            Libc::Msvc | Libc::Gnullvm | Libc::Uclibc | Libc::Ohos | Libc::System => None,
        }
    }
}

/// Source: glibc's `shlib-versions` and each port's `ldsodefs`, as Debian builds them.
const fn glibc_linker(arch: Arch, soft: bool) -> Option<&'static str> {
    Some(match arch {
        Arch::Amd64 => "/lib64/ld-linux-x86-64.so.2",
        Arch::Amd64p32 => "/libx32/ld-linux-x32.so.2",
        Arch::Arm if soft => "/lib/ld-linux.so.3",
        Arch::Arm | Arch::Armbe => "/lib/ld-linux-armhf.so.3",
        Arch::Arm64 => "/lib/ld-linux-aarch64.so.1",
        Arch::Arm64be => "/lib/ld-linux-aarch64_be.so.1",
        Arch::Ia64 => "/lib/ld-linux-ia64.so.2",
        Arch::Alpha | Arch::I386 | Arch::Sh4 | Arch::Sparc => "/lib/ld-linux.so.2",
        Arch::Loong64 => "/lib64/ld-linux-loongarch-lp64d.so.1",
        Arch::Hppa | Arch::M68k | Arch::Mips | Arch::Mipsle | Arch::Ppc | Arch::S390 => "/lib/ld.so.1",
        Arch::Mips64 | Arch::Mips64le => "/lib64/ld.so.1",
        Arch::Ppc64 => "/lib64/ld64.so.1",
        Arch::Ppc64le => "/lib64/ld64.so.2",
        Arch::Riscv => "/lib/ld-linux-riscv32-ilp32d.so.1",
        Arch::Riscv64 => "/lib/ld-linux-riscv64-lp64d.so.1",
        Arch::S390x => "/lib/ld64.so.1",
        Arch::Sparc64 => "/lib64/ld-linux.so.2",
        Arch::Wasm => return None,
    })
}

/// Source: musl's `arch/*/reloc.h` (`LDSO_ARCH`).
const fn musl_linker(arch: Arch, soft: bool) -> Option<&'static str> {
    Some(match arch {
        Arch::Amd64 => "/lib/ld-musl-x86_64.so.1",
        Arch::Amd64p32 => "/lib/ld-musl-x32.so.1",
        Arch::Arm if soft => "/lib/ld-musl-arm.so.1",
        Arch::Arm => "/lib/ld-musl-armhf.so.1",
        Arch::Armbe => "/lib/ld-musl-armebhf.so.1",
        Arch::Arm64 => "/lib/ld-musl-aarch64.so.1",
        Arch::Arm64be => "/lib/ld-musl-aarch64_be.so.1",
        Arch::I386 => "/lib/ld-musl-i386.so.1",
        Arch::Loong64 => "/lib/ld-musl-loongarch64.so.1",
        Arch::M68k => "/lib/ld-musl-m68k.so.1",
        Arch::Mips if soft => "/lib/ld-musl-mips-sf.so.1",
        Arch::Mips => "/lib/ld-musl-mips.so.1",
        Arch::Mips64 if soft => "/lib/ld-musl-mips64-sf.so.1",
        Arch::Mips64 => "/lib/ld-musl-mips64.so.1",
        Arch::Mips64le if soft => "/lib/ld-musl-mips64el-sf.so.1",
        Arch::Mips64le => "/lib/ld-musl-mips64el.so.1",
        Arch::Mipsle if soft => "/lib/ld-musl-mipsel-sf.so.1",
        Arch::Mipsle => "/lib/ld-musl-mipsel.so.1",
        Arch::Ppc => "/lib/ld-musl-powerpc.so.1",
        Arch::Ppc64 => "/lib/ld-musl-powerpc64.so.1",
        Arch::Ppc64le => "/lib/ld-musl-powerpc64le.so.1",
        Arch::Riscv => "/lib/ld-musl-riscv32.so.1",
        Arch::Riscv64 => "/lib/ld-musl-riscv64.so.1",
        Arch::S390x => "/lib/ld-musl-s390x.so.1",
        Arch::Sh4 => "/lib/ld-musl-sh.so.1",
        Arch::Alpha | Arch::Hppa | Arch::Ia64 | Arch::S390 | Arch::Sparc | Arch::Sparc64 | Arch::Wasm => {
            return None;
        }
    })
}
