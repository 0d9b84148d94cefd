//! ELF: file header, program headers, interpreter, dynamic flags and notes. Sections are read only for what stands
//! nowhere else (`abi.rs`).

use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::dynamic::{DF_1_PIE, DT_FLAGS_1, DT_NEEDED, DT_NULL, DT_SONAME};
use goblin::elf::header::{ET_DYN, ET_EXEC, ET_REL, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader};
use goblin::elf::section_header::SHT_NOBITS;

use super::facts::{Facts, Format, Kind};
use super::source::{Head, ReadAt};
use super::{ObjectError, abi, notes, word};
use crate::arch::Arch;
use crate::facts::{Endian, glibc_linker};
use crate::libc::Libc;
use crate::os::Os;

/// Longest interpreter path, as Linux's `PATH_MAX`, in bytes.
const LONGEST_INTERPRETER: u64 = 4096;
/// Most program headers accepted; linkers write about fifteen.
const MOST_HEADERS: u16 = 4096;
/// The least that a kernel maps, in bytes.
const PAGE: u64 = 4096;
/// Longest dynamic table or note segment that is read, in bytes.
const LONGEST_SEGMENT: u64 = 64 * 1024;

/// Reads the file header and the program headers.
pub(super) fn headers<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
) -> Result<(Header, Ctx, Vec<ProgramHeader>), ObjectError> {
    if head.bytes().len() < 20 {
        return Err(ObjectError::Truncated("ELF header"));
    }
    let header = Elf::parse_header(head.bytes()).map_err(|_| ObjectError::Truncated("ELF header"))?;
    let ctx = context(&header)?;
    let segments = program_headers(head, &header, ctx)?;
    Ok((header, ctx, segments))
}

pub(super) fn read<S: ReadAt + ?Sized>(head: &Head<'_, S>) -> Result<Facts, ObjectError> {
    let (header, ctx, segments) = headers(head)?;
    let interpreter = interpreter(head, &segments)?;
    let dynamic = dynamic(head, &segments, ctx)?;
    let notes = notes::read(head, &segments, ctx.le)?;
    let bits = if ctx.is_big() { 64 } else { 32 };
    let endian = if ctx.le.is_little() { Endian::Little } else { Endian::Big };
    let kind = match header.e_type {
        ET_EXEC => Kind::Executable,
        ET_DYN if interpreter.is_some() || dynamic.pie => Kind::PieExecutable,
        // A static program of a linker that does not set the flag, such as GNU's before 2.36.
        ET_DYN if header.e_entry != 0 && dynamic.stands_alone() => Kind::PieExecutable,
        ET_DYN => Kind::SharedLibrary,
        ET_REL => Kind::Relocatable,
        _ => Kind::Other,
    };
    let arch = arch(header.e_machine, header.e_flags, bits, endian);
    whole(head, &header, &segments, ctx)?;
    let abi = abi::read(head, arch, header.e_flags, &segments, ctx.le, || sections(head, &header, ctx))?;
    let named = os_abi(&header).or(notes.os);
    let is_program = matches!(kind, Kind::Executable | Kind::PieExecutable);
    Ok(Facts {
        os: named.or_else(|| interpreter.as_deref().and_then(|path| os_of_interpreter(path, arch))),
        needs: notes.needs.filter(|_| arch == Some(Arch::Amd64)).or(abi.needs),
        float_abi: abi.float,
        libc: interpreter.as_deref().and_then(|path| libc_of_interpreter(path, arch)),
        is_static: is_program && interpreter.is_none() && !dynamic.needs_libraries,
        interpreter,
        ..Facts::new(Format::Elf, kind, arch, u32::from(header.e_machine), bits, endian)
    })
}

fn context(header: &Header) -> Result<Ctx, ObjectError> {
    let container =
        header.container().map_err(|_| ObjectError::Malformed("ELF class is neither 32 nor 64"))?;
    let order =
        header.endianness().map_err(|_| ObjectError::Malformed("ELF byte order is neither of the two"))?;
    Ok(Ctx::new(container, order))
}

fn program_headers<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    header: &Header,
    ctx: Ctx,
) -> Result<Vec<ProgramHeader>, ObjectError> {
    let count = header.e_phnum;
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MOST_HEADERS {
        return Err(ObjectError::Malformed("too many program headers"));
    }
    let size = ProgramHeader::size(ctx);
    let bytes = head.range(header.e_phoff, size * usize::from(count), "program header table")?;
    ProgramHeader::parse(&bytes, 0, usize::from(count), ctx)
        .map_err(|_| ObjectError::Malformed("program header table"))
}

