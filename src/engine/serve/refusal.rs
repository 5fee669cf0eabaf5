//! What is answered in place of content: a status and an OCI error body (distribution spec, "Error Codes").

use http::StatusCode;
use serde_json::json;

/// A refusal; its text never repeats more than 200 characters of what the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such repository.
    Name(String),
    /// The repository has no such manifest.
    Manifest {
        /// The repository as asked.
        name: String,
        /// The tag or digest as asked.
        selector: String,
    },
    /// The repository refers to no such blob.
    Blob {
        /// The repository as asked.
        name: String,
        /// The digest as asked.
        digest: String,
    },
    /// Two upstreams have the tag with different content.
    Ambiguous {
        /// The repository as asked.
        name: String,
        /// The tag as asked.
        tag: String,
        /// The upstream hosts that have it.
        hosts: Vec<String>,
    },
    /// A digest that is none.
    Digest(String),
    /// `n` is no number.
    Pagination(String),
    /// Bytes past the end were asked for.
    Range {
        /// Length of the blob in bytes.
        size: u64,
    },
    /// Something that writes, or that no registry has.
    ReadOnly(String),
    /// No such path.
    Path(String),
    /// The medium could not be read; the details are in the log.
    Unreadable(String),
}

impl Refusal {
    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Digest(_) | Self::Pagination(_) => StatusCode::BAD_REQUEST,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::ReadOnly(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NOT_FOUND,
        }
    }

    /// The registered error code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) | Self::Path(_) => "NAME_UNKNOWN",
            Self::Manifest { .. } | Self::Ambiguous { .. } => "MANIFEST_UNKNOWN",
            Self::Blob { .. } => "BLOB_UNKNOWN",
            Self::Digest(_) => "DIGEST_INVALID",
            Self::Pagination(_) => "PAGINATION_NUMBER_INVALID",
            Self::Range { .. } => "RANGE_INVALID",
            Self::ReadOnly(_) => "UNSUPPORTED",
            Self::Unreadable(_) => "UNKNOWN",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Name(name) => format!("no repository {} is carried here", cut(name)),
            Self::Manifest { name, selector } => {
                format!("{} has no manifest {}", cut(name), cut(selector))
            }
            Self::Blob { name, digest } => format!("{} refers to no blob {}", cut(name), cut(digest)),
            Self::Ambiguous { name, tag, hosts } => {
                let paths: Vec<_> = hosts.iter().map(|host| format!("{host}/{name}:{tag}")).collect();
                let spaces: Vec<_> = hosts.iter().map(|host| format!("?ns={host}")).collect();
                format!(
                    "{}:{} is ambiguous: it is carried from several registries with different content; ask for {}, or add {}",
                    cut(name),
                    cut(tag),
                    paths.join(" or "),
                    spaces.join(" or "),
                )
            }
            Self::Digest(text) => format!("{} is not a sha256 or sha512 digest", cut(text)),
            Self::Pagination(text) => format!("n is {}, expected a number", cut(text)),
            Self::Range { size } => format!("the blob has {size} bytes; the range lies behind its end"),
            Self::ReadOnly(method) => {
                format!("this registry is read-only: {} is refused, GET and HEAD are answered", cut(method))
            }
            Self::Path(path) => format!("nothing is served at {}", cut(path)),
            Self::Unreadable(what) => format!("{} could not be read from the medium", cut(what)),
        }
    }

    /// The OCI error body.
    pub fn body(&self) -> Vec<u8> {
        json!({"errors": [{"code": self.code(), "message": self.message(), "detail": null}]})
            .to_string()
            .into_bytes()
    }
}

/// Client text for messages and logs: short, and without control characters.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}
