//! Every form of BuildKit's front end is named by a recorded case: by its own tables here, and by the list of forms.

use std::collections::BTreeSet;

use xx_build_frontend::dockerfile::ast::{Command, Instruction};
use xx_build_frontend::dockerfile::flags::FLAGS;
use xx_build_frontend::dockerfile::{self, automatic, mount, node};
use xx_build_frontend::source_text::SourceText;

/// What the recorded cases use, as the parser reads them.
fn used() -> BTreeSet<String> {
    used_in(super::graphs::cases().into_iter().map(|(name, text, _)| (name, text)))
}

/// What Dockerfiles use, given with their names.
fn used_in(files: impl Iterator<Item = (String, String)>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (name, text) in files {
        let file = dockerfile::parse(&SourceText::new(name.as_str(), text.as_str()))
            .unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        file.instructions().for_each(|instruction| use_of(instruction, &mut used));
        let directives = &file.directives;
        for (key, found) in
            [("syntax", &directives.syntax), ("escape", &directives.escape), ("check", &directives.check)]
        {
            used.extend(found.iter().map(|_| format!("# {key}=")));
        }
    }
    used
}

fn use_of(instruction: &Instruction, used: &mut BTreeSet<String>) {
    let node = &instruction.node;
    let keyword = node.keyword.text.to_uppercase();
    used.insert(keyword.clone());
    if node.json {
        used.insert(format!("{keyword} [...]"));
    }
    if !node.heredocs.is_empty() {
        used.insert(format!("{keyword} <<"));
    }
    for flag in &node.flags {
        let (name, value) = flag.text.split_once('=').unwrap_or((&flag.text, ""));
        used.insert(format!("{keyword} {name}"));
        used.insert(format!("{keyword} {name}={value}"));
        if name == "--mount" {
            for field in value.split(',') {
                let (key, value) = field.split_once('=').unwrap_or((field, ""));
                used.insert(format!("mount {}", key.to_lowercase()));
                used.insert(format!("mount {}={value}", key.to_lowercase()));
            }
        }
    }
    if let Command::Arg(pairs) = &instruction.command {
        used.extend(pairs.iter().map(|pair| format!("ARG {}", pair.key)));
    }
}

/// The rows of the parser's own tables.
fn rows() -> Vec<String> {
    let mut rows: Vec<String> = node::keywords().map(str::to_owned).collect();
    for (keyword, flags) in FLAGS {
        rows.extend(flags.iter().map(|(flag, _)| format!("{keyword} --{flag}")));
    }
    for keyword in ["ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME", "HEALTHCHECK"] {
        rows.push(format!("{keyword} [...]"));
    }
    for keyword in ["ADD", "COPY", "RUN"] {
        rows.push(format!("{keyword} <<"));
    }
    for value in ["network=default", "network=host", "network=none", "security=insecure", "security=sandbox"]
    {
        rows.push(format!("RUN --{value}"));
    }
    rows.extend(mount::KEYS.iter().map(|key| format!("mount {key}")));
    rows.extend(mount::KINDS.iter().map(|(kind, _)| format!("mount type={kind}")));
    rows.extend(mount::SHARINGS.iter().map(|(sharing, _)| format!("mount sharing={sharing}")));
    rows.extend(["# syntax=", "# escape=", "# check="].map(str::to_owned));
    let platform: platform_db::Platform = "linux/amd64".parse().unwrap();
    rows.extend(automatic::automatic_args(&platform, &platform, "").map(|(name, _)| format!("ARG {name}")));
    rows
}

/// A new row needs a recorded case.
#[test]
fn every_row_has_a_case() {
    let used = used();
    let missing: Vec<String> = rows().into_iter().filter(|row| !used.contains(row)).collect();
    assert!(missing.is_empty(), "no recorded case uses {missing:?}");
}

/// Forms that no case of `tests/data/trees.txt` has, which compares results with those of Docker Engine, and what holds
/// their results instead.
const NOT_IN_TREES: &[(&str, &str)] = &[
    ("# syntax=", "Docker Engine would fetch the image that it names"),
    ("ADD --checksum", "tests/tests/sources.rs"),
    ("ADD --keep-git-dir", "tests/tests/sources.rs"),
    ("COPY --parents", "tests/tests/outputs.rs; Docker Engine 28's own front end does not know it yet"),
    ("RUN --network=host", "tests/tests/steps.rs; Docker Engine has to be asked to allow it"),
    ("RUN --security", "tests/tests/steps.rs; Docker Engine 28's own front end does not know it yet"),
    ("RUN --security=insecure", "tests/tests/steps.rs, as above"),
    ("RUN --security=sandbox", "tests/tests/steps.rs, as above"),
];

