//! The ids that a process believes to have, and the kernel's rules for changing them. Pure.
//!
//! Whose effective user is 0 may become anybody; everybody else only who it already is somewhere. So what a
//! process has dropped for good it cannot have again, which programs that drop privileges check.

use std::rc::Rc;

use rustix::io::Errno;

/// Real, effective, saved and file system id, of users or of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ids {
    pub(super) real: u32,
    pub(super) effective: u32,
    pub(super) saved: u32,
    pub(super) file_system: u32,
}

/// "Leave it as it is" in the kernel's interface.
const KEEP: u32 = u32::MAX;

impl Ids {
    pub(super) fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id, file_system: id }
    }

    fn has(self, id: u32) -> bool {
        [self.real, self.effective, self.saved].contains(&id)
    }

    /// `setuid`, `setgid`.
    pub(super) fn set(self, id: u32, privileged: bool) -> Result<Self, Errno> {
        match (id, privileged) {
            (KEEP, _) => Err(Errno::INVAL),
            (_, true) => Ok(Self::all(id)),
            (_, false) if id == self.real || id == self.saved => {
                Ok(Self { effective: id, file_system: id, ..self })
            }
            (_, false) => Err(Errno::PERM),
        }
    }

    /// `setreuid`, `setregid`.
    pub(super) fn set_real_effective(
        self,
        real: u32,
        effective: u32,
        privileged: bool,
    ) -> Result<Self, Errno> {
        let may_real = real == KEEP || privileged || real == self.real || real == self.effective;
        let may_effective = effective == KEEP || privileged || self.has(effective);
        if !(may_real && may_effective) {
            return Err(Errno::PERM);
        }
        let or = |new, old| if new == KEEP { old } else { new };
        let now = or(effective, self.effective);
        let saved =
            if real != KEEP || (effective != KEEP && effective != self.real) { now } else { self.saved };
        Ok(Self { real: or(real, self.real), effective: now, saved, file_system: now })
    }

    /// `setresuid`, `setresgid`.
    pub(super) fn set_all(self, new: [u32; 3], privileged: bool) -> Result<Self, Errno> {
        if !privileged && new.iter().any(|&id| id != KEEP && !self.has(id)) {
            return Err(Errno::PERM);
        }
        let or = |new, old| if new == KEEP { old } else { new };
        let [real, effective, saved] = new;
        let effective = or(effective, self.effective);
        Ok(Self {
            real: or(real, self.real),
            effective,
            saved: or(saved, self.saved),
            file_system: effective,
        })
    }

    /// `setfsuid`, `setfsgid`: never an error.
    pub(super) fn set_file_system(self, id: u32, privileged: bool) -> Self {
        let may = id != KEEP && (privileged || self.has(id) || id == self.file_system);
        if may { Self { file_system: id, ..self } } else { self }
    }
}

/// A set of capabilities as `capset` has it, of which the ones here matter.
pub(super) type Capabilities = u32;

/// `CAP_CHOWN`: may give files away.
pub(super) const CHOWN: Capabilities = 1 << 0;
/// `CAP_SETGID`: may take any group.
pub(super) const SETGID: Capabilities = 1 << 6;
/// `CAP_SETUID`: may become anybody.
pub(super) const SETUID: Capabilities = 1 << 7;

/// All ids of a process, and what it may do about them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Creds {
    pub(super) user: Ids,
    pub(super) group: Ids,
    /// Shared by all that have the same.
    pub(super) groups: Rc<[u32]>,
    permitted: Capabilities,
    effective: Capabilities,
    /// `PR_SET_KEEPCAPS`.
    keep: bool,
}

impl Creds {
    pub(super) fn new(uid: u32, gid: u32, groups: Rc<[u32]>) -> Self {
        let all = if uid == 0 { Capabilities::MAX } else { 0 };
        Self {
            user: Ids::all(uid),
            group: Ids::all(gid),
            groups,
            permitted: all,
            effective: all,
            keep: false,
        }
    }

    pub(super) fn may(&self, capability: Capabilities) -> bool {
        self.effective & capability != 0
    }

    /// With other user ids: leaving 0 behind loses capabilities, coming back to it revives those still permitted.
    pub(super) fn with_user(&self, user: Ids) -> Self {
        let mut new = Self { user, ..self.clone() };
        let was_root = self.user.has(0);
        if was_root && !user.has(0) {
            new.permitted = if self.keep { self.permitted } else { 0 };
            new.effective = 0;
        } else if self.user.effective == 0 && user.effective != 0 {
            new.effective = 0;
        } else if self.user.effective != 0 && user.effective == 0 {
            new.effective = self.permitted;
        }
        new
    }

    /// With other group ids.
    pub(super) fn with_group(&self, group: Ids) -> Self {
        Self { group, ..self.clone() }
    }

