//! Limits of memory and processors for steps: control groups, version 2.
//!
//! A group for each step is made below the builder's own. That works where the builder's group is delegated to it:
//! as root on most machines, as an ordinary user in a unit of the user's systemd. Elsewhere the caller is told why
//! not and goes on without. Not here: version 1, which ordinary users never had.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// How much a step may use. Zero and empty mean no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory and swap together; `None` is as much swap as memory, -1 as much as there is.
    pub memory_swap: Option<i64>,
    /// Share of processor time against other groups, as Docker counts them: 1024 is usual.
    pub cpu_shares: u64,
    /// Microseconds of processor time in each period.
    pub cpu_quota: u64,
    /// The period in microseconds; 100,000 when 0.
    pub cpu_period: u64,
    /// Processors, such as `0-3,7`.
    pub cpuset_cpus: String,
    /// Memory nodes likewise.
    pub cpuset_mems: String,
}

/// One setting: its option on the command line, its file, and the file's content.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    option: &'static str,
    file: &'static str,
    value: String,
}

impl Limits {
    fn settings(&self) -> Vec<Setting> {
        let mut all = vec![];
        let mut set = |option, file, value: String| all.push(Setting { option, file, value });
        if self.memory > 0 {
            set("--memory", "memory.max", self.memory.to_string());
            let swap = match self.memory_swap {
                None => self.memory.to_string(),
                Some(total) => u64::try_from(total)
                    .map_or("max".to_owned(), |t| t.saturating_sub(self.memory).to_string()),
            };
            set("--memory-swap", "memory.swap.max", swap);
        }
        if self.cpu_shares > 0 {
            // 2 to 262,144 become 1 to 10,000, as all runtimes convert them.
            let shares = self.cpu_shares.clamp(2, 262_144);
            set("--cpu-shares", "cpu.weight", (1 + (shares - 2) * 9_999 / 262_142).to_string());
        }
        if self.cpu_quota > 0 || self.cpu_period > 0 {
            let quota = if self.cpu_quota > 0 { self.cpu_quota.to_string() } else { "max".to_owned() };
            let period = if self.cpu_period > 0 { self.cpu_period } else { 100_000 };
            set("--cpu-quota", "cpu.max", format!("{quota} {period}"));
        }
        if !self.cpuset_cpus.is_empty() {
            set("--cpuset-cpus", "cpuset.cpus", self.cpuset_cpus.clone());
        }
        if !self.cpuset_mems.is_empty() {
            set("--cpuset-mems", "cpuset.mems", self.cpuset_mems.clone());
        }
        all
    }

    /// The options that were given.
    #[must_use]
    pub fn options(&self) -> Vec<&'static str> {
        let mut options: Vec<_> = self.settings().iter().map(|setting| setting.option).collect();
        // Set along with the memory, whether it was given or not.
        options.retain(|option| *option != "--memory-swap" || self.memory_swap.is_some());
        options
    }
}

/// Why there are no limits.
#[derive(Debug, Error)]
pub enum NoCgroups {
    /// No version 2, or without the controllers.
    #[error("the kernel offers no control group v2 with the controller `{0}` here")]
    NotOffered(&'static str),
    /// The builder's group is not its own to divide.
    #[error("the control group `{}` is not delegated to this user: {source}", path.display())]
    NotDelegated {
        /// The group's directory.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
}

/// Where the groups of steps are made.
#[derive(Debug)]
pub struct Cgroups {
    parent: PathBuf,
    limits: Limits,
    made: AtomicU64,
}

/// The group of one step; goes with this value.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
}

impl Cgroups {
    /// Finds the builder's group and has it pass on the controllers that `limits` and the limits of single steps need; `None`
    /// when they need none.
    ///
    /// # Errors
    /// [`NoCgroups`], for a warning.
    pub fn find(limits: &Limits, of_steps: &[Limits]) -> Result<Option<Self>, NoCgroups> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        // Where version 1 has the place, version 2 lies beside it.
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
        let mount = mounts.into_iter().find(|mount| mount.join("cgroup.controllers").exists());
        Self::below(mount.unwrap_or(Path::new("/sys/fs/cgroup")), &own, limits, of_steps)
    }

    /// The same for the tree at `mount`, and `own` as `/proc/self/cgroup` has it.
    fn below(
        mount: &Path,
        own: &str,
        limits: &Limits,
        of_steps: &[Limits],
    ) -> Result<Option<Self>, NoCgroups> {
        let needed = controllers(std::iter::once(limits).chain(of_steps));
        let Some(first) = needed.first() else { return Ok(None) };
        let group = own.lines().find_map(|line| line.strip_prefix("0::/"));
        let path = mount.join(group.ok_or(NoCgroups::NotOffered(first))?);
        let words = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
        let offered = words("cgroup.controllers");
        for name in &needed {
            if !offered.split_whitespace().any(|word| word == *name) {
                return Err(NoCgroups::NotOffered(name));
            }
        }
        let passed = words("cgroup.subtree_control");
        let missing: Vec<_> =
            needed.iter().filter(|name| !passed.split_whitespace().any(|word| word == **name)).collect();
        if !missing.is_empty() {
            let wish: Vec<_> = missing.iter().map(|name| format!("+{name}")).collect();
            divide(&path, &wish.join(" "))
                .map_err(|source| NoCgroups::NotDelegated { path: path.clone(), source })?;
        }
        Ok(Some(Self { parent: path, limits: limits.clone(), made: AtomicU64::new(0) }))
    }

