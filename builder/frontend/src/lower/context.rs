//! The main context when it is not on this machine: a git repository, or an archive or Dockerfile at a URL.
//!
//! The Dockerfile itself comes out of it, so the caller solves [`remote_context`] before there is anything to lower;
//! the lowering then adds the same operations, whose result is there already.

use std::collections::BTreeMap;

use super::config::MainContext;
use super::epoch::EPOCH;
use super::git;
use super::named::named;
use crate::dockerfile::mount::boolean;
use crate::llb::graph::{Graph, Node, NodeId, NodeOp, SourceFile};
use crate::llb::pb;

/// Name of the file that a URL's download becomes.
pub const DOWNLOAD: &str = "context";
/// The attribute that holds it.
const FILENAME: &str = "http.filename";

/// The definition of a main context alone; empty when it is a directory of this machine.
///
/// # Errors
/// What is wrong with the URL.
pub fn remote_context(
    context: &MainContext,
    build_args: &BTreeMap<String, String>,
) -> Result<pb::Definition, String> {
    let mut graph = Graph::default();
    let node = add(&mut graph, context, build_args)?;
    Ok(graph.marshal(node, &pb::Platform::default(), &SourceFile { name: "", text: "" }))
}

/// The definition of a source alone; of a download also as what is in it, when it is an archive.
#[must_use]
pub fn source_definition(source: pb::SourceOp, label: &str, unpack: bool) -> pb::Definition {
    let mut graph = Graph::default();
    let file = source.attrs.get(FILENAME).cloned();
    let mut node = graph.add(node(NodeOp::Source(source), named(label)));
    if let (Some(file), true) = (file, unpack) {
        node = unpacked(&mut graph, node, &file);
    }
    graph.marshal(Some(node), &pb::Platform::default(), &SourceFile { name: "", text: "" })
}

/// The source of a remote context; `None` for a local one.
pub(super) fn source(
    context: &MainContext,
    build_args: &BTreeMap<String, String>,
) -> Result<Option<pb::SourceOp>, String> {
    match context {
        MainContext::Local => Ok(None),
        MainContext::Git(url) => {
            let repository =
                git::Repository::parse(url)?.ok_or_else(|| format!("`{url}` is not a git URL"))?;
            let dated = build_args.get(EPOCH).is_some_and(|epoch| !epoch.is_empty());
            let keep = build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR").and_then(|text| boolean(text));
            let options = git::Options::of_url(&repository, dated).keeping(keep.unwrap_or(false));
            Ok(Some(repository.source(&options)))
        }
        MainContext::Http { url, .. } => Ok(Some(download(url))),
    }
}

/// The source of a URL that is a context.
pub(super) fn download(url: &str) -> pb::SourceOp {
    let attrs = [(FILENAME.to_owned(), DOWNLOAD.to_owned())].into();
    pb::SourceOp { identifier: url.to_owned(), attrs }
}

/// Adds the operations of a remote context; `None` for a local one.
pub(super) fn add(
    graph: &mut Graph,
    context: &MainContext,
    build_args: &BTreeMap<String, String>,
) -> Result<Option<NodeId>, String> {
    let Some(source) = source(context, build_args)? else { return Ok(None) };
    let label = match context {
        MainContext::Git(url) => format!("[internal] load git source {}", git::without_secrets(url)),
        MainContext::Local | MainContext::Http { .. } => "[internal] load remote build context".to_owned(),
    };
    let source = graph.add(node(NodeOp::Source(source), named(&label)));
    let archive = matches!(context, MainContext::Http { archive: true, .. });
    Ok(Some(if archive { unpacked(graph, source, DOWNLOAD) } else { source }))
}

fn unpacked(graph: &mut Graph, source: NodeId, file: &str) -> NodeId {
    let copy = pb::FileActionCopy {
        src: format!("/{file}"),
        dest: "/".to_owned(),
        mode: -1,
        attempt_unpack_docker_compatibility: true,
        timestamp: -1,
        ..pb::FileActionCopy::default()
    };
    let actions = vec![(pb::file_action::Action::Copy(copy), Some(source))];
    graph.add(node(NodeOp::File { base: None, actions }, pb::OpMetadata::default()))
}

fn node(op: NodeOp, metadata: pb::OpMetadata) -> Node {
    Node { op, platform: None, metadata, lines: None }
}
