//! The front end from outside: graphs equal to BuildKit's, errors with places, every form covered.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stop at what they do not expect"
)]

mod checks;
mod configs;
mod contexts;
mod describe;
mod errors;
mod graphs;
mod platforms;
mod random;
