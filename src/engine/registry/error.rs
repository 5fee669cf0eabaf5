//! What a registry, or the way to it, can do wrong: always with the host, the object and the operation.

use std::fmt;
use std::time::Duration;

use crate::domain::digest::Digest;
use crate::engine::error::{Explain, Kind};

/// Result of a registry operation.
pub type Result<T> = std::result::Result<T, RegistryError>;

/// A registry operation that failed.
#[derive(Debug)]
pub struct RegistryError {
    /// What was tried, as a verb: `read the manifest`.
    pub operation: &'static str,
    /// On what: `host/repository:tag`, `host/repository@digest`, `host`.
    pub object: String,
    /// The registry as the operator names it.
    pub host: String,
    /// What happened.
    pub problem: Box<Problem>,
}

/// What a registry answered when it refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// First error code of the body (distribution spec, "Error Codes"), if it has one.
    pub code: Option<String>,
    /// Its message and detail, without control characters, cut; may be empty.
    pub message: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

/// What happened.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Not there (404).
    #[error("not found ({0})")]
    NotFound(Answer),
    /// 401 or 403, after one refresh of the token.
    #[error("access refused: {answer}{}", reason.as_ref().map(|r| format!("; {r}")).unwrap_or_default())]
    Unauthorized {
        /// What the registry said.
        answer: Answer,
        /// What the token service said, or which credentials were used.
        reason: Option<String>,
    },
    /// 429, still after waiting.
    #[error("too many requests ({answer})")]
    RateLimited {
        /// What the registry said.
        answer: Answer,
        /// What it asked to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// 500 and above.
    #[error("the registry failed ({0})")]
    Server(Answer),
    /// Any other status that the operation does not expect.
    #[error("the registry refused ({0})")]
    Refused(Answer),
    /// A manifest was not taken.
    #[error("the registry does not take this {media_type} manifest ({answer})")]
    ManifestRefused {
        /// What the registry said.
        answer: Answer,
        /// Type of the manifest.
        media_type: String,
    },
    /// A manifest names content that the registry has not.
    #[error("the registry misses content that the manifest names ({0})")]
    BlobUnknown(Answer),
    /// Nobody listens, connection refused or reset, no route.
    #[error("cannot connect or the connection broke: {0}")]
    Connect(String),
    /// The same, of a registry whose bytes came before in this run.
    #[error("the connection broke: {0}")]
    Gone(String),
    /// The host name has no address.
    #[error("the host name does not resolve: {0}")]
    Dns(String),
    /// TLS handshake or certificate.
    #[error("TLS: {text}")]
    Tls {
        /// In the library's words.
        text: String,
        /// Of which sort.
        reason: TlsReason,
    },
    /// Nothing came for too long.
    #[error("nothing came for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    /// Something came, but too slowly.
    #[error("only {bytes} bytes in {} s; at least {floor} were expected", .window.as_secs_f32())]
    TooSlow {
        /// Bytes in the window.
        bytes: u64,
        /// Least bytes in a window.
        floor: u64,
        /// Its length.
        window: Duration,
    },
    /// More bytes than allowed.
    #[error("{what}: more than {limit} bytes")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// Most bytes accepted.
        limit: u64,
    },
    /// Fewer bytes than announced.
    #[error("the body ended after {actual} bytes, expected {expected}")]
    Short {
        /// Bytes that came, from the start of the blob.
        actual: u64,
        /// Bytes that should have.
        expected: u64,
    },
    /// The size that the registry announces is not the descriptor's.
    #[error("the registry announces {actual} bytes, the manifest says {expected}")]
    Size {
        /// By the descriptor.
        expected: u64,
        /// By the registry.
        actual: u64,
    },
    /// A redirect or other address from the registry that is not followed.
    #[error("does not follow {target}: {reason}")]
    Redirect {
        /// Where to, without query.
        target: String,
        /// Why not.
        reason: &'static str,
    },
    /// The bytes have another digest.
    #[error("digest differs: expected {expected}, got {actual}")]
    Digest {
        /// As asked for or announced.
        expected: Digest,
        /// Of the bytes.
        actual: Digest,
    },
    /// An answer that breaks the protocol.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// Local set-up: CA file, credentials, proxy.
    #[error("{0}")]
    Setup(String),
    /// The bytes to be sent could not be read.
    #[error("cannot read what is to be sent: {0}")]
    Source(String),
    /// The job was asked to stop.
    #[error("stopped on request")]
    Interrupted,
}

