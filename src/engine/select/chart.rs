//! Images of a Helm chart: rendered by the `helm` on PATH with the chart's default values, then read as manifests.

use std::path::Path;
use std::time::Duration;

use super::{MAX_FILE, SelectError, manifests};
use crate::domain::selection::Selection;
use crate::engine::child;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::given;

/// The longest that rendering may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Renders and reads. Helm is killed when it takes too long or the job stops.
///
/// # Errors
/// [`SelectError::NoHelm`], [`SelectError::Chart`].
pub(super) async fn select(path: &Path, ctx: &JobCtx) -> Result<Selection> {
    if !path.is_dir() {
        given::check(path, "chart", "give the directory of a chart, or its archive")?;
    }
    let failed = |reason: String| SelectError::Chart { path: path.to_owned(), reason };
    let mut command = child::program("helm");
    command.args(["template", "airlift", "--"]).arg(path);
    let output = tokio::select! {
        () = ctx.cancel.cancelled() => { ctx.check()?; return Ok(Selection::default()); }
        done = tokio::time::timeout(PATIENCE, command.output()) => done,
    };
    let output = match output {
        Err(_) => return Err(failed(format!("it did not end within {} s", PATIENCE.as_secs())).into()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SelectError::NoHelm { path: path.to_owned() }.into());
        }
        Ok(Err(error)) => return Err(failed(error.to_string()).into()),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let words: String = String::from_utf8_lossy(&output.stderr).chars().take(300).collect();
        return Err(failed(format!("{}: {}", output.status, words.trim())).into());
    }
    if output.stdout.len() as u64 > MAX_FILE {
        return Err(SelectError::TooLarge { path: path.to_owned() }.into());
    }
    let mut selection = Selection::default();
    manifests::scan_bytes(&output.stdout, &format!("helm template {}", path.display()), &mut selection);
    selection.notes.push(format!(
        "{} is taken with its default values: other values may name other images",
        path.display()
    ));
    Ok(selection)
}
