//! The command `xx-build`.

use std::process::ExitCode;

use builder::cli::{self, Environment};

fn main() -> ExitCode {
    let environment = Environment::read();
    ExitCode::from(cli::run(&environment))
}
