//! How large layers get once they are unpacked: an estimate, by what their files tell without being read whole.

use std::io::Read as _;

use crate::domain::digest::Digest;
use crate::domain::media_type::{self as mt, Compression};
use crate::engine::bundle::read::BundleReader;

/// How much larger a layer is unpacked, where its file does not tell.
const GROWTH: u64 = 3;
/// The longest header of a frame that tells its length, in bytes (RFC 8878, 3.1.1).
const FRAME: u64 = 18;

/// Bytes of a layer once unpacked, about. `size` is its length as it is carried. Blocks.
pub(super) fn estimate(bundle: &BundleReader, digest: &Digest, size: u64, media_type: &str) -> u64 {
    let read = |offset: u64, bytes: &mut [u8]| bundle.open(digest, offset).ok()?.read_exact(bytes).ok();
    let told = match mt::layer_compression(media_type) {
        Some(Compression::None) => return size,
        // Its last four bytes are the length before compression, modulo 2^32 (RFC 1952, ISIZE).
        Some(Compression::Gzip) if size > FRAME => {
            let mut tail = [0; 4];
            read(size - 4, &mut tail).map(|()| u64::from(u32::from_le_bytes(tail)))
        }
        Some(Compression::Zstd) if size > FRAME => {
            let mut head = [0; FRAME as usize];
            read(0, &mut head).and_then(|()| zstd::zstd_safe::get_frame_content_size(&head).ok().flatten())
        }
        _ => None,
    };
    likely(size, told)
}

/// What the file tells, where that can be the whole: of several members or frames it is the length of one.
fn likely(size: u64, told: Option<u64>) -> u64 {
    // What cannot be compressed gets a little longer.
    let whole = told.filter(|told| told.saturating_add(told / 64 + 64) >= size);
    whole.map_or_else(|| size.saturating_mul(GROWTH), |told| told.max(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_tells_is_believed_where_it_can_be_the_whole() {
        for (size, told, about) in [
            (1_000, Some(4_000), 4_000),
            (1_000_030, Some(1_000_000), 1_000_030),
            (1_000_000, Some(5_000), 3_000_000),
            (1_000, None, 3_000),
            (u64::MAX, None, u64::MAX),
        ] {
            assert_eq!(likely(size, told), about, "{size} {told:?}");
        }
    }
}
