//! Gives a split instruction its meaning.
//!
//! One function per instruction, each from [`Node`] to [`Command`]; no variable is expanded here.

use super::ast::{
    Add, ArgPair, Command, CommandLine, Copy, Document, Files, Healthcheck, Network, Pair, Run,
};
use super::diagnostic::Diagnostic;
use super::duration;
use super::flags::Flags;
use super::heredoc;
use super::mount;
use super::node::{Node, Word, keywords};
use super::suggest;

/// Reads an instruction other than `FROM`.
///
/// # Errors
/// The instruction is unknown, or its flags or arguments are wrong.
pub(super) fn command(node: &Node) -> Result<Command, Diagnostic> {
    match keyword_of(node) {
        "ADD" => add(node).map(Command::Add),
        "ARG" => arg(node).map(Command::Arg),
        "CMD" => no_flags(node).map(|()| Command::Cmd(command_line(node))),
        "COPY" => copy(node).map(Command::Copy),
        "ENTRYPOINT" => no_flags(node).map(|()| Command::Entrypoint(command_line(node))),
        "ENV" => pairs(node).map(Command::Env),
        "EXPOSE" => expose(node).map(Command::Expose),
        "FROM" => Ok(Command::From),
        "HEALTHCHECK" => healthcheck(node).map(Command::Healthcheck),
        "LABEL" => pairs(node).map(Command::Label),
        "MAINTAINER" => one(node).map(Command::Maintainer),
        "ONBUILD" => onbuild(node).map(Command::Onbuild),
        "RUN" => run(node).map(Command::Run),
        "SHELL" => shell(node).map(Command::Shell),
        "STOPSIGNAL" => one(node).map(Command::Stopsignal),
        "USER" => one(node).map(Command::User),
        "VOLUME" => volume(node).map(Command::Volume),
        "WORKDIR" => one(node).map(Command::Workdir),
        _ => Err(Diagnostic::error(
            node.keyword.span,
            format!("unknown instruction `{}`", shorten(&node.keyword.text)),
        )
        .hint(format!("instructions are {}", keywords().collect::<Vec<_>>().join(", ")))
        .maybe_hint(suggest::hint(&node.keyword.text, keywords()))),
    }
}

/// The keyword in upper case; empty when there is no such instruction.
fn keyword_of(node: &Node) -> &'static str {
    keywords().find(|keyword| node.is(keyword)).unwrap_or_default()
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(40).chain(['…']).collect() }
}

fn no_flags(node: &Node) -> Result<(), Diagnostic> {
    Flags::read(node).map(|_| ())
}

fn wrong(node: &Node, problem: &str, hint: &str) -> Diagnostic {
    let keyword = node.keyword.text.to_ascii_uppercase();
    Diagnostic::error(node.keyword.span, format!("{keyword} {problem}")).hint(hint)
}

fn one(node: &Node) -> Result<Word, Diagnostic> {
    no_flags(node)?;
    match node.args.as_slice() {
        [word] => Ok(word.clone()),
        _ => Err(wrong(node, "needs exactly one argument", "give it one value")),
    }
}

fn arg(node: &Node) -> Result<Vec<ArgPair>, Diagnostic> {
    no_flags(node)?;
    if node.args.is_empty() {
        return Err(wrong(node, "needs at least one argument", "write `ARG name` or `ARG name=default`"));
    }
    node.args
        .iter()
        .map(|word| match word.text.split_once('=') {
            Some(("", _)) => {
                Err(Diagnostic::error(word.span, "ARG without a name").hint("write `ARG name=default`"))
            }
            Some((key, value)) => {
                Ok(ArgPair { key: key.to_owned(), value: Some(value.to_owned()), span: word.span })
            }
            None => Ok(ArgPair { key: word.text.clone(), value: None, span: word.span }),
        })
        .collect()
}

fn pairs(node: &Node) -> Result<Vec<Pair>, Diagnostic> {
    no_flags(node)?;
    if node.args.is_empty() {
        return Err(wrong(node, "needs at least one argument", "write `name=value`"));
    }
    node.args
        .chunks(3)
        .map(|chunk| match chunk {
            [key, value, separator] if !key.text.is_empty() => Ok(Pair {
                key: key.text.clone(),
                value: value.text.clone(),
                legacy: separator.text.is_empty(),
                span: key.span.to(value.span),
            }),
            _ => Err(wrong(node, "with an empty name", "write `name=value`")),
        })
        .collect()
}

