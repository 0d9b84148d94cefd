//! Starts cases as new processes, as root and as an ordinary user, and gives them a root and a scratch folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};
use xx_build_sandbox::userns::{self, Mode};

/// The ordinary user of the tests. The host need not know it.
const UID: u32 = 1000;

/// One thing to check, in a process that has entered the sandbox's namespaces.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) run: fn(&Inside),
}

/// A case on the Debian root.
pub(crate) const fn debian_case(name: &'static str, run: fn(&Inside)) -> Case {
    Case { name, needs: Needs::Debian, run }
}

/// What a case needs of its surroundings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// An empty scratch folder.
    Nothing,
    /// The Debian root, with all its ids.
    Debian,
    /// The Debian root unpacked by a user with one id.
    SingleUid,
}

/// Who runs a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Root,
    SubIds,
    SingleUid,
}

/// What a case finds.
pub(crate) struct Inside {
    pub(crate) mode: Mode,
    /// An empty folder of the running user, on the file system that bears the roots.
    pub(crate) scratch: PathBuf,
    /// The Debian layer with this mode's ids.
    pub(crate) debian: PathBuf,
}

/// Mode, owners and time of change of each of the machine's device files that a step has too.
pub(crate) fn devices() -> Vec<(&'static str, [i64; 5])> {
    use std::os::unix::fs::MetadataExt as _;
    let names = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "net/tun"];
    let look = |name| {
        let found = fs::metadata(Path::new("/dev").join(name)).ok()?;
        let (mode, uid, gid) = (found.mode().into(), found.uid().into(), found.gid().into());
        Some((name, [mode, uid, gid, found.ctime(), found.ctime_nsec()]))
    };
    names.into_iter().filter_map(look).collect()
}

