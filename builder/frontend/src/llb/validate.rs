//! Whether a definition from anyone can be handed to the engine.
//!
//! Bytes that came from another program may hold anything. What is accepted here refers only to operations that exist,
//! has no cycles, no index out of range, no path that leaves a tree, and is of bounded size; the engine can then follow
//! every reference without asking again. What operations do is not judged.

use std::collections::BTreeMap;

use super::pb;
use super::pb::file_action::Action;
use super::pb::op::Op as Kind;
use super::wire::{DecodeError, decode_op};
use crate::oci::digest::Digest;

/// More operations than any real build has.
pub const MAX_OPERATIONS: usize = 100_000;
/// More mounts, arguments or actions than any operation needs.
const MAX_ITEMS: usize = 100_000;
/// Longest single text in an operation, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// A definition that was looked through.
#[derive(Debug, Clone)]
pub struct Valid {
    /// The operations by the digest of their bytes.
    pub ops: BTreeMap<Digest, pb::Op>,
    /// What is asked for: an operation and one of its outputs. None: scratch.
    pub result: Option<(Digest, i64)>,
}

/// Why a definition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not protobuf.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Too many operations.
    #[error("a definition of {0} operations: more than {MAX_OPERATIONS} are refused")]
    TooLarge(usize),
    /// One operation is wrong.
    #[error("operation {digest}: {problem}")]
    Operation {
        /// Which.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
}

/// Looks through a definition.
///
/// # Errors
/// The first thing in it that cannot be accepted.
pub fn validate(definition: &pb::Definition) -> Result<Valid, Refused> {
    if definition.def.len() > MAX_OPERATIONS {
        return Err(Refused::TooLarge(definition.def.len()));
    }
    let mut ops: BTreeMap<Digest, pb::Op> = BTreeMap::new();
    let last = definition.def.len().checked_sub(1);
    for (index, bytes) in definition.def.iter().enumerate() {
        let digest = Digest::of(bytes);
        let op = decode_op(bytes)?;
        let refuse = |problem: String| Refused::Operation { digest, problem };
        let mut outputs = Vec::with_capacity(op.inputs.len());
        for input in &op.inputs {
            let known: Digest = input.digest.parse().map_err(|e| refuse(format!("{e}")))?;
            // Inputs come first in the list, which also rules out cycles.
            let source = ops
                .get(&known)
                .ok_or_else(|| refuse(format!("needs {known}, which does not come before it")))?;
            let count = output_count(source);
            if input.index < 0 || input.index >= count {
                return Err(refuse(format!("takes output {} of {known}, which has {count}", input.index)));
            }
            outputs.push((known, input.index));
        }
        if op.op.is_none() {
            let [result] = outputs.as_slice() else {
                return Err(refuse("the last operation must have one input".to_owned()));
            };
            if Some(index) != last {
                return Err(refuse("an operation without a kind before the end".to_owned()));
            }
            return Ok(Valid { result: Some(*result), ops });
        }
        check(&op).map_err(refuse)?;
        ops.insert(digest, op);
    }
    let Some(bytes) = definition.def.last() else { return Ok(Valid { ops, result: None }) };
    let digest = Digest::of(bytes);
    Err(Refused::Operation { digest, problem: "no last operation says what the result is".to_owned() })
}

/// The same definition with the inputs of every operation before it, and nothing twice.
///
/// BuildKit takes operations in any order, this program's later stages do not. Operations keep their bytes.
///
/// # Errors
/// An operation is no protobuf, or there are too many.
pub fn inputs_first(mut definition: pb::Definition) -> Result<pb::Definition, Refused> {
    if definition.def.len() > MAX_OPERATIONS {
        return Err(Refused::TooLarge(definition.def.len()));
    }
    let mut inputs: Vec<Vec<String>> = Vec::with_capacity(definition.def.len());
    let mut by_digest = BTreeMap::new();
    for (index, bytes) in definition.def.iter().enumerate() {
        inputs.push(decode_op(bytes)?.inputs.into_iter().map(|input| input.digest).collect());
        by_digest.entry(Digest::of(bytes).to_string()).or_insert(index);
    }
    let mut order = Vec::with_capacity(inputs.len());
    let mut placed = vec![false; inputs.len()];
    // The last operation says what the result is and stays the last.
    let mut stack: Vec<(usize, bool)> = (0..inputs.len()).rev().map(|index| (index, false)).collect();
    while let Some((index, ready)) = stack.pop() {
        let (Some(done), Some(needed)) = (placed.get_mut(index), inputs.get(index)) else { continue };
        if *done {
            continue;
        }
        if ready {
            *done = true;
            order.push(index);
        } else {
            stack.push((index, true));
            let known = needed.iter().rev().filter_map(|digest| by_digest.get(digest));
            stack.extend(known.map(|input| (*input, false)));
        }
    }
    let unique: std::collections::BTreeSet<usize> = by_digest.into_values().collect();
    let sorted = order.into_iter().filter(|index| unique.contains(index));
    definition.def = sorted.filter_map(|index| definition.def.get_mut(index).map(std::mem::take)).collect();
    Ok(definition)
}

