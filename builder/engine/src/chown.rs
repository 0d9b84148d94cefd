//! The owner that a COPY asks for: names of users and groups, looked up in the account files of a root.

use std::path::Path;

use super::EngineError;
use xx_build_frontend::llb::pb;
use xx_build_rootfs::Root;
use xx_build_rootfs::accounts::{self, accounts, groups};

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
            let text = read(lookup(named.input), "/etc/passwd")?;
            let account = accounts(&text).find(|account| account.name == named.name);
            (uid, gid) = account
                .map(|account| (account.uid, account.gid))
                .ok_or_else(|| missing("user", &named.name, "/etc/passwd"))?;
        }
        None => {}
    }
    match chown.group.as_ref().and_then(|group| group.user.as_ref()) {
        Some(pb::user_opt::User::ById(id)) => gid = *id,
        Some(pb::user_opt::User::ByName(named)) => {
            let text = read(lookup(named.input), "/etc/group")?;
            let group = groups(&text).find(|group| group.name == named.name);
            gid = group.ok_or_else(|| missing("group", &named.name, "/etc/group"))?.gid;
        }
        None => {}
    }
    Ok(Some((uid, gid)))
}

fn read(root: Option<Root<'_>>, file: &str) -> Result<String, EngineError> {
    let bytes = match root {
        Some(root) => root.read_file(Path::new(file), accounts::MAX_FILE).map_err(EngineError::Accounts)?,
        None => None,
    };
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

fn missing(kind: &'static str, name: &str, file: &'static str) -> EngineError {
    EngineError::NoAccount { kind, name: name.to_owned(), file }
}