    /// Makes the group of a step, with limits of its `own` in place of all steps'.
    ///
    /// # Errors
    /// When the kernel refuses the group or a limit; the message names the option.
    pub fn group(&self, own: Option<&Limits>) -> io::Result<Group> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.parent.join(format!("xx-build-{}-{number}", std::process::id()));
        fs::create_dir(&path)?;
        let group = Group { path };
        for Setting { option, file, value } in own.unwrap_or(&self.limits).settings() {
            match fs::write(group.path.join(file), &value) {
                // A machine without swap has no such file.
                Err(error) if file == "memory.swap.max" && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::other(format!("`{option}` {value}: {error}"))),
                Ok(()) => {}
            }
        }
        Ok(group)
    }
}

/// Controllers of the settings, each once.
fn controllers<'a>(limits: impl Iterator<Item = &'a Limits>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for file in limits.flat_map(Limits::settings).map(|setting| setting.file) {
        names.extend(file.split_once('.').map(|(name, _)| name).filter(|name| !names.contains(name)));
    }
    names
}

/// Has a group pass controllers on. A group that does so has no processes of its own, so this one moves down first.
fn divide(path: &Path, wish: &str) -> io::Result<()> {
    let control = path.join("cgroup.subtree_control");
    if fs::write(&control, wish).is_ok() {
        return Ok(());
    }
    let leaf = path.join("xx-build");
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    fs::write(leaf.join("cgroup.procs"), "0")?;
    fs::write(&control, wish)
}

impl Group {
    /// Its list of processes, to write to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn processes(&self) -> io::Result<OwnedFd> {
        Ok(fs::OpenOptions::new().write(true).open(self.path.join("cgroup.procs"))?.into())
    }

    /// Whether the kernel has ended a process in it for want of memory.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count != "0"))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes are gone with the step; a directory that stays holds nothing.
        let _gone = fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_files() {
        let limits = Limits {
            memory: 1 << 20,
            cpu_shares: 1024,
            cpu_quota: 50_000,
            cpuset_cpus: "0".to_owned(),
            ..Limits::default()
        };
        let settings: Vec<_> = limits.settings().into_iter().map(|s| (s.file, s.value)).collect();
        let expected = [
            ("memory.max", "1048576"),
            ("memory.swap.max", "1048576"),
            ("cpu.weight", "39"),
            ("cpu.max", "50000 100000"),
            ("cpuset.cpus", "0"),
        ];
        assert_eq!(settings, expected.map(|(file, value)| (file, value.to_owned())));
        assert_eq!(limits.options(), ["--memory", "--cpu-shares", "--cpu-quota", "--cpuset-cpus"]);
        assert_eq!(controllers([&limits, &limits].into_iter()), ["memory", "cpu", "cpuset"]);
        for (total, swap) in [(3 << 20, "2097152"), (-1, "max"), (1 << 20, "0")] {
            let limits = Limits { memory: 1 << 20, memory_swap: Some(total), ..Limits::default() };
            assert_eq!(limits.settings()[1].value, swap);
        }
        assert!(Limits::default().settings().is_empty());
    }

    /// A directory that looks like the kernel's.
    #[test]
    fn groups_are_made_below_the_own_one() {
        let tree = tempfile::tempdir().unwrap();
        let own = tree.path().join("user/unit");
        fs::create_dir_all(&own).unwrap();
        let find = |limits: &Limits| Cgroups::below(tree.path(), "1:cpu:/x\n0::/user/unit\n", limits, &[]);
        let limits = Limits { memory: 5000, ..Limits::default() };
        assert!(find(&Limits::default()).unwrap().is_none(), "nothing to limit");
        assert!(matches!(find(&limits), Err(NoCgroups::NotOffered("memory"))));
        fs::write(own.join("cgroup.controllers"), "cpu memory\n").unwrap();
        fs::write(own.join("cgroup.subtree_control"), "cpu\n").unwrap();
        let groups = find(&limits).unwrap().unwrap();
        assert_eq!(fs::read_to_string(own.join("cgroup.subtree_control")).unwrap(), "+memory");
        let group = groups.group(None).unwrap();
        assert_eq!(fs::read_to_string(group.path.join("memory.max")).unwrap(), "5000");
        assert!(group.path.starts_with(&own) && !group.ran_out_of_memory());
        let other = groups.group(Some(&Limits { memory: 7000, ..Limits::default() })).unwrap();
        assert_eq!(fs::read_to_string(other.path.join("memory.max")).unwrap(), "7000");
        fs::write(group.path.join("memory.events"), "oom 1\noom_kill 1\n").unwrap();
        assert!(group.ran_out_of_memory());
    }

    #[test]
    fn an_undelegated_group_is_named() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("cgroup.controllers"), "memory").unwrap();
        fs::create_dir(tree.path().join("cgroup.subtree_control")).unwrap();
        let limits = Limits { memory: 1, ..Limits::default() };
        let error = Cgroups::below(tree.path(), "0::/\n", &Limits::default(), &[limits]).unwrap_err();
        assert!(error.to_string().contains("is not delegated"), "{error}");
    }
}
