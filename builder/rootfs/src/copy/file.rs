//! The content of one file: from an open file to a new one, or read again when it changed meanwhile.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::fs::{SeekFrom, Stat};
use rustix::io::Errno;

use super::super::{ctime, mtime};

/// Files up to this size go through a buffer with one read and one write, the others inside the kernel.
const SMALL: usize = 256 * 1024;
/// How often a file that changes under the reader is copied.
const ATTEMPTS: usize = 3;

/// Whether two looks at a file saw the same content.
fn is_same(left: &Stat, right: &Stat) -> bool {
    let look = |stat: &Stat| (stat.st_ino, stat.st_size, mtime(stat), ctime(stat));
    look(left) == look(right)
}

/// A file that was copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    /// Its metadata when it was read.
    pub(super) stat: Stat,
    /// Whether it may be an object file; an answer of no comes from its content.
    pub(super) is_object: bool,
}

/// Copies the content of `from`, which `stat` was read of. With `settle` the file is looked at again
/// afterwards, and copied again if it changed meanwhile.
pub(super) fn contents(
    mut from: &File,
    mut to: &File,
    stat: &Stat,
    settle: bool,
    buffer: &mut Vec<u8>,
) -> io::Result<Read> {
    let mut read = Read { stat: *stat, is_object: true };
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            from.rewind()?;
            to.rewind()?;
            to.set_len(0)?;
        }
        read.is_object = copy_once(from, to, read.stat.st_size.unsigned_abs(), buffer)?;
        if !settle {
            break;
        }
        let after = rustix::fs::fstat(from.as_fd())?;
        let same = is_same(&read.stat, &after);
        read.stat = after;
        if same {
            break;
        }
    }
    Ok(read)
}

/// Copies from where both files stand; whether it may have been an object file.
fn copy_once(mut from: &File, mut to: &File, size: u64, buffer: &mut Vec<u8>) -> io::Result<bool> {
    if size >= SMALL as u64 {
        if rustix::fs::ioctl_ficlone(to, from).is_err() && !copy_pieces(from, to)? {
            io::copy(&mut from, &mut to)?;
        }
        return Ok(true);
    }
    buffer.resize(SMALL, 0);
    let mut is_object = None;
    loop {
        let count = from.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        to.write_all(bytes)?;
        if count > 0 {
            // What comes in pieces is not looked at.
            is_object = Some(is_object.is_some() || !matches!(platform_db::object::read(bytes), Ok(None)));
        }
        // A read that gives all there was to read needs no other to find the end.
        if count == 0 || (count as u64 == size && count < SMALL) {
            return Ok(is_object.unwrap_or(false));
        }
    }
}

/// Copies what a file has between its holes; `false` when it has none, or its file system does not tell them.
fn copy_pieces(mut from: &File, mut to: &File) -> io::Result<bool> {
    let stat = rustix::fs::fstat(from)?;
    let size = stat.st_size.unsigned_abs();
    let (mut at, mut is_first) = (0, true);
    // Blocks are of 512 bytes whatever the file system has.
    let is_full = stat.st_blocks.unsigned_abs().saturating_mul(512) >= size;
    while !is_full && at < size {
        let piece = rustix::fs::seek(from, SeekFrom::Data(at))
            .and_then(|start| rustix::fs::seek(from, SeekFrom::Hole(start)).map(|end| (start, end)));
        let (start, end) = match piece {
            Ok(piece) => piece,
            // Nothing but a hole follows.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) if is_first => return from.rewind().map(|()| false),
            Err(errno) => return Err(errno.into()),
        };
        is_first = false;
        from.seek(io::SeekFrom::Start(start))?;
        to.seek(io::SeekFrom::Start(start))?;
        io::copy(&mut from.take(end.saturating_sub(start)), &mut to)?;
        at = end;
    }
    if is_full {
        return Ok(false);
    }
    to.set_len(size)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_stay_holes() {
        use std::os::unix::fs::{FileExt as _, MetadataExt as _};
        let directory = tempfile::tempdir().expect("a directory");
        let (path, copy) = (directory.path().join("from"), directory.path().join("to"));
        const SIZE: u64 = 1 << 30;
        for pieces in [&[0, SIZE - 5][..], &[500_000], &[SIZE / 2, SIZE / 2 + 100_000], &[]] {
            let from = File::create(&path).and_then(|_| File::options().read(true).write(true).open(&path));
            let from = from.expect("a file");
            from.set_len(SIZE).expect("a hole");
            for at in pieces {
                from.write_all_at(b"piece", *at).expect("written");
            }
            let stat = rustix::fs::fstat(&from).expect("its metadata");
            let to = File::create(&copy).expect("a file");
            contents(&from, &to, &stat, true, &mut vec![]).expect("copied");
            let (copied, metadata) =
                (File::open(&copy).expect("the copy"), to.metadata().expect("its metadata"));
            assert_eq!((metadata.len(), metadata.blocks() < 4_000), (SIZE, true), "{pieces:?}");
            for at in pieces {
                let mut found = [0; 5];
                copied.read_exact_at(&mut found, *at).expect("read");
                assert_eq!(&found, b"piece", "{pieces:?} at {at}");
            }
        }
    }

    #[test]
    fn a_file_that_changed_since_it_was_looked_at_is_copied_as_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("from");
        for (before, after) in [("long content", "short"), ("a", "longer"), ("", "some"), ("same", "same")] {
            std::fs::write(&path, before).expect("a file");
            let from = File::open(&path).expect("the file");
            let stat = rustix::fs::fstat(&from).expect("its metadata");
            std::fs::write(&path, after).expect("a change");
            let to = File::create(directory.path().join("to")).expect("a file");
            contents(&from, &to, &stat, true, &mut vec![]).expect("copied");
            let copied = std::fs::read_to_string(directory.path().join("to")).expect("the copy");
            assert_eq!(copied, after, "{before}");
        }
    }
}
