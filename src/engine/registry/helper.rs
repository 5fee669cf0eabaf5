//! Asks a credential helper (`docker-credential-NAME get`, the server on its stdin): bounded in time and size, ended when late.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::credentials::Credential;
use super::error::clean;
use crate::engine::child;

/// No answer of a helper is longer.
const MAX_ANSWER: u64 = 1 << 20;
/// What the protocol says on either channel where it has nothing for a server.
const NOT_FOUND: &str = "credentials not found";
/// In place of a name, where the secret is an identity token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What `program` has for `server`, if anything.
///
/// # Errors
/// In words that follow the helper's name; none repeats what an unreadable answer holds.
pub(super) async fn ask(
    program: impl AsRef<OsStr>,
    server: &str,
    patience: Duration,
) -> Result<Option<Credential>, String> {
    let mut command = child::program(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut helper = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "cannot be run; is it installed and on PATH?".to_owned(),
        _ => format!("cannot be run: {error}"),
    })?;
    let (input, output, words) = (helper.stdin.take(), helper.stdout.take(), helper.stderr.take());
    let talk = async {
        let say = async {
            if let Some(mut input) = input {
                // One that does not read what it is asked may still answer.
                let _ = input.write_all(server.as_bytes()).await;
            }
        };
        let ((), output, words) = tokio::join!(say, read(output), read(words));
        (helper.wait().await, output, words)
    };
    let done = tokio::time::timeout(patience, talk).await;
    // Dropped on the way out, which ends it.
    let (status, output, words) =
        done.map_err(|_| format!("did not answer within {} s", patience.as_secs_f32()))?;
    let status = status.map_err(|error| format!("failed: {error}"))?;
    let output = output?;
    if status.success() { parse(&output) } else { refusal(status, &output, &words?) }
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let mut from = from.take(MAX_ANSWER + 1);
        from.read_to_end(&mut bytes).await.map_err(|error| format!("cannot be read: {error}"))?;
    }
    if bytes.len() as u64 > MAX_ANSWER {
        return Err(format!("said more than {MAX_ANSWER} bytes"));
    }
    Ok(bytes)
}

fn parse(output: &[u8]) -> Result<Option<Credential>, String> {
    // The error of serde_json may repeat a value that has the wrong type.
    let answer: Answer = serde_json::from_slice(output)
        .map_err(|_| "answered with something else than a name and a secret".to_owned())?;
    Ok(Some(match answer.username {
        name if name == TOKEN => Credential::Identity(answer.secret.into()),
        user => Credential::Login { user, password: answer.secret.into() },
    }))
}

/// Helpers give their reason on stdout or stderr; what looks like an answer is not repeated.
fn refusal(
    status: std::process::ExitStatus,
    output: &[u8],
    words: &[u8],
) -> Result<Option<Credential>, String> {
    let texts = [output, words].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    if texts.iter().any(|text| text.to_ascii_lowercase().contains(NOT_FOUND)) {
        return Ok(None);
    }
    let [output, words] = texts;
    let reasons = [words, if output.contains('{') { String::new() } else { output }];
    let reasons: Vec<String> = reasons.into_iter().filter(|text| !text.is_empty()).collect();
    let reason = if reasons.is_empty() { status.to_string() } else { clean(&reasons.join("; ")) };
    Err(format!("failed: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    fn helper(dir: &Path, script: &str) -> PathBuf {
        let file = dir.join("docker-credential-test");
        let draft = dir.join("draft");
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Written by another process: what a child of another test still has open for writing cannot be run.
        let mut install = std::process::Command::new("install");
        assert!(install.args(["-m", "755"]).args([&draft, &file]).status().unwrap().success());
        file
    }

    async fn answer(script: &str) -> Result<Option<Credential>, String> {
        let dir = tempfile::tempdir().unwrap();
        ask(helper(dir.path(), script), "r.example:5000", Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn a_helper_is_told_the_server_and_gives_a_login_a_token_or_nothing() {
        let script =
            r#"test "$1" = get || exit 9; printf '{"ServerURL":"x","Username":"u","Secret":"%s"}' "$(cat)""#;
        let Some(Credential::Login { user, password }) = answer(script).await.unwrap() else { panic!() };
        assert_eq!((user.as_str(), password.expose_secret()), ("u", "r.example:5000"));
        let token = answer(r#"echo '{"Username":"<token>","Secret":"tok"}'"#).await.unwrap();
        assert!(matches!(token, Some(Credential::Identity(token)) if token.expose_secret() == "tok"));
        for channel in ["1", "2"] {
            let script = format!("echo credentials not found in native keychain >&{channel}; exit 1");
            assert!(answer(&script).await.unwrap().is_none(), "{script}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_fails_is_quoted_but_never_its_secret() {
        for (script, said) in [
            ("echo the vault is locked; exit 1", "failed: the vault is locked"),
            ("echo the vault is locked >&2; exit 1", "failed: the vault is locked"),
            // A broken script is no statement about credentials.
            ("no-such-program-here; exit $?", "not found"),
            ("exit 7", "exit status: 7"),
            (r#"echo '{"Username":"u","Secret":"canary"}'; exit 1"#, "exit status: 1"),
            (r#"echo '{"Username":"u","Secret":["canary"]}'"#, "something else than a name and a secret"),
            ("echo canary", "something else than a name and a secret"),
            ("head -c 2000000 /dev/zero", "more than 1048576 bytes"),
        ] {
            let error = answer(script).await.unwrap_err();
            assert!(error.contains(said) && !error.contains("canary"), "{script}: {error}");
        }
        let absent = ask("docker-credential-airlift-test-absent", "x", Duration::from_secs(20)).await;
        assert!(absent.unwrap_err().contains("installed and on PATH"));
    }

    #[tokio::test]
    async fn a_helper_that_hangs_is_ended_and_its_silence_said() {
        let dir = tempfile::tempdir().unwrap();
        let file =
            helper(dir.path(), "echo $$ > \"$0.pid.tmp\"; mv \"$0.pid.tmp\" \"$0.pid\"; exec sleep 600");
        let start = Instant::now();
        let error = ask(&file, "x", Duration::from_secs(1)).await.unwrap_err();
        assert!(error.contains("did not answer within 1 s"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
        let pid = std::fs::read_to_string(dir.path().join("docker-credential-test.pid")).unwrap();
        // Killed; whether its parent has collected it already is the runtime's business.
        let ended = || match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        };
        while !ended() {
            assert!(start.elapsed() < Duration::from_secs(20), "the helper still runs");
            tokio::task::yield_now().await;
        }
    }
}
