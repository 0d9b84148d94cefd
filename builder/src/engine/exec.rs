//! RUN steps: an LLB exec operation as a sandbox [`Step`], and its writable mounts as outputs.

use std::os::fd::OwnedFd;

use super::job::{Input, Job, Local};
use super::{Context, EngineError, Event, Stream, cache_mount};
use crate::llb::pb;
use crate::sandbox::overlay::{self, Writable};
use crate::sandbox::{
    BindSource, Cancel, Exit, Finished, Mount, MountKind, Network, Security, Step, Stream as StepStream,
    Ulimit, Unreal,
};
use crate::store::{ActiveLayer, FileLock, LayerId, OutputLayer};

/// Runs the step and returns its outputs in order.
pub(super) fn run(
    context: Context<'_>,
    cancel: &Cancel,
    job: &Job,
    op: &pb::ExecOp,
) -> Result<Vec<OutputLayer>, EngineError> {
    let meta = op.meta.clone().unwrap_or_default();
    let mut mounts = Mounts { context, job, locks: vec![], written: vec![] };
    let mut root = None;
    let mut inside = vec![];
    for mount in &op.mounts {
        if mount.dest == "/" {
            root = Some(mounts.root(mount)?);
        } else if let Some(kind) = mounts.mount(mount)? {
            inside.push(Mount { target: mount.dest.clone(), kind });
        }
    }
    let root = root.ok_or_else(|| EngineError::Unsupported("a step without a root".to_owned()))?;
    let step = Step {
        mounts: inside,
        env: environment(context, &meta, &op.secretenv)?,
        cwd: meta.cwd.clone(),
        user: meta.user.clone(),
        network: match pb::NetMode::try_from(op.network) {
            Ok(pb::NetMode::None) => Network::None,
            // Without a network of its own, the default of a step is the builder's.
            Ok(pb::NetMode::Unset | pb::NetMode::Host) | Err(_) => Network::Host,
        },
        security: match pb::SecurityMode::try_from(op.security) {
            Ok(pb::SecurityMode::Insecure) => {
                return Err(EngineError::Unsupported("`RUN --security=insecure`".to_owned()));
            }
            Ok(pb::SecurityMode::Sandbox) | Err(_) => Security::Sandbox,
        },
        extra_hosts: meta.extra_hosts.iter().map(|host| (host.host.clone(), host.ip.clone())).collect(),
        ulimits: meta.ulimit.iter().map(ulimit).collect(),
        ..Step::new(root, meta.args.clone())
    };
    let step = if meta.hostname.is_empty() { step } else { Step { hostname: meta.hostname.clone(), ..step } };
    let finished = crate::sandbox::run(&step, cancel, &mut |stream, bytes| {
        let stream = match stream {
            StepStream::Stdout => Stream::Out,
            StepStream::Stderr => Stream::Err,
        };
        context.observer.event(job.number, Event::Output { stream, bytes });
    })?;
    drop(step);
    let allowed: &[i32] = if meta.valid_exit_codes.is_empty() { &[0] } else { &meta.valid_exit_codes };
    if !matches!(finished.exit, Exit::Code(code) if allowed.contains(&code)) {
        return Err(failed(&meta, finished));
    }
    Ok(mounts.outputs())
}

