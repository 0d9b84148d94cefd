//! File operations: COPY, ADD, WORKDIR and heredoc files, as LLB has them.
//!
//! The actions of one operation form a little graph of their own. An action whose input nobody else
//! needs writes into the same layer, so the usual chain (make a directory, copy, copy) is one layer.

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::copy::CopyAction;
use super::job::{Input, Job};
use super::{Context, EngineError, chown};
use xx_build_frontend::llb::pb::{self, file_action::Action};
use xx_build_rootfs::{
    CopyOptions, Located, Metadata, NewDirectories, Root, RootError, Tree, copy, remove_all,
};
use xx_build_store::{ActiveLayer, LayerId, OutputLayer};

/// The input of an action that stands for a file system without any file, such as a stage that is `FROM scratch` alone.
const EMPTY: i64 = -1;

/// A file system on its way through the actions.
enum State {
    /// A result that must not change.
    Fixed(Input),
    /// A layer that is being written.
    Open { base: Option<LayerId>, layer: ActiveLayer, root: OwnedFd },
    /// Taken by the one action that needed it.
    Taken,
}

/// Runs the actions and returns the outputs in order.
pub(super) fn run(context: Context<'_>, job: &Job, op: &pb::FileOp) -> Result<Vec<OutputLayer>, EngineError> {
    let mut states: Vec<State> = job.inputs.iter().cloned().map(State::Fixed).collect();
    if let [action] = &op.actions[..]
        && let Some(Action::Copy(copy)) = &action.action
        && action.output == 0
    {
        let tree = |index: i64| tree(context, &states, index);
        let owner = owner(copy.owner.as_ref(), &tree)?;
        let copy = CopyAction::find(copy, tree(action.secondary_input)?, owner, context.request.threads)?;
        let (base, mut layer, root) = take(context, op, 0, &mut states)?;
        copy.run_alone(context, (base, &mut layer, root))?;
        return Ok(vec![OutputLayer::New { layer, parent: base }]);
    }
    for (position, action) in op.actions.iter().enumerate() {
        let (base, layer, root) = take(context, op, position, &mut states)?;
        perform(context, action, &states, Root::new(&root, context.store.owners()))?;
        states.push(State::Open { base, layer, root });
    }
    outputs(context, op, job.inputs.len(), states)
}

/// The state that an action changes, ready to be written.
fn take(
    context: Context<'_>,
    op: &pb::FileOp,
    position: usize,
    states: &mut [State],
) -> Result<(Option<LayerId>, ActiveLayer, OwnedFd), EngineError> {
    let wanted = op.actions.get(position).map_or(-1, |action| action.input);
    let fresh = |base| context.writable(base).map(|(layer, root)| (base, layer, root));
    if wanted < 0 {
        return fresh(None);
    }
    let inputs = states.len() - position;
    let index = usize::try_from(wanted).unwrap_or(usize::MAX);
    let later = op.actions.iter().skip(position + 1);
    let needed_later = later.clone().any(|action| action.input == wanted || action.secondary_input == wanted);
    let is_output =
        index.checked_sub(inputs).and_then(|made| op.actions.get(made)).is_some_and(|a| a.output >= 0);
    let Some(state) = states.get_mut(index) else { return Err(bad_index(wanted)) };
    match state {
        State::Fixed(Input::Layer(layer)) => fresh(*layer),
        State::Fixed(local @ Input::Local(_)) => {
            let local = local.clone();
            let (layer, root) = context.writable(None)?;
            let tree = context.tree(&local)?;
            copy_everything(&tree, Root::new(&root, context.store.owners()), context.request.threads)?;
            Ok((None, layer, root))
        }
        State::Open { .. } if !needed_later && !is_output => match std::mem::replace(state, State::Taken) {
            State::Open { base, layer, root } => Ok((base, layer, root)),
            State::Fixed(_) | State::Taken => Err(bad_index(wanted)),
        },
        State::Open { .. } => {
            let fixed = freeze(context, std::mem::replace(state, State::Taken))?;
            *state = State::Fixed(Input::Layer(fixed));
            fresh(fixed)
        }
        State::Taken => Err(bad_index(wanted)),
    }
}

