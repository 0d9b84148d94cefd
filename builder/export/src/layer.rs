//! A layer directory as a compressed tar blob.
//!
//! Entries are sorted, times are whole seconds, and the compressor is told neither name nor time, so the
//! same layer gives the same blob. Whiteouts turn from overlayfs form to the names that images use.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::ExportError;
use super::below::Below;
use super::compressor::Compressor;
use super::options::{Compression, ImageOptions};
use xx_build_frontend::oci::digest::Digest;
use xx_build_frontend::oci::media_type;
use xx_build_rootfs::{
    Entry, EntryKind, LONGEST_PATH, Owners, RootError, Visibility, Xattrs, decompressed, is_opaque,
    is_whiteout, link_target, walk,
};
use xx_build_store::{Layer, LayerBlob, Store, StoreError};

/// The blob of a layer over those `below` it, the next one first; made now if it does not exist in the wanted
/// form.
///
/// A layer of a base image stays as it came unless `force_compression` asks for more, and then has the same
/// content in another compression.
pub(super) fn blob(
    store: &Store,
    layer: &Layer,
    below: &[Layer],
    options: &ImageOptions,
) -> Result<LayerBlob, ExportError> {
    // What was made apart is the same blob wherever it lies.
    let below = if layer.is_shared { &[] } else { below };
    let is_base = store.is_base_layer(layer.id)?;
    let clamp = options.epoch.filter(|_| options.rewrite_timestamp && !is_base);
    let known = store.layer_blob(layer.id)?;
    if let Some(known) = known.as_ref().filter(|known| is_base && !store.has_blob(&known.digest)) {
        // Made of its files it would be another blob than the base image's.
        return Err(ExportError::NoBase { digest: known.digest });
    }
    let known = known.filter(|known| store.has_blob(&known.digest));
    if let Some(known) = &known {
        let same = compression_of(&known.media_type) == Some(options.compression) && options.level.is_none();
        if clamp.is_none() && (same || (is_base && !options.force_compression)) {
            return Ok(known.clone());
        }
    }
    let mut writer = store.blob_writer()?;
    let failed = |source| ExportError::Write { action: "compress", path: layer.path.clone(), source };
    let diff_id = {
        let to = Compressor::new(BufWriter::with_capacity(PIECE, &mut writer), options).map_err(failed)?;
        let mut hashed = HashWriter { to, hasher: Sha256::new() };
        let old = known.filter(|_| is_base);
        match &old {
            Some(known) => {
                let old = store.open_blob(&known.digest, Some(known.size))?;
                let copied = decompressed(old).and_then(|mut old| io::copy(&mut old, &mut hashed));
                if let Err(error) = copied {
                    // Damage shows as an archive that cannot be read; or it was something else.
                    store.check_copy(&known.digest, &store.blob_path(&known.digest))?;
                    return Err(failed(error));
                }
            }
            None => write_layer(store, layer, below, clamp, &mut hashed)?,
        }
        let HashWriter { to, hasher } = hashed;
        to.finish().map_err(failed)?;
        let diff_id = Digest::from_raw(hasher.finalize().into());
        if let Some(known) = old.filter(|known| known.diff_id != diff_id) {
            let what = format!("it unpacks to {diff_id}, not to {}", known.diff_id);
            return Err(StoreError::Damaged { digest: known.digest, what }.into());
        }
        diff_id
    };
    let (digest, size) = store.finish_blob(writer, None)?;
    let media_type = match options.compression {
        Compression::Uncompressed => media_type::LAYER_TAR,
        Compression::Gzip => media_type::LAYER_GZIP,
        Compression::Zstd => media_type::LAYER_ZSTD,
    };
    let blob = LayerBlob { diff_id, digest, media_type: media_type.to_owned(), size };
    // What the next output takes without asking is the plain form.
    if clamp.is_none() && !is_base && options.level.is_none() {
        store.set_layer_blob(layer.id, &blob)?;
    }
    Ok(blob)
}

fn compression_of(media_type: &str) -> Option<Compression> {
    match media_type {
        media_type::LAYER_TAR | media_type::DOCKER_LAYER_TAR => Some(Compression::Uncompressed),
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => Some(Compression::Gzip),
        media_type::LAYER_ZSTD => Some(Compression::Zstd),
        _ => None,
    }
}

/// Passes on what is written, and hashes it.
struct HashWriter<W> {
    to: W,
    hasher: Sha256,
}

impl<W: Write> Write for HashWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes a layer directory as a tar stream, without what is `below` already, but for directories that hold
/// something that is not.
fn write_layer(
    store: &Store,
    layer: &Layer,
    below: &[Layer],
    clamp: Option<i64>,
    to: &mut dyn Write,
) -> Result<(), ExportError> {
    let root = File::open(&layer.path).map_err(ExportError::write("read", &layer.path))?;
    let below = Below::open(below, store.owners())?;
    let mut tar = tar::Builder::new(to);
    let place = Place { prefix: Path::new(""), clamp };
    write_tree(root.as_fd(), store.owners(), Some(&below), place, &mut tar)?;
    tar.finish().map_err(ExportError::write("archive", &layer.path))
}

