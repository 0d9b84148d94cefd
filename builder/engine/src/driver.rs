//! Drives the step machine: lookups at once, everything else on a thread of its own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Instant;

use super::job::{Input, Job, Local};
use super::{
    Context, EngineError, Event, Failure, Observer, Origin, Request, Solved, Stream, exec, file_op, source,
    stack,
};
use xx_build_fetch::Layout;
use xx_build_frontend::llb::pb;
use xx_build_rootfs::sync::lock;
use xx_build_sandbox::Cancel;
use xx_build_solve::{CopySelector, Edge, Graph, Identity, Key, Machine, Outcome, Selection, VertexId, Work};
use xx_build_store::{Known, LayerId, OutputLayer, Store};

/// Solves the definitions of `request`.
///
/// # Errors
/// The first step that failed, after every other running step has been stopped.
pub fn solve(
    store: &Store,
    request: &Request,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Solved, Failure> {
    let mut graph = Graph::default();
    let roots = request
        .definitions
        .iter()
        .map(|definition| graph.add(definition))
        .collect::<Result<Vec<_>, _>>()
        .map_err(EngineError::from)?;
    graph.mark_emulated(|platform| request.is_native(platform));
    let wanted: Vec<Edge> = roots.iter().flatten().copied().collect();
    for (_, vertex) in graph.iter() {
        exec::allowed(&vertex.op, &request.steps).map_err(|error| Failure {
            step: vertex.name.clone(),
            place: vertex.place.clone(),
            error: Box::new(error),
        })?;
    }
    let context = Context { store, request, observer, cancel, number: 0 };
    let before_steps = before_steps(&graph);
    let mut driver = Driver {
        context,
        cancel,
        machine: Machine::new(graph, &wanted, request.now.unsigned_abs()),
        digests: Digests::default(),
        before_steps,
        wants_network: false,
        running: 0,
        numbers: 0,
        failure: None,
        solved: Solved { results: vec![], origins: HashMap::new(), executed: 0, cached: 0 },
    };
    driver.run();
    let solved = driver.finish(&roots);
    context.store.note_uses().map_err(EngineError::from)?;
    solved
}

struct Driver<'a> {
    context: Context<'a>,
    cancel: &'a Cancel,
    machine: Machine,
    digests: Digests,
    /// Steps on the default network, and what they are made of.
    before_steps: HashSet<VertexId>,
    /// Whether one of these is not in the cache.
    wants_network: bool,
    running: usize,
    numbers: usize,
    failure: Option<Failure>,
    solved: Solved,
}

/// The steps of a graph on the default network, with everything that they are made of.
fn before_steps(graph: &Graph) -> HashSet<VertexId> {
    let steps = graph.iter().filter(|(_, vertex)| exec::uses_default_network(&vertex.op));
    let mut open: Vec<VertexId> = steps.map(|(id, _)| id).collect();
    let mut found = HashSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let inputs = graph.get(id).into_iter().flat_map(|vertex| &vertex.inputs);
            open.extend(inputs.map(|edge| edge.vertex));
        }
    }
    found
}

/// What a thread sends back.
struct Report {
    work: Work,
    result: Result<Outcome, EngineError>,
    job: Job,
}

