use bytes::Bytes;

use super::header::{CRC_START, LENGTH_OVERHEAD, check_length};
use super::{BATCH_HEADER_LEN, BatchError, BatchHeader, Compression, DecompressionLimits, Records};

/// One batch as it stands on the wire, with its header read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    /// The batch's header.
    pub header: BatchHeader,
    /// The whole batch, header included: exactly `header.size_in_bytes()` bytes.
    pub bytes: Bytes,
}

impl RecordBatch {
    /// Splits the first batch off `input` without copying.
    ///
    /// `None`, with `input` as it was, if the batch is not there to its end: fetch responses and
    /// reads of a segment may stop anywhere.
    ///
    /// # Errors
    /// A header that cannot be right; the checksum is not looked at.
    pub fn split_from(input: &mut Bytes) -> Result<Option<Self>, BatchError> {
        let Some(length) = input
            .get(8..LENGTH_OVERHEAD)
            .and_then(|raw| raw.try_into().ok())
        else {
            return Ok(None);
        };
        check_length(i32::from_be_bytes(length))?;
        if input.len() < BATCH_HEADER_LEN {
            return Ok(None);
        }
        let header = BatchHeader::parse(input)?;
        let size = header.size_in_bytes();
        if input.len() < size {
            return Ok(None);
        }
        Ok(Some(Self {
            header,
            bytes: input.split_to(size),
        }))
    }

    /// Checks the CRC-32C over everything from the attributes on.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if the content is not what the producer wrote.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c::crc32c(self.bytes.get(CRC_START..).unwrap_or_default());
        if computed != self.header.crc {
            return Err(BatchError::Crc {
                base_offset: self.header.base_offset,
                stored: self.header.crc,
                computed,
            });
        }
        Ok(())
    }

    /// The batch's records: a slice of it, or decompressed within the default limits.
    ///
    /// # Errors
    /// See [`records_within`](Self::records_within).
    pub fn records(&self) -> Result<Records, BatchError> {
        self.records_within(DecompressionLimits::default())
    }

    /// The batch's records: a slice of it, or decompressed within `limits`.
    ///
    /// # Errors
    /// Compressed records that are malformed or exceed the limits, or a record count that the
    /// bytes cannot hold.
    pub fn records_within(&self, limits: DecompressionLimits) -> Result<Records, BatchError> {
        let start = BATCH_HEADER_LEN.min(self.bytes.len());
        let body = self.bytes.slice(start..);
        let body = match self.header.compression()? {
            Compression::None => body,
            codec => Bytes::from(codec.decompress(&body, limits)?),
        };
        Records::new(self.header, body)
    }
}
