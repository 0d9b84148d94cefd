//! What keeps a Dockerfile from being built, as far as that can be told without its images.
//!
//! Every stage is lowered, for every platform, with an image of which nothing is known in the place of each; the lowering
//! goes on behind an instruction that cannot be carried out. What an image may change is not reported.

use std::collections::BTreeSet;

use super::LowerError;
use super::config::BuildConfig;
use super::env::EnvList;
use super::images::{ResolvedImages, stand_in};
use super::stages::{SCRATCH, StageState, Step, Target};
use crate::dockerfile::expand::Variables as _;
use crate::dockerfile::{Diagnostic, Dockerfile};

/// More problems than this in one file help nobody.
const MAX_PROBLEMS: usize = 20;

/// Finds what is wrong in every stage, also in those that the target does not need, in the order of the file.
#[must_use]
pub fn problems(file: &Dockerfile, config: &BuildConfig) -> Vec<Diagnostic> {
    let (platforms, implicit) = config.platforms();
    let mut found = Vec::new();
    let mut images = ResolvedImages::new();
    for platform in platforms {
        // Each round answers for the images that triggers of those before may bring; stand-ins bring none.
        loop {
            let target = Target::new(file, config, &images, platform, implicit);
            match target.map_err(LowerError::from).and_then(Target::all_problems) {
                Ok(problems) => found.extend(problems),
                Err(LowerError::Invalid(problem)) => found.push(*problem),
                Err(LowerError::MissingImages(requests)) => {
                    images.extend(requests.into_iter().map(|request| {
                        let image = stand_in(&request.key);
                        (request.key, image)
                    }));
                    continue;
                }
            }
            break;
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|problem| seen.insert((problem.span, problem.message.clone())));
    found.sort_by_key(|problem| problem.span);
    found.truncate(MAX_PROBLEMS);
    found
}

impl<'a> Target<'a> {
    fn all_problems(mut self) -> Result<Vec<Diagnostic>, LowerError> {
        self.shared.problems = Some(Vec::new());
        self.add_stages()?;
        self.refuse_bad_names()?;
        self.find_target()?;
        // A stage that needs all others.
        let deps = (0..self.stages.len()).collect();
        let last = StageState { base_name: SCRATCH.to_owned(), deps, image_only: true, ..self.new_stage() };
        let all = self.register(last);
        let reachable = self.resolve(all)?;
        self.dispatch_reachable(&reachable)?;
        Ok(self.shared.problems.take().unwrap_or_default())
    }

    /// Notes what is wrong with an instruction, when that is asked for; otherwise the error ends the lowering.
    pub(super) fn note(
        &mut self,
        stage: &StageState<'a>,
        step: &Step<'a>,
        error: LowerError,
    ) -> Result<(), LowerError> {
        match (&mut self.shared.problems, error) {
            (Some(problems), LowerError::Invalid(problem)) => {
                if stage.base_image.is_none() || !may_depend_on_base(step, &stage.state.env) {
                    problems.push(*problem);
                }
                Ok(())
            }
            (_, error) => Err(error),
        }
    }
}

/// Whether an instruction uses a variable that nothing in the file sets.
fn may_depend_on_base(step: &Step<'_>, env: &EnvList) -> bool {
    let node = &step.instruction.node;
    let documents = node.heredocs.iter().map(|document| document.content.as_str());
    std::iter::once(node.code.as_str()).chain(documents).any(|text| {
        text.split('$').skip(1).any(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            rest.get(..end).is_some_and(|name| !name.is_empty() && env.get(name).is_none())
        })
    })
}