/// Runs one case in this process. Whatever the case is about, it leaves the machine's device files as they were.
pub(crate) fn inside(cases: &[Case], name: &str) {
    let case = cases.iter().find(|case| case.name == name).expect("a known case");
    let variable = |name| PathBuf::from(std::env::var_os(name).expect(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mode = userns::enter(&path).unwrap_or_else(|error| panic!("{error}\nhint: {:?}", error.hint()));
    let before = devices();
    (case.run)(&Inside { mode, scratch: variable("XX_TEST_SCRATCH"), debian: variable("XX_TEST_DEBIAN") });
    assert_eq!(devices(), before, "the machine's device files");
}

/// Runs all cases, each as everyone who can.
pub(crate) fn outside(cases: &[Case]) {
    let root = rustix::process::geteuid().is_root();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let have_debian = std::env::var_os("XX_TEST_DEBIAN_TAR").is_some()
        || state().join("debian.tar").exists()
        || std::env::split_paths(&path).any(|directory| directory.join("mmdebstrap").exists());
    let mut trials = Vec::new();
    for who in [Who::Root, Who::SubIds, Who::SingleUid] {
        for &case in cases {
            let fits = match case.needs {
                Needs::Nothing => true,
                Needs::Debian => who != Who::SingleUid,
                Needs::SingleUid => who == Who::SingleUid,
            };
            if case.name.starts_with('_') || !fits {
                continue;
            }
            let name = format!("{}::{}", format!("{who:?}").to_lowercase(), case.name);
            // Not root: the machine's own user runs what its own ranges allow.
            let missing = if !root && who != Who::SubIds {
                "needs root"
            } else if case.needs != Needs::Nothing && !have_debian {
                "needs mmdebstrap"
            } else {
                ""
            };
            let trial = Trial::test(name, move || start(case, who, root));
            trials.push(trial.with_ignored_flag(!missing.is_empty()).with_kind(missing));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn start(case: Case, who: Who, root: bool) -> Result<(), Failed> {
    let debian = match case.needs {
        Needs::Nothing => PathBuf::new(),
        Needs::Debian | Needs::SingleUid => debian(who, root)?,
    };
    let scratch = Scratch::new(&format!("{}-{who:?}", case.name), who, root)?;
    let output = command(case.name, who, root, &scratch.0, &debian).output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)).into())
}

/// Device files of a machine, in a file system in memory of the running namespace: what a case does to them is done to
/// nobody else.
const DEVICES: &str = "mount -t tmpfs -o mode=755 dev /dev && mkdir /dev/pts /dev/net && mkdir -m 1777 /dev/shm &&
    mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/full c 1 7 &&
    mknod -m 666 /dev/random c 1 8 && mknod -m 666 /dev/urandom c 1 9 && mknod -m 666 /dev/tty c 5 0 &&
    mknod -m 666 /dev/net/tun c 10 200 && mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts /dev/pts &&
    ln -s pts/ptmx /dev/ptmx && ln -s /proc/self/fd /dev/fd && ln -s fd/0 /dev/stdin &&
    ln -s fd/1 /dev/stdout && ln -s fd/2 /dev/stderr";

/// This binary again, as `who`. As root, a private mount namespace has device files of its own, and gives the user an
/// account and ranges for this process alone; the machine's files stay as they are.
fn command(case: &str, who: Who, root: bool, scratch: &Path, debian: &Path) -> Command {
    let me = std::env::current_exe().expect("the path of this test");
    if root && who != Who::Root {
        return as_user(case, who, scratch, debian, &me);
    }
    let mut command = Command::new(if root { "unshare".as_ref() } else { me.as_path() });
    if root {
        command.args(["--mount", "sh", "-c", &format!("{DEVICES} && exec \"$@\""), "sh"]).arg(me);
    }
    command.args(["--inside", case]);
    command.env("XX_TEST_SCRATCH", scratch.join("work")).env("XX_TEST_DEBIAN", debian).stdin(Stdio::null());
    command
}

fn as_user(case: &str, who: Who, scratch: &Path, debian: &Path, me: &Path) -> Command {
    let range = if who == Who::SubIds { format!("{UID}:200000:65536\n") } else { String::new() };
    fs::write(scratch.join("subid"), range).expect("a range file");
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    fs::write(scratch.join("passwd"), format!("xxtest:x:{UID}:{UID}::/:/bin/sh\n{users}")).expect("accounts");
    // What the user needs is bound where everybody may go: the folders above this tree may be closed to others.
    let script = format!(
        "cd \"$1\" && mount --bind subid /etc/subuid && mount --bind subid /etc/subgid &&
        mount --bind passwd /etc/passwd && {DEVICES} && mount -t tmpfs -o mode=755 tmpfs /mnt && cd /mnt &&
        mkdir scratch debian && touch test && mount --rbind \"$1\" scratch && mount --bind \"$3\" test &&
        {{ [ -z \"$5\" ] || if [ -d \"$5\" ]; then mount --bind \"$5\" debian; else rmdir debian; touch debian; mount --bind \"$5\" debian; fi; }} &&
        exec setpriv --reuid=$2 --regid=$2 --clear-groups --inh-caps=-all ./test --inside \"$4\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh"]).arg(scratch).arg(UID.to_string());
    command
        .arg(me)
        .arg(case)
        .arg(debian)
        .env("HOME", "/mnt/scratch")
        .env("XX_TEST_SCRATCH", "/mnt/scratch/work")
        .env("XX_TEST_DEBIAN", "/mnt/debian")
        .stdin(Stdio::null());
    command
}

fn state() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// A folder `work` for the case, removed with all that its mapped ids own.
struct Scratch(PathBuf, Who, bool);

impl Scratch {
    fn new(name: &str, who: Who, root: bool) -> Result<Self, Failed> {
        let path = state().join(format!("sandbox-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("work"))?;
        if root && who != Who::Root {
            std::os::unix::fs::chown(path.join("work"), Some(UID), Some(UID))?;
        }
        Ok(Self(path, who, root))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.2 {
            let _status = command("_remove", self.1, false, &self.0, Path::new("")).status();
        }
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The Debian root unpacked with the ids of `who`; made once, kept for later runs.
fn debian(who: Who, root: bool) -> Result<PathBuf, Failed> {
    static UNPACKED: [OnceLock<Result<PathBuf, String>>; 3] = [const { OnceLock::new() }; 3];
    let slot = who as usize;
    UNPACKED[slot]
        .get_or_init(|| unpack(who, root).map_err(|error| error.to_string()))
        .clone()
        .map_err(Failed::from)
}

fn unpack(who: Who, root: bool) -> std::io::Result<PathBuf> {
    let target = state().join(format!("debian-{who:?}").to_lowercase());
    let _lock = lock()?;
    if target.join("done").exists() {
        return Ok(target.join("work/layer"));
    }
    let archive = archive()?;
    fs::create_dir_all(target.join("work"))?;
    if root && who != Who::Root {
        std::os::unix::fs::chown(target.join("work"), Some(UID), Some(UID))?;
    }
    let status = command("_unpack", who, root, &target, &archive).status()?;
    if !status.success() {
        return Err(std::io::Error::other(format!("cannot unpack {}", archive.display())));
    }
    fs::write(target.join("done"), "")?;
    Ok(target.join("work/layer"))
}

/// Several test processes may want the root at once (nextest runs each case in one of its own).
fn lock() -> std::io::Result<fs::File> {
    let lock = fs::File::create(state().join("debian.lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn archive() -> std::io::Result<PathBuf> {
    if let Some(path) = std::env::var_os("XX_TEST_DEBIAN_TAR") {
        return Ok(path.into());
    }
    let archive = state().join("debian.tar");
    if archive.exists() {
        return Ok(archive);
    }
    let partial = state().join("debian.partial.tar");
    let status = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=minbase", "bookworm"])
        .arg(&partial)
        .status()?;
    if !status.success() {
        return Err(std::io::Error::other("mmdebstrap failed"));
    }
    fs::rename(partial, &archive)?;
    Ok(archive)
}

/// Cases that serve the harness.
pub(crate) const SERVICES: &[Case] = &[
    Case {
        name: "_unpack",
        needs: Needs::Nothing,
        run: |inside| {
            let layer = inside.scratch.join("layer");
            fs::create_dir_all(&layer).expect("the layer folder");
            let mut tar = Command::new("tar");
            let owners = match inside.mode {
                Mode::Root | Mode::SubIds { .. } => "--same-owner",
                Mode::SingleUid { .. } => "--no-same-owner",
            };
            tar.args([owners, "--numeric-owner", "--exclude=./dev/*", "-xpf"])
                .arg(&inside.debian)
                .arg("-C")
                .arg(layer);
            assert!(tar.status().expect("tar").success());
        },
    },
    Case {
        name: "_remove",
        needs: Needs::Nothing,
        run: |inside| {
            fs::remove_dir_all(&inside.scratch).expect("the scratch folder goes");
        },
    },
];

/// Notes that a case, or a part of it, cannot run here, for the summary of `make test`.
pub(crate) fn skipped(case: &str, reason: &str) {
    println!("skipped: {case}: {reason}");
    if let Some(path) = std::env::var_os("XX_TEST_SKIPPED") {
        use std::io::Write as _;
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        // The list may be closed to who runs the case.
        let _noted = file.and_then(|mut file| writeln!(file, "{case}: {reason}"));
    }
}

/// Runs a host program and gives its standard output; for cases.
pub(crate) fn host(program: &str, arguments: &[&str]) -> String {
    let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
    let output = Command::new(program).args(arguments).output().expect(program);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("utf-8")
}
