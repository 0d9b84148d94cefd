//! The programs with the target's prefix that set-up links: compilers, LLVM's binutils, pkg-config.
//!
//! What a package has installed under such a name stays.

use std::path::{Path, PathBuf};

use platform_db::{Os, Platform};

use crate::host::Host;
use crate::plan::Step;
use crate::toolchain::setup::Setup;
use crate::toolchain::{clang, is_own, linker};

/// LLVM programs that get the target's prefix.
pub(crate) const LLVM_PROGRAMS: &[&str] = &[
    "addr2line",
    "ar",
    "as",
    "cxxfilt",
    "dlltool",
    "install-name-tool",
    "lipo",
    "nm",
    "objcopy",
    "objdump",
    "otool",
    "profdata",
    "ranlib",
    "readelf",
    "size",
    "strings",
    "strip",
];

/// Programs that write object files anew, of one kind of processor only, where they are GNU's.
pub(crate) const REWRITERS: &[&str] = &["objcopy", "strip"];

impl Setup {
    /// Programs with the target's prefix. Those that another package installed stay.
    pub(crate) fn programs(&self, host: &dyn Host) -> Vec<Step> {
        let own = host.own_program().unwrap_or_else(|| "/usr/bin/xx".into());
        let triple = &self.triple;
        let link = |to: PathBuf, name: &str| Step::Link { to, path: self.layout.prefixed(triple, name) };
        let mut steps = Vec::new();
        for name in ["clang", "clang++"] {
            match clang::find(host, name) {
                Ok(_) => steps.push(link(own.clone(), name)),
                Err(_) => steps.push(Step::Note(format!("/usr/bin/{name} not found: skipping"))),
            }
        }
        // What configure scripts and Dockerfiles call, where no package has brought one.
        for (name, clang) in [("cc", "clang"), ("gcc", "clang"), ("c++", "clang++"), ("g++", "clang++")] {
            if clang::find(host, clang).is_ok() && !self.is_installed(host, name) {
                steps.push(link(own.clone(), name));
            }
        }
        for name in LLVM_PROGRAMS {
            let gnu = gnu_name(name);
            if let Some(path) = llvm_program(host, name)
                && !self.is_installed(host, gnu)
            {
                let relative = path.parent() == Some(self.layout.bin.as_path())
                    && path.ends_with(format!("llvm-{name}"));
                let to = match relative {
                    // LLVM's programs take what follows the last dot of their name for the end of a file name.
                    _ if triple.contains('.') => own.clone(),
                    true => format!("llvm-{name}").into(),
                    false => path,
                };
                steps.push(link(to, gnu));
            }
        }
        // What configure scripts and CMake take instead is the build machine's own, which does not know foreign programs:
        // the link here names what is missing.
        let is_foreign = self.os() == Some(Os::Linux) && !self.is_native(host);
        let lacks = |name: &&&str| {
            let is_made = host.link(&self.layout.prefixed(triple, name)).as_ref() == Some(&own);
            !is_made && llvm_program(host, name).is_none() && !self.is_installed(host, name)
        };
        let lacking: Vec<&&str> = REWRITERS.iter().filter(|_| is_foreign).filter(lacks).collect();
        if !lacking.is_empty() && !linker::own_binutils_know(host, self.platform.as_ref()) {
            steps.extend(lacking.into_iter().map(|name| link(own.clone(), name)));
        }
        if !self.is_installed(host, "pkg-config") {
            if self.is_native(host) {
                steps.push(link("pkg-config".into(), "pkg-config"));
            } else if self.os() == Some(Os::Linux) {
                steps.push(link(own.clone(), "pkg-config"));
            }
        }
        if self.os() == Some(Os::Windows)
            && host.program("llvm-rc").is_some()
            && !self.is_installed(host, "windres")
        {
            steps.push(link(own.clone(), "windres"));
        }
        if self.os() == Some(Os::Darwin) && host.program("xcrun").is_none() {
            steps.push(Step::Link { to: own, path: self.layout.bin.join("xcrun") });
        }
        steps
    }

    /// A program with the prefix that set-up did not make itself.
    fn is_installed(&self, host: &dyn Host, name: &str) -> bool {
        let ours = self.layout.prefixed(&self.triple, name);
        host.program(&format!("{}-{name}", self.triple))
            .is_some_and(|path| path != ours || !self.links_to_ours(host, &path))
    }

    fn links_to_ours(&self, host: &dyn Host, path: &Path) -> bool {
        let real = host.canonical(path);
        let name = real.as_deref().and_then(Path::file_name);
        is_own(host, path) || name.is_some_and(|name| name.to_string_lossy().starts_with("llvm-"))
    }

    /// With a vendor other than Alpine's, the target's folders in Alpine's layout get a link with that vendor.
    pub(crate) fn alpine_links(&self, host: &dyn Host) -> Vec<Step> {
        if !Self::is_alpine(host) {
            return Vec::new();
        }
        let words = self.platform.as_ref().and_then(Platform::alpine_gnu_words);
        let Some(words) = words else { return Vec::new() };
        let alpine = format!("{}-alpine-linux-musl{}", words.cpu, words.abi);
        if alpine == self.triple {
            return Vec::new();
        }
        let mut dirs = vec![PathBuf::from("/"), "/usr".into(), "/usr/lib".into(), "/usr/lib/gcc".into()];
        for root in [PathBuf::from("/"), Path::new("/").join(&alpine)] {
            dirs.extend(["usr", "usr/lib", "usr/lib/gcc"].map(|dir| root.join(dir)));
            let headers = root.join("usr/include/c++");
            dirs.extend(host.list(&headers).into_iter().map(|version| headers.join(version)));
        }
        dirs.sort();
        dirs.dedup();
        let found = dirs.into_iter().filter(|dir| host.is_dir(&dir.join(&alpine)));
        found.map(|dir| Step::Link { to: alpine.clone().into(), path: dir.join(&self.triple) }).collect()
    }
}

/// The name under which GNU's binutils and cctools have the same program.
pub(crate) fn gnu_name(llvm: &str) -> &str {
    match llvm {
        "cxxfilt" => "c++filt",
        "install-name-tool" => "install_name_tool",
        other => other,
    }
}

/// On PATH, or beside the clang that is used (`/usr/lib/llvm-14/bin`).
pub(crate) fn llvm_program(host: &dyn Host, name: &str) -> Option<PathBuf> {
    let program = format!("llvm-{name}");
    host.program(&program).or_else(|| {
        let clang = clang::find(host, "clang").ok().and_then(|clang| host.canonical(&clang))?;
        Some(clang.with_file_name(program)).filter(|path| host.is_file(path))
    })
}