fn interpreter<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    segments: &[ProgramHeader],
) -> Result<Option<String>, ObjectError> {
    let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_INTERP) else { return Ok(None) };
    if segment.p_filesz > LONGEST_INTERPRETER {
        return Err(ObjectError::Malformed("interpreter path is longer than a path can be"));
    }
    let bytes = bytes_at(head, segment.p_offset, segment.p_filesz, "interpreter path")?;
    let path = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(path).into_owned()))
}

/// What the dynamic table says that matters here.
#[derive(Default)]
struct Dynamic {
    /// Whether there is one; debug files drop its bytes.
    is_there: bool,
    pie: bool,
    needs_libraries: bool,
    /// Whether programs can ask for it by a name: a library, or the dynamic linker.
    is_named: bool,
}

impl Dynamic {
    const fn stands_alone(&self) -> bool {
        self.is_there && !self.needs_libraries && !self.is_named
    }
}

fn dynamic<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    segments: &[ProgramHeader],
    ctx: Ctx,
) -> Result<Dynamic, ObjectError> {
    let mut found = Dynamic::default();
    let Some(segment) = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC) else {
        return Ok(found);
    };
    // Debug files keep the header and drop the bytes: nothing to read then.
    if segment.p_filesz == 0 || segment.p_filesz > LONGEST_SEGMENT {
        return Ok(found);
    }
    let table = bytes_at(head, segment.p_offset, segment.p_filesz, "dynamic table")?;
    found.is_there = true;
    for (tag, value) in entries(&table, ctx) {
        match tag {
            DT_NEEDED => found.needs_libraries = true,
            DT_SONAME => found.is_named = true,
            DT_FLAGS_1 => found.pie = value & DF_1_PIE != 0,
            _ => {}
        }
    }
    Ok(found)
}

/// Cuts a dynamic table into its tags and values, up to the end mark.
pub(super) fn entries(table: &[u8], ctx: Ctx) -> impl Iterator<Item = (u64, u64)> {
    let size = if ctx.is_big() { 16 } else { 8 };
    let entry =
        move |bytes: &[u8]| Some((word::address(bytes, 0, ctx)?, word::address(bytes, size / 2, ctx)?));
    table.chunks_exact(size).map_while(entry).take_while(|(tag, _)| *tag != DT_NULL)
}

/// Reads a segment or a section, no more of it than [`LONGEST_SEGMENT`].
pub(super) fn bytes_at<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    offset: u64,
    len: u64,
    what: &'static str,
) -> Result<Vec<u8>, ObjectError> {
    head.range(offset, usize::try_from(len.min(LONGEST_SEGMENT)).unwrap_or(0), what)
}

/// A section: its type, and where its bytes are.
pub(super) struct Section {
    pub(super) kind: u32,
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// Length of one entry of the section table, in bytes.
fn section_size(ctx: Ctx) -> usize {
    if ctx.is_big() { 64 } else { 40 }
}

fn sections<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    header: &Header,
    ctx: Ctx,
) -> Result<Vec<Section>, ObjectError> {
    if header.e_shoff == 0 || header.e_shnum == 0 {
        return Ok(Vec::new());
    }
    let size = section_size(ctx);
    let bytes = head.range(header.e_shoff, size * usize::from(header.e_shnum), "section table")?;
    let (offset, len) = if ctx.is_big() { (24, 32) } else { (16, 20) };
    let section = |entry: &[u8]| {
        let (offset, len) = (word::address(entry, offset, ctx)?, word::address(entry, len, ctx)?);
        Some(Section { kind: word::word(entry, 4, ctx.le)?, offset, len })
    };
    Ok(bytes.chunks_exact(size).filter_map(section).collect())
}

