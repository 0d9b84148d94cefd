//! What a step reaches of the machine through its network.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use builder::sandbox::{Network, Step};

use crate::harness::{Case, Inside, debian_case as case, skipped};
use crate::run::{output, root};

pub(crate) const CASES: &[Case] = &[case("run_guarded_network", guarded)];

/// Connects to the abstract socket that the first argument names, and asks for raw packets.
const ASK: &str = "use Socket; my ($name, $own) = @ARGV;
socket(my $s, AF_UNIX, SOCK_STREAM, 0); print connect($s, pack('Sa*', AF_UNIX, \"\\0$name\")) ? 'reached' : 'no', \"\\n\";
socket(my $p, 17, SOCK_RAW, 768) or print \"packets: $!\\n\";
socket(my $r, AF_INET, SOCK_RAW, 1) or print \"raw: $!\\n\";
socket(my $l, AF_UNIX, SOCK_STREAM, 0); bind($l, pack('Sa*', AF_UNIX, \"\\0$own\")) && listen($l, 1) or print \"bind: $!\\n\";
socket(my $c, AF_UNIX, SOCK_STREAM, 0); print connect($c, pack('Sa*', AF_UNIX, \"\\0$own\")) ? 'own' : 'not own', \"\\n\";";

/// The machine's network without rights over it: class of CVE-2020-15257.
fn guarded(inside: &Inside) {
    let name = format!("xx-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let (root, _) = root(inside, "g");
    let arguments = ["perl", "-e", ASK, &name, &format!("{name}-own")];
    let step = Step::new(root, arguments.map(str::to_owned).to_vec());
    assert_eq!(step.network, Network::Guarded);
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
    let modules = std::fs::read_to_string("/sys/kernel/security/lsm");
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split('.').map_while(|part| part.parse::<u32>().ok());
    modules.map_or(true, |modules| modules.contains("landlock"))
        && (numbers.next(), numbers.next()) >= (Some(6), Some(12))
}
