//! `--json`: one object per file, in the order of the arguments.

use platform_db::object::Kind;
use platform_db::{Arch, Libc, Os, Variant};

use super::fault::Fault;
use super::{Answer, Fit};
use crate::plan::Step;

/// Prints an array, also when it is empty.
pub(super) fn print(results: Vec<Answer>) -> Step {
    let all: Vec<serde_json::Value> = results.into_iter().map(object).collect();
    Step::Print(format!("{}\n", serde_json::Value::Array(all)))
}

fn object((file, result): Answer) -> serde_json::Value {
    let Fit { facts, words } = match result {
        Ok(fit) => fit,
        Err(Fault { reason, hint }) => {
            return serde_json::json!({ "file": file, "fits": false, "reason": reason, "hint": hint });
        }
    };
    let facts = facts.as_ref();
    serde_json::json!({
        "file": file,
        "fits": true,
        "description": words,
        "kind": facts.map(|facts| kind(facts.kind)),
        "os": facts.and_then(|facts| facts.os).map(Os::name),
        "arch": facts.and_then(|facts| facts.arch).map(Arch::name),
        "bits": facts.map(|facts| facts.bits),
        "needs_variant": facts.and_then(|facts| facts.needs).map(Variant::name),
        "libc": facts.and_then(|facts| facts.libc).map(Libc::name),
        "interpreter": facts.and_then(|facts| facts.interpreter.as_deref()),
        "static": facts.map(|facts| facts.is_static),
    })
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Executable | Kind::PieExecutable => "executable",
        Kind::SharedLibrary => "shared library",
        Kind::Relocatable => "object",
        Kind::Other => "other",
    }
}
