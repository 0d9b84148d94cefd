//! Include and exclude patterns of a copy as a filter of paths.

use std::path::Path;

use super::EngineError;
use crate::rootfs::Visibility;

/// Chooses paths by the patterns of a copy.
#[derive(Debug)]
pub(super) struct PatternFilter {
    _private: (),
}

impl PatternFilter {
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, EngineError> {
        if include.is_empty() && exclude.is_empty() {
            return Ok(Self { _private: () });
        }
        Err(EngineError::Unsupported("a copy with include or exclude patterns".to_owned()))
    }

    #[expect(clippy::unused_self, reason = "the patterns come with the matcher")]
    pub(super) fn look(&self, _path: &Path, _is_directory: bool) -> Visibility {
        Visibility::Show
    }
}
