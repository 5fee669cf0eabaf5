//! Unpacks layers to compare them with the image configurations, within bounds: a bomb ends it.

use std::io::{self, Read};

use super::graph::LayerCheck;
use super::hash_all::{BUFFER, HashError};
use crate::domain::media_type::{Compression, layer_compression};
use crate::engine::error::Result;
use crate::engine::hash::Hasher;
use crate::engine::meter::Meter;

/// A layer may unpack to this many times its length …
const MAX_RATIO: u64 = 2048;
/// … or to this many bytes where that is more.
const RATIO_FLOOR: u64 = 1 << 30;
/// Unpacking needs at most this window: 2^27 bytes.
const MAX_WINDOW_LOG: u32 = 27;

/// Hashes what passes through it.
pub(super) struct Tee<'a, R> {
    pub(super) inner: R,
    pub(super) hasher: Hasher,
    pub(super) meter: &'a Meter,
    /// Why the stream could not be read further.
    pub(super) broken: Option<io::Error>,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(got) => {
                self.hasher.update(&buffer[..got]);
                self.meter.add(got as u64);
                Ok(got)
            }
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                let again = io::Error::new(error.kind(), error.to_string());
                self.broken = Some(error);
                Err(again)
            }
            Err(error) => Err(error),
        }
    }
}

/// Unpacks a layer and compares what comes out with what its image configuration says.
///
/// # Errors
/// [`HashError`]; also for what grows beyond all measure.
pub(super) fn unpack(stream: &mut impl Read, check: &LayerCheck, size: u64, buffer: &mut [u8]) -> Result<()> {
    let layer = check.layer.digest.clone();
    let broken = |error: io::Error| HashError::Unpack { layer: layer.clone(), reason: error.to_string() };
    let stream = io::BufReader::with_capacity(BUFFER, stream);
    let mut plain: Box<dyn Read + '_> = match layer_compression(&check.layer.media_type) {
        Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(stream)),
        Some(Compression::Zstd) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(stream).map_err(broken)?;
            decoder.window_log_max(MAX_WINDOW_LOG).map_err(broken)?;
            Box::new(decoder)
        }
        Some(Compression::None) | None => Box::new(stream),
    };
    let limit = size.saturating_mul(MAX_RATIO).max(RATIO_FLOOR);
    let mut hasher = Hasher::new(check.diff_id.algorithm());
    let mut total = 0u64;
    loop {
        let got = match plain.read(buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error).into()),
        };
        total += got as u64;
        if total > limit {
            let reason = format!("it grows beyond {limit} bytes from {size}: a decompression bomb");
            return Err(HashError::Unpack { layer, reason }.into());
        }
        hasher.update(&buffer[..got]);
    }
    let actual = hasher.finish();
    if actual == check.diff_id {
        Ok(())
    } else {
        Err(HashError::DiffId { layer, expected: check.diff_id.clone(), actual }.into())
    }
}
