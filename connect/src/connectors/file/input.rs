//! A file's bytes, decompressed if need be, with their position.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// The longest row, in bytes. What is longer is taken for damage (a quote that is never closed
/// swallows the rest of a file); it is also all the memory that one row may take.
pub(super) const ROW_BYTES_MAX: usize = 16 << 20;

enum Source {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// A file that is read from a position on. Positions count decompressed bytes.
pub(super) struct Input {
    path: PathBuf,
    source: Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl Input {
    /// Opens a file at its start. A name that ends in `.gz` is decompressed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let source = if is_compressed(path) {
            Source::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                CHUNK, file,
            ))))
        } else {
            Source::Plain(file)
        };
        let path = path.to_owned();
        Ok(Self {
            path,
            source,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            position: 0,
        })
    }

    /// Bytes read and not consumed yet.
    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// The position of the first byte of [`data`](Self::data).
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Moves past bytes of [`data`](Self::data).
    pub(super) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.position += bytes as u64;
    }

    /// Reads more behind what is there. False at the end of the file as it is now.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            if self.buffer.len() >= ROW_BYTES_MAX {
                let reason = format!("a row is longer than {ROW_BYTES_MAX} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let read = self.source.read(free)?;
        self.end += read;
        Ok(read > 0)
    }

    /// Goes on at `position`, which must be in the file and not before the present one for a
    /// compressed file.
    pub(super) fn advance_to(&mut self, position: u64) -> io::Result<()> {
        let shorter = |length: u64| {
            let reason = format!(
                "it has {length} bytes, but was read up to {position} before: it was cut or \
                 replaced; give the new content a new name, or use a new connector name"
            );
            io::Error::new(io::ErrorKind::InvalidData, reason)
        };
        if let Source::Plain(file) = &mut self.source {
            let length = file.metadata()?.len();
            if length < position {
                return Err(shorter(length));
            }
            file.seek(SeekFrom::Start(position))?;
            (self.start, self.end, self.position) = (0, 0, position);
            return Ok(());
        }
        while self.position < position {
            let missing = usize::try_from(position - self.position).unwrap_or(usize::MAX);
            let available = self.data().len();
            if available == 0 && !self.fill()? {
                return Err(shorter(self.position));
            }
            self.consume(missing.min(self.data().len()));
        }
        Ok(())
    }

    /// For a plain file: whether it is shorter than what was read of it, so that it cannot be
    /// followed any more.
    pub(super) fn was_cut(&self) -> io::Result<bool> {
        match &self.source {
            Source::Plain(file) => {
                let read = self.position + (self.end - self.start) as u64;
                Ok(file.metadata()?.len() < read)
            }
            Source::Gzip(_) => Ok(false),
        }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a file of this name is decompressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// How many bytes a file has, decompressed. For a compressed one this is what its trailer says,
/// which is exact below 4 GiB for a file of one member.
pub(super) fn content_length(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if !is_compressed(path) || length < 18 {
        return Ok(length);
    }
    file.seek(SeekFrom::End(-4))?;
    let mut trailer = [0; 4];
    file.read_exact(&mut trailer)?;
    Ok(u64::from(u32::from_le_bytes(trailer)))
}
