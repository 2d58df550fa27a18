//! The bytes of a record.

use crate::limits::LOG_RECORD_BYTES_MAX;

/// What a segment begins with.
pub(super) const MAGIC: [u8; 8] = *b"herdrlog";
/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 12;
/// Bytes of a record before its payload.
pub(super) const FRAME_BYTES: usize = 9;

/// The checksum of a record.
pub(super) fn checksum(kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

/// What stands before a payload.
pub(super) fn frame(kind: u8, payload: &[u8]) -> [u8; FRAME_BYTES] {
    let mut bytes = [0; FRAME_BYTES];
    bytes[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes[4] = kind;
    bytes[5..].copy_from_slice(&checksum(kind, payload).to_le_bytes());
    bytes
}

/// A frame taken apart.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) payload_len: usize,
    pub(super) kind: u8,
    pub(super) checksum: u32,
}

impl Frame {
    pub(super) fn parse(bytes: &[u8; FRAME_BYTES]) -> Self {
        let [a, b, c, d, kind, e, f, g, h] = *bytes;
        let payload_len = u32::from_le_bytes([a, b, c, d]) as usize;
        Self { payload_len, kind, checksum: u32::from_le_bytes([e, f, g, h]) }
    }

    pub(super) const fn too_long(&self) -> bool {
        self.payload_len > LOG_RECORD_BYTES_MAX
    }
}

/// Whether a whole record begins anywhere in `bytes`.
pub(super) fn holds_a_record(bytes: &[u8]) -> bool {
    (0..bytes.len().saturating_sub(FRAME_BYTES - 1)).any(|start| {
        let (head, rest) = bytes[start..].split_at(FRAME_BYTES);
        let frame = Frame::parse(head.try_into().expect("the head has the length of a frame"));
        rest.get(..frame.payload_len).is_some_and(|payload| checksum(frame.kind, payload) == frame.checksum)
    })
}
