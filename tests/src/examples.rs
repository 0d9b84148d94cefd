//! The examples: how each is built by any builder, what its program must answer, and how results of two builders differ.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::foreign::{Program, folder, verify};
use crate::{Built, Kit, repository, run, shared};

/// A folder below `examples` with one of its Dockerfiles.
#[derive(Debug)]
pub struct Example {
    /// Name in messages.
    pub name: &'static str,
    /// Folder below `examples`, which is the context.
    pub folder: &'static str,
    /// Dockerfile in the folder.
    pub file: &'static str,
    /// The option that makes its program a dynamic one, where it can be.
    pub dynamic: Option<&'static str>,
    /// Path of the program in the result.
    pub program: &'static str,
    /// Holds the program's answers against the right ones.
    pub check: fn(&Program),
}

/// The platforms that the examples are built for: the build machine's, and two that their Debian base has cross tools for.
pub const THREE: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];

/// Every example with a Dockerfile for the helper image.
pub const EXAMPLES: &[Example] = &[
    Example {
        name: "c",
        folder: "c",
        file: "Dockerfile",
        dynamic: Some("LDFLAGS="),
        program: "usr/local/bin/gz",
        check: |gz| {
            assert_eq!(gz.prints(&["-d"], PACKED), "hello\n");
            assert!(gz.prints(&["--version"], b"").starts_with("gz with zlib 1."));
        },
    },
    Example {
        name: "cpp-cmake",
        folder: "cpp-cmake",
        file: "Dockerfile",
        dynamic: Some("STATIC=OFF"),
        program: "usr/local/bin/xmlcount",
        check: |xmlcount| {
            assert_eq!(xmlcount.prints(&[], b"<a><b/><b><c/></b></a>"), "1 a\n2 b\n1 c\ndepth 3\n");
            let wrong = xmlcount.run(&[], b"<a>\n</b>");
            assert_eq!(wrong.stderr, "xmlcount: line 2: mismatched tag\n");
        },
    },
    Example {
        name: "go",
        folder: "go",
        file: "Dockerfile",
        dynamic: None,
        program: "crc",
        check: |crc| {
            assert_eq!(crc.prints(&[], b"123456789"), "cbf43926  -\n");
            assert!(crc.prints(&["--version"], b"").starts_with("crc with Go for linux/"));
        },
    },
    Example {
        name: "cgo",
        folder: "go",
        file: "cgo.Dockerfile",
        dynamic: Some("GO_LDFLAGS=-linkmode=external"),
        program: "crc",
        check: |crc| {
            assert_eq!(crc.prints(&[], b"123456789"), "cbf43926  -\n");
            assert!(crc.prints(&["--version"], b"").starts_with("crc with zlib 1."));
        },
    },
    Example {
        name: "rust",
        folder: "rust",
        file: "Dockerfile",
        dynamic: Some("XX_RUSTFLAGS="),
        program: "bin/adler",
        check: |adler| assert_eq!(adler.prints(&[], b"Wikipedia"), "11e60398  -\n"),
    },
];

/// Programs that have other bytes with the original's scripts: example, platform, and why.
const OTHER_BYTES: &[(&str, &str, &str)] = &[(
    "cgo",
    "linux/arm/v7",
    "the variant's flags: of assembly (runtime/cgo's gcc_arm.S) clang without -mfpu notes VFPv3 where code has VFPv3-D16, \
     and Go's build ids tell one object from the other",
)];

/// What `gzip` makes of `hello` and the end of the line.
const PACKED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00, 0x20, 0x30,
    0x3a, 0x36, 0x06, 0, 0, 0,
];

/// A builder: builds a context with options that `xx-build build` and `docker buildx build` both know. The bases
/// `debian` and `xx` are its own affair.
pub type Builder<'b> = &'b dyn Fn(&Path, &[&str]) -> Built;

/// `xx-build` with the bases of the kit.
pub fn xx_build(kit: &Kit) -> impl Fn(&Path, &[&str]) -> Built {
    move |context, options| {
        Built::of(shared::build(kit).args(options).arg(context).output().expect("xx-build starts"))
    }
}

