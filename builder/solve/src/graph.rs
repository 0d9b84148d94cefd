//! LLB definitions as one graph of vertices.
//!
//! Definitions of several target platforms are added to the same graph; operations with the same digest
//! become one vertex, which is why a `$BUILDPLATFORM` stage runs once for any number of targets.
//! A definition may come from anywhere, so every reference in it is checked here: an unknown digest or an
//! index out of range is an error, never a panic. Cycles cannot be written down, as an operation would
//! have to contain its own sha256.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use super::keys::{self, Key};
use super::resources;
use super::selection::{self, Selection};
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::oci::digest::Digest;

/// Names a vertex of one [`Graph`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VertexId(u32);

impl VertexId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// One output of a vertex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Edge {
    /// The vertex that makes it.
    pub vertex: VertexId,
    /// Which of its outputs, from 0.
    pub output: usize,
}

/// Where an operation was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Name of the file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
}

/// One operation and what the solver knows of it.
#[derive(Debug)]
pub struct Vertex {
    /// sha256 of the operation's bytes.
    pub digest: Digest,
    /// The operation; shared, as threads work on it.
    pub op: Arc<pb::Op>,
    /// Its inputs, in the operation's order.
    pub inputs: Vec<Edge>,
    /// How each input enters the content key, in the same order.
    pub selections: Vec<Selection>,
    /// What a person calls it, such as `[build 2/5] RUN make`.
    pub name: String,
    /// The instruction it comes from.
    pub place: Option<Place>,
    /// Whether the cache must not be asked for it.
    pub ignore_cache: bool,
    /// How much its program may use; no part of any key.
    pub resources: Option<pb::LinuxResources>,
    /// The operation's own part of the cache key.
    pub(super) key: Key,
    /// Length of the longest path to a vertex that nothing depends on, in steps that cost time.
    pub(super) height: u32,
    /// Whether it runs programs of another platform than this machine's.
    pub(super) is_emulated: bool,
    /// Vertices that take this one as an input.
    pub(super) dependents: Vec<VertexId>,
}

impl Vertex {
    /// Whether this is a directory read in place, which has content but no identity.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(&self.op.op, Some(pb::op::Op::Source(source)) if source.identifier.starts_with("local://"))
    }

    /// Whether this is a source that has to be resolved before it has a key.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(&self.op.op, Some(pb::op::Op::Source(source)) if is_remote(&source.identifier))
    }
}

/// Whether a source stands for what a server has just now.
#[must_use]
pub fn is_remote(identifier: &str) -> bool {
    ["git://", "http://", "https://"].iter().any(|scheme| identifier.starts_with(scheme))
}

/// Why a definition cannot be built.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphError {
    /// The bytes are no operation.
    #[error("operation {index} of the definition cannot be decoded: {reason}")]
    Malformed {
        /// Position in the definition, from 0.
        index: usize,
        /// What the decoder said.
        reason: String,
    },
    /// An operation is of no kind, or of one this solver does not know.
    #[error("operation {digest} has no kind that is known here")]
    UnknownKind {
        /// The operation.
        digest: String,
    },
    /// An input names an operation that the definition does not hold before it.
    #[error("operation {digest} takes {input} as an input, which does not come before it in the definition")]
    MissingInput {
        /// The operation.
        digest: String,
        /// What it names.
        input: String,
    },
    /// An index is negative or too large.
    #[error("operation {digest} names {what} {index}, which does not exist")]
    BadIndex {
        /// The operation.
        digest: String,
        /// `input` or `output`.
        what: &'static str,
        /// The index.
        index: i64,
    },
    /// More operations than any build has.
    #[error("the definition has more than {MAX_VERTICES} operations")]
    TooLarge,
}

/// No real build comes near; a hostile definition must not take all memory.
const MAX_VERTICES: usize = 1 << 20;

/// All operations of a build.
#[derive(Debug, Default)]
pub struct Graph {
    vertices: Vec<Vertex>,
    by_digest: HashMap<String, VertexId>,
}

impl Graph {
    /// Adds a definition and says which output is its result; `None` is the empty file system.
    ///
    /// # Errors
    /// When the definition is malformed or names what it does not hold.
    pub fn add(&mut self, definition: &pb::Definition) -> Result<Option<Edge>, GraphError> {
        let places = Places::of(definition);
        let mut result = None;
        for (index, bytes) in definition.def.iter().enumerate() {
            let digest = Digest::of(bytes).to_string();
            let op = wire::decode_op(bytes)
                .map_err(|error| GraphError::Malformed { index, reason: error.to_string() })?;
            if op.op.is_none() && index + 1 == definition.def.len() {
                let inputs = self.edges(&digest, &op)?;
                result = inputs.first().copied();
            } else {
                self.add_vertex(definition, &places, digest, bytes, op)?;
            }
        }
        Ok(result)
    }

