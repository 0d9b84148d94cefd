//! What an instruction finds: a tree and the settings that RUN inherits.

use platform_db::Platform;

use super::env::EnvList;
use super::paths;
use crate::llb::graph::NodeId;

/// The state of a stage between two instructions.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// The tree; scratch when there is none.
    pub(super) out: Option<NodeId>,
    /// Platform of programs that run here, when an image set it.
    pub(super) platform: Option<Platform>,
    pub(super) env: EnvList,
    pub(super) dir: String,
    pub(super) user: String,
}

impl State {
    pub(super) fn new(out: Option<NodeId>) -> Self {
        Self { out, dir: "/".to_owned(), ..Self::default() }
    }

    pub(super) fn set_dir(&mut self, dir: &str) {
        self.dir = if dir.starts_with('/') { dir.to_owned() } else { paths::join(&self.dir, dir) };
    }
}
