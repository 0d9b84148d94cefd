//! Builds as an ordinary user, without user namespaces, and on a full disk. Root sets these scenes up in
//! namespaces of their own; nothing of the machine changes.
#![expect(clippy::disallowed_methods, clippy::panic, reason = "starts programs, and fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use integration_tests::{Built, Kit, Place, run, skipped};

/// A place whose programs and bases an ordinary user can read, or a noted skip.
fn scene(case: &str) -> Option<Place> {
    let kit = Kit::find(case)?;
    if run("id", &["-u"]).is_none_or(|id| id.stdout != "0\n") {
        skipped(case, "only root can set the scene up");
        return None;
    }
    let place = Place::new(kit);
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.directory.path(), open.clone()).ok()?;
    for (from, to) in [(&place.kit().xx_build, "xx-build"), (&place.kit().debian, "debian")] {
        let copied = Command::new("cp").arg("-r").arg(from).arg(place.path(to)).status().ok()?;
        assert!(copied.success(), "cannot copy {}", from.display());
    }
    Some(place)
}

/// Runs a shell script as root in a mount namespace of its own, in the place.
fn script(place: &Place, text: &str) -> Built {
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-euc", text])
        .current_dir(place.directory.path())
        .env("NO_COLOR", "1")
        .env_remove("XX_BUILD_STORE")
        .output();
    Built::of(output.unwrap_or_else(|error| panic!("unshare: {error}")))
}

const BUILD: &str = "./xx-build build --build-context debian=oci-layout://debian context";
const AS_USER: &str =
    "setpriv --reuid=1000 --regid=1000 --clear-groups env -i NO_COLOR=1 HOME=$PWD/home PATH=/usr/bin:/bin";

/// A script that gives uid 1000 a name, which `newuidmap` asks for, and a range of further ids.
const RANGE: &str = "mkdir -p home && chown 1000:1000 home && echo 1000:200000:65536 > range\n\
     mount --bind range /etc/subuid && mount --bind range /etc/subgid\n\
     { cat /etc/passwd; echo 'builder:x:1000:1000::/:/bin/sh'; } > passwd\n\
     getent passwd 1000 > /dev/null || mount --bind passwd /etc/passwd\n";

#[test]
fn an_ordinary_user_builds_with_subordinate_ids() {
    let Some(place) = scene("an_ordinary_user_builds_with_subordinate_ids") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\nRUN apt-get update && apt-get install -y --no-install-recommends hello && hello\n\
         RUN touch /f && chown www-data:staff /f && stat -c %U:%G /f\nUSER 33:50\nRUN id -u; id -g\n",
    );
    let text = format!("{RANGE}exec {AS_USER} {BUILD} --output home/out");
    let built = script(&place, &text);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    for line in ["Hello, world!", "www-data:staff", "33", "50"] {
        assert_eq!(built.printed(line), 1, "{line}: {}", built.stderr);
    }
    assert!(place.path("home/out/usr/bin/hello").exists());
    assert_eq!(place.mounts(), [""; 0]);
}

/// Ids beyond the range, wherever they come from: an error that says how many are needed, not that something is damaged.
#[test]
fn ids_beyond_the_range_are_told() {
    let Some(place) = scene("ids_beyond_the_range_are_told") else { return };
    // As root all ids are there: an image, and an archive in the context.
    place.write("file", "x");
    place.write("Dockerfile", "FROM scratch\nCOPY --chown=376730:9 file /g\n");
    let made = "./xx-build build --store made --output type=oci,tar=false,dest=high context
        tar -C context --owner=376730 --group=5 -cf context/high.tar file";
    assert_eq!(script(&place, made).code, Some(0));
    for (dockerfile, expected) in [
        ("FROM scratch\nADD high.tar /\n", ["cannot unpack `file`", "no user id 376730"]),
        ("FROM scratch\nCOPY --chown=376730 file /x\n", ["cannot write", "no user id 376730"]),
        ("FROM scratch\nCOPY --chown=0:70000 file /x/\n", ["`/etc/subgid` gives", "no group id 70000"]),
        ("FROM debian\nCOPY --chown=376730 <<EOF /h\nx\nEOF\n", ["cannot write", "no user id 376730"]),
        ("FROM debian\nUSER 376730\nWORKDIR /new\n", ["65536 ids", "376730 are needed"]),
        ("FROM debian\nUSER 376730\nRUN true\n", ["cannot become the user", "`376730`"]),
        (
            "FROM debian\nRUN --mount=type=cache,target=/c,uid=376730 true\n",
            ["permissions", "376730 are needed"],
        ),
        ("FROM high\nCOPY file /x\n", ["cannot unpack `g`", "no user id 376730"]),
    ] {
        place.write("Dockerfile", dockerfile);
        let built =
            script(&place, &format!("{RANGE}exec {AS_USER} {BUILD} --build-context high=oci-layout://high"));
        built.assert_error(&[expected[0], expected[1], "/etc/subuid", "hint: "]);
        assert!(!built.stderr.contains("damaged") && !built.stderr.contains("os error"), "{}", built.stderr);
    }
}

