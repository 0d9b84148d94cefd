//! Operations that refer to each other, before they have digests.
//!
//! An operation's bytes hold the digests of its inputs, and a local source is only known when every instruction has
//! said which paths it needs. So the front end first builds this graph of nodes, then [`Graph::marshal`] turns the
//! part below one node into a definition. Scratch is the absence of a node.

use std::collections::BTreeMap;

use super::pb;
use super::pb::file_action::Action;
use super::pb::op::Op as Kind;
use super::pb::user_opt::User;
use super::wire;
use crate::oci::digest::Digest;

/// A node of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// Index of an input that does not exist, and of an output that is not taken.
pub const NONE: i64 = -1;

/// What a node does. Numbers of inputs inside the operations are set when the graph is marshalled.
#[derive(Debug, Clone)]
pub enum NodeOp {
    /// Brings content in.
    Source(pb::SourceOp),
    /// Runs a program; one optional input per mount of the operation that can have one, in order.
    Exec {
        /// Metadata, network, secrets; its `mounts` are those without an input.
        exec: Box<pb::ExecOp>,
        /// Mounts that come from nodes or scratch; the root among them.
        mounts: Vec<(pb::Mount, Option<NodeId>)>,
    },
    /// Changes files: actions one after the other on a base, each perhaps copying from a node.
    File {
        /// The tree that is changed.
        base: Option<NodeId>,
        /// Actions with the node they copy from.
        actions: Vec<(Action, Option<NodeId>)>,
    },
    /// Lays trees over each other.
    Merge(Vec<NodeId>),
    /// An operation that has its bytes already.
    Finished {
        /// The bytes.
        bytes: Vec<u8>,
        /// What it needs.
        inputs: Vec<NodeId>,
    },
}

/// A node: an operation and what is known about it outside its digest.
#[derive(Debug, Clone)]
pub struct Node {
    /// The operation.
    pub op: NodeOp,
    /// Platform of the operation; file and merge operations and most sources have none.
    pub platform: Option<pb::Platform>,
    /// Name, cache switches.
    pub metadata: pb::OpMetadata,
    /// Lines of the Dockerfile, first and last.
    pub lines: Option<(usize, usize)>,
}

/// The nodes of one build.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
}

/// The text that places of a definition refer to.
#[derive(Debug, Clone)]
pub struct SourceFile<'s> {
    /// Name as the user gave it.
    pub name: &'s str,
    /// The text.
    pub text: &'s str,
}

impl Graph {
    /// Adds a node.
    pub fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// The source operation of a node, to complete what was not known when it was added.
    pub fn source_mut(&mut self, id: NodeId) -> Option<&mut pb::SourceOp> {
        match self.nodes.get_mut(id.0).map(|n| &mut n.op) {
            Some(NodeOp::Source(source)) => Some(source),
            _ => None,
        }
    }

    /// Adds the operations of a finished definition; gives the node of its result, none when it is scratch.
    ///
    /// # Errors
    /// The definition is not one this program can take apart.
    pub fn graft(&mut self, definition: &pb::Definition) -> Result<Option<NodeId>, wire::DecodeError> {
        let mut known: BTreeMap<String, NodeId> = BTreeMap::new();
        let missing = |digest: &str| wire::DecodeError {
            what: "LLB definition",
            reason: format!("operation {digest} comes after one that needs it, or not at all"),
        };
        let mut last = None;
        for bytes in &definition.def {
            let op = wire::decode_op(bytes)?;
            let inputs: Result<Vec<NodeId>, _> = op
                .inputs
                .iter()
                .map(|i| known.get(&i.digest).copied().ok_or_else(|| missing(&i.digest)))
                .collect();
            let inputs = inputs?;
            if op.op.is_none() {
                return Ok(inputs.first().copied());
            }
            let digest = Digest::of(bytes).to_string();
            let metadata = definition.metadata.get(&digest).cloned().unwrap_or_default();
            let node = Node {
                op: NodeOp::Finished { bytes: bytes.clone(), inputs },
                platform: None,
                metadata,
                lines: None,
            };
            let id = self.add(node);
            known.insert(digest, id);
            last = Some(id);
        }
        Ok(last)
    }