fn failed(meta: &pb::Meta, finished: Finished) -> EngineError {
    let exit = finished.exit;
    let reason = match exit {
        Exit::Code(code) => format!("exited with code {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::Cancelled => "was cancelled".to_owned(),
    };
    EngineError::Exit {
        command: meta.args.join(" "),
        reason,
        code: exit.code(),
        hint: finished.unreal.map(Unreal::hint),
    }
}

fn ulimit(limit: &pb::Ulimit) -> Ulimit {
    // Negative stands for "no limit".
    let value = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
    Ulimit { name: limit.name.clone(), soft: value(limit.soft), hard: value(limit.hard) }
}

/// The step's own variables, then proxies and secrets, which are no part of its cache key.
fn environment(
    context: Context<'_>,
    meta: &pb::Meta,
    secrets: &[pb::SecretEnv],
) -> Result<Vec<String>, EngineError> {
    let mut env = meta.env.clone();
    if let Some(proxy) = &meta.proxy_env {
        let values = [
            ("HTTP_PROXY", &proxy.http_proxy),
            ("HTTPS_PROXY", &proxy.https_proxy),
            ("FTP_PROXY", &proxy.ftp_proxy),
            ("NO_PROXY", &proxy.no_proxy),
            ("ALL_PROXY", &proxy.all_proxy),
        ];
        for (name, value) in values.into_iter().filter(|(_, value)| !value.is_empty()) {
            env.push(format!("{name}={value}"));
            env.push(format!("{}={value}", name.to_lowercase()));
        }
    }
    for secret in secrets {
        match context.request.secrets.get(&secret.id) {
            Some(value) => env.push(format!("{}={}", secret.name, String::from_utf8_lossy(value))),
            None if secret.optional => {}
            None => return Err(EngineError::Missing { kind: "secret", name: secret.id.clone() }),
        }
    }
    Ok(env)
}

/// The mounts of a step while it is being prepared.
struct Mounts<'a> {
    context: Context<'a>,
    job: &'a Job,
    /// Cache mounts that nobody else may use meanwhile.
    locks: Vec<FileLock>,
    written: Vec<Written>,
}

/// A mount that was written to.
struct Written {
    /// Which output it is; `None` is thrown away.
    output: Option<usize>,
    content: OutputLayer,
}

impl Mounts<'_> {
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

    fn root(&mut self, mount: &pb::Mount) -> Result<OwnedFd, EngineError> {
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
            self.written.extend(output.map(|output| Written { output: Some(output), content }));
            return self.context.view(layer);
        }
        let (active, root) = self.context.writable(layer)?;
        self.written.push(Written { output, content: OutputLayer::New { layer: active, parent: layer } });
        Ok(root)
    }

    fn mount(&mut self, mount: &pb::Mount) -> Result<Option<MountKind>, EngineError> {
        match pb::MountType::try_from(mount.mount_type) {
            Ok(pb::MountType::Bind) => self.bind(mount).map(Some),
            Ok(pb::MountType::Tmpfs) => {
                let size = mount.tmpfs_opt.as_ref().map(|options| options.size);
                let size = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
                Ok(Some(MountKind::Tmpfs { size }))
            }
            Ok(pb::MountType::Cache) => {
                let base = self.input(mount.input)?;
                let (path, lock) = cache_mount::prepare(self.context, self.job, mount, &base)?;
                self.locks.extend(lock);
                let source = BindSource::Path(path);
                Ok(Some(MountKind::Bind { source, subpath: String::new(), readonly: mount.readonly }))
            }
            Ok(pb::MountType::Secret) => self.secret(mount),
            Ok(pb::MountType::Ssh) => match &mount.ssh_opt {
                Some(options) if options.optional => Ok(None),
                _ => Err(EngineError::Unsupported("`RUN --mount=type=ssh`".to_owned())),
            },
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
        if tree.filter().is_some() {
            let hidden = self.context.store.new_layer()?;
            super::hide::hide(&tree, &hidden.files())?;
            lower.insert(0, hidden.files());
            self.keep(hidden);
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
        self.written.push(Written { output: None, content: OutputLayer::New { layer, parent: None } });
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

    fn outputs(self) -> Vec<OutputLayer> {
        let count = self.written.iter().filter_map(|written| written.output).max().map_or(0, |last| last + 1);
        let mut out: Vec<OutputLayer> = (0..count).map(|_| OutputLayer::Empty).collect();
        for Written { output, content } in self.written {
            if let Some(slot) = output.and_then(|output| out.get_mut(output)) {
                *slot = content;
            }
        }
        out
    }
}
