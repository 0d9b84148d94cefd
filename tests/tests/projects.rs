//! Real projects, cross-built from package sources that come while the test runs: C with make and Meson from Debian's, Go
//! with cgo from Debian's with its libraries, Rust from the crate registry with Debian's standard libraries.
//!
//! Their Dockerfiles are in `tests/data/projects`. What comes out is verified and must give the right answers.
#![expect(clippy::expect_used, reason = "what the test itself needs must work")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use integration_tests::foreign::{Program, folder, verify};
use integration_tests::shared::{self, layout};
use integration_tests::{Built, Kit, repository, skipped};

/// Programs and images, and a folder for results that is removed at the end.
struct Scene {
    case: &'static str,
    kit: Kit,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(case: &'static str) -> Option<Self> {
        Some(Self { case, kit: Kit::find(case)?, directory: tempfile::tempdir().expect("a directory") })
    }

    /// Builds a stage of the Dockerfile of projects; each platform's result is in a folder of its own.
    fn stage(&self, name: &str, platforms: &[&str]) -> Option<PathBuf> {
        let mut command = shared::build(&self.kit);
        command.args(["--target", name]).arg(repository().join("tests/data/projects"));
        self.finish(command, platforms)
    }

    /// `None` where the package archive lacks a file that its own lists name, as between two updates; noted as a skip.
    fn finish(&self, mut command: Command, platforms: &[&str]) -> Option<PathBuf> {
        let out = self.directory.path().join("out");
        command.args(["--platform", &platforms.join(","), "--output"]).arg(&out);
        let built = Built::of(command.output().expect("xx-build starts"));
        let lacking =
            built.stderr.lines().find(|line| line.contains("E: Failed to fetch") && line.contains(" 404 "));
        if let (Some(_), Some(line)) = (built.code.filter(|code| *code != 0), lacking) {
            let file = line.split_whitespace().find(|word| word.ends_with(".deb")).unwrap_or(line);
            skipped(self.case, &format!("the archive lacks {}", file.rsplit('/').next().unwrap_or(file)));
            return None;
        }
        assert_eq!(built.code, Some(0), "{}", built.stderr);
        Some(out)
    }
}

#[test]
fn zstd_packs_what_it_unpacks() {
    let Some(scene) = Scene::new("zstd_packs_what_it_unpacks") else { return };
    let platforms = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let Some(out) = scene.stage("zstd", &platforms) else { return };
    let text = b"What one packs, another unpacks. ".repeat(3000);
    let input = scene.directory.path().join("text");
    fs::write(&input, &text).expect("a file");
    let packed = |platform: &str| scene.directory.path().join(format!("{}.zst", folder(platform)));
    let program = |platform| {
        let path = out.join(folder(platform)).join("zstd");
        verify(&scene.kit, platform, &["--static"], &path);
        Program::of(scene.case, &scene.kit, platform, &path)
    };
    for platform in platforms {
        let Some(zstd) = program(platform) else { return };
        let to = packed(platform).display().to_string();
        let _ = zstd.prints(&["-q", "-19", "-o", &to, &input.display().to_string()], b"");
        assert!(fs::metadata(&to).expect("a file").len() < 1000, "{platform}: nothing was packed");
    }
    // Each unpacks what another has packed, of whatever byte order.
    for (platform, other) in platforms.iter().zip(platforms.iter().cycle().skip(1)) {
        let Some(zstd) = program(platform) else { return };
        let unpacked = zstd.prints(&["-q", "-d", "-c", &packed(other).display().to_string()], b"");
        assert!(unpacked.as_bytes() == text, "{platform} unpacks what {other} has packed");
    }
}

