//! Setting up clang for a target: its configuration file and the programs with the target's prefix.
//!
//! The files and their text are those of the original. Unlike there, a note beside them tells what they were made
//! from, and they are made anew when that changes (another linker installed, LLVM's tools added). A configuration
//! file that this program did not write is the user's and is left alone.

use std::path::{Path, PathBuf};

use platform_db::{Os, Platform};

use crate::env::Env;
use crate::host::Host;
use crate::plan::{Lock, Plan, Step};
use crate::report::Failure;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::programs::{LLVM_PROGRAMS, llvm_program};
use crate::toolchain::{clang, linker, package_root};
use crate::tools::info::macos_sdk;

/// Everything that set-up depends on.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The calling process.
    pub env: Env,
    /// Where the files go.
    pub layout: Layout,
    /// Target triple; empty for calls without a target.
    pub triple: String,
    /// Platform that the triple names.
    pub platform: Option<Platform>,
    /// The compiler that must be there: `clang` or `clang++`.
    pub compiler: &'static str,
}

/// Whether set-up has to be done.
enum State {
    /// Done, and nothing was installed since.
    Current,
    /// Done; something was installed since, nothing of it matters.
    Unchanged,
    /// Never done, or made from what is no longer so.
    Missing,
}

impl Setup {
    /// Gathers what set-up of a triple depends on. `target` is the one that the environment names.
    #[must_use]
    pub fn new(env: &Env, host: &dyn Host, target: &Target, triple: &str, compiler: &'static str) -> Self {
        let named = target.triple() == Some(triple);
        let platform = if named { target.platform.clone() } else { Platform::from_triple(triple) };
        let layout = Layout::of(env, host, triple);
        let mut setup = Self { layout, triple: triple.to_owned(), platform, compiler, env: env.clone() };
        setup.keep_preferences(host);
        setup
    }

    /// A Dockerfile says `XX_CC_PREFER_LINKER=ld xx-clang --setup-target-triple` once and means all calls after it: what a
    /// call does not say is as the set-up that is there was told. A variable that is there, also an empty one, says
    /// something.
    fn keep_preferences(&mut self, host: &dyn Host) {
        let unsaid = |name: &&&str| self.env.var_os(name).is_none();
        let unsaid: Vec<&str> = PREFERENCES.iter().filter(unsaid).copied().collect();
        if unsaid.is_empty() || !host.is_file(&self.done_file()) {
            return;
        }
        let Some(stamp) = host.read(&self.layout.stamp(&self.triple)) else { return };
        for name in unsaid {
            let kept = stamp.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            if let Some(value) = kept.filter(|value| !value.is_empty()) {
                host.why(format_args!("{name}={value}: as the set-up before was told"));
                self.env = std::mem::take(&mut self.env).with(name, value);
            }
        }
    }

    fn name(&self) -> &str {
        if self.triple.is_empty() { "the build machine" } else { &self.triple }
    }

    pub(super) fn is_native(&self, host: &dyn Host) -> bool {
        let native = Target::read(&self.env.clone().native(), host);
        native.triple() == Some(&self.triple)
    }

    pub(super) fn os(&self) -> Option<Os> {
        self.platform.as_ref().map(Platform::os_id)
    }

    pub(super) fn is_alpine(host: &dyn Host) -> bool {
        host.is_file(Path::new("/etc/alpine-release"))
    }

    /// The file whose presence says that set-up was done.
    fn done_file(&self) -> PathBuf {
        if self.triple.is_empty() { self.layout.default_cfg.clone() } else { self.layout.cfg(&self.triple) }
    }

    /// When the folders of PATH last changed: one look at each tells that nothing was installed since.
    fn folders(&self, host: &dyn Host) -> String {
        let folders = self.env.var("PATH").split(':');
        let times = folders.map(|dir| format!(" {dir}@{}", host.changed(Path::new(dir)).unwrap_or_default()));
        format!("folders{}\n", times.collect::<String>())
    }

    fn stamp(&self, host: &dyn Host) -> Step {
        let text = self.folders(host) + &self.inputs(host);
        Step::Write { path: self.layout.stamp(&self.triple), text, mode: 0o644 }
    }

