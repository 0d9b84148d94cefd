//! apt's package lists, read at once instead of one `apt show` per name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::host::Host;

/// Where apt keeps what `apt-get update` fetched.
const DIR: &str = "/var/lib/apt/lists";

/// The text of all package lists.
#[derive(Default)]
pub(super) struct Lists {
    texts: Vec<(String, String)>,
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
        self.texts.iter().any(|(known, _)| known == arch)
    }

    /// Reads the lists of some architectures, and those that are for all; compressed ones (`Acquire::GzipIndexes`) are
    /// asked of apt's own helper. A list is some 50 MB of text, and a machine may have those of ten architectures.
    pub(super) fn read(host: &dyn Host, arches: &[&str]) -> Self {
        let mut texts = Vec::new();
        let is_wanted = |arch: &str| matches!(arch, "" | "all") || arches.contains(&arch);
        for name in host.list(Path::new(DIR)) {
            let path = Path::new(DIR).join(&name);
            let arch = arch_of(&name).unwrap_or_default().to_owned();
            if !is_wanted(&arch) {
                continue;
            }
            if name.ends_with("_Packages") {
                texts.extend(host.read(&path).map(|text| (arch, text)));
            } else if name.contains("_Packages.") {
                let helper = PathBuf::from("/usr/lib/apt/apt-helper");
                let text = host.ask(&helper, &["cat-file", &path.to_string_lossy()]);
                texts.extend(text.map(|text| (arch, text)));
            }
        }
        Self { texts }
    }

    /// Returns those of the names that are packages.
    pub(super) fn which_are_known(&self, names: &BTreeSet<String>) -> Known {
        let mut known = Known::default();
        for (_, text) in &self.texts {
            for stanza in stanzas(text) {
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
        let has_own = self.texts.iter().any(|(known, _)| known == arch);
        let lists = self.texts.iter().filter(|(known, _)| !has_own || known == arch);
        lists
            .flat_map(|(_, text)| stanzas(text))
            .filter_map(|stanza| stanza.name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok())
            .max()
    }
}

/// `host_debian_dists_bookworm_main_binary-arm64_Packages` is for `arm64`.
fn arch_of(name: &str) -> Option<&str> {
    let (_, rest) = name.rsplit_once("_binary-")?;
    rest.split("_Packages").next()
}

/// One package of a list.
struct Stanza<'t> {
    name: &'t str,
    text: &'t str,
}

impl Stanza<'_> {
    fn is_for_all(&self) -> bool {
        self.text.lines().any(|line| line == "Architecture: all")
    }
}

fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").filter_map(|text| {
        let name = text.trim_start().strip_prefix("Package: ")?.lines().next()?.trim();
        Some(Stanza { name, text })
    })
}

#[cfg(test)]
mod tests {
    use super::{Lists, arch_of};

    #[test]
    fn names_of_lists() {
        assert_eq!(arch_of("deb.example_debian_dists_bookworm_main_binary-arm64_Packages"), Some("arm64"));
        assert_eq!(arch_of("x_binary-armhf_Packages.lz4"), Some("armhf"));
        assert_eq!(arch_of("x_InRelease"), None);
    }

    #[test]
    fn packages_in_lists() {
        let text = "Package: libgcc-9-dev\nArchitecture: arm64\n\nPackage: libgcc-14-dev\nArchitecture: arm64\n\n\
                    Package: doc\nVersion: 1\nArchitecture: all\n\nPackage: both\nArchitecture: all\n\n\
                    Package: both\nArchitecture: arm64\n";
        let lists = Lists { texts: vec![("arm64".to_owned(), text.to_owned())] };
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
