//! The step machine: hands out [`Work`], takes [`Outcome`]s, decides what follows.
//!
//! A wanted vertex first waits for its inputs. Then its definition key is looked up; if that misses and
//! some input enters by content, the selected files are digested and the content key is looked up; if
//! that misses too, the vertex runs. Two vertices with the same key never run at once: the second waits
//! and looks again.
//!
//! A result that was pruned is still known by name. Whatever was made of it is found by that name, and only
//! who needs its files has it made again: see [`evicted`].
//!
//! After a failure no new work is handed out. The driver lets what is running end (or stops it) and the
//! machine reports the first failure.

mod evicted;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::graph::{Edge, Graph, Vertex, VertexId};
use super::keys::{Identity, InputKey, Key, vertex_key};
use super::selection::Selection;

/// One thing for the driver to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// Ask the cache which result is known under `key`.
    Lookup {
        /// For this vertex.
        vertex: VertexId,
        /// Its definition or content key.
        key: Key,
    },
    /// Find out what a source on a server stands for now: a commit, or the content of a file.
    Resolve {
        /// This vertex.
        vertex: VertexId,
    },
    /// Digest the files that input number `input` shows to the vertex.
    Digest {
        /// For this vertex.
        vertex: VertexId,
        /// Position among its inputs.
        input: usize,
    },
    /// Run the vertex; its inputs are done. The result becomes known as `identity`.
    Execute {
        /// This vertex.
        vertex: VertexId,
        /// The name of its result.
        identity: Identity,
    },
}

/// What came of a piece of [`Work`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Of `Lookup`: the result that is known under the key. Of `Execute`: the result that was known after
    /// all, when the step's turn came.
    Found(Option<Identity>),
    /// Of `Lookup`: such a result was known, and is not there any more.
    Evicted(Identity),
    /// Of `Digest` and `Resolve`.
    Digest(Key),
    /// Of `Execute`: the vertex has run.
    Executed,
    /// Of `Execute`: it has run, but what it read changed meanwhile. The result is known by this identity to
    /// this build, and under no key.
    Unrepeatable(Identity),
    /// Of any: it did not work out.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody needs it so far.
    Unwanted,
    /// Waits for this many inputs.
    Waiting(usize),
    /// Known by name, but its files are gone, and nobody needs them so far.
    Evicted,
    /// Is being resolved.
    Resolving,
    /// The definition key is being looked up.
    ByDefinition,
    /// This many inputs are still being digested.
    Digesting(usize),
    /// The content key is being looked up.
    ByContent,
    /// Waits for another vertex that runs under the same key.
    Behind,
    /// Runs.
    Running,
    /// Done; a directory read in place has no identity.
    Done(Option<Identity>),
    /// Failed.
    Failed,
}

#[derive(Debug)]
struct Progress {
    state: State,
    /// What a source on a server stands for.
    revision: Option<Key>,
    definition_key: Option<Key>,
    content_key: Option<Key>,
    /// The name that a result had which is gone now; it gets it again.
    evicted: Option<Identity>,
    /// Whether those that depend on it have been told that name while its files are gone.
    announced: bool,
    /// Whether its files are needed: a result of the build, or an input of a step that runs.
    needed: bool,
    /// Whether it waits for files of inputs that have been evicted, rather than for what its inputs are.
    restoring: bool,
    /// Digest of each input that enters by content, as far as known.
    digests: Vec<Option<Key>>,
    /// Whether the result came from the cache.
    cached: bool,
}

/// What is begun first: native steps, as the cross builds that they are part of feed every target; among
/// them the one with most work behind it; then the oldest.
type Urgency = (Reverse<bool>, u32, Reverse<VertexId>);

/// The state of one build.
#[derive(Debug)]
pub struct Machine {
    graph: Graph,
    progress: Vec<Progress>,
    /// Cheap questions first, in the order they came up.
    questions: std::collections::VecDeque<Work>,
    /// Vertices that may run, the most urgent on top.
    ready: BinaryHeap<Urgency>,
    running: HashMap<Key, VertexId>,
    behind: HashMap<Key, Vec<VertexId>>,
    /// What has run in this build.
    made: HashMap<Key, Identity>,
    outstanding: usize,
    failed: Option<VertexId>,
    nonce: u64,
}

