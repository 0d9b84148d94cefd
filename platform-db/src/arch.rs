//! Processor architectures, by their `GOARCH` name where Go has or reserves one.
//!
//! The revision of an architecture (arm v6, amd64 v3) is a [`Variant`](crate::Variant); byte order is part of the
//! architecture, as in Go.

use crate::axis::axis;

axis! {
    /// A processor architecture. The name is Go's `GOARCH`; others are named after Go's manner.
    Arch {
        /// 32-bit x86.
        I386 = "386",
        /// DEC Alpha.
        Alpha = "alpha",
        /// 64-bit x86.
        Amd64 = "amd64",
        /// x86-64 with 32-bit pointers (x32).
        Amd64p32 = "amd64p32",
        /// AMD graphics processors (GCN, RDNA).
        Amdgcn = "amdgcn",
        /// 32-bit ARC, little-endian.
        Arc = "arc",
        /// 32-bit ARM, little-endian.
        Arm = "arm",
        /// 64-bit ARM, little-endian.
        Arm64 = "arm64",
        /// 64-bit ARM, big-endian.
        Arm64be = "arm64be",
        /// 64-bit ARM with 32-bit pointers (ILP32), little-endian.
        Arm64p32 = "arm64p32",
        /// 64-bit ARM with 32-bit pointers (ILP32), big-endian.
        Arm64p32be = "arm64p32be",
        /// 32-bit ARM, big-endian.
        Armbe = "armbe",
        /// Atmel AVR microcontrollers.
        Avr = "avr",
        /// Atmel AVR32.
        Avr32 = "avr32",
        /// The kernel's BPF virtual machine, little-endian.
        Bpf = "bpf",
        /// The kernel's BPF virtual machine, big-endian.
        Bpfbe = "bpfbe",
        /// Axis CRIS.
        Cris = "cris",
        /// C-SKY V2, little-endian.
        Csky = "csky",
        /// Qualcomm Hexagon.
        Hexagon = "hexagon",
        /// HP PA-RISC.
        Hppa = "hppa",
        /// Itanium.
        Ia64 = "ia64",
        /// 32-bit LoongArch.
        Loong32 = "loong32",
        /// 64-bit LoongArch.
        Loong64 = "loong64",
        /// Renesas M32R, big-endian.
        M32r = "m32r",
        /// Motorola 68000.
        M68k = "m68k",
        /// MicroBlaze, big-endian.
        Microblaze = "microblaze",
        /// MicroBlaze, little-endian.
        Microblazeel = "microblazeel",
        /// 32-bit MIPS, big-endian.
        Mips = "mips",
        /// 64-bit MIPS, big-endian.
        Mips64 = "mips64",
        /// 64-bit MIPS, little-endian.
        Mips64le = "mips64le",
        /// 64-bit MIPS with 32-bit pointers (n32), big-endian.
        Mips64p32 = "mips64p32",
        /// 64-bit MIPS with 32-bit pointers (n32), little-endian.
        Mips64p32le = "mips64p32le",
        /// 32-bit MIPS, little-endian.
        Mipsle = "mipsle",
        /// Texas Instruments MSP430 microcontrollers.
        Msp430 = "msp430",
        /// Nios II, little-endian.
        Nios2 = "nios2",
        /// NVIDIA graphics processors (PTX).
        Nvptx64 = "nvptx64",
        /// OpenRISC 1000.
        Or1k = "or1k",
        /// 32-bit PowerPC, big-endian.
        Ppc = "ppc",
        /// 64-bit PowerPC, big-endian.
        Ppc64 = "ppc64",
        /// 64-bit PowerPC, little-endian.
        Ppc64le = "ppc64le",
        /// 32-bit PowerPC, little-endian.
        Ppcle = "ppcle",
        /// 32-bit RISC-V.
        Riscv = "riscv",
        /// 64-bit RISC-V.
        Riscv64 = "riscv64",
        /// 31-bit IBM S/390.
        S390 = "s390",
        /// 64-bit IBM Z.
        S390x = "s390x",
        /// SuperH 3, little-endian.
        Sh3 = "sh3",
        /// SuperH 3, big-endian.
        Sh3be = "sh3be",
        /// SuperH 4, little-endian.
        Sh4 = "sh4",
        /// SuperH 4, big-endian.
        Sh4be = "sh4be",
        /// 32-bit SPARC.
        Sparc = "sparc",
        /// 64-bit SPARC.
        Sparc64 = "sparc64",
        /// Tilera TILE-Gx.
        Tilegx = "tilegx",
        /// WebAssembly with 32-bit pointers.
        Wasm = "wasm",
        /// WebAssembly with 64-bit pointers.
        Wasm64 = "wasm64",
        /// Xtensa, little-endian.
        Xtensa = "xtensa",
        /// Xtensa, big-endian.
        Xtensabe = "xtensabe",
    }
}
