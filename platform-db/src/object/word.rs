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

/// Reads a number of seven bits per byte, lowest first (LEB128), and returns what follows it.
pub(super) fn uleb(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::uleb;

    #[test]
    fn numbers_of_seven_bits() {
        assert_eq!(uleb(&[0x80, 1, 7]), Some((128, &[7][..])));
        assert_eq!(
            uleb(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            Some((u64::MAX, &[][..]))
        );
        assert_eq!(uleb(&[0xff; 12]), None);
        assert_eq!(uleb(&[0x80]), None);
    }
}
