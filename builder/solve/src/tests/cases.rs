//! Builds as data: a graph in a line or two, then rounds with what changed and which steps must run.
//!
//! Every case is solved in many orders of completion. Whatever the order: the same steps run, each once, after
//! their inputs, never two under one key at a time, and nothing is begun after a failure.

use std::collections::{HashMap, HashSet};

use super::{Outcome, Work, World, Writer, name};
use crate::{Edge, Graph, Key, Machine};
use xx_build_frontend::llb::pb;

/// One build of the graph.
struct Round {
    /// Contents that differ from 0 from here on: of local directories, and of what steps make.
    content: &'static [(&'static str, u8)],
    /// Steps whose results are pruned before this build.
    evicted: &'static [&'static str],
    /// Steps that fail this time.
    fails: &'static [&'static str],
    /// What must run: names, sorted. After a failure, what may have run at the most.
    ran: &'static str,
    /// Whether the build works.
    works: bool,
}

const fn round(ran: &'static str) -> Round {
    Round { content: &[], evicted: &[], fails: &[], ran, works: true }
}

struct Case {
    name: &'static str,
    /// `image NAME`, `local NAME`, `remote NAME`, `run NAME BASE [MOUNT...]`, `same NAME AS BASE` (another operation with the
    /// meaning of the step AS), `copy NAME PATH BASE SOURCE`, `refuse NAME`, `want NAME`; apart by `;`.
    graph: &'static str,
    rounds: &'static [Round],
}

const CASES: &[Case] = &[
    Case {
        name: "a chain",
        graph: "image b; run x b; run y x; want y",
        rounds: &[round("b x y"), round("")],
    },
    Case {
        name: "targets share what is equal, and a finished build is a cached sub-result of a larger one",
        graph: "image b; run s b; run x s; run y s; want x; want y",
        rounds: &[round("b s x y"), round("")],
    },
    Case {
        name: "two operations of one meaning are merged, also when the second comes in while the first runs",
        graph: "image b; run x b; run early b; same late x b; run end late early; want x; want end",
        rounds: &[round("b early end x"), round("")],
    },
    Case {
        name: "what waits behind a step of its own meaning goes on with that result",
        graph: "image b; run x b; same z x b; run after z; run next x; want after; want next",
        rounds: &[round("after b next x"), round("")],
    },
    Case {
        name: "a changed directory runs what reads it",
        graph: "image b; local c; copy f /src b c; run x f; run other b; run end x other; want end",
        rounds: &[
            round("b end f other x"),
            Round { content: &[("c", 1)], ..round("end f x") },
            Round { content: &[("c", 0)], ..round("") },
            Round { content: &[("c", 1)], ..round("") },
        ],
    },
    Case {
        name: "equal output stops the change",
        graph: "image b; local c; copy f /src b c; run make f; copy g /bin b make; run end g; want end",
        rounds: &[
            round("b end f g make"),
            Round { content: &[("c", 1)], ..round("f make") },
            Round { content: &[("c", 2), ("make", 1)], ..round("end f g make") },
        ],
    },
    Case {
        name: "a failing branch fails the build, the others are kept",
        graph: "image b; run bad b; run good b; run end bad good; want end",
        rounds: &[
            Round { fails: &["bad"], works: false, ..round("b good") },
            Round { fails: &["bad"], works: false, ..round("good") },
            round("bad end good"),
        ],
    },
    Case {
        name: "who waits behind a step that fails does not run it again",
        graph: "image b; run bad b; same twin bad b; want bad; want twin",
        rounds: &[Round { fails: &["bad"], works: false, ..round("b") }, round("bad")],
    },
    Case {
        name: "a refused cache refuses all behind it, every time",
        graph: "image b; run x b; run y x; run z b; run end y z; refuse x; want end",
        rounds: &[round("b end x y z"), round("end x y")],
    },
    Case {
        name: "nothing runs for what nobody wants",
        graph: "image b; local c; run unused b; copy f / b c; run x f; want x",
        rounds: &[round("b f x")],
    },
    Case {
        name: "what a server has now is asked every time, and runs again when it is another thing",
        graph: "remote r; run x r; want x",
        rounds: &[
            round("r x"),
            round(""),
            Round { content: &[("r", 1)], ..round("r x") },
            Round { content: &[("r", 0)], ..round("") },
        ],
    },
    Case {
        name: "a step may read one result twice",
        graph: "image b; run x b; run y x x x; copy f /a y y; want f",
        rounds: &[round("b f x y"), round("")],
    },
    Case {
        name: "what was made of a pruned result stays, and what is pruned is made again for those who read it",
        graph: "image b; run make b; copy f /bin b make; run end f; want end",
        rounds: &[
            round("b end f make"),
            Round { evicted: &["make"], ..round("") },
            Round { evicted: &["b", "f"], ..round("") },
            Round { evicted: &["end"], ..round("b end f make") },
            Round { evicted: &["end"], ..round("end") },
            Round { evicted: &["b", "end"], ..round("end") },
            Round { evicted: &["make", "end", "f"], ..round("b end f make") },
        ],
    },
    Case {
        name: "a pruned result that one of two reads",
        graph: "image b; run make b; copy f /bin b make; copy g /lib b make; run x f; run y g make; want x; want y",
        rounds: &[
            round("b f g make x y"),
            Round { evicted: &["make", "g", "f"], ..round("") },
            Round { evicted: &["y"], ..round("g make y") },
            Round { evicted: &["make", "x"], ..round("f make x") },
        ],
    },
    Case {
        name: "a change needs what was pruned",
        graph: "image b; local c; run make b; copy f /x make c; run end f; run more end make; want more",
        rounds: &[
            round("b end f make more"),
            Round { evicted: &["make", "b"], ..round("") },
            Round { content: &[("c", 1)], ..round("b end f make more") },
            Round { content: &[("c", 0)], evicted: &["more", "f"], ..round("") },
        ],
    },
    Case {
        name: "what is wanted and read has been pruned",
        graph: "image b; run x b; run y x; refuse y; want x; want y",
        rounds: &[round("b x y"), Round { evicted: &["b", "x"], ..round("b x y") }, round("y")],
    },
    Case {
        name: "a pruned commit of a server",
        graph: "remote r; run x r; want x",
        rounds: &[
            round("r x"),
            Round { evicted: &["r"], ..round("") },
            Round { evicted: &["x"], ..round("r x") },
            Round { content: &[("r", 1)], ..round("r x") },
        ],
    },
    Case {
        name: "two targets that want the same thing",
        graph: "image b; run x b; want x; want x",
        rounds: &[round("b x")],
    },
];

