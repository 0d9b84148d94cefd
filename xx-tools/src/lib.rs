//! The helper tools behind the multicall binary `xx`.
