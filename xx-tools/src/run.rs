//! The only place that runs programs and changes files.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::host::Host;
use crate::plan::{CommandPlan, Lock, Plan, Step};
use crate::report::{Failure, err, out};

/// Carries out a plan and returns the exit code.
///
/// # Errors
/// When a step fails; what the steps before it did stays.
pub fn run(plan: Plan, host: &dyn Host) -> Result<u8, Failure> {
    let mut held: Vec<(Lock, File)> = Vec::new();
    let mut temporary = Vec::new();
    let mut waiting = plan.steps;
    waiting.reverse();
    while let Some(step) = waiting.pop() {
        match step {
            Step::Print(text) => out(&text),
            Step::Note(text) => err(&format!("{text}\n")),
            Step::Lock(lock) => held.push((lock, take(lock.name)?)),
            Step::Write { path, text, mode } => {
                write(&path, &text, mode).map_err(|error| cannot("write", &path, &error))?;
            }
            Step::Link { to, path } => link(&to, &path).map_err(|error| cannot("link", &path, &error))?,
            Step::Copy { from, to } => copy(&from, &to).map_err(|error| cannot("write", &to, &error))?,
            Step::Temporary(path) => temporary.push(Temporary(path)),
            Step::Remove(path) => {
                gone(fs::remove_file(&path)).map_err(|error| cannot("remove", &path, &error))?;
            }
            Step::RemoveDir(path) => {
                gone(fs::remove_dir_all(&path)).map_err(|error| cannot("remove", &path, &error))?;
            }
            Step::MakeDir(path) => {
                fs::create_dir_all(&path).map_err(|error| cannot("make directory", &path, &error))?;
            }
            Step::Run(command) => run_one(&below(command, &held))?,
            Step::RunQuietly(command) => run_quietly(&below(command, &held))?,
            Step::Try(command) => drop(prepared(&below(command, &held)).status()),
            Step::Next(stage) => waiting.extend(stage(host)?.steps.into_iter().rev()),
            Step::Exec(command) if held.iter().any(|(lock, _)| lock.kept) => {
                held.retain(|(lock, _)| lock.kept);
                return wait(&below(command, &held));
            }
            Step::Exec(command) => return Err(exec(&command)),
            Step::ExecOr(command, explain) => {
                held.retain(|(lock, _)| lock.kept);
                let code = wait(&below(command, &held))?;
                if code != 0 {
                    run(explain(host)?, host)?;
                }
                return Ok(code);
            }
            Step::Exit(code) => return Ok(code),
        }
    }
    Ok(0)
}

/// Removes its file, or folder, when it is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0).or_else(|_| fs::remove_dir_all(&self.0)));
    }
}

/// Prints a plan instead of carrying it out. Later stages are planned on the machine as it is.
///
/// # Errors
/// When a later stage cannot be planned.
pub fn print(plan: Plan, host: &dyn Host) -> Result<u8, Failure> {
    let mut waiting = plan.steps;
    waiting.reverse();
    while let Some(step) = waiting.pop() {
        if let Step::Next(stage) = step {
            waiting.extend(stage(host)?.steps.into_iter().rev());
        } else {
            out(&format!("{step}\n"));
        }
    }
    Ok(0)
}

/// Runs a program that only answers a question.
pub(crate) fn ask(program: &Path, args: &[&str]) -> Option<String> {
    let answer =
        prepared(&CommandPlan::new(program).args(args)).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let answer = answer.ok().filter(|answer| answer.status.success())?;
    String::from_utf8(answer.stdout).ok()
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate that starts programs")]
fn prepared(plan: &CommandPlan) -> Command {
    let mut command = Command::new(&plan.program);
    command.args(&plan.args);
    for (name, value) in &plan.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn exec(plan: &CommandPlan) -> Failure {
    let error = prepared(plan).exec();
    not_started(plan, &error)
}

fn not_started(plan: &CommandPlan, error: &io::Error) -> Failure {
    let name = plan.program.display();
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(format!("{name}: not found"))
            .hint("it is not on PATH: install the package that brings it")
            .code(127);
    }
    Failure::new(format!("cannot run `{name}`: {error}")).code(126)
}

/// A program under locks, for which calls of these tools from there must not wait.
fn below(command: CommandPlan, held: &[(Lock, File)]) -> CommandPlan {
    held.iter().fold(command, |command, (lock, _)| command.set(&lock.variable(), "1"))
}

/// Runs a program to its end and passes its exit code on.
fn wait(plan: &CommandPlan) -> Result<u8, Failure> {
    let status = prepared(plan).status().map_err(|error| not_started(plan, &error))?;
    Ok(u8::try_from(code(status)).unwrap_or(1))
}

/// The exit code, or what shells make of a signal.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn run_one(plan: &CommandPlan) -> Result<(), Failure> {
    let status = prepared(plan).status().map_err(|error| not_started(plan, &error))?;
    if status.success() { Ok(()) } else { Err(failed(plan, code(status))) }
}

