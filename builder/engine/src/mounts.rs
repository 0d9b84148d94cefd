//! The mounts of a step: results, directories of the user, caches, memory, secrets, agents.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use super::agent::{Agent, Conduct};
use super::cache_mount::{self, Cache};
use super::hide::{hidden, hide};
use super::job::{Input, Job, Local};
use super::{Context, EngineError, SshSource};
use xx_build_frontend::llb::pb;
use xx_build_sandbox::overlay::{self, Writable};
use xx_build_sandbox::{BindSource, MountKind, SandboxError};
use xx_build_store::{ActiveLayer, LayerId, OutputLayer, StoreError};

/// The mounts of a step while it is being prepared.
pub(super) struct Mounts<'a> {
    context: Context<'a>,
    job: &'a Job,
    /// Cache mounts by the number of the mount, and the locks that keep others off them.
    caches: BTreeMap<usize, Cache>,
    agents: Vec<Agent>,
    written: Vec<Written>,
}

/// A mount that was written to.
struct Written {
    /// Which output it is; `None` is thrown away.
    output: Option<usize>,
    content: OutputLayer,
    /// Where it is written, if it is.
    root: Option<OwnedFd>,
}

impl<'a> Mounts<'a> {
    /// Takes the caches of the step, the locked ones in one order for all steps: two that want the same two never
    /// wait for each other.
    pub(super) fn new(context: Context<'a>, job: &'a Job, mounts: &[pb::Mount]) -> Result<Self, EngineError> {
        let mut this = Self { context, job, caches: BTreeMap::new(), agents: vec![], written: vec![] };
        let mut wanted = vec![];
        for (number, mount) in mounts.iter().enumerate() {
            if mount.mount_type == i32::from(pb::MountType::Cache) {
                let base = this.input(mount.input)?;
                wanted.push((cache_mount::name(job, mount, &base), number, mount, base));
            }
        }
        wanted.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        for (name, number, mount, base) in wanted {
            let cache =
                cache_mount::prepare(context, (&job.name, &name), mount, &base, this.caches.values())?;
            this.caches.insert(number, cache);
        }
        Ok(this)
    }

    fn input(&self, index: i64) -> Result<Input, EngineError> {
        match usize::try_from(index) {
            Err(_) => Ok(Input::Layer(None)),
            Ok(index) => self
                .job
                .inputs
                .get(index)
                .cloned()
                .ok_or_else(|| EngineError::Unsupported(format!("a mount of input {index}"))),
        }
    }

    /// The root of the step.
    pub(super) fn root(&mut self, mount: &pb::Mount) -> Result<OwnedFd, EngineError> {
        if !mount.selector.is_empty() && mount.selector != "/" {
            return Err(EngineError::Unsupported("a part of a result as the root of a step".to_owned()));
        }
        match self.input(mount.input)? {
            Input::Layer(layer) => self.layer(layer, mount),
            Input::Local(_) => {
                Err(EngineError::Unsupported("a directory of the user as the root of a step".to_owned()))
            }
        }
    }

    /// A result, read-only or with a new layer on top.
    fn layer(&mut self, layer: Option<LayerId>, mount: &pb::Mount) -> Result<OwnedFd, EngineError> {
        let output = usize::try_from(mount.output).ok();
        if mount.readonly {
            let content = layer.map_or(OutputLayer::Empty, OutputLayer::Existing);
            self.written.extend(output.map(|output| Written { output: Some(output), content, root: None }));
            return self.context.view(layer);
        }
        let (active, mut root) = self.context.writable(layer)?;
        if layer.is_none() {
            // A directory alone is no root: a mount of it would let the step write marks of overlays into the layer.
            let (upper, work) = (active.files(), active.overlay_work());
            let nothing = work.with_file_name("nothing");
            std::fs::create_dir(&nothing).map_err(|source| StoreError::Io {
                action: "create",
                path: nothing.clone(),
                source,
            })?;
            root = overlay::mount_detached(&[nothing], Some(Writable { upper: &upper, work: &work }))?;
        }
        let sealed = root.try_clone().map_err(|source| SandboxError::System {
            action: "open",
            subject: "the root of the step".to_owned(),
            source,
        })?;
        let content = OutputLayer::New { layer: active, parent: layer };
        self.written.push(Written { output, content, root: Some(sealed) });
        Ok(root)
    }

