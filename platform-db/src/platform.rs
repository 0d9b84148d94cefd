//! The platform value that every other part of the project passes around.
//!
//! It can only hold a known operating system on a known architecture; what does not exist cannot be built.

use std::fmt;
use std::str::FromStr;

use crate::arch::Arch;
use crate::error::ParsePlatformError;
use crate::os::Os;
use crate::parse;
use crate::uname;
use crate::variant::Variant;

/// An operating system on a processor architecture, as the OCI image specification writes it.
///
/// `FromStr` and `Display` are inverse over all known platforms; reading also accepts what containerd normalises.
///
/// ```
/// use platform_db::Platform;
///
/// let platform: Platform = "linux/armhf".parse().unwrap();
/// assert_eq!(platform.to_string(), "linux/arm/v7");
/// assert_eq!((platform.os(), platform.arch(), platform.variant()), ("linux", "arm", "v7"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: Os,
    arch: Arch,
    variant: Variant,
    os_version: Option<Box<str>>,
}

impl Platform {
    pub(crate) fn from_ids(os: Os, arch: Arch, variant: Variant, os_version: Option<&str>) -> Self {
        Self { os, arch, variant, os_version: os_version.map(Box::from) }
    }

    /// Returns the platform of an operating system on an architecture, when there is one.
    ///
    /// ```
    /// use platform_db::{Arch, Os, Platform, Variant};
    ///
    /// let platform = Platform::new(Os::Linux, Arch::Arm, Variant::V6).unwrap();
    /// assert_eq!(platform.to_string(), "linux/arm/v6");
    /// assert_eq!(Platform::new(Os::Darwin, Arch::S390x, Variant::Base), None);
    /// ```
    #[must_use]
    pub fn new(os: Os, arch: Arch, variant: Variant) -> Option<Self> {
        crate::table::find(os, arch, variant).map(|_| Self::from_ids(os, arch, variant, None))
    }

    /// Reads a platform from the four fields that OCI's documents have; the last two may be empty.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let platform = Platform::from_parts("windows", "amd64", "", "10.0.17763.1").unwrap();
    /// assert_eq!(platform.to_string(), "windows(10.0.17763.1)/amd64");
    /// ```
    ///
    /// # Errors
    /// When a part is unknown, or the parts do not go together.
    pub fn from_parts(
        os: &str,
        arch: &str,
        variant: &str,
        os_version: &str,
    ) -> Result<Self, ParsePlatformError> {
        parse::parse_parts(os, arch, variant, os_version)
    }

    /// Returns the operating system's name: Go's `GOOS`.
    #[must_use]
    pub fn os(&self) -> &'static str {
        self.os.name()
    }

    /// Returns the architecture's name: Go's `GOARCH`.
    #[must_use]
    pub fn arch(&self) -> &'static str {
        self.arch.name()
    }

    /// Returns the variant in OCI spelling, `""` when the platform has none.
    #[must_use]
    pub fn variant(&self) -> &'static str {
        self.variant.name()
    }

    /// Returns the operating system version, as in `windows(10.0.17763)/amd64`.
    #[must_use]
    pub fn os_version(&self) -> Option<&str> {
        self.os_version.as_deref()
    }

    /// Returns the operating system.
    #[must_use]
    pub fn os_id(&self) -> Os {
        self.os
    }

    /// Returns the architecture.
    #[must_use]
    pub fn arch_id(&self) -> Arch {
        self.arch
    }

    /// Returns the variant.
    #[must_use]
    pub fn variant_id(&self) -> Variant {
        self.variant
    }

    /// Returns the same platform without an operating system version.
    #[must_use]
    pub fn without_os_version(&self) -> Self {
        Self { os_version: None, ..*self }
    }

    /// Reads a platform of which one part may be missing (`linux`, `arm64`); the rest comes from `host`.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// let host: Platform = "linux/amd64".parse().unwrap();
    /// assert_eq!(Platform::parse_on("arm64", &host).unwrap().to_string(), "linux/arm64");
    /// ```
    ///
    /// # Errors
    /// When a part is unknown, or the parts do not go together.
    pub fn parse_on(input: &str, host: &Self) -> Result<Self, ParsePlatformError> {
        parse::parse_on(input, host)
    }

    /// Returns the Linux platform of a machine that prints this for `uname -m`.
    ///
    /// ```
    /// use platform_db::Platform;
    ///
    /// assert_eq!(Platform::from_uname("aarch64").unwrap().to_string(), "linux/arm64");
    /// ```
    ///
    /// # Errors
    /// When no known Linux machine prints this.
    pub fn from_uname(machine: &str) -> Result<Self, ParsePlatformError> {
        uname::platform(machine)
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        parse::parse(input)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.os())?;
        if let Some(version) = &self.os_version {
            write!(f, "({version})")?;
        }
        write!(f, "/{}", self.arch())?;
        match self.variant() {
            "" => Ok(()),
            variant => write!(f, "/{variant}"),
        }
    }
}

impl Platform {
    /// Iterates over every known platform, each architecture with each of its variants, sorted.
    pub fn all() -> impl Iterator<Item = Self> {
        crate::table::all().map(|(os, arch, variant)| Self::from_ids(os, arch, variant, None))
    }
}