impl Machine {
    /// Starts a build of the `wanted` outputs. `nonce` tells this build from every other one; it names
    /// the results of vertices for which the cache is refused.
    #[must_use]
    pub fn new(mut graph: Graph, wanted: &[Edge], nonce: u64) -> Self {
        graph.measure();
        let progress = graph
            .iter()
            .map(|(_, vertex)| Progress {
                state: State::Unwanted,
                revision: None,
                definition_key: None,
                content_key: None,
                evicted: None,
                announced: false,
                needed: false,
                restoring: false,
                digests: vec![None; vertex.inputs.len()],
                cached: false,
            })
            .collect();
        let mut machine = Self {
            graph,
            progress,
            questions: std::collections::VecDeque::new(),
            ready: BinaryHeap::new(),
            running: HashMap::new(),
            behind: HashMap::new(),
            made: HashMap::new(),
            outstanding: 0,
            failed: None,
            nonce,
        };
        for edge in wanted {
            if let Some(progress) = machine.progress_mut(edge.vertex) {
                progress.needed = true;
            }
        }
        for edge in wanted {
            machine.want(edge.vertex);
        }
        machine
    }

    /// The graph that is being solved.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The next piece of work; `None` when nothing can be started now.
    ///
    /// With `may_run` false only lookups and digests are handed out: the driver has enough steps running.
    pub fn next(&mut self, may_run: bool) -> Option<Work> {
        if self.failed.is_some() {
            return None;
        }
        loop {
            if let Some(work) = self.questions.pop_front() {
                self.outstanding += 1;
                return Some(work);
            }
            if !may_run {
                return None;
            }
            let (_, _, Reverse(id)) = self.ready.pop()?;
            if let Some(work) = self.start(id) {
                return Some(work);
            }
        }
    }

    /// Takes the outcome of a piece of work.
    pub fn complete(&mut self, work: Work, outcome: Outcome) {
        self.outstanding = self.outstanding.saturating_sub(1);
        match (work, outcome) {
            (Work::Lookup { vertex, .. }, Outcome::Found(Some(identity))) => {
                if let Some(progress) = self.progress_mut(vertex) {
                    progress.cached = true;
                }
                self.done(vertex, Some(identity));
            }
            (Work::Lookup { vertex, .. }, Outcome::Found(None)) => self.missed(vertex),
            (Work::Lookup { vertex, .. }, Outcome::Evicted(identity)) => self.evicted(vertex, identity),
            (Work::Digest { vertex, input }, Outcome::Digest(digest)) => self.digested(vertex, input, digest),
            (Work::Resolve { vertex }, Outcome::Digest(revision)) => {
                if let Some(progress) = self.progress_mut(vertex) {
                    progress.revision = Some(revision);
                }
                self.inputs_done(vertex);
            }
            (Work::Execute { vertex, identity }, Outcome::Executed)
            | (Work::Execute { vertex, .. }, Outcome::Unrepeatable(identity)) => {
                self.release(vertex, identity);
            }
            // Another process ran it while this one waited for its turn.
            (Work::Execute { vertex, .. }, Outcome::Found(Some(identity))) => {
                if let Some(progress) = self.progress_mut(vertex) {
                    progress.cached = true;
                }
                self.release(vertex, identity);
            }
            (
                Work::Lookup { vertex, .. }
                | Work::Resolve { vertex }
                | Work::Digest { vertex, .. }
                | Work::Execute { vertex, .. },
                Outcome::Failed
                | Outcome::Found(_)
                | Outcome::Evicted(_)
                | Outcome::Digest(_)
                | Outcome::Executed
                | Outcome::Unrepeatable(_),
            ) => {
                self.set(vertex, State::Failed);
                self.failed.get_or_insert(vertex);
            }
        }
    }