/// A script that leaves uid 1000 without further ids.
const NO_RANGE: &str = "mkdir -p home && chown 1000:1000 home && : > none\n\
     mount --bind none /etc/subuid && mount --bind none /etc/subgid\n";

#[test]
fn one_uid_without_a_range_is_enough() {
    let Some(place) = scene("one_uid_without_a_range_is_enough") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\n\
         RUN touch /f && chown www-data:staff /f && stat -c %U:%G /f\n\
         RUN stat -c %U:%G /f /etc/shadow && mknod /null c 1 3\n\
         COPY --chown=games:60 Dockerfile /d/\n\
         RUN stat -c %U:%G /d/Dockerfile\n\
         RUN mkdir /home/nn && chown 33:33 /home/nn\n\
         USER www-data\n\
         RUN cd /home/nn && mkdir own && touch own/file && stat -c %U:%G own/file && grep '^Uid' /proc/self/status\n",
    );
    let list = "for layer in home/out/blobs/sha256/*; do tar --numeric-owner -tvzf $layer 2>&1 || true; done";
    let text = format!("{NO_RANGE}{AS_USER} {BUILD} --output type=oci,dest=home/out,tar=false\n{list}");
    let built = script(&place, &text);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    for (line, times) in [
        ("www-data:staff", 2),
        ("root:shadow", 1),
        ("games:games", 1),
        ("www-data:www-data", 1),
        ("Uid:\t33\t33\t33\t33", 1),
    ] {
        assert_eq!(built.printed(line), times, "{line}: {}", built.stderr);
    }
    let owners: Vec<(&str, &str)> = built
        .stdout
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            Some((*words.last()?, *words.get(1)?))
        })
        .collect();
    for entry in [
        ("f", "33/50"),
        ("d/", "5/60"),
        ("d/Dockerfile", "5/60"),
        ("etc/shadow", "0/42"),
        ("home/nn/own/", "33/33"),
        ("home/nn/own/file", "33/33"),
    ] {
        assert!(owners.contains(&entry), "{entry:?} is missing in: {}", built.stdout);
    }
    let device = built.stdout.lines().find(|line| line.ends_with(" null"));
    assert!(device.is_some_and(|line| line.starts_with("crw") && line.contains("1,3")), "{device:?}");
    assert_eq!(place.mounts(), [""; 0]);
}

/// The packages that bring users, groups, setuid programs and daemons along.
#[test]
fn one_uid_installs_packages() {
    let Some(place) = scene("one_uid_installs_packages") else { return };
    place.write(
        "Dockerfile",
        "FROM debian\n\
         RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openssh-server sudo man-db\n\
         RUN stat -c '%U:%G %a' /usr/bin/sudo /usr/lib/openssh/ssh-keysign /var/cache/man; sudo -u nobody id -un\n\
         RUN echo 'games ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/games\n\
         USER games\n\
         RUN echo $(id -un) $(sudo id -un)\n",
    );
    let built = script(&place, &format!("{NO_RANGE}exec {AS_USER} {BUILD}"));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    for line in ["root:root 4755", "man:man 755", "nobody", "games root"] {
        assert!(built.printed(line) > 0, "{line}: {}", built.stderr);
    }
}