/// Why TLS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsReason {
    /// No trusted CA signed the certificate.
    UnknownCa,
    /// This host trusts no CA at all.
    NoCa,
    /// It shows the certificate of an authority, which is not trusted itself.
    Authority,
    /// The other side does not speak TLS.
    NotTls,
    /// Expired, wrong name or anything else about the certificate.
    Certificate,
    /// Anything else.
    Other,
}

impl Problem {
    /// Whether the same request may well succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Gone(_)
            | Self::Stalled(_)
            | Self::TooSlow { .. }
            | Self::Short { .. } => true,
            Self::RateLimited { .. } => true,
            Self::Server(answer) => matches!(answer.status, 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

impl RegistryError {
    /// Whether the same request may well succeed a little later.
    pub fn is_retryable(&self) -> bool {
        self.problem.is_retryable()
    }

    /// The same of a registry whose bytes came before: that it is the right one, and can be reached, is known.
    pub fn of_one_that_answered(self) -> Self {
        let problem = match *self.problem {
            Problem::Connect(reason) => Problem::Gone(reason),
            other => other,
        };
        Self { problem: Box::new(problem), ..self }
    }

    /// Whether the object does not exist there.
    pub fn is_not_found(&self) -> bool {
        matches!(*self.problem, Problem::NotFound(_))
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.object, self.problem)
    }
}

impl std::error::Error for RegistryError {}

impl Explain for RegistryError {
    fn kind(&self) -> Kind {
        match &*self.problem {
            Problem::Digest { .. } | Problem::Malformed(_) | Problem::Size { .. } => Kind::Integrity,
            Problem::TooLarge { .. } => Kind::Integrity,
            Problem::Interrupted => Kind::Interrupted,
            Problem::Setup(_) => Kind::Usage,
            Problem::Source(_) => Kind::Other,
            Problem::ManifestRefused { .. } | Problem::BlobUnknown(_) => Kind::Import,
            _ => Kind::Network,
        }
    }

    fn transient(&self) -> bool {
        self.is_retryable()
    }

    fn absent(&self) -> bool {
        self.is_not_found()
    }