/// The definitions of a graph's wanted vertices, and the names of its operations.
fn definitions(graph: &str) -> Vec<pb::Definition> {
    let mut writer = Writer::default();
    let mut digests: HashMap<&str, String> = HashMap::new();
    let mut wanted = vec![];
    for line in graph.split("; ") {
        let words: Vec<&str> = line.split(' ').collect();
        let digest = |name: &str| digests.get(name).unwrap_or_else(|| panic!("{name} in {line}")).clone();
        let made = match words[..] {
            ["image", name] => writer.image(name),
            ["local", name] => writer.local_named(name),
            ["remote", name] => writer.remote(name),
            ["run", name, base, ref mounts @ ..] => {
                let mounts: Vec<String> = mounts.iter().map(|mount| digest(mount)).collect();
                let mounts: Vec<&str> = mounts.iter().map(String::as_str).collect();
                writer.exec(name, &digest(base), &mounts)
            }
            ["same", name, as_name, base] => writer.exec_with_proxy(as_name, name, &digest(base)),
            ["copy", _, path, base, source] => writer.copy(path, &digest(base), &digest(source)),
            ["refuse", name] => {
                writer.no_cache(&digest(name));
                continue;
            }
            ["want", name] => {
                wanted.push(digest(name));
                continue;
            }
            _ => panic!("{line}"),
        };
        if words[0] == "copy" {
            writer.name(&made, words[1]);
        }
        digests.insert(words[1], made);
    }
    wanted.iter().map(|result| writer.clone().finish(result)).collect()
}

/// What came of one build in one order.
struct Ran {
    steps: Vec<String>,
    works: bool,
}

