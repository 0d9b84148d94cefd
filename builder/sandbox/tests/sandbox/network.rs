//! What a step reaches through its network, of the machine and of what lies outside.
//!
//! The machine of these cases is a network namespace: it has an uplink, name servers on its loopback, and an "outside",
//! addresses that its uplink does not have. So nothing of the real machine is asked or changed.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xx_build_sandbox::userns::Mode;
use xx_build_sandbox::{Cancel, DefaultNetwork, Exit, Network, Step, Uplink, run};

use crate::harness::{Case, Inside, Needs, debian_case as case, host, skipped};
use crate::run::{output, root};

pub(crate) const CASES: &[Case] = &[
    case("run_guarded_network", guarded),
    case("run_network_by_pasta", |_| on_a_machine("pasta")),
    case("run_network_by_slirp4netns", |_| on_a_machine("slirp4netns")),
    case("run_network_by_bridge", |inside| {
        if inside.mode == Mode::Root {
            on_a_machine("bridge");
        } else {
            refuses_a_bridge(inside);
        }
    }),
    case("run_network_without_programs", without_programs),
    Case {
        name: "run_network_by_pasta_with_one_uid",
        needs: Needs::SingleUid,
        run: |_| on_a_machine("pasta"),
    },
    Case { name: "run_guarded_network_with_one_uid", needs: Needs::SingleUid, run: guarded },
    case("run_killed_builder_leaves_no_network", killed_builder),
    case("_outward", outward),
    case("_killed_uplink", killed_uplink),
];

