//! Options that say what steps may do and use: `--allow`, `--ssh`, `--memory` and its like.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Environment;
use super::args::Run;
use super::storage;
use crate::config::NetworkSetting;
use crate::report::Report;
use xx_build_engine::{self as engine, Keys, SshSource, StepOptions, is_socket};
use xx_build_frontend::dockerfile::{csv, size, suggest};
use xx_build_frontend::llb::pb;
use xx_build_frontend::llb::wire::decode_op;
use xx_build_sandbox::{Cgroups, DefaultNetwork, Limits, Runtime, Uplink, find_program};

/// Lets `type=local,mode=delete` remove files outside of what lies below the current directory; buildx's name for it.
pub(super) const LOCAL_DELETE: &str = "buildx.local.delete";

/// Lets steps ask for the machine's network.
pub(super) const HOST_NETWORK: &str = "network.host";

/// The options, and warnings about those that have no effect here.
pub(super) fn options(run: &Run, environment: &Environment) -> Result<(StepOptions, Vec<String>), Report> {
    let (mut allow_insecure, mut allow_host_network) = (false, false);
    for entitlement in &run.allow {
        match entitlement.as_str() {
            "security.insecure" => allow_insecure = true,
            LOCAL_DELETE => {}
            HOST_NETWORK => allow_host_network = true,
            other => {
                if other.strip_prefix(LOCAL_DELETE).is_some_and(|rest| rest.starts_with('=')) {
                    return Err(Report::new(format!("`--allow {other}`: `{LOCAL_DELETE}` takes no value")));
                }
                let hint = suggest::hint(other, ["security.insecure", HOST_NETWORK, LOCAL_DELETE]);
                return Err(Report::new(format!("`--allow {other}` is not known")).hint(
                    hint.unwrap_or_else(|| {
                        "`security.insecure`, `network.host` or `buildx.local.delete`".to_owned()
                    }),
                ));
            }
        }
    }
    let limits = limits(run)?;
    let runtime = run.oci_runtime.as_deref().map(|name| runtime(name, environment)).transpose()?;
    let useless = |why: &dyn std::fmt::Display| {
        let warn = |option: &&str| format!("warning: `{option}` has no effect: {why}");
        limits.options().iter().map(warn).collect()
    };
    let (cgroups, warnings) = match (Cgroups::find(&limits, &[]), &runtime) {
        (_, Some(_)) => (None, useless(&"it does not reach through `--oci-runtime`")),
        (Ok(cgroups), None) => (cgroups, vec![]),
        (Err(why), None) => (None, useless(&why)),
    };
    let agents = agents(&run.ssh, environment)?;
    let kind = match storage::settings(environment)?.network {
        NetworkSetting::Auto => DefaultNetwork::Own,
        NetworkSetting::Bridge => DefaultNetwork::Bridge,
        NetworkSetting::Host => DefaultNetwork::Host,
    };
    let uplink = Uplink::new(kind, &environment.path);
    Ok((StepOptions { allow_insecure, allow_host_network, uplink, agents, runtime, cgroups }, warnings))
}

/// The limits of `--memory` and its like, as operations carry them.
pub(super) fn resources(run: &Run) -> Result<Option<pb::LinuxResources>, Report> {
    let limits = limits(run)?;
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let given = limits != Limits::default();
    Ok(given.then(|| pb::LinuxResources {
        memory: signed(limits.memory),
        memory_swap: limits.memory_swap.unwrap_or(0),
        cpu_shares: limits.cpu_shares,
        cpu_period: limits.cpu_period,
        cpu_quota: signed(limits.cpu_quota),
        cpuset_cpus: limits.cpuset_cpus,
        cpuset_mems: limits.cpuset_mems,
    }))
}