impl World {
    /// Solves with the pieces of work that are out ending in an order that `seed` chooses, `limit` steps at a
    /// time, and holds it to the rules.
    fn solve_in_order(&mut self, definitions: &[pb::Definition], seed: u64, limit: usize) -> Ran {
        let mut graph = Graph::default();
        let wanted: Vec<Edge> = definitions.iter().filter_map(|one| graph.add(one).expect("valid")).collect();
        self.builds += 1;
        let mut machine = Machine::new(graph, &wanted, self.builds);
        let (mut steps, mut out): (Vec<String>, Vec<Work>) = (vec![], vec![]);
        let mut random = seed;
        loop {
            let running =
                |out: &[Work]| out.iter().filter(|work| matches!(work, Work::Execute { .. })).count();
            while let Some(work) = machine.next(running(&out) < limit) {
                assert!(machine.failed().is_none(), "begun after a failure");
                if let Work::Execute { vertex, .. } = work {
                    let keys = machine.keys(vertex);
                    let others = out.iter().filter_map(|other| match other {
                        Work::Execute { vertex, .. } => Some(machine.keys(*vertex)),
                        Work::Lookup { .. } | Work::Resolve { .. } | Work::Digest { .. } => None,
                    });
                    let others: HashSet<Key> = others.flatten().collect();
                    assert!(keys.iter().all(|key| !others.contains(key)), "two under one key");
                    let inputs = &machine.graph().get(vertex).expect("of this graph").inputs;
                    let ready = |edge: &Edge| {
                        let input = machine.graph().get(edge.vertex).expect("of this graph");
                        input.is_local() || machine.identity(edge.vertex).is_some()
                    };
                    assert!(inputs.iter().all(ready), "begun before its inputs");
                }
                out.push(work);
            }
            assert!(running(&out) <= limit);
            if out.is_empty() {
                break;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let work = out.remove((random >> 33) as usize % out.len());
            let outcome = self.perform(&machine, work, &mut steps);
            machine.complete(work, outcome);
        }
        assert!(!machine.is_waiting());
        let works = machine.failed().is_none();
        if works {
            assert!(wanted.iter().all(|edge| machine.identity(edge.vertex).is_some()), "unfinished");
        }
        Ran { steps, works }
    }
}

#[test]
fn graphs_are_solved_in_any_order() {
    for case in CASES {
        let definitions = definitions(case.graph);
        for (seed, limit) in (0..60).flat_map(|seed| [(seed, 1), (seed, 2), (seed, 99)]) {
            let mut world = World::default();
            for (number, round) in case.rounds.iter().enumerate() {
                world
                    .content
                    .extend(round.content.iter().map(|(name, content)| ((*name).to_owned(), *content)));
                for step in round.evicted {
                    let identity = world.made.get(*step).copied();
                    world.evicted.extend(identity);
                }
                world.fails = round.fails.iter().map(|name| (*name).to_owned()).collect();
                let mut ran = world.solve_in_order(&definitions, seed, limit);
                let place = format!("{}: round {number}, seed {seed}, {limit} at once", case.name);
                assert_eq!(ran.works, round.works, "{place}");
                ran.steps.sort();
                let expected: Vec<&str> = round.ran.split(' ').filter(|name| !name.is_empty()).collect();
                if round.works && number > 0 && !case.rounds[number - 1].works {
                    // What the failed rounds got done depends on the order; nothing runs that need not.
                    assert!(
                        ran.steps.iter().all(|step| expected.contains(&step.as_str())),
                        "{place}: {:?}",
                        ran.steps
                    );
                } else if round.works {
                    assert_eq!(ran.steps, expected, "{place}");
                } else {
                    assert!(
                        ran.steps.iter().all(|step| expected.contains(&step.as_str())),
                        "{place}: {:?}",
                        ran.steps
                    );
                }
            }
        }
    }
}

#[test]
fn a_build_that_another_process_was_faster_with_goes_on_with_that_result() {
    let definitions = definitions("image b; run x b; run y x; want y");
    let mut world = World::default();
    let mut graph = Graph::default();
    let wanted: Vec<Edge> = definitions.iter().filter_map(|one| graph.add(one).expect("valid")).collect();
    let mut machine = Machine::new(graph, &wanted, 1);
    let (mut found, mut ran) = (0, vec![]);
    while let Some(work) = machine.next(true) {
        let outcome = match work {
            // The other process has recorded it under the same key by the time this one has the lock.
            Work::Execute { vertex, identity } if name(&machine, vertex) == "x" => {
                found += 1;
                Outcome::Found(Some(identity))
            }
            Work::Execute { .. } | Work::Lookup { .. } | Work::Resolve { .. } | Work::Digest { .. } => {
                world.perform(&machine, work, &mut ran)
            }
        };
        machine.complete(work, outcome);
    }
    assert_eq!((found, ran), (1, vec!["b".to_owned(), "y".to_owned()]));
    assert!(wanted.iter().all(|edge| machine.identity(edge.vertex).is_some()));
}

#[test]
fn a_result_of_a_changing_directory_counts_in_its_build_alone() {
    let definitions = definitions("image b; local c; copy f / b c; run x f; want x");
    let mut world = World::default();
    for expected in [["b", "f", "x"].as_slice(), &["f", "x"]] {
        let mut graph = Graph::default();
        let wanted: Vec<Edge> = definitions.iter().filter_map(|one| graph.add(one).expect("valid")).collect();
        let mut machine = Machine::new(graph, &wanted, 1);
        let mut ran = vec![];
        while let Some(work) = machine.next(true) {
            let outcome = match work {
                Work::Execute { vertex, identity } if name(&machine, vertex) == "f" => {
                    ran.push("f".to_owned());
                    let nonce = world.links.len() as u64;
                    Outcome::Unrepeatable(crate::Identity::new(identity.0, Some(nonce)))
                }
                Work::Execute { .. } | Work::Lookup { .. } | Work::Resolve { .. } | Work::Digest { .. } => {
                    world.perform(&machine, work, &mut ran)
                }
            };
            machine.complete(work, outcome);
        }
        assert_eq!(ran, expected);
    }
}

#[test]
fn native_steps_begin_before_emulated_ones() {
    let mut writer = Writer::default();
    let base = writer.image("base");
    let long = writer.exec_for("arm64", "long", &base);
    let long = writer.exec_for("arm64", "longer", &long);
    let short = writer.exec_for("amd64", "short", &base);
    let end = writer.exec("end", &long, &[&short]);
    let mut graph = Graph::default();
    let wanted = graph.add(&writer.finish(&end)).expect("valid").expect("a result");
    graph.mark_emulated(|platform| platform.architecture == "amd64");
    let mut machine = Machine::new(graph, &[wanted], 1);
    let (mut world, mut ran) = (World::default(), vec![]);
    while let Some(work) = machine.next(true) {
        let outcome = world.perform(&machine, work, &mut ran);
        machine.complete(work, outcome);
    }
    assert_eq!(ran, ["base", "short", "long", "longer", "end"]);
}