impl Driver<'_> {
    fn run(&mut self) {
        let digests = std::mem::take(&mut self.digests);
        let (context, cancel) = (self.context, self.cancel);
        std::thread::scope(|scope| {
            let (sender, reports) = mpsc::channel::<Report>();
            loop {
                while let Some(work) = self.machine.next(self.running < context.request.parallelism.max(1)) {
                    if let Work::Execute { vertex, .. } = work {
                        self.wants_network |= self.before_steps.contains(&vertex);
                    }
                    if std::mem::take(&mut self.wants_network) {
                        // Once.
                        self.before_steps.clear();
                        // It is there when the base is.
                        scope.spawn(move || context.request.steps.uplink.prepare());
                    }
                    if let Some(job) = self.begin(work) {
                        let (sender, digests) = (sender.clone(), &digests);
                        scope.spawn(move || {
                            let result = perform(context, cancel, digests, work, &job);
                            // The receiver is there until every report has come.
                            let _ = sender.send(Report { work, result, job });
                        });
                    }
                }
                if !self.machine.is_waiting() {
                    return;
                }
                let Ok(report) = reports.recv() else { return };
                self.end(report);
            }
        });
    }

    /// Answers a lookup, or gives the job that a thread has to do.
    fn begin(&mut self, work: Work) -> Option<Job> {
        let (vertex, runs) = match work {
            Work::Lookup { vertex, key } => {
                self.lookup(work, vertex, &key);
                return None;
            }
            Work::Digest { vertex, .. } | Work::Resolve { vertex } => (vertex, false),
            Work::Execute { vertex, .. } => (vertex, true),
        };
        match self.job(work, vertex, runs) {
            Ok(job) => Some(job),
            Err(error) => {
                self.fail(vertex, error);
                self.machine.complete(work, Outcome::Failed);
                None
            }
        }
    }

    fn lookup(&mut self, work: Work, vertex: VertexId, key: &Key) {
        let found = self.context.store.lookup(key).and_then(|found| {
            if let Some(Known::Here(identity)) = &found {
                // A result found by content is found by definition the next time.
                for other in self.machine.keys(vertex).iter().filter(|other| *other != key) {
                    self.context.store.link(other, identity)?;
                }
            }
            Ok(found)
        });
        let outcome = match found {
            Ok(Some(Known::Here(identity))) => Outcome::Found(Some(identity)),
            Ok(Some(Known::Evicted(identity))) => Outcome::Evicted(identity),
            Ok(None) => {
                self.wants_network |= self.before_steps.contains(&vertex);
                Outcome::Found(None)
            }
            Err(error) => {
                self.fail(vertex, error.into());
                Outcome::Failed
            }
        };
        if matches!(outcome, Outcome::Found(Some(_))) {
            self.solved.cached += 1;
            self.numbers += 1;
            if let Some(vertex) = self.machine.graph().get(vertex) {
                self.context.observer.event(self.numbers, Event::Cached { name: &vertex.name });
            }
        }
        self.machine.complete(work, outcome);
        if matches!(outcome, Outcome::Found(Some(_))) {
            self.note_origin(vertex);
        }
    }

    fn job(&mut self, work: Work, id: VertexId, runs: bool) -> Result<Job, EngineError> {
        let graph = self.machine.graph();
        let vertex = graph.get(id).ok_or_else(|| EngineError::Unsupported("an unknown step".to_owned()))?;
        let mut inputs = vec![];
        for edge in &vertex.inputs {
            inputs.push(match self.machine.identity(edge.vertex) {
                Some(identity) => Input::Layer(self.context.store.output(&identity, edge.output)?),
                None => Input::Local(graph.get(edge.vertex).map(|v| local(&v.op)).unwrap_or_default()),
            });
        }
        let keys = self.machine.keys(id);
        let shows = runs || matches!(work, Work::Resolve { .. });
        let identity = match work {
            Work::Execute { identity, .. } => identity,
            Work::Lookup { key, .. } => xx_build_solve::Identity(key),
            Work::Digest { .. } | Work::Resolve { .. } => xx_build_solve::Identity(Key([0; 32])),
        };
        let job = Job {
            op: Arc::clone(&vertex.op),
            inputs,
            selections: vertex.selections.clone(),
            edges: vertex.inputs.clone(),
            keys,
            identity,
            ignore_cache: vertex.ignore_cache,
            number: self.numbers + usize::from(shows),
            resources: vertex.resources.clone(),
            name: vertex.name.clone(),
        };
        self.running += usize::from(runs);
        self.numbers += usize::from(shows);
        Ok(job)
    }

    fn end(&mut self, report: Report) {
        let Report { work, result, job } = report;
        let (vertex, executes) = match work {
            Work::Execute { vertex, .. } => (vertex, true),
            Work::Digest { vertex, .. } | Work::Lookup { vertex, .. } | Work::Resolve { vertex } => {
                (vertex, false)
            }
        };
        self.running -= usize::from(executes);
        let outcome = result.unwrap_or_else(|error| {
            self.fail(vertex, error);
            Outcome::Failed
        });
        match outcome {
            Outcome::Executed | Outcome::Unrepeatable(_) => self.solved.executed += 1,
            Outcome::Found(Some(_)) => self.solved.cached += 1,
            Outcome::Found(None) | Outcome::Evicted(_) | Outcome::Digest(_) | Outcome::Failed => {}
        }
        drop(job);
        self.machine.complete(work, outcome);
        if executes && outcome != Outcome::Failed {
            self.note_origin(vertex);
        }
    }

    /// The first failure counts; what runs beside it is stopped.
    fn fail(&mut self, vertex: VertexId, error: EngineError) {
        if self.failure.is_none() {
            let vertex = self.machine.graph().get(vertex);
            self.failure = Some(Failure {
                step: vertex.map(|vertex| vertex.name.clone()).unwrap_or_default(),
                place: vertex.and_then(|vertex| vertex.place.clone()),
                error: Box::new(error),
            });
            self.cancel.cancel();
        }
    }

    /// Remembers which step the layers of a vertex came from.
    fn note_origin(&mut self, id: VertexId) {
        let Some(identity) = self.machine.identity(id) else { return };
        let Some(vertex) = self.machine.graph().get(id) else { return };
        let is_base = matches!(&vertex.op.op, Some(pb::op::Op::Source(_)));
        for output in 0..xx_build_solve::outputs(vertex) {
            if let Ok(Some(layer)) = self.context.store.output(&identity, output) {
                self.solved.origins.entry(layer).or_insert_with(|| Origin {
                    step: vertex.name.clone(),
                    place: vertex.place.clone(),
                    is_base,
                });
            }
        }
    }

    fn finish(mut self, roots: &[Option<Edge>]) -> Result<Solved, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for root in roots {
            let layer = match root.map(|edge| (self.machine.identity(edge.vertex), edge.output)) {
                Some((Some(identity), output)) => {
                    self.context.store.output(&identity, output).map_err(EngineError::from)?
                }
                Some((None, _)) => {
                    return Err(
                        EngineError::Unsupported("a directory as the result of a build".to_owned()).into()
                    );
                }
                None => None,
            };
            self.solved.results.push(layer);
        }
        Ok(self.solved)
    }
}