#[test]
fn every_row_has_a_compared_result() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/trees.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let cases = text.split("\n=== ").skip(1).filter_map(|case| case.split_once('\n'));
    let used = used_in(cases.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let missing: BTreeSet<String> = rows().into_iter().filter(|row| !used.contains(row)).collect();
    let listed: BTreeSet<String> = NOT_IN_TREES.iter().map(|(row, _)| (*row).to_owned()).collect();
    assert_eq!(missing, listed);
}

/// Forms that BuildKit's front end knows (its reference, instruction by instruction); each is covered by a case.
const FORMS: &str = "
ADD, ADD --checksum, ADD --chmod, ADD --chown, ADD --exclude, ADD --keep-git-dir, ADD --link, ADD --unpack, ADD JSON,
ADD URL, ADD context archive, ADD git URL, ADD git checksum, ADD git fragment, ADD git query, ADD heredoc,
ARG, ARG BUILDKIT_CACHE_MOUNT_NS, ARG BUILDKIT_SANDBOX_HOSTNAME, ARG SOURCE_DATE_EPOCH, ARG automatic, ARG global,
ARG proxy, ARG several, CMD, CMD JSON, COPY, COPY --chmod, COPY --chmod variable, COPY --chown, COPY --exclude,
COPY --from image, COPY --from index, COPY --from stage, COPY --link, COPY --parents, COPY --parents pivot, COPY JSON,
COPY destination, COPY heredoc, COPY several, COPY wildcard, ENTRYPOINT, ENTRYPOINT JSON, ENV, ENV legacy,
ENV unset variable, EXPOSE, EXPOSE range, EXPOSE variable, FROM, FROM --platform, FROM --platform variant, FROM AS,
FROM digest, FROM image without layers, FROM stage, FROM variable, FROM variable stage, HEALTHCHECK,
HEALTHCHECK --interval, HEALTHCHECK --retries, HEALTHCHECK --start-interval, HEALTHCHECK --start-period,
HEALTHCHECK --timeout, HEALTHCHECK JSON, HEALTHCHECK NONE, LABEL, LABEL legacy, MAINTAINER, ONBUILD,
ONBUILD COPY --from, ONBUILD heredoc, ONBUILD in stage, ONBUILD mount from, ONBUILD of image, RUN,
RUN --mount=type=bind, RUN --mount=type=cache, RUN --mount=type=secret, RUN --mount=type=ssh, RUN --mount=type=tmpfs,
RUN --network, RUN --security, RUN JSON, RUN heredoc, RUN heredoc interpreter, RUN heredoc several,
RUN heredoc shebang, RUN in scratch, RUN shell, SHELL, STOPSIGNAL, USER, USER of image, VOLUME, VOLUME JSON, WORKDIR,
WORKDIR of image, WORKDIR relative, directive check, directive escape, directive syntax, comment before directive,
comments, continuation, CRLF line ends, lower-case instructions, heredoc <<-, heredoc empty, heredoc quoted,
heredoc several, expand #, expand ##, expand %, expand %%, expand +, expand -, expand /, expand //, expand :+,
expand :-, expand :?, expand ?, expand escape, expand nested, mount cache from, mount destination, mount dst, mount env,
mount from image, mount gid, mount id, mount keys in any order, mount mode, mount readonly, mount readwrite,
mount required, mount ro, mount rw, mount sharing, mount size, mount source, mount src, mount target, mount uid,
named context docker-image, named context for platform, named context git, named context local,
named context local as base, named context over stage, named context scratch, main context git, main context git query, main context archive, mount variables, stage names in any case,
 dockerignore, dockerignore and paths,
add-hosts, shm-size, ulimit, network mode, label option, no-cache, target stage, unused stage, quotes in flags,
real project: Go, SHELL windows,
ARG proxy lower case, ARG without effect, ARG BUILDKIT_SBOM_SCAN, directive behind shebang, byte order mark,
switches set to false, ADD git commit, ADD git over ssh, COPY --chmod symbolic, HEALTHCHECK zero, expand nothing,
expand quotes, heredoc beside files, heredoc chmod, step names, unicode,
ADD git fetch-by-commit, main context git fetch-by-commit, named context http, ARG SOURCE_DATE_EPOCH=context,
mount target relative";

#[test]
fn every_form_has_a_case() {
    let list = |text: &str| {
        text.split(',').map(|f| f.trim().to_owned()).filter(|f| !f.is_empty()).collect::<BTreeSet<_>>()
    };
    let cases = super::graphs::cases();
    let covers = cases
        .iter()
        .flat_map(|(_, text, _)| text.lines().filter_map(|l| l.trim().strip_prefix("# covers: ")));
    let covered: BTreeSet<String> = covers.flat_map(list).collect();
    let forms = list(FORMS);
    let missing: Vec<&String> = forms.difference(&covered).collect();
    assert!(missing.is_empty(), "no case covers {missing:?}");
    let unknown: Vec<&String> = covered.difference(&forms).collect();
    assert!(unknown.is_empty(), "cases cover what is not in the list: {unknown:?}");
}
