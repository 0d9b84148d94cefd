//! Whole builds as data: graphs, what the cache knows, and the order of steps that must come out.

mod cases;

use std::collections::{HashMap, HashSet};

use super::{Edge, Graph, GraphError, Identity, Key, Machine, Outcome, Work};
use xx_build_frontend::llb::{pb, wire};
use xx_build_frontend::oci::digest::Digest;

/// Writes definitions by name: `exec`, `copy` and `local` give the digest to use as an input.
#[derive(Default, Clone)]
struct Writer {
    definition: pb::Definition,
}

impl Writer {
    fn add(&mut self, inputs: &[&str], op: pb::op::Op) -> String {
        let inputs =
            inputs.iter().map(|digest| pb::Input { digest: (*digest).to_owned(), index: 0 }).collect();
        let op = pb::Op { inputs, op: Some(op), ..Default::default() };
        let bytes = wire::encode_op(&op);
        let digest = Digest::of(&bytes).to_string();
        self.definition.def.push(bytes);
        digest
    }

    fn local(&mut self) -> String {
        self.local_named("context")
    }

    fn local_named(&mut self, name: &str) -> String {
        let source = pb::SourceOp { identifier: format!("local://{name}"), ..Default::default() };
        let digest = self.add(&[], pb::op::Op::Source(source));
        self.name(&digest, name);
        digest
    }

    fn remote(&mut self, name: &str) -> String {
        let source = pb::SourceOp { identifier: format!("git://host/{name}"), ..Default::default() };
        let digest = self.add(&[], pb::op::Op::Source(source));
        self.name(&digest, name);
        digest
    }

    fn image(&mut self, name: &str) -> String {
        let source = pb::SourceOp { identifier: format!("oci-layout://{name}"), ..Default::default() };
        let digest = self.add(&[], pb::op::Op::Source(source));
        self.name(&digest, name);
        digest
    }

    /// Calls an operation something.
    fn name(&mut self, digest: &str, name: &str) {
        let description = std::collections::BTreeMap::from([("llb.customname".to_owned(), name.to_owned())]);
        let metadata = self.definition.metadata.entry(digest.to_owned()).or_default();
        metadata.description = description;
    }

    /// A step on `base` that means what `name` means: only its proxy is another one.
    fn exec_with_proxy(&mut self, name: &str, proxy: &str, base: &str) -> String {
        let proxy = pb::ProxyEnv { http_proxy: proxy.to_owned(), ..Default::default() };
        let meta = pb::Meta { args: vec![name.to_owned()], proxy_env: Some(proxy), ..Default::default() };
        let mount = pb::Mount { dest: "/".to_owned(), ..Default::default() };
        let exec = pb::ExecOp { meta: Some(meta), mounts: vec![mount], ..Default::default() };
        self.add(&[base], pb::op::Op::Exec(exec))
    }

    /// A step on `base` for another architecture.
    fn exec_for(&mut self, architecture: &str, name: &str, base: &str) -> String {
        let digest = self.exec(name, base, &[]);
        let bytes = self.definition.def.pop().expect("the step");
        assert_eq!(Digest::of(&bytes).to_string(), digest);
        let mut op = wire::decode_op(&bytes).expect("an operation");
        op.platform = Some(pb::Platform {
            os: "linux".into(),
            architecture: architecture.into(),
            ..Default::default()
        });
        let bytes = wire::encode_op(&op);
        self.definition.def.push(bytes.clone());
        Digest::of(&bytes).to_string()
    }

    /// A step on `base` that also sees the whole of `others`.
    fn exec(&mut self, name: &str, base: &str, others: &[&str]) -> String {
        let mount = |input: usize, dest: &str| pb::Mount {
            input: input as i64,
            dest: dest.to_owned(),
            output: if input == 0 { 0 } else { -1 },
            ..Default::default()
        };
        let mut mounts = vec![mount(0, "/")];
        mounts.extend((1..=others.len()).map(|input| mount(input, "/in")));
        let meta = pb::Meta { args: vec![name.to_owned()], ..Default::default() };
        let exec = pb::ExecOp { meta: Some(meta), mounts, ..Default::default() };
        self.add(&[&[base], others].concat(), pb::op::Op::Exec(exec))
    }

    /// Copies `path` of `source` onto `base`.
    fn copy(&mut self, path: &str, base: &str, source: &str) -> String {
        let copy = pb::FileActionCopy { src: path.to_owned(), dest: "/".to_owned(), ..Default::default() };
        let action = pb::file_action::Action::Copy(copy);
        let action = pb::FileAction { input: 0, secondary_input: 1, output: 0, action: Some(action) };
        self.add(&[base, source], pb::op::Op::File(pb::FileOp { actions: vec![action] }))
    }

