//! RUN: the command, its mounts, its environment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::LowerError;
use super::config::NetworkMode;
use super::env::EnvList;
use super::instructions::with_shell;
use super::paths;
use super::stages::{StageState, Step, Target};
use crate::dockerfile::Diagnostic;
use crate::dockerfile::ast::{CommandLine, Network, Run};
use crate::dockerfile::expand::{Rules, Variables as _};
use crate::dockerfile::heredoc::{self, Heredoc};
use crate::dockerfile::mount::{Kind, Mount, Sharing, parse};
use crate::dockerfile::node::Word;
use crate::llb::graph::{NONE, Node, NodeId, NodeOp};
use crate::llb::pb;
use crate::llb::pb::file_action::Action;
use crate::source_text::Span;

/// Where a heredoc with a shebang is mounted.
const PIPES: &str = "/dev/pipes/";

/// Most bytes of arguments and variables that the commands of one graph hold together. Each command of the graph holds
/// its whole environment, so that n variables and n commands take n times n; builds in use are a thousand times smaller.
const MAX_COMMANDS: usize = 64 << 20;

/// The parts of an operation that mounts fill in.
#[derive(Default)]
struct Mounts {
    /// Mounts of trees.
    trees: Vec<(pb::Mount, Option<NodeId>)>,
    secrets: Vec<pb::Mount>,
    sockets: Vec<pb::Mount>,
    secret_env: Vec<pb::SecretEnv>,
}

impl<'a> Target<'a> {
    pub(super) fn run(
        &mut self,
        stage: &mut StageState<'a>,
        step: &Step<'a>,
        run: &Run,
    ) -> Result<(), LowerError> {
        let node = &step.instruction.node;
        let used = stage.paths;
        if let Some(paths) = self.shared.path_sets.get_mut(used) {
            paths.insert("/".to_owned());
        }
        let mut mounts = Mounts::default();
        let root = pb::Mount { dest: "/".to_owned(), ..pb::Mount::default() };
        mounts.trees.push((root, stage.state.out));
        let (line, summary) =
            self.heredoc_command(stage, &run.line, step.instruction.heredocs(), &mut mounts);
        let args = with_shell(&stage.image, &line);
        if args.is_empty() {
            return Err(Diagnostic::error(node.span, "RUN has no command")
                .hint("write `RUN command`, or `RUN [\"program\", \"argument\"]`")
                .into());
        }
        let mut masked = Cow::Borrowed(&stage.state.env);
        for (word, source) in run.mounts.iter().zip(&step.sources) {
            let env = &stage.state.env;
            let mount = parse(word, |value| self.expand(value, env, word.span).map(|e| e.text))?;
            if let (Kind::Secret, Some(name)) = (mount.kind, &mount.env) {
                masked.to_mut().set(name, "****");
            }
            self.mount(stage, word, mount, *source, &mut mounts)?;
        }
        if self.config.shm_size > 0 {
            let tmpfs = Some(pb::TmpfsOpt { size: self.config.shm_size });
            let mount = tmpfs_mount("/dev/shm".to_owned(), tmpfs);
            mounts.trees.push((mount, None));
        }
        let env = with_agent(&stage.state.env, &mut mounts.sockets);
        let rules = Rules { raw_quotes: true, keep_unset: true, ..Rules::new(self.file.escape()) };
        let shown = self.display(&format!("{}{summary}", node.code), &masked, rules);
        let state_platform = stage.state.platform.clone();
        let meta = self.meta(stage, args.clone(), &env);
        self.count(&meta, node.keyword.span)?;
        let plain_env = std::mem::take(&mut stage.state.env);
        let label = self.step_name(stage, &shown, state_platform.as_ref(), &plain_env);
        stage.state.env = plain_env;
        let mut metadata = self.step_metadata(stage, &label);
        metadata.linux_resources.clone_from(&self.config.resources);
        metadata.description.insert(super::dispatch::DOCKERFILE_COMMAND.to_owned(), node.code.clone());
        let exec = pb::ExecOp {
            meta: Some(meta),
            mounts: mounts.secrets.into_iter().chain(mounts.sockets).collect(),
            network: self.network(run.network).into(),
            security: if run.insecure { pb::SecurityMode::Insecure.into() } else { 0 },
            secretenv: mounts.secret_env,
            cdi_devices: Vec::new(),
        };
        let id = self.shared.graph.add(Node {
            op: NodeOp::Exec { exec: Box::new(exec), mounts: mounts.trees },
            platform: stage.state.platform.as_ref().map(super::platforms::to_op),
            metadata,
            lines: Some(node.lines),
        });
        stage.state.out = Some(id);
        let message = format!("RUN {}", history_command(&args, stage));
        self.commit(stage, message, true, true);
        Ok(())
    }

