//! What the user names on the command line, as values for the lowering and the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Environment;
use super::input::ignore_list;
use super::remote::{is_remote, is_url};
use crate::report::Report;
use xx_build_fetch::Layout;
use xx_build_frontend::dockerfile::csv;
use xx_build_frontend::lower::{BuildConfig, Lowered, NamedContext, is_git_url};

/// Contexts with a name, and where they lie.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    pub(super) named: BTreeMap<String, NamedContext>,
    /// Directories by the name of their source operation.
    pub(super) locals: BTreeMap<String, PathBuf>,
    /// OCI layouts by the name of their store.
    pub(super) layouts: BTreeMap<String, PathBuf>,
    /// Names that stand for a stage of the same Dockerfile.
    targets: Vec<(String, String)>,
}

impl Contexts {
    /// Reads `NAME=VALUE` arguments.
    ///
    /// # Errors
    /// A value is of no known form, or names something that is not there.
    pub(super) fn parse(arguments: &[String], colour: bool) -> Result<Self, Report> {
        let mut contexts = Self::default();
        for argument in arguments {
            let (name, value) =
                argument.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                    Report::new(format!("`--build-context {argument}` is not `NAME=VALUE`")).hint(FORMS)
                })?;
            // Names are matched as the front end normalises them.
            contexts.parse_one(&name.to_lowercase(), value, colour)?;
        }
        Ok(contexts)
    }

    fn parse_one(&mut self, name: &str, value: &str, colour: bool) -> Result<(), Report> {
        let context = if let Some(layout) = value.strip_prefix("oci-layout://") {
            let (path, reference) = layout_reference(layout);
            let path = existing_layout(name, Path::new(path))?;
            self.layouts.insert(name.to_owned(), path);
            NamedContext::OciLayout { store: name.to_owned(), reference: reference.map(str::to_owned) }
        } else if let Some(image) = value.strip_prefix("docker-image://") {
            NamedContext::DockerImage(image.to_owned())
        } else if let Some(stage) = value.strip_prefix("target:") {
            self.targets.push((name.to_owned(), stage.to_owned()));
            return Ok(());
        } else if is_remote(value) {
            remote(name, value)?
        } else {
            let path = existing(name, Path::new(value))?;
            let dockerignore = ignore_list(&path, colour)?;
            self.locals.insert(name.to_owned(), path);
            NamedContext::Local { name: name.to_owned(), dockerignore }
        };
        self.named.insert(name.to_owned(), context);
        Ok(())
    }

    /// Lowers the stages that contexts name with `target:` and puts their results into the settings.
    pub(super) fn with_targets(
        &self,
        mut config: BuildConfig,
        lower: impl Fn(&BuildConfig) -> Result<Lowered, Report>,
    ) -> Result<BuildConfig, Report> {
        for (name, stage) in &self.targets {
            let lowered = lower(&BuildConfig { target: Some(stage.clone()), ..config.clone() })?;
            for (index, target) in lowered.targets.into_iter().enumerate() {
                let image = target.image.to_bytes().map_err(Report::new)?;
                let context = NamedContext::Definition { definition: target.definition, image: Some(image) };
                if index == 0 {
                    config.contexts.insert(name.clone(), context.clone());
                }
                config.contexts.insert(format!("{name}::{}", target.platform), context);
            }
        }
        Ok(config)
    }
}

/// The forms of a named context.
const FORMS: &str = "write `--build-context NAME=DIR`, or for VALUE `oci-layout://DIR|FILE[:TAG]`, `target:STAGE`, \
                     `docker-image://REFERENCE`, a git or http URL";

fn remote(name: &str, value: &str) -> Result<NamedContext, Report> {
    if is_git_url(value) {
        return Ok(NamedContext::Git(value.to_owned()));
    }
    if is_url(value) {
        return Ok(NamedContext::Http(value.to_owned()));
    }
    Err(Report::new(format!("the context `{name}={value}` is of no known kind")).hint(FORMS))
}

/// `DIR[:TAG][@DIGEST]`: the place and what is meant in it; a digest says more than a tag.
pub(super) fn layout_reference(text: &str) -> (&str, Option<&str>) {
    let (place, digest) = match text.rsplit_once('@') {
        Some((place, digest)) if !digest.contains('/') => (place, Some(digest)),
        _ => (text, None),
    };
    match place.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, digest.or(Some(tag))),
        _ => (place, digest),
    }
}

/// The absolute path of a directory that is there.
pub(super) fn existing(name: &str, path: &Path) -> Result<PathBuf, Report> {
    absolute(name, path, path.is_dir(), "directory")
}

/// The absolute path of an OCI layout: a directory with an index, or an archive of one.
pub(super) fn existing_layout(name: &str, path: &Path) -> Result<PathBuf, Report> {
    let found = path.join("index.json").is_file() || path.is_file();
    let path = absolute(name, path, found, "OCI layout")?;
    Layout::open(&path).map_err(|error| {
        let report = Report::new(format!("the context `{name}`: {error}"));
        error.hint().into_iter().fold(report, Report::hint)
    })?;
    Ok(path)
}

fn absolute(name: &str, path: &Path, found: bool, what: &str) -> Result<PathBuf, Report> {
    if !found {
        let shown = path.display();
        return Err(Report::new(format!("the context `{name}` names `{shown}`, which is no {what}")));
    }
    std::path::absolute(path).map_err(|error| Report::new(format!("`{}`: {error}", path.display())))
}