    /// What the set-up would be made from now. Only looks at files.
    fn inputs(&self, host: &dyn Host) -> String {
        let mut inputs = self.preferences();
        let mut found = |name: &str, path: Option<PathBuf>| {
            let path = path.map(|path| path.display().to_string()).unwrap_or_default();
            inputs.push_str(&format!("{name}={path}\n"));
        };
        // Another version behind the same link is another program.
        let real = |path: Option<PathBuf>| path.and_then(|path| host.canonical(&path));
        found("clang", real(clang::find(host, "clang").ok()));
        found("clang++", real(clang::find(host, "clang++").ok()));
        found("lld", real(host.program("lld")));
        if self.os() == Some(Os::Darwin) {
            found("ld64.signed", host.program("ld64.signed"));
            found("sdk", Some(macos_sdk(host).into()));
        }
        // A link that set-up made to the build machine's own linker is no input.
        let own_ld = host.program("ld").and_then(|ld| host.canonical(&ld));
        let ld = host.program(&format!("{}-ld", self.triple));
        found("ld", ld.filter(|ld| host.canonical(ld) != own_ld));
        found("pkg-config", host.program("pkg-config"));
        for name in LLVM_PROGRAMS {
            found(name, llvm_program(host, name));
        }
        inputs
    }

    /// The user's choices.
    fn preferences(&self) -> String {
        let version = format!("xx={}\n", env!("CARGO_PKG_VERSION"));
        PREFERENCES.iter().map(|name| format!("{name}={}\n", self.env.var(name))).chain([version]).collect()
    }

    /// Looks whether set-up was done and nothing that it was made from has changed since.
    fn state(&self, host: &dyn Host) -> State {
        let why = |reason: &str| host.why(format_args!("set-up of {}: {reason}", self.name()));
        if !host.is_file(&self.done_file()) {
            why("missing");
            return State::Missing;
        }
        // Set up by someone with more rights: what is there is all there will be.
        if !host.is_writable(&self.layout.bin) {
            why("there, and not ours to change");
            return State::Current;
        }
        let Some(stamp) = host.read(&self.layout.stamp(&self.triple)) else {
            why("there, written by the user");
            return State::Current;
        };
        let start = self.folders(host) + &self.preferences();
        if stamp.starts_with(&start) {
            why("there, nothing was installed since");
            return State::Current;
        }
        let made_from = stamp.split_once('\n').map_or("", |(_, inputs)| inputs);
        let inputs = self.inputs(host);
        match (made_from == inputs, self.is_ours(host)) {
            (true, _) => {
                why("there, made from the same");
                State::Unchanged
            }
            (false, true) => {
                let changed = inputs.lines().find(|line| !made_from.lines().any(|known| known == *line));
                why(&format!("made anew, changed: {}", changed.unwrap_or("something is gone")));
                State::Missing
            }
            (false, false) => {
                why("changed by the user, left alone");
                State::Current
            }
        }
    }

    /// A configuration file whose text is not what any set-up writes was put there by the user.
    fn is_ours(&self, host: &dyn Host) -> bool {
        let text = host.read(&self.done_file()).unwrap_or_default();
        self.triple.is_empty()
            || text.starts_with(&format!("--target={} -fuse-ld=", plain_riscv(&self.triple)))
    }

    /// Returns whether clang and a linker for the target are installed.
    #[must_use]
    pub fn is_possible(&self, host: &dyn Host) -> bool {
        clang::find(host, self.compiler).is_ok()
            && (!matches!(self.state(host), State::Missing)
                || linker::choose(&self.env, host, &self.layout, &self.triple, self.platform.as_ref())
                    .is_ok())
    }

    /// Plans the set-up, unless it is current.
    ///
    /// # Errors
    /// When clang or a linker is missing.
    pub fn plan(self, host: &dyn Host) -> Result<Vec<Step>, Failure> {
        match self.state(host) {
            State::Current => return Ok(Vec::new()),
            State::Unchanged => return Ok(vec![self.stamp(host)]),
            State::Missing => {}
        }
        clang::find(host, self.compiler)?;
        let lock = Lock { name: "xx-cc", kept: false }.step(&self.env);
        let Some(lock) = lock else { return self.steps(host) };
        // Another call may be setting up the same target: look again once the lock is held.
        let stage = move |host: &dyn Host| {
            let done = !matches!(self.state(host), State::Missing);
            Ok(Plan::new(if done { Vec::new() } else { self.steps(host)? }))
        };
        Ok(vec![lock, Step::Next(Box::new(stage))])
    }

