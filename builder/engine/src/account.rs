//! Names of users and groups, looked up in the account files of a root.

use std::path::Path;

use super::EngineError;
use xx_build_frontend::llb::pb;
use xx_build_rootfs::Root;

/// No real account file comes near; a hostile one must not fill the memory.
const MAX_FILE: u64 = 4 << 20;

/// User and group id of an owner; `lookup` gives the root that a name is looked up in.
pub(super) fn owner<'a>(
    chown: Option<&pb::ChownOpt>,
    lookup: &dyn Fn(i64) -> Option<Root<'a>>,
) -> Result<Option<(u32, u32)>, EngineError> {
    let Some(chown) = chown else { return Ok(None) };
    let (mut uid, mut gid) = (0, 0);
    match chown.user.as_ref().and_then(|user| user.user.as_ref()) {
        Some(pb::user_opt::User::ById(id)) => {
            uid = *id;
            gid = *id;
        }
        Some(pb::user_opt::User::ByName(named)) => {
            (uid, gid) = find(lookup(named.input), "/etc/passwd", "user", &named.name)?;
        }
        None => {}
    }
    match chown.group.as_ref().and_then(|group| group.user.as_ref()) {
        Some(pb::user_opt::User::ById(id)) => gid = *id,
        Some(pb::user_opt::User::ByName(named)) => {
            (gid, _) = find(lookup(named.input), "/etc/group", "group", &named.name)?;
        }
        None => {}
    }
    Ok(Some((uid, gid)))
}

fn find(
    root: Option<Root<'_>>,
    file: &'static str,
    kind: &'static str,
    name: &str,
) -> Result<(u32, u32), EngineError> {
    let bytes = match root {
        Some(root) => root.read_file(Path::new(file), MAX_FILE).map_err(EngineError::Accounts)?,
        None => None,
    };
    let missing = || EngineError::NoAccount { kind, name: name.to_owned(), file };
    let text = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| ids(line, name)).ok_or_else(missing)
}

/// Third and fourth field of a line that begins with `name`: uid and gid in passwd; in group the fourth
/// is a list and counts as 0.
fn ids(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let id = fields.nth(1)?.parse().ok()?;
    Some((id, fields.next().and_then(|field| field.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::ids;

    #[test]
    fn lines_of_account_files() {
        let cases = [
            ("www-data:x:33:34:www-data:/var/www:/usr/sbin/nologin", "www-data", Some((33, 34))),
            ("staff:x:50:", "staff", Some((50, 0))),
            ("root:x:0:0::/root:/bin/sh", "roo", None),
            ("broken:x:", "broken", None),
            ("", "", None),
        ];
        for (line, name, expected) in cases {
            assert_eq!(ids(line, name), expected, "{line}");
        }
    }
}
