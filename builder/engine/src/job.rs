//! One step as a thread sees it: the operation, and the results it starts from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::digest::Digester;
use super::select::PatternFilter;
use super::{Context, EngineError};
use xx_build_fetch::open_local;
use xx_build_frontend::llb::pb;
use xx_build_rootfs::{Filter, Tree};
use xx_build_sandbox::overlay::{self, Writable};
use xx_build_solve::{Edge, Identity, Key, Selection};
use xx_build_store::{ActiveLayer, LayerId};

/// What an input of a step is.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// The result of another step; `None` is the empty file system.
    Layer(Option<LayerId>),
    /// A directory of the user.
    Local(Local),
}

/// A directory of the user as an operation sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Local {
    /// The NAME of `local://NAME`.
    pub(super) name: String,
    /// Patterns of what is seen; everything when empty.
    pub(super) include: Vec<String>,
    /// Patterns of what is not.
    pub(super) exclude: Vec<String>,
}

/// Everything a thread needs to run a step.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) op: Arc<pb::Op>,
    pub(super) inputs: Vec<Input>,
    pub(super) selections: Vec<Selection>,
    pub(super) edges: Vec<Edge>,
    pub(super) keys: Vec<Key>,
    pub(super) identity: Identity,
    pub(super) ignore_cache: bool,
    pub(super) resources: Option<pb::LinuxResources>,
    pub(super) number: usize,
    pub(super) name: String,
}

impl<'a> Context<'a> {
    /// Digests files, remembering what it read.
    pub(super) fn digester(&self) -> Digester<'a> {
        Digester { store: self.store, now: self.request.now, threads: self.request.threads }
    }

    /// The files of an input, to read.
    pub(super) fn tree(&self, input: &Input) -> Result<Tree, EngineError> {
        match input {
            Input::Layer(layer) => Ok(Tree::result(self.view(*layer)?, self.store.owners())),
            Input::Local(local) => {
                let filter = PatternFilter::new(&local.include, &local.exclude)?;
                let filter = (!filter.is_empty()).then(|| Arc::new(filter) as Arc<dyn Filter>);
                Ok(open_local(self.local(local)?, filter)?)
            }
        }
    }

    /// Where a directory of the user lies.
    pub(super) fn local(&self, local: &Local) -> Result<&Path, EngineError> {
        let missing = || EngineError::Missing { kind: "local directory", name: local.name.clone() };
        self.request.locals.get(&local.name).map(PathBuf::as_path).ok_or_else(missing)
    }

    /// The directories of a result, the uppermost first.
    pub(super) fn directories(&self, layer: Option<LayerId>) -> Result<Vec<PathBuf>, EngineError> {
        Ok(self.store.layer_chain(layer)?.into_iter().map(|layer| layer.path).collect())
    }

    /// A result as one read-only tree.
    pub(super) fn view(&self, layer: Option<LayerId>) -> Result<std::os::fd::OwnedFd, EngineError> {
        match &self.directories(layer)?[..] {
            [] => {
                let empty = self.store.scratch_path();
                std::fs::create_dir(&empty).map_err(|source| StoreIo::new(&empty, source))?;
                open(&empty)
            }
            [only] => open(only),
            many => Ok(overlay::mount_detached(many, None)?),
        }
    }

    /// A result to write to: a new layer on top of it, and the tree that shows both.
    pub(super) fn writable(
        &self,
        base: Option<LayerId>,
    ) -> Result<(ActiveLayer, std::os::fd::OwnedFd), EngineError> {
        let layer = self.store.new_layer()?;
        let lower = self.directories(base)?;
        let root = if lower.is_empty() {
            open(&layer.files())?
        } else {
            let (upper, work) = (layer.files(), layer.overlay_work());
            overlay::mount_detached(&lower, Some(Writable { upper: &upper, work: &work }))?
        };
        Ok((layer, root))
    }
}

struct StoreIo;

impl StoreIo {
    #[expect(clippy::new_ret_no_self, reason = "names the error after its source")]
    fn new(path: &Path, source: std::io::Error) -> EngineError {
        xx_build_store::StoreError::Io { action: "open", path: path.to_owned(), source }.into()
    }
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd, EngineError> {
    std::fs::File::open(path).map(Into::into).map_err(|source| StoreIo::new(path, source))
}
