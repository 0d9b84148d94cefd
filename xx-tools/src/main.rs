//! The multicall binary `xx`.

use std::process::ExitCode;

use xx_tools::{dispatch, env::Env, machine::Machine, report, run};

fn main() -> ExitCode {
    let mut env = Env::of_process();
    let machine = Machine::new(&env);
    let carry_out = if env.take_dry_run() { run::print } else { run::run };
    match dispatch::plan(env, &machine).and_then(|plan| carry_out(plan, &machine)) {
        Ok(code) => code.into(),
        Err(failure) => report::report(&failure),
    }
}
