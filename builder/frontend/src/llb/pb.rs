//! The messages of LLB: those that were generated from BuildKit v0.29's definition, and by hand those that have changed
//! since. A name here takes the place of the generated one.

use std::collections::BTreeMap;

pub use bollard_buildkit_proto::pb::*;

/// A vertex of the graph.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Op {
    /// Results of other operations.
    #[prost(message, repeated, tag = "1")]
    pub inputs: Vec<Input>,
    /// Platform of programs that run and of images.
    #[prost(message, optional, tag = "10")]
    pub platform: Option<Platform>,
    /// Who may run it.
    #[prost(message, optional, tag = "11")]
    pub constraints: Option<WorkerConstraints>,
    /// What it does; nothing at the end of a definition.
    #[prost(oneof = "op::Op", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub op: Option<op::Op>,
}

/// What belongs to [`Op`].
pub mod op {
    /// The kinds of operations.
    #[expect(clippy::large_enum_variant, reason = "the variants are those of the generated message")]
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Op {
        /// Runs a program.
        #[prost(message, tag = "2")]
        Exec(super::ExecOp),
        /// Brings content in.
        #[prost(message, tag = "3")]
        Source(super::SourceOp),
        /// Changes files.
        #[prost(message, tag = "4")]
        File(super::FileOp),
        /// Builds what another build's result describes.
        #[prost(message, tag = "5")]
        Build(super::BuildOp),
        /// Lays trees on each other.
        #[prost(message, tag = "6")]
        Merge(super::MergeOp),
        /// What one tree changes in another.
        #[prost(message, tag = "7")]
        Diff(super::DiffOp),
        /// Gives inputs on as they are.
        #[prost(message, tag = "8")]
        Passthrough(super::PassthroughOp),
    }
}

/// Gives some inputs on as they are, once all of them are there (BuildKit v0.31).
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct PassthroughOp {
    /// Tells such operations apart.
    #[prost(string, tag = "1")]
    pub id: String,
    /// The input of each output.
    #[prost(int64, repeated, tag = "2")]
    pub outputs: Vec<i64>,
}

/// What is known of a vertex outside its digest.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OpMetadata {
    /// The cache is not asked.
    #[prost(bool, tag = "1")]
    pub ignore_cache: bool,
    /// Texts that the solver does not read.
    #[prost(btree_map = "string, string", tag = "2")]
    pub description: BTreeMap<String, String>,
    /// Whether the result goes into exported caches.
    #[prost(message, optional, tag = "4")]
    pub export_cache: Option<ExportCache>,
    /// What a solver has to know.
    #[prost(btree_map = "string, bool", tag = "5")]
    pub caps: BTreeMap<String, bool>,
    /// What progress shows as one.
    #[prost(message, optional, tag = "6")]
    pub progress_group: Option<ProgressGroup>,
    /// How much a program may use (BuildKit v0.31).
    #[prost(message, optional, tag = "7")]
    pub linux_resources: Option<LinuxResources>,
}

/// Limits of a program, as Docker counts them. Zero and empty mean no limit.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct LinuxResources {
    /// Bytes of memory.
    #[prost(int64, tag = "1")]
    pub memory: i64,
    /// Bytes of memory and swap; -1 for all swap there is.
    #[prost(int64, tag = "2")]
    pub memory_swap: i64,
    /// Share of processor time against others.
    #[prost(uint64, tag = "3")]
    pub cpu_shares: u64,
    /// Period in microseconds.
    #[prost(uint64, tag = "4")]
    pub cpu_period: u64,
    /// Microseconds of processor time in each period.
    #[prost(int64, tag = "5")]
    pub cpu_quota: i64,
    /// Processors, such as `0-3`.
    #[prost(string, tag = "6")]
    pub cpuset_cpus: String,
    /// Memory nodes.
    #[prost(string, tag = "7")]
    pub cpuset_mems: String,
}

/// A graph: operations as bytes, and what is known of each.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Definition {
    /// The operations.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub def: Vec<Vec<u8>>,
    /// By digest.
    #[prost(btree_map = "string, message", tag = "2")]
    pub metadata: BTreeMap<String, OpMetadata>,
    /// Where they were written.
    #[prost(message, optional, tag = "3")]
    pub source: Option<Source>,
}
