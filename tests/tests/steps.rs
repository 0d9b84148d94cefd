//! What RUN steps get and may do: options of the command line, rights, mounts of every type.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;

use integration_tests::{Built, Kit, Place, has_one_uid, is_below, run, skipped};

fn place(case: &str) -> Option<Place> {
    Kit::find(case).map(Place::new)
}

/// Options, an instruction, and a line that it prints.
const STEPS: &[(&[&str], &str, &str)] = &[
    (&["--add-host", "db.test:192.0.2.7"], "RUN getent hosts db.test | tr -s ' '", "192.0.2.7 db.test"),
    (&["--shm-size", "1m"], "RUN df -k --output=size /dev/shm | tail -1", "1024"),
    (&[], "RUN df -k --output=size /dev/shm | tail -1", "65536"),
    (&["--ulimit", "nofile=100:200"], "RUN echo $(ulimit -Sn) $(ulimit -Hn)", "100 200"),
    (&["--network", "none"], "RUN ls /sys/class/net", "lo"),
    (&[], "RUN --network=none echo /sys/class/net/*", "/sys/class/net/lo"),
    (
        &["--network", "none", "--allow", "network.host"],
        "RUN --network=host ls /sys/class/net | grep -c -v '^lo$' | sed 's/[1-9]/some/'",
        "some",
    ),
    (
        &["--allow", "security.insecure"],
        "RUN --security=insecure mount -t tmpfs none /mnt && grep -c ' /mnt ' /proc/self/mounts",
        "1",
    ),
    (&["--allow", "network.host"], "RUN --network=host echo allowed", "allowed"),
    (&["--network", "host"], "RUN --network=host echo allowed with the option", "allowed with the option"),
    (&[], "RUN --security=sandbox awk '/Seccomp:/ {print $1, $2}' /proc/self/status", "Seccomp: 2"),
    (&[], "RUN --mount=type=tmpfs,target=/t,size=4k df -k --output=size,fstype /t | tail -1", "4 tmpfs"),
    (&[], "RUN --mount=target=/ctx,rw touch /ctx/new && ls /ctx/new", "/ctx/new"),
    (&[], "RUN --mount=target=/ctx touch /ctx/new 2>&1 | grep -o 'Read-only.*'", "Read-only file system"),
    (&[], "RUN --mount=from=debian,source=/etc/debian_version,target=/v test -s /v && echo there", "there"),
    (&[], "RUN --mount=type=secret,id=none test ! -e /run/secrets/none && echo optional", "optional"),
    (
        &["--secret", "\"id=s\",\"env=PATH\""],
        "WORKDIR /w\nRUN --mount=type=secret,id=s,target=d/s.txt test -s /w/d/s.txt && test ! -e /d && echo below",
        "below",
    ),
    (
        &["--add-host", "a.test:192.0.2.1,b.test:192.0.2.2"],
        "RUN getent hosts b.test | tr -s ' '",
        "192.0.2.2 b.test",
    ),
    (&[], "RUN --mount=type=ssh test -z \"$(ls /run/buildkit 2>/dev/null)\" && echo optional", "optional"),
];

#[test]
fn steps_get_what_options_say() {
    let Some(place) = place("steps_get_what_options_say") else { return };
    for (options, instruction, line) in STEPS {
        place.write("Dockerfile", &format!("FROM debian\n{instruction}\n"));
        let built = place.build_well(options);
        let shown = |shown: &str| shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let printed =
            built.stderr.lines().filter_map(|line| line.splitn(3, ' ').nth(2)).any(|l| shown(l) == *line);
        assert!(printed, "{options:?} {instruction}: no `{line}` in {}", built.stderr);
    }
    assert!(!place.path("context/new").exists(), "a step has written to the context");
    assert_eq!(place.mounts(), [""; 0]);
}