fn bad_index(index: i64) -> EngineError {
    EngineError::Unsupported(format!("a file action on input {index}"))
}

/// Makes a state a layer that does not change any more.
fn freeze(context: Context<'_>, state: State) -> Result<Option<LayerId>, EngineError> {
    match state {
        State::Open { base, layer, root } => {
            drop(root);
            Ok(Some(context.store.add_layer(layer, base)?))
        }
        State::Fixed(Input::Layer(layer)) => Ok(layer),
        State::Fixed(Input::Local(_)) | State::Taken => Err(bad_index(-1)),
    }
}

fn outputs(
    context: Context<'_>,
    op: &pb::FileOp,
    inputs: usize,
    mut states: Vec<State>,
) -> Result<Vec<OutputLayer>, EngineError> {
    let count = op.actions.iter().map(|action| action.output + 1).max().unwrap_or(0);
    let mut out = vec![];
    for output in 0..count {
        let position = op.actions.iter().position(|action| action.output == output);
        let state = position.and_then(|position| states.get_mut(inputs + position));
        out.push(match state.map(|state| std::mem::replace(state, State::Taken)) {
            None => OutputLayer::Empty,
            Some(State::Open { base, layer, root }) => {
                drop(root);
                OutputLayer::New { layer, parent: base }
            }
            Some(state) => freeze(context, state)?.map_or(OutputLayer::Empty, OutputLayer::Existing),
        });
    }
    Ok(out)
}

/// The files of a state, to read.
fn tree(context: Context<'_>, states: &[State], index: i64) -> Result<Tree, EngineError> {
    if index == EMPTY {
        return context.tree(&Input::Layer(None));
    }
    match usize::try_from(index).ok().and_then(|index| states.get(index)) {
        Some(State::Fixed(input)) => context.tree(input),
        Some(State::Open { root, .. }) => {
            let copy = root.try_clone().map_err(|error| RootError::new("cannot open", "/", error))?;
            Ok(Tree::result(copy, context.store.owners()))
        }
        Some(State::Taken) | None => Err(bad_index(index)),
    }
}

fn perform(
    context: Context<'_>,
    action: &pb::FileAction,
    states: &[State],
    root: Root<'_>,
) -> Result<(), EngineError> {
    let tree = |index: i64| tree(context, states, index);
    let owner = |chown: Option<&pb::ChownOpt>| owner(chown, &tree);
    match &action.action {
        Some(Action::Copy(copy)) => {
            let source = tree(action.secondary_input)?;
            let owner = owner(copy.owner.as_ref())?;
            CopyAction::find(copy, source, owner, context.request.threads)?.run(root)
        }
        Some(Action::Mkdir(mkdir)) => make_directory(mkdir, root, owner(mkdir.owner.as_ref())?),
        Some(Action::Mkfile(mkfile)) => make_file(mkfile, root, owner(mkfile.owner.as_ref())?),
        Some(Action::Symlink(link)) => make_link(link, root, owner(link.owner.as_ref())?),
        Some(Action::Rm(remove)) => {
            let own = root.try_clone().map_err(|error| RootError::new("cannot open", "/", error))?;
            remove_path(remove, &Tree::result(own, context.store.owners()), root)
        }
        None => Err(EngineError::Unsupported("a file action without a kind".to_owned())),
    }
}

/// Looks the owner up; the trees that names come from are opened only when there is a name.
fn owner(
    chown: Option<&pb::ChownOpt>,
    tree: &dyn Fn(i64) -> Result<Tree, EngineError>,
) -> Result<Option<(u32, u32)>, EngineError> {
    let index = |who: &Option<pb::UserOpt>| match who.as_ref().and_then(|who| who.user.as_ref()) {
        Some(pb::user_opt::User::ByName(named)) => Some(named.input),
        Some(pb::user_opt::User::ById(_)) | None => None,
    };
    let named = chown.and_then(|chown| index(&chown.user).or_else(|| index(&chown.group)));
    let accounts = named.filter(|input| *input >= 0).map(tree).transpose()?;
    chown::owner(chown, &|_| accounts.as_ref().map(Tree::root))
}

