//! apt's command line: options with their values, the command, and what the command is given.

use std::fmt;

/// A call, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Everything that is no package, in order; `--` is dropped.
    pub(super) options: Vec<String>,
    /// Packages, when the command takes some.
    pub(super) packages: Option<Vec<Package>>,
}

/// Commands whose words are packages.
const COMMANDS: &[&str] = &["info", "install", "list", "remove", "search", "show"];
/// Options whose value is the next word. Source: apt(8), apt-get(8) and apt-cache(8).
const WITH_VALUE: &[&str] = &[
    "-a",
    "-c",
    "-o",
    "-P",
    "-t",
    "--build-profiles",
    "--config-file",
    "--default-release",
    "--host-architecture",
    "--option",
    "--target-release",
];

impl Call {
    pub(super) fn parse(args: &[String]) -> Self {
        let mut call = Self { options: Vec::new(), packages: None };
        let mut words_only = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if words_only || !arg.starts_with('-') {
                call.word(arg);
            } else if arg == "--" {
                words_only = true;
            } else {
                call.options.push(arg.clone());
                if WITH_VALUE.contains(&arg.as_str()) {
                    call.options.extend(args.next().cloned());
                }
            }
        }
        call
    }

    fn word(&mut self, word: &str) {
        match &mut self.packages {
            Some(packages) => packages.push(Package::parse(word)),
            None => {
                self.options.push(word.to_owned());
                if COMMANDS.contains(&word) {
                    self.packages = Some(Vec::new());
                }
            }
        }
    }
}

/// A package as apt takes it: `name[:arch][=version|/suite][+|-]`, a file, or a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Name without what follows.
    pub(super) name: String,
    arch: Option<String>,
    /// `=1.2`, `/stable`, `-` or nothing.
    rest: String,
    is_file: bool,
}

impl Package {
    pub(super) fn named(name: String) -> Self {
        Self { name, arch: None, rest: String::new(), is_file: false }
    }

    fn parse(word: &str) -> Self {
        let is_file =
            word.starts_with(['/', '.', '~', '?']) || word.ends_with(".deb") || word.contains(['*', '^']);
        if is_file {
            return Self { is_file, ..Self::named(word.to_owned()) };
        }
        let end = word.find(['=', '/']).unwrap_or(word.len());
        let (spec, mut rest) = (word.get(..end).unwrap_or(word), word.get(end..).unwrap_or("").to_owned());
        let mut spec = spec.to_owned();
        // A trailing minus removes the package; no package name ends with one. `g++` keeps its plus signs.
        if rest.is_empty() && spec.ends_with('-') {
            spec.pop();
            "-".clone_into(&mut rest);
        }
        let (name, arch) = match spec.split_once(':') {
            Some((name, arch)) => (name.to_owned(), Some(arch.to_owned())),
            None => (spec, None),
        };
        Self { name, arch, rest, is_file }
    }

    /// Whether the architecture is still open.
    pub(super) fn takes_arch(&self) -> bool {
        self.arch.is_none() && !self.is_file
    }

    /// Whether the name may stand for another package.
    pub(super) fn is_plain(&self) -> bool {
        self.takes_arch()
    }

    pub(super) fn renamed(&self, name: &str) -> String {
        Self { name: name.to_owned(), ..self.clone() }.to_string()
    }

    pub(super) fn with_arch(&self, arch: &str) -> String {
        Self { arch: Some(arch.to_owned()), ..self.clone() }.to_string()
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arch {
            Some(arch) => write!(f, "{}:{arch}{}", self.name, self.rest),
            None => write!(f, "{}{}", self.name, self.rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Package};

    #[test]
    fn packages_of_every_form() {
        let cases = [
            ("zlib1g-dev", "zlib1g-dev:arm64"),
            ("g++", "g++:arm64"),
            ("foo=1.2-3", "foo:arm64=1.2-3"),
            ("foo/bookworm-backports", "foo:arm64/bookworm-backports"),
            ("foo:amd64", "foo:amd64"),
            ("foo:all=1", "foo:all=1"),
            ("./foo_1_arm64.deb", "./foo_1_arm64.deb"),
            ("/tmp/x.deb", "/tmp/x.deb"),
            ("foo-", "foo:arm64-"),
            ("~nfoo", "~nfoo"),
            ("lib*", "lib*"),
        ];
        for (word, expected) in cases {
            let package = Package::parse(word);
            assert_eq!(package.to_string(), word);
            let found = if package.takes_arch() { package.with_arch("arm64") } else { package.to_string() };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn options_keep_their_values() {
        let args =
            ["-t", "backports", "install", "-y", "-o", "APT::x=1", "--", "foo", "bar"].map(String::from);
        let call = Call::parse(&args);
        assert_eq!(call.options, ["-t", "backports", "install", "-y", "-o", "APT::x=1"]);
        let names: Vec<String> = call.packages.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["foo", "bar"]);
        assert_eq!(Call::parse(&["update".to_owned()]).packages, None);
    }
}
