//! systemctl on a host that systemd runs, and whether the registry answers after it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Root;
use super::error::ServiceError;
use crate::domain::service::UNIT;
use crate::engine::child;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Interrupted, Result};

/// The longest that an answer takes once the unit is up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether systemd runs the node (sd_booted(3)).
pub(super) fn runs(root: &Root) -> bool {
    root.is_here() && Path::new("/run/systemd/system").is_dir()
}

/// Runs `systemctl` and gives the command as it was run.
pub(super) async fn systemctl(words: &[&str], ctx: &JobCtx) -> Result<String> {
    let command = format!("systemctl {}", words.join(" "));
    let failed = |said: String| ServiceError::Systemctl { command: command.clone(), said };
    let output = tokio::select! {
        output = child::program("systemctl").args(words).output() => output,
        () = ctx.cancel.cancelled() => return Err(Interrupted.into()),
    };
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(command);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = crate::domain::text::shown(said.trim()).into_owned();
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }).into())
}

/// The state of the unit, where it is not known to be down (systemctl(1), is-active).
pub(super) async fn up(ctx: &JobCtx) -> Result<Option<String>> {
    let output = tokio::select! {
        output = child::program("systemctl").args(["is-active", UNIT]).output() => output,
        () = ctx.cancel.cancelled() => return Err(Interrupted.into()),
    };
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let state = said
        .ok()
        .filter(|state| !state.is_empty())
        .unwrap_or_else(|| "in a state that it does not tell".to_owned());
    let down = matches!(state.as_str(), "inactive" | "failed" | "unknown");
    Ok((!down).then(|| crate::domain::text::shown(&state).into_owned()))
}

/// Whether the unit is up.
pub(super) async fn is_active(ctx: &JobCtx) -> bool {
    systemctl(&["is-active", "--quiet", UNIT], ctx).await.is_ok()
}

/// The address at which a client on this host asks.
pub(super) fn asked_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Asks `/v2/`; over TLS only whether somebody listens, as its certificate is for names and not for this.
pub(super) async fn answers(listen: SocketAddr, tls: bool) -> Result<String> {
    let address = asked_at(listen);
    let url = format!("{}://{address}", if tls { "https" } else { "http" });
    let silent = |reason: String| ServiceError::Silent { url: url.clone(), reason };
    match tokio::time::timeout(PATIENCE, ask(address, tls)).await {
        Err(_) => Err(silent(format!("nothing came within {} s", PATIENCE.as_secs())).into()),
        Ok(Err(error)) => Err(silent(error.to_string()).into()),
        Ok(Ok(None)) => Ok(url),
        Ok(Ok(Some(line))) => Err(silent(format!("it answered {line:?}")).into()),
    }
}

/// Nothing where it answered as it should, else the first line.
async fn ask(address: SocketAddr, tls: bool) -> std::io::Result<Option<String>> {
    let mut stream = TcpStream::connect(address).await?;
    if tls {
        return Ok(None);
    }
    let request = format!("GET /v2/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    Ok((!line.starts_with("HTTP/1.1 200")).then(|| line.to_owned()))
}