/// A root of nothing but mounts, and mounts of nothing.
#[test]
fn an_empty_root_is_a_root() {
    let Some(place) = place("an_empty_root_is_a_root") else { return };
    let folders = if cfg!(target_arch = "x86_64") { &["lib", "lib64"][..] } else { &["lib"] };
    let mounts: String = folders
        .iter()
        .map(|folder| format!("--mount=from=debian,source=/usr/{folder},target=/{folder} "))
        .collect();
    let run = format!("RUN --mount=from=debian,source=/usr,target=/usr {mounts}");
    place.write(
        "Dockerfile",
        &format!(
            "FROM scratch AS empty\nFROM scratch\n{run}[\"/usr/bin/mkdir\", \"/made\"]\n\
             {run}--mount=from=empty,target=/nothing --mount=from=empty,target=/writable,rw \
             [\"/usr/bin/cp\", \"-r\", \"/made\", \"/nothing\", \"/writable\"]\n\
             {run}[\"/usr/bin/cp\", \"-r\", \"/made\", \"/again\"]\n"
        ),
    );
    let output = place.path("out");
    place.build_well(&["--output", &output.display().to_string()]);
    let mut names: Vec<_> =
        fs::read_dir(&output).expect("listed").flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    names.retain(|name| !["dev", "etc", "proc", "sys"].map(std::ffi::OsString::from).contains(name));
    assert_eq!(names, ["again", "made"]);
    place.write("Dockerfile", "FROM scratch\nRUN [\"/nosuch\"]\n");
    place.build(&[]).assert_error(&["Dockerfile:2", "cannot run `/nosuch`", "hint: "]);
}

/// Options, instructions, and what the one error says.
const REFUSED: &[(&[&str], &str, &[&str])] = &[
    (
        &[],
        "RUN --security=insecure true",
        &["Dockerfile:2", "security.insecure", "hint: allow it with `--allow"],
    ),
    (
        &[],
        "RUN --network=host true",
        &["Dockerfile:2", "asks for `network.host`", "hint: allow it with `--allow network.host`"],
    ),
    (
        &[],
        "RUN --mount=type=ssh,required true",
        &["Dockerfile:2", "ssh agent", "hint: pass it with `--ssh default`"],
    ),
    (
        &[],
        "RUN --mount=type=secret,id=a,required true",
        &["Dockerfile:2", "`a`", "hint: pass it with `--secret id=a"],
    ),
    (
        &[],
        "RUN --mount=type=bind,target=/x,bind-propagation=shared true",
        &["Dockerfile:2", "bind-propagation"],
    ),
    (&["--allow", "security.insecur"], "RUN true", &["security.insecur`", "hint: ", "`security.insecure`"]),
    (
        &["--ssh", "default=context/Dockerfile"],
        "RUN true",
        &["is neither a socket nor a private key", "hint: ", "id_ed25519"],
    ),
    (&["--ssh", "default=/no/such"], "RUN true", &["cannot read `/no/such`", "hint: "]),
    (&["--ssh", "default=context/Dockerfile,raw=true"], "RUN true", &["is no socket", "hint: "]),
    (&["--memory", "much"], "RUN true", &["--memory much", "hint: "]),
    (&["--memory", "1g", "--memory-swap", "1m"], "RUN true", &["--memory-swap"]),
    (&["--ulimit", "files=1"], "RUN true", &["Dockerfile:2", "`files`"]),
];

#[test]
fn what_is_refused_says_how_to_go_on() {
    let Some(place) = place("what_is_refused_says_how_to_go_on") else { return };
    for (options, instruction, parts) in REFUSED {
        place.write("Dockerfile", &format!("FROM debian\n{instruction}\n"));
        place.build(options).assert_error(parts);
    }
    // Not even from the cache.
    place.write("Dockerfile", "FROM debian\nRUN --security=insecure true\n");
    let _built = place.build_well(&["--allow", "security.insecure"]);
    place.build(&[]).assert_error(&["security.insecure"]);
}

#[test]
fn limits_hold_or_are_warned_about() {
    let Some(place) = place("limits_hold_or_are_warned_about") else { return };
    place.write("Dockerfile", "FROM debian\nRUN cat /sys/fs/cgroup/memory.max || echo unlimited\n");
    let built = place.build_well(&["--memory", "64m", "--cpu-quota", "50000"]);
    if built.printed("67108864") == 0 {
        for option in ["--memory", "--cpu-quota"] {
            let warning = format!("warning: `{option}` has no effect: ");
            assert_eq!(built.stderr.matches(&warning).count(), 1, "{}", built.stderr);
        }
    }
}

