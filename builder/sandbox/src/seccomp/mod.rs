//! The system call filter of a sandboxed step: Docker's default profile as a classic BPF program.
//!
//! Numbers become ranges of equal answers and the program a binary search over them: about eight comparisons for
//! a call instead of one per allowed name, which also makes the kernel's check of a new filter short.
//! Calls of the 32-bit architecture that the machine also runs (386 on amd64, arm on arm64) are held to the same
//! profile; those of any other are refused.

mod table;

use table::{ALLOWED, NEWEST, Row, SPECIAL};

use super::step::Network;

/// One BPF instruction.
pub(super) type Instruction = libc::sock_filter;

/// What the filter does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Allow,
    /// Fails with this error.
    Error(i32),
    /// Asks the supervisor.
    Notify,
    /// Asks it if an argument has one of these bits.
    NotifyBits(u8, u32),
    /// Asks it if an argument is this.
    NotifyValue(u8, u32),
    /// `clone`: no new namespaces.
    Clone,
    /// `socket`: of no family of these.
    Socket(&'static [u32]),
    /// `personality`: those that change nothing for others.
    Personality,
}

/// With which arguments of a call the supervisor is asked; otherwise it is allowed. Arguments count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Always.
    Always,
    /// When the argument has one of these bits.
    Has { argument: u8, bits: u32 },
    /// When the argument is this.
    Is { argument: u8, value: u32 },
}

impl When {
    fn answer(self) -> Answer {
        match self {
            Self::Always => Answer::Notify,
            Self::Has { argument, bits } => Answer::NotifyBits(argument, bits),
            Self::Is { argument, value } => Answer::NotifyValue(argument, value),
        }
    }
}

/// A system call interface of the machine.
struct Interface {
    /// `AUDIT_ARCH_*`.
    audit: u32,
    number: fn(&Row) -> Option<u32>,
}

#[cfg(target_arch = "x86_64")]
const INTERFACES: [Interface; 2] = [
    Interface { audit: 0xc000_003e, number: |row| row.amd64 },
    Interface { audit: 0x4000_0003, number: |row| row.i386 },
];

#[cfg(target_arch = "aarch64")]
const INTERFACES: [Interface; 2] = [
    Interface { audit: 0xc000_00b7, number: |row| row.arm64 },
    Interface { audit: 0x4000_0028, number: |row| row.arm },
];

// A machine without a table has no profile; steps then run without one, which [`is_filtered`] tells.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const INTERFACES: [Interface; 0] = [];

/// Offsets in `struct seccomp_data`; the low word of an argument on these little-endian machines.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT_0: u32 = 16;

/// The offset of an argument's low word.
fn low_word(argument: u8) -> u32 {
    ARGUMENT_0 + 8 * u32::from(argument)
}

/// Namespace flags of `clone`.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const AF_PACKET: u32 = 17;
const AF_ALG: u32 = 38;
const AF_VSOCK: u32 = 40;

/// Families of sockets that a step on this network cannot have, ascending: the kernel's crypto interface and the
/// hypervisor's, on the machine's network raw packets too.
const fn refused_families(network: &Network) -> &'static [u32] {
    match network {
        Network::Guarded => &[AF_PACKET, AF_ALG, AF_VSOCK],
        Network::Host | Network::Outward(_) | Network::None => &[AF_ALG, AF_VSOCK],
    }
}
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const JUMP_BITS: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Whether the built-in sandbox has a system call filter on this machine; an OCI runtime has one everywhere.
#[must_use]
pub const fn is_filtered() -> bool {
    !INTERFACES.is_empty()
}

/// The program, empty on a machine without a table. Calls of `notify`, by native number, go to the supervisor.
pub(super) fn filter(notify: &[(u32, When)], network: &Network) -> Vec<Instruction> {
    let mut program = vec![instruction(LOAD, ARCH)];
    if INTERFACES.is_empty() {
        return Vec::new();
    }
    for (index, interface) in INTERFACES.iter().enumerate() {
        let notify = if index == 0 { notify } else { &[] };
        let mut body = vec![instruction(LOAD, NUMBER)];
        search(&ranges(interface, notify, network), &mut body);
        program.extend([jump(JUMP_EQUAL, interface.audit, 1, 0), instruction(JUMP, length(&body))]);
        program.extend(body);
    }
    answer(Answer::Error(libc::EPERM), &mut program);
    program
}