fn command_line(node: &Node) -> CommandLine {
    CommandLine { args: node.args.iter().map(|w| w.text.clone()).collect(), shell: !node.json }
}

fn run(node: &Node) -> Result<Run, Diagnostic> {
    if let Some(device) = node.flags.iter().find(|f| f.text.starts_with("--device")) {
        return Err(Diagnostic::error(device.span, "`RUN --device` is not supported: it is a labs feature")
            .hint("run the step without the device, or build with BuildKit's labs front end"));
    }
    let flags = Flags::read(node)?;
    let network = match flags.value("network") {
        None => Network::Default,
        Some(word) => match word.text.as_str() {
            "default" => Network::Default,
            "none" => Network::None,
            "host" => Network::Host,
            other => {
                let near = suggest::hint(other, ["default", "none", "host"]);
                return Err(Diagnostic::error(word.span, format!("unknown network `{other}`"))
                    .maybe_hint(near.or_else(|| Some("use `default`, `none` or `host`".to_owned()))));
            }
        },
    };
    let insecure = match flags.value("security") {
        None => false,
        Some(word) => match word.text.as_str() {
            "sandbox" => false,
            "insecure" => true,
            other => {
                return Err(Diagnostic::error(word.span, format!("unknown security mode `{other}`"))
                    .hint("use `sandbox` or `insecure`"));
            }
        },
    };
    let mounts: Vec<Word> = flags.values("mount").collect();
    for word in &mounts {
        mount::check(word)?;
    }
    Ok(Run { line: command_line(node), mounts, network, insecure })
}

fn files(node: &Node, flags: &Flags<'_>) -> Result<Files, Diagnostic> {
    let Some((dest, sources)) = node.args.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return Err(wrong(
            node,
            "needs a source and a destination",
            "write the sources first, then the destination",
        ));
    };
    if heredoc::marker(&dest.text).is_some() {
        return Err(Diagnostic::error(dest.span, "a heredoc cannot be the destination")
            .hint("write the heredoc first, then the path of the file"));
    }
    let text = |name: &str| flags.value(name).map(|w| w.text).unwrap_or_default();
    let mut files = Files {
        dest: dest.text.clone(),
        chown: text("chown"),
        chmod: text("chmod"),
        link: flags.switch("link").unwrap_or(false),
        exclude: flags.values("exclude").map(|w| w.text).collect(),
        ..Files::default()
    };
    for source in sources {
        match heredoc::marker(&source.text) {
            None => files.sources.push(source.clone()),
            Some(marker) => {
                let read = node.heredocs.iter().rfind(|h| h.name == marker.name);
                let data = read.map(heredoc::Heredoc::chomped).unwrap_or_default();
                files.documents.push(Document { name: marker.name, data, expand: marker.expand });
            }
        }
    }
    Ok(files)
}

fn copy(node: &Node) -> Result<Copy, Diagnostic> {
    let flags = Flags::read(node)?;
    Ok(Copy {
        files: files(node, &flags)?,
        from: flags.value("from").filter(|w| !w.text.is_empty()),
        parents: flags.switch("parents").unwrap_or(false),
    })
}

fn add(node: &Node) -> Result<Add, Diagnostic> {
    let flags = Flags::read(node)?;
    Ok(Add {
        files: files(node, &flags)?,
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.value("checksum").map(|w| w.text).unwrap_or_default(),
        unpack: flags.switch("unpack"),
    })
}

fn expose(node: &Node) -> Result<Vec<Word>, Diagnostic> {
    no_flags(node)?;
    if node.args.is_empty() {
        return Err(wrong(node, "needs at least one argument", "write `EXPOSE 8080` or `EXPOSE 53/udp`"));
    }
    let mut ports = node.args.clone();
    ports.sort_by(|a, b| a.text.cmp(&b.text));
    Ok(ports)
}

fn volume(node: &Node) -> Result<Vec<Word>, Diagnostic> {
    no_flags(node)?;
    if node.args.is_empty() {
        return Err(wrong(node, "needs at least one argument", "write `VOLUME /path`"));
    }
    node.args
        .iter()
        .map(|word| match word.text.trim() {
            "" => Err(Diagnostic::error(word.span, "VOLUME with an empty path").hint("write `VOLUME /path`")),
            path => Ok(Word { text: path.to_owned(), span: word.span }),
        })
        .collect()
}