/// Where entries of an archive go, and when they were made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// In front of every name.
    pub(super) prefix: &'a Path,
    /// Nothing is younger than this, in seconds since 1970.
    pub(super) clamp: Option<i64>,
}

/// Writes what is in the directory `root` and not `below`: a layer over others. Without `below` it is a whole tree, in
/// which marks of overlayfs mean nothing.
pub(super) fn write_tree<W: Write>(
    root: BorrowedFd<'_>,
    owners: Owners,
    below: Option<&Below>,
    place: Place<'_>,
    tar: &mut tar::Builder<W>,
) -> Result<(), ExportError> {
    let mut links: HashMap<(u64, u64), PathBuf> = HashMap::new();
    let mut unsaid: Vec<Directory> = vec![];
    let everything = |_: &Path, _: bool| Visibility::Show;
    walk(owners, root, OsStr::new("."), &everything, &mut |entry: &Entry<'_>| -> Result<(), ExportError> {
        if entry.path.as_os_str().is_empty() {
            return Ok(());
        }
        let fail = |error: io::Error| RootError::new("cannot archive", entry.path, error);
        let path = place.prefix.join(entry.path);
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(fail(Errno::NAMETOOLONG.into()).into());
        }
        let Some(marks) = marks(entry, below).map_err(|errno| fail(errno.into()))? else { return Ok(()) };
        let is_said = below.map_or(Ok(false), |below| below.says(entry));
        let is_said = is_said.map_err(|errno| fail(errno.into()))?;
        let mut stat = entry.stat;
        stat.st_mtime = place.clamp.map_or(stat.st_mtime, |latest| stat.st_mtime.min(latest));
        let entry = &Entry { directory: entry.directory, name: entry.name, path: &path, stat };
        let mut xattrs = if marks == Marks::Removed { vec![] } else { entry.xattrs()? };
        if below.is_some() {
            // As in BuildKit's layers: what is noted on files stays on this machine.
            xattrs.retain(|(name, _)| name == b"security.capability");
        }
        unsaid.retain(|directory| entry.path.starts_with(&directory.path));
        if is_said {
            if entry.kind() == EntryKind::Directory {
                unsaid.push(Directory::of(entry, xattrs));
            }
            return Ok(());
        }
        for directory in unsaid.drain(..) {
            directory.write(tar).map_err(fail)?;
        }
        write_entry(tar, entry, (marks, xattrs), &mut links).map_err(|error| match error {
            Failed::Read(error) => error,
            Failed::Write(error) => fail(error),
        })?;
        Ok(())
    })
}

/// What a layer says of a name besides what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    None,
    /// It is removed from the layers below.
    Removed,
    /// What the layers below have in it does not show.
    Opaque,
}

/// The marks of an entry that mean something; `None` when it is nothing else.
fn marks(entry: &Entry<'_>, below: Option<&Below>) -> rustix::io::Result<Option<Marks>> {
    if is_whiteout(&entry.stat) {
        let removes = below.map_or(Ok(false), |below| below.has(entry.path))?;
        return Ok(removes.then_some(Marks::Removed));
    }
    let is_opaque = entry.kind() == EntryKind::Directory && is_opaque(entry.directory, entry.name)?;
    let hides = match below {
        Some(below) if is_opaque => below.has_directory(entry.path)?,
        Some(_) | None => false,
    };
    Ok(Some(if hides { Marks::Opaque } else { Marks::None }))
}

/// The entry of a directory, to be written when something in it is.
struct Directory {
    path: PathBuf,
    header: Header,
    ids: (u32, u32),
    xattrs: Xattrs,
}

impl Directory {
    fn of(entry: &Entry<'_>, xattrs: Xattrs) -> Self {
        let mut header = header(entry);
        header.set_entry_type(EntryType::Directory);
        Self { path: entry.path.to_owned(), header, ids: (entry.stat.st_uid, entry.stat.st_gid), xattrs }
    }

    fn write<W: Write>(mut self, tar: &mut tar::Builder<W>) -> io::Result<()> {
        extended(tar, self.ids, &self.xattrs, None)?;
        let mut path = self.path.into_os_string();
        path.push("/");
        tar.append_data(&mut self.header, &path, io::empty())
    }
}

enum Failed {
    Read(RootError),
    Write(io::Error),
}

