//! What rustc and build scripts look for in the environment, per target and only where the user has not set it.

use std::path::Path;

use crate::env::Env;
use crate::host::Host;
use crate::target::Target;
use crate::toolchain::layout::Layout;
use crate::toolchain::{Commands, Compiler, package_root};
use crate::tools::cargo::library;
use crate::tools::pkg_config;

/// What the variables are made from.
pub(super) struct Variables<'a> {
    pub(super) env: &'a Env,
    pub(super) host: &'a dyn Host,
    pub(super) target: &'a Target,
    pub(super) layout: &'a Layout,
    /// The C compiler's triple.
    pub(super) c_triple: &'a str,
    /// Rust's triple.
    pub(super) rust: &'a str,
    pub(super) compiler: Compiler,
    /// Programs of one word each: rustc's linker, and what build scripts compile with.
    pub(super) commands: &'a Commands,
    /// CMake's toolchain file.
    pub(super) cmake: Option<&'a Path>,
}

impl Variables<'_> {
    /// Names and values, in order.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        let mut vars = Vec::new();
        let compiler = |words: &[String]| words.join(" ");
        let c = compiler(&self.commands.c);
        self.cargo(&mut vars, "LINKER", c.clone());
        vars.extend(self.rustflags());
        self.of_target(&mut vars, "CC", c);
        self.of_target(&mut vars, "CXX", compiler(&self.commands.cxx));
        for (name, tool) in [("AR", "ar"), ("RANLIB", "ranlib")] {
            let program = match self.compiler {
                Compiler::Zig => Some(self.layout.command(self.c_triple, &format!("zig-{tool}"))),
                Compiler::Clang | Compiler::Gcc => self.layout.found_command(self.host, self.c_triple, tool),
            };
            if let Some(program) = program {
                self.of_target(&mut vars, name, program);
            }
        }
        if self.target.is_cross(self.host) {
            self.cross(&mut vars);
        }
        vars
    }

    fn lower(&self) -> String {
        self.rust.replace(['-', '.'], "_")
    }

    /// `CARGO_TARGET_TRIPLE_NAME`.
    fn cargo(&self, vars: &mut Vec<(String, String)>, name: &str, value: String) {
        let name = format!("CARGO_TARGET_{}_{name}", self.lower().to_uppercase());
        if !self.env.is_set(&name) {
            vars.push((name, value));
        }
    }

    /// `NAME_triple`, unless the user set it in any form that the crates `cc`, `cmake` and `pkg-config` prefer to it
    /// or that is meant for every target.
    fn of_target(&self, vars: &mut Vec<(String, String)>, name: &str, value: String) {
        let ours = format!("{name}_{}", self.lower());
        let others = [format!("{name}_{}", self.rust), format!("TARGET_{name}")];
        if let Some(set) = others.iter().chain([&ours]).find(|name| self.env.is_set(name)) {
            self.host.why(format_args!("{ours}: left out, you set {set}"));
        } else {
            vars.push((ours, value));
        }
    }

    /// cargo takes flags from one place only; where the user has the one that wins, ours go before theirs.
    fn rustflags(&self) -> Option<(String, String)> {
        let mut flags: Vec<String> =
            self.env.var("XX_RUSTFLAGS").split_ascii_whitespace().map(str::to_owned).collect();
        let cpu = self.target.platform.as_ref().and_then(|platform| platform.rust_cpu());
        flags.extend(cpu.map(|cpu| format!("-Ctarget-cpu={cpu}")));
        let features = self.target.platform.as_ref().and_then(|platform| platform.rust_features());
        flags.extend(features.map(|features| format!("-Ctarget-feature={features}")));
        let library = library::in_sysroot(self.host, self.target, self.rust);
        flags.extend(library.map(|root| format!("--sysroot={root}")));
        if self.compiler == Compiler::Zig && self.target.libc == "musl" {
            // zig has start files of its own.
            flags.push("-Clink-self-contained=no".to_owned());
        }
        if flags.is_empty() {
            return None;
        }
        let separator = '\u{1f}';
        let (name, flags) = if self.env.is_set("CARGO_ENCODED_RUSTFLAGS") {
            ("CARGO_ENCODED_RUSTFLAGS".to_owned(), flags.join(&separator.to_string()))
        } else if self.env.is_set("RUSTFLAGS") {
            ("RUSTFLAGS".to_owned(), flags.join(" "))
        } else {
            (format!("CARGO_TARGET_{}_RUSTFLAGS", self.lower().to_uppercase()), flags.join(" "))
        };
        let between = if name.contains("ENCODED") { separator } else { ' ' };
        // The flags of a target take the place of those for every build.
        let of_build = name.starts_with("CARGO_TARGET_") && !self.env.is_set(&name);
        let users = self.env.var(if of_build { "CARGO_BUILD_RUSTFLAGS" } else { &name });
        Some((name.clone(), if users.is_empty() { flags } else { format!("{flags}{between}{users}") }))
    }

    fn cross(&self, vars: &mut Vec<(String, String)>) {
        if let Some(path) = self.cmake {
            self.of_target(vars, "CMAKE_TOOLCHAIN_FILE", path.display().to_string());
        }
        let users = self.env.var("BINDGEN_EXTRA_CLANG_ARGS");
        let bindgen = [self.bindgen(), users.to_owned()].join(" ").trim_end().to_owned();
        self.of_target(vars, "BINDGEN_EXTRA_CLANG_ARGS", bindgen);
        if self.target.os != "linux" {
            return;
        }
        for (name, value) in pkg_config::search(self.env, self.host, self.c_triple) {
            self.of_target(vars, name, value);
        }
        if !self.env.is_set("PKG_CONFIG_ALLOW_CROSS") {
            vars.push(("PKG_CONFIG_ALLOW_CROSS".to_owned(), "1".to_owned()));
        }
        if let Some(program) = self.layout.found_command(self.host, self.c_triple, "pkg-config")
            && !self.env.is_set("PKG_CONFIG")
        {
            self.of_target(vars, "PKG_CONFIG", program);
        }
        if let Some(runner) = runner(self.host, self.target) {
            self.cargo(vars, "RUNNER", runner);
            let root = self.target.ld_prefix(self.host).filter(|_| !self.env.is_set("QEMU_LD_PREFIX"));
            vars.extend(root.map(|root| ("QEMU_LD_PREFIX".to_owned(), root)));
        }
    }

    /// libclang is asked for the target's types and headers, whichever compiler builds.
    fn bindgen(&self) -> String {
        let triple = self.c_triple;
        let users = Some(self.target.sysroot.clone()).filter(|root| !root.is_empty());
        match users.or_else(|| package_root(self.host, triple).map(|root| root + "/")) {
            Some(root) => format!("--target={triple} --sysroot={root}"),
            None => format!("--target={triple}"),
        }
    }
}

/// QEMU's user-mode program for the target, under either of its names.
fn runner(host: &dyn Host, target: &Target) -> Option<String> {
    let qemu = target.platform.as_ref()?.qemu()?;
    let names = [format!("qemu-{qemu}"), format!("qemu-{qemu}-static")];
    let found = names.iter().find(|name| host.program(name).is_some()).cloned();
    match &found {
        Some(name) => host.why(format_args!("runner: {name}, on PATH")),
        None => host.why(format_args!("runner: none, no {} on PATH", names.join(" or "))),
    }
    found
}
