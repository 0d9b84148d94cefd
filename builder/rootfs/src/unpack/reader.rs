//! Entries of a tar archive: ustar, the extensions of GNU tar, and PAX, as Go's `archive/tar` reads them, so that an
//! archive is the same here as for those who made or checked it.
//!
//! Headers are untrusted: what they take of memory is bounded, and what contradicts itself is refused.
//! Not here: what becomes of an entry.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::pax::{Records, broken, number};

/// Bytes of a block, of which archives are made.
const BLOCK: usize = 512;

/// What the headers of one entry take at the most, long names and attributes included: they are held in memory.
const HEADERS: u64 = 4 << 20;

/// What an archive says of one name. Its content is read from the [`Reader`].
#[derive(Debug)]
pub(super) struct Entry {
    /// What it is.
    pub(super) kind: EntryType,
    /// Its name, as it stands there.
    pub(super) name: Vec<u8>,
    /// What a link leads to.
    pub(super) link: Vec<u8>,
    /// Permission bits.
    pub(super) mode: u32,
    /// User and group.
    pub(super) owner: (u64, u64),
    /// Modification time in nanoseconds since 1970.
    pub(super) time: i64,
    /// Major and minor number of a device.
    pub(super) device: (u32, u32),
    /// Extended attributes.
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the file.
    pub(super) size: u64,
    /// The parts of a sparse file that the archive holds, as offset and length; all when `None`.
    pub(super) pieces: Option<Vec<(u64, u64)>>,
}