/// `NAME=VALUE` pairs; a name alone takes its value from the environment, if it has one.
pub(super) fn pairs(arguments: &[String], environment: Option<&Environment>) -> BTreeMap<String, String> {
    let pair = |argument: &String| match (argument.split_once('='), environment) {
        (Some((name, value)), _) => Some((name.to_owned(), value.to_owned())),
        (None, Some(environment)) => {
            environment.variables.get(argument).map(|value| (argument.clone(), value.clone()))
        }
        (None, None) => Some((argument.clone(), String::new())),
    };
    arguments.iter().filter_map(pair).collect()
}

/// Reads the `--secret` arguments and the files and variables they name.
pub(super) fn secrets(
    arguments: &[String],
    environment: &Environment,
) -> Result<BTreeMap<String, Vec<u8>>, Report> {
    let mut secrets = BTreeMap::new();
    for argument in arguments {
        let Secret { id, source } = Secret::parse(argument)?;
        let value = match source {
            Source::Variable(name) => variable(environment, &name)?,
            Source::File(path) => file(&path)?,
            // As for BuildKit's clients: the variable of that name, or else the file.
            Source::Named if environment.variables.contains_key(&id) => variable(environment, &id)?,
            Source::Named if Path::new(&id).is_file() => file(&id)?,
            Source::Named => {
                let message = format!("the secret `{id}` is neither a variable that is set nor a file");
                return Err(Report::new(message).hint(SECRET));
            }
        };
        secrets.insert(id, value);
    }
    Ok(secrets)
}

/// The forms of a secret.
const SECRET: &str = "write `--secret id=ID,src=FILE` or `--secret id=ID,env=VARIABLE`";

/// One `--secret`.
#[derive(Debug, PartialEq, Eq)]
struct Secret {
    id: String,
    source: Source,
}

/// Where a secret comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    File(String),
    Variable(String),
    /// What has the name of the secret.
    Named,
}

impl Secret {
    fn parse(text: &str) -> Result<Self, Report> {
        let bad = |problem: String| Report::new(format!("`--secret {text}`: {problem}")).hint(SECRET);
        let record = csv::record(text).map_err(|error| bad(error.to_string()).hint(csv::HINT))?;
        let (mut id, mut file, mut variable, mut of_variable) = (None, None, None, false);
        for field in &record {
            let (key, value) = field.split_once('=').unwrap_or(("id", field));
            match (key.to_ascii_lowercase().as_str(), value) {
                ("id", _) => id = Some(value.to_owned()),
                ("src" | "source", _) => file = Some(value.to_owned()),
                ("env", _) => variable = Some(value.to_owned()),
                ("type", "env") => of_variable = true,
                ("type", "file") => of_variable = false,
                ("type", other) => return Err(bad(format!("`{other}` is no type: `file` or `env`"))),
                (other, _) => return Err(bad(format!("unknown field `{other}`"))),
            }
        }
        if of_variable && variable.is_none() {
            variable = file.take();
        }
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| bad("it has no `id=`".to_owned()))?;
        let source = match (variable, file) {
            (Some(name), _) => Source::Variable(name),
            (None, Some(path)) => Source::File(path),
            (None, None) => Source::Named,
        };
        Ok(Self { id, source })
    }
}

fn file(path: &str) -> Result<Vec<u8>, Report> {
    std::fs::read(path).map_err(|error| Report::new(format!("cannot read secret `{path}`: {error}")))
}

fn variable(environment: &Environment, name: &str) -> Result<Vec<u8>, Report> {
    let value = environment.variables.get(name).map(|value| value.clone().into_bytes());
    value.ok_or_else(|| Report::new(format!("the secret variable `{name}` is not set")))
}

#[cfg(test)]
mod tests {
    use super::{Secret, Source, layout_reference};

    #[test]
    fn references_behind_layouts() {
        let cases = [
            ("dir", "dir", None),
            ("/a/b:1.0", "/a/b", Some("1.0")),
            ("/a:b/c", "/a:b/c", None),
            ("d@sha256:00", "d", Some("sha256:00")),
            ("/a/d:v1@sha256:00", "/a/d", Some("sha256:00")),
            ("/a@b/c:d", "/a@b/c", Some("d")),
        ];
        for (text, path, reference) in cases {
            assert_eq!(layout_reference(text), (path, reference));
        }
    }

    #[test]
    fn secrets_are_read() {
        let file = |path: &str| Source::File(path.to_owned());
        let variable = |name: &str| Source::Variable(name.to_owned());
        let cases = [
            ("id=a,src=sec", file("sec")),
            ("\"id=a\",\"src=sec\"", file("sec")),
            ("id=a,\"source=b,c\"", file("b,c")),
            ("ID=a,type=file,src=x", file("x")),
            ("id=a,env=X", variable("X")),
            ("type=env,id=a,src=X", variable("X")),
            ("id=a,type=env,env=X", variable("X")),
            ("id=a", Source::Named),
            ("a", Source::Named),
        ];
        for (text, source) in cases {
            assert_eq!(Secret::parse(text), Ok(Secret { id: "a".to_owned(), source }), "{text}");
        }
        for text in ["", "src=x", "id=", "id=a,scr=x", "id=a,type=vault", "id=a,src=\"x\"", "\"id=a"] {
            assert!(Secret::parse(text).is_err(), "{text}");
        }
    }
}