/// A program that lets everything be but the calls of `notify`.
pub(super) fn only_notify(notify: &[(u32, When)]) -> Vec<Instruction> {
    let Some(native) = INTERFACES.first() else { return Vec::new() };
    let mut program = vec![
        instruction(LOAD, ARCH),
        jump(JUMP_EQUAL, native.audit, 1, 0),
        instruction(RETURN, libc::SECCOMP_RET_ALLOW),
    ];
    program.push(instruction(LOAD, NUMBER));
    for (number, when) in notify {
        let mut body = vec![];
        answer(when.answer(), &mut body);
        program.extend([jump(JUMP_EQUAL, *number, 1, 0), instruction(JUMP, length(&body))]);
        program.extend(body);
    }
    answer(Answer::Allow, &mut program);
    program
}

/// The same profile in the words of the OCI runtime specification.
pub(super) fn profile(network: &Network) -> serde_json::Value {
    use serde_json::json;
    let names: Vec<&str> = ALLOWED.iter().map(|row| row.name).collect();
    let condition = |op: &str, value: u32, masked: u32| json!([{ "index": 0, "op": op, "value": value, "valueTwo": masked }]);
    let allow = |name: &str, args| json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": args });
    let mut calls = vec![
        json!({ "names": names, "action": "SCMP_ACT_ALLOW" }),
        allow("clone", condition("SCMP_CMP_MASKED_EQ", NEW_NAMESPACES, 0)),
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }),
    ];
    for (op, value) in other_families(refused_families(network)) {
        calls.push(allow("socket", condition(op, value, 0)));
    }
    for value in PERSONALITIES {
        calls.push(allow("personality", condition("SCMP_CMP_EQ", value, 0)));
    }
    // A runtime adds the machine's own.
    let architectures = if cfg!(target_arch = "x86_64") {
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
    } else if cfg!(target_arch = "aarch64") {
        json!(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"])
    } else {
        json!([])
    };
    json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": libc::EPERM, "architectures": architectures, "syscalls": calls })
}

/// Conditions, of which each is one rule, that hold for every number but these.
fn other_families(refused: &[u32]) -> Vec<(&'static str, u32)> {
    let (first, last) = (refused.first().copied().unwrap_or(0), refused.last().copied().unwrap_or(0));
    let between = (first..last).filter(|family| !refused.contains(family));
    let between = between.map(|family| ("SCMP_CMP_EQ", family));
    [("SCMP_CMP_LT", first)].into_iter().chain(between).chain([("SCMP_CMP_GT", last)]).collect()
}

/// First number of each run of equal answers, ascending from 0.
fn ranges(interface: &Interface, notify: &[(u32, When)], network: &Network) -> Vec<(u32, Answer)> {
    let mut answers = vec![Answer::Error(libc::EPERM); NEWEST as usize + 1];
    let mut far = Vec::new();
    let mut set = |number: u32, answer| match answers.get_mut(number as usize) {
        Some(place) => *place = answer,
        // 32-bit ARM's own calls lie far above the others.
        None => far.extend([(number, answer), (number + 1, Answer::Error(libc::ENOSYS))]),
    };
    for row in ALLOWED {
        (interface.number)(row).into_iter().for_each(|number| set(number, Answer::Allow));
    }
    for row in SPECIAL {
        let special = match row.name {
            "clone" => Answer::Clone,
            "clone3" => Answer::Error(libc::ENOSYS),
            "personality" => Answer::Personality,
            _ => Answer::Socket(refused_families(network)),
        };
        (interface.number)(row).into_iter().for_each(|number| set(number, special));
    }
    notify.iter().for_each(|&(number, when)| set(number, when.answer()));
    let mut ranges: Vec<(u32, Answer)> = (0..).zip(answers).collect();
    ranges.push((NEWEST + 1, Answer::Error(libc::ENOSYS)));
    far.sort_by_key(|(number, _)| *number);
    ranges.extend(far);
    ranges.dedup_by_key(|(_, answer)| *answer);
    ranges
}

