//! apt's package lists, read at once instead of one `apt show` per name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::Host;

/// Where apt keeps what `apt-get update` fetched.
pub(super) const DIR: &str = "/var/lib/apt/lists";

/// The text of all package lists.
#[derive(Default)]
pub(super) struct Lists {
    all: Vec<List>,
}

/// One package list.
struct List {
    /// Debian's name of the architecture; empty when the file's name has none.
    arch: String,
    /// `bookworm-security`; empty likewise.
    suite: String,
    text: String,
}

/// Names found in the lists, by the kind of their stanzas.
#[derive(Default)]
pub(super) struct Known {
    for_all: BTreeSet<String>,
    of_one: BTreeSet<String>,
}

impl Known {
    /// Returns whether there is such a package.
    pub(super) fn has(&self, name: &str) -> bool {
        self.for_all.contains(name) || self.of_one.contains(name)
    }

    /// Returns whether the package is the same for all architectures in every list that has it.
    pub(super) fn is_for_all(&self, name: &str) -> bool {
        self.for_all.contains(name) && !self.of_one.contains(name)
    }
}

/// Returns whether lists were fetched: any, or those of one architecture.
pub(super) fn are_there(host: &dyn Host, arch: Option<&str>) -> bool {
    let lists = host.list(Path::new(DIR));
    lists.iter().filter(|name| name.contains("_Packages")).any(|name| arch.is_none() || arch_of(name) == arch)
}

impl Lists {
    /// Returns whether the lists of an architecture are among them.
    pub(super) fn has(&self, arch: &str) -> bool {
        self.all.iter().any(|list| list.arch == arch)
    }

    /// Reads the lists of some architectures in a folder of apt's, and those that are for all; compressed ones (`Acquire::GzipIndexes`) are
    /// asked of apt's own helper. A list is some 50 MB of text, and a machine may have those of ten architectures.
    pub(super) fn read(host: &dyn Host, dir: &Path, arches: &[&str]) -> Self {
        let mut all = Vec::new();
        let is_wanted = |arch: &str| matches!(arch, "" | "all") || arches.contains(&arch);
        for name in host.list(dir) {
            let path = dir.join(&name);
            let arch = arch_of(&name).unwrap_or_default().to_owned();
            if !is_wanted(&arch) {
                continue;
            }
            let text = if name.ends_with("_Packages") {
                host.read(&path)
            } else if name.contains("_Packages.") {
                let helper = PathBuf::from("/usr/lib/apt/apt-helper");
                host.ask(&helper, &["cat-file", &path.to_string_lossy()])
            } else {
                None
            };
            let suite = suite_of(&name).unwrap_or_default().to_owned();
            all.extend(text.map(|text| List { arch, suite, text }));
        }
        Self { all }
    }

    /// Returns those of the names that are packages.
    pub(super) fn which_are_known(&self, names: &BTreeSet<String>) -> Known {
        let mut known = Known::default();
        for list in &self.all {
            for stanza in stanzas(&list.text) {
                if let Some(name) = names.get(stanza.name) {
                    let set = if stanza.is_for_all() { &mut known.for_all } else { &mut known.of_one };
                    set.insert(name.clone());
                }
            }
        }
        known
    }

    /// Returns the highest N for which `PREFIXNsuffix` is a package of the architecture.
    ///
    /// Before the architecture's own lists were fetched (a dry run), those of the others answer.
    pub(super) fn newest(&self, prefix: &str, suffix: &str, arch: &str) -> Option<u32> {
        let has_own = self.has(arch);
        let lists = self.all.iter().filter(|list| !has_own || list.arch == arch);
        lists
            .flat_map(|list| stanzas(&list.text))
            .filter_map(|stanza| stanza.name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok())
            .max()
    }

    /// The packages of an architecture, each with the suite that has it.
    pub(super) fn packages<'l>(&'l self, arch: &str) -> impl Iterator<Item = (&'l str, Stanza<'l>)> {
        let lists = self.all.iter().filter(move |list| list.arch == arch);
        lists.flat_map(|list| stanzas(&list.text).map(|stanza| (list.suite.as_str(), stanza)))
    }
}

/// `host_debian_dists_bookworm_main_binary-arm64_Packages` is for `arm64`.
fn arch_of(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once("_binary-")?;
    rest.split("_Packages").next()
}

/// `host_debian-security_dists_bookworm-security_main_binary-amd64_Packages` is of `bookworm-security`.
fn suite_of(name: &str) -> Option<&str> {
    name.split_once("_dists_")?.1.split('_').next()
}

/// One package of a list, or of dpkg's status.
pub(super) struct Stanza<'t> {
    pub(super) name: &'t str,
    text: &'t str,
}

impl<'t> Stanza<'t> {
    /// Returns a field's value, `""` where there is none.
    pub(super) fn field(&self, name: &str) -> &'t str {
        let value = |line: &'t str| line.strip_prefix(name)?.strip_prefix(": ");
        self.text.lines().find_map(value).unwrap_or_default()
    }

    fn is_for_all(&self) -> bool {
        self.text.lines().any(|line| line == "Architecture: all")
    }
}

pub(super) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").filter_map(|text| {
        let name = text.trim_start().strip_prefix("Package: ")?.lines().next()?.trim();
        Some(Stanza { name, text })
    })
}

#[cfg(test)]
mod tests {
    use super::{List, Lists, arch_of, suite_of};

    #[test]
    fn names_of_lists() {
        assert_eq!(arch_of("deb.example_debian_dists_bookworm_main_binary-arm64_Packages"), Some("arm64"));
        assert_eq!(arch_of("x_binary-armhf_Packages.lz4"), Some("armhf"));
        assert_eq!(arch_of("x_InRelease"), None);
        let security = "m_debian-security_dists_bookworm-security_main_binary-amd64_Packages";
        assert_eq!(suite_of(security), Some("bookworm-security"));
    }

    #[test]
    fn packages_in_lists() {
        let text = "Package: libgcc-9-dev\nArchitecture: arm64\n\nPackage: libgcc-14-dev\nArchitecture: arm64\n\n\
                    Package: doc\nVersion: 1\nArchitecture: all\n\nPackage: both\nArchitecture: all\n\n\
                    Package: both\nArchitecture: arm64\n";
        let list = List { arch: "arm64".to_owned(), suite: String::new(), text: text.to_owned() };
        let lists = Lists { all: vec![list] };
        assert_eq!(lists.newest("libgcc-", "-dev", "arm64"), Some(14));
        assert_eq!(lists.newest("libgcc-", "-dev", "armhf"), Some(14));
        assert_eq!(lists.newest("libstdc++-", "-dev", "arm64"), None);
        let asked = ["doc", "nothing", "both", "libgcc-9-dev"].map(String::from).into_iter().collect();
        let known = lists.which_are_known(&asked);
        let found = |name| (known.has(name), known.is_for_all(name));
        assert_eq!(found("doc"), (true, true));
        assert_eq!(found("both"), (true, false), "made for one architecture in another release");
        assert_eq!(found("libgcc-9-dev"), (true, false));
        assert_eq!(found("nothing"), (false, false));
    }
}
