//! What Docker's command line has and this one does not yet: each with what to do instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Build;
use crate::report::Report;
use xx_build_frontend::dockerfile::csv;

/// Options of `docker buildx build` and what to do instead, sorted.
const OPTIONS: [(&str, &str); 13] = [
    ("--builder", "there is none to choose: this program builds itself"),
    ("--cache-from", "results are kept in the store (`--store DIR`); there is no import yet"),
    ("--cache-to", "results are kept in the store (`--store DIR`); there is no export yet"),
    ("--credential-spec", "there are no Windows steps"),
    ("--debug", "steps and what they print are shown anyway; `xx-build debug ast` shows the syntax tree"),
    ("--isolation", "every step runs in namespaces of its own; `--oci-runtime NAME` chooses another program"),
    ("--load", "write `--output type=docker,dest=- | docker load`"),
    ("--policy", "source policies are not supported"),
    ("--push", PUSH),
    ("--resource", "limits are `--memory`, `--cpu-quota`, `--cpuset-cpus` and their like"),
    ("--root", "the store is chosen with `--store DIR`"),
    ("--security-opt", "`RUN --security=insecure` with `--allow security.insecure` asks for more rights"),
    ("--squash", "COPY the result of one stage into another: one layer"),
];

/// Commands of `docker buildx`, and of `docker` where people look for them here, and what to do instead, sorted.
const COMMANDS: [(&str, &str); 22] = [
    ("bake", "there is no bake yet: run `xx-build build` once for each target"),
    ("create", NO_BUILDERS),
    ("dap", "there is no debug adapter"),
    ("dial-stdio", "there is no daemon to talk to"),
    ("history", "there is no history yet: keep the output of a build, `xx-build build ... 2>build.log`"),
    ("images", "images have no names here yet: write one with `--output type=oci,dest=FILE`"),
    ("imagetools", "there is none yet: `skopeo inspect` and `skopeo copy --all` read and copy images"),
    ("inspect", NO_BUILDERS),
    ("install", "the program is called by its own name: `xx-build build`"),
    ("load", "write `xx-build build --output type=docker,dest=- . | docker load`"),
    ("login", "there are no registries yet: `skopeo login` and `skopeo copy --all` push a written image"),
    ("ls", NO_BUILDERS),
    ("policy", "source policies are not supported"),
    ("pull", "there are no registries yet: `skopeo copy --all docker://NAME oci:DIR` brings a base image"),
    ("push", PUSH),
    ("rm", NO_BUILDERS),
    ("rmi", "images have no names here yet; `xx-build prune --all` empties the store"),
    ("run", "images are run by an engine: `xx-build build --output type=docker,dest=- . | docker load`"),
    ("stop", NO_BUILDERS),
    ("tag", "images have no names here yet: give them while building, `xx-build build --tag NAME`"),
    ("uninstall", "nothing was installed besides the program itself"),
    ("use", NO_BUILDERS),
];

const PUSH: &str =
    "write `--output type=oci,dest=image.tar`, then `skopeo copy --all oci-archive:image.tar docker://NAME`";

/// What to do instead of pushing an image.
pub(super) fn push(name: &str) -> String {
    PUSH.replace("NAME", name)
}

const NO_BUILDERS: &str =
    "there are no builders to manage: `xx-build build` is the builder, and its store is `--store DIR`";

/// The error and the hint for a word of the command line that clap does not know and Docker's commands have.
pub(super) fn report(error: &clap::Error) -> Option<Report> {
    let known = if error.kind() == ErrorKind::UnknownArgument {
        Some(("option", &OPTIONS[..], ContextKind::InvalidArg))
    } else if error.kind() == ErrorKind::InvalidSubcommand {
        Some(("command", &COMMANDS[..], ContextKind::InvalidSubcommand))
    } else {
        None
    };
    let (what, table, context) = known?;
    let Some(ContextValue::String(word)) = error.get(context) else { return None };
    let word = word.split('=').next()?;
    let name = if word == "-D" { "--debug" } else { word };
    let (_, hint) = table.iter().find(|(known, _)| *known == name)?;
    Some(Report::new(format!("the {what} `{word}` is not supported")).hint(*hint).usage())
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
    csv::record(attestation).is_ok_and(|fields| fields.iter().any(|field| field == "disabled=true"))
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

    /// The commands of buildx, each there or refused with a hint; and clap's own guess is not shown beside it.
    #[test]
    fn every_command_of_buildx_is_answered() {
        const BUILDX: &str = "bake build create dap dial-stdio du history imagetools inspect install ls policy prune \
            rm stop uninstall use";
        for command in BUILDX.split_whitespace() {
            match Cli::command().try_get_matches_from(["xx-build", command]) {
                Ok(_) => {}
                Err(error) => {
                    let mut text = vec![];
                    report(&error).expect(command).write(&mut text).unwrap();
                    let text = String::from_utf8(text).unwrap();
                    assert!(
                        text.starts_with(&format!("error: the command `{command}` is not supported\nhint: ")),
                        "{text}"
                    );
                    assert_eq!(text.lines().count(), 2, "{text}");
                }
            }
        }
        let error = Cli::command().try_get_matches_from(["xx-build", "build", "--push=true"]).unwrap_err();
        assert_eq!(report(&error).expect("known").code(), 2);
        let error = Cli::command().try_get_matches_from(["xx-build", "build", "--nosuch"]).unwrap_err();
        assert_eq!(report(&error), None, "clap's own words serve");
    }

    #[test]
    fn examples_of_the_help_are_command_lines() {
        let mut seen = 0;
        for command in Cli::command().get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in examples.lines() {
                // What follows two spaces explains; a pipe or a redirection is the shell's.
                let line = line.trim_start().split("   ").next().unwrap();
                let Some(at) = line.find("xx-build ") else { continue };
                let words = line[at..].split(['|', '>']).next().unwrap().split_whitespace();
                let parsed = Cli::command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{line}: {:?}", parsed.err().map(|error| error.to_string()));
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen} examples");
    }

    #[test]
    fn options_are_sorted_and_hinted() {
        assert!(OPTIONS.is_sorted() && COMMANDS.is_sorted());
        assert!(is_disabled("type=sbom,disabled=true") && !is_disabled("type=sbom"));
    }
}