    fn steps(&self, host: &dyn Host) -> Result<Vec<Step>, Failure> {
        let linker = linker::choose(&self.env, host, &self.layout, &self.triple, self.platform.as_ref())?;
        let mut steps: Vec<Step> = linker.note.iter().cloned().map(Step::Note).collect();
        if let Some((to, path)) = &linker.link
            && !self.triple.is_empty()
        {
            steps.push(Step::Link { to: to.clone(), path: path.clone() });
        }
        let text = format!("-fuse-ld={}\n", linker.name);
        if self.triple.is_empty() || (self.is_native(host) && self.default_is_ours(host, &text)) {
            steps.push(Step::Write { path: self.layout.default_cfg.clone(), text, mode: 0o644 });
        }
        steps.extend(self.take_over(host));
        if !self.triple.is_empty() {
            steps.extend(self.config(host, &linker)?);
            steps.extend(self.programs(host));
            steps.extend(self.alpine_links(host));
        }
        // Made last, when the links above have changed the folders.
        let this = self.clone();
        steps.push(Step::Next(Box::new(move |host: &dyn Host| Ok(Plan::new(vec![this.stamp(host)])))));
        Ok(steps)
    }

    /// Whether the file for calls without a target is missing, or says what set-up said before things changed. More than
    /// the one word is the user's.
    fn default_is_ours(&self, host: &dyn Host, new: &str) -> bool {
        let Some(text) = host.read(&self.layout.default_cfg) else { return true };
        let words: Vec<&str> = text.split_whitespace().collect();
        text != new && matches!(words.as_slice(), [word] if word.starts_with("-fuse-ld="))
    }

    /// Plain `clang` becomes this program, so that `--target` and the wrapped mode work for it.
    fn take_over(&self, host: &dyn Host) -> Vec<Step> {
        let Some(dir) = &self.layout.override_bin else { return Vec::new() };
        // Where this program is not installed, the links would lead nowhere.
        if host.is_there(&dir.join("clang")) || !host.is_there(Path::new("/usr/bin/xx-clang")) {
            return Vec::new();
        }
        let link = |name: &str| Step::Link { to: format!("/usr/bin/xx-{name}").into(), path: dir.join(name) };
        vec![link("clang"), link("clang++")]
    }

    fn config(&self, host: &dyn Host, linker: &linker::Linker) -> Result<Vec<Step>, Failure> {
        let triple = &self.triple;
        let mut text = format!("--target={} -fuse-ld={}", plain_riscv(triple), linker.name);
        if !self.is_native(host) {
            match self.os() {
                Some(Os::Darwin) => text.push_str(&format!(" -isysroot {} -stdlib=libc++", macos_sdk(host))),
                Some(Os::Windows) => text.push_str(&format!(" -I/usr/{triple}/include -L/usr/{triple}/lib")),
                _ => match package_root(host, triple) {
                    Some(root) => {
                        text.push_str(&format!(" --sysroot={root}/"));
                        if linker.is_bfd {
                            let dir = if Self::is_alpine(host) { "usr/lib" } else { "usr/lib64" };
                            text.push_str(&format!(" -Wl,-rpath-link,{root}/{dir}"));
                        }
                    }
                    None => text.push_str(&self.multiarch_path(linker)),
                },
            }
        }
        text.push('\n');
        let cfg = self.layout.cfg(triple);
        let real = clang::find(host, self.compiler).ok().and_then(|clang| host.canonical(&clang));
        let real = real.filter(|_| self.layout == Layout::system());
        let beside = real.as_deref().and_then(Path::parent).map(|dir| dir.join(format!("{triple}.cfg")));
        Ok(
            match beside.filter(|path| *path != cfg && path.parent().is_some_and(|dir| host.is_writable(dir)))
            {
                Some(path) => vec![
                    Step::Write { path: path.clone(), text, mode: 0o644 },
                    Step::Link { to: path, path: cfg },
                ],
                None => vec![Step::Write { path: cfg, text, mode: 0o644 }],
            },
        )
    }

    /// The build machine's own ld looks for libraries of libraries in the build machine's folders only.
    fn multiarch_path(&self, linker: &linker::Linker) -> String {
        let multiarch = self.platform.as_ref().and_then(Platform::multiarch);
        match multiarch.filter(|_| linker.is_bfd && linker.link.is_some()) {
            Some(dir) => format!(" -Wl,-rpath-link,/lib/{dir}:/usr/lib/{dir}"),
            None => String::new(),
        }
    }
}

/// Variables by which the user chooses a linker.
const PREFERENCES: &[&str] = &["XX_CC_PREFER_LINKER", "XX_CC_PREFER_STATIC_LINKER"];

/// clang has no name for the extension letters that Rust's triples carry.
fn plain_riscv(triple: &str) -> String {
    triple.replacen("riscv64gc-", "riscv64-", 1)
}
