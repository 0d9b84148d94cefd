//! RUN steps: an LLB exec operation as a sandbox [`Step`], and its writable mounts as outputs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::job::Job;
use super::mounts::Mounts;
use super::output::{self, Clip};
use super::{Context, EngineError, Event, Keys, Stream};
use xx_build_frontend::llb::pb;
use xx_build_frontend::lower::paths;
use xx_build_sandbox::{
    Cancel, Cgroups, Exit, Finished, Group, Limits, Mount, Network, Runtime, Security, Step,
    Stream as StepStream, Ulimit, Unreal, Uplink,
};
use xx_build_store::OutputLayer;

/// Where the agent of an ssh mount comes from.
#[derive(Debug)]
pub enum SshSource {
    /// The socket of one that runs.
    Socket(PathBuf),
    /// A socket that anything is passed on to.
    Raw(PathBuf),
    /// One that is started with these keys.
    Keys(Box<Keys>),
}

/// How steps run, beyond what their operations say; no part of any cache key.
#[derive(Debug, Default)]
pub struct StepOptions {
    /// Whether operations may ask for `security.insecure`.
    pub allow_insecure: bool,
    /// Whether operations may ask for `network.host`.
    pub allow_host_network: bool,
    /// The network of steps that name none.
    pub uplink: Uplink,
    /// Ssh agents by id.
    pub agents: BTreeMap<String, SshSource>,
    /// An OCI runtime to run them with, instead of the built-in sandbox.
    pub runtime: Option<Runtime>,
    /// Limits of memory and processors.
    pub cgroups: Option<Cgroups>,
}

/// Refuses an operation that asks for more than the options allow; before anything runs, and whatever is cached.
pub(super) fn allowed(op: &pb::Op, options: &StepOptions) -> Result<(), EngineError> {
    let Some(pb::op::Op::Exec(op)) = &op.op else { return Ok(()) };
    let asked = [
        ("security.insecure", op.security == i32::from(pb::SecurityMode::Insecure), options.allow_insecure),
        ("network.host", op.network == i32::from(pb::NetMode::Host), options.allow_host_network),
    ];
    match asked.into_iter().find(|(_, asked, allowed)| *asked && !allowed) {
        Some((entitlement, ..)) => Err(EngineError::NotAllowed { entitlement }),
        None => Ok(()),
    }
}

/// Runs the step and returns its outputs in order.
pub(super) fn run(
    context: Context<'_>,
    cancel: &Cancel,
    job: &Job,
    op: &pb::ExecOp,
) -> Result<Vec<OutputLayer>, EngineError> {
    let meta = op.meta.clone().unwrap_or_default();
    let mut mounts = Mounts::new(context, job, &op.mounts)?;
    let mut root = None;
    let mut inside = vec![];
    for (number, mount) in op.mounts.iter().enumerate() {
        if mount.dest == "/" {
            root = Some(mounts.root(mount)?);
        } else if let Some(kind) = mounts.mount(number, mount)? {
            // As in BuildKit, a relative target lies below the directory that the step runs in.
            let target = paths::in_operation(&meta.cwd, &mount.dest, false);
            inside.push(Mount { target, kind });
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
            Ok(pb::NetMode::Host) => Network::Host,
            Ok(pb::NetMode::Unset) => default_network(context, job),
            Err(_) => return Err(EngineError::Unsupported(format!("network mode {}", op.network))),
        },
        security: match pb::SecurityMode::try_from(op.security) {
            Ok(pb::SecurityMode::Insecure) => Security::Insecure,
            Ok(pb::SecurityMode::Sandbox) => Security::Sandbox,
            Err(_) => return Err(EngineError::Unsupported(format!("security mode {}", op.security))),
        },
        extra_hosts: meta.extra_hosts.iter().map(|host| (host.host.clone(), host.ip.clone())).collect(),
        ulimits: meta.ulimit.iter().map(ulimit).collect(),
        ..Step::new(root, meta.args.clone())
    };
    let step = if meta.hostname.is_empty() { step } else { Step { hostname: meta.hostname.clone(), ..step } };
    let limit = |source| EngineError::Limit { source };
    let own = job.resources.as_ref().map(limits);
    let cgroups = context.request.steps.cgroups.as_ref();
    let group = cgroups.map(|cgroups| cgroups.group(own.as_ref())).transpose().map_err(limit)?;
    let cgroup = group.as_ref().map(Group::processes).transpose().map_err(limit)?;
    let step = Step { cgroup, ..step };
    let proxy = matches!(step.network, Network::Outward(_)).then(|| local_proxy(&step.env)).flatten();
    let mut clip = Clip::new(output::HEAD, output::TAIL);
    let show = |stream, bytes: &[u8]| context.observer.event(job.number, Event::Output { stream, bytes });
    let mut output = |stream, bytes: &[u8]| {
        let stream = match stream {
            StepStream::Stdout => Stream::Out,
            StepStream::Stderr => Stream::Err,
        };
        show(stream, clip.take(bytes));
    };
    let finished = match &context.request.steps.runtime {
        None => xx_build_sandbox::run(&step, cancel, &mut output)?,
        Some(runtime) => {
            xx_build_sandbox::run_with(runtime, &context.store.scratch_path(), &step, cancel, &mut output)?
        }
    };
    drop(step);
    show(Stream::Err, &clip.finish());
    let allowed: &[i32] = if meta.valid_exit_codes.is_empty() { &[0] } else { &meta.valid_exit_codes };
    if !matches!(finished.exit, Exit::Code(code) if allowed.contains(&code)) {
        let starved = group.is_some_and(|group| group.ran_out_of_memory());
        let known = if starved {
            Some("its memory was used up: raise `--memory`")
        } else {
            // Looked at while the step's files are still there.
            let full = context.store.disk().is_ok_and(|disk| disk.free < ROOM).then_some(super::FULL);
            full.or(proxy.as_deref())
        };
        return Err(failed(&meta, finished, known));
    }
    mounts.outputs()
}