    /// Writes the operations below a node, inputs first, and a last one whose only input is the node.
    /// No node gives the empty definition: the result is scratch.
    #[must_use]
    pub fn marshal(
        &self,
        root: Option<NodeId>,
        default_platform: &pb::Platform,
        file: &SourceFile<'_>,
    ) -> pb::Definition {
        let Some(root) = root else { return pb::Definition::default() };
        let mut out = Marshal {
            graph: self,
            default_platform,
            digests: BTreeMap::new(),
            definition: pb::Definition::default(),
            source: pb::Source::default(),
        };
        out.walk(root);
        let input = out.input(root);
        out.definition.def.push(wire::encode_op(&pb::Op { inputs: vec![input], ..pb::Op::default() }));
        out.source.infos.push(pb::SourceInfo {
            filename: file.name.to_owned(),
            data: file.text.as_bytes().to_vec(),
            definition: None,
            language: "Dockerfile".to_owned(),
        });
        out.definition.source = Some(out.source);
        out.definition
    }
}

impl Node {
    fn inputs(&self) -> Vec<NodeId> {
        match &self.op {
            NodeOp::Source(_) => Vec::new(),
            NodeOp::Exec { mounts, .. } => mounts.iter().filter_map(|(_, node)| *node).collect(),
            NodeOp::File { base, actions } => {
                base.iter().copied().chain(actions.iter().filter_map(|(_, node)| *node)).collect()
            }
            NodeOp::Merge(nodes) | NodeOp::Finished { inputs: nodes, .. } => nodes.clone(),
        }
    }
}

struct Marshal<'g> {
    graph: &'g Graph,
    default_platform: &'g pb::Platform,
    digests: BTreeMap<NodeId, Digest>,
    definition: pb::Definition,
    source: pb::Source,
}

