//! The ids that processes of one step have had, each with its number. Pure, but for the note that a process bears.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rustix::io::{Errno, Result};

use super::Unreal;
use super::creds::Creds;
use super::process::Process;

/// Different ids that a step may use, in all. Nobody says when the last process with some ids is gone, so they are kept
/// to the end; this and [`MOST_GROUPS`] bound what a step takes of the builder's memory to some 16 MiB.
const MOST: usize = 1 << 16;

/// Members of all different lists of groups together: 16 of the longest that the kernel takes.
const MOST_GROUPS: usize = 1 << 20;

/// The ids in use in one step.
pub(super) struct Known {
    creds: Vec<Creds>,
    numbers: HashMap<Creds, usize>,
    lists: HashSet<Rc<[u32]>>,
    groups: usize,
    /// Something that was asked and not answered truly.
    pub(super) unreal: Option<Unreal>,
}

impl Known {
    /// Knows what a step's first process starts with.
    pub(super) fn new(start: Creds) -> Self {
        let groups = start.groups.len();
        let lists = HashSet::from([Rc::clone(&start.groups)]);
        let numbers = HashMap::from([(start.clone(), 0)]);
        Self { creds: vec![start], numbers, lists, groups, unreal: None }
    }

    /// What a process is said to be.
    pub(super) fn of(&self, process: &Process<'_>) -> Result<&Creds> {
        let first = self.creds.first().ok_or(Errno::SRCH);
        process.note().and_then(|note| self.creds.get(note)).map_or(first, Ok)
    }

    /// Whether processes of different users have been seen.
    pub(super) fn has_several_users(&self) -> bool {
        let users = |creds: &Creds| creds.user.effective;
        self.creds.first().is_some_and(|first| self.creds.iter().any(|other| users(other) != users(first)))
    }

    /// The number of these ids. `ENOMEM` once too many different ones have been used.
    pub(super) fn number(&mut self, mut creds: Creds) -> Result<usize> {
        if let Some(number) = self.numbers.get(&creds) {
            return Ok(*number);
        }
        let next = self.creds.len();
        if next >= MOST {
            return Err(Errno::NOMEM);
        }
        if let Some(same) = self.lists.get(&creds.groups) {
            creds.groups = Rc::clone(same);
        } else {
            let groups = self.groups + creds.groups.len();
            if groups > MOST_GROUPS {
                return Err(Errno::NOMEM);
            }
            self.groups = groups;
            self.lists.insert(Rc::clone(&creds.groups));
        }
        self.creds.push(creds.clone());
        self.numbers.insert(creds, next);
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::creds::Ids;
    use super::*;

    #[test]
    fn a_step_that_counts_up_ids_takes_no_more_memory() {
        let root = Creds::new(0, 0, Rc::new([]));
        let mut known = Known::new(root.clone());
        let lists = (0..40).map(|number| (number..number + 65_536).collect::<Rc<[u32]>>());
        let taken = lists.filter(|list| known.number(root.with_groups(Rc::clone(list))).is_ok()).count();
        assert_eq!((taken, known.lists.len()), (16, 17));
        let again: Rc<[u32]> = (0..65_536).collect();
        assert_eq!(
            known.number(root.with_groups(Rc::clone(&again))),
            Ok(1),
            "what it has used it can use again"
        );
        let user = known
            .number(root.with_groups(again).with_user(Ids::all(5)))
            .map(|number| known.creds.get(number));
        assert!(
            user.is_ok_and(|user| user.is_some_and(|user| Rc::strong_count(&user.groups) > 2)),
            "one list"
        );
        let users = (0..70_000).filter(|&uid| known.number(root.with_user(Ids::all(uid))).is_ok()).count();
        assert_eq!((users < MOST, known.creds.len()), (true, MOST));
    }
}
