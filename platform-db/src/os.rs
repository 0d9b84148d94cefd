//! Operating systems, by their `GOOS` name where Go has one.
//!
//! Names of other tools (`macos`, `apple-darwin`, `win32`) are columns of the name tables, not members here.

use crate::axis::axis;

axis! {
    /// An operating system. The name is Go's `GOOS`; systems Go does not build for bear the name that Rust or containerd uses.
    Os {
        /// IBM AIX.
        Aix = "aix",
        /// Android (bionic on Linux).
        Android = "android",
        /// macOS.
        Darwin = "darwin",
        /// DragonFly BSD.
        Dragonfly = "dragonfly",
        /// WebAssembly and JavaScript built by Emscripten.
        Emscripten = "emscripten",
        /// FreeBSD.
        Freebsd = "freebsd",
        /// Fuchsia.
        Fuchsia = "fuchsia",
        /// GNU Hurd.
        Hurd = "hurd",
        /// illumos.
        Illumos = "illumos",
        /// iOS and iPadOS.
        Ios = "ios",
        /// A JavaScript host (browser, Node.js).
        Js = "js",
        /// Linux.
        Linux = "linux",
        /// NetBSD.
        Netbsd = "netbsd",
        /// No operating system: firmware and bare metal.
        None = "none",
        /// OpenBSD.
        Openbsd = "openbsd",
        /// Plan 9 from Bell Labs.
        Plan9 = "plan9",
        /// Redox.
        Redox = "redox",
        /// Oracle Solaris.
        Solaris = "solaris",
        /// tvOS.
        Tvos = "tvos",
        /// UEFI applications.
        Uefi = "uefi",
        /// visionOS.
        Visionos = "visionos",
        /// WebAssembly System Interface, no preview named (Docker's spelling).
        Wasi = "wasi",
        /// WebAssembly System Interface, preview 1 (Go's spelling).
        Wasip1 = "wasip1",
        /// WebAssembly System Interface, preview 2.
        Wasip2 = "wasip2",
        /// watchOS.
        Watchos = "watchos",
        /// Microsoft Windows.
        Windows = "windows",
    }
}
