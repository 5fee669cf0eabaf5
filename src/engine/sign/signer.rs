//! What signs: a key file opened in memory, or a key that stays in an ssh-agent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rsa::signature::{RandomizedSigner, SignatureEncoding};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::{Algorithm, HashAlg, LineEnding, Mpint, PrivateKey, PublicKey, Signature, SshSig};

use super::agent::{self, AgentError, list_agent_keys};
use super::keys::{self, KeyError, Passphrases, fingerprint, key_id};
use crate::domain::bundle::NAMESPACE;
use crate::engine::error::Result;
use crate::engine::files::Files;

/// Something that can sign a bundle document.
#[derive(Clone)]
pub enum Signer {
    /// A key file, opened.
    File(Arc<PrivateKey>),
    /// A key in an agent.
    Agent {
        /// The agent.
        socket: PathBuf,
        /// The key.
        public: Box<PublicKey>,
    },
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", fingerprint(self.public().key_data()))
    }
}

impl Signer {
    /// Opens a key file, asking for its passphrase where it has one. Blocks.
    ///
    /// # Errors
    /// [`KeyError`] or a file error.
    pub fn from_file(files: &dyn Files, path: &Path, passphrases: &dyn Passphrases) -> Result<Self> {
        let key = keys::load(files, path, passphrases)?;
        if key.public_key().key_data().is_sk_ed25519() || key.public_key().key_data().is_sk_ecdsa_p256() {
            let reason = "it lives in a security key: ssh-add it and sign with --agent".to_owned();
            let algorithm = key.algorithm().to_string();
            return Err(KeyError::Crypto { operation: "sign", algorithm, reason }.into());
        }
        Ok(Self::File(Arc::new(key)))
    }

    /// A fresh ed25519 key that is never written anywhere.
    ///
    /// # Errors
    /// The random source's.
    pub fn throw_away(comment: &str) -> Result<Self> {
        let made = PrivateKey::random(&mut rand_core::OsRng, ssh_key::Algorithm::Ed25519);
        let mut key =
            made.map_err(|error| crypto("generate", ssh_key::Algorithm::Ed25519.as_str(), &error))?;
        key.set_comment(comment);
        Ok(Self::File(Arc::new(key)))
    }

    /// Picks a key of an agent by fingerprint, key id or comment; nothing picks the only one.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn from_agent(socket: &Path, selector: Option<&str>) -> Result<Self> {
        let keys = list_agent_keys(socket).await?;
        if keys.is_empty() {
            return Err(AgentError::Empty { socket: socket.to_owned() }.into());
        }
        let held = keys.iter().map(|key| (fingerprint(key.key_data()), key.comment().to_owned())).collect();
        let mut fitting: Vec<_> =
            keys.into_iter().filter(|key| selector.is_none_or(|wanted| names(key, wanted))).collect();
        match (fitting.pop(), fitting.len()) {
            (Some(public), 0) => Ok(Self::Agent { socket: socket.to_owned(), public: Box::new(public) }),
            (one, more) => Err(AgentError::Choice {
                socket: socket.to_owned(),
                wanted: selector.map(str::to_owned),
                count: more + usize::from(one.is_some()),
                held,
            }
            .into()),
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        match self {
            Self::File(key) => key.public_key(),
            Self::Agent { public, .. } => public,
        }
    }

    /// Name of its signature files.
    pub fn key_id(&self) -> String {
        key_id(self.public().key_data())
    }

    /// Signs a document: SSHSIG of namespace `airlift-bundle` over SHA-512 (PROTOCOL.sshsig), armored as
    /// `ssh-keygen -Y sign` writes it. RSA keys sign by rsa-sha2-512. The signature was checked when it is returned.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] or [`AgentError`].
    pub async fn sign(&self, document: &[u8]) -> Result<String> {
        let algorithm = self.public().algorithm();
        let failed = |error: ssh_key::Error| crypto("sign", algorithm.as_str(), &error);
        let signature = match self {
            Self::File(key) => match key.key_data() {
                KeypairData::Rsa(pair) => {
                    let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, document).map_err(failed)?;
                    let raw = sign_rsa(pair, &data).map_err(failed)?;
                    let public = key.public_key().key_data().clone();
                    SshSig::new(public, NAMESPACE, HashAlg::Sha512, raw).map_err(failed)?
                }
                _ => key.sign(NAMESPACE, HashAlg::Sha512, document).map_err(failed)?,
            },
            Self::Agent { socket, public } => {
                let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, document).map_err(failed)?;
                let raw = agent::sign(socket, public, &data).await?;
                SshSig::new(public.key_data().clone(), NAMESPACE, HashAlg::Sha512, raw).map_err(failed)?
            }
        };
        self.public().verify(NAMESPACE, document, &signature).map_err(failed)?;
        Ok(signature.to_pem(LineEnding::LF).map_err(failed)?)
    }
}

/// rsa-sha2-512 (RFC 8332), blinded. ssh-key's own way passes one prime twice and always fails.
fn sign_rsa(pair: &RsaKeypair, data: &[u8]) -> ssh_key::Result<Signature> {
    let number = |value: &Mpint| rsa::BigUint::try_from(value);
    let primes = vec![number(&pair.private.p)?, number(&pair.private.q)?];
    let (n, e, d) = (number(&pair.public.n)?, number(&pair.public.e)?, number(&pair.private.d)?);
    let key = rsa::RsaPrivateKey::from_components(n, e, d, primes)?;
    let signed = rsa::pkcs1v15::SigningKey::<ssh_key::sha2::Sha512>::new(key)
        .try_sign_with_rng(&mut rand_core::OsRng, data)
        .map_err(|_| ssh_key::Error::Crypto)?;
    Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signed.to_vec())
}

fn crypto(operation: &'static str, algorithm: &str, error: &ssh_key::Error) -> KeyError {
    KeyError::Crypto { operation, algorithm: algorithm.to_owned(), reason: error.to_string() }
}

/// Whether a selector names this key: `SHA256:…` with or without the prefix, key id, or comment.
pub(super) fn names(key: &PublicKey, wanted: &str) -> bool {
    let print = fingerprint(key.key_data());
    print == wanted
        || print.strip_prefix("SHA256:") == Some(wanted)
        || key_id(key.key_data()) == wanted
        || (!wanted.is_empty() && key.comment() == wanted)
}