fn search(ranges: &[(u32, Answer)], program: &mut Vec<Instruction>) {
    let (low, high) = ranges.split_at(ranges.len() / 2);
    match (low, high) {
        ([], [(_, only)]) => answer(*only, program),
        (_, [(first, _), ..]) => {
            let mut below = Vec::new();
            search(low, &mut below);
            program.extend([jump(JUMP_AT_LEAST, *first, 0, 1), instruction(JUMP, length(&below))]);
            program.extend(below);
            search(high, program);
        }
        (_, []) => {}
    }
}

fn answer(answer: Answer, program: &mut Vec<Instruction>) {
    let allow = instruction(RETURN, libc::SECCOMP_RET_ALLOW);
    let error = |number: i32| instruction(RETURN, libc::SECCOMP_RET_ERRNO | number.cast_unsigned());
    let forbid = error(libc::EPERM);
    let ask = instruction(RETURN, libc::SECCOMP_RET_USER_NOTIF);
    match answer {
        Answer::Allow => program.push(allow),
        Answer::Error(number) => program.push(error(number)),
        Answer::Notify => program.push(ask),
        Answer::NotifyBits(argument, bits) => {
            program.extend([instruction(LOAD, low_word(argument)), jump(JUMP_BITS, bits, 0, 1), ask, allow]);
        }
        Answer::NotifyValue(argument, value) => {
            program.extend([
                instruction(LOAD, low_word(argument)),
                jump(JUMP_EQUAL, value, 0, 1),
                ask,
                allow,
            ]);
        }
        Answer::Clone => {
            program.extend([
                instruction(LOAD, ARGUMENT_0),
                jump(JUMP_BITS, NEW_NAMESPACES, 1, 0),
                allow,
                forbid,
            ]);
        }
        Answer::Socket(refused) => {
            program.push(instruction(LOAD, ARGUMENT_0));
            for family in refused {
                program.extend([jump(JUMP_EQUAL, *family, 0, 1), forbid]);
            }
            program.push(allow);
        }
        Answer::Personality => {
            program.push(instruction(LOAD, ARGUMENT_0));
            for value in PERSONALITIES {
                program.extend([jump(JUMP_EQUAL, value, 0, 1), allow]);
            }
            program.push(forbid);
        }
    }
}