impl Marshal<'_> {
    /// Depth first without recursion: chains of ten thousand stages are no deeper than the heap.
    fn walk(&mut self, root: NodeId) {
        let mut stack = vec![(root, false)];
        while let Some((id, ready)) = stack.pop() {
            if self.digests.contains_key(&id) {
                continue;
            }
            let Some(node) = self.graph.nodes.get(id.0) else { continue };
            if ready {
                self.emit(id, node);
            } else {
                stack.push((id, true));
                stack.extend(node.inputs().into_iter().rev().map(|input| (input, false)));
            }
        }
    }

    fn input(&self, id: NodeId) -> pb::Input {
        pb::Input { digest: self.digests.get(&id).map(Digest::to_string).unwrap_or_default(), index: 0 }
    }

    /// Number of an input, added when it is new. Equal digests are one input.
    fn number(&self, inputs: &mut Vec<pb::Input>, id: Option<NodeId>) -> i64 {
        let Some(id) = id else { return NONE };
        let input = self.input(id);
        let index = inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
            inputs.push(input);
            inputs.len() - 1
        });
        i64::try_from(index).unwrap_or(NONE)
    }

    fn emit(&mut self, id: NodeId, node: &Node) {
        let bytes = match &node.op {
            NodeOp::Finished { bytes, .. } => bytes.clone(),
            NodeOp::Source(_) | NodeOp::Exec { .. } | NodeOp::File { .. } | NodeOp::Merge(_) => {
                wire::encode_op(&self.op(node))
            }
        };
        let digest = Digest::of(&bytes);
        self.digests.insert(id, digest);
        let key = digest.to_string();
        if let Some((first, last)) = node.lines {
            let at = |line: usize| {
                Some(pb::Position { line: i32::try_from(line).unwrap_or(i32::MAX), character: 0 })
            };
            let location =
                pb::Location { source_index: 0, ranges: vec![pb::Range { start: at(first), end: at(last) }] };
            self.source.locations.entry(key.clone()).or_default().locations.push(location);
        }
        match self.definition.metadata.get_mut(&key) {
            Some(known) => merge_metadata(known, &node.metadata),
            None => {
                self.definition.metadata.insert(key, node.metadata.clone());
                self.definition.def.push(bytes);
            }
        }
    }

    fn op(&self, node: &Node) -> pb::Op {
        let mut inputs = Vec::new();
        let (kind, platform) = match &node.op {
            NodeOp::Finished { .. } => (None, None),
            NodeOp::Source(source) => (Some(Kind::Source(source.clone())), node.platform.clone()),
            NodeOp::Exec { exec, mounts } => {
                let platform = node.platform.as_ref().unwrap_or(self.default_platform);
                (Some(Kind::Exec(self.exec(exec, mounts, &mut inputs))), Some(platform.clone()))
            }
            NodeOp::File { base, actions } => {
                (Some(Kind::File(self.file(*base, actions, &mut inputs))), None)
            }
            NodeOp::Merge(nodes) => {
                // A merge keeps every layer, so equal inputs stay two.
                inputs.extend(nodes.iter().map(|node| self.input(*node)));
                let merged = (0_i64..).zip(nodes).map(|(input, _)| pb::MergeInput { input });
                (Some(Kind::Merge(pb::MergeOp { inputs: merged.collect() })), None)
            }
        };
        pb::Op { inputs, platform, constraints: Some(pb::WorkerConstraints::default()), op: kind }
    }

    fn exec(
        &self,
        exec: &pb::ExecOp,
        mounts: &[(pb::Mount, Option<NodeId>)],
        inputs: &mut Vec<pb::Input>,
    ) -> pb::ExecOp {
        let mut sorted: Vec<_> = mounts.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.dest.cmp(&b.dest));
        let mut next_output = 0;
        let placed = sorted.into_iter().map(|(mount, node)| {
            let mut mount = mount.clone();
            mount.input = self.number(inputs, *node);
            if mount.output != NONE {
                mount.output = next_output;
                next_output += 1;
            }
            mount
        });
        let placed: Vec<pb::Mount> = placed.collect();
        let mut exec = exec.clone();
        let without_input = std::mem::replace(&mut exec.mounts, placed);
        exec.mounts.extend(without_input);
        exec
    }

    fn file(
        &self,
        base: Option<NodeId>,
        actions: &[(Action, Option<NodeId>)],
        inputs: &mut Vec<pb::Input>,
    ) -> pb::FileOp {
        let base = self.number(inputs, base);
        let sources: Vec<i64> = actions.iter().map(|(_, node)| self.number(inputs, *node)).collect();
        let input_count = i64::try_from(inputs.len()).unwrap_or(i64::MAX);
        let last = actions.len().saturating_sub(1);
        let numbered = actions.iter().zip(sources).enumerate();
        let made = numbered.map(|(index, ((action, _), secondary_input))| {
            let mut action = action.clone();
            set_owner_input(&mut action, base);
            let before = i64::try_from(index).unwrap_or(0) - 1;
            pb::FileAction {
                input: if index == 0 { base } else { input_count + before },
                secondary_input,
                output: if index == last { 0 } else { NONE },
                action: Some(action),
            }
        });
        pb::FileOp { actions: made.collect() }
    }
}

/// Names of owners are looked up in the base of the operation.
fn set_owner_input(action: &mut Action, base: i64) {
    let owner = match action {
        Action::Copy(a) => a.owner.as_mut(),
        Action::Mkfile(a) => a.owner.as_mut(),
        Action::Mkdir(a) => a.owner.as_mut(),
        Action::Symlink(a) => a.owner.as_mut(),
        Action::Rm(_) => None,
    };
    let Some(owner) = owner else { return };
    for user in [owner.user.as_mut(), owner.group.as_mut()].into_iter().flatten() {
        if let Some(User::ByName(name)) = &mut user.user {
            name.input = base;
        }
    }
}

fn merge_metadata(known: &mut pb::OpMetadata, other: &pb::OpMetadata) {
    known.ignore_cache |= other.ignore_cache;
    known.description.extend(other.description.clone());
    if other.export_cache.is_some() {
        known.export_cache = other.export_cache;
    }
    if other.progress_group.is_some() {
        known.progress_group.clone_from(&other.progress_group);
    }
    if other.linux_resources.is_some() {
        known.linux_resources.clone_from(&other.linux_resources);
    }
}
