//! The command line: arguments to one value, then the stages of a build in order.

mod args;
mod build;
mod call;
mod checks;
mod contexts;
mod destinations;
mod du;
mod environment;
mod epoch;
mod execute;
mod images;
mod input;
mod metadata;
mod output;
mod output_fields;
mod print;
mod programs;
mod prune;
mod refused;
mod remote;
mod settings;
mod solve;
mod steps;
mod storage;
mod table;

use std::io::Write;

use clap::{CommandFactory, Parser};

use args::{Cli, Command, Debug};
pub use environment::Environment;

use crate::report::Report;

/// Runs the program and returns its exit code.
pub fn run(environment: &Environment) -> u8 {
    let cli = match Cli::try_parse_from(&environment.args) {
        Ok(cli) => cli,
        // Help goes to standard output, errors to standard error; a closed pipe is nobody's loss.
        Err(error) => match refused::report(&error) {
            Some(report) => {
                let _ = report.write(&mut std::io::stderr().lock());
                return report.code();
            }
            None => {
                let _ = error.print();
                return u8::try_from(error.exit_code()).unwrap_or(2);
            }
        },
    };
    let result = match cli.command {
        Command::Build(build) => build::run(environment, *build),
        Command::Solve(solve) => solve::run(environment, &solve),
        Command::Du(args) => du::du(environment, &args),
        Command::Prune(args) => prune::prune(environment, &args),
        Command::Debug { what: Debug::Ast { file } } => build::print_ast(environment, &file),
        Command::Completions { shell } => {
            let mut text = vec![];
            clap_complete::generate(shell, &mut Cli::command(), "xx-build", &mut text);
            std::io::stdout().write_all(&text).map_err(Report::new)
        }
    };
    match result {
        Ok(()) => 0,
        Err(report) => {
            let _ = report.write(&mut std::io::stderr().lock());
            report.code()
        }
    }
}
