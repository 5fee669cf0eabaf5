//! What can go wrong while a blob streams out of the bundle: its bytes, or the medium.

use crate::domain::digest::Digest;
use crate::engine::error::{Explain, FileError, Kind};

/// What can go wrong while a blob streams out of the bundle.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The bytes on the medium are not those that were signed.
    #[error("{image}: {path}: expected {expected}, the bytes hash to {actual}")]
    Content {
        /// The image being imported.
        image: String,
        /// Path inside the bundle.
        path: String,
        /// From the signed document.
        expected: Digest,
        /// Computed.
        actual: Digest,
    },
    /// The medium could not be read.
    #[error("{image}: the bundle cannot be read")]
    Read {
        /// The image being imported.
        image: String,
        /// Which file, and what the kernel said.
        #[source]
        source: FileError,
    },
}

impl StreamError {
    /// The same for another image that wants the blob.
    pub(in crate::engine::import) fn again(&self, image: &str) -> Self {
        let image = image.to_owned();
        match self {
            Self::Content { path, expected, actual, .. } => Self::Content {
                image,
                path: path.clone(),
                expected: expected.clone(),
                actual: actual.clone(),
            },
            Self::Read { source: FileError { operation, path, source }, .. } => {
                let source = match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                };
                Self::Read { image, source: FileError { operation, path: path.clone(), source } }
            }
        }
    }
}

impl Explain for StreamError {
    fn kind(&self) -> Kind {
        match self {
            Self::Content { .. } => Kind::Integrity,
            Self::Read { source, .. } => source.kind(),
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Content { .. } => vec![
                "the copy on this medium is damaged or was changed: copy or pack it again".to_owned(),
                "nothing was named after it in the target; --keep-going imports the others".to_owned(),
            ],
            Self::Read { source, .. } => source.hints(),
        }
    }
}