    /// What the mount of this number shows; `None` when it is optional and there is nothing.
    pub(super) fn mount(
        &mut self,
        number: usize,
        mount: &pb::Mount,
    ) -> Result<Option<MountKind>, EngineError> {
        match pb::MountType::try_from(mount.mount_type) {
            Ok(pb::MountType::Bind) => self.bind(mount).map(Some),
            Ok(pb::MountType::Tmpfs) => {
                let size = mount.tmpfs_opt.as_ref().map(|options| options.size);
                let size = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
                Ok(Some(MountKind::Tmpfs { size }))
            }
            Ok(pb::MountType::Cache) => {
                let source = self.caches.get(&number).map(|cache| BindSource::Path(cache.path.clone()));
                let source =
                    source.ok_or_else(|| EngineError::Unsupported("a cache without a place".to_owned()))?;
                Ok(Some(MountKind::Bind { source, subpath: String::new(), readonly: mount.readonly }))
            }
            Ok(pb::MountType::Secret) => self.secret(mount),
            Ok(pb::MountType::Ssh) => self.ssh(mount),
            Err(_) => Err(EngineError::Unsupported(format!("mount type {}", mount.mount_type))),
        }
    }

    fn bind(&mut self, mount: &pb::Mount) -> Result<MountKind, EngineError> {
        let source = match self.input(mount.input)? {
            Input::Layer(layer) => self.layer(layer, mount)?,
            Input::Local(local) => self.local(&local, mount)?,
        };
        Ok(MountKind::Bind {
            source: BindSource::Fd(source),
            subpath: mount.selector.trim_start_matches('/').to_owned(),
            readonly: mount.readonly,
        })
    }

    /// A directory of the user without what is hidden of it; writes go to a layer that is thrown away.
    fn local(&mut self, local: &Local, mount: &pb::Mount) -> Result<OwnedFd, EngineError> {
        let mut lower = vec![self.context.local(local)?.to_owned()];
        let tree = self.context.tree(&Input::Local(local.clone()))?;
        let hidden = hidden(&tree, &mount.selector)?;
        if !hidden.is_empty() {
            let over = self.context.store.new_layer()?;
            hide(&tree, &hidden, &over.files())?;
            lower.insert(0, over.files());
            self.keep(over);
        }
        if mount.readonly {
            return Ok(overlay::mount_detached(&lower, None)?);
        }
        let layer = self.context.store.new_layer()?;
        let (upper, work) = (layer.files(), layer.overlay_work());
        let root = overlay::mount_detached(&lower, Some(Writable { upper: &upper, work: &work }))?;
        self.keep(layer);
        Ok(root)
    }

    /// Keeps a layer as long as the step runs.
    fn keep(&mut self, layer: ActiveLayer) {
        self.written.push(Written {
            output: None,
            content: OutputLayer::New { layer, parent: None },
            root: None,
        });
    }

    fn secret(&self, mount: &pb::Mount) -> Result<Option<MountKind>, EngineError> {
        let options = mount.secret_opt.clone().unwrap_or_default();
        match self.context.request.secrets.get(&options.id) {
            Some(contents) => Ok(Some(MountKind::File {
                contents: contents.clone(),
                mode: options.mode,
                uid: options.uid,
                gid: options.gid,
            })),
            None if options.optional => Ok(None),
            None => Err(EngineError::Missing { kind: "secret", name: options.id }),
        }
    }

    fn ssh(&mut self, mount: &pb::Mount) -> Result<Option<MountKind>, EngineError> {
        let options = mount.ssh_opt.clone().unwrap_or_default();
        let id = if options.id.is_empty() { "default" } else { options.id.as_str() };
        let (target, conduct) = match self.context.request.steps.agents.get(id) {
            Some(SshSource::Socket(path)) => (path.clone(), Conduct::ReadOnly),
            Some(SshSource::Raw(path)) => (path.clone(), Conduct::Raw),
            Some(SshSource::Keys(keys)) => (keys.socket(self.context)?, Conduct::ReadOnly),
            None if options.optional => return Ok(None),
            None => return Err(EngineError::Missing { kind: "ssh agent", name: id.to_owned() }),
        };
        let store = self.context.store;
        let (folder, owner) = (store.scratch_path(), (options.uid, options.gid));
        let io = |source| StoreError::Io { action: "make a socket in", path: folder.clone(), source };
        let agent = Agent::start(folder.clone(), &target, store.owners(), (owner, options.mode), conduct)
            .map_err(io)?;
        let source = BindSource::Fd(agent.socket().map_err(io)?);
        self.agents.push(agent);
        Ok(Some(MountKind::Bind { source, subpath: String::new(), readonly: false }))
    }

    /// What was written, once the step is done; nobody can change it any more.
    pub(super) fn outputs(self) -> Result<Vec<OutputLayer>, EngineError> {
        let count = self.written.iter().filter_map(|written| written.output).max().map_or(0, |last| last + 1);
        let mut out: Vec<OutputLayer> = (0..count).map(|_| OutputLayer::Empty).collect();
        for Written { output, content, root } in self.written {
            if let (Some(root), OutputLayer::New { layer, .. }, Some(_)) = (root, &content, output) {
                overlay::seal(root.as_fd(), &layer.files())?;
            }
            if let Some(slot) = output.and_then(|output| out.get_mut(output)) {
                *slot = content;
            }
        }
        Ok(out)
    }
}
