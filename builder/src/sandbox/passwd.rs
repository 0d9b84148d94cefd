//! `/etc/passwd` and `/etc/group` text, and the user of a step resolved against them. Pure.
//!
//! Names are looked up in the text of the step's own root, never through the host's name service.

/// The name of user `uid` in the text of a passwd file.
pub(super) fn name_of(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid) && !name.is_empty()).then_some(name)
    })
}