/// Number of outputs that other operations can take.
fn output_count(op: &pb::Op) -> i64 {
    let outputs: Vec<i64> = match &op.op {
        Some(Kind::Exec(exec)) => exec.mounts.iter().filter(|m| is_tree(m)).map(|m| m.output).collect(),
        Some(Kind::File(file)) => file.actions.iter().map(|a| a.output).collect(),
        Some(Kind::Passthrough(pass)) => return i64::try_from(pass.outputs.len()).unwrap_or(i64::MAX),
        Some(Kind::Source(_) | Kind::Merge(_) | Kind::Diff(_) | Kind::Build(_)) => return 1,
        None => return 0,
    };
    outputs.into_iter().max().map_or(0, |highest| highest.saturating_add(1))
}

fn is_tree(mount: &pb::Mount) -> bool {
    !matches!(mount.mount_type(), pb::MountType::Secret | pb::MountType::Ssh)
}

fn check(op: &pb::Op) -> Result<(), String> {
    let count = i64::try_from(op.inputs.len()).unwrap_or(i64::MAX);
    match &op.op {
        None => Ok(()),
        Some(Kind::Source(source)) => check_source(source, count),
        Some(Kind::Exec(exec)) => check_exec(exec, count),
        Some(Kind::File(file)) => check_file(file, count),
        Some(Kind::Merge(merge)) => {
            if merge.inputs.len() < 2 {
                return Err("a merge of fewer than two trees".to_owned());
            }
            merge.inputs.iter().try_for_each(|i| in_range(i.input, 0, count, "input of a merge"))
        }
        Some(Kind::Diff(diff)) => {
            let lower = diff.lower.as_ref().ok_or("a diff without a lower tree")?;
            let upper = diff.upper.as_ref().ok_or("a diff without an upper tree")?;
            [lower.input, upper.input].iter().try_for_each(|i| in_range(*i, -1, count, "input of a diff"))
        }
        Some(Kind::Passthrough(pass)) => {
            text(&pass.id, "id of a passthrough")?;
            if pass.id.is_empty() || pass.outputs.is_empty() {
                return Err("a passthrough without id or outputs".to_owned());
            }
            items(pass.outputs.len(), "outputs")?;
            pass.outputs.iter().try_for_each(|i| in_range(*i, 0, count, "input of a passthrough"))
        }
        Some(Kind::Build(_)) => Err("operations of kind `build` are not supported".to_owned()),
    }
}

fn check_source(source: &pb::SourceOp, count: i64) -> Result<(), String> {
    if count != 0 {
        return Err("a source with inputs".to_owned());
    }
    text(&source.identifier, "identifier")?;
    source
        .attrs
        .iter()
        .try_for_each(|(key, value)| text(key, "attribute").and_then(|()| text(value, key)))?;
    let known = ["docker-image", "oci-layout", "local", "git", "http", "https"];
    match source.identifier.split_once("://") {
        Some((scheme, rest)) if known.contains(&scheme) && !rest.is_empty() => Ok(()),
        _ => Err(format!("unknown source `{}`", source.identifier.chars().take(100).collect::<String>())),
    }
}