    /// With other supplementary groups.
    pub(super) fn with_groups(&self, groups: Rc<[u32]>) -> Self {
        Self { groups, ..self.clone() }
    }

    /// `capset`.
    pub(super) fn with_capabilities(
        &self,
        effective: Capabilities,
        permitted: Capabilities,
    ) -> Result<Self, Errno> {
        let looked_at = CHOWN | SETGID | SETUID;
        if permitted & looked_at & !self.permitted != 0 || effective & looked_at & !permitted != 0 {
            return Err(Errno::PERM);
        }
        Ok(Self {
            effective: effective & self.permitted,
            permitted: permitted & self.permitted,
            ..self.clone()
        })
    }

    /// `PR_SET_KEEPCAPS`.
    pub(super) fn with_keep(&self, keep: bool) -> Self {
        Self { keep, ..self.clone() }
    }

    /// What another program starts with: root has all, nobody else has any. `as_user` and `as_group` are
    /// the owners of a program with the set-id bits.
    pub(super) fn after_exec(&self, as_user: Option<u32>, as_group: Option<u32>) -> Self {
        let started = |ids: Ids, as_owner: Option<u32>| {
            let effective = as_owner.unwrap_or(ids.effective);
            Ids { effective, saved: effective, file_system: effective, ..ids }
        };
        let (user, group) = (started(self.user, as_user), started(self.group, as_group));
        let all = if user.effective == 0 || user.real == 0 { Capabilities::MAX } else { 0 };
        Self {
            user,
            group,
            groups: Rc::clone(&self.groups),
            permitted: all,
            effective: if user.effective == 0 { all } else { 0 },
            keep: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ids(real: u32, effective: u32, saved: u32) -> Ids {
        Ids { real, effective, saved, file_system: effective }
    }

    #[test]
    fn a_drop_cannot_be_regained() {
        let root = Ids::all(0);
        let dropped = root.set_all([42; 3], true).unwrap();
        assert_eq!(dropped, Ids::all(42));
        assert_eq!(dropped.set(0, false), Err(Errno::PERM));
        assert_eq!(dropped.set_all([0, KEEP, KEEP], false), Err(Errno::PERM));
        assert_eq!(dropped.set_real_effective(KEEP, 0, false), Err(Errno::PERM));
        assert_eq!(dropped.set_file_system(0, false), dropped);
        let for_a_while = root.set_all([KEEP, 42, KEEP], true).unwrap();
        assert_eq!(for_a_while.set_all([KEEP, 0, KEEP], false), Ok(root));
    }

    #[test]
    fn capabilities_follow_the_user() {
        let root = Creds::new(0, 0, Rc::new([]));
        let dropped = root.with_user(Ids::all(42));
        assert!(!dropped.may(SETUID) && dropped.with_capabilities(SETUID, SETUID) == Err(Errno::PERM));
        let kept = root.with_keep(true).with_user(Ids::all(42));
        assert!(!kept.may(SETGID));
        let raised = kept.with_capabilities(SETGID, SETGID | SETUID).unwrap();
        assert!(raised.may(SETGID) && !raised.may(SETUID));
        assert!(!raised.after_exec(None, None).may(SETGID), "an ordinary user's program has none");
        let for_a_while = root.with_user(ids(0, 42, 0));
        assert!(!for_a_while.may(CHOWN) && for_a_while.with_user(Ids::all(0)).may(CHOWN));
        assert!(
            for_a_while.with_user(ids(42, 42, 0)).after_exec(None, None).user == Ids::all(42),
            "exec forgets the saved"
        );
        let raised = dropped.after_exec(Some(0), None);
        assert!(raised.user == ids(42, 0, 0) && raised.may(SETUID), "a setuid program of root");
    }

    #[test]
    fn kernel_rules() {
        let table = [
            (Ids::all(0).set(5, true), Ok(Ids::all(5))),
            (ids(1, 2, 3).set(3, false), Ok(ids(1, 3, 3))),
            (ids(1, 2, 3).set(2, false), Err(Errno::PERM)),
            (ids(1, 2, 3).set(KEEP, true), Err(Errno::INVAL)),
            (ids(1, 2, 3).set_real_effective(2, 1, false), Ok(ids(2, 1, 1))),
            (ids(1, 2, 3).set_real_effective(3, KEEP, false), Err(Errno::PERM)),
            (ids(1, 2, 3).set_real_effective(KEEP, 1, false), Ok(ids(1, 1, 3))),
            (ids(1, 2, 3).set_real_effective(KEEP, 3, false), Ok(ids(1, 3, 3))),
            (ids(1, 2, 3).set_all([3, 1, KEEP], false), Ok(ids(3, 1, 3))),
            (Ok(ids(1, 2, 3).set_file_system(9, true)), Ok(Ids { file_system: 9, ..ids(1, 2, 3) })),
        ];
        for (got, wanted) in table {
            assert_eq!(got, wanted);
        }
    }
}
