//! Processor architectures, by their `GOARCH` name where Go has or reserves one.
//!
//! The revision of an architecture (arm v6, amd64 v3) is a [`Variant`](crate::Variant); byte order is part of the
//! architecture, as in Go.

use crate::axis::axis;

axis! {
    /// A processor architecture. The name is Go's `GOARCH`; others bear the name Debian gives them.
    Arch {
        /// 32-bit x86.
        I386 = "386",
        /// DEC Alpha.
        Alpha = "alpha",
        /// 64-bit x86.
        Amd64 = "amd64",
        /// x86-64 with 32-bit pointers (x32).
        Amd64p32 = "amd64p32",
        /// 32-bit ARM, little-endian.
        Arm = "arm",
        /// 64-bit ARM, little-endian.
        Arm64 = "arm64",
        /// 64-bit ARM, big-endian.
        Arm64be = "arm64be",
        /// 32-bit ARM, big-endian.
        Armbe = "armbe",
        /// HP PA-RISC.
        Hppa = "hppa",
        /// Itanium.
        Ia64 = "ia64",
        /// 64-bit LoongArch.
        Loong64 = "loong64",
        /// Motorola 68000.
        M68k = "m68k",
        /// 32-bit MIPS, big-endian.
        Mips = "mips",
        /// 64-bit MIPS, big-endian.
        Mips64 = "mips64",
        /// 64-bit MIPS, little-endian.
        Mips64le = "mips64le",
        /// 32-bit MIPS, little-endian.
        Mipsle = "mipsle",
        /// 32-bit PowerPC, big-endian.
        Ppc = "ppc",
        /// 64-bit PowerPC, big-endian.
        Ppc64 = "ppc64",
        /// 64-bit PowerPC, little-endian.
        Ppc64le = "ppc64le",
        /// 32-bit RISC-V.
        Riscv = "riscv",
        /// 64-bit RISC-V.
        Riscv64 = "riscv64",
        /// 31-bit IBM S/390.
        S390 = "s390",
        /// 64-bit IBM Z.
        S390x = "s390x",
        /// SuperH 4, little-endian.
        Sh4 = "sh4",
        /// 32-bit SPARC.
        Sparc = "sparc",
        /// 64-bit SPARC.
        Sparc64 = "sparc64",
        /// WebAssembly with 32-bit pointers.
        Wasm = "wasm",
    }
}