#[test]
fn one_uid_is_too_few_for_some_and_they_are_told() {
    let Some(place) = scene("one_uid_is_too_few_for_some_and_they_are_told") else { return };
    place.write("Dockerfile", "FROM debian\nCOPY peer /\nRUN perl /peer\n");
    // Whoever accepts a connection asks the kernel who is at its other end.
    place.write(
        "peer",
        "use Socket; socket(L, AF_UNIX, SOCK_STREAM, 0); alarm 20; bind(L, sockaddr_un('/s')); chmod 0777, '/s'; listen(L, 1);\n\
         if (!fork) { $) = '33 33'; $> = 33; socket(C, AF_UNIX, SOCK_STREAM, 0); connect(C, sockaddr_un('/s')); sleep 1; exit }\n\
         accept(K, L); my ($pid, $uid) = unpack('iI', getsockopt(K, SOL_SOCKET, SO_PEERCRED)); exit($uid != 33);\n",
    );
    let built = script(&place, &format!("{NO_RANGE}exec {AS_USER} {BUILD}"));
    built.assert_error(&["Dockerfile:3", "exited with code 1", "hint: ", "1000:100000:65536", "/etc/subuid"]);
    let built = script(&place, &format!("{RANGE}exec {AS_USER} {BUILD}"));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
}

#[test]
fn without_user_namespaces_the_setting_is_named() {
    let Some(place) = scene("without_user_namespaces_the_setting_is_named") else { return };
    place.write("Dockerfile", "FROM debian\nRUN true\n");
    // A user namespace in which root may forbid further ones, without touching the machine's setting.
    let text = format!(
        "mkdir home && chown 1000:1000 home\n\
         unshare --user sleep 60 & child=$!\n\
         while [ \"$(readlink /proc/$child/ns/user)\" = \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.05; done\n\
         echo 0 0 65536 > /proc/$child/uid_map && echo 0 0 65536 > /proc/$child/gid_map\n\
         nsenter --target $child --user sh -euc 'echo 0 > /proc/sys/user/max_user_namespaces; {AS_USER} {BUILD}' || code=$?\n\
         kill $child; exit ${{code:-0}}"
    );
    let built = script(&place, &text);
    built.assert_error(&["user namespace", "hint: ", "max_user_namespaces"]);
    assert_eq!(place.mounts(), [""; 0]);
}

/// Whoever builds, whatever the umask, and however the folder was found: nobody else runs a setuid program of a layer.
#[test]
fn the_store_is_closed_to_other_users() {
    let Some(place) = scene("the_store_is_closed_to_other_users") else { return };
    place.write("Dockerfile", "FROM debian\nRUN cp /bin/true /suid && chmod 4755 /suid\n");
    let scenes = [
        ("root", String::new(), ""),
        ("subordinate ids", RANGE.to_owned(), AS_USER),
        ("one uid", NO_RANGE.to_owned(), AS_USER),
    ];
    for (number, (who, set_up, as_whom)) in scenes.iter().enumerate() {
        let set_up = set_up.replace("mkdir home", "mkdir -p home");
        let text = format!(
            "{set_up}umask 0; mkdir -p home; above=$PWD/home/{number}; {as_whom} mkdir $above\n\
             chmod 755 home $above; store=$above/store\n\
             for found in new 755 777 711; do\n\
               [ $found = new ] || chmod $found $store\n\
               {as_whom} {BUILD} --store $store > log 2>&1 || {{ cat log; exit 1; }}\n\
               echo $found $(stat -c %a $store)\n\
               suid=$(find $store -path '*/layers/*' -name suid)\n\
               test -n \"$suid\" && echo bits $(stat -c %a $suid)\n\
               setpriv --reuid=1234 --regid=1234 --clear-groups sh -c $suid 2> error && echo run || grep -o 'Permission denied' error\n\
             done"
        );
        let built = script(&place, &text);
        assert_eq!(built.code, Some(0), "{who}: {}{}", built.stdout, built.stderr);
        let modes: Vec<&str> = built.stdout.lines().filter(|line| line.ends_with(" 700")).collect();
        assert_eq!(modes, ["new 700", "755 700", "777 700", "711 700"], "{who}: {}", built.stdout);
        let denied = built.stdout.lines().filter(|line| *line == "Permission denied").count();
        assert_eq!(denied, 4, "{who}: {}", built.stdout);
        let open =
            built.stdout.lines().filter(|line| line.starts_with("bits ") && line.ends_with("755")).count();
        assert_eq!(open, 4, "{who}: the file itself could be run: {}", built.stdout);
    }
    // A folder of others is not taken from them.
    let build = "./xx-build build --build-context debian=oci-layout://debian";
    let text = format!(
        "mkdir shared && chmod 1777 shared && touch shared/somebodys\n\
         code=0; {build} --store shared context || code=$?; stat -c %a shared; exit $code"
    );
    let built = script(&place, &text);
    built.assert_error(&["`", "shared", "holds what is no store's", "hint: "]);
    assert_eq!(built.stdout, "1777\n");
    let text = format!("mkdir his && chown 1000 his && chmod 700 his; {build} --store his context");
    script(&place, &text).assert_error(&["his", "belongs to another user", "hint: "]);
}

