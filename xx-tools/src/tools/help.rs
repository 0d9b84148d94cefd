//! What `xx help TOOL` prints of the tools whose `--help` is that of the program they call, which need not be installed.

pub(crate) const CC: &str = "\
Usage: xx-cc|xx-c++|xx-clang|xx-clang++ [ARGUMENT]...

Compiles for the target that TARGETPLATFORM names. What is not listed here is the compiler's.

  --print-target-triple    print the target's triple
  --setup-target-triple    write clang's configuration and make the programs with the target's prefix, no more
  --print-sysroot          print the folder with the target's headers and libraries
  --print-cmake-defines    print options for cmake
  --print-cmake-toolchain  print a toolchain file for CMake
  --print-meson-cross      print a cross file for Meson
  --target=TRIPLE          compile for another target
  --wrap, --unwrap         make plain `clang` compile for the target, and end that

Variables:
  XX_CC_PREFER_COMPILER    clang, gcc or zig
  XX_CC_PREFER_LINKER      lld, ld, gold or another
  XX_GLIBC                 link against this glibc, with zig
  XX_SETUP_DIR             folder for the files of set-up
  XX_SYSROOT               folder with the target's headers and libraries
";

pub(crate) const GO: &str = "\
Usage: xx-go [ARGUMENT]...

Calls go for the target that TARGETPLATFORM names, with a C compiler for cgo. What is not listed here is go's.

  --wrap, --unwrap         make plain `go` build for the target, and end that

Variables:
  XX_GO_PREFER_C_COMPILER  clang, gcc or zig
  XX_SYSROOT               folder with the target's headers and libraries
";

pub(crate) const CARGO: &str = "\
Usage: xx-cargo [ARGUMENT]...

Calls cargo for the target that TARGETPLATFORM names. What is not listed here is cargo's.

  --print-target-triple    print Rust's name of the target
  --setup-target-triple    set up the C compiler and Rust's standard library, no more

Variables:
  XX_CC_PREFER_COMPILER    clang, gcc or zig
  XX_RUSTFLAGS             flags for rustc, of the target alone
  XX_SYSROOT               folder with the target's headers and libraries
";

pub(crate) const APT: &str = "\
Usage: xx-apt|xx-apt-get [ARGUMENT]...

Calls apt or apt-get with packages of the target that TARGETPLATFORM names: `install`, `remove`, `show`, `list`, `info`
and `search` take names; all else is apt's. `xx-c-essentials` and `xx-cxx-essentials` are what C and C++ need.

  --target-root DIR        unpack into a folder instead (with `install`)
  --print-source-file      print the path of the distribution's own source file
  --fix-source-file FILE ARCH
                           restrict a source file to an architecture

Variables:
  XX_APT_PREFER_CROSS      take Debian's `NAME-ARCH-cross` packages where there are such
";

pub(crate) const APK: &str = "\
Usage: xx-apk [ARGUMENT]...

Calls apk with packages of the target that TARGETPLATFORM names, in a root of their own at /TRIPLE. What is not listed
here is apk's. `xx-c-essentials` and `xx-cxx-essentials` are what C and C++ need.

  setup                    make the root, no more
  clean                    remove the root

Variables:
  XX_APK_SCRIPTS           run the packages' scripts there, too
";

pub(crate) const DNF: &str = "\
Usage: xx-dnf|xx-microdnf|xx-yum [ARGUMENT]...

Calls dnf with packages of the target that TARGETPLATFORM names, in a root of their own at /TRIPLE. All arguments are
dnf's. `xx-c-essentials` and `xx-cxx-essentials` are what C and C++ need.
";

pub(crate) const BINUTILS: &str = "\
Usage: xx-ar|xx-nm|xx-objcopy|xx-objdump|xx-ranlib|xx-readelf|xx-size|xx-strings|xx-strip [ARGUMENT]...

Calls the tool for the target that TARGETPLATFORM names: GNU's with the target's prefix, or LLVM's. All arguments are
the tool's.
";

pub(crate) const PKG_CONFIG: &str = "\
Usage: xx-pkg-config [ARGUMENT]...

Calls pkg-config for the libraries of the target that TARGETPLATFORM names. All arguments are pkg-config's.
";

pub(crate) const XCRUN: &str = "\
Usage: xcrun [--sdk NAME] [--show-sdk-path|--show-sdk-version|--find TOOL|TOOL [ARGUMENT]...]

Answers as Apple's xcrun, for the SDK in /xx-sdk.
";
