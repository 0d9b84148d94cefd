//! apt's source files: which one is the distribution's, and restricting one to an architecture.
//!
//! Ubuntu keeps amd64 and i386 on other mirrors than the rest, so its target needs a source of its own.

use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::plan::Step;
use crate::report::Failure;
use crate::tools::mirrors;

/// Returns the distribution's own source file.
pub(super) fn main_file(host: &dyn Host) -> PathBuf {
    let deb822 = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list.d/ubuntu.sources"];
    let found = deb822.iter().find(|file| host.is_file(Path::new(file)));
    found.map_or("/etc/apt/sources.list".into(), PathBuf::from)
}

/// Plans restricting every entry of a source file to an architecture; entries that name one stay.
pub(super) fn fix(host: &dyn Host, file: &Path, arch: &str) -> Result<Vec<Step>, Failure> {
    let text = host.read(file).ok_or_else(|| {
        Failure::new(format!("cannot read `{}`", file.display()))
            .hint("`xx-apt --print-source-file` prints the path of the distribution's own")
    })?;
    let fixed = if file.extension().is_some_and(|end| end == "sources") {
        deb822(&text, arch)
    } else {
        one_line(&text, arch)
    };
    if fixed == text {
        return Ok(Vec::new());
    }
    Ok(vec![Step::Write { path: file.to_owned(), text: fixed, mode: 0o644 }])
}

fn deb822(text: &str, arch: &str) -> String {
    if text.lines().any(|line| line.starts_with("Architectures:")) {
        return text.to_owned();
    }
    let field = format!("\nArchitectures: {arch}");
    each_line(
        text,
        |line| if line.starts_with("Types:") { format!("{line}{field}") } else { line.to_owned() },
    )
}

fn one_line(text: &str, arch: &str) -> String {
    each_line(text, |line| {
        let entry = line.strip_prefix("# ").unwrap_or(line);
        let comment = line.get(..line.len() - entry.len()).unwrap_or_default();
        let fixed = ["deb ", "deb-src "].iter().find_map(|kind| Some((kind, entry.strip_prefix(kind)?)));
        match fixed.filter(|_| !line.contains("arch=")) {
            Some((kind, rest)) => format!("{comment}{kind}[arch={arch}] {rest}"),
            None => line.to_owned(),
        }
    })
}

fn each_line(text: &str, change: impl Fn(&str) -> String) -> String {
    text.split('\n').map(change).collect::<Vec<_>>().join("\n")
}

/// Plans Ubuntu's sources for a foreign architecture: the existing ones stay with the native architectures.
pub(super) fn ubuntu(host: &dyn Host, codename: &str, arch: &str) -> Vec<Step> {
    if has_source(host, arch) {
        host.why(format_args!("apt sources for {arch}: yours name it"));
        return Vec::new();
    }
    let dpkg = host.program("dpkg").unwrap_or_else(|| "dpkg".into());
    let native = host.ask(&dpkg, &["--print-architecture"]).unwrap_or_default().trim().to_owned();
    let row = |arch: &str| mirrors::UBUNTU.iter().position(|(arches, ..)| arches.contains(&arch));
    let file = main_file(host);
    let mut steps = fix(host, &file, &native).unwrap_or_default();
    let is_deb822 = file.extension().is_some_and(|end| end == "sources");
    let end = if is_deb822 { "sources" } else { "list" };
    let path = Path::new("/etc/apt/sources.list.d").join(format!("xx-{arch}.{end}"));
    let Some((_, main, security)) = row(arch).and_then(|at| mirrors::UBUNTU.get(at)) else { return steps };
    // On the same archive as the build machine, the user's mirror serves the target as well.
    let own = if row(arch) == row(&native) { mirror(&host.read(&file).unwrap_or_default()) } else { None };
    let main = own.as_deref().unwrap_or(main);
    let text = if is_deb822 {
        deb822_entry(codename, arch, main, security)
    } else {
        list_entry(codename, arch, main, security)
    };
    if !host.is_file(&path) {
        host.why(format_args!("apt sources for {arch}: {main}, the archive that has it"));
        steps.push(Step::Write { path, text, mode: 0o644 });
    }
    steps
}

/// Whether a source of the user is for the architecture already.
fn names_arch(text: &str, arch: &str) -> bool {
    let of_fields = text.lines().filter_map(|line| line.strip_prefix("Architectures:"));
    let of_entries = text.lines().filter(|line| line.starts_with("deb")).filter_map(|line| {
        let (_, rest) = line.split_once("arch=")?;
        rest.split([' ', ']']).next()
    });
    of_fields.chain(of_entries).flat_map(|list| list.split([',', ' '])).any(|known| known == arch)
}

fn has_source(host: &dyn Host, arch: &str) -> bool {
    let dir = Path::new("/etc/apt/sources.list.d");
    let files = host.list(dir).into_iter().map(|name| dir.join(name));
    let files = files.chain([PathBuf::from("/etc/apt/sources.list")]);
    files.filter_map(|file| host.read(&file)).any(|text| names_arch(&text, arch))
}

/// The first address in a source file.
fn mirror(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("URIs:") || line.starts_with("deb "))?;
    line.split_whitespace().find(|word| word.contains("://")).map(str::to_owned)
}

fn deb822_entry(codename: &str, arch: &str, main: &str, security: &str) -> String {
    let entry = |uri: &str, suites: &str| {
        format!(
            "Types: deb\nArchitectures: {arch}\nURIs: {uri}\nSuites: {suites}\n\
             Components: main universe restricted multiverse\n\
             Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n"
        )
    };
    let suites = format!("{codename} {codename}-updates {codename}-backports");
    format!("{}\n{}", entry(main, &suites), entry(security, &format!("{codename}-security")))
}

fn list_entry(codename: &str, arch: &str, main: &str, security: &str) -> String {
    let line = |uri: &str, suite: &str| {
        format!("deb [arch={arch}] {uri} {codename}{suite} main restricted universe multiverse\n")
    };
    [line(main, ""), line(main, "-updates"), line(main, "-backports"), line(security, "-security")].concat()
}

#[cfg(test)]
mod tests {
    use super::{deb822, names_arch, one_line};

    #[test]
    fn sources_of_an_architecture() {
        let cases = [
            ("Types: deb\nArchitectures: amd64 arm64\n", true),
            ("Types: deb\nArchitectures: amd64\n", false),
            ("deb [signed-by=x arch=amd64,arm64] u s\n", true),
            ("# deb [arch=arm64] u s\n", false),
            ("deb u arm64-thing\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(names_arch(text, "arm64"), expected, "{text}");
        }
    }

    #[test]
    fn deb822_files_are_fixed_once() {
        let text = "Types: deb deb-src\nURIs: x\n\nTypes: deb\nURIs: y\n";
        let fixed = "Types: deb deb-src\nArchitectures: arm64\nURIs: x\n\nTypes: deb\nArchitectures: arm64\nURIs: y\n";
        assert_eq!(deb822(text, "arm64"), fixed);
        assert_eq!(deb822(fixed, "armhf"), fixed);
    }

    #[test]
    fn list_files_are_fixed_once() {
        let text = "deb u s\ndeb-src u s\n# deb u s\n#deb u s\ndeb [arch=riscv64] u s\n";
        let fixed = "deb [arch=arm64] u s\ndeb-src [arch=arm64] u s\n# deb [arch=arm64] u s\n#deb u s\ndeb [arch=riscv64] u s\n";
        assert_eq!(one_line(text, "arm64"), fixed);
        assert_eq!(one_line(fixed, "arm64"), fixed);
    }
}
