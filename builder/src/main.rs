//! The command `xx-build`.

fn main() {}