    /// Adds what a command holds to what all of them hold.
    fn count(&mut self, meta: &pb::Meta, span: Span) -> Result<(), Diagnostic> {
        self.shared.command_bytes += meta.args.iter().chain(&meta.env).map(String::len).sum::<usize>();
        if self.shared.command_bytes <= MAX_COMMANDS {
            return Ok(());
        }
        let message = format!(
            "the commands up to here hold more than {} MiB of arguments and variables",
            MAX_COMMANDS >> 20
        );
        Err(Diagnostic::error(span, message)
            .hint("each RUN holds every variable before it: COPY a file with them, or put the RUNs first"))
    }

    /// A command with here documents: one document alone is the script, several are given back to the shell.
    fn heredoc_command(
        &mut self,
        stage: &StageState<'a>,
        line: &CommandLine,
        documents: &[Heredoc],
        mounts: &mut Mounts,
    ) -> (CommandLine, String) {
        let (Some(first), [command]) = (documents.first(), line.args.as_slice()) else {
            return (line.clone(), String::new());
        };
        if heredoc::marker(command).is_none() {
            let mut text = command.clone();
            for document in documents {
                text.push('\n');
                text.push_str(&document.content);
                text.push_str(&document.name);
            }
            return (CommandLine { args: vec![text], shell: line.shell }, String::new());
        }
        let data = first.chomped();
        let summary = format!(" ({})", summarize(&first.content));
        if stage.image.os == "windows" || !data.starts_with("#!") {
            return (CommandLine { args: vec![data], shell: line.shell }, summary);
        }
        let script = self.inline_file(&first.name, data.into_bytes(), 0o755);
        let mount = pb::Mount {
            dest: PIPES.to_owned(),
            readonly: true,
            selector: "/".to_owned(),
            output: NONE,
            ..pb::Mount::default()
        };
        mounts.trees.push((mount, Some(script)));
        // The shell is still put in front, so that `SHELL` with `-x` and the like works on the script.
        (CommandLine { args: vec![paths::join(PIPES, &first.name)], shell: line.shell }, summary)
    }

    /// A file with given contents on an empty tree.
    pub(super) fn inline_file(&mut self, name: &str, data: Vec<u8>, mode: i32) -> NodeId {
        let mkfile = pb::FileActionMkFile {
            path: paths::in_operation("/", name, false),
            mode,
            data,
            owner: None,
            timestamp: -1,
        };
        self.shared.graph.add(Node {
            op: NodeOp::File { base: None, actions: vec![(Action::Mkfile(mkfile), None)] },
            platform: None,
            metadata: super::named::named("[internal] preparing inline document"),
            lines: None,
        })
    }

