//! `airlift serve BUNDLE…`: a read-only registry straight from verified bundles, until it is told to stop; or a service of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::Front;
use crate::cli::args::{TrustArgs, Work};
use crate::cli::printer::Printer;
use crate::domain::job::Places;
use crate::domain::text;
use crate::engine::bundle::verify::Bytes;
use crate::engine::serve::catalog::Catalog;
use crate::engine::serve::clients::Clients;
use crate::engine::serve::listen::Limits;
use crate::engine::serve::notify::Manager;
use crate::engine::serve::tls::TlsFiles;
use crate::engine::serve::{self, ListenSpec, Running};
use crate::engine::service::{Done, InstallSpec, ServiceReport, UninstallSpec};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Serve bundles as a read-only registry
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundles' directories, NAME-SERIAL
    #[arg(required_unless_present = "uninstall")]
    bundles: Vec<PathBuf>,
    /// Listen on this address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = InstallSpec::LISTEN)]
    listen: SocketAddr,
    /// Speak TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Install it as a service of the node that starts at boot, and start it
    #[arg(long, conflicts_with_all = ["uninstall", "allow_rollback"])]
    install: bool,
    /// Take that service away, and nothing else; bundles stay
    #[arg(long, conflicts_with_all = ["listen", "tls_cert", "tls_key"])]
    uninstall: bool,
    /// With --install or --uninstall: the node's root, where that is not this host's; bundles and files are then given
    /// as they are seen from here, DIR/srv/NAME-SERIAL for what the node has at /srv/NAME-SERIAL
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// With --install or --uninstall: say what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
}

impl Args {
    /// Whether it answers by itself, and makes or unmakes no service.
    pub const fn serves(&self) -> bool {
        !self.install && !self.uninstall
    }

    /// A registry, or the job that makes or unmakes a service of it.
    ///
    /// # Errors
    /// Words that do not go together; there is no home directory to look for what was not given.
    pub fn work(self, places: Option<&Places>) -> Result<Work, Failure> {
        if self.uninstall {
            if !self.bundles.is_empty() {
                let words = "--uninstall takes no bundle: it takes away the service of this node, whatever that serves";
                return Err(
                    Failure::usage(words).hint("airlift serve --uninstall; bundles stay where they are")
                );
            }
            let spec = UninstallSpec { root: self.root, dry_run: self.dry_run };
            return Ok(Work::Job(JobSpec::ServeUninstall(spec)));
        }
        if !self.install {
            return match self.root.is_some() || self.dry_run {
                true => Err(Failure::usage("--root and --dry-run go with --install or --uninstall")),
                false => Ok(Work::Serve(self)),
            };
        }
        let verify = self.trust.verify_spec(PathBuf::new(), Bytes::All, places)?;
        Ok(Work::Job(JobSpec::ServeInstall(InstallSpec {
            bundles: self.bundles,
            trust: verify.trust,
            min_signatures: verify.min_signatures,
            state: verify.state,
            listen: self.listen,
            tls: self.tls_cert.zip(self.tls_key),
            root: self.root,
            dry_run: self.dry_run,
        })))
    }
}

/// What was installed or taken away.
pub(super) fn show(report: &ServiceReport, out: &Printer) {
    for step in &report.steps {
        let done = match (&step.done, report.dry_run) {
            (Done::Written, false) => "written".to_owned(),
            (Done::Written, true) => "would write".to_owned(),
            (Done::Replaced, false) => "replaced".to_owned(),
            (Done::Replaced, true) => "would replace".to_owned(),
            (Done::Kept { backup }, false) => format!("written; what was there is {}", backup.display()),
            (Done::Kept { backup }, true) => {
                format!("would write, and keep what is there as {}", backup.display())
            }
            (Done::There, _) => "there already".to_owned(),
            (Done::Removed, false) => "removed".to_owned(),
            (Done::Removed, true) => "would remove".to_owned(),
            (Done::Restored, false) => "as it was before".to_owned(),
            (Done::Restored, true) => "would be as it was before".to_owned(),
            (Done::Left, _) => "changed since, stays".to_owned(),
            (Done::Gone, _) => "gone already".to_owned(),
        };
        out.line(format!("{}  {done}", step.path.display()));
    }
    for command in &report.ran {
        out.note(format!("ran: {command}"));
    }
    for note in &report.notes {
        out.note(note);
    }
    if let Some(clients) = &report.clients {
        let (url, does) = match &report.url {
            Some(url) => (url, "answers"),
            None => (&clients.url, if report.dry_run { "would answer" } else { "is to answer" }),
        };
        out.line(format!("{} {does} on {url}: {}", report.unit, clients.count()));
        clients.setting().into_iter().for_each(|line| out.note(line));
    }
    for command in &report.next {
        out.note(format!("next: {command}"));
    }
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
    manager.ready(&format!(
        "serving {} on {}",
        text::count(catalog.references().len() as u64, "reference"),
        running.url()
    ));
    let mut ended = std::pin::pin!(running.wait());
    let report = tokio::select! {
        // Said first, also where the last answer is out by then.
        biased;
        () = front.ctx.cancel.cancelled() => {
            manager.stopping();
            ended.await?
        }
        report = &mut ended => report?,
    };
    front.printer.report(&report, |out| {
        let requests = text::count(report.requests, "request");
        out.note(format!("served {requests} on {}", text::count(report.connections, "connection")));
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
    let clients = Clients::of(catalog, running.address, running.tls);
    clients.setting().into_iter().for_each(|line| out.note(line));
}