fn check_exec(exec: &pb::ExecOp, count: i64) -> Result<(), String> {
    let meta = exec.meta.as_ref().ok_or("a program without metadata")?;
    if meta.args.is_empty() {
        return Err("a program without arguments".to_owned());
    }
    items(meta.args.len(), "arguments")?;
    items(meta.env.len(), "variables")?;
    items(exec.mounts.len(), "mounts")?;
    meta.args.iter().chain(&meta.env).try_for_each(|t| text(t, "argument or variable"))?;
    rooted(&meta.cwd, "working directory")?;
    for (value, name) in
        [(&meta.user, "user"), (&meta.hostname, "host name"), (&meta.cgroup_parent, "cgroup")]
    {
        text(value, name)?;
    }
    let mounts = i64::try_from(exec.mounts.len()).unwrap_or(i64::MAX);
    let mut root = false;
    let mut outputs = Vec::new();
    for mount in &exec.mounts {
        // A relative one lies below the working directory.
        text(&mount.dest, "mount target")?;
        if mount.dest.is_empty() {
            return Err("a mount without a target".to_owned());
        }
        below(&mount.selector, "mount source")?;
        in_range(mount.input, -1, count, "input of a mount")?;
        pb::MountType::try_from(mount.mount_type)
            .map_err(|_| format!("unknown mount type {}", mount.mount_type))?;
        if is_tree(mount) {
            in_range(mount.output, -1, mounts, "output of a mount")?;
            outputs.extend(Some(mount.output).filter(|o| *o >= 0));
        }
        if let Some(cache) = &mount.cache_opt {
            text(&cache.id, "cache id")?;
        }
        root |= mount.dest == "/";
    }
    outputs.sort_unstable();
    if outputs.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err("two mounts with one output".to_owned());
    }
    if root { Ok(()) } else { Err("a program without a root mount".to_owned()) }
}

fn check_file(file: &pb::FileOp, count: i64) -> Result<(), String> {
    if file.actions.is_empty() {
        return Err("a file operation without actions".to_owned());
    }
    items(file.actions.len(), "actions")?;
    let mut outputs = Vec::new();
    for (index, action) in (0_i64..).zip(&file.actions) {
        // Trees are the inputs, then the results of the actions before.
        let trees = count.saturating_add(index);
        in_range(action.input, -1, trees, "input of a file action")?;
        in_range(action.secondary_input, -1, trees, "source of a file action")?;
        let actions = i64::try_from(file.actions.len()).unwrap_or(i64::MAX);
        in_range(action.output, -1, actions, "output of a file action")?;
        outputs.extend(Some(action.output).filter(|o| *o >= 0));
        match action.action.as_ref().ok_or("a file action without a kind")? {
            Action::Copy(copy) => {
                absolute(&copy.src, "source path")?;
                absolute(&copy.dest, "destination")?;
                let patterns = copy.include_patterns.iter().chain(&copy.exclude_patterns);
                patterns.chain(&copy.required_paths).try_for_each(|p| text(p, "pattern"))?;
                owner(copy.owner.as_ref(), trees)?;
            }
            Action::Mkfile(mkfile) => {
                absolute(&mkfile.path, "path of a file")?;
                owner(mkfile.owner.as_ref(), trees)?;
            }
            Action::Mkdir(mkdir) => {
                absolute(&mkdir.path, "path of a directory")?;
                owner(mkdir.owner.as_ref(), trees)?;
            }
            Action::Rm(rm) => absolute(&rm.path, "path to remove")?,
            Action::Symlink(symlink) => {
                text(&symlink.oldpath, "target of a link")?;
                absolute(&symlink.newpath, "path of a link")?;
                owner(symlink.owner.as_ref(), trees)?;
            }
        }
    }
    outputs.sort_unstable();
    match outputs.as_slice() {
        [] => Err("a file operation without an output".to_owned()),
        many if many.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) => {
            Err("two file actions with one output".to_owned())
        }
        _ => Ok(()),
    }
}

fn owner(owner: Option<&pb::ChownOpt>, trees: i64) -> Result<(), String> {
    let users = owner.into_iter().flat_map(|o| [o.user.as_ref(), o.group.as_ref()]).flatten();
    for user in users {
        if let Some(pb::user_opt::User::ByName(name)) = &user.user {
            text(&name.name, "owner")?;
            in_range(name.input, -1, trees, "tree of an owner's name")?;
        }
    }
    Ok(())
}

fn in_range(index: i64, lowest: i64, end: i64, what: &str) -> Result<(), String> {
    if (lowest..end).contains(&index) { Ok(()) } else { Err(format!("{what} {index} does not exist")) }
}

fn items(count: usize, what: &str) -> Result<(), String> {
    if count > MAX_ITEMS { Err(format!("{count} {what}: more than {MAX_ITEMS} are refused")) } else { Ok(()) }
}

fn text(value: &str, what: &str) -> Result<(), String> {
    if value.len() > MAX_TEXT {
        return Err(format!("{what} of {} bytes", value.len()));
    }
    if value.contains('\0') { Err(format!("NUL byte in {what}")) } else { Ok(()) }
}