    fn no_cache(&mut self, digest: &str) {
        self.definition.metadata.entry(digest.to_owned()).or_default().ignore_cache = true;
    }

    fn finish(mut self, result: &str) -> pb::Definition {
        let op =
            pb::Op { inputs: vec![pb::Input { digest: result.to_owned(), index: 0 }], ..Default::default() };
        self.definition.def.push(wire::encode_op(&op));
        self.definition
    }
}

/// A store in memory, and what the files behind each content digest are.
#[derive(Default)]
struct World {
    links: HashMap<Key, Identity>,
    /// What each step made last, by name, and which of it has been pruned.
    made: HashMap<String, Identity>,
    evicted: HashSet<Identity>,
    /// Content of each local directory or result, by the name of the step that made it.
    content: HashMap<String, u8>,
    fails: HashSet<String>,
    /// How many builds there were.
    builds: u64,
}

fn name(machine: &Machine, vertex: super::VertexId) -> String {
    machine.graph().get(vertex).expect("of this graph").name.clone()
}

impl World {
    /// Solves, one piece of work at a time, the newest first when `reversed`; returns the steps that ran.
    fn solve(&mut self, definitions: &[pb::Definition], reversed: bool) -> Result<Vec<String>, String> {
        let mut graph = Graph::default();
        let wanted: Vec<Edge> =
            definitions.iter().filter_map(|definition| graph.add(definition).expect("valid")).collect();
        let mut machine = Machine::new(graph, &wanted, 7);
        let (mut ran, mut out) = (vec![], vec![]);
        loop {
            while let Some(work) = machine.next(true) {
                // As the driver does it: the cache answers at once, everything else takes its time.
                if matches!(work, Work::Lookup { .. }) {
                    let outcome = self.perform(&machine, work, &mut ran);
                    machine.complete(work, outcome);
                } else {
                    out.push(work);
                }
            }
            if out.is_empty() {
                break;
            }
            let work = if reversed { out.pop().expect("not empty") } else { out.remove(0) };
            let outcome = self.perform(&machine, work, &mut ran);
            machine.complete(work, outcome);
        }
        assert!(!machine.is_waiting());
        match machine.failed() {
            Some(vertex) => Err(name(&machine, vertex)),
            None => {
                assert!(wanted.iter().all(|edge| machine.identity(edge.vertex).is_some()));
                Ok(ran)
            }
        }
    }

    fn perform(&mut self, machine: &Machine, work: Work, ran: &mut Vec<String>) -> Outcome {
        match work {
            Work::Lookup { key, .. } => match self.links.get(&key) {
                Some(identity) if self.evicted.contains(identity) => Outcome::Evicted(*identity),
                found => Outcome::Found(found.copied()),
            },
            Work::Resolve { vertex } => {
                let source = name(machine, vertex);
                Outcome::Digest(Key([self.content.get(&source).copied().unwrap_or(0); 32]))
            }
            Work::Digest { vertex, input } => {
                let vertex = machine.graph().get(vertex).expect("of this graph");
                let source = name(machine, vertex.inputs[input].vertex);
                Outcome::Digest(Key([self.content.get(&source).copied().unwrap_or(0); 32]))
            }
            Work::Execute { vertex, identity } => {
                let name = name(machine, vertex);
                if self.fails.contains(&name) {
                    return Outcome::Failed;
                }
                ran.push(name.clone());
                self.made.insert(name, identity);
                self.evicted.remove(&identity);
                for key in machine.keys(vertex) {
                    self.links.insert(key, identity);
                }
                Outcome::Executed
            }
        }
    }
}

/// `base`, a build on it, and an image that copies one file of the build and runs something.
fn two_stages() -> pb::Definition {
    let mut writer = Writer::default();
    let base = writer.image("base");
    let context = writer.local();
    let sources = writer.copy("/src", &base, &context);
    let build = writer.exec("build", &sources, &[]);
    let copied = writer.copy("/bin", &base, &build);
    let last = writer.exec("last", &copied, &[]);
    writer.finish(&last)
}

const FILES: &str = "file operation";

#[test]
fn everything_runs_once_and_then_nothing() {
    for reversed in [false, true] {
        let mut world = World::default();
        let first = world.solve(&[two_stages()], reversed).expect("works");
        assert_eq!(first, ["base", FILES, "build", FILES, "last"]);
        assert_eq!(world.solve(&[two_stages()], reversed), Ok(vec![]));
    }
}

#[test]
fn a_changed_source_runs_what_depends_on_it() {
    let mut world = World::default();
    world.solve(&[two_stages()], false).expect("works");
    world.content.insert("context".to_owned(), 1);
    world.content.insert("build".to_owned(), 1);
    assert_eq!(world.solve(&[two_stages()], false).expect("works"), [FILES, "build", FILES, "last"]);
}

