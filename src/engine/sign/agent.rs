//! A client of a running ssh-agent: the two requests of its protocol (draft-miller-ssh-agent) that signing needs.
//!
//! Spoken by hand: two messages are less than a dependency, and every length an agent sends is capped here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ssh_key::{Algorithm, PublicKey, Signature};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::keys::fingerprint;
use crate::engine::error::{Explain, Kind, Result};

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const RSA_SHA2_512: u32 = 4;
/// Bytes of an answer that are read at most, as OpenSSH's own limit.
const MAX_ANSWER: u32 = 256 * 1024;
const LIST_WITHIN: Duration = Duration::from_secs(10);
/// Long: somebody may have to find and touch a security key, or confirm a dialog.
const SIGN_WITHIN: Duration = Duration::from_secs(120);

/// Why an agent did not help.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// None is known.
    #[error("there is no ssh-agent: SSH_AUTH_SOCK is not set")]
    None,
    /// It does not answer.
    #[error("ssh-agent at {}: cannot {operation}", socket.display())]
    Io {
        /// Its socket.
        socket: PathBuf,
        /// `list keys` or `sign`.
        operation: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// It answers something else.
    #[error("ssh-agent at {}: cannot {operation}: {reason}", socket.display())]
    Answer {
        /// Its socket.
        socket: PathBuf,
        /// `list keys` or `sign`.
        operation: &'static str,
        /// What it answered.
        reason: String,
    },
    /// There is nothing in it.
    #[error("ssh-agent at {} holds no key", socket.display())]
    Empty {
        /// Its socket.
        socket: PathBuf,
    },
    /// The key that was to sign was there a moment ago.
    #[error("ssh-agent at {} no longer holds the key {fingerprint}", socket.display())]
    Gone {
        /// Its socket.
        socket: PathBuf,
        /// Of the key.
        fingerprint: String,
    },
    /// No key fits, or several do.
    #[error("ssh-agent at {} holds {}", socket.display(), fitting(*count, wanted.as_deref()))]
    Choice {
        /// Its socket.
        socket: PathBuf,
        /// What was asked for, if anything was.
        wanted: Option<String>,
        /// How many fit.
        count: usize,
        /// All keys it holds: fingerprint and comment.
        held: Vec<(String, String)>,
    },
}

/// What is said of keys of which there is not just one.
fn fitting(count: usize, wanted: Option<&str>) -> String {
    match (count, wanted) {
        (0, Some(wanted)) => format!("no key {wanted:?}"),
        (_, Some(wanted)) => format!("{count} keys {wanted:?}"),
        (_, None) => format!("{count} keys, and none of them was named"),
    }
}

impl Explain for AgentError {
    fn kind(&self) -> Kind {
        match self {
            Self::None | Self::Choice { .. } | Self::Empty { .. } => Kind::Usage,
            Self::Io { .. } | Self::Answer { .. } | Self::Gone { .. } => Kind::Trust,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::None => vec!["eval \"$(ssh-agent)\" && ssh-add KEY, or use --key FILE".to_owned()],
            Self::Io { .. } => vec!["is it still running? ssh-add -l tells".to_owned()],
            Self::Answer { .. } => {
                vec![
                    "the agent may be locked, ask for confirmation, or the security key may be unplugged"
                        .to_owned(),
                ]
            }
            Self::Empty { .. } => {
                vec![
                    "ssh-add KEY puts a key into it; one that is locked shows none until ssh-add -X unlocks it"
                        .to_owned(),
                ]
            }
            Self::Gone { .. } => {
                vec![
                    "ssh-add KEY puts it back, then the same once more goes on; an agent that was locked shows no key until \
                     ssh-add -X unlocks it"
                        .to_owned(),
                ]
            }
            Self::Choice { held, .. } => {
                let mut hints = vec!["name one: --agent=SHA256:…".to_owned()];
                hints.extend(held.iter().map(|(print, comment)| format!("--agent={print} is {comment}")));
                hints
            }
        }
    }
}

/// The socket of the user's agent.
///
/// # Errors
/// [`AgentError::None`].
pub fn socket() -> std::result::Result<PathBuf, AgentError> {
    let named = std::env::var_os("SSH_AUTH_SOCK").filter(|value| !value.is_empty());
    named.map(PathBuf::from).ok_or(AgentError::None)
}

