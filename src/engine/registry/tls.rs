//! What HTTPS trusts: the system's CAs, loaded when first needed, the operator's CA files, or for one host nothing at all.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::engine::given;

/// Bytes of a CA file at most; what systems have is a quarter of a megabyte.
const MAX_CA: u64 = 16 * 1024 * 1024;

/// Which certificates a connection accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// No TLS is spoken on it; needs no CA.
    Plain,
    /// The system's CAs and the operator's.
    Verified,
    /// Any certificate (`--insecure HOST`).
    Anything,
}

/// The TLS set-up for `trust`; tells also whether any CA is trusted.
///
/// # Errors
/// In words, where a CA file cannot be used. A host without CA certificates is no error.
pub(super) fn config(trust: Trust, ca: &[PathBuf]) -> Result<(ClientConfig, bool), String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set TLS up: {error}"))?;
    let (accepted, any) = match trust {
        Trust::Plain => (Accepted::Issued(Roots::none()), false),
        Trust::Verified => {
            let roots = Roots::read(ca)?;
            let any = !roots.anchors.is_empty();
            (Accepted::Issued(roots), any)
        }
        Trust::Anything => (Accepted::Any, true),
    };
    let verifier = Arc::new(Verifier { provider, accepted });
    Ok((builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(), any))
}

/// The certificates that are trusted.
#[derive(Debug)]
struct Roots {
    /// As issuers.
    anchors: RootCertStore,
    /// Byte for byte: many a registry shows the very certificate that its clients are given as their CA.
    certificates: Vec<CertificateDer<'static>>,
}

impl Roots {
    fn none() -> Self {
        Self { anchors: RootCertStore::empty(), certificates: Vec::new() }
    }

    fn read(ca: &[PathBuf]) -> Result<Self, String> {
        let mut roots = Self::none();
        for certificate in rustls_native_certs::load_native_certs().certs {
            // Single broken system certificates are common and no reason to stop.
            let _ = roots.add(certificate);
        }
        for path in ca {
            for certificate in certificates(path).map_err(|reason| format!("the CA file {reason}"))? {
                roots.add(certificate).map_err(|error| {
                    format!("the CA file {} has an unusable certificate: {error}", path.display())
                })?;
            }
        }
        Ok(roots)
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), Error> {
        self.anchors.add(certificate.clone())?;
        self.certificates.push(certificate);
        Ok(())
    }
}

/// The certificates of a CA file; there is at least one. Blocks.
///
/// # Errors
/// Its path and what is wrong with it, in words.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = path.display();
    let text = text_of(path).map_err(|reason| format!("{name} {reason}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| format!("{name} is no PEM: {error}"))?;
    if all.is_empty() { Err(format!("{name} holds no PEM certificate")) } else { Ok(all) }
}

/// The bytes of a CA file, which a shell may hand over as a pipe.
fn text_of(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let large = || format!("has more than {MAX_CA} bytes");
    if let Some(piped) = given::piped(path, MAX_CA).map_err(|error| failed(error.source))? {
        return piped.ok_or_else(large);
    }
    // Whoever opens a pipe with a name may wait for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err("is no regular file".to_owned());
    }
    let (mut text, file) = (Vec::new(), std::fs::File::open(path).map_err(failed)?);
    file.take(MAX_CA + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_CA { Err(large()) } else { Ok(text) }
}

/// Which certificates pass.
#[derive(Debug)]
enum Accepted {
    /// Those that one of these issued, for the name that was asked for, and these themselves.
    Issued(Roots),
    /// All of them.
    Any,
}

/// Checks the certificate of a registry, and always that it holds its key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    accepted: Accepted,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Accepted::Issued(roots) = &self.accepted else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(certificate)?;
        let known = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots.anchors, intermediates, now, known)
            .or_else(|error| {
                // `openssl req -x509` makes an authority; its time was looked at before that was.
                let own = is_authority(&error) && roots.certificates.iter().any(|own| own == certificate);
                if own { Ok(()) } else { Err(error) }
            })?;
        verify_server_name(&parsed, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate is refused only because it may issue others; its time is right then.
pub(super) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    #[test]
    fn a_certificate_that_is_its_own_authority_is_accepted_where_it_is_trusted_itself() {
        let made = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut own = rcgen::CertificateParams::new(names).unwrap();
            own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            (own.not_before, own.not_after) =
                (rcgen::date_time_ymd(2025, 1, 1), rcgen::date_time_ymd(2026, 1, 1));
            own.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
        };
        let (ours, theirs) = (made(&["registry.lan"]), made(&["registry.lan"]));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, ours.pem()).unwrap();
        let accepted = Accepted::Issued(Roots::read(&[path]).unwrap());
        let verifier = Verifier { provider: Arc::new(ring::default_provider()), accepted };
        let begins = rcgen::date_time_ymd(2025, 1, 1).unix_timestamp().unsigned_abs();
        let verify = |certificate: &rcgen::Certificate, name: &'static str, day: u64| {
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(begins + day * DAY));
            let name = ServerName::try_from(name).unwrap();
            verifier.verify_server_cert(certificate.der(), &[], &name, &[], now)
        };
        verify(&ours, "registry.lan", 1).unwrap();
        // Whoever issued it: that was not looked at.
        assert!(is_authority(&verify(&theirs, "registry.lan", 1).unwrap_err()));
        let refused = |certificate, name, day| match verify(certificate, name, day).unwrap_err() {
            Error::InvalidCertificate(error) => error,
            other => panic!("{other}"),
        };
        let expired = refused(&ours, "registry.lan", 400);
        assert!(matches!(expired, CertificateError::ExpiredContext { .. }), "{expired:?}");
        let misnamed = refused(&ours, "other.lan", 1);
        assert!(matches!(misnamed, CertificateError::NotValidForNameContext { .. }), "{misnamed:?}");
    }

    #[test]
    fn a_ca_file_without_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        std::fs::write(&path, "no certificate here").unwrap();
        let error = config(Trust::Verified, std::slice::from_ref(&path)).unwrap_err();
        assert!(error.contains("ca.pem"), "{error}");
        assert!(config(Trust::Plain, &[path]).is_ok(), "plain HTTP needs no CA");
    }
}
