//! `airlift serve BUNDLE…`: a read-only registry straight from verified bundles, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::Front;
use crate::cli::args::TrustArgs;
use crate::cli::printer::Printer;
use crate::engine::bundle::verify::Bytes;
use crate::engine::serve::catalog::Catalog;
use crate::engine::serve::listen::Limits;
use crate::engine::serve::notify::Manager;
use crate::engine::serve::tls::TlsFiles;
use crate::engine::serve::{self, ListenSpec, Running};
use crate::failure::Failure;

/// Serve bundles as a read-only registry
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundles' directories, NAME-SERIAL
    #[arg(required = true)]
    bundles: Vec<PathBuf>,
    /// Listen on this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5000")]
    listen: SocketAddr,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Verifies the bundles, then serves until the first SIGINT, SIGTERM or SIGHUP, which is its ordinary end.
///
/// # Errors
/// Those of verify; 15 where the address cannot be had, 2 where the certificate cannot be used.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    let tls = args.tls_cert.zip(args.tls_key).map(|(certificate, key)| TlsFiles { certificate, key });
    let spec = ListenSpec { address: args.listen, tls, limits: Limits::default() };
    let places = front.places();
    let bundles = args
        .bundles
        .into_iter()
        .map(|path| args.trust.verify_spec(path, Bytes::All, places.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    let manager = Manager::from_env();
    manager.status("verifying what is to be served");
    let catalog = Arc::new(serve::open_bundles(bundles, &front.ctx).await?);
    let running = serve::start(&spec, Arc::clone(&catalog), &front.ctx).await?;
    announce(&front.printer, &running, &catalog);
    manager.ready(&format!("serving {} references on {}", catalog.references().len(), running.url()));
    let mut ended = std::pin::pin!(running.wait());
    let report = tokio::select! {
        report = &mut ended => report?,
        () = front.ctx.cancel.cancelled() => {
            manager.stopping();
            ended.await?
        }
    };
    front.printer.report(&report, |out| {
        out.note(format!("served {} requests on {} connections", report.requests, report.connections));
    });
    Ok(())
}

fn announce(out: &Printer, running: &Running, catalog: &Catalog) {
    let url = running.url();
    out.event(&json!({ "event": "listening", "url": url, "references": catalog.references() }));
    out.line(format!("listening on {url}"));
    for reference in catalog.references() {
        out.line(format!("  {reference}"));
    }
    let host = catalog.hosts().into_iter().next().unwrap_or("docker.io").to_owned();
    out.note(format!("containerd, in /etc/containerd/certs.d/{host}/hosts.toml:"));
    // Where it listens on every address, no client can ask for that one.
    let unspecified = running.address.ip().is_unspecified();
    let reached = if unspecified {
        format!("THIS-HOST:{}", running.address.port())
    } else {
        running.address.to_string()
    };
    out.note(format!("  [host.\"{}\"]", url.replace(&running.address.to_string(), &reached)));
    out.note("    capabilities = [\"pull\", \"resolve\"]");
    if let Some(name) = catalog.example() {
        let insecure = if running.tls { "" } else { " --tls-verify=false" };
        out.note(format!("podman, by hand: podman pull{insecure} {reached}/{name}"));
    }
}