fn shell(node: &Node) -> Result<Vec<String>, Diagnostic> {
    no_flags(node)?;
    if node.args.is_empty() {
        return Err(wrong(node, "needs at least one argument", "write `SHELL [\"/bin/sh\", \"-c\"]`"));
    }
    if !node.json {
        return Err(wrong(node, "needs a JSON array", "write `SHELL [\"/bin/sh\", \"-c\"]`"));
    }
    Ok(node.args.iter().map(|w| w.text.clone()).collect())
}

fn onbuild(node: &Node) -> Result<String, Diagnostic> {
    no_flags(node)?;
    let Some(inner) = node.inner.as_deref() else {
        return Err(wrong(node, "needs an instruction", "write `ONBUILD RUN ...`"));
    };
    let keyword = inner.keyword.text.to_ascii_uppercase();
    if matches!(keyword.as_str(), "ONBUILD" | "MAINTAINER" | "FROM") {
        return Err(Diagnostic::error(inner.keyword.span, format!("{keyword} cannot stand behind ONBUILD"))
            .hint("write it in the Dockerfiles that begin with this image"));
    }
    let after = node.code.get(node.keyword.text.len()..).unwrap_or_default();
    let mut text = after.trim_start().to_owned();
    for document in &node.heredocs {
        text.push('\n');
        text.push_str(&document.content);
        text.push_str(&document.name);
    }
    Ok(text)
}

fn healthcheck(node: &Node) -> Result<Healthcheck, Diagnostic> {
    let Some((kind, command)) = node.args.split_first() else {
        return Err(wrong(
            node,
            "needs at least one argument",
            "write `HEALTHCHECK CMD ...` or `HEALTHCHECK NONE`",
        ));
    };
    let kind_name = kind.text.to_ascii_uppercase();
    if kind_name == "NONE" {
        if let Some(extra) = command.first() {
            return Err(Diagnostic::error(extra.span, "HEALTHCHECK NONE takes no arguments")
                .hint("write `HEALTHCHECK NONE` alone"));
        }
        return Ok(Healthcheck { test: vec![kind_name], ..Healthcheck::default() });
    }
    let flags = Flags::read(node)?;
    if kind_name != "CMD" {
        let message = format!("unknown kind `{}` of HEALTHCHECK", shorten(&kind.text));
        return Err(
            Diagnostic::error(kind.span, message).hint("use `HEALTHCHECK CMD ...` or `HEALTHCHECK NONE`")
        );
    }
    if command.is_empty() {
        return Err(wrong(node, "CMD has no command", "write the command after CMD"));
    }
    let time = |name: &str| flags.value(name).map_or(Ok(0), |word| interval(name, &word));
    let test = std::iter::once(if node.json { "CMD" } else { "CMD-SHELL" }.to_owned());
    Ok(Healthcheck {
        test: test.chain(command.iter().map(|w| w.text.clone())).collect(),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start-period")?,
        start_interval: time("start-interval")?,
        retries: flags.value("retries").map_or(Ok(0), |word| retries(&word))?,
    })
}

fn interval(name: &str, word: &Word) -> Result<i64, Diagnostic> {
    const MILLISECOND: i64 = 1_000_000;
    match duration::parse(&word.text) {
        _ if word.text.is_empty() => Ok(0),
        Some(0) => Ok(0),
        Some(time) if time >= MILLISECOND => Ok(time),
        Some(_) => Err(Diagnostic::error(word.span, format!("`--{name}` must be at least 1ms"))
            .hint("write a longer time such as `30s`; `0s` is the default")),
        None => Err(Diagnostic::error(word.span, format!("`{}` is not a duration", word.text))
            .hint("write numbers with units: `30s`, `1m30s`, `500ms`")),
    }
}

fn retries(word: &Word) -> Result<i64, Diagnostic> {
    match word.text.parse::<i32>() {
        _ if word.text.is_empty() => Ok(0),
        Ok(count) if count >= 0 => Ok(count.into()),
        _ => Err(Diagnostic::error(word.span, format!("`--retries={}` is not a count", word.text))
            .hint("write a whole number, as `--retries=3`")),
    }
}