/// Paths that a step resolves inside its own root may hold `..`: front ends leave it in working directories.
fn rooted(path: &str, what: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("{what} `{}` is not absolute", path.chars().take(100).collect::<String>()));
    }
    text(path, what)
}

fn absolute(path: &str, what: &str) -> Result<(), String> {
    rooted(path, what)?;
    below(path, what)
}

/// No `..`: a path that climbs is refused rather than resolved.
fn below(path: &str, what: &str) -> Result<(), String> {
    text(path, what)?;
    if path.split('/').any(|part| part == "..") {
        return Err(format!("{what} `{}` climbs with `..`", path.chars().take(100).collect::<String>()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llb::wire::encode_op;

    fn source() -> pb::Op {
        let source = pb::SourceOp { identifier: "local://context".into(), ..Default::default() };
        pb::Op { op: Some(Kind::Source(source)), ..Default::default() }
    }

    fn input(op: &pb::Op, index: i64) -> pb::Input {
        pb::Input { digest: Digest::of(&encode_op(op)).to_string(), index }
    }

    fn exec(change: impl FnOnce(&mut pb::ExecOp)) -> pb::Op {
        let meta = pb::Meta { args: vec!["true".into()], cwd: "/".into(), ..Default::default() };
        let root = pb::Mount { dest: "/".into(), ..Default::default() };
        let mut exec = pb::ExecOp { meta: Some(meta), mounts: vec![root], ..Default::default() };
        change(&mut exec);
        pb::Op { inputs: vec![input(&source(), 0)], op: Some(Kind::Exec(exec)), ..Default::default() }
    }

    fn copy(change: impl FnOnce(&mut pb::FileAction, &mut pb::FileActionCopy)) -> pb::Op {
        let mut action = pb::FileAction { input: -1, ..Default::default() };
        let mut copy = pb::FileActionCopy { src: "/a".into(), dest: "/b".into(), ..Default::default() };
        change(&mut action, &mut copy);
        action.action = Some(Action::Copy(copy));
        let file = pb::FileOp { actions: vec![action] };
        pb::Op { inputs: vec![input(&source(), 0)], op: Some(Kind::File(file)), ..Default::default() }
    }

    fn pass(id: &str, outputs: Vec<i64>) -> pb::Op {
        let pass = pb::PassthroughOp { id: id.into(), outputs };
        pb::Op { inputs: vec![input(&source(), 0)], op: Some(Kind::Passthrough(pass)), ..Default::default() }
    }

    /// The source, an operation on it, and the end.
    fn refusal(op: &pb::Op) -> Option<String> {
        let end = pb::Op { inputs: vec![input(op, 0)], ..Default::default() };
        let def = [&source(), op, &end].map(encode_op).to_vec();
        match validate(&pb::Definition { def, ..Default::default() }) {
            Ok(_) => None,
            Err(Refused::Operation { problem, .. }) => Some(problem),
            Err(other) => Some(other.to_string()),
        }
    }

    #[test]
    fn hostile_operations_are_refused() {
        assert_eq!(refusal(&exec(|_| ())), None);
        assert_eq!(refusal(&copy(|_, _| ())), None);
        assert_eq!(refusal(&pass("x", vec![0, 0])), None);
        let relative =
            exec(|e| e.mounts.push(pb::Mount { dest: "x".into(), output: -1, ..Default::default() }));
        assert_eq!(refusal(&relative), None);
        let cases = [
            (exec(|e| e.meta = None), "a program without metadata"),
            (exec(|e| e.meta.as_mut().unwrap().args.clear()), "a program without arguments"),
            (exec(|e| e.meta.as_mut().unwrap().cwd = "x".into()), "working directory `x` is not absolute"),
            (
                exec(|e| e.meta.as_mut().unwrap().env = vec!["A=\0".into()]),
                "NUL byte in argument or variable",
            ),
            (exec(|e| e.mounts.clear()), "a program without a root mount"),
            (exec(|e| e.mounts[0].input = -2), "input of a mount -2 does not exist"),
            (exec(|e| e.mounts[0].input = 1), "input of a mount 1 does not exist"),
            (exec(|e| e.mounts[0].output = i64::MAX), "output of a mount 9223372036854775807 does not exist"),
            (
                exec(|e| e.mounts[0].selector = "a/../../b".into()),
                "mount source `a/../../b` climbs with `..`",
            ),
            (exec(|e| e.mounts[0].mount_type = 99), "unknown mount type 99"),
            (
                exec(|e| e.mounts.push(pb::Mount { dest: "/x".into(), ..Default::default() })),
                "two mounts with one output",
            ),
            (copy(|a, _| a.input = 1), "input of a file action 1 does not exist"),
            (copy(|a, _| a.secondary_input = 5), "source of a file action 5 does not exist"),
            (copy(|a, _| a.output = -1), "a file operation without an output"),
            (copy(|_, c| c.src = "/../etc".into()), "source path `/../etc` climbs with `..`"),
            (copy(|_, c| c.dest = "b".into()), "destination `b` is not absolute"),
            (
                pb::Op { op: Some(Kind::File(pb::FileOp::default())), ..Default::default() },
                "a file operation without actions",
            ),
            (
                pb::Op { op: Some(Kind::Merge(pb::MergeOp::default())), ..Default::default() },
                "a merge of fewer than two trees",
            ),
            (
                pb::Op { op: Some(Kind::Diff(pb::DiffOp::default())), ..Default::default() },
                "a diff without a lower tree",
            ),
            (pass("x", vec![1]), "input of a passthrough 1 does not exist"),
            (pass("x", vec![-1]), "input of a passthrough -1 does not exist"),
            (pass("", vec![0]), "a passthrough without id or outputs"),
            (pass("x", vec![]), "a passthrough without id or outputs"),
            (
                pb::Op { op: Some(Kind::Build(pb::BuildOp::default())), ..Default::default() },
                "operations of kind `build` are not supported",
            ),
            (
                pb::Op {
                    op: Some(Kind::Source(pb::SourceOp {
                        identifier: "file:///etc".into(),
                        ..Default::default()
                    })),
                    ..Default::default()
                },
                "unknown source `file:///etc`",
            ),
            (
                pb::Op {
                    inputs: vec![input(&source(), 7)],
                    op: Some(Kind::Merge(pb::MergeOp::default())),
                    ..Default::default()
                },
                "takes output 7 of",
            ),
            (
                pb::Op {
                    inputs: vec![pb::Input { digest: "sha256:x".into(), index: 0 }],
                    op: Some(Kind::Merge(pb::MergeOp::default())),
                    ..Default::default()
                },
                "invalid digest",
            ),
        ];
        for (op, expected) in cases {
            let found = refusal(&op);
            assert!(found.as_deref().is_some_and(|f| f.starts_with(expected)), "{found:?} is not {expected}");
        }
    }

    #[test]
    fn hostile_definitions_are_refused() {
        let definition = |def: Vec<Vec<u8>>| validate(&pb::Definition { def, ..Default::default() });
        assert!(definition(Vec::new()).is_ok_and(|valid| valid.result.is_none()));
        let end = pb::Op { inputs: vec![input(&source(), 0)], ..Default::default() };
        assert!(definition(vec![encode_op(&source())]).is_err(), "no end");
        assert!(definition(vec![encode_op(&end)]).is_err(), "a missing operation");
        assert!(definition(vec![encode_op(&end), encode_op(&source())]).is_err(), "wrong order");
        assert!(definition(vec![encode_op(&source()), Vec::new()]).is_err(), "an empty operation");
        assert!(definition(vec![vec![0xff; 9]]).is_err(), "no protobuf");
        assert!(definition(vec![Vec::new(); MAX_OPERATIONS + 1]).is_err(), "too many");
    }

    #[test]
    fn inputs_come_first() {
        let run = exec(|_| ());
        let end = pb::Op { inputs: vec![input(&run, 0)], ..Default::default() };
        let [source, run, end] = [source(), run, end].map(|op| encode_op(&op));
        let sorted = vec![source.clone(), run.clone(), end.clone()];
        let cases = [
            vec![source.clone(), run.clone(), end.clone()],
            vec![run.clone(), source.clone(), end.clone()],
            vec![run.clone(), source.clone(), run.clone(), source.clone(), end.clone()],
        ];
        for def in cases {
            let definition = pb::Definition { def, ..Default::default() };
            assert_eq!(inputs_first(definition).unwrap().def, sorted);
        }
        let missing = pb::Definition { def: vec![run, end], ..Default::default() };
        assert!(validate(&inputs_first(missing).unwrap()).is_err());
        let empty = inputs_first(pb::Definition::default()).unwrap();
        assert!(empty.def.is_empty());
    }
}
