//! Streams that may be compressed, told by their first bytes.
//!
//! A stream may be several compressed ones behind each other, as parallel compressors write them. What follows the last
//! is padding or rubbish and left alone, as the compressors' own programs do. Everything up to there counts: who reads to
//! the end hears of a stream that was cut off, and of a checksum that is wrong.

use std::io::{self, BufRead as _, BufReader, Read};

/// The largest window that a zstd frame may ask for, as a power of two: what the format allows. Memory is taken as the
/// content grows.
const ZSTD_WINDOW: u32 = 31;

type Stream<'a> = BufReader<Box<dyn Read + 'a>>;

/// Compressions, by the bytes that a compressed stream begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Format {
    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or one that is to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }
}

/// One of the compressed streams.
enum Part<'a> {
    Gzip(Box<flate2::bufread::GzDecoder<Stream<'a>>>),
    Zstd(zstd::stream::read::Decoder<'static, Stream<'a>>),
    Bzip2(bzip2::bufread::BzDecoder<Stream<'a>>),
    Xz(Box<lzma_rust2::XzReader<Stream<'a>>>),
}

impl<'a> Part<'a> {
    fn begin(format: Format, stream: Stream<'a>) -> io::Result<Self> {
        Ok(match format {
            Format::Gzip => Self::Gzip(Box::new(flate2::bufread::GzDecoder::new(stream))),
            Format::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(stream)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW)?;
                Self::Zstd(decoder)
            }
            Format::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(stream)),
            Format::Xz => Self::Xz(Box::new(lzma_rust2::XzReader::new(stream, false))),
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
        }
    }

    /// What follows it.
    fn into_rest(self) -> Stream<'a> {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Bzip2(decoder) => decoder.into_inner(),
            Self::Xz(decoder) => decoder.into_inner(),
        }
    }
}

struct Decompressed<'a> {
    format: Format,
    /// `None` when all is read.
    part: Option<Part<'a>>,
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(part) = &mut self.part {
            let count = part.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let mut rest = self.part.take().map(Part::into_rest).map_or_else(no_more, Ok)?;
            skip_zeros(&mut rest)?;
            if Format::of(rest.fill_buf()?) == Some(self.format) {
                self.part = Some(Part::begin(self.format, rest)?);
            }
        }
        Ok(0)
    }
}

fn no_more<'a>() -> io::Result<Stream<'a>> {
    Ok(BufReader::new(Box::new(io::empty())))
}

/// Passes over padding.
fn skip_zeros(stream: &mut Stream<'_>) -> io::Result<()> {
    loop {
        let bytes = stream.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let is_more = zeros == bytes.len() && zeros > 0;
        stream.consume(zeros);
        if !is_more {
            return Ok(());
        }
    }
}

/// The content of a stream that may be compressed with gzip, zstd, bzip2 or xz.
///
/// # Errors
/// When the stream cannot be read.
pub fn decompressed<'a>(stream: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stream: Stream<'a> = BufReader::with_capacity(128 * 1024, Box::new(stream));
    match Format::of(stream.fill_buf()?) {
        Some(format) => {
            let part = Some(Part::begin(format, stream)?);
            Ok(Box::new(Decompressed { format, part }))
        }
        None => Ok(Box::new(stream)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The same content in each format.
    fn compressed(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        let mut bzip2 = bzip2::write::BzEncoder::new(vec![], bzip2::Compression::fast());
        let mut xz =
            lzma_rust2::XzWriter::new(vec![], lzma_rust2::XzOptions::with_preset(1)).expect("a writer");
        let mut zstd = zstd::stream::write::Encoder::new(vec![], 1).expect("a writer");
        zstd.include_checksum(true).expect("a checksum");
        gzip.write_all(content).expect("compressed");
        bzip2.write_all(content).expect("compressed");
        xz.write_all(content).expect("compressed");
        zstd.write_all(content).expect("compressed");
        vec![
            ("gzip", gzip.finish().expect("compressed")),
            ("bzip2", bzip2.finish().expect("compressed")),
            ("xz", xz.finish().expect("compressed")),
            ("zstd", zstd.finish().expect("compressed")),
        ]
    }

    fn content() -> Vec<u8> {
        (0..40_000_u32).flat_map(|number| (number.wrapping_mul(number) >> 3).to_le_bytes()).collect()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = vec![];
        decompressed(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn parts_follow_each_other_and_the_rest_is_left_alone() {
        let content = content();
        for (format, whole) in compressed(&content) {
            for (what, behind, times) in [
                ("nothing", vec![], 1),
                ("zeros", vec![0; 200_000], 1),
                ("rubbish", b"rubbish".to_vec(), 1),
                ("a second one", whole.clone(), 2),
                ("padding and a second one", [&[0; 4], &whole[..]].concat(), 2),
            ] {
                let found = read(&[&whole[..], &behind].concat()).expect(format);
                assert!(found == content.repeat(times), "{format}, then {what}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_an_error() {
        for (format, whole) in compressed(&content()) {
            let lengths = (1..40).map(|cut| whole.len() - cut).chain((6..whole.len()).step_by(4_999));
            for length in lengths {
                assert!(read(&whole[..length]).is_err(), "{format}: {length} of {} bytes", whole.len());
            }
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x10;
            assert!(read(&damaged).is_err(), "{format}: a bit is another");
        }
    }

    #[test]
    fn long_windows_and_skipped_frames_are_read() {
        let content = content();
        let mut encoder = zstd::stream::write::Encoder::new(vec![], 1).expect("a writer");
        encoder.long_distance_matching(true).and_then(|()| encoder.window_log(30)).expect("a long window");
        encoder.write_all(&content).expect("compressed");
        let long = encoder.finish().expect("compressed");
        assert!(read(&long).expect("read") == content);
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7], &long[..]].concat();
        assert!(read(&skipped).expect("read") == content);
    }
}
