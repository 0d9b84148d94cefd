//! Where the Dockerfile, its `.dockerignore` and the main context come from: files, or standard input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Environment;
use super::args::Build;
use crate::report::Report;
use xx_build_frontend::dockerfile::{Diagnostic, ignore_file, parse};
use xx_build_frontend::lower::MainContext;
use xx_build_frontend::source_text::{SourceText, Span};
use xx_build_rootfs::{Archive, Owners, Root, decompressed, unpack};

/// Longest Dockerfile or `.dockerignore` that is read, in bytes. The longest in use have some hundred kilobytes.
pub(super) const MAX_TEXT: u64 = 16 << 20;

/// What a build reads.
pub(super) struct Input {
    /// The Dockerfile.
    pub(super) dockerfile: SourceText,
    /// Text of the `.dockerignore` that counts.
    pub(super) dockerignore: Option<String>,
    /// The main context.
    pub(super) context: Context,
    /// A context that was unpacked here; removed at the end.
    _unpacked: Option<Unpacked>,
}

/// Where the files of the main context are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Context {
    /// In a directory of this machine.
    Folder(PathBuf),
    /// Elsewhere; the graph fetches them.
    Remote(MainContext),
}

impl Input {
    /// A Dockerfile with its context.
    pub(super) fn new(dockerfile: SourceText, dockerignore: Option<String>, context: Context) -> Self {
        Self { dockerfile, dockerignore, context, _unpacked: None }
    }

    /// Reads what the arguments name on this machine.
    ///
    /// # Errors
    /// Something cannot be read, or is no text.
    pub(super) fn read(
        args: &Build,
        environment: &Environment,
        stdin: impl Read,
        colour: bool,
    ) -> Result<Self, Report> {
        let stdin_file = args.file.as_deref() == Some(Path::new("-"));
        if args.context != Path::new("-") {
            return Self::of_folder(args, &args.context, stdin_file.then_some(stdin), colour);
        }
        if stdin_file {
            return Err(Report::new("standard input cannot be both the context and the Dockerfile")
                .hint("name a folder as context, or leave `--file` out"));
        }
        let mut stdin = stdin;
        let mut start = Vec::new();
        stdin.by_ref().take(1024).read_to_end(&mut start).map_err(|e| unreadable(Path::new("-"), &e))?;
        let folder = Unpacked::new(environment)?;
        let archive = is_archive(&start);
        let stdin = Cursor::new(start).chain(stdin);
        let mut input = if archive {
            folder.fill(stdin)?;
            Self::of_folder(args, &folder.0, None::<std::io::Empty>, colour)?
        } else {
            let dockerfile = text(Path::new("-"), stdin, colour)?;
            Self::new(dockerfile, None, Context::Folder(folder.0.clone()))
        };
        input._unpacked = Some(folder);
        Ok(input)
    }

    fn of_folder(
        args: &Build,
        context: &Path,
        stdin: Option<impl Read>,
        colour: bool,
    ) -> Result<Self, Report> {
        let context_path = folder(context)?;
        let path = match &args.file {
            Some(path) if args.context == Path::new("-") => context.join(path),
            Some(path) => path.clone(),
            None => named_by_default(context),
        };
        let place = Place::of(context, &path)?;
        let dockerfile = match stdin {
            Some(stdin) => text(Path::new("-"), stdin, colour)?,
            None => place.dockerfile(colour)?,
        };
        let own =
            if path == Path::new("-") { None } else { place.with(".dockerignore").ignore_list(colour)? };
        let dockerignore = match own {
            Some(own) => Some(own),
            None => ignore_list(context, colour)?,
        };
        Ok(Self::new(dockerfile, dockerignore, Context::Folder(context_path)))
    }

    /// A folder as context, with a Dockerfile that is not there.
    pub(super) fn with_dockerfile(
        dockerfile: SourceText,
        context: &Path,
        colour: bool,
    ) -> Result<Self, Report> {
        let path = folder(context)?;
        let dockerignore = ignore_list(context, colour)?;
        Ok(Self::new(dockerfile, dockerignore, Context::Folder(path)))
    }
}