fn run_quietly(plan: &CommandPlan) -> Result<(), Failure> {
    let answer = prepared(plan).stdin(Stdio::null()).output().map_err(|error| not_started(plan, &error))?;
    if answer.status.success() {
        return Ok(());
    }
    err(&String::from_utf8_lossy(&answer.stdout));
    err(&String::from_utf8_lossy(&answer.stderr));
    Err(failed(plan, code(answer.status)))
}

fn failed(plan: &CommandPlan, code: i32) -> Failure {
    Failure::new(format!("`{plan}` failed with exit code {code}"))
        .code(u8::try_from(code).unwrap_or(1).max(1))
}

/// Takes a lock that the kernel drops when this process ends or becomes another program.
///
/// Where `/var/lock` cannot be used (a dangling link in a minimal image, an ordinary user), the lock stands in the
/// directory for temporary files.
fn take(name: &str) -> Result<File, Failure> {
    let path = Path::new("/var/lock").join(name);
    let own = format!("{name}-{}", rustix::process::getuid().as_raw());
    let file = open_lock(&path).or_else(|_| open_lock(&std::env::temp_dir().join(own)));
    let file = file.map_err(|error| {
        cannot("lock", &path, &error)
            .hint("set-up needs a place to write: /var/lock, or the folder that TMPDIR names")
    })?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|error| cannot("lock", &path, &error.into()))?;
    Ok(file)
}

fn open_lock(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent().filter(|dir| !dir.is_dir()) {
        let dir = fs::read_link(dir).map_or_else(|_| dir.to_owned(), |to| Path::new("/var").join(to));
        fs::create_dir_all(dir)?;
    }
    File::options().write(true).create(true).truncate(false).mode(0o666).open(path)
}

/// Writes under a temporary name beside the file, then renames.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    if !dir.is_dir() {
        fs::create_dir_all(dir)?;
    }
    let temporary = temporary_beside(path);
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Copies to a file under a temporary name, then renames; to a pipe, a device or where a link leads, in place.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let all_to = |path: &Path| io::copy(&mut File::open(from)?, &mut File::create(path)?);
    if fs::symlink_metadata(to).is_ok_and(|there| !there.is_file()) {
        return all_to(to).map(drop);
    }
    let temporary = temporary_beside(to);
    let whole = all_to(&temporary).and_then(|_| fs::rename(&temporary, to));
    whole.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn link(to: &Path, path: &Path) -> io::Result<()> {
    if let Some(dir) = path.parent().filter(|dir| !dir.is_dir()) {
        fs::create_dir_all(dir)?;
    }
    let temporary = temporary_beside(path);
    gone(fs::remove_file(&temporary))?;
    symlink(to, &temporary)?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn temporary_beside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot {what} `{}`: {error}", path.display()));
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    let unwritable = [
        io::ErrorKind::NotADirectory,
        io::ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ];
    if is(&unwritable) {
        failure.hint("the folder must be writable; files of compilers go where XX_SETUP_DIR says")
    } else if is(&[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded]) {
        failure.hint("make room there; nothing half-written was left")
    } else if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        failure.hint("a link on the way leads back to itself: `ls -l` shows where each leads")
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::{copy, link, write};

    /// What cannot be put in place leaves nothing behind, and what is put in place is replaced whole.
    #[test]
    fn no_half_written_files() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        std::fs::create_dir_all(taken.join("full")).unwrap();
        assert!(write(&taken, "text", 0o644).is_err());
        assert!(link("to".as_ref(), &taken).is_err());
        assert!(copy("/dev/null".as_ref(), &taken).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the folder that was there");
        let file = dir.path().join("new/file");
        for text in ["long text", "short"] {
            write(&file, text, 0o755).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        copy("/dev/null".as_ref(), &file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "", "an empty file took its place");
        copy(&file, "/dev/null".as_ref()).unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        write(&dir.path().join("loop"), "text", 0o644).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("loop")).unwrap(), "text");
    }
}