#[test]
fn secrets_and_agents_leave_no_trace() {
    let Some(place) = place("secrets_and_agents_leave_no_trace") else { return };
    // Split, so that the value is not in the program that asks for it.
    let secret = ["correct-horse", "battery-staple"].join("-");
    fs::write(place.path("token"), &secret).expect("a file");
    let listener = UnixListener::bind(place.path("agent")).expect("a socket");
    let answer = secret.clone();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut question = [0; 5];
            connection.read_exact(&mut question).expect("a question");
            let length = 1 + answer.len() as u32;
            connection
                .write_all(&[&length.to_be_bytes()[..], &[12], answer.as_bytes()].concat())
                .expect("heard");
        }
    });
    place.write(
        "ask",
        "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ENV{SSH_AUTH_SOCK})) or die \"$!\";\n\
         syswrite S, pack('NC', 1, 11); sysread S, my $all, 999; print length($all), \" \", ord(substr($all, 4, 1)), \"\\n\";\n",
    );
    place.write(
        "Dockerfile",
        "FROM debian\n\
         COPY ask /ask\n\
         RUN --mount=type=secret,id=token wc -c < /run/secrets/token; stat -c %a:%u /run/secrets/token\n\
         RUN --mount=type=secret,id=token,target=/s,mode=0444,uid=33 stat -c %a:%u /s\n\
         RUN --mount=type=secret,id=token,env=TOKEN echo ${#TOKEN}; false || true\n\
         WORKDIR /w\nRUN --mount=type=ssh,target=a/sock test -S /w/a/sock && echo a socket below\n\
         USER www-data\n\
         RUN --mount=type=ssh,uid=33,mode=0600 stat -c %a:%u:%F $SSH_AUTH_SOCK; perl /ask; perl /ask\n",
    );
    let (token, agent) = (format!("id=token,src={}", place.path("token").display()), place.path("agent"));
    let ssh = format!("default={}", agent.display());
    let built = place.build_well(&["--secret", &token, "--ssh", &ssh, "--output", "type=oci,dest=image.tar"]);
    // With one uid, sockets belong to that: docs/sandbox.md.
    let socket = if has_one_uid() { "600:0:socket" } else { "600:33:socket" };
    for (line, times) in
        [("28", 2), ("400:0", 1), ("444:33", 1), (socket, 1), ("33 12", 2), ("a socket below", 1)]
    {
        assert_eq!(built.printed(line), times, "{line}: {}", built.stderr);
    }
    assert!(!built.stderr.contains(&secret) && !built.stdout.contains(&secret));
    let store = place.path("store");
    assert!(!is_below(&store, &secret), "the secret is in the store");
    // A failed step says its command, not its environment.
    place.write("Dockerfile", "FROM debian\nRUN --mount=type=secret,id=token,env=TOKEN exit 3\n");
    let failed = place.build(&["--secret", &token]);
    failed.assert_error(&["exited with code 3"]);
    assert!(!failed.stderr.contains(&secret));
    // Nothing of it is left in the root: neither the socket nor what was made for the mounts.
    let image = fs::read(place.path("image.tar")).expect("the image");
    assert!(!image.windows(9).any(|window| window == b"ssh_agent"));
}

