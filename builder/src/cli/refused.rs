//! Options of `docker buildx build` that cannot be taken here, each with what to do instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Build;
use crate::report::Report;

/// The option and what to do instead, sorted.
const OPTIONS: [(&str, &str); 13] = [
    ("--builder", "there is none to choose: this program builds itself"),
    ("--cache-from", "results are kept in the store (`--store DIR`); there is no import yet"),
    ("--cache-to", "results are kept in the store (`--store DIR`); there is no export yet"),
    ("--credential-spec", "there are no Windows steps"),
    ("--debug", "steps and what they print are shown anyway; `xx-build debug ast` shows the syntax tree"),
    ("--isolation", "every step runs in namespaces of its own; `--oci-runtime NAME` chooses another program"),
    ("--load", "write `--output type=docker,dest=- | docker load`"),
    ("--policy", "source policies are not supported"),
    (
        "--push",
        "write `--output type=oci,dest=image.tar`, then `skopeo copy oci-archive:image.tar docker://NAME`",
    ),
    ("--resource", "limits are `--memory`, `--cpu-quota`, `--cpuset-cpus` and their like"),
    ("--root", "the store is chosen with `--store DIR`"),
    ("--security-opt", "`RUN --security=insecure` with `--allow security.insecure` asks for more rights"),
    ("--squash", "COPY the result of one stage into another: one layer"),
];

/// What to do instead of an option that clap does not know.
pub(super) fn hint(error: &clap::Error) -> Option<&'static str> {
    let ErrorKind::UnknownArgument = error.kind() else { return None };
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let name = argument.split('=').next()?;
    let name = if name == "-D" { "--debug" } else { name };
    OPTIONS.iter().find(|(option, _)| *option == name).map(|(_, hint)| *hint)
}

/// Takes attestations that are switched off, and no others.
pub(super) fn attestations(args: &Build) -> Result<(), Report> {
    let shorthands = [("--provenance", &args.provenance), ("--sbom", &args.sbom)];
    let shorthands = shorthands.into_iter().filter_map(|(option, value)| Some((option, value.as_ref()?)));
    let wanted = shorthands
        .filter(|(_, value)| value.as_str() != "false")
        .chain(args.attest.iter().map(|value| ("--attest", value)).filter(|(_, value)| !is_disabled(value)))
        .next();
    match wanted {
        None => Ok(()),
        Some((option, value)) => {
            Err(Report::new(format!("`{option} {value}`: attestations are not supported"))
                .hint(format!("leave `{option}` out; images have none by default")))
        }
    }
}

fn is_disabled(attestation: &str) -> bool {
    attestation.split(',').any(|field| field == "disabled=true")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::args::Cli;
    use super::*;

    /// The options of buildx (its reference, and the hidden ones of the old builder), each taken or refused with a hint.
    #[test]
    fn every_option_of_buildx_is_answered() {
        const BUILDX: &str = "add-host allow annotation attest build-arg build-context builder cache-from cache-to call \
            cgroup-parent check compress cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems debug file force-rm \
            iidfile isolation label load memory memory-swap metadata-file network no-cache no-cache-filter output \
            platform policy print progress provenance pull push quiet resource rm sbom secret security-opt shm-size \
            squash ssh tag target ulimit";
        let cli = Cli::command();
        let build = cli.find_subcommand("build").unwrap();
        for option in BUILDX.split_whitespace() {
            let taken = build.get_arguments().any(|argument| argument.get_long() == Some(option));
            let refused = OPTIONS.iter().any(|(name, _)| name.strip_prefix("--") == Some(option));
            assert!(taken != refused, "{option}");
        }
    }

    #[test]
    fn options_are_sorted_and_hinted() {
        assert!(OPTIONS.is_sorted());
        assert!(is_disabled("type=sbom,disabled=true") && !is_disabled("type=sbom"));
    }
}
