//! What the destination of an output is.
//!
//! A name stands for what it leads to: an open descriptor (`-`, `/dev/stdout`), something that bytes are written into (a
//! device, a named pipe, a socket), or a file, which alone is replaced in one go. Links are followed, and not
//! in `/tmp` those that somebody else has laid there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::ExportError;
use super::temporary::{self, Temporary};

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

/// How the kernel shows an id that the user namespace does not know.
const UNKNOWN_ID: u32 = 65534;

/// What a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output: `-`, `/dev/stdout`, or a link to it.
    Stdout,
    /// Standard error.
    Stderr,
    /// A device, a named pipe, a socket, or another open descriptor (`/dev/fd/63`): opened and written.
    Special(PathBuf),
    /// A file that is there or not, links followed.
    File(PathBuf),
    /// A directory, links followed.
    Directory(PathBuf),
}

impl Destination {
    /// Looks at what `path` leads to.
    ///
    /// # Errors
    /// When the kernel does not follow it.
    pub fn find(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut at = std::path::absolute(path)?;
        for _ in 0..MAX_LINKS {
            match descriptor(&at) {
                Some(1) => return Ok(Self::Stdout),
                Some(2) => return Ok(Self::Stderr),
                Some(_) => return Ok(Self::Special(at)),
                None => {}
            }
            let Ok(target) = fs::read_link(&at) else { break };
            if is_trap(&at)? {
                return Err(io::Error::new(
                    ErrorKind::PermissionDenied,
                    "it is a link that another user has laid in a directory where everybody may write",
                ));
            }
            at = at.parent().unwrap_or(Path::new("/")).join(target);
        }
        let file = match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(Self::File(resolved(&at))),
            Err(errno) => return Err(errno.into()),
        };
        let at = resolved(&at);
        let kind = file.metadata()?.file_type();
        Ok(if kind.is_dir() {
            Self::Directory(at)
        } else if kind.is_file() {
            Self::File(at)
        } else {
            Self::Special(at)
        })
    }

    /// Removes what killed builds left here: a context in which the output lies must not have it.
    pub fn sweep(&self) {
        let Some(path) = self.path() else { return };
        temporary::sweep(path.parent().unwrap_or(path));
        if matches!(self, Self::Directory(_)) {
            temporary::sweep(path);
        }
    }

    /// The path of a file or directory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Directory(path) => Some(path),
            Self::Stdout | Self::Stderr | Self::Special(_) => None,
        }
    }
}

/// Whether a link lies in a directory where everybody may write, such as `/tmp`, and belongs to somebody else. The kernel follows
/// none of these either where `fs.protected_symlinks` is set, which it is not everywhere.
fn is_trap(link: &Path) -> io::Result<bool> {
    const SHARED: u32 = 0o1002;
    let folder = link.parent().unwrap_or(Path::new("/")).metadata()?;
    let owner = link.symlink_metadata()?.uid();
    let is_ours = owner == rustix::process::geteuid().as_raw() || owner == folder.uid();
    Ok(folder.mode() & SHARED == SHARED && !is_ours)
}

/// A path without links, as far as it is there.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize() {
            let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path
}

/// The number of the open descriptor that a path names.
fn descriptor(path: &Path) -> Option<u32> {
    let path = path.to_str()?;
    match path {
        "/dev/stdout" => return Some(1),
        "/dev/stderr" => return Some(2),
        _ => {}
    }
    let own = format!("/proc/{}/fd/", std::process::id());
    let folders = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", &own];
    folders.iter().find_map(|folder| path.strip_prefix(folder))?.parse().ok()
}

/// Has `write` fill the destination `path`; a file is replaced when all is there.
pub(super) fn write_stream(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let found = Destination::find(path).map_err(ExportError::write("open", path))?;
    let failed = |action| ExportError::write(action, path);
    match found {
        Destination::Stdout => {
            let to = io::stdout().as_fd().try_clone_to_owned().map_err(failed("open"))?;
            fill(File::from(to), path, write)
        }
        Destination::Stderr => {
            let to = io::stderr().as_fd().try_clone_to_owned().map_err(failed("open"))?;
            fill(File::from(to), path, write)
        }
        Destination::Special(at) => match open_special(&at).map_err(failed("open"))? {
            Special::File(to) => fill(to, path, write),
            Special::Socket(to) => fill(to, path, write),
        },
        Destination::Directory(_) => Err(failed("write")(ErrorKind::IsADirectory.into())),
        Destination::File(at) => replace(&at, path, write),
    }
}

