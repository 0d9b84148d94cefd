//! The front end from outside: graphs equal to BuildKit's, errors with places, every form covered.

mod checks;
mod configs;
mod describe;
mod errors;
mod graphs;
mod platforms;
mod random;