/// The directory that a source operation names. The paths that BuildKit would transfer are of no concern
/// here: it is read in place.
fn local(op: &pb::Op) -> Local {
    match &op.op {
        Some(pb::op::Op::Source(source)) => {
            let patterns = |attribute: &str| {
                let list = source.attrs.get(attribute);
                list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default()
            };
            Local {
                name: source.identifier.strip_prefix("local://").unwrap_or_default().to_owned(),
                include: patterns("local.includepattern"),
                exclude: patterns("local.excludepatterns"),
            }
        }
        Some(
            pb::op::Op::Exec(_)
            | pb::op::Op::File(_)
            | pb::op::Op::Build(_)
            | pb::op::Op::Merge(_)
            | pb::op::Op::Diff(_)
            | pb::op::Op::Passthrough(_),
        )
        | None => Local::default(),
    }
}

/// One input of a vertex, seen through these selectors.
type Question = (Edge, Vec<CopySelector>);

/// Content digests of this build: steps of several platforms ask for the same ones.
#[derive(Default)]
struct Digests(Mutex<HashMap<Question, Arc<OnceLock<Key>>>>);

impl Digests {
    /// The digest, if it has been computed.
    fn known(&self, question: &Question) -> Option<Key> {
        lock(&self.0).get(question)?.get().copied()
    }

    /// The digest, computed by the first that asks while the others wait.
    fn get(
        &self,
        question: Question,
        compute: impl FnOnce() -> Result<Key, EngineError>,
    ) -> Result<Key, EngineError> {
        let slot = Arc::clone(lock(&self.0).entry(question).or_default());
        let mut failed = None;
        let key = *slot.get_or_init(|| {
            compute().unwrap_or_else(|error| {
                failed = Some(error);
                Key([0; 32])
            })
        });
        // Whoever waited behind a failure goes on with a key of no meaning; the build fails anyway.
        failed.map_or(Ok(key), Err)
    }
}

fn perform(
    context: Context<'_>,
    cancel: &Cancel,
    digests: &Digests,
    work: Work,
    job: &Job,
) -> Result<Outcome, EngineError> {
    let context = Context { number: job.number, ..context };
    match work {
        Work::Digest { input, .. } => {
            let Some(question) = question(job, input) else {
                return Err(EngineError::Unsupported("a digest of an unknown input".to_owned()));
            };
            let key = digests.get(question, || digest(context, job, input))?;
            Ok(Outcome::Digest(key))
        }
        Work::Resolve { .. } => match &job.op.op {
            Some(pb::op::Op::Source(source)) => resolve(context, job, source),
            _ => Err(EngineError::Unsupported("an operation that is no source".to_owned())),
        },
        Work::Execute { .. } => execute(context, cancel, digests, job),
        Work::Lookup { .. } => Ok(Outcome::Failed),
    }
}

/// Asks a server what a source stands for now.
fn resolve(context: Context<'_>, job: &Job, source: &pb::SourceOp) -> Result<Outcome, EngineError> {
    let begun = Instant::now();
    let name = format!("[internal] ask for {}", job.name);
    context.observer.event(job.number, Event::Started { name: &name });
    let result = source::resolve(context, source);
    tell_end(context, job, begun, result.as_ref().err());
    result.map(Outcome::Digest)
}

/// Tells that a step is over.
fn tell_end(context: Context<'_>, job: &Job, begun: Instant, error: Option<&EngineError>) {
    let after = begun.elapsed();
    let text = error.map(ToString::to_string).unwrap_or_default();
    let end = match error {
        None => Event::Finished { after },
        Some(error) if error.is_cancelled() => Event::Canceled,
        Some(_) => Event::Failed { after, error: &text },
    };
    context.observer.event(job.number, end);
}

/// What of input number `input` enters the content key of the step.
fn selectors(job: &Job, input: usize) -> Vec<CopySelector> {
    match job.selections.get(input) {
        Some(Selection::Content(selectors)) => selectors.clone(),
        Some(Selection::Whole) | None => vec![CopySelector::everything()],
    }
}