/// Writes a whole file, to whatever `path` is.
///
/// # Errors
/// When it cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    write_stream(path, |to| to.write_all(bytes).map_err(ExportError::write("write", path)))
}

fn fill(
    to: impl Write,
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let mut to = BufWriter::with_capacity(1 << 18, Noting { to, failed: None });
    let written = write(&mut to);
    // Whoever writes an archive does not know which of its two sides has failed.
    if let (Err(_), Some(errno)) = (&written, to.get_ref().failed) {
        return Err(ExportError::write("write", path)(io::Error::from_raw_os_error(errno)));
    }
    written?;
    to.flush().map_err(ExportError::write("write", path))
}

/// Remembers why a write failed.
struct Noting<W> {
    to: W,
    failed: Option<i32>,
}

impl<W: Write> Write for Noting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        if let Err(error) = &written
            && error.kind() != ErrorKind::Interrupted
        {
            self.failed = error.raw_os_error();
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

enum Special {
    File(File),
    Socket(UnixStream),
}

fn open_special(path: &Path) -> io::Result<Special> {
    if let Some(number) = descriptor(path) {
        // What this program has opened for itself is closed on exec; what was handed to it is not.
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        if flags.is_none_or(|flags| OFlags::from_bits_retain(flags).contains(OFlags::CLOEXEC)) {
            return Err(ErrorKind::NotFound.into());
        }
    }
    if fs::metadata(path)?.file_type().is_socket() && descriptor(path).is_none() {
        return UnixStream::connect(path).map(Special::Socket);
    }
    let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(Special::File(rustix::fs::open(path, flags, Mode::empty())?.into()))
}

/// Writes beside the file `at` and gives it the name in the end, with the mode and the owner that it had.
fn replace(
    at: &Path,
    shown: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    let folder = at.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(ExportError::write("create", folder))?;
    let part = match Temporary::file(folder) {
        Ok(part) => part,
        // Nothing can be made beside it; itself it may be open to this user.
        Err(error) => match in_place(at) {
            Ok(to) => return fill(to, shown, write),
            Err(_) => return Err(error),
        },
    };
    if let Ok(old) = at.symlink_metadata() {
        // An owner that cannot be kept is the user's, as for every file that is written.
        let known = |id: u32| Some(id).filter(|id| *id != UNKNOWN_ID);
        let _ = std::os::unix::fs::fchown(part.open(), known(old.uid()), known(old.gid()));
        let mode = fs::Permissions::from_mode(old.permissions().mode() & 0o777);
        part.open().set_permissions(mode).map_err(ExportError::write("write", shown))?;
    }
    fill(part.open(), shown, write)?;
    match part.persist(at) {
        // Something is mounted there.
        Err((part, error)) if error.kind() == ErrorKind::ResourceBusy => {
            let copied = in_place(at).and_then(|mut to| {
                let mut from = File::open(part.path())?;
                io::copy(&mut from, &mut to).map(drop)
            });
            copied.map_err(ExportError::write("write", shown))
        }
        Err((_, error)) => Err(ExportError::write("rename", shown)(error)),
        Ok(()) => Ok(()),
    }
}

/// A file that is there, emptied.
fn in_place(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).truncate(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_destination_is_what_it_leads_to() {
        let folder = tempfile::tempdir().expect("a directory");
        let root = folder.path().canonicalize().expect("a directory");
        let at = |name: &str| root.join(name);
        fs::write(at("file"), "").expect("a file");
        fs::create_dir(at("directory")).expect("a directory");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), Mode::RWXU).expect("a named pipe");
        let _listener = UnixListener::bind(at("socket")).expect("a socket");
        for (link, target) in [
            ("to-file", "file"),
            ("to-nothing", "missing"),
            ("to-link", "to-file"),
            ("to-fifo", "fifo"),
            ("to-directory", "directory"),
            ("to-stdout", "/dev/stdout"),
            ("to-stderr", "/proc/self/fd/2"),
        ] {
            symlink(target, at(link)).expect("a link");
        }
        symlink("loop", at("loop")).expect("a link");
        for (path, expected) in [
            (PathBuf::from("-"), Destination::Stdout),
            (PathBuf::from("/dev/stdout"), Destination::Stdout),
            (PathBuf::from("/dev/fd/1"), Destination::Stdout),
            (PathBuf::from("/proc/self/fd/2"), Destination::Stderr),
            (PathBuf::from("/dev/fd/63"), Destination::Special("/dev/fd/63".into())),
            (PathBuf::from("/dev/null"), Destination::Special("/dev/null".into())),
            (at("file"), Destination::File(at("file"))),
            (at("new"), Destination::File(at("new"))),
            (at("new/deep/er"), Destination::File(at("new/deep/er"))),
            (at("to-directory/new"), Destination::File(at("directory/new"))),
            (at("to-file"), Destination::File(at("file"))),
            (at("to-link"), Destination::File(at("file"))),
            (at("to-nothing"), Destination::File(at("missing"))),
            (at("fifo"), Destination::Special(at("fifo"))),
            (at("to-fifo"), Destination::Special(at("fifo"))),
            (at("socket"), Destination::Special(at("socket"))),
            (at("to-directory"), Destination::Directory(at("directory"))),
            (at("to-stdout"), Destination::Stdout),
            (at("to-stderr"), Destination::Stderr),
        ] {
            assert_eq!(Destination::find(&path).ok(), Some(expected), "{}", path.display());
        }
        assert!(Destination::find(&at("loop")).is_err());
    }

    #[test]
    fn a_file_is_written_whatever_it_is() {
        let folder = tempfile::tempdir().expect("a directory");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old and longer").expect("a file");
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o640)).expect("a mode");
        symlink("file", at("link")).expect("a link");
        symlink("missing", at("dangling")).expect("a link");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), Mode::RWXU).expect("a named pipe");
        let listener = UnixListener::bind(at("socket")).expect("a socket");
        let read = |mut from: Box<dyn io::Read>| {
            let mut text = String::new();
            from.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        };
        for (name, lies_in) in
            [("new", "new"), ("deep/er/new", "deep/er/new"), ("link", "file"), ("dangling", "missing")]
        {
            write_file(&at(name), name.as_bytes()).expect(name);
            assert_eq!(fs::read_to_string(at(lies_in)).ok().as_deref(), Some(name), "{name}");
        }
        assert_eq!(fs::metadata(at("file")).expect("a file").permissions().mode() & 0o777, 0o640);
        for link in ["link", "dangling"] {
            assert!(at(link).is_symlink(), "{link}");
        }
        std::thread::scope(|scope| {
            let fifo = scope.spawn(|| read(Box::new(File::open(at("fifo")).expect("a named pipe"))));
            let socket = scope.spawn(|| read(Box::new(listener.accept().expect("a client").0)));
            for name in ["fifo", "socket"] {
                write_file(&at(name), name.as_bytes()).expect(name);
            }
            assert_eq!(fifo.join().ok().as_deref(), Some("fifo"));
            assert_eq!(socket.join().ok().as_deref(), Some("socket"));
        });
        assert!(fs::metadata(at("fifo")).expect("it is there").file_type().is_fifo());
        // Full, as a device says it.
        let full = write_file(Path::new("/dev/full"), b"x").map_err(|error| error.to_string());
        assert!(full.is_err_and(|text| text.contains("/dev/full") && text.contains("space")));
        assert!(write_file(&at("deep"), b"x").is_err(), "a directory");
        // What this process has opened for itself is not for outputs.
        let own = File::create(at("own")).expect("a file");
        let number = std::os::fd::AsRawFd::as_raw_fd(&own);
        assert!(write_file(Path::new(&format!("/dev/fd/{number}")), b"x").is_err());
    }
}
