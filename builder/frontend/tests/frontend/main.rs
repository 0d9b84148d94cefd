//! The front end from outside: graphs equal to BuildKit's, errors with places, every form covered.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at what they do not expect"
)]

mod checks;
mod configs;
mod contexts;
mod coverage;
mod describe;
mod errors;
mod graphs;
mod plan;
mod platforms;
mod problems;
mod random;