    fn hints(&self) -> Vec<String> {
        let host = &self.host;
        let hint = match &*self.problem {
            Problem::Tls { reason, .. } => tls_hint(*reason, host),
            Problem::Unauthorized { .. } => format!(
                "log in to {host} (podman login, docker login) or give --authfile FILE; \
                 a registry may also answer so for a repository that does not exist"
            ),
            Problem::NotFound(Answer { code: Some(code), .. }) if code == "NAME_UNKNOWN" => format!(
                "{host} has no such repository: check its name; `airlift resolve --from registry:HOST` lists those it has"
            ),
            Problem::NotFound(_) => {
                "check the name and the tag; `airlift resolve --from registry:HOST/REPO` lists what is there"
                    .to_owned()
            }
            Problem::RateLimited { .. } => {
                format!("log in to {host} for a higher limit, or repeat later: what is done stays done")
            }
            Problem::Connect(_) => format!(
                "is {host} the right host and port, and does a firewall or proxy stand between? \
                 (HTTPS_PROXY, NO_PROXY are honoured)"
            ),
            Problem::Gone(_) => format!(
                "{host} answered until then, and what came of it is kept: once it answers again, the same command goes on"
            ),
            Problem::Dns(_) => format!("check the spelling of {host} and this machine's DNS"),
            Problem::Redirect { .. } => {
                "if that address is meant, name its host with --plain-http or --insecure".to_owned()
            }
            Problem::Stalled(_) | Problem::TooSlow { .. } | Problem::Short { .. } | Problem::Server(_) => {
                "repeat the command: it goes on where it stopped".to_owned()
            }
            Problem::Digest { .. } | Problem::Size { .. } => {
                "the content was changed on the way, in the registry or by a proxy; nothing was kept"
                    .to_owned()
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }
}

fn tls_hint(reason: TlsReason, host: &str) -> String {
    match reason {
        TlsReason::UnknownCa => {
            format!(
                "if {host} uses a private CA, give its certificate with --ca FILE (the workstation: airlift --ca \
                 FILE), or for good under [registry] in the configuration file: ca = [\"FILE\"]"
            )
        }
        TlsReason::Authority => {
            format!(
                "if that certificate is {host}'s own, give the very same with --ca FILE (the workstation: airlift --ca FILE; \
                 another CA file does not do), or for good under [registry] in the configuration file: ca = [\"FILE\"]"
            )
        }
        TlsReason::NoCa => "this machine has no CA certificates: give --ca FILE, or install \
                            ca-certificates"
            .to_owned(),
        TlsReason::NotTls => {
            format!("{host} seems to speak plain HTTP: if that is meant, give --plain-http {host}")
        }
        TlsReason::Certificate => {
            format!(
                "check the name, the validity of the certificate and this machine's clock; --insecure {host} takes \
                 any, and whoever answers there then says what a tag means"
            )
        }
        TlsReason::Other => {
            format!("if {host} speaks plain HTTP give --plain-http {host}; for a private CA --ca FILE")
        }
    }
}

/// Text from outside for people: no control characters, cut to 400 characters.
pub(crate) fn clean(text: &str) -> String {
    let words: String =
        text.chars().map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c }).take(400).collect();
    words.trim().to_owned()
}

/// Characters that reorder what is shown after them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_carries_no_terminal_control() {
        assert_eq!(clean("\u{1b}[2Jred\r\nx\u{202e}y"), "[2Jred  x y");
        assert_eq!(clean(&"x".repeat(5000)).len(), 400);
    }

    #[test]
    fn a_registry_that_answered_before_is_not_taken_for_a_wrong_one() {
        let error = || RegistryError {
            operation: "read",
            object: "h/a:1".to_owned(),
            host: "h".to_owned(),
            problem: Box::new(Problem::Connect("refused".to_owned())),
        };
        assert!(error().hints()[0].contains("the right host and port"));
        let gone = error().of_one_that_answered();
        assert!(
            gone.is_retryable() && gone.hints()[0].contains("h answered until then"),
            "{:?}",
            gone.hints()
        );
    }

    #[test]
    fn what_a_second_try_cannot_mend_is_not_retried() {
        let answer = |status| Answer { status, ..Answer::default() };
        assert!(Problem::Server(answer(503)).is_retryable());
        assert!(!Problem::Server(answer(501)).is_retryable());
        assert!(!Problem::NotFound(answer(404)).is_retryable());
        for (code, said) in [("NAME_UNKNOWN", "has no such repository"), ("MANIFEST_UNKNOWN", "and the tag")]
        {
            let problem = Problem::NotFound(Answer { code: Some(code.to_owned()), ..answer(404) });
            let (object, host) = ("h/a:1".to_owned(), "h".to_owned());
            let error = RegistryError { operation: "read", object, host, problem: Box::new(problem) };
            assert!(error.hints()[0].contains(said), "{:?}", error.hints());
        }
        assert!(!Problem::Unauthorized { answer: answer(401), reason: None }.is_retryable());
        assert!(!Problem::Dns("x".into()).is_retryable());
    }
}