    fn mount(
        &mut self,
        stage: &StageState<'a>,
        word: &Word,
        mut mount: Mount,
        source: usize,
        out: &mut Mounts,
    ) -> Result<(), LowerError> {
        let wrong =
            |message: String, hint: &str| LowerError::from(Diagnostic::error(word.span, message).hint(hint));
        match mount.kind {
            Kind::Secret => {
                secret(mount, out);
                return Ok(());
            }
            Kind::Ssh if !mount.source.is_empty() => {
                return Err(wrong("an ssh mount has no `source`".to_owned(), "name the agent with `id`"));
            }
            Kind::Ssh => {
                ssh(mount, out);
                return Ok(());
            }
            Kind::Bind | Kind::Cache | Kind::Tmpfs => {}
        }
        let from_stage = !mount.from.is_empty() || mount.kind == Kind::Cache;
        let tree = if from_stage {
            let Some(from) = self.stages.get(source).filter(|s| s.done) else {
                let hint = "move the stage before this one";
                return Err(wrong(format!("stage `{}` is not built before this mount", mount.from), hint));
            };
            from.state.out
        } else if mount.kind == Kind::Tmpfs {
            None
        } else {
            Some(self.main_context()?)
        };
        let used = paths::join("/", &mount.source);
        if from_stage {
            let set = self.stages.get(source).map(|s| s.paths);
            if let Some(set) = set.and_then(|s| self.shared.path_sets.get_mut(s)) {
                set.insert(used.clone());
            }
        } else {
            self.use_context(&mount.source);
        }
        let target = if paths::clean(&mount.target).starts_with('/') {
            mount.target.clone()
        } else {
            paths::join(&paths::join("/", &stage.state.dir), &mount.target)
        };
        if target == "/" {
            return Err(wrong(
                "a mount cannot have the target `/`".to_owned(),
                "mount below a directory of its own",
            ));
        }
        if mount.kind == Kind::Tmpfs {
            let mut tmpfs = tmpfs_mount(target, Some(pb::TmpfsOpt { size: mount.size }));
            tmpfs.readonly = mount.readonly;
            if used != "/" {
                tmpfs.selector = used;
            }
            out.trees.push((tmpfs, None));
            return Ok(());
        }
        let mut placed =
            pb::Mount { dest: target, readonly: mount.readonly, output: NONE, ..pb::Mount::default() };
        let mut tree = tree;
        if used != "/" {
            placed.selector = used;
        } else if mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some() {
            tree = Some(self.owned_cache(tree, &mount));
            "/cache".clone_into(&mut placed.selector);
        }
        if mount.kind == Kind::Cache {
            if mount.id.is_empty() {
                mount.id = paths::clean(&mount.target);
            }
            placed.mount_type = pb::MountType::Cache.into();
            let sharing = match mount.sharing {
                Sharing::Shared => pb::CacheSharingOpt::Shared,
                Sharing::Private => pb::CacheSharingOpt::Private,
                Sharing::Locked => pb::CacheSharingOpt::Locked,
            };
            let id = format!("{}/{}", self.config.cache_namespace, mount.id);
            placed.cache_opt = Some(pb::CacheOpt { id, sharing: sharing.into() });
        }
        out.trees.push((placed, tree));
        Ok(())
    }

    /// A cache's first contents: a directory with an owner and a mode.
    fn owned_cache(&mut self, base: Option<NodeId>, mount: &Mount) -> NodeId {
        let by_id =
            |id: Option<u32>| Some(pb::UserOpt { user: Some(pb::user_opt::User::ById(id.unwrap_or(0))) });
        let mkdir = pb::FileActionMkDir {
            path: "/cache".to_owned(),
            mode: i32::try_from(mount.mode.unwrap_or(0o755) & 0o777).unwrap_or(0o755),
            make_parents: false,
            owner: Some(pb::ChownOpt { user: by_id(mount.uid), group: by_id(mount.gid) }),
            timestamp: -1,
        };
        self.shared.graph.add(Node {
            op: NodeOp::File { base, actions: vec![(Action::Mkdir(mkdir), None)] },
            platform: None,
            metadata: super::named::named("[internal] setting cache mount permissions"),
            lines: None,
        })
    }

    fn meta(&self, stage: &StageState<'a>, args: Vec<String>, env: &EnvList) -> pb::Meta {
        let host = |(host, address): &(String, std::net::IpAddr)| pb::HostIp {
            host: host.clone(),
            ip: address.to_string(),
        };
        let ulimit =
            |u: &super::config::Ulimit| pb::Ulimit { name: u.name.clone(), soft: u.soft, hard: u.hard };
        pb::Meta {
            args,
            env: env.to_vec(),
            cwd: stage.state.dir.clone(),
            user: stage.state.user.clone(),
            proxy_env: self.proxy(),
            extra_hosts: self.config.add_hosts.iter().map(host).collect(),
            hostname: self.config.hostname.clone(),
            ulimit: self.config.ulimits.iter().map(ulimit).collect(),
            cgroup_parent: self.config.cgroup_parent.clone(),
            remove_mount_stubs_recursive: true,
            valid_exit_codes: Vec::new(),
        }
    }

    /// Proxies from build arguments: given to the program, no part of the cache key.
    fn proxy(&self) -> Option<pb::ProxyEnv> {
        let mut proxy = pb::ProxyEnv::default();
        let mut any = false;
        for (key, value) in &self.config.build_args {
            let slot = match key.to_ascii_lowercase().as_str() {
                "http_proxy" => &mut proxy.http_proxy,
                "https_proxy" => &mut proxy.https_proxy,
                "ftp_proxy" => &mut proxy.ftp_proxy,
                "no_proxy" => &mut proxy.no_proxy,
                "all_proxy" => &mut proxy.all_proxy,
                _ => continue,
            };
            slot.clone_from(value);
            any = true;
        }
        any.then_some(proxy)
    }

