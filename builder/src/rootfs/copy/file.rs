//! The content of one file: from an open file to a new one, or read again when it changed meanwhile.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::fs::Stat;

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

/// Copies the content of `from`, which `stat` was read of. With `settle` the file is looked at again
/// afterwards, and copied again if it changed meanwhile; the answer is what its metadata then was.
pub(super) fn contents(
    mut from: &File,
    mut to: &File,
    stat: &Stat,
    settle: bool,
    buffer: &mut Vec<u8>,
) -> io::Result<Stat> {
    let mut stat = *stat;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            from.rewind()?;
            to.rewind()?;
            to.set_len(0)?;
        }
        copy_once(from, to, stat.st_size.unsigned_abs(), buffer)?;
        if !settle {
            return Ok(stat);
        }
        let after = rustix::fs::fstat(from.as_fd())?;
        let same = is_same(&stat, &after);
        stat = after;
        if same {
            break;
        }
    }
    Ok(stat)
}

fn copy_once(mut from: &File, mut to: &File, size: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    if size >= SMALL as u64 {
        if rustix::fs::ioctl_ficlone(to, from).is_ok() {
            return Ok(());
        }
        return io::copy(&mut from, &mut to).map(drop);
    }
    buffer.resize(SMALL, 0);
    loop {
        let count = from.read(buffer)?;
        to.write_all(buffer.get(..count).unwrap_or_default())?;
        // A read that gives all there was to read needs no other to find the end.
        if count == 0 || (count as u64 == size && count < SMALL) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
