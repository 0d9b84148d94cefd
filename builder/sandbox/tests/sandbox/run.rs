//! Steps on a real Debian root: what they see, what they may do, what they leave.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use xx_build_sandbox::overlay::{Writable, mount_detached};
use xx_build_sandbox::{
    BindSource, Cancel, Exit, Mount, MountKind, Network, SandboxError, Security, Step, Stream, Ulimit, run,
};

use crate::harness::{Case, Inside, debian_case as case, skipped};

pub(crate) const CASES: &[Case] = &[
    case("run_table", table),
    case("run_sees_no_host", sees_no_host),
    case("run_streams_and_env", streams_and_env),
    case("run_errors", errors),
    case("run_namespaces_are_its_own", namespaces),
    case("run_foreign_program", foreign_program),
    case("run_joins_its_control_group", control_group),
    case("run_network_none", network_none),
    case("run_insecure", insecure),
    case("run_limits", limits),
    case("run_cancel", cancel),
    case("run_daemon_dies_with_step", daemon_dies_with_step),
    case("run_200_layers", many_layers),
    case("run_output_flood", output_flood),
    case("run_huge_passwd", huge_passwd),
    case("run_too_many_processes", too_many_processes),
    case("run_killed_builder_leaves_nothing", killed_builder),
    case("_killed_builder", killed_builder_inner),
    case("_bench", bench),
    case("_bench_stat", bench_stat),
];

/// A fresh writable root over the Debian layer; the upper layer's folder comes along.
pub(crate) fn root(inside: &Inside, name: &str) -> (OwnedFd, PathBuf) {
    over(inside, name, std::slice::from_ref(&inside.debian))
}

pub(crate) fn over(inside: &Inside, name: &str, lower: &[PathBuf]) -> (OwnedFd, PathBuf) {
    let (upper, work) =
        (inside.scratch.join(format!("{name}.upper")), inside.scratch.join(format!("{name}.work")));
    fs::create_dir_all(&upper).unwrap();
    fs::create_dir_all(&work).unwrap();
    (mount_detached(lower, Some(Writable { upper: &upper, work: &work })).unwrap(), upper)
}

pub(crate) fn sh(root: OwnedFd, script: &str) -> Step {
    Step::new(root, ["/bin/sh", "-c", script].map(str::to_owned).to_vec())
}

/// Exit and both outputs, joined.
pub(crate) fn outcome(step: &Step) -> Result<(Exit, String), SandboxError> {
    let mut text = Vec::new();
    let finished = run(step, &Cancel::new()?, &mut |_, bytes| text.extend_from_slice(bytes))?;
    Ok((finished.exit, String::from_utf8_lossy(&text).into_owned()))
}

/// The output of a step that must succeed.
pub(crate) fn output(step: &Step) -> String {
    let (exit, text) = outcome(step).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(exit, Exit::Code(0), "{text}");
    text
}

pub(crate) fn bind(target: &str, source: &Path, subpath: &str, readonly: bool) -> Mount {
    let kind = MountKind::Bind {
        source: BindSource::Path(source.to_owned()),
        subpath: subpath.to_owned(),
        readonly,
    };
    Mount { target: target.to_owned(), kind }
}

