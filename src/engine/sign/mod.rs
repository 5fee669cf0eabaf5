//! SSH signatures over bundle documents: keys, signing, the trust file and what it says about signatures.

pub mod agent;
pub mod allowed;
pub mod bundle;
pub mod check;
pub mod countersign;
pub mod keys;
pub mod signer;
pub mod store;
pub mod validity;

pub use allowed::AllowedSigners;
pub use bundle::{SignReport, SignatureFile, read_signatures, sign_bundle};
pub use check::{Outcome, SignatureReport, TrustError, TrustPolicy, TrustReport, verify_signatures};
pub use keys::{KeyError, NoPassphrase, Passphrases, fingerprint, key_id};
pub use signer::Signer;

/// Bytes of one signature file that are read at most; OpenSSH's own are below 4 KiB.
pub const MAX_SIGNATURE: u64 = 64 * 1024;
/// Signature files that are read at most.
pub const MAX_SIGNATURES: usize = 64;
