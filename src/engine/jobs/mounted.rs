//! Whether a pack goes where it is meant to: a mount point whose medium is not mounted is a directory of the disk below it.

use std::path::PathBuf;

use crate::domain::carrier::Carrier;
use crate::domain::media::Blocked;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, Kind, Result};
use crate::engine::media::Place;
use crate::engine::spec::PackJob;
use crate::engine::state::State;

/// What the last bundle at that path went to is not mounted there.
#[derive(Debug, thiserror::Error)]
#[error("a bundle of {name} went to {before} last, which is not mounted now: {} is on {now}", to.display())]
pub struct NotMounted {
    /// Of its series.
    name: String,
    /// The destination.
    to: PathBuf,
    /// What it lay on.
    before: Box<Carrier>,
    /// What it lies on.
    now: Box<Carrier>,
}

impl Explain for NotMounted {
    fn kind(&self) -> Kind {
        Kind::Medium
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "nothing was written; mount it there first; airlift media list shows the media".to_owned(),
            "where that directory is meant as it is now: --plain-directory".to_owned(),
        ]
    }
}

/// Refuses a destination that is only what lies below the mount point of the last bundle there, and warns of any on the disk that
/// the system runs from; neither where that is meant.
///
/// # Errors
/// [`NotMounted`].
pub async fn look(job: &PackJob, place: &Place, ctx: &JobCtx) -> Result<()> {
    if job.plain_directory {
        return Ok(());
    }
    let state = State::new(ctx.files.clone(), job.state.clone());
    let path = place.path.clone();
    // Without that memory a pack goes on as on a host that has none.
    let before = blocking(move || state.went(&path)).await.unwrap_or_else(|error| {
        ctx.warn(format!("where bundles went before is not known: {}", error.message()));
        None
    });
    let now = place.carrier();
    if let Some(before) = before.filter(|before| is_below(&now, &before.carrier)) {
        let (name, before, now) = (before.name, Box::new(before.carrier), Box::new(now));
        return Err(NotMounted { name, to: job.to.clone(), before, now }.into());
    }
    if let Some(Blocked::System { holds }) = place.medium.as_ref().and_then(|medium| medium.blocked.as_ref())
    {
        ctx.warn(format!(
            "{} lies on the system disk (holds {}), nothing removable is mounted there; is the medium mounted? airlift \
             media list shows the media; --plain-directory says that the directory is meant",
            job.to.display(),
            holds.join(", ")
        ));
    }
    Ok(())
}

/// Whether a path lies on what is below the mount point that it lay on before. Another medium that is mounted there takes
/// the next bundle as well as the first one.
fn is_below(now: &Carrier, before: &Carrier) -> bool {
    let deeper = before.mount_point != now.mount_point && before.mount_point.starts_with(&now.mount_point);
    deeper && !now.is_still(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_mount_point_of_before_is_no_medium() {
        let carrier = |point: &str, source: &str| Carrier::of(point.into(), source.into(), None);
        let stick = carrier("/mnt/stick", "/dev/sdb1");
        for (now, below) in [
            (carrier("/", "/dev/vda"), true),
            (carrier("/mnt", "/dev/vdb"), true),
            (carrier("/mnt/stick", "/dev/sdb1"), false),
            // The next stick of a row of them.
            (carrier("/mnt/stick", "/dev/sdc1"), false),
            (carrier("/mnt/stick/sub", "/dev/sdc1"), false),
        ] {
            assert_eq!(is_below(&now, &stick), below, "{now}");
        }
        // First onto the disk, and then the medium was mounted.
        assert!(!is_below(&stick, &carrier("/", "/dev/vda")));
    }
}
