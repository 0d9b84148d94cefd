//! Root without root: one real uid, and everything a program asks about ids and owners answered.

use std::fs;

use xx_build_rootfs::{OWNER_ATTRIBUTE, Owner};
use xx_build_sandbox::{BindSource, Cancel, Exit, Mount, MountKind, run};

use crate::harness::{Case, Inside, Needs};
use crate::run::{outcome, output, root, sh};

const fn case(name: &'static str, run: fn(&Inside)) -> Case {
    Case { name, needs: Needs::SingleUid, run }
}

pub(crate) const CASES: &[Case] = &[
    case("single_table", table),
    case("single_user", user),
    case("single_owner_is_in_the_layer", owner_in_layer),
    case("single_secret", secret),
    case("single_sees_no_host", crate::run::sees_no_host),
    case("single_leaves_no_stub", crate::mounts::leaves_no_stub),
    case("single_cancel", crate::run::cancel),
    case("single_device_files_are_its_own", crate::devices::own),
    case("single_mount_target_through_link", crate::mounts::mount_target_through_link),
    case("_single_apt", apt),
];

/// Script and output.
const TABLE: &[(&str, &str)] = &[
    ("id -u; id -g; id -G", "0\n0\n0\n"),
    (
        "cd /tmp; touch f; chown www-data f; stat -c '%U %G' f; chown :tty f; stat -c %u:%g f; ls -n f | cut -d' ' -f3,4",
        "www-data root\n33:5\n33 5\n",
    ),
    (
        "cd /tmp; mkdir d; touch d/a; chown -R 7:8 d; mv d e; stat -c %u:%g e e/a; cp -a e g; stat -c %u:%g g/a",
        "7:8\n7:8\n7:8\n",
    ),
    ("cd /tmp; ln -s nowhere l; chown -h 1:1 l && echo fine", "fine\n"),
    ("chown 1 /nowhere 2>&1", "chown: cannot access '/nowhere': No such file or directory\n"),
    (
        "cd /tmp; mknod n c 1 3 && stat -c '%F %t:%T %u' n; mknod p p && stat -c %F p",
        "character special file 1:3 0\nfifo\n",
    ),
    ("setpriv --reuid 33 --regid 33 --clear-groups sh -c 'id -u; id -g; id -G'; id -u", "33\n33\n33\n0\n"),
    // A drop cannot be regained, not even by a child whose parent is gone.
    (
        "setpriv --reuid 33 --clear-groups sh -c 'setpriv --reuid 0 true 2>/dev/null || echo refused; (sh -c \"sleep 0.1; id -u\" &) ' | cat",
        "refused\n33\n",
    ),
    (
        "setpriv --reuid 33 --regid 33 --init-groups sh -c 'cd /tmp; touch x; chown 5 x 2>/dev/null || echo no'",
        "no\n",
    ),
    (
        "setpriv --reuid 33 --regid 34 --clear-groups sh -c 'umask 027; cd /tmp; touch a; mkdir b; >a; stat -c %u:%g:%a a b'",
        "33:34:640\n33:34:750\n",
    ),
    (
        "cd /tmp; mkdir s; chown :5 s; chmod 2775 s; touch s/a; mkdir s/d; stat -c %u:%g:%a s/a s/d",
        "0:5:644\n0:5:2755\n",
    ),
    (
        "cp /usr/bin/id /rid; chmod 4755 /rid; setpriv --reuid 33 --clear-groups /rid -u; setpriv --reuid 33 --clear-groups /rid -ru",
        "0\n33\n",
    ),
    ("useradd -m ann && su ann -c 'id -u -n; echo $HOME; stat -c %U $HOME'", "ann\n/home/ann\nann\n"),
    (
        "touch /c/tmp/f; chroot /c chown 3:4 /tmp/f && chroot /c stat -c %u:%g tmp/f; stat -c %u:%g /c/tmp/f",
        "3:4\n3:4\n",
    ),
    (
        "cd /tmp; touch f; chown 9:9 f; exec 7<f; stat -L -c %u /dev/fd/7; tar -cf t f; rm f; tar -xf t; stat -c %u:%g f",
        "9\n9:9\n",
    ),
];