#[test]
fn cache_mounts_are_shared_as_they_say() {
    let Some(place) = place("cache_mounts_are_shared_as_they_say") else { return };
    let busy =
        "if mkdir /c/busy 2>/dev/null; then sleep 0.4; rmdir /c/busy; echo alone; else echo together; fi";
    for (sharing, alone) in [("shared", 1), ("locked", 2), ("private", 2)] {
        let mount = format!("--mount=type=cache,id={sharing},sharing={sharing},target=/c");
        place.write(
            "Dockerfile",
            &format!(
                "FROM debian AS a\nRUN {mount} {busy}; echo a >> /c/log\nFROM debian AS b\nRUN {mount} {busy}; echo b >> /c/log\n\
                 FROM debian\nCOPY --from=a /etc/hostname /a\nCOPY --from=b /etc/hostname /b\nRUN {mount} wc -l < /c/log\n"
            ),
        );
        let built = place.build_well(&[]);
        assert_eq!((sharing, built.printed("alone")), (sharing, alone), "{}", built.stderr);
        let lines = if sharing == "private" { "1" } else { "2" };
        assert_eq!(built.printed(lines), 1, "{sharing}: {}", built.stderr);
    }
    // Two steps that want the same two locked caches, named in opposite order, do not wait for each other for ever.
    let mount = |name: &str| format!("--mount=type=cache,id={name},sharing=locked,target=/{name}");
    let (x, y) = (mount("x"), mount("y"));
    place.write(
        "Dockerfile",
        &format!(
            "FROM debian AS a\nRUN {x} {y} sleep 0.2\nFROM debian AS b\nRUN {y} {x} sleep 0.2\n\
             FROM debian\nCOPY --from=a /etc/hostname /a\nCOPY --from=b /etc/hostname /b\n"
        ),
    );
    let _built = place.build_well(&[]);
}

#[test]
fn hostile_cache_ids_and_mounts_stay_inside() {
    let Some(place) = place("hostile_cache_ids_and_mounts_stay_inside") else { return };
    fs::write(place.path("outside"), "untouched").expect("a file");
    let ids = ["../../../outside", "/etc", "..", "a/../../b", "%2e%2e/x"];
    for (number, id) in ids.into_iter().enumerate() {
        // Another command for each: an id is no part of a step's key.
        place.write(
            "Dockerfile",
            &format!("FROM debian\nRUN --mount=type=cache,id={id},target=/c touch /c/{number}\n"),
        );
        let _built = place.build_well(&[]);
    }
    assert_eq!(fs::read_to_string(place.path("outside")).expect("still there"), "untouched");
    let caches: Vec<_> = fs::read_dir(place.store("cache")).expect("caches").flatten().collect();
    assert_eq!(caches.len(), ids.len(), "one for each id");
    for entry in caches {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{name}");
    }
    assert_eq!(place.mounts(), [""; 0]);
}

/// Programs of this machine that listen in the context, hardware and pipes in it are not within reach of a step.
#[test]
fn a_mounted_context_leads_to_nobody() {
    let Some(place) = place("a_mounted_context_leads_to_nobody") else { return };
    let inside = place.context().join("inside");
    fs::create_dir_all(&inside).expect("a directory");
    let _listening = UnixListener::bind(inside.join("socket")).expect("a socket");
    let made = run("mkfifo", &[&inside.join("pipe").display().to_string()]).expect("mkfifo starts");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    // Somebody here reads the pipe: through it, opening it for writing would work.
    let _reader =
        fs::OpenOptions::new().read(true).write(true).open(inside.join("pipe")).expect("the pipe opens");
    let device = inside.join("zero").display().to_string();
    let has_device = run("mknod", &[&device, "c", "1", "5"]).is_some_and(|made| made.code == Some(0));
    if !has_device {
        skipped("a_mounted_context_leads_to_nobody", "no devices as this user");
    }
    place.write("inside/file", "here\n");
    let look = |at: &str| {
        format!(
            "echo $(ls -A {at}); test -p {at}/pipe && \
             dd if=/dev/null of={at}/pipe oflag=nonblock 2>&1 | grep -o 'No such device.*' | sed 's|^|{at} |'; \
             ls -d {at}/socket {at}/zero 2>/dev/null && exit 1; cat {at}/file"
        )
    };
    place.write(
        "Dockerfile",
        &format!(
            "FROM debian\nRUN --mount=target=/m {}\nRUN --mount=target=/w,rw {}\n\
             RUN --mount=source=inside/file,target=/f --mount=source=inside,target=/i cat /f; {}\n\
             COPY inside /copied/\nRUN ls /copied | tr '\\n' '+'\n",
            look("/m/inside"),
            look("/w/inside"),
            look("/i")
        ),
    );
    let built = place.build_well(&[]);
    for at in ["/m/inside", "/w/inside", "/i"] {
        let line = format!("{at} No such device or address");
        assert_eq!(built.printed(&line), 1, "{line}: {}", built.stderr);
    }
    // A device is made anew where the user may.
    let copied = if has_device { "file+pipe+zero+" } else { "file+pipe+" };
    assert_eq!(built.printed(copied), 1, "{copied}: {}", built.stderr);
    for named in ["COPY inside/socket /", "RUN --mount=source=inside/socket,target=/s true"] {
        place.write("Dockerfile", &format!("FROM debian\n{named}\n"));
        place.build(&[]).assert_error(&["inside/socket", "Dockerfile:2:1"]);
    }
}

