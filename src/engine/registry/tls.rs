//! What HTTPS trusts: the system's CAs, loaded when first needed, the operator's CA files, or for one host nothing at all.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

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
    Ok(match trust {
        Trust::Plain => (builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(), false),
        Trust::Verified => {
            let roots = roots(ca)?;
            let any = !roots.is_empty();
            (builder.with_root_certificates(roots).with_no_client_auth(), any)
        }
        Trust::Anything => {
            let verifier = Arc::new(AcceptAny(provider));
            (builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(), true)
        }
    })
}

fn roots(ca: &[PathBuf]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // Single broken system certificates are common and no reason to stop.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in ca {
        let name = path.display();
        let text = std::fs::read(path).map_err(|error| format!("cannot read the CA file {name}: {error}"))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate =
                certificate.map_err(|error| format!("the CA file {name} is no PEM: {error}"))?;
            roots
                .add(certificate)
                .map_err(|error| format!("the CA file {name} has an unusable certificate: {error}"))?;
            found += 1;
        }
        if found == 0 {
            return Err(format!("the CA file {name} holds no PEM certificate"));
        }
    }
    Ok(roots)
}

/// Accepts every certificate, still checks that the peer holds its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
