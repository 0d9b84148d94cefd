//! The command line from outside: its answers, and what goes on behind them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at what they do not expect"
)]

mod command;
mod operations;
mod program;
mod remote;
mod solve;
