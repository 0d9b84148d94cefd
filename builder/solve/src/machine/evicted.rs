//! Results that were pruned: BuildKit's partial chains.
//!
//! When a build stage has been pruned and what was copied from it has not, nothing has to run. So a vertex whose
//! result is gone is not made again at once: what depends on it is looked up by its name. Only when a step has to
//! read its files, or the build itself wants them, it is made, and gets the name that it had.

use super::{Identity, Machine, State, VertexId};

impl Machine {
    /// A lookup has answered that a result is gone.
    pub(super) fn evicted(&mut self, id: VertexId, identity: Identity) {
        let Some(progress) = self.progress_mut(id) else { return };
        progress.evicted.get_or_insert(identity);
        if progress.needed {
            self.missed(id);
        } else {
            progress.announced = true;
            self.set(id, State::Evicted);
            self.wake_dependents(id);
        }
    }

    /// What the result of a vertex is called, whether it is there or not.
    pub(super) fn known_as(&self, id: VertexId) -> Option<Identity> {
        let evicted = || self.progress.get(id.index()).filter(|progress| progress.announced)?.evicted;
        self.identity(id).or_else(evicted)
    }

    /// Has those inputs of a vertex made again that `wanted` chooses by position and that are gone. Returns whether
    /// the vertex waits for some now; then it begins anew when they are there.
    pub(super) fn restore_inputs(&mut self, id: VertexId, wanted: impl Fn(usize) -> bool) -> bool {
        let gone = self.gone_inputs(id, wanted);
        if gone.is_empty() {
            return false;
        }
        self.wait_for(id, &gone);
        // Iterative: graphs can be deep.
        let mut stack = gone;
        while let Some(input) = stack.pop() {
            if !matches!(self.state(input), Some(State::Evicted)) {
                continue;
            }
            if let Some(progress) = self.progress_mut(input) {
                progress.needed = true;
            }
            let below = self.gone_inputs(input, |_| true);
            self.wait_for(input, &below);
            if below.is_empty() {
                self.digest_inputs(input);
            }
            stack.extend(below);
        }
        true
    }

    fn gone_inputs(&self, id: VertexId, wanted: impl Fn(usize) -> bool) -> Vec<VertexId> {
        let inputs = self.graph.get(id).map(|vertex| &vertex.inputs[..]).unwrap_or_default().iter();
        let inputs =
            inputs.enumerate().filter(|(position, _)| wanted(*position)).map(|(_, edge)| edge.vertex);
        inputs.filter(|input| self.is_gone(*input)).collect()
    }

    /// Whether a result has been evicted and is not there again.
    fn is_gone(&self, id: VertexId) -> bool {
        let announced = self.progress.get(id.index()).is_some_and(|progress| progress.announced);
        announced && !matches!(self.state(id), Some(State::Done(_)))
    }

    fn wait_for(&mut self, id: VertexId, gone: &[VertexId]) {
        self.set(id, State::Waiting(gone.len()));
        if let Some(progress) = self.progress_mut(id) {
            progress.restoring = true;
        }
    }
}