/// Makes ready for limits that operations of a graph carry; a warning when they have no effect.
pub(super) fn limit_graph(
    run: &Run,
    options: &mut StepOptions,
    definitions: &[pb::Definition],
) -> Result<Option<String>, Report> {
    let general = limits(run)?;
    let metadata = definitions.iter().flat_map(|definition| definition.metadata.values());
    let of_steps = metadata.filter_map(|metadata| metadata.linux_resources.as_ref()).map(engine::limits);
    // Those of the command line have been looked at.
    let of_steps: Vec<Limits> = of_steps.filter(|limits| *limits != general).collect();
    if of_steps.is_empty() {
        return Ok(None);
    }
    let warning =
        |why: &dyn std::fmt::Display| format!("warning: the limits of the graph have no effect: {why}");
    if options.runtime.is_some() {
        return Ok(Some(warning(&"they do not reach through `--oci-runtime`")));
    }
    match Cgroups::find(&general, &of_steps) {
        Ok(cgroups) => {
            options.cgroups = cgroups;
            Ok(None)
        }
        Err(why) => Ok(Some(warning(&why))),
    }
}

/// What a user of the built-in sandbox is told where it has no system call filter for the machine, once, when a step is to
/// run.
pub(super) fn unfiltered(
    machine: &str,
    filtered: bool,
    options: &StepOptions,
    definitions: &[pb::Definition],
) -> Option<String> {
    let runs = |bytes: &Vec<u8>| decode_op(bytes).is_ok_and(|op| matches!(op.op, Some(pb::op::Op::Exec(_))));
    let any = || definitions.iter().any(|definition| definition.def.iter().any(runs));
    (!filtered && options.runtime.is_none() && any()).then(|| {
        format!(
            "warning: steps run without a system call filter, for there is no table of {machine}'s system calls yet; \
             `--oci-runtime runc` has one"
        )
    })
}

/// A program by its path, or by its name on PATH.
fn runtime(name: &str, environment: &Environment) -> Result<Runtime, Report> {
    let program = if name.contains('/') {
        std::path::absolute(name).ok().filter(|path| path.is_file())
    } else {
        find_program(&environment.path, name)
    };
    program.map(|program| Runtime { program }).ok_or_else(|| {
        Report::new(format!("`--oci-runtime {name}`: there is no such program"))
            .hint("install one of the packages `runc` and `crun`, or leave the option out")
    })
}

fn limits(run: &Run) -> Result<Limits, Report> {
    let bytes = |option: &str, text: &str| {
        size::parse(text).and_then(|size| u64::try_from(size).ok()).ok_or_else(|| {
            Report::new(format!("`{option} {text}` is not a size")).hint("write `512m` or `2g`")
        })
    };
    let memory = run.memory.as_deref().map_or(Ok(0), |text| bytes("--memory", text))?;
    let memory_swap = match run.memory_swap.as_deref() {
        None => None,
        Some("-1") => Some(-1),
        Some(text) => Some(i64::try_from(bytes("--memory-swap", text)?).unwrap_or(i64::MAX)),
    };
    if memory_swap.is_some_and(|total| u64::try_from(total).is_ok_and(|total| total < memory) || memory == 0)
    {
        return Err(Report::new(
            "`--memory-swap` is memory and swap together: it needs a smaller `--memory`",
        ));
    }
    Ok(Limits {
        memory,
        memory_swap,
        cpu_shares: run.cpu_shares,
        cpu_quota: run.cpu_quota,
        cpu_period: run.cpu_period,
        cpuset_cpus: run.cpuset_cpus.clone().unwrap_or_default(),
        cpuset_mems: run.cpuset_mems.clone().unwrap_or_default(),
    })
}