    fn network(&self, of_step: Network) -> pb::NetMode {
        match (of_step, self.config.network) {
            (Network::None, _) | (Network::Default, NetworkMode::None) => pb::NetMode::None,
            (Network::Host, _) | (Network::Default, NetworkMode::Host) => pb::NetMode::Host,
            (Network::Default, NetworkMode::Sandbox) => pb::NetMode::Unset,
        }
    }
}

fn tmpfs_mount(dest: String, tmpfs_opt: Option<pb::TmpfsOpt>) -> pb::Mount {
    pb::Mount {
        dest,
        output: NONE,
        mount_type: pb::MountType::Tmpfs.into(),
        tmpfs_opt,
        ..pb::Mount::default()
    }
}

fn secret(mount: Mount, out: &mut Mounts) {
    let id = match (mount.source.is_empty(), mount.id.is_empty()) {
        (false, _) => mount.source,
        (true, false) => mount.id,
        (true, true) => paths::base_name(&mount.target).to_owned(),
    };
    let dest = match (&mount.env, mount.target.is_empty()) {
        (None, true) => Some(format!("/run/secrets/{}", paths::base_name(&id))),
        (_, false) => Some(mount.target),
        (Some(_), true) => None,
    };
    let owned = mount.uid.is_some() || mount.gid.is_some() || mount.mode.is_some();
    if let Some(name) = mount.env {
        out.secret_env.push(pb::SecretEnv { id: id.clone(), name, optional: !mount.required });
    }
    if let Some(dest) = dest {
        let secret_opt = pb::SecretOpt {
            id,
            uid: mount.uid.unwrap_or(0),
            gid: mount.gid.unwrap_or(0),
            mode: mount.mode.filter(|_| owned).unwrap_or(0o400),
            optional: !mount.required,
        };
        out.secrets.push(pb::Mount {
            input: NONE,
            dest,
            mount_type: pb::MountType::Secret.into(),
            secret_opt: Some(secret_opt),
            ..pb::Mount::default()
        });
    }
}

fn ssh(mount: Mount, out: &mut Mounts) {
    let ssh_opt = pb::SshOpt {
        id: mount.id,
        uid: mount.uid.unwrap_or(0),
        gid: mount.gid.unwrap_or(0),
        mode: mount.mode.unwrap_or(0o600),
        optional: !mount.required,
    };
    out.sockets.push(pb::Mount {
        input: NONE,
        dest: mount.target,
        mount_type: pb::MountType::Ssh.into(),
        ssh_opt: Some(ssh_opt),
        ..pb::Mount::default()
    });
}

/// Gives agent sockets without a target theirs, and tells the program about the first.
fn with_agent<'e>(env: &'e EnvList, sockets: &mut [pb::Mount]) -> Cow<'e, EnvList> {
    for (index, socket) in sockets.iter_mut().enumerate() {
        if socket.dest.is_empty() {
            socket.dest = format!("/run/buildkit/ssh_agent.{index}");
        }
    }
    let mut env = Cow::Borrowed(env);
    if let (Some(first), None) = (sockets.first(), env.get("SSH_AUTH_SOCK")) {
        env.to_mut().set("SSH_AUTH_SOCK", first.dest.clone());
    }
    env
}

/// The command as the history shows it: `|2 A=1 B=2 /bin/sh -c ...` when build arguments are declared.
fn history_command(args: &[String], stage: &StageState<'_>) -> String {
    let env: BTreeMap<&str, &str> = stage.state.env.iter().collect();
    let mut shown: Vec<(&str, &str)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, value) in &stage.build_args {
        let value = env.get(key.as_str()).copied().or(value.as_deref()).unwrap_or_default();
        let place = *places.entry(key).or_insert(shown.len());
        match shown.get_mut(place) {
            Some((_, slot)) => *slot = value,
            None => shown.push((key, value)),
        }
    }
    let count = (!shown.is_empty()).then(|| format!("|{}", shown.len()));
    let pairs = shown.into_iter().map(|(key, value)| format!("{key}={value}"));
    let parts: Vec<String> = count.into_iter().chain(pairs).chain(args.iter().cloned()).collect();
    parts.join(" ")
}

/// The first line of a document.
fn summarize(document: &str) -> String {
    let text = document.trim();
    match text.split_once('\n') {
        Some((first, _)) => format!("{}...", first.trim_end_matches('\r')),
        None => text.to_owned(),
    }
}