#[test]
fn a_build_with_unchanged_output_disturbs_nothing_behind_it() {
    let mut world = World::default();
    world.solve(&[two_stages()], false).expect("works");
    world.content.insert("context".to_owned(), 1);
    assert_eq!(world.solve(&[two_stages()], false).expect("works"), [FILES, "build"]);
    assert_eq!(world.solve(&[two_stages()], false), Ok(vec![]), "found by definition from now on");
}

#[test]
fn equal_operations_of_several_targets_are_one() {
    let target = |name: &str| {
        let mut writer = Writer::default();
        let base = writer.image("base");
        let shared = writer.exec("shared", &base, &[]);
        let own = writer.exec(name, &shared, &[]);
        writer.finish(&own)
    };
    let definitions = [target("amd64"), target("arm64"), target("arm")];
    let ran = World::default().solve(&definitions, false).expect("works");
    assert_eq!(ran, ["base", "shared", "amd64", "arm64", "arm"]);
}

#[test]
fn the_same_key_never_runs_twice_at_once() {
    // Two different operations with the same meaning: they differ only in what keys leave out.
    let target = |proxy: &str| {
        let mut writer = Writer::default();
        let base = writer.image("base");
        let step = writer.exec_with_proxy("step", proxy, &base);
        writer.finish(&step)
    };
    for reversed in [false, true] {
        let ran = World::default().solve(&[target("a"), target("b")], reversed).expect("works");
        assert_eq!(ran, ["base", "step"]);
    }
}

#[test]
fn a_refused_cache_runs_the_step_and_all_behind_it() {
    let definition = |refused: bool| {
        let mut writer = Writer::default();
        let base = writer.image("base");
        let first = writer.exec("first", &base, &[]);
        let second = writer.exec("second", &first, &[]);
        if refused {
            writer.no_cache(&first);
        }
        writer.finish(&second)
    };
    let mut world = World::default();
    world.solve(&[definition(false)], false).expect("works");
    assert_eq!(world.solve(&[definition(true)], false).expect("works"), ["first", "second"]);
}

#[test]
fn a_failure_stops_what_has_not_begun() {
    let mut writer = Writer::default();
    let base = writer.image("base");
    let bad = writer.exec("bad", &base, &[]);
    let after = writer.exec("after", &bad, &[]);
    let definition = writer.finish(&after);
    let mut world = World::default();
    world.fails.insert("bad".to_owned());
    assert_eq!(world.solve(std::slice::from_ref(&definition), false), Err("bad".to_owned()));
    world.fails.clear();
    assert_eq!(world.solve(&[definition], false).expect("works"), ["bad", "after"]);
}

#[test]
fn the_longest_way_begins_first() {
    let mut writer = Writer::default();
    let base = writer.image("base");
    let short = writer.exec("short", &base, &[]);
    let long1 = writer.exec("long 1", &base, &[]);
    let long2 = writer.exec("long 2", &long1, &[]);
    let both = writer.exec("both", &long2, &[&short]);
    let definition = writer.finish(&both);
    let ran = World::default().solve(&[definition], false).expect("works");
    assert_eq!(ran, ["base", "long 1", "short", "long 2", "both"]);
}

#[test]
fn a_diamond_of_forty_levels_is_solved_once() {
    let mut writer = Writer::default();
    let mut top = writer.image("base");
    for level in 0..40 {
        let left = writer.exec(&format!("left {level}"), &top, &[]);
        let right = writer.exec(&format!("right {level}"), &top, &[]);
        top = writer.exec(&format!("join {level}"), &left, &[&right]);
    }
    let definition = writer.finish(&top);
    assert_eq!(World::default().solve(&[definition], false).expect("works").len(), 121);
}

#[test]
fn malformed_definitions_are_refused() {
    let mut missing = Writer::default();
    let step = missing.exec("step", "sha256:none", &[]);
    let mut graph = Graph::default();
    assert!(matches!(graph.add(&missing.finish(&step)), Err(GraphError::MissingInput { .. })));

    let garbage = pb::Definition { def: vec![vec![0xff; 9]], ..Default::default() };
    assert!(matches!(Graph::default().add(&garbage), Err(GraphError::Malformed { index: 0, .. })));

    for index in [-1, 1, i64::MAX] {
        let mut writer = Writer::default();
        let base = writer.image("base");
        let input = pb::Input { digest: base, index };
        let op = pb::Op { inputs: vec![input], ..Default::default() };
        writer.definition.def.push(wire::encode_op(&op));
        let result = Graph::default().add(&writer.definition);
        assert!(matches!(result, Err(GraphError::BadIndex { what: "output", .. })), "{index}");
    }
    assert_eq!(Graph::default().add(&pb::Definition::default()), Ok(None), "scratch");
}
