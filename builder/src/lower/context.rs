//! The main context when it is not on this machine: a git repository, or an archive or Dockerfile at a URL.
//!
//! The Dockerfile itself comes out of it, so the caller solves [`remote_context`] before there is anything to lower;
//! the lowering then adds the same operations, whose result is there already.

use std::collections::BTreeMap;

use super::config::MainContext;
use super::git;
use super::named::named;
use crate::dockerfile::mount::boolean;
use crate::llb::graph::{Graph, Node, NodeId, NodeOp, SourceFile};
use crate::llb::pb;

/// Name of the file that a URL's download becomes.
pub const DOWNLOAD: &str = "context";

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

/// Adds the operations of a remote context; `None` for a local one.
pub(super) fn add(
    graph: &mut Graph,
    context: &MainContext,
    build_args: &BTreeMap<String, String>,
) -> Result<Option<NodeId>, String> {
    let node = |op, metadata| Node { op, platform: None, metadata, lines: None };
    Ok(match context {
        MainContext::Local => None,
        MainContext::Git(url) => {
            let repository =
                git::Repository::parse(url)?.ok_or_else(|| format!("`{url}` is not a git URL"))?;
            let dated = build_args.get("SOURCE_DATE_EPOCH").is_some_and(|epoch| !epoch.is_empty());
            let keep = build_args.get("BUILDKIT_CONTEXT_KEEP_GIT_DIR").and_then(|text| boolean(text));
            let options = git::Options::of_url(&repository, dated).keeping(keep.unwrap_or(false));
            let label = format!("[internal] load git source {}", git::without_secrets(url));
            Some(graph.add(node(NodeOp::Source(repository.source(&options)), named(&label))))
        }
        MainContext::Http { url, archive } => {
            let attrs = [("http.filename".to_owned(), DOWNLOAD.to_owned())].into();
            let source = pb::SourceOp { identifier: url.clone(), attrs };
            let label = "[internal] load remote build context";
            let file = graph.add(node(NodeOp::Source(source), named(label)));
            if !archive {
                return Ok(Some(file));
            }
            let copy = pb::FileActionCopy {
                src: format!("/{DOWNLOAD}"),
                dest: "/".to_owned(),
                mode: -1,
                attempt_unpack_docker_compatibility: true,
                timestamp: -1,
                ..pb::FileActionCopy::default()
            };
            let actions = vec![(pb::file_action::Action::Copy(copy), Some(file))];
            Some(graph.add(node(NodeOp::File { base: None, actions }, pb::OpMetadata::default())))
        }
    })
}
