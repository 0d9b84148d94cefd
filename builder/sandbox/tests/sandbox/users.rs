//! Who a step runs as: ids, groups, capabilities, home.

use std::fs;

use crate::harness::{Case, Inside, debian_case as case};
use crate::run::{output, over, sh};

pub(crate) const CASES: &[Case] = &[case("run_users", users)];

/// As a running BuildKit says, which takes a group's own id for one of the others since CVE-2022-36109.
fn users(inside: &Inside) {
    let table = [
        ("www-data", "33 33 33 /var/www", "33"),
        ("33", "33 33 33 /var/www", "33"),
        ("33:4", "33 4 4 /var/www", "4"),
        ("daemon:tty", "1 5 5 /usr/sbin", "5"),
        ("4242", "4242 0 0 /", "0"),
        ("4242:4243", "4242 4243 4243 /", "4243"),
        // Groups that list it, and its own.
        ("ann", "1000 1001 1001 10 29 /home/ann", "10 29 1001"),
        ("1000", "1000 1001 1001 10 29 /home/ann", "10 29 1001"),
        ("ann:tty", "1000 5 5 /home/ann", "5"),
        ("", "0 0 0 10 /root", "0 10"),
        ("root", "0 0 0 10 /root", "0 10"),
        ("0:0", "0 0 0 /root", "0"),
    ];
    let layer = inside.scratch.join("accounts");
    fs::create_dir_all(layer.join("etc")).unwrap();
    for (file, more) in [
        ("etc/passwd", "ann:x:1000:1001::/home/ann:/bin/sh\n"),
        ("etc/group", "ann:x:1001:\nwheel:x:10:root,ann\naudio2:x:29:ann\n"),
    ] {
        let text = fs::read_to_string(inside.debian.join(file)).unwrap();
        let text = text
            .lines()
            .filter(|line| !line.contains(":10:"))
            .fold(String::new(), |all, line| all + line + "\n");
        fs::write(layer.join(file), text + more).unwrap();
    }
    for (number, (user, ids, groups)) in table.into_iter().enumerate() {
        let (root, _) = over(inside, &format!("u{number}"), &[layer.clone(), inside.debian.clone()]);
        let script = "echo $(id -u) $(id -g) $(id -G) $HOME; sed -n 's/^CapEff:\\t//p;s/^Groups:\\t//p' /proc/self/status";
        let mut step = sh(root, script);
        step.user = user.to_owned();
        let effective = if ids.starts_with("0 ") { "00000000a80405fb" } else { "0000000000000000" };
        assert_eq!(output(&step), format!("{ids}\n{groups} \n{effective}\n"), "{user}");
    }
}