fn question(job: &Job, input: usize) -> Option<Question> {
    Some((*job.edges.get(input)?, selectors(job, input)))
}

fn digest(context: Context<'_>, job: &Job, input: usize) -> Result<Key, EngineError> {
    let source = job
        .inputs
        .get(input)
        .ok_or_else(|| EngineError::Unsupported("a digest of an unknown input".to_owned()))?;
    context.digester().digest(&context.tree(source)?, &selectors(job, input))
}

/// Whether the directories of the user are still what they were when the step's key was made of them.
fn is_settled(context: Context<'_>, digests: &Digests, job: &Job) -> Result<bool, EngineError> {
    for (input, source) in job.inputs.iter().enumerate() {
        let known = match source {
            Input::Local(_) => question(job, input).and_then(|question| digests.known(&question)),
            Input::Layer(_) => None,
        };
        if let Some(known) = known
            && digest(context, job, input)? != known
        {
            return Ok(false);
        }
    }
    Ok(true)
}

const CHANGED: &[u8] =
    b"a directory that this step reads changed meanwhile: its result is not kept for later builds\n";

/// Runs a step, unless another build on this store has run it in the meantime.
fn execute(
    context: Context<'_>,
    cancel: &Cancel,
    digests: &Digests,
    job: &Job,
) -> Result<Outcome, EngineError> {
    let begun = Instant::now();
    context.go_on()?;
    let locks = job.keys.first().map(|key| context.lock(context.store.lock_of_step(key))).transpose()?;
    if !job.ignore_cache {
        for key in &job.keys {
            if let Some(Known::Here(identity)) = context.store.lookup(key)? {
                context.observer.event(job.number, Event::Cached { name: &job.name });
                return Ok(Outcome::Found(Some(identity)));
            }
        }
    }
    context.observer.event(job.number, Event::Started { name: &job.name });
    let result = outputs(context, cancel, job).and_then(|outputs| {
        if is_settled(context, digests, job)? {
            context.store.record(&job.identity, &job.keys, outputs, &job.name)?;
            return Ok(Outcome::Executed);
        }
        context.observer.event(job.number, Event::Output { stream: Stream::Err, bytes: CHANGED });
        let identity = Identity::new(job.identity.0, Some(context.store.unique_number()));
        context.store.record(&identity, &[], outputs, &job.name)?;
        Ok(Outcome::Unrepeatable(identity))
    });
    drop(locks);
    tell_end(context, job, begun, result.as_ref().err());
    result
}

fn outputs(context: Context<'_>, cancel: &Cancel, job: &Job) -> Result<Vec<OutputLayer>, EngineError> {
    match &job.op.op {
        Some(pb::op::Op::Source(remote)) if xx_build_solve::is_remote(&remote.identifier) => {
            Ok(vec![source::fetch(context, remote)?])
        }
        Some(pb::op::Op::Source(source)) => {
            let layer = image(context, &job.op, source)?;
            Ok(vec![layer.map_or(OutputLayer::Empty, OutputLayer::Existing)])
        }
        Some(pb::op::Op::File(file)) => file_op::run(context, job, file),
        Some(pb::op::Op::Exec(op)) => exec::run(context, cancel, job, op),
        Some(pb::op::Op::Merge(merge)) => stack::merge(context, job, merge).map(|output| vec![output]),
        Some(pb::op::Op::Diff(diff)) => stack::diff(context, job, diff).map(|output| vec![output]),
        Some(pb::op::Op::Passthrough(pass)) => stack::pass(job, pass),
        Some(pb::op::Op::Build(_)) => Err(EngineError::Unsupported("the build operation".to_owned())),
        None => Err(EngineError::Unsupported("an operation without a kind".to_owned())),
    }
}

/// Unpacks the base image that a source operation names.
fn image(context: Context<'_>, op: &pb::Op, source: &pb::SourceOp) -> Result<Option<LayerId>, EngineError> {
    let unsupported = || EngineError::Unsupported(format!("the source `{}`", source.identifier));
    let reference = source.identifier.strip_prefix("oci-layout://").ok_or_else(unsupported)?;
    let (name, digest) = reference.rsplit_once('@').ok_or_else(unsupported)?;
    let store = source.attrs.get("oci.store").map_or(name, String::as_str);
    let path = context
        .request
        .layouts
        .get(store)
        .ok_or_else(|| EngineError::Missing { kind: "OCI layout", name: store.to_owned() })?;
    let digest = digest.parse().map_err(|_| unsupported())?;
    let platform = op.platform.clone().unwrap_or_default();
    let parts = [&platform.os, &platform.architecture, &platform.variant];
    let platform = parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/");
    let platform = platform.parse().map_err(|_| unsupported())?;
    Ok(Layout::open(path)?.unpack(context.store, &digest, &platform)?)
}
