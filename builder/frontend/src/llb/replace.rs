//! Other sources in the place of those that a graph names, as BuildKit's source policies convert them.
//!
//! An operation names its inputs by digest, so everything above a replaced source is written anew; all else keeps its
//! bytes. Which source takes whose place is the caller's to say.

use std::collections::BTreeMap;

use super::pb;
use super::wire::{DecodeError, decode_op, encode_op};
use crate::oci::digest::Digest;

/// Replaces sources; `replace` gives the new one with its platform, or `None` to keep the old.
///
/// Operations must come after their inputs ([`inputs_first`](super::validate::inputs_first)).
///
/// # Errors
/// An operation is no protobuf, or what `replace` says.
pub fn replace_sources<E: From<DecodeError>>(
    mut definition: pb::Definition,
    mut replace: impl FnMut(
        &pb::SourceOp,
        Option<&pb::Platform>,
    ) -> Result<Option<(pb::SourceOp, pb::Platform)>, E>,
) -> Result<pb::Definition, E> {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for bytes in &mut definition.def {
        let mut op = decode_op(bytes)?;
        let mut changed = false;
        for input in &mut op.inputs {
            if let Some(new) = renamed.get(&input.digest) {
                input.digest.clone_from(new);
                changed = true;
            }
        }
        if let Some(pb::op::Op::Source(source)) = &mut op.op
            && let Some((new, platform)) = replace(source, op.platform.as_ref())?
        {
            *source = new;
            op.platform = Some(platform);
            changed = true;
        }
        if changed {
            let old = Digest::of(bytes).to_string();
            *bytes = encode_op(&op);
            renamed.insert(old, Digest::of(bytes).to_string());
        }
    }
    for (old, new) in &renamed {
        if let Some(metadata) = definition.metadata.remove(old) {
            definition.metadata.insert(new.clone(), metadata);
        }
        if let Some(source) = &mut definition.source
            && let Some(places) = source.locations.remove(old)
        {
            source.locations.insert(new.clone(), places);
        }
    }
    Ok(definition)
}
