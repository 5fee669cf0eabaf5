//! Signals: the first request to stop cancels the job at a safe point, a second SIGINT ends the process at once.

use std::sync::Arc;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::Front;
use super::printer::Printer;
use crate::engine::error::Kind;
use crate::failure::{Failure, exit_code};

/// What a job does once it is told to stop.
pub(super) const JOB: &str = "stopping at the next safe point";
/// What a registry does.
pub(super) const REGISTRY: &str = "ending; answers under way are finished";

/// Installs all handlers, with what the first request brings about; needs a running runtime.
///
/// # Errors
/// The kernel's.
pub(super) fn install(front: &Front, stops: &'static str) -> Result<(), Failure> {
    let refused = |error| Failure::new(Kind::Other, format!("cannot handle signals: {error}"));
    // Over a file-size limit the kernel kills by SIGXFSZ; with a handler, write gives EFBIG and can be explained.
    drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map_err(refused)?);
    for (kind, name) in [
        (SignalKind::interrupt(), "SIGINT"),
        (SignalKind::terminate(), "SIGTERM"),
        (SignalKind::hangup(), "SIGHUP"),
    ] {
        let mut stream = signal(kind).map_err(refused)?;
        let cancel = front.ctx.cancel.clone();
        let printer = front.printer.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if cancel.is_cancelled() && name == "SIGINT" {
                    at_once(&printer);
                }
                printer.note(format!("{name}: {stops}; Ctrl-C again stops at once"));
                cancel.cancel();
            }
        });
    }
    Ok(())
}

fn at_once(printer: &Arc<Printer>) {
    printer.finish(Err(Failure::new(Kind::Interrupted, "stopped at once")));
    std::process::exit(i32::from(exit_code(Kind::Interrupted)));
}
