//! The multicall binary `xx`.

fn main() {}
