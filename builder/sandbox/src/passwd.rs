//! The user of a step, resolved against the texts of `/etc/passwd` and `/etc/group` of its own root. Pure.

use thiserror::Error;
use xx_build_rootfs::accounts::{MAX_ID, accounts, groups};

/// Who runs a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups in ascending order; its own group is one of them.
    pub(super) groups: Vec<u32>,
    /// `HOME` unless the step sets it.
    pub(super) home: String,
}

/// A user that the root does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UserError {
    /// A name without a line in `/etc/passwd`.
    #[error("no user `{0}` in `/etc/passwd` of the step's root")]
    NoUser(String),
    /// A name without a line in `/etc/group`.
    #[error("no group `{0}` in `/etc/group` of the step's root")]
    NoGroup(String),
    /// A number that is no id.
    #[error("`{0}` is not an id: ids go from 0 to 2147483647")]
    OutOfRange(String),
}

/// The name of user `uid` in the text of a passwd file.
pub(super) fn name_of(users: &str, uid: u32) -> Option<&str> {
    accounts(users).find(|account| account.uid == uid).map(|account| account.name)
}

/// Resolves `user`, `user:group`, each a name or a number, against the texts of passwd and group. Empty is root.
///
/// A number needs no line; without one its group is 0. It is never taken for a name. Supplementary groups are those that
/// list the user, unless a group is asked for, and always the group itself: without it, a file that is closed to the group
/// would open once a program has changed its group (CVE-2022-36109).
pub(super) fn resolve(user: &str, users: &str, group_text: &str) -> Result<User, UserError> {
    let (name, group) = match user.split_once(':') {
        Some((name, group)) => (name, (!group.is_empty()).then_some(group)),
        None => (user, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let number = id(name)?;
    let account = accounts(users).find(|account| match number {
        Some(number) => account.uid == number,
        None => account.name == name,
    });
    let (uid, own_gid, home) = match (&account, number) {
        (Some(account), _) => (account.uid, account.gid, account.home),
        (None, Some(number)) => (number, 0, ""),
        (None, None) if name == "root" => (0, 0, ""),
        (None, None) => return Err(UserError::NoUser(name.to_owned())),
    };
    let (gid, mut supplementary) = match group {
        Some(group) => (group_id(group, group_text)?, Vec::new()),
        None => (own_gid, account.map_or_else(Vec::new, |account| memberships(account.name, group_text))),
    };
    supplementary.push(gid);
    supplementary.sort_unstable();
    supplementary.dedup();
    let home = if home.is_empty() { "/" } else { home };
    Ok(User { uid, gid, groups: supplementary, home: home.to_owned() })
}

fn group_id(group: &str, text: &str) -> Result<u32, UserError> {
    let number = id(group)?;
    let named = || groups(text).find(|line| line.name == group).map(|line| line.gid);
    number
        .or_else(named)
        .or((group == "root").then_some(0))
        .ok_or_else(|| UserError::NoGroup(group.to_owned()))
}

fn memberships(user: &str, text: &str) -> Vec<u32> {
    groups(text).filter(|group| group.members().any(|member| member == user)).map(|group| group.gid).collect()
}

/// `Ok(None)` for what is a name.
fn id(word: &str) -> Result<Option<u32>, UserError> {
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match word.parse() {
        Ok(id) if id <= MAX_ID => Ok(Some(id)),
        Ok(_) | Err(_) => Err(UserError::OutOfRange(word.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nbroken:x:zero:0::/:\nbin:x:2:2:::\n#c\nann:x:1000:1001:,,:/home/ann:/bin/sh\n7:x:8:8::/seven:\nhuge:x:4294967296:1::/huge:\nneg:x:-1:0::/:\nshort:x:1030\nnogid:x:1031::::\ndup:x:1010:1010::/one:\ndup:x:1011:1011::/two:\n sp:x:1040:1040::/sp:";
    const GROUPS: &str = "root:x:0:\naudio:x:29:ann,bob\nvideo:x:44:bobann,ann\nann:x:1001:\nwheel:x:10:root,ann,\nbad:x:zz:ann\nnone:x::ann\nhuge:x:4294967296:ann\n5:x:6:\nseven:x:3040:7\ndup:x:50:ann\ndup:x:51:dup\nagain:x:29:ann";

    #[test]
    fn users_resolve_as_docker_does() {
        type Want = (u32, u32, &'static [u32], &'static str);
        let table: &[(&str, Want)] = &[
            ("", (0, 0, &[0, 10], "/root")),
            ("0", (0, 0, &[0, 10], "/root")),
            ("root", (0, 0, &[0, 10], "/root")),
            ("root:", (0, 0, &[0, 10], "/root")),
            (":", (0, 0, &[0, 10], "/root")),
            ("0:0", (0, 0, &[0], "/root")),
            ("root:root", (0, 0, &[0], "/root")),
            ("ann", (1000, 1001, &[10, 29, 44, 50, 1001], "/home/ann")),
            ("1000", (1000, 1001, &[10, 29, 44, 50, 1001], "/home/ann")),
            ("01000", (1000, 1001, &[10, 29, 44, 50, 1001], "/home/ann")),
            ("ann:", (1000, 1001, &[10, 29, 44, 50, 1001], "/home/ann")),
            ("ann:audio", (1000, 29, &[29], "/home/ann")),
            ("ann:29", (1000, 29, &[29], "/home/ann")),
            ("ann:5", (1000, 5, &[5], "/home/ann")),
            ("ann:dup", (1000, 50, &[50], "/home/ann")),
            ("1000:1001", (1000, 1001, &[1001], "/home/ann")),
            ("12:34", (12, 34, &[34], "/")),
            ("12", (12, 0, &[0], "/")),
            ("12:audio", (12, 29, &[29], "/")),
            (":audio", (0, 29, &[29], "/root")),
            ("bin", (2, 2, &[2], "/")),
            ("dup", (1010, 1010, &[51, 1010], "/one")),
            ("1011", (1011, 1011, &[51, 1011], "/two")),
            ("sp", (1040, 1040, &[1040], "/sp")),
            // A number is a number, also where a name looks like one.
            ("7", (7, 0, &[0], "/")),
            ("8", (8, 8, &[8, 3040], "/seven")),
            ("2147483647", (2_147_483_647, 0, &[0], "/")),
        ];
        for &(user, (uid, gid, groups, home)) in table {
            let expected = User { uid, gid, groups: groups.to_vec(), home: home.to_owned() };
            assert_eq!(resolve(user, USERS, GROUPS), Ok(expected), "{user:?}");
        }
    }

    #[test]
    fn unknown_users_are_refused() {
        let table = [
            ("bob", UserError::NoUser("bob".into())),
            ("broken", UserError::NoUser("broken".into())),
            // Lines with an id that is none: cut to 32 bits it would be root's.
            ("huge", UserError::NoUser("huge".into())),
            ("neg", UserError::NoUser("neg".into())),
            ("short", UserError::NoUser("short".into())),
            ("nogid", UserError::NoUser("nogid".into())),
            ("ann:none", UserError::NoGroup("none".into())),
            ("ann:huge", UserError::NoGroup("huge".into())),
            ("4294967296", UserError::OutOfRange("4294967296".into())),
            ("4294967296:4294967296", UserError::OutOfRange("4294967296".into())),
            ("18446744073709551616", UserError::OutOfRange("18446744073709551616".into())),
            ("0:4294967296", UserError::OutOfRange("4294967296".into())),
            ("2147483648", UserError::OutOfRange("2147483648".into())),
            ("0:99999999999", UserError::OutOfRange("99999999999".into())),
            ("-1", UserError::NoUser("-1".into())),
        ];
        for (user, error) in table {
            assert_eq!(resolve(user, USERS, GROUPS), Err(error), "{user:?}");
        }
        assert_eq!(
            resolve("root:root", "", "").map(|user| (user.uid, user.gid)),
            Ok((0, 0)),
            "no files at all"
        );
    }
}
