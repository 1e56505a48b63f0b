//! Frames and the groups they are written in.

use uuid::Uuid;

use crate::encoding::{Fields, PutFields};
use crate::id::TopicPartitionId;
use crate::lsn::Lsn;

/// Groups start at multiples of this, so that a torn group never damages a synced one.
pub(super) const BLOCK: u64 = 4096;

/// Bytes before a frame's payload.
pub(crate) const FRAME_HEADER: usize = 60;

/// Bytes before a group's first frame.
pub(super) const GROUP_HEADER: usize = 64;

const GROUP_MAGIC: u32 = u32::from_le_bytes(*b"HWGR");

/// What a frame says about its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// The payload's batches were appended at the position.
    Append,
    /// The log was cut so that it ends at the position.
    Truncate,
    /// The log now starts at the position.
    LogStart,
    /// The partition was deleted.
    Delete,
}

impl FrameKind {
    const fn code(self) -> u32 {
        match self {
            Self::Append => 1,
            Self::Truncate => 2,
            Self::LogStart => 3,
            Self::Delete => 4,
        }
    }

    const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Append),
            2 => Some(Self::Truncate),
            3 => Some(Self::LogStart),
            4 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// A frame to be staged: the payload is the parts one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameRef<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) id: TopicPartitionId,
    /// An offset in the partition.
    pub(crate) position: i64,
    pub(crate) parts: &'a [&'a [u8]],
}

/// Appends header and payload; the header's checksum is filled in by [`chain`] when the frame's
/// predecessor is known.
pub(super) fn put_frame(out: &mut Vec<u8>, frame: &FrameRef<'_>, incarnation: u64, lsn: Lsn) {
    let start = out.len();
    let mut crc = 0;
    let mut len = 0;
    for part in frame.parts {
        crc = crc32c::crc32c_append(crc, part);
        len += part.len();
    }
    out.reserve(FRAME_HEADER + len);
    out.put_len(len);
    out.put_u32(frame.kind.code());
    out.put_u64(incarnation);
    out.put_u64(lsn.get());
    out.put(frame.id.topic.as_bytes());
    out.put_i32(frame.id.partition);
    out.put_u32(crc);
    out.put_i64(frame.position);
    out.put_u32(0);
    debug_assert_eq!(out.len() - start, FRAME_HEADER);
    for part in frame.parts {
        out.put(part);
    }
}

const CRC_AT: usize = FRAME_HEADER - 4;

/// Fills in a frame's checksum, which starts from its predecessor's, and returns it.
pub(super) fn chain(frame: &mut [u8], predecessor: u32) -> u32 {
    let Some(header) = frame.first_chunk_mut::<FRAME_HEADER>() else {
        return predecessor;
    };
    let (fields, crc_field) = header.split_at_mut(CRC_AT);
    let crc = crc32c::crc32c_append(predecessor, fields);
    crc_field.copy_from_slice(&crc.to_le_bytes());
    crc
}

/// A frame read back; the payload is still in the group's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: FrameKind,
    pub(super) id: TopicPartitionId,
    pub(super) position: i64,
    pub(super) payload: &'a [u8],
    pub(super) crc: u32,
}

/// Takes the next frame off a group; `None` if the bytes are not the frame that must follow.
pub(super) fn take_frame<'a>(
    bytes: &mut &'a [u8],
    incarnation: u64,
    lsn: Lsn,
    predecessor: u32,
) -> Option<Frame<'a>> {
    let (header, rest) = bytes.split_at_checked(FRAME_HEADER)?;
    let mut fields = Fields::new(header);
    let len = usize::try_from(fields.u32()?).ok()?;
    let kind = FrameKind::from_code(fields.u32()?)?;
    if fields.u64()? != incarnation || fields.u64()? != lsn.get() {
        return None;
    }
    let topic: Uuid = fields.uuid()?;
    let partition = fields.i32()?;
    let payload_crc = fields.u32()?;
    let position = fields.i64()?;
    let crc = fields.u32()?;
    if crc32c::crc32c_append(predecessor, header.get(..CRC_AT)?) != crc {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(len)?;
    if crc32c::crc32c(payload) != payload_crc {
        return None;
    }
    *bytes = rest;
    Some(Frame {
        kind,
        id: TopicPartitionId { topic, partition },
        position,
        payload,
        crc,
    })
}

