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

/// Records up to this length are looked for first: most are short.
const SHORT_BYTES: usize = 1 << 12;

/// Bytes that a search for records may put through the checksum, so that a long torn tail, each byte of which may
/// look like a length, is given up after a second.
const SEARCH_BYTES_MAX: usize = 1 << 30;

/// Whether a whole record begins anywhere in `bytes`: first the short ones are tried, then all.
pub(super) fn holds_a_record(bytes: &[u8]) -> bool {
    [SHORT_BYTES, LOG_RECORD_BYTES_MAX].into_iter().any(|longest| {
        let mut budget = SEARCH_BYTES_MAX;
        bytes.windows(FRAME_BYTES).zip(FRAME_BYTES..).any(|(head, payload_at)| {
            let frame = Frame::parse(head.try_into().expect("a window has the length of a frame"));
            let payload = bytes[payload_at..].get(..frame.payload_len);
            let Some(payload) = payload.filter(|payload| payload.len() <= longest.min(budget)) else {
                return false;
            };
            budget -= payload.len();
            checksum(frame.kind, payload) == frame.checksum
        })
    })
}