/// Linkers write the section table last; Go's writes it first, and patchelf puts sections behind it. A file that ends
/// before either is cut short. Debug files keep segments without their bytes, so those count only where there is no table.
fn whole<S: ReadAt + ?Sized>(
    head: &Head<'_, S>,
    header: &Header,
    segments: &[ProgramHeader],
    ctx: Ctx,
) -> Result<(), ObjectError> {
    if header.e_shnum == 0 {
        let loaded = segments.iter().filter(|segment| segment.p_type == PT_LOAD);
        let ends = loaded.map(|segment| segment.p_offset.saturating_add(segment.p_filesz));
        // The kernel has the last word, and it maps whole pages: what the last one lacks is zero. The original's own
        // tests have such a file. So one byte of the last page is enough.
        let last = ends.max().unwrap_or(0).saturating_sub(1) / PAGE * PAGE;
        return head.reaches(if last == 0 { 0 } else { last + 1 }, "last segment");
    }
    let table = header.e_shoff.saturating_add(u64::from(header.e_shnum) * section_size(ctx) as u64);
    head.reaches(table, "section table")?;
    if head.source_len()?.is_none_or(|len| len == table) {
        return Ok(());
    }
    let sections = sections(head, header, ctx)?;
    let ends = sections.iter().filter(|section| section.kind != SHT_NOBITS);
    let last = ends.map(|section| section.offset.saturating_add(section.len)).max();
    head.reaches(last.unwrap_or(0), "last section")
}

pub(super) fn is_note(segment: &ProgramHeader) -> bool {
    segment.p_type == PT_NOTE && segment.p_filesz <= LONGEST_SEGMENT
}

/// Of architectures that share machine, width and byte order, one whose flags fit wins.
fn arch(machine: u16, flags: u32, bits: u8, endian: Endian) -> Option<Arch> {
    let fits = |arch: &Arch| {
        let facts = arch.facts();
        // Processors with 16-bit pointers have 32-bit files.
        let same = (facts.elf_machine, facts.bits.max(32), facts.endian) == (machine, bits, endian);
        let (mask, value) = facts.elf_flags;
        same && machine != 0 && flags & mask == value
    };
    Arch::ALL.iter().copied().filter(fits).max_by_key(|arch| arch.facts().elf_flags)
}

/// The `EI_OSABI` byte. 0 (System V) says nothing; 3 (GNU) is set by glibc programs on Linux and on the Hurd.
fn os_abi(header: &Header) -> Option<Os> {
    match header.e_ident.get(7).copied() {
        Some(2) => Some(Os::Netbsd),
        Some(6) => Some(Os::Solaris),
        Some(9) => Some(Os::Freebsd),
        Some(12) => Some(Os::Openbsd),
        _ => None,
    }
}

/// Source: default dynamic linkers in each system's toolchain. Solaris's has the name of glibc's on other processors.
fn os_of_interpreter(path: &str, arch: Option<Arch>) -> Option<Os> {
    match path {
        "/libexec/ld-elf.so.1" | "/libexec/ld-elf32.so.1" => Some(Os::Freebsd),
        "/libexec/ld.elf_so" | "/usr/libexec/ld.elf_so" => Some(Os::Netbsd),
        "/usr/libexec/ld-elf.so.2" => Some(Os::Dragonfly),
        "/usr/libexec/ld.so" => Some(Os::Openbsd),
        "/system/bin/linker" | "/system/bin/linker64" => Some(Os::Android),
        "/system/runtime_loader" => Some(Os::Haiku),
        "ld.so.1" => Some(Os::Fuchsia),
        _ if libc_of_interpreter(path, arch).is_some() => Some(Os::Linux),
        _ if path.ends_with("/ld.so.1") && arch.is_some_and(is_solaris) => Some(Os::Solaris),
        _ => None,
    }
}

/// The processors of Solaris and illumos.
const fn is_solaris(arch: Arch) -> bool {
    matches!(arch, Arch::I386 | Arch::Amd64 | Arch::Arm64 | Arch::Sparc | Arch::Sparc64)
}

/// glibc's short names are those of some processors only; a distribution may have its linker in a folder of its own.
fn libc_of_interpreter(path: &str, arch: Option<Arch>) -> Option<Libc> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_glibcs = || {
        let arch = arch?;
        let linkers = arch.variants().iter().filter_map(|variant| glibc_linker(arch, *variant, false));
        linkers.map(|path| path.rsplit('/').next() == Some(name)).find(|same| *same)
    };
    if name.starts_with("ld-musl-") {
        Some(Libc::Musl)
    } else if name.starts_with("ld-linux") || (path != name && is_glibcs().is_some()) {
        Some(Libc::Gnu)
    } else {
        None
    }
}
