//! Which content serves a platform that was asked for, best first.
//!
//! The order is that of containerd's `platforms.Only`, by which engines choose among the images of an index. Unlike
//! [`Platform::runs`] it does not say what a machine can do: of other architectures it holds two alone, those that
//! containerd takes, and they come last. Variants that containerd has no order for (`ppc64le/power9`, `riscv64/rva22u64`)
//! are ordered as it orders those of arm and amd64.

use crate::arch::Arch;
use crate::os::Os;
use crate::platform::Platform;
use crate::table;
use crate::variant::Variant;

/// Architectures whose content is taken when there is none of the platform's own. Source: containerd's `platformVector`.
const NARROWER: [(Arch, Arch); 2] = [(Arch::Amd64, Arch::I386), (Arch::Arm64, Arch::Arm)];

impl Platform {
    /// Iterates over the platforms whose content serves this one, best first; itself is the first.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let wanted: Platform = "linux/amd64/v3".parse().unwrap();
    /// let order: Vec<String> = wanted.only().map(|platform| platform.to_string()).collect();
    /// assert_eq!(order, ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]);
    /// ```
    pub fn only(&self) -> impl Iterator<Item = Self> {
        let (os, arch, variant) = (self.os_id(), self.arch_id(), self.variant_id());
        let own = lower(arch, variant).map(move |lower| (arch, lower));
        let narrower = NARROWER.into_iter().filter(move |(wide, _)| *wide == arch).flat_map(|(_, narrow)| {
            let highest = if narrow == Arch::Arm { Variant::V8 } else { Variant::Base };
            lower(narrow, highest).map(move |lower| (narrow, lower))
        });
        let known = move |(arch, variant): &(Arch, Variant)| table::find(os, *arch, *variant).is_some();
        let version = self.os_version();
        own.chain(narrower)
            .filter(known)
            .map(move |(arch, variant)| Self::from_ids(os, arch, variant, version))
    }

    /// Returns the place of `content` in [`Platform::only`]; `None` when it does not serve. Lower is better, so the
    /// best of several is `min_by_key`.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let wanted: Platform = "linux/arm/v7".parse().unwrap();
    /// let rank = |content: &str| wanted.only_rank(&content.parse().unwrap());
    /// assert!(rank("linux/arm") < rank("linux/arm/v6"));
    /// assert_eq!(rank("linux/arm64"), None);
    /// ```
    #[must_use]
    pub fn only_rank(&self, content: &Self) -> Option<usize> {
        self.only().position(|platform| platform.only_strict(content))
    }

    /// Returns whether `content` is for this very platform. A version of the operating system counts on Windows
    /// alone, where both name one.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let wanted: Platform = "linux/arm64".parse().unwrap();
    /// assert!(wanted.only_strict(&"linux/arm64/v8".parse().unwrap()));
    /// assert!(!wanted.only_strict(&"linux/arm/v8".parse().unwrap()));
    /// ```
    #[must_use]
    pub fn only_strict(&self, content: &Self) -> bool {
        let same = |platform: &Self| (platform.os_id(), platform.arch_id(), platform.variant_id());
        same(self) == same(content)
            && (self.os_id() != Os::Windows || windows_serves(self.os_version(), content.os_version()))
    }
}

/// The variant and those below it, best first.
fn lower(arch: Arch, variant: Variant) -> impl Iterator<Item = Variant> {
    // What lies beside the others has another calling convention: its libraries do not go together with theirs.
    arch.runs_variants(variant).filter(move |lower| *lower == variant || arch.is_ordinary(*lower))
}

/// Builds of Windows Server with long support, from the first whose later ones run content of the one before.
///
/// Source: Microsoft, "Windows container version compatibility".
const LONG_SUPPORT: [u32; 2] = [20348, 26100];

/// Whether content for one version of Windows runs on another. A version that cannot be read is any.
fn windows_serves(wanted: Option<&str>, content: Option<&str>) -> bool {
    let (Some(wanted), Some(content)) = (wanted.and_then(windows), content.and_then(windows)) else {
        return true;
    };
    let [first, ..] = LONG_SUPPORT;
    if wanted.0 != content.0 || wanted.1 < first {
        return wanted == content;
    }
    let oldest = LONG_SUPPORT.iter().rev().find(|build| **build < wanted.1).unwrap_or(&first);
    (*oldest..=wanted.1).contains(&content.1)
}

/// `10.0.20348.169`: the release, and the build.
fn windows(version: &str) -> Option<((u32, u32), u32)> {
    let mut parts = version.splitn(4, '.').map(|part| part.parse().ok());
    let mut part = || parts.next().flatten();
    Some(((part()?, part()?), part()?))
}