fn table(inside: &Inside) {
    let mut wrong = Vec::new();
    for (number, &(script, text)) in TABLE.iter().enumerate() {
        let (root, _) = root(inside, &format!("t{number}"));
        let mut step = sh(root, script);
        let kind = MountKind::Bind {
            source: BindSource::Path(inside.debian.clone()),
            subpath: String::new(),
            readonly: true,
        };
        step.mounts = vec![
            Mount { target: "/c".into(), kind },
            Mount { target: "/c/tmp".into(), kind: MountKind::Tmpfs { size: None } },
        ];
        let (_, got) = outcome(&step).unwrap();
        if got != text {
            wrong.push(format!("{script}\n  is     {got:?}\n  not    {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn user(inside: &Inside) {
    let (root, upper) = root(inside, "r");
    let mut step = sh(root, "id -u; id -g; pwd; stat -c %u:%g .; echo $HOME");
    (step.user, step.cwd) = ("www-data".into(), "/srv/app".into());
    assert_eq!(output(&step), "33\n33\n/srv/app\n33:33\n/var/www\n");
    assert!(upper.join("srv/app").is_dir());

    // The kernel says the same as the supervisor, of the process and of what it makes.
    let (root, upper) = crate::run::root(inside, "r2");
    let script = "grep -E '^[UG]id|^CapEff' /proc/self/status | tr '\\t\\n' '  '; cd /tmp; touch f; mkdir -m 700 d; \
                  stat -c %u:%g f d /etc/passwd /root .; exec 5>&1; stat -L -c %u /dev/fd/5 >&2";
    let mut step = sh(root, script);
    step.user = "www-data".into();
    let ids = "Uid: 33 33 33 33 Gid: 33 33 33 33 CapEff: 0000000000000000 ";
    assert_eq!(output(&step), format!("{ids}33:33\n33:33\n0:0\n0:0\n0:0\n0\n"));
    assert!(upper.join("tmp/d").is_dir());

    // Programs that hide their memory and files, as sudo does, are answered too.
    let (root, _) = crate::run::root(inside, "r3");
    let hide = "syscall(`uname -m` eq \"aarch64\\n\" ? 167 : 157, 4, 0)";
    let mut step =
        sh(root, &format!("perl -e '{hide}; open F, \"/etc/passwd\"; print join \":\", (stat F)[4, 5]'"));
    step.user = "www-data".into();
    assert_eq!(output(&step), "0:0");
}

fn owner_in_layer(inside: &Inside) {
    let (root, upper) = root(inside, "r");
    output(&sh(root, "touch /f /g; chown www-data:tty /f"));
    let attribute = |name: &str| {
        let mut buffer = [0; 64];
        let length = rustix::fs::getxattr(upper.join(name), OWNER_ATTRIBUTE, &mut buffer).ok()?;
        Owner::parse(&buffer[..length])
    };
    assert_eq!(attribute("f"), Some(Owner { uid: 33, gid: 5, device: None }));
    assert_eq!(attribute("g"), None, "root's files bear nothing");
    assert!(fs::metadata(upper.join("f")).is_ok());
}

fn secret(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let mut step = sh(root, "cat /s; stat -c %u:%g:%a /s");
    let kind = MountKind::File { contents: b"x\n".to_vec(), mode: 0o400, uid: 33, gid: 34 };
    step.mounts = vec![Mount { target: "/s".into(), kind }];
    assert_eq!(output(&step), "x\n33:34:400\n");
}

/// Not in the list, because it needs the network and a minute: real packages with users, groups and daemons.
fn apt(inside: &Inside) {
    let (root, _) = root(inside, "r");
    let step = sh(
        root,
        "set -e; export DEBIAN_FRONTEND=noninteractive; apt-get update; apt-get install -y --no-install-recommends openssh-server sudo man-db; \
         touch /f; chown www-data /f; stat -c %U /f; stat -c '%U:%G %n' /var/cache/man /etc/shadow",
    );
    let mut all = Vec::new();
    let exit = run(&step, &Cancel::new().unwrap(), &mut |_, bytes| all.extend_from_slice(bytes)).unwrap();
    println!("{}", String::from_utf8_lossy(&all));
    assert_eq!(exit.exit, Exit::Code(0));
}