/// The same steps through the built-in sandbox and through runc: what they see of themselves, and what they leave.
#[test]
fn an_oci_runtime_does_the_same() {
    let case = "an_oci_runtime_does_the_same";
    let Some(place) = place(case) else { return };
    if run("runc", &["--version"]).is_none() && !std::path::Path::new("/usr/sbin/runc").exists() {
        return skipped(case, "runc is missing");
    }
    if has_one_uid() {
        place.write("Dockerfile", "FROM debian\nRUN true\n");
        return place.build(&["--oci-runtime", "runc"]).assert_error(&["more than one uid", "hint: "]);
    }
    fs::write(place.path("token"), "hush").expect("a file");
    place.write(
        "Dockerfile",
        "FROM debian\n\
         WORKDIR /work\n\
         RUN grep -E '^(Cap|NoNew|Seccomp:|Uid|Gid|Groups)' /proc/self/status; hostname; pwd; echo $HOME $PATH; umask; \
             cat /etc/hosts; ls /dev | grep -v core; ls -d /proc/[0-9]*; mount -t tmpfs none /mnt 2>&1 | head -1\n\
         RUN --mount=type=cache,target=/made/c --mount=type=secret,id=token,mode=0440 --mount=type=tmpfs,target=/t,size=64k \
             --mount=target=/ctx cat /run/secrets/token; ls /ctx; touch /made/c/x /t/x; df -k --output=size /t; touch /new\n\
         RUN --mount=from=debian,source=/etc/debian_version,target=/bind/v --mount=from=debian,target=/bind/rw,rw \
             cat /bind/v; touch /bind/rw/x && echo written; touch /bind/v 2>&1 | grep -o Read-only.*\n\
         RUN --mount=type=cache,target=/made/f,from=debian,source=/etc/apt,readonly ls /made/f; touch /made/f/x 2>&1 | grep -o Read-only.*\n\
         RUN --mount=type=cache,target=/made/l,sharing=locked --mount=type=cache,id=p,target=/made/p,sharing=private,uid=33,mode=0700 \
             touch /made/l/x /made/p/x; stat -c %a:%u /made/p\n\
         RUN --mount=type=secret,id=token,env=TOKEN --mount=type=secret,id=token,target=/etc/s,uid=33,gid=60 \
             echo ${#TOKEN}; stat -c %a:%u:%g /etc/s\n\
         RUN --mount=type=ssh,mode=0666,gid=60 stat -c %a:%F:%g $SSH_AUTH_SOCK; perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); \
             connect(S, sockaddr_un($ENV{SSH_AUTH_SOCK})) or die; syswrite S, pack(\"NC\", 1, 19); sysread S, my $a, 9; print unpack(\"H*\", $a), \"\\n\"'\n\
         RUN --mount=type=tmpfs,target=/over/t --mount=type=cache,target=/over/t/deep/c --mount=target=/over/t/deep/ctx \
             touch /over/t/deep/c/y; find /over/t | sort; df --output=fstype /over/t | tail -1\n\
         RUN mkdir /real && ln -s /real /via && ln -s /absent/place /dangling\n\
         RUN --mount=type=tmpfs,target=/via/x --mount=type=tmpfs,target=/dangling/y ls -d /real/x /absent/place/y\n\
         RUN --network=none ls /sys/class/net\n\
         USER www-data:games\n\
         RUN id; touch /tmp/own; sleep 0.1 & exit 0\n\
         USER root\n\
         RUN find / -xdev -mmin -60 -printf '%p %m %y %U %G\\n'\n",
    );
    let secret = format!("id=token,src={}", place.path("token").display());
    // Nobody is asked: what the step wants of the agent is refused on the way.
    let agent = UnixListener::bind(place.path("agent")).expect("a socket");
    std::thread::spawn(move || agent.incoming().flatten().collect::<Vec<_>>());
    let ssh = format!("default={}", place.path("agent").display());
    let build = |options: &[&str]| {
        let built =
            place.build_well(&[options, &["--no-cache", "--secret", &secret, "--ssh", &ssh]].concat());
        // What steps print has a time in front.
        let printed = |line: &str| {
            let mut words = line.splitn(3, ' ').skip(1);
            words.next()?.parse::<f64>().ok().and(words.next()).map(str::to_owned)
        };
        let mut said: Vec<String> = built.stderr.lines().filter_map(printed).collect();
        said.sort();
        said
    };
    let (own, runtime) = (build(&[]), build(&["--oci-runtime", "runc", "--memory", "1g"]));
    for line in [
        "hushDockerfile",
        "/tmp/own 644 f 33 60",
        "/new 644 f 0 0",
        "written",
        "700:33",
        "400:33:60",
        "666:socket:60",
        "0000000105",
        "/over/t/deep/c/y",
        "/over/t/deep/ctx/Dockerfile",
        "/real/x",
        "/absent/place/y",
    ] {
        assert!(own.iter().any(|said| said == line), "{line}: {own:?}");
    }
    assert!(!own.iter().any(|said| said.starts_with("/made") || said.starts_with("/ctx")), "{own:?}");
    assert_eq!(own, runtime);
    assert_eq!(place.mounts(), [""; 0]);
    // Everything that the builder may do, which in a container is not everything.
    place.write(
        "Dockerfile",
        "FROM debian\nRUN --security=insecure mount -t tmpfs none /mnt && echo mounted\n",
    );
    let insecure = ["--oci-runtime", "runc", "--allow", "security.insecure"];
    assert_eq!(place.build_well(&insecure).printed("mounted"), 1);
    place.write("Dockerfile", "FROM debian\nRUN [\"/no/such\"]\n");
    place.build(&["--oci-runtime", "runc"]).assert_error(&["Dockerfile:2", "runc", "/no/such", "hint: "]);
    place.write("Dockerfile", "FROM debian\nRUN exit 3\n");
    place.build(&["--oci-runtime", "runc"]).assert_error(&["Dockerfile:2", "exited with code 3"]);
    place.build(&["--oci-runtime", "no-such-runtime"]).assert_error(&["no-such-runtime", "hint: ", "`runc`"]);
}