/// Connects to the abstract socket that the first argument names, and asks for raw packets.
const ASK: &str = "use Socket; my ($name, $own) = @ARGV;
socket(my $s, AF_UNIX, SOCK_STREAM, 0); print connect($s, pack('Sa*', AF_UNIX, \"\\0$name\")) ? 'reached' : 'no', \"\\n\";
socket(my $p, 17, SOCK_RAW, 768) or print \"packets: $!\\n\";
socket(my $r, AF_INET, SOCK_RAW, 1) or print \"raw: $!\\n\";
socket(my $l, AF_UNIX, SOCK_STREAM, 0); bind($l, pack('Sa*', AF_UNIX, \"\\0$own\")) && listen($l, 1) or print \"bind: $!\\n\";
socket(my $c, AF_UNIX, SOCK_STREAM, 0); print connect($c, pack('Sa*', AF_UNIX, \"\\0$own\")) ? 'own' : 'not own', \"\\n\";";

fn perl(inside: &Inside, name: &str, arguments: &[&str]) -> Step {
    let arguments = ["perl", "-e"].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    Step::new(root(inside, name).0, arguments)
}

/// The machine's network without rights over it: class of CVE-2020-15257.
fn guarded(inside: &Inside) {
    let name = format!("xx-test-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let step = perl(inside, "g", &[ASK, &name, &format!("{name}-own")]);
    assert!(matches!(step.network, Network::Guarded));
    let answers = output(&step);
    let (reached, rest) = answers.split_once('\n').unwrap();
    assert_eq!(rest, "packets: Operation not permitted\nraw: Operation not permitted\nown\n");
    if has_scopes() {
        assert_eq!(reached, "no");
    } else {
        skipped("run_guarded_network", "Landlock does not tell abstract sockets apart before Linux 6.12");
    }
}

/// Whether the kernel has Landlock's scopes; where its modules are not listed, it is taken to have them all.
fn has_scopes() -> bool {
    let modules = fs::read_to_string("/sys/kernel/security/lsm");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    modules.map_or(true, |modules| modules.contains("landlock"))
        && (numbers.next(), numbers.next()) >= (Some(6), Some(12))
}

/// A folder for `PATH` with this program alone. Its processes are known by the folder, whose name no other case has.
fn path_with(folder: &Path, program: &str) -> bool {
    let Some(found) = on_path(program) else { return false };
    fs::create_dir_all(folder).unwrap();
    std::os::unix::fs::symlink(found, folder.join(program)).unwrap();
    true
}

fn on_path(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(["/usr/sbin".into()]).map(|folder| folder.join(program));
    found.into_iter().find(|candidate| candidate.is_file())
}

/// Runs the case `_outward` in a network namespace.
fn on_a_machine(program: &str) {
    let name = format!("run_network_by_{program}");
    let programs = if program == "bridge" { ["ip", "nft"] } else { [program, "ip"] };
    for needed in programs {
        if on_path(needed).is_none() {
            return skipped(&name, &format!("`{needed}` is not installed"));
        }
    }
    // By number: in a case's mounts, the file has no path of its own.
    let me = format!("/proc/{}/exe", std::process::id());
    let status = Command::new("unshare")
        .arg("--net")
        .arg(me)
        .args(["--inside", "_outward"])
        .env("XX_TEST_PROGRAM", program)
        .status();
    assert!(status.unwrap().success(), "{program}");
}

/// The machine: an uplink, and a name server on loopback. The outside is the namespace of the process `$2`.
const MACHINE: &str = "export PATH=$PATH:/usr/sbin:/sbin; ip link set lo up
ip link add out0 type veth peer name far0 netns $2
ip addr add 198.51.100.2/24 dev out0; ip -6 addr add 2001:db8::2/64 dev out0 nodad; ip link set out0 up
ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8::1
printf 'search example.test\\nnameserver 127.0.0.1\\n' > \"$1/resolv\"; mount --bind \"$1/resolv\" /etc/resolv.conf
nsenter -t $2 -n sh -euc 'ip link set lo up; ip addr add 203.0.113.9/32 dev lo; ip -6 addr add 2001:db8:1::9/128 dev lo
ip addr add 198.51.100.1/24 dev far0; ip -6 addr add 2001:db8::1/64 dev far0 nodad; ip link set far0 up'";

/// Listens at port 7777 of all addresses, for as long as its standard input is open.
const OUTSIDE: &str = "use Socket; $| = 1; socket(my $s, AF_INET6, SOCK_STREAM, 0);
bind($s, Socket::pack_sockaddr_in6(7777, Socket::IN6ADDR_ANY)) && listen($s, 99) or die $!; print \"ready\n\"; <STDIN>";

/// Tries addresses and names; the arguments are ports and a name.
const REACH: &str = "use Socket; my ($own, $own6, $service, $name) = @ARGV; $| = 1;
sub reach { my ($family, $to) = @_; socket(my $s, $family, SOCK_STREAM, 0);
  eval { local $SIG{ALRM} = sub { die }; alarm 5; connect($s, $to) or die; alarm 0; 1 } ? 'yes' : 'no' }
sub four { my ($port, $address) = @_; reach(AF_INET, pack_sockaddr_in($port, inet_aton($address))) }
sub six { my ($port, $address) = @_; reach(AF_INET6, Socket::pack_sockaddr_in6($port, Socket::inet_pton(AF_INET6, $address))) }
print 'outside ', four(7777, '203.0.113.9'), ' ', six(7777, '2001:db8:1::9'), \"\\n\";
print 'loopback ', four($own, '127.0.0.1'), ' ', six($own6, '::1'), \"\\n\";
print 'gateways ', join(' ', map { four($own, $_) } '198.51.100.1', '10.0.2.2', '169.254.1.1'), \"\\n\";
print 'services ', four($service, '198.51.100.2'), \"\n\";
print 'names ', join(' ', map { my $a = gethostbyname($_); $a ? inet_ntoa($a) : 'none' } 'machine.example.test', 'machine'), \"\\n\";
socket(my $s, AF_UNIX, SOCK_STREAM, 0); print 'abstract ', connect($s, pack('Sa*', AF_UNIX, \"\\0$name\")) ? 'yes' : 'no', \"\\n\";";

/// Listens at a port of all addresses, and says so.
const LISTEN: &str = "use Socket; $| = 1; socket(my $s, AF_INET6, SOCK_STREAM, 0);
bind($s, Socket::pack_sockaddr_in6(43210, Socket::IN6ADDR_ANY)) && listen($s, 9) or die $!; print \"listening\\n\"; sleep 1000";

/// What a step on the default network of a build reaches.
fn outward(inside: &Inside) {
    let program = std::env::var("XX_TEST_PROGRAM").unwrap();
    let mut outside = Command::new("unshare")
        .args(["--net", "perl", "-e", OUTSIDE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It is in its namespace when it listens.
    outside.stdout.take().unwrap().read_exact(&mut [0; 6]).unwrap();
    host("sh", &["-euc", MACHINE, "sh", inside.scratch.to_str().unwrap(), &outside.id().to_string()]);
    let listen = |address: &str| TcpListener::bind(address).unwrap();
    let listeners = ["127.0.0.1:0", "[::1]:0", "198.51.100.2:0"].map(listen);
    let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port().to_string());
    let name = "xx-test";
    let _abstract = UnixListener::bind_addr(&UnixAddress::from_abstract_name(name).unwrap()).unwrap();
    answer_names();

    let folder = inside.scratch.join(format!("bin{}", std::process::id()));
    let (kind, programs) = match program.as_str() {
        "bridge" => (DefaultNetwork::Bridge, &["ip", "nft"][..]),
        program => (DefaultNetwork::Own, &[program][..]),
    };
    assert!(programs.iter().all(|program| path_with(&folder, program)));
    let uplink = Uplink::new(kind, folder.as_os_str());
    let own = |uplink: &Uplink| match uplink.network() {
        (network @ Network::Outward(_), None) => network,
        other => panic!("{program}: {other:?}"),
    };
    let mut step = perl(inside, "reach", &[REACH, &ports[0], &ports[1], &ports[2], name]);
    step.network = own(&uplink);
    // slirp4netns calls its own IPv6 experimental, and has an address of its own: the machine's are those of a neighbour.
    let (ipv6, services) = match program.as_str() {
        "pasta" => ("yes", "no"),
        "slirp4netns" => ("no", "yes"),
        _ => ("no", "no"),
    };
    assert_eq!(
        output(&step),
        format!(
            "outside yes {ipv6}\nloopback no no\ngateways no no no\nservices {services}\nnames 192.0.2.77 192.0.2.77\nabstract no\n"
        ),
        "{program}"
    );
    drop(step);

    // The steps of a build share the namespace, builds do not.
    let look = |name: &str, uplink: &Uplink| {
        let mut step = perl(inside, name, &["print readlink '/proc/self/ns/net'"]);
        step.network = own(uplink);
        output(&step)
    };
    if kind == DefaultNetwork::Bridge {
        leave_a_table();
    }
    let other = Uplink::new(kind, folder.as_os_str());
    assert_eq!(look("one", &uplink), look("two", &uplink));
    assert_ne!(look("three", &uplink), look("four", &other));

    let mut step = perl(inside, "listen", &[LISTEN]);
    step.network = own(&uplink);
    let cancel = Cancel::new().unwrap();
    let mut tried = 0;
    let mut connect = |_, _: &[u8]| {
        for address in ["127.0.0.1", "198.51.100.2", "[::1]", "[2001:db8::2]"] {
            let address: SocketAddr = format!("{address}:43210").parse().unwrap();
            assert!(TcpStream::connect(address).is_err(), "{address} leads to the step");
            tried += 1;
        }
        cancel.cancel();
    };
    assert_eq!(run(&step, &cancel, &mut connect).unwrap().exit, Exit::Cancelled);
    assert_eq!(tried, 4);

    drop((step, other, uplink));
    ends(&folder, &program);
    if kind == DefaultNetwork::Bridge {
        assert_eq!(host("nft", &["list", "tables"]), "", "nothing is left, and what was left is gone");
        assert!(!host("ip", &["link"]).contains("xxb"));
    }
    outside.kill().and_then(|()| outside.wait()).unwrap();
}

/// What a killed build leaves: a table for an interface that is gone.
fn leave_a_table() {
    host("nft", &["add", "table", "inet", "xx_build_xxb99999"]);
}

/// A name server on the machine's loopback: every name has the address 192.0.2.77.
fn answer_names() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = server.recv_from(&mut question) {
            // The header with one answer for IPv4 (type 1), the question, and the answer, whose name is the question's.
            let end = 12 + question[12..length].iter().position(|byte| *byte == 0).unwrap() + 5;
            let known = question[end - 3] == 1;
            let mut answer = question[..end].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(known), 0, 0, 0, 0]);
            if known {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 77]);
            }
            let _heard = server.send_to(&answer, from);
        }
    });
}

/// Whether a process was started by a path in this folder.
fn is_running(folder: &Path) -> bool {
    let folder = folder.to_str().unwrap();
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).starts_with(folder)
    })
}