/// The network that the steps of a build share; where there is none, the first step says why.
fn default_network(context: Context<'_>, job: &Job) -> Network {
    let (network, warning) = context.request.steps.uplink.network();
    if let Some(warning) = warning {
        let bytes = format!("{warning}\n");
        context.observer.event(job.number, Event::Output { stream: Stream::Err, bytes: bytes.as_bytes() });
    }
    network
}

/// What is to be said of a proxy that a step's variables name and that only the machine's own network has.
fn local_proxy(env: &[String]) -> Option<String> {
    let local = env.iter().filter_map(|entry| entry.split_once('=')).find(|(name, value)| {
        let name = name.to_lowercase();
        ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"].contains(&name.as_str()) && is_local(value)
    });
    local.map(|(name, value)| {
        format!(
            "`{name}` is `{value}`, which is the machine's own and out of the reach of steps: `--network=host` runs them on the machine's network"
        )
    })
}

/// Whether a URL, or what stands for one in a proxy variable, leads to the machine's loopback.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or_default();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether an operation is a step on the default network.
pub(super) fn uses_default_network(op: &pb::Op) -> bool {
    matches!(&op.op, Some(pb::op::Op::Exec(op)) if op.network == i32::from(pb::NetMode::Unset))
}

/// Limits as the sandbox has them; what cannot be one is none.
#[must_use]
pub fn limits(resources: &pb::LinuxResources) -> Limits {
    Limits {
        memory: u64::try_from(resources.memory).unwrap_or(0),
        memory_swap: Some(resources.memory_swap).filter(|total| *total != 0),
        cpu_shares: resources.cpu_shares,
        cpu_quota: u64::try_from(resources.cpu_quota).unwrap_or(0),
        cpu_period: resources.cpu_period,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        cpuset_mems: resources.cpuset_mems.clone(),
    }
}

/// Bytes of a disk on which a step cannot be expected to work.
const ROOM: u64 = 1 << 20;

/// What a shell's exit code 126 stands for.
const NOT_EXECUTED: &str = "a shell ends with 126 when it cannot execute a file: a program for another platform takes an emulator (as root: the package \
     `qemu-user-static`) or a cross build, in a stage `FROM --platform=$BUILDPLATFORM`; any other one, permission to be executed";

fn failed(meta: &pb::Meta, finished: Finished, known: Option<&str>) -> EngineError {
    let exit = finished.exit;
    let reason = match exit {
        Exit::Code(code) => format!("exited with code {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::Cancelled => return EngineError::Cancelled,
    };
    let known = known.or((exit == Exit::Code(126)).then_some(NOT_EXECUTED));
    let hint = known.map(str::to_owned).or_else(|| finished.unreal.map(Unreal::hint));
    EngineError::Exit { command: meta.args.join(" "), reason, code: exit.code(), hint }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_on_loopback_are_named() {
        for (entry, local) in [
            ("HTTP_PROXY=http://127.0.0.1:3128", true),
            ("https_proxy=localhost:8080/", true),
            ("all_proxy=socks5://user:word@[::1]:1080", true),
            ("http_proxy=http://127.9.9.9", true),
            ("http_proxy=http://proxy.example:3128", false),
            ("http_proxy=http://localhost.example", false),
            ("http_proxy=", false),
            ("no_proxy=127.0.0.1", false),
            ("PROXY=127.0.0.1", false),
        ] {
            let hint = local_proxy(&["A=b".to_owned(), entry.to_owned()]);
            assert_eq!(hint.is_some(), local, "{entry}");
            assert!(hint.is_none_or(|hint| hint.contains("`--network=host`")));
        }
    }
}
