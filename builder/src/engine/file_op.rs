//! File operations: COPY, ADD, WORKDIR and heredoc files, as LLB has them.
//!
//! The actions of one operation form a little graph of their own. An action whose input nobody else
//! needs writes into the same layer, so the usual chain (make a directory, copy, copy) is one layer.

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::job::{Input, Job};
use super::select::PatternFilter;
use super::{Context, EngineError, account};
use crate::llb::pb::{self, file_action::Action};
use crate::rootfs::{
    CopyOptions, Filter, Located, Match, Metadata, ModeChange, NewDirectories, Root, RootError, Tree,
    UnpackOptions, copy, decompressed, has_wildcard, is_archive, remove_all, unpack,
};
use crate::store::{ActiveLayer, LayerId, OutputLayer};

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

fn perform(
    context: Context<'_>,
    action: &pb::FileAction,
    states: &[State],
    root: Root<'_>,
) -> Result<(), EngineError> {
    let tree = |index: i64| -> Result<Tree, EngineError> {
        match usize::try_from(index).ok().and_then(|index| states.get(index)) {
            Some(State::Fixed(input)) => context.tree(input),
            Some(State::Open { root, .. }) => {
                let copy = root.try_clone().map_err(|error| RootError::new("cannot open", "/", error))?;
                Ok(Tree::result(copy, context.store.owners()))
            }
            Some(State::Taken) | None => Err(bad_index(index)),
        }
    };
    let owner = |chown: Option<&pb::ChownOpt>| owner(chown, &tree);
    match &action.action {
        Some(Action::Copy(copy)) => {
            let source = tree(action.secondary_input)?;
            let owner = owner(copy.owner.as_ref())?;
            copy_action(copy, &source, root, owner, context.request.threads)
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
    account::owner(chown, &|_| accounts.as_ref().map(Tree::root))
}

/// A time stamp of an operation: -1 and less stand for none.
fn timestamp(nanoseconds: i64) -> Option<i64> {
    (nanoseconds >= 0).then_some(nanoseconds)
}

fn copy_action(
    action: &pb::FileActionCopy,
    tree: &Tree,
    root: Root<'_>,
    owner: Option<(u32, u32)>,
    threads: usize,
) -> Result<(), EngineError> {
    let mode = match action.mode_str.as_str() {
        "" => u32::try_from(action.mode).ok().map(ModeChange::Bits),
        symbolic => Some(symbolic.parse::<ModeChange>()?),
    };
    let options = CopyOptions {
        owner,
        mode,
        threads,
        time: timestamp(action.timestamp),
        contents_only: action.dir_copy_contents,
        replace: action.always_replace_existing_dest_paths,
    };
    let select = PatternFilter::new(&action.include_patterns, &action.exclude_patterns)?;
    let from = if tree.is_root_owned() { "the context" } else { "the result it is copied from" };
    let missing = |path: &str| {
        let ignored = tree.filter().is_some();
        EngineError::NotFound { path: path.to_owned(), from: from.to_owned(), ignored }
    };
    for required in &action.required_paths {
        if tree.matches(required, false, true)?.is_empty() {
            return Err(missing(required));
        }
    }
    let found = tree.matches(&action.src, action.allow_wildcard, action.follow_symlink)?;
    let may_be_empty = action.allow_wildcard && action.allow_empty_wildcard && has_wildcard(&action.src);
    if found.is_empty() && !may_be_empty {
        return Err(missing(&action.src));
    }
    for source in &found {
        let unpacked = action.attempt_unpack_docker_compatibility
            && unpack_archive(source, root, &action.dest, &options)?;
        if !unpacked {
            let look = |path: &Path, is_directory: bool| select.look(path, is_directory);
            copy(tree, source, &look, root, &action.dest, &options)?;
        }
    }
    Ok(())
}

/// Unpacks the source if it is an archive; says whether it was.
fn unpack_archive(
    source: &Match,
    root: Root<'_>,
    destination: &str,
    options: &CopyOptions,
) -> Result<bool, EngineError> {
    let located = source.located();
    let is_file = located.stat()?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
    if !is_file {
        return Ok(false);
    }
    let open = || -> Result<std::fs::File, RootError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&located.directory, &located.name, flags, Mode::empty())
            .map(Into::into)
            .map_err(|errno| RootError::new("cannot read", source.path(), errno))
    };
    if !is_archive(open()?) {
        return Ok(false);
    }
    let directories =
        NewDirectories { mode: 0o755, owner: options.owner.unwrap_or((0, 0)), time: options.time };
    let target = root.create_directories(Path::new(destination), directories)?;
    let stream =
        decompressed(open()?).map_err(|error| RootError::new("cannot unpack", source.path(), error))?;
    unpack(
        stream,
        Root::new(&target, root.owners()),
        &UnpackOptions { whiteouts: false, owner: options.owner },
    )?;
    Ok(true)
}

/// Takes over all that a directory of the user shows.
fn copy_everything(tree: &Tree, root: Root<'_>, threads: usize) -> Result<(), EngineError> {
    let options =
        CopyOptions { owner: None, mode: None, time: None, contents_only: true, replace: false, threads };
    for source in tree.matches("/", false, true)? {
        copy(tree, &source, &|_, _| crate::rootfs::Visibility::Show, root, "/", &options)?;
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
    finish(root, &target, Some(action.mode), (owner, action.timestamp))
        .map_err(|errno| fail(errno.into()))?;
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
    finish(root, &target, None, (owner, action.timestamp)).map_err(fail)?;
    Ok(())
}

/// Gives a new file or link its metadata; links have no mode.
fn finish(
    root: Root<'_>,
    target: &Located,
    mode: Option<i32>,
    (owner, time): (Option<(u32, u32)>, i64),
) -> rustix::io::Result<()> {
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
        for found in tree.matches(&action.path, true, false)? {
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
