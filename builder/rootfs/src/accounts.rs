//! Lines of `/etc/passwd` and `/etc/group`. Pure.
//!
//! Names are looked up in the text of a root's own files, never through the host's name service. A line with a number that
//! is none is passed over as a whole, so that a broken line can never make somebody root.

/// Longest account file that is read, in bytes; BuildKit's. No real one comes near, and a hostile one must not fill the memory.
pub const MAX_FILE: u64 = 10 << 20;

/// Ids above this are refused, as every other builder does.
pub const MAX_ID: u32 = i32::MAX.unsigned_abs();

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// The user's name, never empty.
    pub name: &'a str,
    /// The user's id.
    pub uid: u32,
    /// The id of the user's own group.
    pub gid: u32,
    /// The home directory; may be empty.
    pub home: &'a str,
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The group's name, never empty.
    pub name: &'a str,
    /// The group's id.
    pub gid: u32,
    /// Names of its members, with commas between them.
    members: &'a str,
}

impl<'a> Group<'a> {
    /// Names of those who belong to the group beside those whose own group it is.
    pub fn members(&self) -> impl Iterator<Item = &'a str> {
        self.members.split(',')
    }
}

/// The users in the text of a passwd file, in order.
///
/// ```
/// use xx_build_rootfs::accounts::accounts;
///
/// let users = "root:x:0:0:root:/root:/bin/sh\nbroken:x:1000:abc::/:\n";
/// let names: Vec<&str> = accounts(users).map(|account| account.name).collect();
/// assert_eq!(names, ["root"]);
/// ```
pub fn accounts(text: &str) -> impl Iterator<Item = Account<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let home = fields.nth(1).unwrap_or_default();
        (!name.is_empty() && uid <= MAX_ID && gid <= MAX_ID).then_some(Account { name, uid, gid, home })
    })
}

/// The groups in the text of a group file, in order.
pub fn groups(text: &str) -> impl Iterator<Item = Group<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _password, gid) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
        let members = fields.next().unwrap_or_default();
        (!name.is_empty() && gid <= MAX_ID).then_some(Group { name, gid, members })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_lines_are_nobodys() {
        let users = "www-data:x:33:34:www-data:/var/www:/usr/sbin/nologin\n\n#c\nu:x:1000:abc::/:\nu:x:zero:0::/:\n:x:1:1\nshort:x:7\nhuge:x:4294967296:1::/:\n neat:x:5:6";
        let found: Vec<(&str, u32, u32, &str)> =
            accounts(users).map(|account| (account.name, account.uid, account.gid, account.home)).collect();
        assert_eq!(found, [("www-data", 33, 34, "/var/www"), ("neat", 5, 6, "")]);
        let lines = "staff:x:50:\nbroken:x:\nbroken:x:0x0:ann\nvideo:x:44:ann,bob\nhuge:x:2147483648:ann\n";
        let found: Vec<(&str, u32, Vec<&str>)> =
            groups(lines).map(|group| (group.name, group.gid, group.members().collect())).collect();
        assert_eq!(found, [("staff", 50, vec![""]), ("video", 44, vec!["ann", "bob"])]);
    }
}
