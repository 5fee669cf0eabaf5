//! Hashing while bytes go by; the only place that knows the hash crates.

use sha2::{Digest as _, Sha256, Sha512};

use crate::domain::digest::{Algorithm, Digest};

/// Hashes what it is fed, by the algorithm of the digest that is expected.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// A fresh hasher.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of everything it was fed.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::from_raw(Algorithm::Sha256, &hasher.finalize()),
            Self::Sha512(hasher) => Digest::from_raw(Algorithm::Sha512, &hasher.finalize()),
        }
    }
}

/// SHA-256 of a stream, to its end. Blocks.
///
/// # Errors
/// The reader's.
pub fn of_stream(mut reader: impl std::io::Read) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(got) => hasher.update(&buffer[..got]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// SHA-256 of bytes at hand.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}