/// An agent that is started with keys from files, in each form that keys have.
#[test]
fn keys_from_files_are_an_agent() {
    let case = "keys_from_files_are_an_agent";
    let Some(place) = place(case) else { return };
    if run("ssh-keygen", &["-?"]).is_none() || run("ssh-agent", &["-?"]).is_none() {
        return skipped(case, "openssh-client is not installed");
    }
    let key = |name: &str, options: &[&str]| {
        let path = place.path(name).display().to_string();
        let made =
            run("ssh-keygen", &[&["-q", "-f", &path, "-C", name], options].concat()).expect("ssh-keygen");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        // As git checks them out: ssh itself would refuse such a file.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
        path
    };
    let keys = [
        key("ed", &["-t", "ed25519", "-N", ""]),
        key("rsa", &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""]),
        key("ec", &["-t", "ecdsa", "-m", "PKCS8", "-N", ""]),
    ];
    // Lists the keys and their comments, tries to remove them all, and lists again.
    place.write(
        "ask",
        "use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un($ENV{SSH_AUTH_SOCK})) or die \"$!\";\n\
         sub ask { syswrite S, pack('N/a', shift); sysread(S, my $n, 4); $n = unpack('N', $n); my $all = '';\n\
           $all .= $_ while length($all) < $n && sysread(S, $_, $n - length($all)); return $all }\n\
         sub list { my ($kind, $count, @all) = unpack('CN(N/a)*', ask(chr(11))); print \"$kind $count\\n\";\n\
           while (@all) { my $key = shift @all; shift @all; print unpack('N/a', $key), \"\\n\" } }\n\
         list(); print unpack('C', ask(chr(19))), \"\\n\"; list();\n",
    );
    place.write("Dockerfile", "FROM debian\nCOPY ask /\nRUN --mount=type=ssh perl /ask\n");
    let built = place.build_well(&["--ssh", &format!("default={}", keys.join(","))]);
    for (line, times) in
        [("12 3", 2), ("5", 1), ("ssh-ed25519", 2), ("ssh-rsa", 2), ("ecdsa-sha2-nistp256", 2)]
    {
        assert_eq!(built.printed(line), times, "{line}: {}", built.stderr);
    }
    for key in &keys {
        let text = fs::read_to_string(key).expect("a key");
        let line = text.lines().nth(1).expect("its content");
        assert!(!is_below(&place.path("store"), line), "a key is in the store");
    }
    let locked = key("locked", &["-t", "ed25519", "-N", "open sesame"]);
    place.write("Dockerfile", "FROM debian\nRUN --mount=type=ssh echo with a locked key\n");
    place.build(&["--ssh", &format!("default={locked}")]).assert_error(&[
        "Dockerfile:2",
        "ssh-agent",
        "hint: ",
        "ssh-add",
    ]);
    // A step that needs no agent starts none.
    place.write("Dockerfile", "FROM debian\nRUN true\n");
    place.build_well(&["--ssh", &format!("default={locked}")]);
}

