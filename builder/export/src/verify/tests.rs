//! Small trees with configurations, and what is said of the programs in them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use xx_build_frontend::oci::image::Healthcheck;
use xx_build_rootfs::Owners;

/// ELF kinds.
const EXEC: u16 = 2;
const DYN: u16 = 3;
const REL: u16 = 1;

/// The header of an ELF file.
fn elf(kind: u16, machine: u16) -> Vec<u8> {
    let wide = !matches!(machine, 3 | 8 | 40);
    let mut bytes = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1];
    bytes.resize(16, 0);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.resize(if wide { 52 } else { 40 }, 0);
    bytes.extend((if wide { 64_u16 } else { 52 }).to_le_bytes());
    bytes.resize(64, 0);
    bytes
}

/// The beginning of a program for Windows.
fn pe(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    let wide = machine != 0x14c;
    let pieces = [
        (0, &b"MZ"[..]),
        (0x3c, &[0x40]),
        (0x40, b"PE\0\0"),
        (0x44, &machine.to_le_bytes()),
        (0x54, if wide { &[0xf0] } else { &[0xe0] }),
        (0x58, if wide { &[0x0b, 2] } else { &[0x0b, 1] }),
    ];
    for (at, piece) in pieces {
        bytes[at..at + piece.len()].copy_from_slice(piece);
    }
    bytes
}

