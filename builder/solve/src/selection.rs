//! Which files of its inputs an operation can see, when that is less than everything.
//!
//! A copy sees what its source path and patterns select; a read-only bind mount sees its selector. The
//! root file system of a step is always seen whole: it goes into the key by identity.

use xx_build_frontend::llb::pb;

/// How one input of a vertex enters its content key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selection {
    /// By the identity of the result: everything in it may matter.
    Whole,
    /// By a digest of what these selectors reach, in the order of the operation.
    Content(Vec<CopySelector>),
}

/// Selects files below one path of an input.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct CopySelector {
    /// The path inside the input, as the operation has it.
    pub path: String,
    /// Whether the last components of `path` may hold wildcards.
    pub wildcard: bool,
    /// Whether a symbolic link at `path` itself is followed.
    pub follow: bool,
    /// Only entries that match one of these; all when empty.
    pub include: Vec<String>,
    /// Not the entries that match one of these.
    pub exclude: Vec<String>,
}

impl CopySelector {
    /// Selects all there is.
    #[must_use]
    pub fn everything() -> Self {
        Self::path("/")
    }

    fn path(path: &str) -> Self {
        Self { path: path.to_owned(), wildcard: false, follow: true, include: vec![], exclude: vec![] }
    }
}

/// The selection of each input of `op`, in the order of its inputs.
pub(super) fn selections(op: &pb::Op) -> Vec<Selection> {
    let mut out: Vec<Option<Selection>> = vec![None; op.inputs.len()];
    match &op.op {
        Some(pb::op::Op::File(file)) => file_selections(file, &mut out),
        Some(pb::op::Op::Exec(exec)) => {
            for mount in &exec.mounts {
                select_mount(mount, &mut out);
            }
        }
        Some(
            pb::op::Op::Source(_)
            | pb::op::Op::Build(_)
            | pb::op::Op::Merge(_)
            | pb::op::Op::Diff(_)
            | pb::op::Op::Passthrough(_),
        )
        | None => {}
    }
    out.into_iter().map(|selection| selection.unwrap_or(Selection::Whole)).collect()
}

fn file_selections(file: &pb::FileOp, out: &mut [Option<Selection>]) {
    use pb::file_action::Action;
    for action in &file.actions {
        whole(action.input, out);
        match &action.action {
            Some(Action::Copy(copy)) => {
                let selector = CopySelector {
                    path: copy.src.clone(),
                    wildcard: copy.allow_wildcard,
                    follow: copy.follow_symlink,
                    include: copy.include_patterns.clone(),
                    exclude: copy.exclude_patterns.clone(),
                };
                content(action.secondary_input, selector, out);
                owner(copy.owner.as_ref(), out);
            }
            Some(Action::Mkfile(mkfile)) => owner(mkfile.owner.as_ref(), out),
            Some(Action::Mkdir(mkdir)) => owner(mkdir.owner.as_ref(), out),
            Some(Action::Symlink(symlink)) => owner(symlink.owner.as_ref(), out),
            Some(Action::Rm(_)) | None => {}
        }
    }
}

/// A named owner is looked up in the account files of an input.
fn owner(chown: Option<&pb::ChownOpt>, out: &mut [Option<Selection>]) {
    let Some(chown) = chown else { return };
    for (who, file) in [(&chown.user, "/etc/passwd"), (&chown.group, "/etc/group")] {
        if let Some(pb::UserOpt { user: Some(pb::user_opt::User::ByName(named)) }) = who {
            // A missing account file is no reason to fail here, so the name is matched as a pattern.
            content(named.input, CopySelector { wildcard: true, ..CopySelector::path(file) }, out);
        }
    }
}

fn select_mount(mount: &pb::Mount, out: &mut [Option<Selection>]) {
    let off = mount.content_cache == i32::from(pb::MountContentCache::Off);
    let bind = mount.mount_type == i32::from(pb::MountType::Bind);
    if bind && mount.readonly && mount.dest != "/" && !off {
        let path = if mount.selector.is_empty() { "/" } else { mount.selector.as_str() };
        content(mount.input, CopySelector::path(path), out);
    } else {
        whole(mount.input, out);
    }
}

fn slot(input: i64, out: &mut [Option<Selection>]) -> Option<&mut Option<Selection>> {
    usize::try_from(input).ok().and_then(|index| out.get_mut(index))
}

fn whole(input: i64, out: &mut [Option<Selection>]) {
    if let Some(slot) = slot(input, out) {
        *slot = Some(Selection::Whole);
    }
}

fn content(input: i64, selector: CopySelector, out: &mut [Option<Selection>]) {
    let Some(slot) = slot(input, out) else { return };
    match slot {
        None => *slot = Some(Selection::Content(vec![selector])),
        Some(Selection::Content(selectors)) => {
            if !selectors.contains(&selector) {
                selectors.push(selector);
            }
        }
        Some(Selection::Whole) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(count: usize) -> Vec<pb::Input> {
        vec![pb::Input::default(); count]
    }

    #[test]
    fn a_copy_sees_its_target_whole_and_its_source_by_content() {
        let copy = pb::FileActionCopy { src: "/a".into(), dest: "/b".into(), ..Default::default() };
        let action = pb::FileAction {
            input: 0,
            secondary_input: 1,
            output: 0,
            action: Some(pb::file_action::Action::Copy(copy)),
        };
        let op = pb::Op {
            inputs: inputs(2),
            op: Some(pb::op::Op::File(pb::FileOp { actions: vec![action.clone(), action] })),
            ..Default::default()
        };
        let [Selection::Whole, Selection::Content(paths)] = &selections(&op)[..] else { panic!("{op:?}") };
        assert_eq!(paths.len(), 1, "the same selector counts once");
        assert_eq!(paths[0].path, "/a");
    }

    #[test]
    fn only_read_only_binds_beside_the_root_are_content() {
        let cases = [("/", true, true), ("/src", true, false), ("/src", false, true)];
        for (dest, readonly, expect_whole) in cases {
            let mount = pb::Mount { dest: dest.into(), readonly, ..Default::default() };
            let op = pb::Op {
                inputs: inputs(1),
                op: Some(pb::op::Op::Exec(pb::ExecOp { mounts: vec![mount], ..Default::default() })),
                ..Default::default()
            };
            assert_eq!(selections(&op) == vec![Selection::Whole], expect_whole, "{dest} {readonly}");
        }
    }
}