/// What the base image, an earlier step or the Dockerfile does to the root, and what the one error says.
const HOSTILE: &[(&str, &[&str])] = &[
    ("RUN truncate -s 1G /etc/passwd\nRUN true", &["Dockerfile:3", "/etc/passwd", "10485760", "hint: "]),
    ("RUN truncate -s 1G /etc/passwd\nUSER nobody\nRUN true", &["Dockerfile:4", "/etc/passwd", "hint: "]),
    (
        "RUN truncate -s 1G /etc/passwd\nCOPY --chown=x Dockerfile /x",
        &["Dockerfile:3", "/etc/passwd", "hint: "],
    ),
    (
        "RUN ln -sf /proc/self/environ /etc/passwd\nUSER nobody\nRUN true",
        &["Dockerfile:4", "nobody", "hint: "],
    ),
    ("WORKDIR /proc/self/fd/9\nRUN pwd", &["Dockerfile:3", "/proc/self/fd/9", "hint: "]),
    ("WORKDIR /proc/1/root\nRUN pwd", &["Dockerfile:3", "/proc/1/root", "hint: "]),
    ("RUN --mount=type=tmpfs,target=/proc/x true", &["Dockerfile:2", "/proc/x", "hint: "]),
    ("RUN --mount=from=debian,source=/no/such,target=/x true", &["Dockerfile:2", "no/such", "hint: "]),
    (
        "RUN --mount=from=debian,source=/proc/self/root,target=/x ls /x",
        &["Dockerfile:2", "proc/self/root", "hint: "],
    ),
    ("RUN [\"/proc/self/exe\"]", &["Dockerfile:2", "/proc/self/exe", "hint: "]),
    // The builder as interpreter; the second one can be executed and not read.
    (
        "COPY --chmod=755 <<X /x\n#!/proc/self/exe --version\nX\nRUN [\"/x\"]",
        &["Dockerfile:5", "/x", "first line", "hint: "],
    ),
    (
        "COPY --chmod=111 <<X /x\n#!/proc/self/exe --version\nX\nUSER nobody\nRUN [\"/x\"]",
        &["Dockerfile:6", "/x", "first line", "hint: "],
    ),
    // The builder as loader.
    (
        "RUN perl -0777 -pe 's{/lib[0-9a-z]*/ld-linux[^\\0]*}{\"/proc/self/exe\" . \"\\0\" x (length($&) - 14)}e' /bin/true > /x; chmod 755 /x\n\
         RUN [\"/x\"]",
        &["Dockerfile:3", "/x", "loader", "hint: "],
    ),
];

