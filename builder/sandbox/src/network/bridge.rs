//! The network of a build as a pair of interfaces with masquerade, for root who asks for it (`network = "bridge"`).
//!
//! Faster than a program that bears every packet, and it changes the machine: forwarding is on from then on, and nftables gets a
//! table. Both interfaces end with the namespace, a killed build's too. Its table is recognised by the interface that is
//! gone, and removed by the next build that makes one. IPv4 alone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use super::super::machine::find_program;
use super::super::program::follow_program;
use super::super::step::Stream;
use super::super::{Cancel, userns};
use super::{Outward, enter};

/// How many networks of four addresses there are: from 10.213.0.0.
const SLOTS: u32 = 1 << 14;

/// How many of them are tried.
const TRIES: u32 = 64;

/// The machine's side of a pair; its table and the namespace's interface go when it is dropped.
#[derive(Debug)]
pub(super) struct Bridge {
    tools: Tools,
    name: String,
}

#[derive(Debug)]
struct Tools {
    ip: PathBuf,
    nft: PathBuf,
}

/// The two addresses of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    machine: Ipv4Addr,
    step: Ipv4Addr,
}

impl Pair {
    fn of(slot: u32) -> Self {
        let network = u32::from(Ipv4Addr::new(10, 213, 0, 0)) + 4 * (slot % SLOTS);
        Self { machine: (network + 1).into(), step: (network + 2).into() }
    }
}

impl Bridge {
    /// Joins the namespace with the machine; gives the machine's address in it. Name servers on the machine's loopback
    /// answer there.
    pub(super) fn make(
        path: &OsStr,
        namespace: &OwnedFd,
        name_server: Option<Ipv4Addr>,
    ) -> Result<(Self, Ipv4Addr), String> {
        if !userns::is_real_root() {
            return Err("`network = \"bridge\"` takes root".to_owned());
        }
        let find = |name: &str| {
            find_program(path, name).ok_or_else(|| {
                format!("`network = \"bridge\"` takes `{name}`: install iproute2 and nftables")
            })
        };
        let tools = Tools { ip: find("ip")?, nft: find("nft")? };
        tools.sweep()?;
        let first = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        let mut refused = String::new();
        for slot in (first..first + TRIES).map(|slot| slot % SLOTS) {
            let name = format!("{PREFIX}{slot}");
            // Fails where another build has it: the name stands for the addresses as well.
            let add =
                ["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", "/proc/self/fd/0"];
            match tools.ip(&add, Some(namespace)) {
                Ok(()) => {
                    let bridge = Self { tools, name };
                    let pair = Pair::of(slot);
                    bridge.set_up(pair, namespace, name_server)?;
                    return Ok((bridge, pair.machine));
                }
                Err(reason) => refused = reason,
            }
        }
        Err(format!("`ip link add`: {refused}"))
    }

    fn set_up(&self, pair: Pair, namespace: &OwnedFd, name_server: Option<Ipv4Addr>) -> Result<(), String> {
        let (name, tools) = (self.name.as_str(), &self.tools);
        tools.nft(&table(name, pair, name_server))?;
        set(&format!("net/ipv4/conf/{name}/route_localnet"), name_server.is_some())?;
        set("net/ipv4/ip_forward", true)?;
        let (machine, step) = (format!("{}/30", pair.machine), format!("{}/30", pair.step));
        tools.ip(&["addr", "add", &machine, "dev", name], None)?;
        tools.ip(&["link", "set", name, "up"], None)?;
        let inside = || {
            enter(namespace).map_err(|errno| io::Error::from(errno).to_string())?;
            tools.ip(&["addr", "add", &step, "dev", "eth0"], None)?;
            tools.ip(&["link", "set", "eth0", "up"], None)?;
            tools.ip(&["route", "add", "default", "via", &pair.machine.to_string()], None)
        };
        let done = std::thread::scope(|scope| scope.spawn(inside).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // What is left is swept by the next build.
        let _removed = self.tools.ip(&["link", "delete", &self.name], None);
        let _removed = self.tools.nft(&format!("delete table inet {TABLE}{}\n", self.name));
    }
}

/// What names of interfaces begin with, and of tables before that.
const PREFIX: &str = "xxb";
const TABLE: &str = "xx_build_";

/// The rules for one pair: outwards everything, to the machine itself nothing but its name server, inwards nothing.
fn table(name: &str, pair: Pair, name_server: Option<Ipv4Addr>) -> String {
    let (table, machine) = (format!("inet {TABLE}{name}"), pair.machine);
    let redirect = |protocol: &str| {
        name_server.map_or(String::new(), |server| {
            format!("iifname \"{name}\" ip daddr {machine} {protocol} dport 53 dnat ip to {server};")
        })
    };
    format!(
        "add table {table}\ndelete table {table}\ntable {table} {{\n\
         chain names {{ type nat hook prerouting priority -100; {} {} }}\n\
         chain outwards {{ type nat hook postrouting priority 100; ip saddr {} oifname != \"{name}\" masquerade; }}\n\
         chain machine {{ type filter hook input priority 0; iifname \"{name}\" ct status dnat accept; iifname \"{name}\" drop; }}\n\
         chain inwards {{ type filter hook forward priority 0; oifname \"{name}\" ct state established,related accept; oifname \"{name}\" drop; }}\n\
         }}\n",
        redirect("udp"),
        redirect("tcp"),
        pair.step
    )
}

/// The tables in a list of `nft list tables` whose interface is gone.
fn left_over(tables: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let names = tables.lines().filter_map(|line| line.strip_prefix("table inet ")?.strip_prefix(TABLE));
    names.filter(|name| name.starts_with(PREFIX) && !is_there(name)).map(str::to_owned).collect()
}

fn set(setting: &str, on: bool) -> Result<(), String> {
    let path = format!("/proc/sys/{setting}");
    let failed = |error: io::Error| format!("cannot write `{path}`: {error}");
    let value = if on { "1" } else { "0" };
    if fs::read_to_string(&path).map_err(failed)?.trim() == value {
        return Ok(());
    }
    fs::write(&path, value).map_err(failed)
}

impl Tools {
    fn sweep(&self) -> Result<(), String> {
        let tables = call(&self.nft, &["list", "tables"], Stdio::null())?;
        let is_there = |name: &str| Path::new("/sys/class/net").join(name).exists();
        for name in left_over(&tables, is_there) {
            self.nft(&format!("delete table inet {TABLE}{name}\n"))?;
        }
        Ok(())
    }

