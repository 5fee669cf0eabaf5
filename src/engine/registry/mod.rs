//! The registry client: raw manifests, streamed blobs, lists, referrers and pushes, with rules for a hostile wire.
//!
//! The wire is our own on reqwest, because oci-client's `Client` takes no size caps, redirect rules, `Retry-After`
//! or token-realm rules from outside; its types for authentication, tokens and error bodies are used as they are.

mod auth;
mod blobs;
mod body;
mod call;
mod challenge;
mod client;
mod credentials;
pub mod error;
mod helper;
mod hosts;
mod limits;
mod manifests;
mod named;
mod place;
mod push;
mod redirect;
mod referrers;
mod retry;
mod tags;
mod tls;
pub mod transport;
mod wire;

pub use crate::domain::access::RegistryOptions;
pub use blobs::BlobBody;
pub use client::Registry;
pub use error::{Answer, Problem, RegistryError, Result};
pub use limits::Limits;
pub use manifests::{Fetched, ManifestHead};
pub use named::{check_files, faults};
pub use place::Place;
pub use push::{BlobSource, FileSource, MountOutcome, Upload, UploadSession};
pub(crate) use referrers::fallback_tag;
pub use referrers::{Referrers, ReferrersSource};
pub use retry::{Absence, Pause, RealPause};
pub use transport::{HttpTransport, Transport};
