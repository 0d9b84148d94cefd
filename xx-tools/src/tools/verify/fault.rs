//! Why a file does not fit, and what to do about it.
//!
//! The reason is the original's line where it has one. The hint follows on a line of its own, once for all files of a call.

use platform_db::object::ObjectError;

/// One file that does not fit.
pub(super) struct Fault {
    /// The line about it, with the file's name.
    pub(super) reason: String,
    /// A next step; none where only a description in words was matched.
    pub(super) hint: Option<&'static str>,
}

pub(super) const BUILT_ELSEWHERE: &str =
    "it was not built for the target: compile it with xx-cc, xx-go or xx-cargo, with TARGETPLATFORM set";
pub(super) const NO_OBJECT: &str =
    "name programs, libraries, objects or archives, or a folder that holds some";
pub(super) const NO_PLATFORM: &str =
    "set TARGETPLATFORM as in `linux/arm64`; `xx-info list` has every platform";
pub(super) const NOT_STATIC: &str =
    "link it with `-static` (C), with CGO_ENABLED=0 (Go), or for a musl target or with `+crt-static` (Rust)";
pub(super) const OTHER_LIBC: &str =
    "build it in a stage whose distribution has that C library, such as Alpine for musl and Debian for gnu";
pub(super) const NEWER_GLIBC: &str =
    "build it on a distribution with the older glibc, or with XX_CC_PREFER_COMPILER=zig and XX_GLIBC";
pub(super) const NOT_IN_ROOT: &str = "install the package that brings it into the root (`xx-apt-get --target-root` on Debian), or link it statically";
pub(super) const UNREADABLE: &str = "check the path, and that it may be read";
const INCOMPLETE: &str = "the file is not whole: build it or copy it again";
const MEMBERS: &str = "verify the objects in it one by one";

impl Fault {
    pub(super) fn new(reason: String, hint: &'static str) -> Self {
        Self { reason, hint: Some(hint) }
    }

    /// A file that starts like an object file and cannot be read as one.
    pub(super) fn of(file: &str, error: &ObjectError) -> Self {
        let hint = match error {
            ObjectError::Unclear(_) => MEMBERS,
            ObjectError::Io(_) => UNREADABLE,
            ObjectError::Truncated(_) | ObjectError::Malformed(_) => INCOMPLETE,
        };
        Self::new(format!("cannot verify {file}: {error}"), hint)
    }
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { reason, hint: None }
    }
}