/// The keys an agent holds, in its order. Certificates and types unknown here are left out.
///
/// # Errors
/// [`AgentError`].
pub async fn list_agent_keys(socket: &Path) -> Result<Vec<PublicKey>> {
    let operation = "list keys";
    let answer = ask(socket, operation, &[REQUEST_IDENTITIES], LIST_WITHIN).await?;
    let bad =
        |reason: &str| AgentError::Answer { socket: socket.to_owned(), operation, reason: reason.to_owned() };
    let mut rest = answer.as_slice();
    if take_byte(&mut rest) != Some(IDENTITIES_ANSWER) {
        return Err(bad("it refused").into());
    }
    let count = take_u32(&mut rest).ok_or_else(|| bad("the answer is cut off"))?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let pair = take_string(&mut rest).and_then(|blob| Some((blob, take_string(&mut rest)?)));
        let (blob, comment) = pair.ok_or_else(|| bad("the answer is cut off"))?;
        if let Ok(key) = PublicKey::from_bytes(blob)
            && !key.key_data().is_other()
        {
            keys.push(PublicKey::new(key.key_data().clone(), String::from_utf8_lossy(comment)));
        }
    }
    Ok(keys)
}

/// Has an agent sign `data` with the key it holds for `public`.
///
/// # Errors
/// [`AgentError`].
pub(super) async fn sign(socket: &Path, public: &PublicKey, data: &[u8]) -> Result<Signature> {
    let operation = "sign";
    let bad = |reason: String| AgentError::Answer { socket: socket.to_owned(), operation, reason };
    let blob = public.to_bytes().map_err(|error| bad(error.to_string()))?;
    let flags = if matches!(public.algorithm(), Algorithm::Rsa { .. }) { RSA_SHA2_512 } else { 0 };
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, &blob);
    put_string(&mut request, data);
    request.extend(flags.to_be_bytes());
    let answer = ask(socket, operation, &request, SIGN_WITHIN).await?;
    let mut rest = answer.as_slice();
    if take_byte(&mut rest) != Some(SIGN_RESPONSE) {
        // It refuses a key that was taken out meanwhile as it refuses any other: what it holds now tells them apart.
        let held = list_agent_keys(socket).await;
        if held.is_ok_and(|held| held.iter().all(|key| key.key_data() != public.key_data())) {
            let fingerprint = fingerprint(public.key_data());
            return Err(AgentError::Gone { socket: socket.to_owned(), fingerprint }.into());
        }
        return Err(bad("it refused".to_owned()).into());
    }
    let signature = take_string(&mut rest).ok_or_else(|| bad("the answer is cut off".to_owned()))?;
    Ok(Signature::try_from(signature).map_err(|error| bad(error.to_string()))?)
}

async fn ask(socket: &Path, operation: &'static str, message: &[u8], within: Duration) -> Result<Vec<u8>> {
    let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "it did not answer in time");
    let answer = tokio::time::timeout(within, exchange(socket, message)).await.map_err(late).flatten();
    Ok(answer.map_err(|source| AgentError::Io { socket: socket.to_owned(), operation, source })?)
}

async fn exchange(socket: &Path, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut framed = Vec::with_capacity(message.len() + 4);
    put_string(&mut framed, message);
    stream.write_all(&framed).await?;
    let length = stream.read_u32().await?;
    if length > MAX_ANSWER {
        return Err(std::io::Error::other(format!("its answer claims {length} bytes")));
    }
    let mut answer = vec![0; usize::try_from(length).unwrap_or(0)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (first, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*first))
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_u32(rest)?).ok()?;
    let (first, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An agent that gives one answer to whatever is asked.
    async fn answering(answer: Vec<u8>) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u32().await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        (directory, socket)
    }

    #[tokio::test]
    async fn an_agent_that_lies_about_lengths_is_refused() {
        for answer in [
            vec![0xff, 0xff, 0xff, 0xff],
            vec![0, 0, 0, 1, 5],
            vec![0, 0, 0, 5, 12, 0xff, 0xff, 0xff, 0xff],
            vec![0, 0, 0, 9, 12, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
            vec![0, 0, 0, 9, 12, 0],
            vec![],
        ] {
            let (_kept, socket) = answering(answer.clone()).await;
            let error = list_agent_keys(&socket).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Trust, "{answer:?}: {error}");
        }
        let (_kept, socket) = answering(vec![0, 0, 0, 5, 12, 0, 0, 0, 0]).await;
        assert!(list_agent_keys(&socket).await.unwrap().is_empty());
    }
}
