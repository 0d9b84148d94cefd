//! Names of packages as the target has them.

use std::collections::BTreeSet;

use super::args::Package;
use super::lists::{Known, Lists};
use crate::env::Env;
use crate::host::Host;
use crate::report::Failure;
use crate::target::Target;

/// The names that stand for what a C or C++ compiler needs of the target; of another system than Linux there is nothing.
///
/// # Errors
/// When the lists do not have what the name stands for.
pub(super) fn expand(
    host: &dyn Host,
    package: Package,
    lists: &Lists,
    target: &Target,
    dry_run: bool,
) -> Result<Vec<Package>, Failure> {
    let (arch, is_linux) = (target.package_arch(), target.os == "linux");
    let newest = |prefix: &str| {
        let version = match lists.newest(prefix, "-dev", arch) {
            Some(version) => version.to_string(),
            // The lists come with an update that did not happen.
            None if dry_run => "N".to_owned(),
            None => {
                return Err(Failure::new(format!("no {prefix}N-dev in the package lists of {arch}"))
                    .hint("its archive may lack the architecture: the messages of `apt-get update` tell")
                    .code(100));
            }
        };
        host.why(format_args!(
            "{}: {prefix}{version}-dev is the newest in the lists of {arch}",
            package.name
        ));
        Ok(Package::named(format!("{prefix}{version}-dev")))
    };
    match package.name.as_str() {
        "xx-c-essentials" | "xx-cxx-essentials" if !is_linux => Ok(Vec::new()),
        "xx-c-essentials" => Ok(vec![Package::named("libc6-dev".to_owned()), newest("libgcc-")?]),
        "xx-cxx-essentials" => Ok(vec![newest("libstdc++-")?]),
        _ => Ok(vec![package]),
    }
}

/// What turns a package's name into that of the target's.
pub(super) struct Resolver<'a> {
    host: &'a dyn Host,
    arch: &'a str,
    linux: bool,
    cross: bool,
    prefer_cross: bool,
    /// What Debian's cross tools are called after: `aarch64-linux-gnu`, `mingw-w64-x86-64`.
    suffix: String,
    /// The names that are in the lists.
    known: Known,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        env: &Env,
        host: &'a dyn Host,
        target: &'a Target,
        lists: &Lists,
        packages: &[Package],
    ) -> Self {
        let mut resolver = Self {
            host,
            arch: target.package_arch(),
            linux: target.os == "linux",
            cross: target.is_cross(host),
            prefer_cross: env.is_set("XX_APT_PREFER_CROSS"),
            suffix: suffix(target),
            known: Known::default(),
        };
        let open = packages.iter().filter(|package| package.takes_arch());
        let names = open.flat_map(|package| {
            let name = package.name.as_str();
            [resolver.tool(name), resolver.cross_library(name), name.to_owned()]
        });
        resolver.known = lists.which_are_known(&names.collect::<BTreeSet<_>>());
        resolver
    }

    fn tool(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    fn cross_library(&self, name: &str) -> String {
        format!("{name}-{}-cross", self.arch)
    }

    /// Words for apt; packages that a target other than Linux has none of are left out.
    pub(super) fn resolve(&self, packages: Vec<Package>) -> Vec<String> {
        packages.iter().filter_map(|package| self.one(package)).collect()
    }

    fn one(&self, package: &Package) -> Option<String> {
        let name = package.name.as_str();
        let because = |word: String, why: &str| {
            self.host.why(format_args!("package {package}: {word}, {why}"));
            Some(word)
        };
        if !self.cross {
            return because(package.to_string(), "the target is the build machine");
        }
        if !package.takes_arch() {
            return because(package.to_string(), "named whole");
        }
        if self.known.has(&self.tool(name)) {
            return because(package.renamed(&self.tool(name)), "a cross tool in the lists");
        }
        if !self.linux {
            self.host.why(format_args!("package {package}: left out, only Linux has packages"));
            return None;
        }
        if self.prefer_cross && self.known.has(&self.cross_library(name)) {
            return because(package.renamed(&self.cross_library(name)), "XX_APT_PREFER_CROSS");
        }
        if self.known.is_for_all(name) {
            return because(package.to_string(), "one package for all architectures");
        }
        because(package.with_arch(self.arch), "the target's own")
    }
}

fn suffix(target: &Target) -> String {
    match (target.os.as_str(), target.arch.as_str()) {
        ("windows", "amd64") => "mingw-w64-x86-64".to_owned(),
        ("windows", "386") => "mingw-w64-i686".to_owned(),
        ("windows", "arm64") => "mingw-w64-aarch64".to_owned(),
        ("windows", "arm") => "mingw-w64-arm".to_owned(),
        _ => target.triple().unwrap_or_default().replacen("x86_64-", "x86-64-", 1),
    }
}
