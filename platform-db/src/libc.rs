//! C libraries and Windows toolchains: the axis that a target triple has beyond the platform.
//!
//! OCI platforms say nothing of it; the distribution of the build stage decides, so it is never part of a
//! [`Platform`](crate::Platform).

use crate::axis::axis;

axis! {
    /// What a program is linked against. The name is the word that stands in target triples.
    Libc {
        /// GNU libc, and MinGW on Windows.
        Gnu = "gnu",
        /// musl.
        Musl = "musl",
        /// Microsoft's runtime.
        Msvc = "msvc",
        /// MinGW with LLVM's runtime.
        Gnullvm = "gnullvm",
        /// uClibc-ng.
        Uclibc = "uclibc",
        /// OpenHarmony's musl.
        Ohos = "ohos",
        /// The one library the system has, or none.
        System = "system",
    }
}