fn instruction(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn length(program: &[Instruction]) -> u32 {
    u32::try_from(program.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tests {
    use super::*;

    /// The kernel's view of the program.
    fn evaluate(program: &[Instruction], arch: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
            match code {
                LOAD => {
                    accumulator = [(NUMBER, number), (ARCH, arch), (ARGUMENT_0, argument)]
                        .iter()
                        .find(|(offset, _)| *offset == k)
                        .unwrap()
                        .1
                }
                JUMP => at += k as usize,
                JUMP_EQUAL => branch(accumulator == k),
                JUMP_AT_LEAST => branch(accumulator >= k),
                JUMP_BITS => branch(accumulator & k != 0),
                RETURN => return k,
                _ => panic!("unknown code {code}"),
            }
        }
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

    #[test]
    fn every_number_gets_the_answer_of_its_row() {
        let program = filter(&[], &Network::Host);
        for interface in &INTERFACES {
            for number in 0..=NEWEST {
                let has = |rows: &[Row]| rows.iter().any(|row| (interface.number)(row) == Some(number));
                if has(SPECIAL) {
                    continue;
                }
                let expected = if has(ALLOWED) { ALLOW } else { EPERM };
                assert_eq!(evaluate(&program, interface.audit, number, 0), expected, "{number}");
            }
            assert_eq!(evaluate(&program, interface.audit, NEWEST + 1, 0), ENOSYS, "too new to know");
        }
        assert_eq!(evaluate(&program, 0x1234, 0, 0), EPERM, "another machine's calls");
        assert!(program.len() < 4096, "the kernel's bound");
    }

    #[test]
    fn arguments_decide() {
        let program = filter(&[], &Network::Host);
        let native = |name: &str| {
            let row = SPECIAL.iter().find(|row| row.name == name).unwrap();
            (INTERFACES[0].number)(row).unwrap()
        };
        let table = [
            ("clone", 0x11, ALLOW),
            ("clone", 0x1000_0000, EPERM),
            ("clone", 0x0002_0011, EPERM),
            ("clone3", 0, ENOSYS),
            ("socket", 2, ALLOW),
            ("socket", 39, ALLOW),
            ("socket", AF_ALG, EPERM),
            ("socket", AF_VSOCK, EPERM),
            ("personality", 0xffff_ffff, ALLOW),
            ("personality", 0x2_0008, ALLOW),
            ("personality", 0x4_0000, EPERM),
        ];
        for (name, argument, expected) in table {
            assert_eq!(
                evaluate(&program, INTERFACES[0].audit, native(name), argument),
                expected,
                "{name} {argument:x}"
            );
        }
    }

    #[test]
    fn the_machines_network_has_no_raw_packets() {
        let row = SPECIAL.iter().find(|row| row.name == "socket").unwrap();
        for (network, packets) in [(Network::Host, ALLOW), (Network::None, ALLOW), (Network::Guarded, EPERM)]
        {
            let program = filter(&[], &network);
            for interface in &INTERFACES {
                let number = (interface.number)(row).unwrap();
                for (family, expected) in
                    [(AF_PACKET, packets), (AF_PACKET - 1, ALLOW), (AF_ALG, EPERM), (AF_VSOCK, EPERM)]
                {
                    assert_eq!(
                        evaluate(&program, interface.audit, number, family),
                        expected,
                        "{network:?} {family}"
                    );
                }
            }
            let rules = other_families(refused_families(&network));
            for family in 0..64 {
                let allowed = rules.iter().any(|(op, value)| match *op {
                    "SCMP_CMP_LT" => family < *value,
                    "SCMP_CMP_EQ" => family == *value,
                    _ => family > *value,
                });
                assert_eq!(allowed, !refused_families(&network).contains(&family), "{network:?} {family}");
            }
        }
    }

    #[test]
    fn the_supervisor_is_asked() {
        let number = |call| u32::try_from(call).unwrap();
        let (getuid, creat, read) = (number(libc::SYS_getuid), number(libc::SYS_dup), number(libc::SYS_read));
        let questions = [
            (getuid, When::Always),
            (creat, When::Has { argument: 0, bits: 6 }),
            (read, When::Is { argument: 0, value: 5 }),
        ];
        const ASK: u32 = libc::SECCOMP_RET_USER_NOTIF;
        for program in [filter(&questions, &Network::Host), only_notify(&questions)] {
            for (number, argument, expected) in [
                (getuid, 0, ASK),
                (creat, 2, ASK),
                (creat, 9, ALLOW),
                (read, 5, ASK),
                (read, 7, ALLOW),
                (number(libc::SYS_write), 5, ALLOW),
            ] {
                assert_eq!(evaluate(&program, INTERFACES[0].audit, number, argument), expected, "{number}");
            }
        }
    }

    #[test]
    fn the_table_is_sorted_and_agrees_with_libc() {
        assert!(ALLOWED.is_sorted_by(|a, b| a.name < b.name));
        let number = |name: &str| ALLOWED.iter().find(|row| row.name == name).and_then(INTERFACES[0].number);
        for (name, expected) in [
            ("openat2", libc::SYS_openat2),
            ("read", libc::SYS_read),
            ("execve", libc::SYS_execve),
            ("newfstatat", libc::SYS_newfstatat),
            ("close_range", libc::SYS_close_range),
        ] {
            assert_eq!(number(name).map(libc::c_long::from), Some(expected), "{name}");
        }
        for name in ["mount", "unshare", "bpf", "keyctl", "add_key", "kexec_load", "io_uring_setup", "setns"]
        {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