#[test]
fn a_full_disk_is_one_clear_error() {
    let Some(place) = scene("a_full_disk_is_one_clear_error") else { return };
    place.write("Dockerfile", "FROM debian\nRUN true\n");
    let small = "mkdir small && mount -t tmpfs -o size=40m tmpfs small";

    let store = script(
        &place,
        &format!(
            "{small}\ncode=0; {BUILD} --store small/store || code=$?; ls small/store/work small/store/layers; exit $code"
        ),
    );
    store.assert_error(&["No space left on device", "hint: the disk is full"]);
    assert!(!store.stdout.lines().any(|line| line.len() == 16), "half a layer is left: {}", store.stdout);

    // A step that fills the disk says so itself; the hint is the builder's.
    place.write("Dockerfile", "FROM debian\nRUN head -c 1G /dev/zero > /big\n");
    let room = "mkdir -p roomy && mount -t tmpfs -o size=400m tmpfs roomy";
    let step = script(
        &place,
        &format!("{room}\ncode=0; {BUILD} --store roomy/store || code=$?; ls roomy/store/work; exit $code"),
    );
    step.assert_error(&[
        "Dockerfile:2",
        "No space left on device",
        "exited with code 1",
        "hint: the disk is full",
    ]);
    assert_eq!(step.stdout, "", "something of the step is left");

    // So do a copy, and an export that makes its blobs in the store.
    place.write("Dockerfile", "FROM scratch\nCOPY big /\n");
    for (size, output) in [("60M", "type=cacheonly"), ("25M", "type=oci,dest=image.tar")] {
        let text = format!(
            "{}\nhead -c {size} /dev/urandom > context/big\ncode=0; {BUILD} --store small/store --output {output} || code=$?\n\
             ls small/store/work small/store/blobs/sha256; rm context/big; test ! -e image.tar; exit $code",
            small.replace("mkdir", "mkdir -p")
        );
        let built = script(&place, &text);
        built.assert_error(&["No space left on device", "hint: the disk is full"]);
        let left: Vec<&str> = built.stdout.lines().filter(|line| !line.ends_with(':')).collect();
        assert_eq!(left.concat(), "", "{output}: something is left");
    }
    place.write("Dockerfile", "FROM debian\nRUN true\n");

    for output in ["type=oci,dest=small/image.tar", "small/files"] {
        let text = format!(
            "{}\ncode=0; {BUILD} --store store --output {output} || code=$?; ls -A small; exit $code",
            small.replace("mkdir", "mkdir -p")
        );
        let built = script(&place, &text);
        built.assert_error(&["No space left on device", "hint: the disk is full"]);
        assert_eq!(built.stdout, "", "half-written output");
    }
    assert_eq!(place.mounts(), [""; 0]);
}