/// Script, exit, output.
const TABLE: &[(&str, Exit, &str)] = &[
    // Nothing of the machine's own mounts is left: one mount is the root, and none is stacked on it.
    ("grep -c ' / / ' /proc/self/mountinfo", Exit::Code(0), "1\n"),
    (":", Exit::Code(0), ""),
    ("exit 7", Exit::Code(7), ""),
    // The first process of a PID namespace is killed only from outside; an abort is a signal of its own.
    ("sh -c 'kill -9 $$'; exit $?", Exit::Code(137), "Killed\n"),
    ("echo $$ $PPID", Exit::Code(0), "1 0\n"),
    ("pwd; umask", Exit::Code(0), "/\n0022\n"),
    ("hostname", Exit::Code(0), "buildkitsandbox\n"),
    ("id -u; id -g; id -G; grep -E '^Groups' /proc/self/status", Exit::Code(0), "0\n0\n0\nGroups:\t0 \n"),
    ("echo $HOME", Exit::Code(0), "/root\n"),
    ("ls /proc/self/fd | wc -l", Exit::Code(0), "4\n"),
    ("readlink /proc/self/fd/0", Exit::Code(0), "/dev/null\n"),
    (
        "grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status | tr -s '\\t\\n' '  '",
        Exit::Code(0),
        "SigBlk: 0000000000000000 SigIgn: 0000000000000000 NoNewPrivs: 0 ",
    ),
    (
        "ls /dev | tr '\\n' ' '",
        Exit::Code(0),
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
    ),
    (
        "echo x > /dev/null && head -c 2 /dev/zero | wc -c && head -c 3 /dev/urandom | wc -c",
        Exit::Code(0),
        "2\n3\n",
    ),
    ("echo x > /dev/full", Exit::Code(1), "/bin/sh: 1: echo: echo: I/O error\n"),
    (
        "cat /etc/hosts",
        Exit::Code(0),
        "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n",
    ),
    (
        "stat -c %a /dev/shm; df -k --output=size /dev/shm | tail -1 | tr -d ' '",
        Exit::Code(0),
        "1777\n65536\n",
    ),
    (
        "cd /proc; cat kcore keys timer_list 2>/dev/null | wc -c; ls acpi scsi /sys/firmware 2>/dev/null | grep -v : | wc -w",
        Exit::Code(0),
        "0\n0\n",
    ),
    (
        "echo 1 > /proc/sys/kernel/domainname",
        Exit::Code(2),
        "/bin/sh: 1: cannot create /proc/sys/kernel/domainname: Read-only file system\n",
    ),
    ("mkdir /sys/x 2>&1 | grep -c -E 'Read-only|Permission|not permitted'", Exit::Code(0), "1\n"),
    (
        "for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo $d; done; echo none",
        Exit::Code(0),
        "none\n",
    ),
    // Whoever is root inside, the mounts say it: nothing of the kernel's is writable but what belongs to the processes.
    (
        "awk '$5 ~ \"^/sys\" && $6 !~ /^ro,/ {print $5}' /proc/self/mountinfo; echo none",
        Exit::Code(0),
        "none\n",
    ),
    (
        "awk '$5 != \"/\" && $6 !~ /nosuid/ {print $5}' /proc/self/mountinfo; awk '$5 !~ \"^/dev/\" && $6 !~ /nodev/ {print $5}' /proc/self/mountinfo | grep -v '^/proc/[a-z_]*$'; echo none",
        Exit::Code(0),
        "none\n",
    ),
    (
        "awk '$5 ~ \"^/proc/(sys|bus|fs|irq)$\" && $6 ~ /^ro,/ {n++} END {print n}' /proc/self/mountinfo",
        Exit::Code(0),
        "4\n",
    ),
    ("ls -l /proc/1/fd | grep -c -- '->'; ls /proc/1/fd | tr '\\n' ' '", Exit::Code(0), "3\n0 1 2 "),
    ("mount -t tmpfs none /mnt 2>&1 | grep -c -i 'permission denied'", Exit::Code(0), "1\n"),
    // Mounting and tracing are not for steps.
    ("sed -n 's/^CapEff:\\t//p' /proc/self/status", Exit::Code(0), "00000000a80405fb\n"),
    // A program with the capabilities of a file, or of a set-id bit, has no more than these either.
    ("cut -d' ' -f6 /proc/1/stat", Exit::Code(0), "1\n"),
    ("sed -n 's/^CapBnd:\\t//p' /proc/self/status", Exit::Code(0), "00000000a80405fb\n"),
    (
        "sed -n 's/^CapInh:\\t//p;s/^CapAmb:\\t//p' /proc/self/status",
        Exit::Code(0),
        "0000000000000000\n0000000000000000\n",
    ),
    ("echo /proc/[0-9]*", Exit::Code(0), "/proc/1\n"),
    (
        "grep -w Seccomp /proc/self/status | cut -f2; unshare -U true 2>&1 | grep -c 'not permitted'; unshare -m true 2>&1 | grep -c 'not permitted'",
        Exit::Code(0),
        "2\n1\n1\n",
    ),
    ("kill -TERM 1; echo alive", Exit::Code(0), "alive\n"),
    ("cd / && ls -d ..; ls /..| grep -c bin", Exit::Code(0), "..\n2\n"),
];

