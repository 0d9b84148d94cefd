//! Which operating system runs on which architecture.

use crate::arch::Arch;
use crate::os::Os;

use Arch::{
    Alpha, Amd64, Amd64p32, Arm, Arm64, Arm64be, Armbe, Hppa, I386, Ia64, Loong64, M68k, Mips, Mips64,
    Mips64le, Mipsle, Ppc, Ppc64, Ppc64le, Riscv, Riscv64, S390, S390x, Sh4, Sparc, Sparc64, Wasm,
};

/// Returns whether the two go together.
pub(crate) fn runs_on(os: Os, arch: Arch) -> bool {
    arches(os).contains(&arch)
}

/// Architectures of each system. Sources: `go tool dist list`, rustc's targets, Debian's cputable.
const fn arches(os: Os) -> &'static [Arch] {
    match os {
        Os::Aix => &[Ppc64],
        Os::Android => &[I386, Amd64, Arm, Arm64, Riscv64],
        Os::Darwin => &[Amd64, Arm64],
        Os::Dragonfly | Os::Illumos => &[Amd64],
        Os::Emscripten | Os::Js | Os::Wasi | Os::Wasip1 => &[Wasm],
        Os::Freebsd => &[I386, Amd64, Arm, Arm64, Ppc, Ppc64, Ppc64le, Riscv64],
        Os::Fuchsia => &[Amd64, Arm64, Riscv64],
        Os::Hurd | Os::Redox => &[I386, Amd64],
        Os::Ios => &[Amd64, Arm64],
        Os::Linux => &[
            I386, Alpha, Amd64, Amd64p32, Arm, Arm64, Arm64be, Armbe, Hppa, Ia64, Loong64, M68k, Mips,
            Mips64, Mips64le, Mipsle, Ppc, Ppc64, Ppc64le, Riscv, Riscv64, S390, S390x, Sh4, Sparc, Sparc64,
        ],
        Os::Netbsd => &[I386, Amd64, Arm, Arm64, Mipsle, Ppc, Riscv64, Sparc64],
        Os::None => &[I386, Amd64, Arm, Arm64, Loong64, Riscv, Riscv64, Wasm],
        Os::Openbsd => &[I386, Amd64, Arm, Arm64, Mips64, Ppc, Ppc64, Riscv64, Sparc64],
        Os::Plan9 => &[I386, Amd64, Arm],
        Os::Solaris => &[Amd64, Sparc64],
        Os::Uefi => &[I386, Amd64, Arm64],
        Os::Windows => &[I386, Amd64, Arm, Arm64],
    }
}

/// Returns every platform there is, each with each of its variants.
pub(crate) fn all() -> impl Iterator<Item = (Os, Arch, crate::variant::Variant)> {
    Os::ALL.iter().flat_map(|os| {
        arches(*os).iter().flat_map(|arch| arch.variants().iter().map(|variant| (*os, *arch, *variant)))
    })
}