/// A file of a tree: `PATH KIND[:MACHINE]`, or `PATH -> TARGET`.
fn make(root: &Path, text: &str) {
    let mut words = text.split(' ');
    let path = root.join(words.next().expect("a path"));
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let kind = words.next().expect("a kind");
    if kind == "->" {
        return symlink(words.next().expect("a target"), path).expect("a link");
    }
    let (kind, machine) = kind.split_once(':').unwrap_or((kind, "arm64"));
    let elf_machine = match machine {
        "386" => 3,
        "mips" => 8,
        "arm" => 40,
        "amd64" => 62,
        "arm64" => 183,
        "riscv64" => 243,
        other => panic!("{other}"),
    };
    let (bytes, mode) = match kind {
        "program" => (elf(EXEC, elf_machine), 0o755),
        "shut" => (elf(EXEC, elf_machine), 0o644),
        "library" => (elf(DYN, elf_machine), 0o644),
        "object" => (elf(REL, elf_machine), 0o755),
        "exe" => (pe(if machine == "386" { 0x14c } else { 0xaa64 }), 0o755),
        "dll" => (pe(0xaa64), 0o644),
        "text" => (b"/opt/own\n/opt/aarch64-linux-gnu\n".to_vec(), 0o644),
        other => panic!("{other}"),
    };
    fs::write(&path, bytes).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A configuration: `FIELD=VALUE`; words of a list are separated by spaces, `!` begins a shell's line.
fn config(text: &[&str]) -> Config {
    let mut config = Config::default();
    for field in text {
        let (name, value) = field.split_once('=').expect("a field");
        let words = match value.strip_prefix('!') {
            Some(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()],
            None => value.split(' ').map(str::to_owned).collect(),
        };
        match name {
            "entrypoint" => config.entrypoint = words,
            "cmd" => config.cmd = words,
            "check" => config.healthcheck = Some(Healthcheck { test: words, ..Healthcheck::default() }),
            "workdir" => config.working_dir = value.to_owned(),
            _ => config.env.push((*field).to_owned()),
        }
    }
    config
}

/// The name of a case, the configuration, the files (for arm64 unless they say otherwise; the platform is linux/amd64), and
/// what is said: the use or `-`, and the path.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const CMD: &[&str] = &["cmd=bash"];

const CASES: &[Case] = &[
    // What the image runs.
    ("entry", &["entrypoint=/app"], &["app program"], &["ENTRYPOINT /app"]),
    ("entry of the platform", &["entrypoint=/app"], &["app program:amd64"], &[]),
    ("entry by a link", &["entrypoint=/app"], &["app -> opt/a", "opt/a program"], &["ENTRYPOINT /opt/a"]),
    ("entry through a linked folder", &["cmd=/l/a"], &["l -> opt", "opt/a program"], &["CMD /opt/a"]),
    ("entry by name", &["entrypoint=app"], &["usr/bin/app program"], &["ENTRYPOINT /usr/bin/app"]),
    ("entry from the folder", &["entrypoint=./a", "workdir=/w"], &["w/a program"], &["ENTRYPOINT /w/a"]),
    ("entry behind init", &["entrypoint=tini -- /w/a"], &["w/a program"], &["ENTRYPOINT /w/a"]),
    ("a command's arguments", &["entrypoint=/run.sh", "cmd=/w/a -x"], &["w/a program"], &["CMD /w/a"]),
    ("a shell's line", &["cmd=!X=1 exec \"/w/a\" --all;true"], &["w/a program"], &["CMD /w/a"]),
    ("a variable in a line", &["cmd=!${H}/a", "H=/w"], &["w/a program"], &["CMD /w/a"]),
    ("a variable is no variable in a list", &["cmd=$H/a", "H=/w"], &["w/a program"], &["- /w/a"]),
    ("a check", &["cmd=a", "check=CMD /w/a"], &["w/a program"], &["HEALTHCHECK /w/a"]),
    ("a check's line", &["cmd=a", "check=CMD-SHELL /w/a||exit"], &["w/a program"], &["HEALTHCHECK /w/a"]),
    ("no check", &["cmd=a", "check=NONE /w/a"], &["w/a program"], &["- /w/a"]),
    (
        "an emulator's program",
        &["cmd=/qemu-aarch64 /w/a"],
        &["w/a program", "qemu-aarch64 program:amd64"],
        &["- /w/a"],
    ),
    ("nothing but data", CMD, &["w/a shut", "w/a.o object", "w/a.dll dll"], &[]),
    // PATH.
    ("in PATH", CMD, &["usr/local/bin/a program"], &["PATH /usr/local/bin/a"]),
    (
        "in the image's PATH",
        &["cmd=b", "PATH=/x:/y"],
        &["y/a program", "usr/bin/a program"],
        &["PATH /y/a", "- /usr/bin/a"],
    ),
    ("below PATH", CMD, &["usr/bin/sub/a program"], &["- /usr/bin/sub/a"]),
    ("in a linked folder of PATH", CMD, &["bin -> usr/bin", "usr/bin/a program"], &["PATH /usr/bin/a"]),
    ("linked from PATH", CMD, &["bin/n -> ../opt/n/bin/n", "opt/n/bin/n program"], &["PATH /opt/n/bin/n"]),
    (
        "PATH of several machines",
        CMD,
        &["bin/a program", "bin/b program:mips"],
        &["PATH /bin/a", "PATH /bin/b"],
    ),
    // Libraries.
    ("libraries", CMD, &["usr/lib/liba.so library"], &["linker /usr/lib/liba.so"]),
    (
        "the platform's own folder",
        CMD,
        &["usr/lib/x86_64-linux-gnu/liba.so library"],
        &["linker /usr/lib/x86_64-linux-gnu/liba.so"],
    ),
    ("LD_LIBRARY_PATH", &["cmd=a", "LD_LIBRARY_PATH=/w"], &["w/a.so library"], &["linker /w/a.so"]),
    (
        "the linker's configuration",
        CMD,
        &["etc/ld.so.conf text", "opt/own/a.so library", "opt/aarch64-linux-gnu/a.so library"],
        &["- /opt/aarch64-linux-gnu/a.so", "linker /opt/own/a.so"],
    ),
    ("another's linker", CMD, &["lib/ld-linux-aarch64.so.1 library"], &["- /lib/ld-linux-aarch64.so.1"]),
    (
        "another's folder",
        CMD,
        &["usr/lib/aarch64-linux-gnu/libc.so.6 library", "usr/lib/aarch64-linux-gnu/liba.so library"],
        &["- /usr/lib/aarch64-linux-gnu/liba.so", "- /usr/lib/aarch64-linux-gnu/libc.so.6"],
    ),
    (
        "what runs anyway",
        &["cmd=/app"],
        &["app program:386", "lib/liba.so library:386"],
        &["- /app", "- /lib/liba.so"],
    ),
    (
        "modules",
        CMD,
        &[
            "v/m.cpython-311-aarch64-linux-gnu.so library",
            "v/n.abi3.so library",
            "n/build/x.node library",
            "v/libdata.so library",
        ],
        &[
            "module /n/build/x.node",
            "- /v/libdata.so",
            "module /v/m.cpython-311-aarch64-linux-gnu.so",
            "module /v/n.abi3.so",
        ],
    ),
    // Trees for several platforms, or for another.
    (
        "modules beside each other",
        CMD,
        &["n/prebuilds/linux-x64/x.node library:amd64", "n/prebuilds/linux-arm64/x.node library"],
        &[],
    ),
    (
        "libraries of a compiler",
        CMD,
        &[
            "usr/aarch64-linux-gnu/lib/libc.so.6 library",
            "usr/aarch64-linux-gnu/lib/libm.so.6 library",
            "usr/aarch64-linux-gnu/lib/gconv/a.cpython-3.so library",
        ],
        &[
            "- /usr/aarch64-linux-gnu/lib/gconv/a.cpython-3.so",
            "- /usr/aarch64-linux-gnu/lib/libc.so.6",
            "- /usr/aarch64-linux-gnu/lib/libm.so.6",
        ],
    ),
    (
        "libraries of a compiler for each",
        CMD,
        &[
            "opt/r/rustlib/x86_64-unknown-linux-gnu/lib/libstd-1.so library:amd64",
            "opt/r/rustlib/aarch64-unknown-linux-gnu/lib/libstd-2.so library",
        ],
        &[],
    ),
    ("firmware", CMD, &["usr/share/q/a program", "usr/share/q/sub/b program:mips"], &[]),
    (
        "firmware of one machine",
        CMD,
        &["usr/share/q/a program", "usr/share/q/b program"],
        &["- /usr/share/q/a", "- /usr/share/q/b"],
    ),
    ("launchers", CMD, &["v/t32.exe exe:386", "v/t64-arm.exe exe:arm64"], &[]),
    ("not beside what is of another kind", CMD, &["w/a program", "w/t.exe exe"], &["- /w/a", "- /w/t.exe"]),
    // Without an entry point.
    ("the tree itself", &[], &["a program"], &["itself /a"]),
    ("a library in a tree", &[], &["out/liba.so library"], &["itself /out/liba.so"]),
    ("objects in a tree", &[], &["out/a.o object", "out/b shut"], &[]),
    ("a release", &[], &["tool-linux-amd64 program:amd64", "tool-linux-arm64 program"], &[]),
    ("a release's folders", &[], &["linux_amd64/t program:amd64", "linux_arm64/t program"], &[]),
    (
        "a release of one",
        &[],
        &["tool-linux-arm64 program", "tool program"],
        &["itself /tool", "itself /tool-linux-arm64"],
    ),
    (
        "a wrong one beside test data",
        &[],
        &["app/a program", "app/test/b program:mips"],
        &["itself /app/a", "itself /app/test/b"],
    ),
    (
        "a root of another system",
        &[],
        &["sysroot/usr/lib/libc.so.6 library", "sysroot/usr/bin/a program"],
        &["- /sysroot/usr/bin/a", "- /sysroot/usr/lib/libc.so.6"],
    ),
    (
        "another system as the root",
        &[],
        &["usr/lib/libc.so.6 library", "usr/bin/a program"],
        &["PATH /usr/bin/a", "linker /usr/lib/libc.so.6"],
    ),
];

fn found(configuration: &[&str], files: &[&str]) -> Vec<String> {
    let platform: Platform = "linux/amd64".parse().expect("a platform");
    let folder = tempfile::tempdir().expect("a directory");
    files.iter().for_each(|file| make(folder.path(), file));
    let root = File::open(folder.path()).expect("a directory");
    let tree = Tree::result(root.into(), Owners::Real);
    let foreign = scan::whole(&tree, &platform, 1).expect("a tree").into_iter().collect();
    let judged = judge(&tree, &config(configuration), &platform, &foreign);
    let shown = judged.into_iter().map(|(path, used)| {
        let used = match used {
            None => "-",
            Some(Use::Entrypoint) => "ENTRYPOINT",
            Some(Use::Cmd) => "CMD",
            Some(Use::Healthcheck) => "HEALTHCHECK",
            Some(Use::Path) => "PATH",
            Some(Use::Library) => "linker",
            Some(Use::Module) => "module",
            Some(Use::Itself) => "itself",
        };
        format!("{used} /{}", path.display())
    });
    shown.collect()
}

#[test]
fn what_the_image_runs_must_be_for_its_platform() {
    let mut wrong = vec![];
    for (name, configuration, files, expected) in CASES {
        let mut expected = expected.to_vec();
        expected.sort_by_key(|line| line.split_once(' ').map(|(_, path)| path));
        let found = found(configuration, files);
        if found != expected {
            wrong.push(format!("{name}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn programs_of_windows_are_found_by_its_words() {
    let platform: Platform = "windows/amd64".parse().expect("a platform");
    for (configuration, expected) in [
        (&["entrypoint=C:\\app\\a.exe"][..], Some(Use::Entrypoint)),
        (&["entrypoint=app\\a"], Some(Use::Entrypoint)),
        (&["entrypoint=a", "workdir=C:\\app"], Some(Use::Entrypoint)),
        (&["cmd=b", "PATH=C:\\Windows;C:\\app"], Some(Use::Path)),
        (&["cmd=b"], None),
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        make(folder.path(), "app/a.exe exe");
        let root = File::open(folder.path()).expect("a directory");
        let tree = Tree::result(root.into(), Owners::Real);
        let foreign = scan::whole(&tree, &platform, 1).expect("a tree").into_iter().collect();
        let judged = judge(&tree, &config(configuration), &platform, &foreign);
        assert_eq!(judged, [(PathBuf::from("app/a.exe"), expected)], "{configuration:?}");
    }
}

fn misfit(path: &str, used: Option<Use>, line: usize) -> Misfit {
    Misfit {
        path: path.into(),
        platform: "linux/amd64".parse().expect("a platform"),
        machine: "arm64".to_owned(),
        reason: "found this, expected that".to_owned(),
        used,
        step: format!("COPY {line}"),
        place: Some(Place { file: "Dockerfile".into(), line }),
    }
}

#[test]
fn what_is_wrong_is_said_in_ten_lines() {
    let one = misfit("/a", Some(Use::Entrypoint), 3);
    assert_eq!(
        wrong([&one].into_iter()),
        "programs of the result are for another platform:\n  Dockerfile:3: COPY 3\n    \
         /a in the image for linux/amd64, run by ENTRYPOINT: found this, expected that"
    );
    let misfit_of = |number: usize| {
        let (line, folder) = (number % 5 + 1, number % 20);
        misfit(&format!("/usr/{folder}/{number}"), Some(Use::Path), line)
    };
    let many: Vec<Misfit> = (0..400).map(misfit_of).collect();
    let text = wrong(many.iter());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 10, "{text}");
    assert!(lines[2].contains("/usr/0 (20 files, such as 0)"), "{text}");
    let shown = lines.iter().filter(|line| line.contains("20 files")).count();
    assert_eq!(lines[9], format!("  and {} further files", 400 - 20 * shown));
}

#[test]
fn other_programs_are_one_line() {
    assert_eq!(others([].into_iter()), None);
    let paths = ["/usr/a-linux/lib/x.so", "/usr/a-linux/lib/sub/y.so", "/opt/q/z", "/opt/r/z", "/opt/s/z"];
    let found: Vec<Misfit> = paths.iter().map(|path| misfit(path, None, 1)).collect();
    assert_eq!(
        others(found.iter()).as_deref(),
        Some(
            "5 programs and libraries are for another platform, none of which the image starts by itself: \
             `/usr/a-linux` (2 for arm64), `/opt/q` (1 for arm64), `/opt/r` (1 for arm64) and in one more place; \
             `--allow-foreign GLOB` says that it is meant so"
        )
    );
}
