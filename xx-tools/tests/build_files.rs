//! The files that xx-clang prints for CMake and Meson.

mod support;

use support::compilers::{alpine, debian};
use support::{FakeHost, dry_run};
use xx_tools::env::Env;
use xx_tools::tools::cc;

fn plan(host: &FakeHost, name: &str, args: &[&str], vars: &[(&str, &str)]) -> String {
    dry_run(cc::plan(Env::new(name, args, vars), host), host)
}

#[test]
fn files_for_cmake_and_meson() {
    let host = debian(&["lld", "qemu-aarch64-static", "aarch64-linux-gnu-ar"])
        .file("/lib/ld-linux-aarch64.so.1", "")
        // As the package of a cross compiler has it.
        .file("/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1", "")
        .file("/usr/bin/aarch64-linux-gnu.cfg", "mine");
    let vars: &[(&str, &str)] = &[("TARGETPLATFORM", "linux/arm64")];
    let cmake = plan(&host, "xx-clang", &["--print-cmake-toolchain"], vars);
    for line in [
        "set(CMAKE_SYSTEM_NAME \"Linux\")",
        "set(CMAKE_SYSTEM_PROCESSOR \"aarch64\")",
        "set(CMAKE_C_COMPILER \"aarch64-linux-gnu-clang\")",
        "set(CMAKE_CROSSCOMPILING_EMULATOR \"/usr/bin/qemu-aarch64-static\")",
    ] {
        assert!(cmake.contains(line), "{line} is missing in {cmake}");
    }
    let meson = plan(&host, "xx-clang", &["--print-meson-cross"], vars);
    for line in ["cpp = [", "ar = ", "cpu_family = ", "endian = ", "[host_machine]"] {
        assert!(meson.contains(line), "{line} is missing in {meson}");
    }
    let gcc = debian(&["aarch64-linux-gnu-gcc", "xx-pkg-config"]);
    let prefer_gcc = [vars[0], ("XX_CC_PREFER_COMPILER", "gcc")];
    let cmake = plan(&gcc, "xx-cc", &["--print-cmake-toolchain"], &prefer_gcc);
    assert!(cmake.contains("set(PKG_CONFIG_EXECUTABLE \"/usr/bin/xx-pkg-config\")"), "{cmake}");
    let defines = plan(&gcc, "xx-cc", &["--print-cmake-defines"], &prefer_gcc);
    assert!(defines.ends_with(" -DPKG_CONFIG_EXECUTABLE=/usr/bin/xx-pkg-config'\n"), "{defines}");
    assert_eq!(plan(&gcc, "xx-cc", &["--print-sysroot"], &prefer_gcc), "print /\n");
    let stripped = debian(&["lld", "aarch64-linux-gnu-strip", "xx-objcopy"])
        .file("/usr/bin/aarch64-linux-gnu.cfg", "mine");
    let cmake = plan(&stripped, "xx-clang", &["--print-cmake-toolchain"], vars);
    for line in [
        "set(CMAKE_STRIP \"/usr/bin/aarch64-linux-gnu-strip\")",
        "set(CMAKE_OBJCOPY \"/usr/bin/xx-objcopy\")",
    ] {
        assert!(cmake.contains(line), "{line} is missing in {cmake}");
    }
    let defines = plan(&stripped, "xx-clang", &["--print-cmake-defines"], vars);
    assert!(defines.contains(" -DCMAKE_STRIP=/usr/bin/aarch64-linux-gnu-strip"), "{defines}");
    let llvm = debian(&["lld", "aarch64-linux-gnu-strip", "llvm-strip"])
        .file("/usr/bin/aarch64-linux-gnu.cfg", "mine");
    let defines = plan(&llvm, "xx-clang", &["--print-cmake-defines"], vars);
    assert!(!defines.contains("STRIP"), "CMake finds LLVM's: {defines}");
    let no_libraries = debian(&["lld", "qemu-aarch64-static"]).file("/usr/bin/aarch64-linux-gnu.cfg", "mine");
    for flag in ["--print-cmake-toolchain", "--print-meson-cross"] {
        let text = plan(&no_libraries, "xx-clang", &[flag], vars);
        assert!(!text.contains("qemu"), "programs of the target would not start: {text}");
    }
    let alpine = alpine(&["lld"]).file("/usr/bin/aarch64-alpine-linux-musl.cfg", "mine");
    let cmake = plan(&alpine, "xx-clang", &["--print-cmake-toolchain"], vars);
    assert!(cmake.contains("set(CMAKE_SYSROOT \"/aarch64-alpine-linux-musl\")"), "{cmake}");
}