/// Reads entries one after the other.
pub(super) struct Reader<R> {
    from: R,
    /// Bytes of the entry's content that are still to come.
    content: u64,
    /// Bytes behind it, up to the next block.
    padding: u64,
    /// What the headers of the next entry may still take.
    left: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, content: 0, padding: 0, left: HEADERS }
    }

    /// The next entry; `None` at the end of the archive.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        self.left = HEADERS;
        let (mut records, mut long_name, mut long_link) = (Records::default(), None, None);
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            let kind = header.entry_type();
            if kind.is_pax_local_extensions() {
                records = Records::parse(&self.special(&header)?)?;
            } else if kind.is_gnu_longname() {
                long_name = Some(text(self.special(&header)?));
            } else if kind.is_gnu_longlink() {
                long_link = Some(text(self.special(&header)?));
            } else if kind.is_pax_global_extensions() {
                // Of no use to anybody: nobody unpacks by it.
                drop(self.special(&header)?);
            } else {
                return self.entry(&header, &records, long_name, long_link).map(Some);
            }
        }
    }

    /// What follows the archive.
    pub(super) fn into_rest(self) -> R {
        self.from
    }

    /// The next header; `None` at the end.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let rest = self.content.saturating_add(self.padding);
        if io::copy(&mut self.from.by_ref().take(rest), &mut io::sink())? != rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.content, self.padding) = (0, 0);
        let Some(block) = self.block()? else { return Ok(None) };
        if block == [0; BLOCK] {
            // Two such blocks are the end, which may be missing.
            return match self.block()? {
                Some(second) if second != [0; BLOCK] => {
                    Err(broken("something follows the end of the archive"))
                }
                Some(_) | None => Ok(None),
            };
        }
        let header = Header::from_byte_slice(&block).clone();
        if !is_whole(&block, header.cksum()?) {
            return Err(broken("the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    /// The next block; `None` when nothing is left.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.from.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    fn grant(&mut self, size: u64) -> io::Result<()> {
        let left = self.left.checked_sub(size);
        self.left = left.ok_or_else(|| io::Error::other("an entry has headers of more than 4 MiB"))?;
        Ok(())
    }

    fn set_content(&mut self, size: u64) {
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// The content of a header that speaks of the next entry.
    fn special(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let size = header.entry_size()?;
        self.grant(size.saturating_add(BLOCK as u64))?;
        self.set_content(size);
        let mut bytes = vec![];
        self.read_to_end(&mut bytes)?;
        if self.content > 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }

    fn entry(
        &mut self,
        header: &Header,
        records: &Records,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> io::Result<Entry> {
        let owned = |bytes: &[u8]| bytes.to_vec();
        let name = long_name.or_else(|| records.get("path").map(owned));
        let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = long_link.or_else(|| records.get("linkpath").map(owned));
        let link =
            link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default();
        let mut kind = header.entry_type();
        if header.as_old().linkflag == [0] {
            // As the oldest archives name directories.
            kind = if name.ends_with(b"/") { EntryType::Directory } else { EntryType::Regular };
        }
        let old = header.as_old();
        let size = match records.number("size")? {
            Some(size) => size,
            None => field(&old.size, || header.entry_size())?,
        };
        self.set_content(if has_content(kind) { size } else { 0 });
        let time = records.get("mtime").and_then(|text| nanoseconds(std::str::from_utf8(text).ok()?));
        let seconds = field(&old.mtime, || header.mtime())?.cast_signed();
        let device = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
        let mut entry = Entry {
            kind,
            name,
            link,
            mode: field(&old.mode, || header.mode())?,
            owner: (
                records.number("uid")?.map_or_else(|| field(&old.uid, || header.uid()), Ok)?,
                records.number("gid")?.map_or_else(|| field(&old.gid, || header.gid()), Ok)?,
            ),
            time: time.unwrap_or_else(|| seconds.saturating_mul(1_000_000_000)),
            device: (device(header.device_major()), device(header.device_minor())),
            xattrs: records
                .below("SCHILY.xattr.")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            size,
            pieces: None,
        };
        self.sparse(&mut entry, header, records)?;
        Ok(entry)
    }

    /// Reads the map of a sparse file, if it is one, in whichever of the four ways it is written.
    fn sparse(&mut self, entry: &mut Entry, header: &Header, records: &Records) -> io::Result<()> {
        let pieces = if entry.kind.is_gnu_sparse() {
            let gnu = header.as_gnu().ok_or_else(|| broken("a sparse file without a map"))?;
            entry.size = gnu.real_size()?;
            self.map_in_blocks(gnu)?
        } else {
            let version = (records.get("GNU.sparse.major"), records.get("GNU.sparse.minor"));
            let listed = records.get("GNU.sparse.map");
            let in_front = match version {
                (Some(b"1"), Some(b"0")) => true,
                (Some(b"0"), Some(b"0" | b"1")) => false,
                (None, None) if listed.is_some() => false,
                // Not sparse, or in a way that nobody knows.
                _ => return Ok(()),
            };
            if let Some(name) = records.get("GNU.sparse.name") {
                name.clone_into(&mut entry.name);
            }
            let size = records.number("GNU.sparse.size")?;
            entry.size = size
                .map_or_else(|| records.number("GNU.sparse.realsize"), |size| Ok(Some(size)))?
                .unwrap_or(entry.size);
            if in_front { self.map_in_front()? } else { map_in_text(listed.unwrap_or_default())? }
        };
        let mut end = 0_u64;
        for (offset, length) in &pieces {
            let next = offset.checked_add(*length).filter(|next| *offset >= end && *next <= entry.size);
            end = next.ok_or_else(|| broken("a sparse file whose map leads out of it"))?;
        }
        let stored: u64 = pieces.iter().map(|(_, length)| length).sum();
        if stored > self.content {
            return Err(broken("a sparse file whose map is longer than its content"));
        }
        entry.pieces = Some(pieces);
        Ok(())
    }

    /// The map of a sparse file as GNU tar wrote it at first: in the header, and in blocks behind it.
    fn map_in_blocks(&mut self, gnu: &tar::GnuHeader) -> io::Result<Vec<(u64, u64)>> {
        let mut pieces = vec![];
        let mut take = |sparse: &[tar::GnuSparseHeader]| -> io::Result<()> {
            for piece in sparse.iter().filter(|piece| !piece.is_empty()) {
                pieces.push((piece.offset()?, piece.length()?));
            }
            Ok(())
        };
        take(&gnu.sparse)?;
        let mut is_extended = gnu.is_extended();
        while is_extended {
            self.grant(BLOCK as u64)?;
            let mut extended = tar::GnuExtSparseHeader::new();
            let block = self.block()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            extended.as_mut_bytes().copy_from_slice(&block);
            take(&extended.sparse)?;
            is_extended = extended.is_extended();
        }
        Ok(pieces)
    }

    /// The map of a sparse file as version 1.0 has it: lines of numbers, in blocks in front of the content.
    fn map_in_front(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let wrong = || broken("a malformed map of a sparse file");
        let (mut numbers, mut text) = (vec![], vec![]);
        let mut wanted = 1;
        while numbers.len() < wanted {
            self.grant(BLOCK as u64)?;
            let mut block = [0; BLOCK];
            self.read_exact(&mut block)?;
            text.extend_from_slice(&block);
            while numbers.len() < wanted
                && let Some(end) = text.iter().position(|byte| *byte == b'\n')
            {
                let line: Vec<u8> = text.drain(..=end).collect();
                let found = line.strip_suffix(b"\n").filter(|line| !line.is_empty()).and_then(number);
                numbers.push(found.ok_or_else(wrong)?);
                if let [count] = numbers[..] {
                    let count = usize::try_from(count).ok().and_then(|count| count.checked_mul(2));
                    wanted = count.and_then(|count| count.checked_add(1)).ok_or_else(wrong)?;
                }
            }
            // No number is that long.
            if numbers.len() < wanted && text.len() > 20 {
                return Err(wrong());
            }
        }
        Ok(pairs(numbers.get(1..).unwrap_or_default()))
    }
}

/// The map of a sparse file as versions 0.0 and 0.1 have it: numbers with commas between them.
fn map_in_text(text: &[u8]) -> io::Result<Vec<(u64, u64)>> {
    let numbers: Option<Vec<u64>> = match text {
        [] => Some(vec![]),
        text => text.split(|byte| *byte == b',').map(number).collect(),
    };
    let numbers = numbers.filter(|numbers| numbers.len().is_multiple_of(2));
    numbers.map(|numbers| pairs(&numbers)).ok_or_else(|| broken("a malformed map of a sparse file"))
}

fn pairs(numbers: &[u64]) -> Vec<(u64, u64)> {
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs.iter().map(|[offset, length]| (*offset, *length)).collect()
}

impl<R: Read> Read for Reader<R> {
    /// Reads the content of the entry.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.by_ref().take(self.content).read(buffer)?;
        self.content -= count as u64;
        Ok(count)
    }
}

/// A number of a header. An empty field stands for none: archives that are to name no owner have such.
fn field<T: Default>(bytes: &[u8], number: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if bytes.iter().all(|byte| matches!(byte, 0 | b' ')) { Ok(T::default()) } else { number() }
}

/// Whether a header of this kind is followed by content. Of some kinds the size means something else, or nothing.
fn has_content(kind: EntryType) -> bool {
    !(kind.is_dir()
        || kind.is_symlink()
        || kind.is_hard_link()
        || kind.is_fifo()
        || kind.is_character_special()
        || kind.is_block_special())
}

/// Up to the first NUL.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    bytes
}

/// Whether a header has this sum of its bytes, its own field taken for spaces. Some have summed up signed bytes.
fn is_whole(block: &[u8; BLOCK], expected: u32) -> bool {
    let bytes =
        block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let unsigned: i64 = bytes.clone().map(i64::from).sum();
    let signed: i64 = bytes.map(|byte| i64::from(byte.cast_signed())).sum();
    [unsigned, signed].contains(&i64::from(expected))
}

/// `SECONDS[.FRACTION]` as nanoseconds.
fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?;
    let digits = fraction.get(..fraction.len().min(9))?;
    let part = if digits.is_empty() { 0 } else { format!("{digits:0<9}").parse::<i64>().ok()? };
    whole.checked_add(if seconds.starts_with('-') { -part } else { part })
}
