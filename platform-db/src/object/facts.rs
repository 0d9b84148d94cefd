//! What a file says of itself.

use std::fmt;

use crate::arch::Arch;
use crate::facts::{Endian, FloatAbi};
use crate::libc::Libc;
use crate::os::Os;
use crate::variant::Variant;

/// Object file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Executable and Linkable Format.
    Elf,
    /// Mach-O, of Apple systems.
    MachO,
    /// Portable Executable, of Windows and UEFI.
    Pe,
    /// WebAssembly.
    Wasm,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::Pe => "PE",
            Self::Wasm => "WebAssembly",
        }
    }
}

/// Role of an object file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A program at a fixed address.
    Executable,
    /// A program at any address.
    PieExecutable,
    /// A shared library.
    SharedLibrary,
    /// An object to be linked.
    Relocatable,
    /// Anything else, such as a core dump.
    Other,
}

/// What an object file was built for.
///
/// `Display` gives one line, such as `ELF 64-bit aarch64 linux, static`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
    /// File format.
    pub format: Format,
    /// Role of the file.
    pub kind: Kind,
    /// Operating system, when the file shows evidence of one (ELF OS/ABI byte, note, interpreter).
    pub os: Option<Os>,
    /// Architecture; `None` when the machine is not in the table.
    pub arch: Option<Arch>,
    /// Further architectures in a fat file.
    pub other_arches: Vec<Arch>,
    /// Machine number of the format (`e_machine` for ELF).
    pub machine: u32,
    /// Width of addresses, in bits.
    pub bits: u8,
    /// Byte order.
    pub endian: Endian,
    /// Lowest variant of the architecture that can run it, when the file says so.
    pub needs: Option<Variant>,
    /// How floating-point values are passed, when the file says so.
    pub float_abi: Option<FloatAbi>,
    /// C library, as far as the dynamic linker's name tells.
    pub libc: Option<Libc>,
    /// Path of the dynamic linker.
    pub interpreter: Option<String>,
    /// Whether the program runs without a dynamic linker and without shared libraries.
    pub is_static: bool,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-bit ", self.format.name(), self.bits)?;
        match self.arch {
            Some(arch) => f.write_str(machine_name(arch))?,
            None => write!(f, "machine {} {}", self.machine, self.endian)?,
        }
        for other in &self.other_arches {
            write!(f, "+{}", machine_name(*other))?;
        }
        if let Some(os) = self.os {
            write!(f, " {os}")?;
        }
        match (self.kind, &self.interpreter) {
            (Kind::Relocatable, _) => f.write_str(", object to be linked"),
            (Kind::SharedLibrary, _) => f.write_str(", shared library"),
            (Kind::Other, _) => f.write_str(", neither program nor library"),
            (Kind::Executable | Kind::PieExecutable, _) if self.is_static => f.write_str(", static"),
            (Kind::Executable | Kind::PieExecutable, Some(path)) => {
                write!(f, ", dynamic, interpreter {}", path.escape_debug())
            }
            (Kind::Executable | Kind::PieExecutable, None) if self.format == Format::Elf => {
                f.write_str(", dynamic")
            }
            (Kind::Executable | Kind::PieExecutable, None) => Ok(()),
        }
    }
}

/// The word people know an architecture's machine by, as `uname -m` prints it.
pub(super) const fn machine_name(arch: Arch) -> &'static str {
    match arch {
        Arch::I386 => "i386",
        Arch::Amd64 => "x86_64",
        Arch::Amd64p32 => "x86_64 (x32)",
        Arch::Arm64 => "aarch64",
        Arch::Arm64be => "aarch64_be",
        Arch::Arm64p32 => "aarch64 (ilp32)",
        Arch::Arm64p32be => "aarch64_be (ilp32)",
        Arch::Armbe => "arm big-endian",
        Arch::Loong32 => "loongarch32",
        Arch::Loong64 => "loongarch64",
        Arch::Mips64p32 => "mips64 (n32)",
        Arch::Mips64p32le => "mips64le (n32)",
        Arch::Riscv => "riscv32",
        Arch::Alpha
        | Arch::Amdgcn
        | Arch::Arc
        | Arch::Arm
        | Arch::Avr
        | Arch::Avr32
        | Arch::Bpf
        | Arch::Bpfbe
        | Arch::Cris
        | Arch::Csky
        | Arch::Hexagon
        | Arch::Hppa
        | Arch::Ia64
        | Arch::M32r
        | Arch::M68k
        | Arch::Microblaze
        | Arch::Microblazeel
        | Arch::Mips
        | Arch::Mips64
        | Arch::Mips64le
        | Arch::Mipsle
        | Arch::Msp430
        | Arch::Nios2
        | Arch::Nvptx64
        | Arch::Or1k
        | Arch::Ppc
        | Arch::Ppc64
        | Arch::Ppc64le
        | Arch::Ppcle
        | Arch::Riscv64
        | Arch::S390
        | Arch::S390x
        | Arch::Sh3
        | Arch::Sh3be
        | Arch::Sh4
        | Arch::Sh4be
        | Arch::Sparc
        | Arch::Sparc64
        | Arch::Tilegx
        | Arch::Wasm
        | Arch::Wasm64
        | Arch::Xtensa
        | Arch::Xtensabe => arch.name(),
    }
}