fn table(inside: &Inside) {
    let mut wrong = Vec::new();
    for (number, &(script, exit, text)) in TABLE.iter().enumerate() {
        let (root, _) = root(inside, &format!("t{number}"));
        let got = outcome(&sh(root, script)).unwrap_or_else(|error| panic!("{script}: {error}"));
        if got != (exit, text.to_owned()) {
            wrong.push(format!("{script}\n  is     {got:?}\n  not    {:?}", (exit, text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing of the host's is mounted anywhere in the step, and there is no way up from its root.
pub(crate) fn sees_no_host(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let text =
        output(&sh(root, "stat -c %d:%i / /.. /usr/../.. /proc/..; cut -d' ' -f5 /proc/self/mountinfo"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[..4].iter().all(|line| *line == lines[0]), "{text}");
    let mounts = &lines[4..];
    assert_eq!(mounts.iter().filter(|target| **target == "/").count(), 1, "{text}");
    for target in mounts {
        let ours = ["/", "/etc/hosts", "/etc/resolv.conf"].contains(target)
            || ["/dev", "/proc", "/sys"].iter().any(|top| target.starts_with(top));
        assert!(ours, "{target} in {text}");
    }
}

fn streams_and_env(inside: &Inside) {
    let (root, upper) = root(inside, "r");
    let mut step = sh(root, "echo out; echo err >&2; env | sort; pwd");
    step.env = vec!["B=2 3".into(), "HOME=/h".into(), "PATH=/bin".into()];
    step.cwd = "/new/deep/../er".into();
    step.user = "33:34".into();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&step, &Cancel::new().unwrap(), &mut |stream, bytes| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    });
    assert_eq!(exit.unwrap().exit, Exit::Code(0));
    assert_eq!(String::from_utf8_lossy(&out), "out\nB=2 3\nHOME=/h\nPATH=/bin\nPWD=/new/er\n/new/er\n");
    assert_eq!(String::from_utf8_lossy(&err), "err\n");
    let made = fs::metadata(upper.join("new/er")).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!(
        (made.uid(), made.gid(), made.mode() & 0o7777),
        (33, 34, 0o755),
        "the directory is the user's"
    );
}

/// What the kernel keeps apart for a step: everything but the network, which is a choice, the clocks, and root's users.
fn namespaces(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let text = output(&sh(root, "for n in ipc uts pid mnt cgroup; do readlink /proc/self/ns/$n; done"));
    let kinds = ["ipc", "uts", "pid", "mnt", "cgroup"];
    assert_eq!(text.lines().count(), kinds.len(), "{text}");
    for (kind, theirs) in kinds.into_iter().zip(text.lines()) {
        let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert!(theirs.starts_with(kind) && Path::new(theirs) != ours, "{kind}: {theirs}");
    }
}

fn errors(inside: &Inside) {
    let args = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let table: &[(&[&str], &str, &str, &str)] = &[
        (&["nosuch"], "", "", "cannot run `nosuch`"),
        (&["/etc/passwd"], "", "", "cannot run `/etc/passwd`"),
        (&["/proc/self/exe"], "", "", "cannot run `/proc/self/exe`"),
        (&[], "", "", "cannot run ``"),
        (&["/bin/true\0"], "", "", "NUL"),
        (&["true"], "nobody-here", "", "no user `nobody-here`"),
        (&["true"], "", "/etc/passwd/x", "working directory `/etc/passwd/x`"),
        (&["true"], "", "/proc/self/fd/5", "working directory `/proc/self/fd/5`"),
        // These lead to a directory for sure.
        (&["true"], "", "/proc/self/root", "working directory `/proc/self/root`"),
        (&["true"], "", "/proc/self/cwd/etc", "working directory `/proc/self/cwd/etc`"),
    ];
    for (number, (words, user, cwd, message)) in table.iter().enumerate() {
        let (root, _) = root(inside, &format!("e{number}"));
        let mut step = Step::new(root, args(words));
        (step.user, step.cwd) = ((*user).to_owned(), (*cwd).to_owned());
        let error = outcome(&step).expect_err(message).to_string();
        assert!(error.contains(message), "{error} / {message}");
    }
    for target in ["/", "/proc", "/proc/self", "/etc/../proc/x"] {
        let (root, _) = root(inside, &format!("m{}", target.len()));
        let mut step = sh(root, ":");
        step.mounts = vec![Mount { target: target.into(), kind: MountKind::Tmpfs { size: None } }];
        let error = outcome(&step).expect_err(target).to_string();
        assert!(error.contains("the sandbox's own"), "{target}: {error}");
    }
}

/// A program of another machine: neither file modes nor PATH are to blame.
fn foreign_program(inside: &Inside) {
    let (machine, platform, emulator) =
        if cfg!(target_arch = "aarch64") { (62, "amd64", "x86_64") } else { (183, "arm64", "aarch64") };
    if Path::new("/proc/sys/fs/binfmt_misc").join(format!("qemu-{emulator}")).exists() {
        return skipped("run_foreign_program", "this machine emulates the other");
    }
    let layer = inside.scratch.join("foreign");
    fs::create_dir_all(&layer).unwrap();
    let mut head = vec![0; 64];
    head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (head[16], head[18], head[20], head[52]) = (2, machine, 1, 64);
    for (name, content) in [("program", head), ("script", b"#!/program\n".to_vec())] {
        fs::write(layer.join(name), content).unwrap();
        fs::set_permissions(layer.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        let (root, _) = over(inside, name, &[layer.clone(), inside.debian.clone()]);
        let error = outcome(&Step::new(root, vec![format!("/{name}")])).unwrap_err();
        assert!(
            error.to_string().contains(&format!("`/{name}`: it is a program for linux/{platform}")),
            "{error}"
        );
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("emulator") && hint.contains("--platform=$BUILDPLATFORM"), "{hint}");
    }
}

fn too_many_processes(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let script =
        "cat /proc/sys/kernel/pid_max; i=0; while [ $i -lt 400 ]; do sleep 60 & i=$((i+1)); done; echo all";
    let mut step = sh(root, script);
    step.max_processes = 310;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(6), Some(14)) {
        return skipped("run_too_many_processes", "this kernel has one pid_max for all");
    }
    let (exit, text) = outcome(&step).unwrap();
    assert!(text.starts_with("310\n"), "{text}");
    assert!(exit != Exit::Code(0) && text.contains("fork") && !text.contains("all"), "{exit:?} {text}");
}

/// Where version 2 of control groups can be written: the step is in the group, and sees nothing above it.
fn control_group(inside: &Inside) {
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    let Some(mount) = mounts.into_iter().find(|mount| mount.join("cgroup.procs").exists()) else {
        return skipped("run_joins_its_control_group", "there are no control groups of version 2");
    };
    let group = mount.join(format!("xx-test-{}", std::process::id()));
    if fs::create_dir(&group).is_err() {
        return skipped("run_joins_its_control_group", "the control group is not delegated");
    }
    let procs = fs::OpenOptions::new().write(true).open(group.join("cgroup.procs")).unwrap();
    let (root, _) = root(inside, "r");
    let mut step = sh(root, "grep ^0:: /proc/self/cgroup; sleep 0.1 & echo started; wait");
    step.cgroup = Some(procs.into());
    let mut members = 0;
    let mut text = String::new();
    let finished = run(&step, &Cancel::new().unwrap(), &mut |_, bytes| {
        text.push_str(&String::from_utf8_lossy(bytes));
        members = members.max(fs::read_to_string(group.join("cgroup.procs")).unwrap().lines().count());
    });
    assert_eq!((finished.unwrap().exit, text.contains("started\n")), (Exit::Code(0), true), "{text}");
    assert!(members > 0, "the step's processes are in the group");
    fs::remove_dir(&group).expect("nothing is left in it");
}

fn network_none(inside: &Inside) {
    for (network, script, expected) in [
        (
            Network::None,
            "tail -n +3 /proc/net/dev | wc -l; cut -d: -f1 /proc/net/dev | tail -1 | tr -d ' '",
            "1\nlo\n",
        ),
        (Network::None, "cat /sys/class/net/lo/operstate /sys/class/net/lo/flags", "unknown\n0x9\n"),
    ] {
        let (root, _) = root(inside, &format!("n{}", script.len()));
        let mut step = sh(root, script);
        step.network = network;
        assert_eq!(output(&step), expected, "{script}");
    }
}

fn insecure(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let mut step =
        sh(root, "mount -t tmpfs none /mnt && echo mounted; grep NoNewPrivs /proc/self/status | cut -f2");
    step.security = Security::Insecure;
    assert_eq!(output(&step), "mounted\n0\n");
}

fn limits(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let mut step = sh(
        root,
        "ulimit -n; ulimit -Hn; df -k --output=size /dev/shm | tail -1 | tr -d ' '; cat /etc/hosts | tail -1; hostname",
    );
    step.ulimits = vec![Ulimit { name: "nofile".into(), soft: 100, hard: 200 }];
    step.shm_size = 1 << 20;
    step.extra_hosts = vec![("db".into(), "10.0.0.1".into())];
    step.hostname = "box".into();
    assert_eq!(output(&step), "100\n200\n1024\n10.0.0.1\tdb\nbox\n");
}

pub(crate) fn cancel(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let step = sh(root, "trap '' TERM INT; sleep 1000 & echo started; sleep 1000");
    let cancel = Cancel::new().unwrap();
    let start = Instant::now();
    let exit = run(&step, &cancel, &mut |_, _| cancel.cancel()).unwrap();
    assert_eq!(exit.exit, Exit::Cancelled);
    assert!(start.elapsed() < Duration::from_secs(20));
    let (root, _) = over(inside, "again", std::slice::from_ref(&inside.debian));
    assert_eq!(
        run(&sh(root, "sleep 1000"), &cancel, &mut |_, _| ()).unwrap().exit,
        Exit::Cancelled,
        "it stays fired"
    );
}

fn daemon_dies_with_step(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let start = Instant::now();
    assert_eq!(output(&sh(root, "setsid sleep 1000 & echo done")), "done\n");
    assert!(start.elapsed() < Duration::from_secs(20), "an open pipe in a daemon does not hold the step");
}

fn many_layers(inside: &Inside) {
    let mut lower = vec![inside.debian.clone()];
    for number in 0..199 {
        let layer = inside.scratch.join(format!("l{number}"));
        fs::create_dir_all(&layer).unwrap();
        fs::write(layer.join(format!("layer{number}")), "").unwrap();
        lower.insert(0, layer);
    }
    let (root, _) = over(inside, "r", &lower);
    assert_eq!(output(&sh(root, "ls -d /layer* | wc -l")), "199\n");
}

fn output_flood(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let (mut total, mut largest) = (0, 0);
    let step = sh(root, "head -c 50000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    let exit = run(&step, &Cancel::new().unwrap(), &mut |_, bytes| {
        total += bytes.len();
        largest = largest.max(bytes.len());
    });
    assert_eq!((exit.unwrap().exit, total), (Exit::Code(0), 51_000_000));
    assert!(largest <= 64 << 10, "handed over in pieces");
}

fn huge_passwd(inside: &Inside) {
    let layer = inside.scratch.join("huge");
    fs::create_dir_all(layer.join("etc")).unwrap();
    for file in ["etc/passwd", "etc/group"] {
        fs::File::create(layer.join(file)).unwrap().set_len(1 << 30).unwrap();
        let (root, _) = over(inside, &file.replace('/', "-"), &[layer.clone(), inside.debian.clone()]);
        let error = outcome(&sh(root, ":")).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("10485760"), "{error}");
        fs::remove_file(layer.join(file)).unwrap();
    }
}

/// The inner process starts a step and kills itself; what the step's process is called is looked for outside.
fn killed_builder(inside: &Inside) {
    let mark = format!("9{}", std::process::id());
    let mut child = std::process::Command::new("/proc/self/exe")
        .args(["--inside", "_killed_builder"])
        .env("XX_TEST_MARK", &mark)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // It has killed itself, which it does once the step says something.
    let ended = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(9), "{ended}");
    let running = || {
        fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            line == format!("sleep\0{mark}\0").as_bytes()
        })
    };
    let start = Instant::now();
    while running() {
        assert!(start.elapsed() < Duration::from_secs(10), "the step outlived the builder");
        std::thread::sleep(Duration::from_millis(10));
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(inside.scratch.to_str().unwrap()), "{table}");
}

fn killed_builder_inner(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let mark = std::env::var("XX_TEST_MARK").unwrap();
    let step = sh(root, &format!("sleep {mark} & sleep {mark} & echo started; wait"));
    let _never = run(&step, &Cancel::new().unwrap(), &mut |_, _| {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    });
}

/// Not a test: what one `RUN :` costs. `XX_TEST_SCRATCH=DIR XX_TEST_DEBIAN=DIR sandbox --inside _bench`.
fn bench(inside: &Inside) {
    let mut times = Vec::new();
    for number in 0..200 {
        let start = Instant::now();
        let (root, _) = root(inside, &format!("b{number}"));
        assert_eq!(output(&sh(root, ":")), "");
        times.push(start.elapsed());
    }
    times.sort();
    println!("one step: least {:?}, median {:?}, 90% {:?}", times[0], times[100], times[180]);
}

/// Not a test: what reading the owner of every file costs, which with one uid asks the supervisor each time.
fn bench_stat(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let step = sh(root, "find / -xdev >/dev/null; find / -xdev -printf '%u\\n' | wc -l");
    let start = Instant::now();
    let files = output(&step);
    println!("{} files in {:?}", files.trim(), start.elapsed());
}