/// The absolute path of a folder that is there.
fn folder(context: &Path) -> Result<PathBuf, Report> {
    if !context.is_dir() {
        let what = if context.exists() { "is not a folder" } else { "does not exist" };
        return Err(Report::new(format!("the context `{}` {what}", context.display())).hint(
            "name the folder with the files that COPY takes, `-` for an archive on standard input, or a URL",
        ));
    }
    std::path::absolute(context).map_err(Report::new)
}

/// `Dockerfile`, or `dockerfile` when only that is there.
pub(super) fn named_by_default(context: &Path) -> PathBuf {
    let usual = context.join("Dockerfile");
    let lower = context.join("dockerfile");
    if !usual.exists() && lower.exists() { lower } else { usual }
}

/// Reads a Dockerfile.
pub(super) fn file(path: &Path, colour: bool) -> Result<SourceText, Report> {
    if path == Path::new("-") {
        return text(path, std::io::stdin().lock(), colour);
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    text(path, file, colour)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Report {
    Report::new(format!("cannot read `{}`: {error}", path.display()))
        .hint("name the Dockerfile (for `build`: `--file PATH`), or the folder that holds it")
}

/// Takes a text of bounded length; one that is too long, or not UTF-8, is shown with the place.
pub(super) fn text(path: &Path, from: impl Read, colour: bool) -> Result<SourceText, Report> {
    let name = path.file_name().map_or_else(|| "-".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut bytes = Vec::new();
    from.take(MAX_TEXT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    let long = bytes.len() as u64 > MAX_TEXT;
    let bytes = if long { whole_characters(bytes) } else { bytes };
    let source = SourceText::from_bytes(name.as_str(), bytes).map_err(|wrong| {
        let source = SourceText::new(name.as_str(), wrong.lossy.as_str());
        let problem = Diagnostic::error(Span::new(wrong.offset, wrong.offset), "the text is not UTF-8")
            .hint("save the file as UTF-8");
        Report::diagnostics(&[problem], &source, colour)
    })?;
    if !long {
        return Ok(source);
    }
    // Mostly a line without end, which the reading finds with its place.
    let placed = |problems: &Vec<Diagnostic>| problems.iter().any(|p| p.span != Span::default());
    let problems = parse(&source).err().filter(placed).unwrap_or_else(|| {
        let end = source.text().len();
        let message = format!("the text is longer than {} MiB", MAX_TEXT >> 20);
        vec![Diagnostic::error(Span::new(end, end), message).hint("move data to files and COPY them")]
    });
    Err(Report::diagnostics(&problems, &source, colour))
}

/// A text that was cut off, without the part of a character at its end.
fn whole_characters(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len().saturating_sub(4);
    if let Err(error) = std::str::from_utf8(bytes.get(end..).unwrap_or_default())
        && error.error_len().is_none()
    {
        bytes.truncate(end + error.valid_up_to());
    }
    bytes
}

/// Where a text lies. The files of a context are another's work: a link among them is followed inside the context alone,
/// as BuildKit does, which has nothing else of the machine.
struct Place {
    /// The folder that holds it, when it is part of the context.
    context: Option<PathBuf>,
    /// Its path: in the context, or as the user wrote it.
    path: PathBuf,
}

impl Place {
    fn of(context: &Path, path: &Path) -> Result<Self, Report> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(Report::new);
        Ok(match absolute(path)?.strip_prefix(absolute(context)?) {
            Ok(inside) => Self { context: Some(context.to_owned()), path: inside.to_owned() },
            Err(_) => Self { context: None, path: path.to_owned() },
        })
    }

    /// The file beside it whose name goes on with this.
    fn with(&self, ending: &str) -> Self {
        let mut path = OsString::from(&self.path);
        path.push(ending);
        Self { context: self.context.clone(), path: path.into() }
    }

    fn open(&self) -> Result<Option<File>, std::io::Error> {
        match &self.context {
            Some(context) => {
                let folder = File::open(context)?;
                let root = Root::new(&folder, Owners::Plain);
                root.open_file(&self.path).map_err(|error| error.source)
            }
            None => match File::open(&self.path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                opened => opened.map(Some),
            },
        }
    }

    fn whole(&self) -> PathBuf {
        self.context.as_deref().map_or_else(|| self.path.clone(), |context| context.join(&self.path))
    }

    fn dockerfile(&self, colour: bool) -> Result<SourceText, Report> {
        let path = self.whole();
        match self.open().map_err(|error| unreadable(&path, &error))? {
            Some(file) => text(&path, file, colour),
            None if self.context.is_some() && path.symlink_metadata().is_ok() => Err(Report::new(format!(
                "`{}` is a link that leads out of the context",
                path.display()
            ))
            .hint(
                "put the file itself into the context, or name the file that the link leads to with `--file`",
            )),
            None => Err(unreadable(&path, &rustix::io::Errno::NOENT.into())),
        }
    }

    /// The text of an ignore file, when there is one; its patterns are good.
    fn ignore_list(&self, colour: bool) -> Result<Option<String>, Report> {
        let path = self.whole();
        let opened = self.open();
        let opened =
            opened.map_err(|error| Report::new(format!("cannot read `{}`: {error}", path.display())))?;
        let Some(file) = opened else { return Ok(None) };
        let source = text(&path, file, colour)?;
        ignore_file::check(&source).map_err(|problems| Report::diagnostics(&problems, &source, colour))?;
        Ok(Some(source.text().to_owned()))
    }
}

/// The text of a context's `.dockerignore`, when there is one; its patterns are good.
pub(super) fn ignore_list(context: &Path, colour: bool) -> Result<Option<String>, Report> {
    Place { context: Some(context.to_owned()), path: ".dockerignore".into() }.ignore_list(colour)
}

/// Whether bytes begin an archive: a compressed one, or the header of a tar file.
pub(super) fn is_archive(start: &[u8]) -> bool {
    const COMPRESSED: [&[u8]; 4] =
        [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], b"BZh", &[0xfd, b'7', b'z', b'X', b'Z']];
    COMPRESSED.iter().any(|magic| start.starts_with(magic)) || start.get(257..262) == Some(b"ustar")
}

/// A folder that ends with the build.
struct Unpacked(PathBuf);

impl Unpacked {
    fn new(environment: &Environment) -> Result<Self, Report> {
        let folder = PathBuf::from(environment.variable("TMPDIR").unwrap_or("/tmp")).join(format!(
            "xx-build-{}-{}",
            std::process::id(),
            environment.now
        ));
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| Report::new(format!("cannot make `{}`: {error}", folder.display())))?;
        Ok(Self(folder))
    }

    /// Unpacks an archive, whose files are this user's.
    fn fill(&self, archive: impl Read) -> Result<(), Report> {
        let bad = |error: std::io::Error| {
            Report::new(format!("the archive on standard input cannot be unpacked: {error}"))
                .hint("a context is a tar archive, also compressed")
        };
        let archive = decompressed(archive).map_err(bad)?;
        let folder = File::open(&self.0).map_err(bad)?;
        let own = folder.metadata().map_err(bad)?;
        let files = Archive::Files { owner: Some((own.uid(), own.gid())) };
        unpack(archive, Root::new(&folder, Owners::Plain), files)
            .map_err(|error| bad(std::io::Error::other(error)))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for temporary files.
        let _ = xx_build_rootfs::remove_tree(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_from_texts() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let cases: [(&[u8], bool); 6] = [
            (&tar, true),
            (&[0x1f, 0x8b, 8], true),
            (&[0x28, 0xb5, 0x2f, 0xfd], true),
            (b"FROM scratch\n", false),
            (b"", false),
            (b"BZ", false),
        ];
        for (bytes, expected) in cases {
            assert_eq!(is_archive(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (bytes, length) in
            [("abcd\u{e9}".as_bytes(), 6), (b"abcd\xc3", 4), (b"abc\xe2\x82", 3), (b"\xff\xff", 2), (b"", 0)]
        {
            assert_eq!(whole_characters(bytes.to_vec()).len(), length, "{bytes:?}");
        }
    }
}