#[test]
fn hostile_roots_are_refused_with_a_hint() {
    let Some(place) = place("hostile_roots_are_refused_with_a_hint") else { return };
    for (instructions, parts) in HOSTILE {
        place.write("Dockerfile", &format!("FROM debian\n{instructions}\n"));
        place.build(&[]).assert_error(parts);
    }
    // Links where the kernel's file systems go: the files of a root that some other builder has made.
    let outside = place.path("outside");
    fs::create_dir(&outside).expect("a directory");
    let base = "FROM debian AS base\nFROM scratch\nCOPY --from=base /usr /usr\nCOPY root /\n";
    fs::create_dir(place.path("context/root")).expect("a directory");
    for name in ["lib", "lib64"] {
        let link = place.path("context/root").join(name);
        std::os::unix::fs::symlink(format!("usr/{name}"), link).expect("a link");
    }
    for name in ["dev", "proc", "sys"] {
        let link = place.path("context/root").join(name);
        std::os::unix::fs::symlink(&outside, &link).expect("a link");
        place.write("Dockerfile", &format!("{base}RUN [\"/usr/bin/true\"]\n"));
        for options in [&[][..], &["--oci-runtime", "runc"]] {
            if !options.is_empty() && (has_one_uid() || run("runc", &["--version"]).is_none()) {
                continue;
            }
            place.build(options).assert_error(&[
                "Dockerfile:5",
                &format!("`/{name}`"),
                "no directory",
                "hint: ",
            ]);
        }
        fs::remove_file(&link).expect("the link");
    }
    // `/etc` as a link leads to another place of the root, where the files then are.
    std::os::unix::fs::symlink(
        "/../../../..".to_owned() + &outside.display().to_string(),
        place.path("context/root/etc"),
    )
    .expect("a link");
    place.write("Dockerfile", &format!("{base}RUN [\"/usr/bin/wc\", \"-l\", \"/etc/hosts\"]\n"));
    let built = place.build_well(&[]);
    assert_eq!(built.printed("2 /etc/hosts"), 1, "{}", built.stderr);
    assert_eq!(
        fs::read_dir(&outside).expect("it is there").count(),
        0,
        "something was made outside of the root"
    );
    assert_eq!(place.mounts(), [""; 0]);
}

#[test]
fn a_flood_of_output_loses_its_middle() {
    let Some(place) = place("a_flood_of_output_loses_its_middle") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\nRUN echo first; head -c 40000000 /dev/zero | tr '\\\\0' x | fold -w 5000; echo; echo the reason; exit 7\n",
    );
    let built = place.build(&[]);
    built.assert_error(&["Dockerfile:2", "exited with code 7", "bytes of output left out]", "the reason"]);
    assert_eq!((built.printed("first"), built.printed("the reason")), (1, 1));
    assert!(built.stderr.len() < 20_000_000, "{} bytes", built.stderr.len());

    // Far more than the builder may have, on both streams and without the end of a line.
    if run("prlimit", &["--version"]).is_none() {
        return skipped("a_flood_of_output_loses_its_middle", "prlimit is not installed");
    }
    place.write(
        "Dockerfile",
        "FROM debian\nRUN head -c 1G /dev/zero & head -c 1G /dev/zero >&2; wait; echo; echo end\n",
    );
    let build = place.command(&[]);
    #[expect(clippy::disallowed_methods, reason = "starts xx-build under a limit")]
    let mut command = std::process::Command::new("prlimit");
    command.arg("--data=256000000").arg(build.get_program()).args(build.get_args());
    let built = Built::of(command.current_dir(&place.directory).output().expect("prlimit"));
    assert_eq!((built.code, built.printed("end")), (Some(0), 1), "{:?}", built.stderr.get(..2000));
}

#[test]
fn more_layers_than_128() {
    let Some(place) = place("more_layers_than_128") else { return };
    let layers: String = (0..140).map(|number| format!("RUN echo {number} > /layer-{number}\n")).collect();
    place.write(
        "Dockerfile",
        &format!("FROM debian\n{layers}RUN cat /layer-* | wc -l; cat /layer-0 /layer-139\n"),
    );
    let built = place.build_well(&[]);
    for line in ["140", "0", "139"] {
        assert_eq!(built.printed(line), 1, "{line}: {}", built.stderr);
    }
}
