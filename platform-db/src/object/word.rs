//! Integers in the byte order and width of the file.

use goblin::container::{Ctx, Endian};

/// Reads 32 bits at `at`.
pub(super) fn word(bytes: &[u8], at: usize, order: Endian) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(if order.is_little() { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) })
}

/// Reads an address-sized integer at `at`.
pub(super) fn address(bytes: &[u8], at: usize, ctx: Ctx) -> Option<u64> {
    if !ctx.is_big() {
        return word(bytes, at, ctx.le).map(u64::from);
    }
    let wide = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(if ctx.le.is_little() { u64::from_le_bytes(wide) } else { u64::from_be_bytes(wide) })
}