    fn add_vertex(
        &mut self,
        definition: &pb::Definition,
        places: &Places,
        digest: String,
        bytes: &[u8],
        op: pb::Op,
    ) -> Result<(), GraphError> {
        let metadata = definition.metadata.get(&digest);
        let resources = metadata.and_then(|metadata| metadata.linux_resources.as_ref());
        if let Some(known) = self.by_digest.get(&digest) {
            if let Some(vertex) = self.vertices.get_mut(known.index()) {
                resources::relax(&mut vertex.resources, resources);
            }
            return Ok(());
        }
        if op.op.is_none() {
            return Err(GraphError::UnknownKind { digest });
        }
        let id = VertexId(u32::try_from(self.vertices.len()).map_err(|_| GraphError::TooLarge)?);
        if self.vertices.len() >= MAX_VERTICES {
            return Err(GraphError::TooLarge);
        }
        let inputs = self.edges(&digest, &op)?;
        for edge in &inputs {
            if let Some(input) = self.vertices.get_mut(edge.vertex.index()) {
                input.dependents.push(id);
            }
        }
        let name = metadata
            .and_then(|metadata| metadata.description.get("llb.customname").cloned())
            .unwrap_or_else(|| describe(&op));
        self.vertices.push(Vertex {
            digest: Digest::of(bytes),
            selections: selection::selections(&op),
            key: keys::operation_key(&op),
            op: Arc::new(op),
            inputs,
            name,
            place: places.get(&digest),
            ignore_cache: metadata.is_some_and(|metadata| metadata.ignore_cache),
            resources: resources.cloned(),
            height: 0,
            is_emulated: false,
            dependents: vec![],
        });
        self.by_digest.insert(digest, id);
        Ok(())
    }

    fn edges(&self, digest: &str, op: &pb::Op) -> Result<Vec<Edge>, GraphError> {
        let edge = |input: &pb::Input| {
            let vertex = self.by_digest.get(&input.digest).copied().ok_or_else(|| {
                GraphError::MissingInput { digest: digest.to_owned(), input: input.digest.clone() }
            })?;
            let bad =
                || GraphError::BadIndex { digest: digest.to_owned(), what: "output", index: input.index };
            let output = usize::try_from(input.index).map_err(|_| bad())?;
            if output >= self.get(vertex).map_or(0, outputs) {
                return Err(bad());
            }
            Ok(Edge { vertex, output })
        };
        op.inputs.iter().map(edge).collect()
    }

    /// The vertex `id`; `None` only for an id of another graph.
    #[must_use]
    pub fn get(&self, id: VertexId) -> Option<&Vertex> {
        self.vertices.get(id.index())
    }

    /// Every vertex with its id, inputs before dependents.
    pub fn iter(&self) -> impl Iterator<Item = (VertexId, &Vertex)> {
        (0..).map(VertexId).zip(&self.vertices)
    }

    /// Number of vertices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Whether there is no vertex.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    /// Marks the steps that run programs of another platform than `native` says this machine does.
    pub fn mark_emulated(&mut self, native: impl Fn(&pb::Platform) -> bool) {
        for vertex in &mut self.vertices {
            let runs = matches!(&vertex.op.op, Some(pb::op::Op::Exec(_)));
            vertex.is_emulated =
                runs && vertex.op.platform.as_ref().is_some_and(|platform| !native(platform));
        }
    }

    /// Fills in how much work lies behind each vertex; called once, after the last [`Graph::add`].
    pub(super) fn measure(&mut self) {
        for index in (0..self.vertices.len()).rev() {
            let Some(vertex) = self.vertices.get(index) else { continue };
            let behind = vertex.dependents.iter().filter_map(|id| self.get(*id)).map(|v| v.height).max();
            let own = u32::from(matches!(&vertex.op.op, Some(pb::op::Op::Exec(_))));
            if let Some(vertex) = self.vertices.get_mut(index) {
                vertex.height = own.saturating_add(behind.unwrap_or(0));
            }
        }
    }
}

/// How many outputs an operation has.
#[must_use]
pub fn outputs(vertex: &Vertex) -> usize {
    let highest = match &vertex.op.op {
        Some(pb::op::Op::Exec(exec)) => exec.mounts.iter().map(|mount| mount.output).max(),
        Some(pb::op::Op::File(file)) => file.actions.iter().map(|action| action.output).max(),
        Some(pb::op::Op::Passthrough(pass)) => return pass.outputs.len(),
        Some(pb::op::Op::Source(_) | pb::op::Op::Build(_) | pb::op::Op::Merge(_) | pb::op::Op::Diff(_))
        | None => Some(0),
    };
    highest.and_then(|index| usize::try_from(index).ok()).map_or(0, |index| index.saturating_add(1))
}

/// A name for an operation whose producer gave none.
fn describe(op: &pb::Op) -> String {
    match &op.op {
        Some(pb::op::Op::Source(source)) => source.identifier.clone(),
        Some(pb::op::Op::Exec(exec)) => {
            exec.meta.as_ref().map(|meta| meta.args.join(" ")).unwrap_or_default()
        }
        Some(pb::op::Op::File(_)) => "file operation".to_owned(),
        Some(pb::op::Op::Merge(_)) => "merge".to_owned(),
        Some(pb::op::Op::Diff(_)) => "diff".to_owned(),
        Some(pb::op::Op::Build(_)) => "build".to_owned(),
        Some(pb::op::Op::Passthrough(pass)) => pass.id.clone(),
        None => String::new(),
    }
}

/// The places of a definition's operations, by digest.
struct Places<'a> {
    files: Vec<Arc<str>>,
    locations: Option<&'a pb::Source>,
}

impl<'a> Places<'a> {
    fn of(definition: &'a pb::Definition) -> Self {
        let files = definition.source.iter().flat_map(|source| &source.infos);
        Self {
            files: files.map(|info| Arc::from(info.filename.as_str())).collect(),
            locations: definition.source.as_ref(),
        }
    }

    fn get(&self, digest: &str) -> Option<Place> {
        let location = self.locations?.locations.get(digest)?.locations.first()?;
        let file = self.files.get(usize::try_from(location.source_index).ok()?)?;
        let line = location.ranges.first()?.start.as_ref()?.line;
        Some(Place { file: Arc::clone(file), line: usize::try_from(line).ok()? })
    }
}