impl Example {
    /// Builds it for the three platforms into `output`, which then has a folder for each.
    pub fn build(&self, builder: Builder<'_>, dynamic: bool, output: &Path) {
        let context = repository().join("examples").join(self.folder);
        let file = context.join(self.file).display().to_string();
        let (platforms, output) = (THREE.join(","), format!("type=local,dest={}", output.display()));
        let mut options = vec!["--file", &file, "--platform", &platforms, "--output", &output];
        if let Some(argument) = self.dynamic.filter(|_| dynamic) {
            options.extend(["--build-arg", argument]);
        }
        let built = builder(&context, &options);
        assert_eq!(built.code, Some(0), "{}: {}", self.name, built.stderr);
    }

    /// Holds the static programs in `output` against their platforms, and their answers against the right ones.
    pub fn verify(&self, case: &str, kit: &Kit, output: &Path) {
        for platform in THREE {
            let program = output.join(folder(platform)).join(self.program);
            verify(kit, platform, &["--static"], &program);
            if let Some(program) = Program::of(case, kit, platform, &program) {
                (self.check)(&program);
            }
        }
    }
}

/// A line on a difference between the original's scripts and ours, with its reason where it is a known one.
#[must_use]
pub fn told(example: &Example, difference: &Difference) -> String {
    let is_of = |(name, platform, _): &&(&str, &str, &str)| {
        example.name == *name && difference.path.starts_with(&folder(platform))
    };
    let reason = OTHER_BYTES.iter().find(|row| !difference.is_of_kind && is_of(row));
    let reason = reason.map(|(_, _, why)| format!(" ({why})")).unwrap_or_default();
    format!("{}: {}: {}{reason}\n", example.name, difference.path, difference.what)
}

/// How the files for one platform differ between two results.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// Folder of the platform, and path in the result.
    pub path: String,
    /// Whether the files are for another machine, or of another type, or load other libraries. If not, only bytes
    /// differ, as they may where the two were not made by the same compiler and linker.
    pub is_of_kind: bool,
    /// What each is.
    pub what: String,
}

/// Compares two results for the three platforms file by file: which there are, what each was built for and loads, and its
/// bytes.
#[must_use]
pub fn differences(ours: &Path, theirs: &Path) -> Vec<Difference> {
    let mut found = vec![];
    for platform in THREE.map(folder) {
        let (left, right) = (files(&ours.join(&platform)), files(&theirs.join(&platform)));
        let paths = left.keys().chain(right.keys().filter(|path| !left.contains_key(*path)));
        for path in paths {
            let (is_of_kind, what) = match (left.get(path), right.get(path)) {
                (Some(left), Some(right)) => {
                    let (one, other) = (facts(left), facts(right));
                    if one != other {
                        (true, format!("{one:?}, not {other:?}"))
                    } else if fs::read(left).ok() == fs::read(right).ok() {
                        continue;
                    } else {
                        (false, "other bytes".to_owned())
                    }
                }
                (Some(_), None) => (true, "only in the first".to_owned()),
                (None, _) => (true, "only in the second".to_owned()),
            };
            found.push(Difference { path: format!("{platform}/{path}"), is_of_kind, what });
        }
    }
    found
}

/// The files below a folder by their paths there.
fn files(root: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).expect("below").display().to_string();
                found.insert(name, path);
            }
        }
    }
    found
}

/// What GNU's readelf says a file is for, and what it loads; nothing when it is no ELF file.
#[must_use]
pub fn facts(path: &Path) -> Vec<String> {
    let told = run(
        "readelf",
        &["--wide", "--file-header", "--program-headers", "--dynamic", &path.display().to_string()],
    );
    let told = told.expect("readelf is installed");
    let words = ["Class:", "Data:", "OS/ABI:", "Type:", "Machine:", "Flags:", "interpreter:", "(NEEDED)"];
    let lines = told.stdout.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
