//! The three words of a target, and which variable wins.
//!
//! The original's precedence, with its accidents, because Dockerfiles depend on it: TARGETPLATFORM before TARGETPAIR
//! before TARGETOS, TARGETARCH and TARGETVARIANT, word by word.

use platform_db::Platform;

use crate::env::Env;

/// The three words of a target, as written.
pub(super) struct Words {
    pub(super) os: String,
    pub(super) arch: String,
    pub(super) variant: String,
    /// Third field of TARGETPLATFORM, as it is. The original takes only some into TARGETVARIANT, and its answers stay;
    /// but compilers are told of every one.
    written: String,
}

impl Words {
    /// Reads the variables. What is not UTF-8 is no platform, but is not as if it were unset either: nothing is
    /// answered for the build machine then.
    pub(super) fn read(env: &Env) -> Self {
        let word = |name| env.var_os(name).unwrap_or_default().to_string_lossy().into_owned();
        let mut words = Self {
            os: word("TARGETOS"),
            arch: word("TARGETARCH"),
            variant: word("TARGETVARIANT"),
            written: String::new(),
        };
        words.take_pair(&word("TARGETPAIR"));
        words.take_platform(&word("TARGETPLATFORM"));
        words
    }

    /// `os-arch[variant]`; only an arm variant can be told from the architecture.
    fn take_pair(&mut self, pair: &str) {
        let (os, arch) = two(pair, '-');
        if os.is_empty() || arch.is_empty() {
            return;
        }
        os.clone_into(&mut self.os);
        match arch.strip_prefix("armv") {
            Some(version) => {
                "arm".clone_into(&mut self.arch);
                self.variant = format!("v{version}");
            }
            None => arch.clone_into(&mut self.arch),
        }
    }

    /// `os/arch[/variant]`.
    fn take_platform(&mut self, platform: &str) {
        let (os, arch) = two(platform, '/');
        if platform.is_empty() {
            return;
        }
        // Half a platform is none; the build machine's must not take its place.
        if os.is_empty() || arch.is_empty() {
            "unknown".clone_into(&mut self.arch);
            return;
        }
        let variant = platform.split('/').nth(2).unwrap_or_default();
        os.clone_into(&mut self.os);
        arch.clone_into(&mut self.arch);
        variant.clone_into(&mut self.written);
        match (arch, variant) {
            ("amd64", "v2" | "v3" | "v4") | ("arm", "v5" | "v6" | "v8") => {
                variant.clone_into(&mut self.variant)
            }
            ("arm", _) => "v7".clone_into(&mut self.variant),
            (arch, _) if arch.starts_with("mips") => variant.clone_into(&mut self.variant),
            // What nobody knows is shown in the refusal.
            _ if self.is_unknown_variant() => variant.clone_into(&mut self.variant),
            _ => {}
        }
    }

    /// Whether TARGETPLATFORM names a variant that the architecture does not have. Of arm's, the original takes every
    /// other word for v7.
    fn is_unknown_variant(&self) -> bool {
        let Self { os, arch, written, .. } = self;
        let is = |variant: &str| Platform::from_parts(os, arch, variant, "").is_ok();
        arch != "arm" && !written.is_empty() && is("") && !is(written)
    }

    /// Returns the platform that the words name. Of two variants the one in TARGETPLATFORM counts; one left over from
    /// another architecture (`TARGETVARIANT=v7` with arm64) does not.
    pub(super) fn platform(&self) -> Option<Platform> {
        if self.is_unknown_variant() {
            return None;
        }
        let with = |variant: &str| Platform::from_parts(&self.os, &self.arch, variant, "").ok();
        let variants = [&self.written, &self.variant].into_iter().filter(|variant| !variant.is_empty());
        variants.into_iter().find_map(|variant| with(variant)).or_else(|| with(""))
    }
}

/// First two fields; a text without the separator is both, as `cut` has it.
fn two(text: &str, separator: char) -> (&str, &str) {
    let mut fields = text.split(separator);
    let first = fields.next().unwrap_or_default();
    (first, fields.next().unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use super::Words;
    use crate::env::Env;

    fn read(vars: &[(&str, &[u8])]) -> (String, Option<String>) {
        let vars =
            vars.iter().map(|(name, value)| (OsString::from(name), OsString::from_vec(value.to_vec())));
        let words = Words::read(&Env { vars: vars.collect(), ..Env::default() });
        let platform = words.platform().map(|platform| platform.to_string());
        (format!("{} {} {}", words.os, words.arch, words.variant), platform)
    }

    #[test]
    fn precedence() {
        type Case<'c> = (&'c [(&'c str, &'c [u8])], &'c str, Option<&'c str>);
        let cases: &[Case] = &[
            (&[("TARGETPAIR", b"linux-armv6")], "linux arm v6", Some("linux/arm/v6")),
            (
                &[("TARGETPAIR", b"linux-armv6"), ("TARGETPLATFORM", b"linux/amd64")],
                "linux amd64 v6",
                Some("linux/amd64"),
            ),
            (&[("TARGETPLATFORM", b"linux/arm64/v8.2")], "linux arm64 ", Some("linux/arm64/v8.2")),
            (
                &[("TARGETPLATFORM", b"linux/arm64/v9"), ("TARGETVARIANT", b"v7")],
                "linux arm64 v7",
                Some("linux/arm64/v9"),
            ),
            (
                &[("TARGETPLATFORM", b"linux/arm64/v9"), ("TARGETVARIANT", b"v8.1")],
                "linux arm64 v8.1",
                Some("linux/arm64/v9"),
            ),
            (&[("TARGETPLATFORM", b"linux/arm/v9")], "linux arm v7", Some("linux/arm/v7")),
            (
                &[("TARGETOS", b"linux"), ("TARGETARCH", b"amd64"), ("TARGETVARIANT", b"v3")],
                "linux amd64 v3",
                Some("linux/amd64/v3"),
            ),
            (&[("TARGETPLATFORM", b"linux/amd\xff64")], "linux amd\u{fffd}64 ", None),
            (&[("TARGETPLATFORM", b"linux/arm64/v99")], "linux arm64 v99", None),
            (&[("TARGETPLATFORM", b"linux/amd64/v1")], "linux amd64 ", Some("linux/amd64")),
            (&[("TARGETPLATFORM", b"linux/")], " unknown ", None),
        ];
        for (vars, words, platform) in cases {
            assert_eq!(read(vars), ((*words).to_owned(), platform.map(str::to_owned)), "{vars:?}");
        }
    }
}
