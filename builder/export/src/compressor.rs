//! A stream that is compressed on its way, to the same bytes for the same bytes.

use std::io::{self, Write};

use flate2::GzBuilder;

use super::options::{Compression, ImageOptions};

/// Compresses what is written to it.
pub(super) enum Compressor<W: Write> {
    Uncompressed(W),
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Compressor<W> {
    /// As `options` say. gzip is told neither a name nor a time.
    pub(super) fn new(to: W, options: &ImageOptions) -> io::Result<Self> {
        Ok(match options.compression {
            Compression::Uncompressed => Self::Uncompressed(to),
            Compression::Gzip => {
                let level = options.level.and_then(|level| u32::try_from(level).ok());
                let level = level
                    .map_or(flate2::Compression::default(), |level| flate2::Compression::new(level.min(9)));
                Self::Gzip(GzBuilder::new().write(to, level))
            }
            Compression::Zstd => {
                let level = options.level.unwrap_or(3).clamp(1, 22);
                Self::Zstd(zstd::stream::write::Encoder::new(to, level)?)
            }
        })
    }

    /// Writes what is still inside.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Uncompressed(mut to) => to.flush(),
            Self::Gzip(to) => to.finish()?.flush(),
            Self::Zstd(to) => to.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Uncompressed(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
            Self::Zstd(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Uncompressed(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
            Self::Zstd(to) => to.flush(),
        }
    }
}
