//! Random RUN instructions: what programs do to the files of a stage, and what mounts show.

use super::numbers::Numbers;
use super::tree::Tree;

/// Paths that commands are about: what the fixture has, and what it has not.
const PATHS: &[&str] = &[
    "dir",
    "dir/f",
    "dir/sub",
    "dir/sub/g",
    "dir/hard",
    "ldir",
    "lfile",
    "lgone",
    "deep",
    "deep/up",
    "sticky",
    "file",
    "dst",
    "dst/a",
    "dst/b",
    "dst/b/c.txt",
    "dst/c.txt",
    "dst/lib",
    "dst/src",
    "dst/d.go",
    "dst/f.txt",
    "dst/.h",
    "new",
    "new/d",
    "new/d/e",
    "labs",
    "loop",
];

/// A RUN of some commands in `/w`. What fails is passed over.
pub(super) fn changes(numbers: &mut Numbers) -> String {
    let commands: Vec<String> = (0..1 + numbers.below(6)).map(|_| command(numbers)).collect();
    format!("RUN cd /w; ({}) 2>/dev/null; true", commands.join("; "))
}

fn command(numbers: &mut Numbers) -> String {
    let (a, b) = (numbers.pick(PATHS), numbers.pick(PATHS));
    match numbers.below(18) {
        0 | 1 => format!("rm -rf {a}"),
        2 => format!("rm -rf {a} && mkdir -p {a}"),
        3 => format!("rm -rf {a} && echo new > {a}"),
        4 => format!("rm -rf {a} && ln -s {b} {a}"),
        5 => format!("mv -T {a} {b}"),
        6 => format!("mv {a} {b}"),
        7 => format!("mkdir -p {a}/x/y && touch -d @1300000000 {a}/x/y/z"),
        8 => format!("ln {a} {b}.2"),
        9 => format!("ln -sfT {a} {b}"),
        10 => format!("cp -a {a} {b}"),
        11 => format!("chmod {} {a}", numbers.pick(&["700", "u+s", "g+s", "a-x", "1777", "0"])),
        12 => format!("chown -h {} {a}", numbers.pick(&["7:8", "0", "1000:1000", "65534"])),
        13 => format!("touch -h -d @1200000000 {a}"),
        14 => format!("echo more >> {a}"),
        15 => format!("mkfifo -m 620 {a}.pipe"),
        16 => format!("rm -rf {a} && cp -a {b} {a}"),
        _ => format!("mkdir {a}.d && mv {b} {a}.d/"),
    }
}

/// A RUN that lists what a mount of the context shows.
pub(super) fn listing(numbers: &mut Numbers, tree: &Tree) -> String {
    let path = match tree.0.is_empty() || numbers.chance(40) {
        true => "/".to_owned(),
        false => tree.0[numbers.below(tree.0.len())].path.clone(),
    };
    let path = path.replace(' ', "?");
    let kind = numbers.pick(&["from=CONTEXT", "from=CONTEXT", "from=CONTEXT,rw"]);
    // Sizes of directories are the file system's, and times of what is made by the build are now.
    format!(
        "RUN --mount=type=bind,{kind},source={path},target=/m cd /; \
         (find m ! -type d -printf '%P %y %m %U:%G %s %l %Ts\\n'; find m -type d -printf '%P %y %m %U:%G\\n') \
         | LC_ALL=C sort > /w/list; touch -d @1100000000 /w/list"
    )
}