/// A time stamp of an operation: -1 and less stand for none.
pub(super) fn timestamp(nanoseconds: i64) -> Option<i64> {
    (nanoseconds >= 0).then_some(nanoseconds)
}

/// Takes over all that a directory of the user shows.
fn copy_everything(tree: &Tree, root: Root<'_>, threads: usize) -> Result<(), EngineError> {
    let options =
        CopyOptions { owner: None, mode: None, time: None, contents_only: true, replace: false, threads };
    for source in tree.matches("/", false, true)?.found {
        copy(tree, &source, &|_, _| xx_build_rootfs::Visibility::Show, root, "/", &options)?;
    }
    Ok(())
}

fn make_directory(
    action: &pb::FileActionMkDir,
    root: Root<'_>,
    owner: Option<(u32, u32)>,
) -> Result<(), EngineError> {
    let directories = NewDirectories {
        mode: action.mode.unsigned_abs() & 0o7777,
        owner: owner.unwrap_or((0, 0)),
        time: timestamp(action.timestamp),
    };
    let path = Path::new(&action.path);
    if !action.make_parents
        && let Some(parent) = path.parent()
    {
        drop(root.open_directory(parent)?);
    }
    root.create_directories(path, directories)?;
    Ok(())
}

fn make_file(
    action: &pb::FileActionMkFile,
    root: Root<'_>,
    owner: Option<(u32, u32)>,
) -> Result<(), EngineError> {
    let target = root.locate(Path::new(&action.path), true)?;
    let fail = |error: std::io::Error| RootError::new("cannot write", &target.path, error);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(action.mode.unsigned_abs() & 0o777);
    let fd = rustix::fs::openat(&target.directory, &target.name, flags, mode).map_err(|e| fail(e.into()))?;
    std::fs::File::from(fd).write_all(&action.data).map_err(fail)?;
    finish(root, &target, Some(action.mode), (owner, action.timestamp)).map_err(fail)?;
    Ok(())
}

fn make_link(
    action: &pb::FileActionSymlink,
    root: Root<'_>,
    owner: Option<(u32, u32)>,
) -> Result<(), EngineError> {
    let target = root.locate(Path::new(&action.newpath), false)?;
    let fail = |errno: Errno| RootError::new("cannot write", &target.path, errno);
    rustix::fs::symlinkat(&action.oldpath, &target.directory, &target.name).map_err(fail)?;
    finish(root, &target, None, (owner, action.timestamp))
        .map_err(|error| RootError::new("cannot write", &target.path, error))?;
    Ok(())
}

/// Gives a new file or link its metadata; links have no mode.
fn finish(
    root: Root<'_>,
    target: &Located,
    mode: Option<i32>,
    (owner, time): (Option<(u32, u32)>, i64),
) -> std::io::Result<()> {
    let metadata = Metadata {
        owner: owner.unwrap_or((0, 0)),
        mode: mode.map(|mode| mode.unsigned_abs() & 0o777),
        time: timestamp(time),
        xattrs: vec![],
    };
    metadata.apply(root.owners(), target.directory.as_fd(), &target.name)
}

fn remove_path(action: &pb::FileActionRm, tree: &Tree, root: Root<'_>) -> Result<(), EngineError> {
    let path = Path::new(&action.path);
    if action.allow_wildcard {
        // A pattern that matches nothing removes nothing.
        for found in tree.matches(&action.path, true, false)?.found {
            let located = found.located();
            remove_all(located.directory.as_fd(), &located.name)?;
        }
        return Ok(());
    }
    if path.file_name().is_none() {
        return Err(RootError::new("cannot remove", path, Errno::INVAL).into());
    }
    let located = match root.locate(path, false) {
        Err(error) if action.allow_not_found && error.source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(());
        }
        result => result?,
    };
    if located.stat()?.is_none() && !action.allow_not_found {
        return Err(RootError::new("cannot remove", path, Errno::NOENT).into());
    }
    Ok(remove_all(located.directory.as_fd(), &located.name)?)
}
