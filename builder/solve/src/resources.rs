//! Limits of an operation that several definitions name with limits of their own: the widest holds, as in BuildKit.

use std::collections::BTreeSet;

use xx_build_frontend::llb::pb::LinuxResources;

/// Widens `known` so that nobody has less than `other` says. Who says nothing leaves it as it is.
pub(super) fn relax(known: &mut Option<LinuxResources>, other: Option<&LinuxResources>) {
    let Some(b) = other else { return };
    let Some(a) = known else {
        *known = Some(b.clone());
        return;
    };
    let (cpu_period, cpu_quota) = processor_time(a, b);
    *a = LinuxResources {
        // Nothing is no limit.
        memory: if a.memory == 0 || b.memory == 0 { 0 } else { a.memory.max(b.memory) },
        // -1 is no limit, and nothing is what the memory's limit gives.
        memory_swap: match (a.memory_swap, b.memory_swap) {
            (0, swap) | (swap, 0) => swap,
            (-1, _) | (_, -1) => -1,
            (one, other) => one.max(other),
        },
        cpu_shares: a.cpu_shares.max(b.cpu_shares),
        cpu_period,
        cpu_quota,
        cpuset_cpus: set(&a.cpuset_cpus, &b.cpuset_cpus),
        cpuset_mems: set(&a.cpuset_mems, &b.cpuset_mems),
    };
}

/// Period and quota of who may use more of a processor.
fn processor_time(a: &LinuxResources, b: &LinuxResources) -> (u64, i64) {
    let period = |of: &LinuxResources| if of.cpu_period == 0 { 100_000 } else { of.cpu_period };
    let share = |of: &LinuxResources, by: &LinuxResources| i128::from(of.cpu_quota) * i128::from(period(by));
    let widest = match (a.cpu_quota, b.cpu_quota) {
        (0, _) => a,
        (_, 0) => b,
        _ if share(a, b) >= share(b, a) => a,
        _ => b,
    };
    (widest.cpu_period, widest.cpu_quota)
}

/// All that either names; nothing names everything, and so does what cannot be read.
fn set(a: &str, b: &str) -> String {
    let (Some(mut all), Some(more)) = (numbers(a), numbers(b)) else { return String::new() };
    all.extend(more);
    all.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The numbers of a list such as `0-3,7`.
fn numbers(text: &str) -> Option<BTreeSet<u32>> {
    let mut all = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        // More than any machine has: nobody's limit.
        if last >= 1 << 16 {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_holds() {
        let limits = |memory, memory_swap, cpu_period, cpu_quota, cpus: &str| LinuxResources {
            memory,
            memory_swap,
            cpu_period,
            cpu_quota,
            cpuset_cpus: cpus.into(),
            ..Default::default()
        };
        let cases = [
            (limits(1, 2, 100, 50, "0-1"), limits(3, 1, 200, 80, "1,3"), limits(3, 2, 100, 50, "0,1,3")),
            (limits(1, -1, 0, 50, ""), limits(0, 5, 0, 60, "1"), limits(0, -1, 0, 60, "")),
            (limits(2, 0, 0, 0, "x"), limits(1, 4, 100, 60, "1"), limits(2, 4, 0, 0, "")),
            (limits(1, 1, 100, 60, "0"), limits(1, 1, 0, 90_000, "0"), limits(1, 1, 0, 90_000, "0")),
        ];
        for (one, other, expected) in cases {
            for (one, other) in [(&one, &other), (&other, &one)] {
                let mut known = Some(one.clone());
                relax(&mut known, Some(other));
                assert_eq!(known.as_ref(), Some(&expected), "{one:?} {other:?}");
                relax(&mut known, None);
                assert_eq!(known.as_ref(), Some(&expected));
            }
        }
        let mut known = None;
        relax(&mut known, Some(&limits(1, 1, 1, 1, "")));
        assert_eq!(known, Some(limits(1, 1, 1, 1, "")));
    }
}