/// In front of a group's frames. Its own checksum starts from nothing, so that a group can be
/// recognised behind a damaged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupHeader {
    pub(super) incarnation: u64,
    pub(super) first: Lsn,
    /// Last sequence number that was synced before this group was written.
    pub(super) last_synced: Lsn,
    /// Number of the file in this incarnation.
    pub(super) sequence: u64,
    /// Bytes of frames behind this header.
    pub(super) frame_bytes: u32,
    /// Checksum of the frame before the group's first.
    pub(super) predecessor: u32,
}

impl GroupHeader {
    pub(super) fn encode(&self) -> [u8; GROUP_HEADER] {
        let mut out = Vec::with_capacity(GROUP_HEADER);
        out.put_u32(GROUP_MAGIC);
        out.put_u32(self.frame_bytes);
        out.put_u64(self.incarnation);
        out.put_u64(self.first.get());
        out.put_u64(self.last_synced.get());
        out.put_u64(self.sequence);
        out.put_u32(self.predecessor);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        let mut header = [0; GROUP_HEADER];
        header[..out.len()].copy_from_slice(&out);
        header
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        if fields.u32()? != GROUP_MAGIC {
            return None;
        }
        let frame_bytes = fields.u32()?;
        let incarnation = fields.u64()?;
        let first = Lsn::new(fields.u64()?);
        let last_synced = Lsn::new(fields.u64()?);
        let sequence = fields.u64()?;
        let predecessor = fields.u32()?;
        let crc = fields.u32()?;
        (crc32c::crc32c(bytes.get(..44)?) == crc).then_some(Self {
            incarnation,
            first,
            last_synced,
            sequence,
            frame_bytes,
            predecessor,
        })
    }
}

/// Bytes on disk of a group with this many bytes of frames.
pub(super) const fn group_size(frame_bytes: u64) -> u64 {
    (GROUP_HEADER as u64 + frame_bytes).next_multiple_of(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_back_only_in_its_place() {
        let id = TopicPartitionId {
            topic: Uuid::from_u128(3),
            partition: 4,
        };
        let frame = FrameRef {
            kind: FrameKind::Append,
            id,
            position: 17,
            parts: &[b"ab", b"", b"cde"],
        };
        let mut bytes = Vec::new();
        put_frame(&mut bytes, &frame, 5, Lsn::new(9));
        let crc = chain(&mut bytes, 77);
        let read = take_frame(&mut bytes.as_slice(), 5, Lsn::new(9), 77).unwrap();
        assert_eq!(
            (read.kind, read.id, read.position),
            (FrameKind::Append, id, 17)
        );
        assert_eq!((read.payload, read.crc), (b"abcde".as_slice(), crc));
        assert!(
            take_frame(&mut bytes.as_slice(), 5, Lsn::new(9), 78).is_none(),
            "predecessor"
        );
        assert!(
            take_frame(&mut bytes.as_slice(), 6, Lsn::new(9), 77).is_none(),
            "incarnation"
        );
        assert!(
            take_frame(&mut bytes.as_slice(), 5, Lsn::new(8), 77).is_none(),
            "number"
        );
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[byte] ^= 1 << bit;
                let read = take_frame(&mut flipped.as_slice(), 5, Lsn::new(9), 77);
                assert!(read.is_none(), "bit {bit} of byte {byte}");
            }
        }
        for len in 0..bytes.len() {
            assert!(take_frame(&mut &bytes[..len], 5, Lsn::new(9), 77).is_none());
        }
    }

    #[test]
    fn a_group_header_is_read_back_whole_or_not_at_all() {
        let header = GroupHeader {
            incarnation: 1,
            first: Lsn::new(2),
            last_synced: Lsn::new(1),
            sequence: 4,
            frame_bytes: 500,
            predecessor: 6,
        };
        let bytes = header.encode();
        assert_eq!(GroupHeader::decode(&bytes), Some(header));
        for bit in 0..48 * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(GroupHeader::decode(&flipped), None);
        }
    }
}