    /// Whether work is out whose outcome has not come back.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.outstanding > 0
    }

    /// The first vertex that failed.
    #[must_use]
    pub fn failed(&self) -> Option<VertexId> {
        self.failed
    }

    /// The result of a vertex that is done; `None` when it is not, or is read in place.
    #[must_use]
    pub fn identity(&self, vertex: VertexId) -> Option<Identity> {
        match self.progress.get(vertex.index())?.state {
            State::Done(identity) => identity,
            State::Unwanted
            | State::Waiting(_)
            | State::Evicted
            | State::Resolving
            | State::ByDefinition
            | State::Digesting(_)
            | State::ByContent
            | State::Behind
            | State::Running
            | State::Failed => None,
        }
    }

    /// Whether a vertex that is done came from the cache.
    #[must_use]
    pub fn is_cached(&self, vertex: VertexId) -> bool {
        self.progress.get(vertex.index()).is_some_and(|progress| progress.cached)
    }

    /// The keys under which the result of a vertex is to be recorded.
    #[must_use]
    pub fn keys(&self, vertex: VertexId) -> Vec<Key> {
        let progress = self.progress.get(vertex.index());
        progress.into_iter().flat_map(|p| [p.definition_key, p.content_key]).flatten().collect()
    }

    fn progress_mut(&mut self, id: VertexId) -> Option<&mut Progress> {
        self.progress.get_mut(id.index())
    }

    fn set(&mut self, id: VertexId, state: State) {
        if let Some(progress) = self.progress_mut(id) {
            progress.state = state;
        }
    }

    fn state(&self, id: VertexId) -> Option<State> {
        self.progress.get(id.index()).map(|progress| progress.state)
    }

    /// Marks a vertex and everything it needs as wanted. Iterative: graphs can be deep.
    fn want(&mut self, id: VertexId) {
        let mut stack = vec![id];
        let mut startable = vec![];
        while let Some(id) = stack.pop() {
            if self.state(id) != Some(State::Unwanted) {
                continue;
            }
            let Some(vertex) = self.graph.get(id) else { continue };
            let inputs: Vec<VertexId> = vertex.inputs.iter().map(|edge| edge.vertex).collect();
            let waiting =
                inputs.iter().filter(|id| !matches!(self.state(**id), Some(State::Done(_)))).count();
            self.set(id, State::Waiting(waiting));
            if waiting == 0 {
                startable.push(id);
            }
            stack.extend(inputs);
        }
        for id in startable {
            self.inputs_done(id);
        }
    }

    fn inputs_done(&mut self, id: VertexId) {
        if let Some(progress) = self.progress_mut(id) {
            progress.restoring = false;
        }
        let Some(vertex) = self.graph.get(id) else { return };
        if vertex.is_local() {
            self.done(id, None);
            return;
        }
        let revision = self.progress.get(id.index()).and_then(|progress| progress.revision);
        if vertex.is_remote() && revision.is_none() {
            self.set(id, State::Resolving);
            self.questions.push_back(Work::Resolve { vertex: id });
            return;
        }
        let ignore = vertex.ignore_cache;
        let key = match revision {
            Some(revision) => Some(vertex_key(&vertex.key, &[InputKey::Content(revision)])),
            None => self.key(vertex, |_| None),
        };
        if let Some(progress) = self.progress_mut(id) {
            progress.definition_key = key;
        }
        match key {
            Some(key) if !ignore => {
                self.set(id, State::ByDefinition);
                self.questions.push_back(Work::Lookup { vertex: id, key });
            }
            Some(_) | None => self.digest_inputs(id),
        }
    }

    /// The key of a vertex whose inputs contribute `digest(position)`, or else their identity.
    fn key(&self, vertex: &Vertex, digest: impl Fn(usize) -> Option<Key>) -> Option<Key> {
        let inputs: Option<Vec<InputKey>> = vertex
            .inputs
            .iter()
            .enumerate()
            .map(|(position, edge)| match digest(position) {
                Some(digest) => Some(InputKey::Content(digest)),
                None => self
                    .known_as(edge.vertex)
                    .map(|identity| InputKey::Identity { identity, output: edge.output }),
            })
            .collect();
        Some(vertex_key(&vertex.key, &inputs?))
    }

    fn missed(&mut self, id: VertexId) {
        match self.state(id) {
            Some(State::ByDefinition) => self.digest_inputs(id),
            Some(
                State::ByContent
                | State::Unwanted
                | State::Waiting(_)
                | State::Evicted
                | State::Resolving
                | State::Digesting(_)
                | State::Behind
                | State::Running
                | State::Done(_)
                | State::Failed,
            )
            | None => self.make_ready(id),
        }
    }

    /// Asks for the digests of the inputs that enter by content, or that have no identity to enter by.
    fn digest_inputs(&mut self, id: VertexId) {
        let Some(vertex) = self.graph.get(id) else { return };
        let by_content = |(edge, selection): (&Edge, &Selection)| match selection {
            Selection::Content(_) => true,
            Selection::Whole => self.known_as(edge.vertex).is_none(),
        };
        let wanted: Vec<usize> = vertex
            .inputs
            .iter()
            .zip(&vertex.selections)
            .enumerate()
            .filter_map(|(position, pair)| by_content(pair).then_some(position))
            .collect();
        if wanted.is_empty() {
            self.make_ready(id);
            return;
        }
        if self.restore_inputs(id, |position| wanted.contains(&position)) {
            return;
        }
        self.set(id, State::Digesting(wanted.len()));
        self.questions.extend(wanted.into_iter().map(|input| Work::Digest { vertex: id, input }));
    }

    fn digested(&mut self, id: VertexId, input: usize, digest: Key) {
        let Some(progress) = self.progress_mut(id) else { return };
        if let Some(slot) = progress.digests.get_mut(input) {
            *slot = Some(digest);
        }
        let State::Digesting(left) = progress.state else { return };
        progress.state = State::Digesting(left.saturating_sub(1));
        if left > 1 {
            return;
        }
        let digests = progress.digests.clone();
        let Some(vertex) = self.graph.get(id) else { return };
        let ignore = vertex.ignore_cache;
        let key = self.key(vertex, |position| digests.get(position).copied().flatten());
        if let Some(progress) = self.progress_mut(id) {
            progress.content_key = key;
        }
        match key {
            Some(key) if !ignore => {
                self.set(id, State::ByContent);
                self.questions.push_back(Work::Lookup { vertex: id, key });
            }
            Some(_) | None => self.make_ready(id),
        }
    }

    fn make_ready(&mut self, id: VertexId) {
        if self.restore_inputs(id, |_| true) {
            return;
        }
        if let Some(vertex) = self.graph.get(id) {
            self.ready.push((Reverse(vertex.is_emulated), vertex.height, Reverse(id)));
        }
    }

    /// Starts a vertex, unless one under the same key runs or has run since this one's keys were looked up.
    fn start(&mut self, id: VertexId) -> Option<Work> {
        let keys = self.keys(id);
        if let Some(identity) = keys.iter().find_map(|key| self.made.get(key)) {
            self.done(id, Some(*identity));
            return None;
        }
        if let Some(key) = keys.iter().find(|key| self.running.contains_key(key)) {
            self.behind.entry(*key).or_default().push(id);
            self.set(id, State::Behind);
            return None;
        }
        let key = *keys.first()?;
        let refused = self.graph.get(id)?.ignore_cache;
        self.running.extend(keys.into_iter().map(|key| (key, id)));
        self.set(id, State::Running);
        self.outstanding += 1;
        let before = self.progress.get(id.index()).and_then(|progress| progress.evicted);
        let identity = before.unwrap_or_else(|| Identity::new(key, refused.then_some(self.nonce)));
        Some(Work::Execute { vertex: id, identity })
    }

    /// Marks a vertex that ran as done, and with it those that waited for a run under the same key.
    fn release(&mut self, id: VertexId, identity: Identity) {
        self.done(id, Some(identity));
        for key in self.keys(id) {
            self.running.remove(&key);
            self.made.insert(key, identity);
            for waiting in self.behind.remove(&key).unwrap_or_default() {
                self.done(waiting, Some(identity));
            }
        }
    }

    /// Marks a vertex as done.
    fn done(&mut self, id: VertexId, identity: Option<Identity>) {
        self.set(id, State::Done(identity));
        self.wake_dependents(id);
    }

    /// Starts what waited for a vertex alone.
    fn wake_dependents(&mut self, id: VertexId) {
        // Who waited to know its name heard of it when it was evicted: now it is the turn of those who need files.
        let restored = self.state(id).is_some_and(|state| matches!(state, State::Done(_)))
            && self.progress.get(id.index()).is_some_and(|progress| progress.announced);
        let dependents = self.graph.get(id).map(|vertex| vertex.dependents.clone()).unwrap_or_default();
        for dependent in dependents {
            let restoring = self.progress.get(dependent.index()).is_some_and(|progress| progress.restoring);
            // A vertex that takes two outputs of this one is listed twice and waits for two.
            if let Some(State::Waiting(left)) = self.state(dependent)
                && restoring == restored
            {
                self.set(dependent, State::Waiting(left.saturating_sub(1)));
                if left <= 1 {
                    self.inputs_done(dependent);
                }
            }
        }
    }
}