    /// Runs `ip`, with a namespace as its standard input.
    fn ip(&self, arguments: &[&str], namespace: Option<&OwnedFd>) -> Result<(), String> {
        let stdin = match namespace {
            Some(namespace) => namespace.try_clone().map_err(|error| error.to_string())?.into(),
            None => Stdio::null(),
        };
        call(&self.ip, arguments, stdin).map(drop)
    }

    fn nft(&self, script: &str) -> Result<(), String> {
        let file = || {
            let mut file = File::from(memfd_create(c"rules", MemfdFlags::CLOEXEC)?);
            file.write_all(script.as_bytes())?;
            file.rewind()?;
            Ok(file)
        };
        let file = file().map_err(|error: io::Error| error.to_string())?;
        call(&self.nft, &["-f", "-"], file.into()).map(drop)
    }
}

/// Runs a program to its end and gives its output; an error is what it said.
#[expect(clippy::disallowed_methods, reason = "the sandbox is the builder's place to start programs")]
fn call(program: &Path, arguments: &[&str], stdin: Stdio) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(stdin).current_dir("/");
    let (mut out, mut err) = (vec![], vec![]);
    let cancel = Cancel::new().map_err(|error| error.to_string())?;
    let ended = follow_program(command, &cancel, &mut |stream, bytes: &[u8]| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    });
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    match ended {
        Ok(status) if status.success() => Ok(String::from_utf8_lossy(&out).into_owned()),
        Ok(_) => Err(format!("`{name}`: {}", String::from_utf8_lossy(&err).trim().replace('\n', ", "))),
        Err(error) => Err(format!("`{name}`: {error}")),
    }
}

/// The namespace with the machine behind it.
pub(super) fn make(
    path: &OsStr,
    namespace: OwnedFd,
    resolv_conf: Option<Vec<u8>>,
) -> Result<Outward, String> {
    let host = String::from_utf8_lossy(resolv_conf.as_deref().unwrap_or_default()).into_owned();
    let name_server = super::resolv::on_loopback(&host);
    let (bridge, machine) = Bridge::make(path, &namespace, name_server)?;
    let servers = super::resolv::inside(&host, super::resolv::Forward::Machine(machine), false);
    let resolv_conf = resolv_conf.map(|_| servers.text.into_bytes());
    Ok(Outward { namespace, resolv_conf, _bearer: super::Bearer::Bridge(bridge) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_do_not_overlap() {
        assert_eq!(
            Pair::of(0),
            Pair { machine: Ipv4Addr::new(10, 213, 0, 1), step: Ipv4Addr::new(10, 213, 0, 2) }
        );
        assert_eq!(Pair::of(SLOTS - 1).step, Ipv4Addr::new(10, 213, 255, 254));
        assert_eq!(Pair::of(SLOTS), Pair::of(0));
    }

    #[test]
    fn tables_of_builds_that_are_gone_are_found() {
        let tables = "table ip nat\ntable inet filter\ntable inet xx_build_xxb7\ntable inet xx_build_xxb8\ntable inet xx_build_other\n";
        assert_eq!(left_over(tables, |name| name == "xxb8"), ["xxb7"]);
        assert_eq!(left_over("", |_| false), [""; 0]);
    }

    #[test]
    fn the_machine_answers_for_its_name_server_alone() {
        let rules = |server| table("xxb1", Pair::of(1), server);
        assert!(!rules(None).contains("dnat ip to"));
        let rules = rules(Some(Ipv4Addr::new(127, 0, 0, 53)));
        for part in
            ["10.213.0.5 udp dport 53 dnat ip to 127.0.0.53", "saddr 10.213.0.6 ", "iifname \"xxb1\" drop"]
        {
            assert!(rules.contains(part), "{part}: {rules}");
        }
    }
}