impl From<RootError> for Failed {
    fn from(error: RootError) -> Self {
        Self::Read(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

fn write_entry<W: Write>(
    tar: &mut tar::Builder<W>,
    entry: &Entry<'_>,
    (marks, xattrs): (Marks, Xattrs),
    links: &mut HashMap<(u64, u64), PathBuf>,
) -> Result<(), Failed> {
    let kind = FileType::from_raw_mode(entry.stat.st_mode);
    if marks == Marks::Removed {
        let mut name = b".wh.".to_vec();
        name.extend_from_slice(entry.name.as_bytes());
        return Ok(empty(tar, &entry.path.with_file_name(OsStr::from_bytes(&name)))?);
    }
    if kind.is_dir() {
        Directory::of(entry, xattrs).write(tar)?;
        if marks == Marks::Opaque {
            empty(tar, &entry.path.join(".wh..wh..opq"))?;
        }
        return Ok(());
    }
    // A socket means nothing without the process that listens on it; BuildKit leaves it out too.
    if matches!(kind, FileType::Socket | FileType::Unknown) {
        return Ok(());
    }
    let ids = (entry.stat.st_uid, entry.stat.st_gid);
    let mut header = header(entry);
    if entry.stat.st_nlink > 1 {
        let inode = (entry.stat.st_dev, entry.stat.st_ino);
        if let Some(first) = links.get(&inode) {
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            return Ok(link(tar, (header, ids), entry.path, first.as_os_str().as_bytes(), &vec![])?);
        }
        links.insert(inode, entry.path.to_owned());
    }
    if kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        return Ok(link(tar, (header, ids), entry.path, &link_target(entry)?, &xattrs)?);
    }
    extended(tar, ids, &xattrs, None)?;
    match kind {
        FileType::RegularFile => {
            header.set_entry_type(EntryType::Regular);
            let size = entry.stat.st_size.unsigned_abs();
            header.set_size(size);
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(entry.directory, entry.name, flags, Mode::empty())
                .map_err(io::Error::from)?;
            tar.append_data(&mut header, entry.path, Exactly::open(fd.into(), size))?;
        }
        FileType::Fifo => {
            header.set_entry_type(EntryType::Fifo);
            tar.append_data(&mut header, entry.path, io::empty())?;
        }
        FileType::CharacterDevice | FileType::BlockDevice => {
            let character = kind == FileType::CharacterDevice;
            header.set_entry_type(if character { EntryType::Char } else { EntryType::Block });
            header.set_device_major(rustix::fs::major(entry.stat.st_rdev))?;
            header.set_device_minor(rustix::fs::minor(entry.stat.st_rdev))?;
            tar.append_data(&mut header, entry.path, io::empty())?;
        }
        FileType::Directory | FileType::Symlink | FileType::Socket | FileType::Unknown => {}
    }
    Ok(())
}

/// Bytes that are read or written at once.
const PIECE: usize = 128 << 10;

/// A file of which the size is known: nothing is read to find its end, and an end that comes early is an error, since
/// the header of the entry has been written. Large files are read in large pieces.
struct Exactly {
    file: File,
    left: u64,
}

impl Exactly {
    fn open(file: File, size: u64) -> BufReader<Self> {
        let piece = usize::try_from(size).map_or(PIECE, |size| size.min(PIECE));
        BufReader::with_capacity(piece, Self { file, left: size })
    }
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.file.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

fn header(entry: &Entry<'_>) -> Header {
    let mut header = Header::new_ustar();
    header.set_mode(entry.stat.st_mode & 0o7777);
    header.set_uid(u64::from(entry.stat.st_uid));
    header.set_gid(u64::from(entry.stat.st_gid));
    header.set_mtime(u64::try_from(entry.stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

/// Writes a link with its target as it is: the crate's own `append_link` makes `a//b` and `./b` other ones.
fn link<W: Write>(
    tar: &mut tar::Builder<W>,
    (mut header, ids): (Header, (u32, u32)),
    path: &Path,
    target: &[u8],
    xattrs: &Xattrs,
) -> io::Result<()> {
    let is_long = header.set_link_name_literal(target).is_err();
    extended(tar, ids, xattrs, is_long.then_some(target))?;
    tar.append_data(&mut header, path, io::empty())
}

/// Writes the records that the header has no room for.
fn extended<W: Write>(
    tar: &mut tar::Builder<W>,
    (uid, gid): (u32, u32),
    xattrs: &Xattrs,
    link: Option<&[u8]>,
) -> io::Result<()> {
    let names: Vec<String> =
        xattrs.iter().map(|(name, _)| format!("SCHILY.xattr.{}", String::from_utf8_lossy(name))).collect();
    let records = names.iter().zip(xattrs).map(|(name, (_, value))| (name.as_str(), value.as_slice()));
    let mut records: Vec<(&str, &[u8])> = records.collect();
    // ustar holds 21 bits of an id; subordinate ids of large installations need more.
    let (long_uid, long_gid) = (uid.to_string(), gid.to_string());
    if uid >= 1 << 21 {
        records.push(("uid", long_uid.as_bytes()));
    }
    if gid >= 1 << 21 {
        records.push(("gid", long_gid.as_bytes()));
    }
    records.extend(link.map(|target| ("linkpath", target)));
    if records.is_empty() { Ok(()) } else { tar.append_pax_extensions(records) }
}

fn empty<W: Write>(tar: &mut tar::Builder<W>, path: &Path) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0);
    header.set_size(0);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, path, io::empty())
}

#[cfg(test)]
mod tests;