#[test]
fn lua_runs_on_the_libraries_of_its_image() {
    let Some(scene) = Scene::new("lua_runs_on_the_libraries_of_its_image") else { return };
    let platforms = [("linux/arm64", 8, 7), ("linux/386", 4, 7), ("linux/ppc64le", 8, 7)];
    let Some(out) = scene.stage("lua", &platforms.map(|(platform, ..)| platform)) else { return };
    for (platform, pointer, low) in platforms {
        let root = out.join(folder(platform));
        let lua = root.join("usr/bin/lua");
        verify(&scene.kit, platform, &["--libc", "gnu", "--needed-in", &root.display().to_string()], &lua);
        verify(&scene.kit, platform, &[], &root.join("usr/lib/liblua.a"));
        let Some(lua) = Program::in_root(scene.case, &scene.kit, platform, &lua, &root) else { return };
        let script = "print(_VERSION, 7 // 2, #string.pack('T', 0), (string.pack('=I4', 7):byte()))";
        assert_eq!(lua.prints(&["-e", script], b""), format!("Lua 5.4\t3\t{pointer}\t{low}\n"), "{platform}");
        assert_eq!(lua.prints(&["-"], b"print(('x'):rep(3))"), "xxx\n", "{platform}: from standard input");
    }
}

#[test]
fn pkgconf_by_meson() {
    let Some(scene) = Scene::new("pkgconf_by_meson") else { return };
    let platforms = ["linux/arm64", "linux/arm/v7"];
    let Some(out) = scene.stage("pkgconf", &platforms) else { return };
    let text = "prefix=/p\nName: two\nDescription: of two\nVersion: 2.5\nLibs: -L${prefix}/lib -ltwo\n";
    let file = scene.directory.path().join("two.pc");
    fs::write(&file, text).expect("a file");
    for platform in platforms {
        let path = out.join(folder(platform)).join("pkgconf");
        verify(&scene.kit, platform, &["--static"], &path);
        let Some(pkgconf) = Program::of(scene.case, &scene.kit, platform, &path) else { return };
        let file = file.display().to_string();
        assert_eq!(pkgconf.prints(&["--modversion", &file], b""), "2.5\n", "{platform}");
        assert_eq!(pkgconf.prints(&["--libs", &file], b"").trim(), "-L/p/lib -ltwo", "{platform}");
    }
}

#[test]
fn textql_asks_sqlite() {
    let Some(scene) = Scene::new("textql_asks_sqlite") else { return };
    let platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
    let Some(out) = scene.stage("textql", &platforms) else { return };
    for platform in platforms {
        let path = out.join(folder(platform)).join("textql");
        verify(&scene.kit, platform, &["--static"], &path);
        let Some(textql) = Program::of(scene.case, &scene.kit, platform, &path) else { return };
        let sums = "select name, sum(times) from stdin group by name order by name";
        let table = b"name,times\na,1\nb,20\na,2\n";
        assert_eq!(textql.prints(&["-header", "-sql", sums], table), "a,3\nb,20\n", "{platform}");
    }
}

#[test]
fn ripgrep_with_the_standard_libraries_of_debian() {
    let Some(scene) = Scene::new("ripgrep_with_the_standard_libraries_of_debian") else { return };
    let Some(base) = shared::release(scene.case, &scene.kit, "trixie") else { return };
    let platforms = ["linux/arm64", "linux/riscv64", "linux/s390x"];
    let context = scene.directory.path().join("ripgrep");
    shared::crate_sources("ripgrep", "14.1.1", &context);
    let mut command = shared::build(&scene.kit);
    command.args(["--build-context", &layout("trixie", &base), "--file"]);
    command.arg(repository().join("tests/data/projects/ripgrep.Dockerfile")).arg(&context);
    let Some(out) = scene.finish(command, &platforms) else { return };
    let file = scene.directory.path().join("lines");
    fs::write(&file, "one\ntwo\nthree 3\ntwenty\n").expect("a file");
    for platform in platforms {
        let path = out.join(folder(platform)).join("rg");
        verify(&scene.kit, platform, &["--static"], &path);
        let Some(rg) = Program::of(scene.case, &scene.kit, platform, &path) else { return };
        let found = rg.prints(&["-n", "--no-config", r"^tw|\d", &file.display().to_string()], b"");
        assert_eq!(found, "2:two\n3:three 3\n4:twenty\n", "{platform}");
    }
}
