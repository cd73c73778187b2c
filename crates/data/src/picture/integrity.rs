//! Checks of a file's structure that the decoders omit.

/// Whether a JPEG's first scan is followed by an end marker.
///
/// The decoder fills missing parts with grey and reports success, which would make a classifier answer nonsense. Within a
/// scan the byte 0xFF is always escaped, so the marker's two bytes cannot be anything else. The search starts at the scan
/// because a thumbnail in the header has its own end marker.
pub(super) fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = array(bytes, at) {
        if marker == 0xFF {
            at += 1; // a fill byte
            continue;
        }
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    // The layout is unfamiliar: leave the verdict to the decoder.
    true
}

/// Whether every chunk of a WebP lies within the file, and an animation's first frame has the size that it claims.
///
/// image-webp 0.2.4 allocates whatever a chunk's header asks for, up to 4 GB, and panics if a lossy frame with transparency
/// differs in size from its frame header.
pub(super) fn webp_is_consistent(bytes: &[u8]) -> bool {
    let mut first_frame = true;
    let mut at = 12; // RIFF, size, WEBP
    while let Some(chunk) = Chunk::at(bytes, at) {
        let Some(content) = chunk.content else { return false };
        if chunk.kind == b"ANMF" && std::mem::take(&mut first_frame) && !webp_frame_is_consistent(content) {
            return false;
        }
        at = chunk.next;
    }
    true
}

/// Checks one frame: position (6 bytes), width and height minus 1 (3 bytes each), duration and flags (4 bytes), chunks.
fn webp_frame_is_consistent(frame: &[u8]) -> bool {
    let Some(Chunk { kind: b"ALPH", next, .. }) = Chunk::at(frame, 16) else { return true };
    let Some(Chunk { kind: b"VP8 ", content: Some(lossy), .. }) = Chunk::at(frame, next) else { return false };
    // VP8: frame tag and start code (3 bytes each), width and height (14 bits each, the rest is a scale).
    let (Some(&[w0, w1, w2, h0, h1, h2]), Some(&[w_low, w_high, h_low, h_high])) = (array(frame, 6), array(lossy, 6))
    else {
        return false;
    };
    let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
    let lossy_side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    (side(w0, w1, w2), side(h0, h1, h2)) == (lossy_side(w_low, w_high), lossy_side(h_low, h_high))
}

/// A chunk of a WebP file.
struct Chunk<'a> {
    kind: &'a [u8; 4],
    /// `None` if the file ends before the content does.
    content: Option<&'a [u8]>,
    /// Where the next chunk starts.
    next: usize,
}

impl<'a> Chunk<'a> {
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let size = u32::from_le_bytes(*array(bytes, at + 4)?) as usize;
        let start = at + 8;
        let end = start.checked_add(size)?;
        Some(Self { kind: array(bytes, at)?, content: bytes.get(start..end), next: end.checked_add(size % 2)? })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}