/// `--ssh ID[=SOCKET[,raw=true]]` or `--ssh ID=KEYFILE[,KEYFILE]`; with neither, the agent of the environment.
fn agents(arguments: &[String], environment: &Environment) -> Result<BTreeMap<String, SshSource>, Report> {
    let mut agents = BTreeMap::new();
    for argument in arguments {
        let bad =
            |(text, hint): (String, &str)| Report::new(format!("`--ssh {argument}`: {text}")).hint(hint);
        let record = csv::record(argument).map_err(|error| bad((error.to_string(), csv::HINT)))?;
        let (first, more) =
            record.split_first().map_or(("", &[][..]), |(first, more)| (first.as_str(), more));
        let (id, path) = first.split_once('=').unwrap_or((first, ""));
        let paths: Vec<&str> = std::iter::once(path).chain(more.iter().map(String::as_str)).collect();
        let paths = match (paths.as_slice(), environment.variable("SSH_AUTH_SOCK")) {
            ([""], None) => {
                return Err(Report::new(format!(
                    "`--ssh {argument}`: no agent, for `SSH_AUTH_SOCK` is not set"
                ))
                .hint("start one with `eval $(ssh-agent)`, and give it a key with `ssh-add`; or name the key: `--ssh default=FILE`"));
            }
            ([""], Some(path)) => vec![path],
            (named, _) => named.to_vec(),
        };
        let source = ssh_source(&paths).map_err(bad)?;
        let id = if id.is_empty() { "default" } else { id };
        if agents.insert(id.to_owned(), source).is_some() {
            return Err(Report::new(format!("`--ssh {argument}`: `{id}` is there twice"))
                .hint("each id once; several keys of one id are apart by commas"));
        }
    }
    Ok(agents)
}

/// A socket, or key files; an error is a message and a hint.
fn ssh_source(paths: &[&str]) -> Result<SshSource, (String, &'static str)> {
    let (paths, raw) = match paths {
        [paths @ .., "raw=true"] => (paths, true),
        [paths @ .., "raw=false"] => (paths, false),
        paths => (paths, false),
    };
    if let [path] = paths
        && is_socket(Path::new(path))
    {
        let path = PathBuf::from(path);
        return Ok(if raw { SshSource::Raw(path) } else { SshSource::Socket(path) });
    }
    if raw {
        let named = paths.join(",");
        return Err((format!("`{named}` is no socket, which `raw=true` takes"), "leave `raw=true` out"));
    }
    let key = |path: &str| {
        let no_key = "an agent's socket, or private keys such as `~/.ssh/id_ed25519`, apart by commas";
        if is_socket(Path::new(path)) {
            return Err((format!("`{path}` is a socket, and there is one agent for an id"), no_key));
        }
        let file = std::fs::File::open(path);
        let bytes = file.and_then(|file| {
            let mut bytes = vec![];
            std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_KEY), &mut bytes).map(|_| bytes)
        });
        let bytes = bytes.map_err(|error| (format!("cannot read `{path}`: {error}"), no_key))?;
        let is_private = String::from_utf8_lossy(&bytes).contains(" PRIVATE KEY-----");
        if is_private {
            Ok(bytes)
        } else {
            Err((format!("`{path}` is neither a socket nor a private key"), no_key))
        }
    };
    let keys = paths.iter().copied().map(key).collect::<Result<_, _>>()?;
    Ok(SshSource::Keys(Box::new(Keys::new(keys))))
}

/// Bytes of a key file, at most: the bound of BuildKit's clients.
const MAX_KEY: u64 = 100 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use xx_build_frontend::llb::wire::encode_op;

    #[test]
    fn a_machine_without_a_filter_is_named_once_and_when_a_step_runs() {
        let definition = |op| {
            let op = pb::Op { op: Some(op), ..Default::default() };
            pb::Definition { def: vec![encode_op(&op)], ..Default::default() }
        };
        let exec = definition(pb::op::Op::Exec(pb::ExecOp::default()));
        let file = definition(pb::op::Op::File(pb::FileOp::default()));
        let own = StepOptions::default();
        let runtime = Some(Runtime { program: "/usr/sbin/runc".into() });
        let other = StepOptions { runtime, ..StepOptions::default() };
        for (filtered, options, definitions, warned) in [
            (false, &own, vec![exec.clone()], true),
            (false, &own, vec![file.clone(), exec.clone(), exec.clone()], true),
            (false, &own, vec![file], false),
            (false, &other, vec![exec.clone()], false),
            (true, &own, vec![exec], false),
        ] {
            let said = unfiltered("riscv64", filtered, options, &definitions);
            assert_eq!(said.is_some(), warned, "{said:?}");
            assert!(said.is_none_or(|said| said.contains("riscv64") && said.contains("runc")));
        }
    }
}