/// Waits until the kernel has ended the program of this folder.
fn ends(folder: &Path, program: &str) {
    let start = Instant::now();
    while is_running(folder) {
        assert!(start.elapsed() < Duration::from_secs(10), "{program} outlived the builder");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A user may not change the machine.
fn refuses_a_bridge(_: &Inside) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let (network, warning) = Uplink::new(DefaultNetwork::Bridge, &path).network();
    assert!(matches!(network, Network::Guarded));
    assert!(warning.as_ref().is_some_and(|warning| warning.ends_with("takes root")), "{warning:?}");
}

fn without_programs(inside: &Inside) {
    let uplink = Uplink::new(DefaultNetwork::Own, inside.scratch.as_os_str());
    let (network, warning) = uplink.network();
    let warning = warning.expect("it is said once");
    assert!(matches!(network, Network::Guarded) && warning.contains("the package `passt`"), "{warning}");
    assert_eq!(uplink.network().1, None, "and once only");
    let uplink = Uplink::new(DefaultNetwork::Host, OsStr::new(""));
    assert!(matches!(uplink.network(), (Network::Guarded, None)));
    // A program that fails is named with what it says.
    let program = inside.scratch.join("pasta");
    fs::write(&program, "#!/bin/sh\necho no such thing >&2\nexit 1\n").unwrap();
    host("chmod", &["755", program.to_str().unwrap()]);
    let (network, warning) = Uplink::new(DefaultNetwork::Own, inside.scratch.as_os_str()).network();
    assert!(matches!(network, Network::Guarded));
    assert!(
        warning.as_ref().is_some_and(|warning| warning.ends_with("`pasta` failed: no such thing")),
        "{warning:?}"
    );
}

fn killed_builder(inside: &Inside) {
    let folder = inside.scratch.join(format!("bin{}", std::process::id()));
    for program in ["pasta", "slirp4netns"] {
        if !path_with(&folder, program) {
            skipped("run_killed_builder_leaves_no_network", &format!("`{program}` is not installed"));
            continue;
        }
        let mut child = Command::new("/proc/self/exe")
            .args(["--inside", "_killed_uplink"])
            .env("XX_TEST_PATH", &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        // It has killed itself once the network was there.
        let ended = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&ended),
            Some(9),
            "{program}: {ended} {said}"
        );
        ends(&folder, program);
        fs::remove_dir_all(&folder).unwrap();
    }
}

fn killed_uplink(_: &Inside) {
    let path = std::env::var_os("XX_TEST_PATH").unwrap();
    let uplink = Uplink::new(DefaultNetwork::Own, &path);
    let (network, warning) = uplink.network();
    assert!(matches!(network, Network::Outward(_)), "{warning:?}");
    assert!(is_running(Path::new(&path)));
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}
