//! apt's command line: options with their values, the command, and what the command is given.

use std::fmt;

/// A call, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The first word of [`COMMANDS`]; `None` for a command that is apt's own affair.
    pub(super) command: Option<&'static str>,
    /// Everything that is no package, in order; `--` is dropped.
    pub(super) options: Vec<String>,
    /// What the command is given.
    pub(super) packages: Vec<Package>,
}

/// Commands whose words are packages.
const COMMANDS: &[&str] = &["info", "install", "list", "remove", "search", "show"];
/// Options of these commands whose value is the next word. Source: apt's `apt-private/private-cmndline.cc`.
const WITH_VALUE: &[&str] = &[
    "--config-file",
    "--default-release",
    "--option",
    "--planner",
    "--snapshot",
    "--solver",
    "--target-release",
];
/// Their short forms. The rest of the word is the value; the next word, when nothing is left.
const SHORT_WITH_VALUE: &[char] = &['S', 'c', 'o', 't'];

impl Call {
    pub(super) fn parse(args: &[String]) -> Self {
        let mut call = Self { command: None, options: Vec::new(), packages: Vec::new() };
        let mut words_only = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if words_only || !arg.starts_with('-') {
                call.word(arg);
            } else if arg == "--" {
                words_only = true;
            } else {
                call.options.push(arg.clone());
                if takes_next(arg) {
                    call.options.extend(args.next().cloned());
                }
            }
        }
        call
    }

    fn word(&mut self, word: &str) {
        if self.command.is_some() {
            self.packages.push(Package::parse(word));
            return;
        }
        self.options.push(word.to_owned());
        self.command = COMMANDS.iter().find(|command| **command == word).copied();
    }
}

/// `-t`, and the last letter of `-yt`; not `-tsid`, `-t=sid` or `--option=A=b`.
fn takes_next(option: &str) -> bool {
    let Some(letters) = option.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else {
        return WITH_VALUE.contains(&option);
    };
    letters.find(SHORT_WITH_VALUE).is_some_and(|at| at + 1 == letters.len())
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
            word.starts_with(['/', '.', '~', '?', '^']) || word.ends_with(".deb") || word.ends_with('^');
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
            ("?name(foo)", "?name(foo)"),
            ("web-server^", "web-server^"),
            ("lib*", "lib*:arm64"),
        ];
        for (word, expected) in cases {
            let package = Package::parse(word);
            assert_eq!(package.to_string(), word);
            let found = if package.takes_arch() { package.with_arch("arm64") } else { package.to_string() };
            assert_eq!(found, expected);
        }
    }

    /// Arguments, what stays an option, and the packages.
    #[test]
    fn options_keep_their_values() {
        let cases = [
            ("-t backports install -y -o A=1 -- foo bar", "-t backports install -y -o A=1", "foo bar"),
            ("install -ytsid foo", "install -ytsid", "foo"),
            ("install -yt sid foo", "install -yt sid", "foo"),
            ("install -t=sid foo", "install -t=sid", "foo"),
            ("install --target-release sid foo", "install --target-release sid", "foo"),
            ("install --target-release=sid foo", "install --target-release=sid", "foo"),
            ("install -oA::b=c -c f foo", "install -oA::b=c -c f", "foo"),
            ("install --solver 3.0 foo", "install --solver 3.0", "foo"),
            ("install -- -foo", "install", "-foo"),
            ("show -a foo", "show -a", "foo"),
            ("list -a install", "list -a", "install"),
            ("install foo -t", "install -t", "foo"),
            ("-o A=install update", "-o A=install update", ""),
            ("source foo", "source foo", ""),
            ("", "", ""),
        ];
        for (args, options, packages) in cases {
            let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
            let call = Call::parse(&args);
            let names: Vec<String> = call.packages.iter().map(ToString::to_string).collect();
            assert_eq!(
                (call.options.join(" "), names.join(" ")),
                (options.into(), packages.into()),
                "{args:?}"
            );
            assert_eq!(
                call.command.is_none(),
                ["update", "foo", ""].contains(&options.rsplit(' ').next().unwrap())
            );
        }
    }
}
