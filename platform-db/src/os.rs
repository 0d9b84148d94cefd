//! Operating systems, by their `GOOS` name where Go has one.
//!
//! Names of other tools (`macos`, `apple-darwin`, `win32`) are columns of the name tables, not members here.

use crate::axis::axis;

axis! {
    /// An operating system. The name is Go's `GOOS`; systems Go does not build for bear the name that Rust or containerd or Debian uses.
    Os {
        /// IBM AIX.
        Aix = "aix",
        /// AMD's runtime for programs of graphics processors.
        Amdhsa = "amdhsa",
        /// Android (bionic on Linux).
        Android = "android",
        /// NVIDIA's runtime for programs of graphics processors.
        Cuda = "cuda",
        /// Cygwin on Windows.
        Cygwin = "cygwin",
        /// macOS.
        Darwin = "darwin",
        /// DragonFly BSD.
        Dragonfly = "dragonfly",
        /// WebAssembly and JavaScript built by Emscripten.
        Emscripten = "emscripten",
        /// Espressif's development framework.
        Espidf = "espidf",
        /// FreeBSD.
        Freebsd = "freebsd",
        /// Fuchsia.
        Fuchsia = "fuchsia",
        /// Haiku.
        Haiku = "haiku",
        /// HelenOS.
        Helenos = "helenos",
        /// The Hermit unikernel.
        Hermit = "hermit",
        /// Nintendo's Horizon.
        Horizon = "horizon",
        /// GNU Hurd.
        Hurd = "hurd",
        /// illumos.
        Illumos = "illumos",
        /// iOS and iPadOS.
        Ios = "ios",
        /// A JavaScript host (browser, Node.js).
        Js = "js",
        /// Debian on the kernel of FreeBSD.
        Kfreebsd = "kfreebsd",
        /// L4Re.
        L4re = "l4re",
        /// Linux.
        Linux = "linux",
        /// LynxOS-178.
        Lynxos178 = "lynxos178",
        /// Managarm.
        Managarm = "managarm",
        /// FreeMiNT.
        Mint = "mint",
        /// Motor OS.
        Motor = "motor",
        /// Native Client.
        Nacl = "nacl",
        /// NetBSD.
        Netbsd = "netbsd",
        /// No operating system: firmware and bare metal.
        None = "none",
        /// QNX Neutrino.
        Nto = "nto",
        /// Apache NuttX.
        Nuttx = "nuttx",
        /// OpenBSD.
        Openbsd = "openbsd",
        /// Plan 9 from Bell Labs.
        Plan9 = "plan9",
        /// Sony PlayStation Portable.
        Psp = "psp",
        /// Sony PlayStation.
        Psx = "psx",
        /// Qualcomm's real-time system for Hexagon.
        Qurt = "qurt",
        /// Redox.
        Redox = "redox",
        /// RTEMS.
        Rtems = "rtems",
        /// Oracle Solaris.
        Solaris = "solaris",
        /// SOLID with the TOPPERS/ASP3 kernel.
        Solidasp3 = "solid_asp3",
        /// OpenHarmony's trusted execution environment.
        Teeos = "teeos",
        /// Trusty, Android's trusted execution environment.
        Trusty = "trusty",
        /// tvOS.
        Tvos = "tvos",
        /// UEFI applications.
        Uefi = "uefi",
        /// VEX V5 robots.
        Vexos = "vexos",
        /// visionOS.
        Visionos = "visionos",
        /// Sony PlayStation Vita.
        Vita = "vita",
        /// VxWorks.
        Vxworks = "vxworks",
        /// WebAssembly System Interface, no preview named (Docker's spelling).
        Wasi = "wasi",
        /// WebAssembly System Interface, preview 1 (Go's spelling).
        Wasip1 = "wasip1",
        /// WebAssembly System Interface, preview 2.
        Wasip2 = "wasip2",
        /// WebAssembly System Interface, preview 3.
        Wasip3 = "wasip3",
        /// watchOS.
        Watchos = "watchos",
        /// Microsoft Windows.
        Windows = "windows",
        /// Xous.
        Xous = "xous",
        /// RISC Zero's virtual machine for proofs.
        Zkvm = "zkvm",
        /// IBM z/OS.
        Zos = "zos",
    }
}
