//! What the CRI of the k3s or RKE2 on this node answers once it has taken an archive in; where it cannot be asked, how to ask later.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::settings::{self, Program};
use super::{archive_in, arrived};
use crate::domain::import::{KUBELET_NAMESPACE, Target};
use crate::domain::k3s::SOCKET;
use crate::domain::progress::Event;
use crate::engine::blocking::blocking;
use crate::engine::error::{EngineError, Result};
use crate::engine::files::Files;
use crate::engine::import::graph::ImageGraph;
use crate::engine::import::proof::{self, Expected};
use crate::engine::import::{Job, Plan, Written, containerd, foreseen};
use crate::engine::runtime::containerd::Containerd;
use crate::engine::runtime::cri::Cri;
use crate::engine::storage::conf::below;
use crate::engine::waited::Waited;

/// How long apart it is looked whether the import gets on.
const APART: Duration = Duration::from_millis(200);
/// Bytes that a slow disk takes in a second.
const SLOW_DISK: u64 = 20 << 20;

/// What to do once k3s has read the archive: there is no other verb for it, and a second run writes nothing.
const LATER: &str = "then run the same command again: it writes nothing, and asks the CRI for every name";

/// The same on another host.
const THERE: &str =
    "The same command on that node proves it after that: it writes nothing, and asks the CRI for every name";

/// Asks for every name of what arrived; what keeps it from being asked is a note.
///
/// # Errors
/// As the runtime answers; that a name is missing is none, it is in the proof.
pub(super) async fn prove(
    job: &Job,
    dir: &Path,
    images: &Arc<Vec<ImageGraph>>,
    written: &mut Written,
) -> Result<()> {
    let (files, images_dir) = (Arc::clone(&job.ctx.files), dir.to_owned());
    let reader = blocking(move || reader(&*files, &images_dir)).await?;
    let archive = archive_in(job, dir);
    let archive = archive.display();
    let (socket, program) = match reader {
        Ok(reader) => reader,
        Err(nobody) => {
            first(written, format!("not proved yet: {nobody}"));
            return Ok(());
        }
    };
    let name = program.name;
    let connected = async {
        let cri = Cri::connect(&socket).await?;
        Ok::<_, EngineError>((cri, Containerd::connect(&socket, KUBELET_NAMESPACE).await?))
    };
    let (cri, daemon) = match connected.await {
        Ok(both) => both,
        Err(error) => {
            let reason = error.message();
            let words =
                format!("not proved yet: {name} could not be asked: {reason}; once it answers, {LATER}");
            first(written, words);
            return Ok(());
        }
    };
    let expected = expected(job, dir, images, written).await?;
    let took = taken_in((&cri, &daemon), &expected, slowest(images), job).await?;
    let patience = if took { proof::PATIENCE } else { Duration::ZERO };
    let proof = proof::prove(&cri, &expected, patience, &job.ctx).await?;
    if !took {
        first(
            written,
            format!(
                "{archive} is whole, but {name} has not imported it. Releases before January 2025 do so only when they \
                 start; of a later one the journal says what kept it from that. Type {}, {LATER}",
                program.restart
            ),
        );
    }
    written.proof = Some(proof);
    Ok(())
}

/// Says before an import what the one that runs here and reads the directory would be lacking; one that cannot be asked
/// is told of by the import.
///
/// # Errors
/// As its CRI answers.
pub(in crate::engine::import) async fn foresee(
    job: &Job,
    dir: &Path,
    images: &[ImageGraph],
    plan: &mut Plan,
) -> Result<()> {
    let (files, directory) = (Arc::clone(&job.ctx.files), dir.to_owned());
    let Ok((socket, _)) = blocking(move || reader(&*files, &directory)).await? else { return Ok(()) };
    match Cri::connect(&socket).await {
        Ok(cri) => foreseen::add(job, &cri, images, plan).await,
        Err(_) => Ok(()),
    }
}

/// The socket of what reads an images directory, and what that is; in words where there is nobody to ask. Blocks.
///
/// # Errors
/// A file error.
pub(super) fn reader(
    files: &dyn Files,
    dir: &Path,
) -> Result<std::result::Result<(PathBuf, Program), String>> {
    let Some((root, program)) = settings::home(files, dir) else {
        return Ok(Err(format!(
            "no k3s or RKE2 of this host reads {}. One that does imports the archive within seconds; releases before \
             January 2025 do so at their next start. {THERE}",
            dir.display()
        )));
    };
    let socket = below(&root, Path::new(SOCKET));
    if files.stat(&socket)?.is_some() {
        return Ok(Ok((socket, program)));
    }
    let (name, socket) = (program.name, socket.display());
    Ok(Err(format!(
        "{name} does not run here (no {socket}): it imports the archive when it starts. Start it, {LATER}"
    )))
}

/// Says it before everything else: it is what keeps the images from being called imported.
fn first(written: &mut Written, words: String) {
    written.general.insert(0, words);
}

/// What the CRI is to answer, with the names that k3s itself makes.
async fn expected(
    job: &Job,
    dir: &Path,
    images: &Arc<Vec<ImageGraph>>,
    written: &Written,
) -> Result<Vec<Expected>> {
    let (job, dir, images, outcomes) =
        (job.clone(), dir.to_owned(), Arc::clone(images), written.outcomes.clone());
    blocking(move || {
        let (settings, _) = settings::read(&*job.ctx.files, &dir);
        let target = Target::K3s(dir).to_string();
        let one = |image: &ImageGraph| {
            let mut expected = containerd::expected(&job, image, &target)?;
            expected.names.extend(settings.names_of(&image.image.reference));
            Ok(expected)
        };
        arrived(&images, &outcomes).into_iter().map(one).collect()
    })
    .await
}

/// How long its largest blob may take to be written once more.
fn slowest(images: &[ImageGraph]) -> Duration {
    let largest = images.iter().flat_map(|image| &image.blobs).map(|node| node.size).max();
    Duration::from_secs(largest.unwrap_or_default() / SLOW_DISK)
}

/// How long nothing has moved there.
#[derive(Default)]
struct Still {
    /// Blobs, and names that the CRI lists.
    before: Option<(usize, usize)>,
    length: Duration,
}

impl Still {
    /// Counts what is there so long after the last count; how long it has been just that.
    fn look(&mut self, now: (usize, usize), took: Duration) -> Duration {
        let moved = self.before.replace(now) != Some(now);
        self.length = if moved { Duration::ZERO } else { self.length + took };
        self.length
    }
}

/// Waits until the CRI lists every name; false where nothing moved for so long that nothing will.
async fn taken_in(
    (cri, daemon): (&Cri, &Containerd),
    expected: &[Expected],
    slowest: Duration,
    job: &Job,
) -> Result<bool> {
    let (mut still, mut apart) = (Still::default(), Duration::ZERO);
    loop {
        job.ctx.check()?;
        let looked = async {
            tokio::time::sleep(apart).await;
            Ok::<_, EngineError>((cri.images().await?, daemon.blobs().await?.len()))
        };
        let (found, took) = Waited::during(looked).await;
        let (listed, blobs) = found?;
        let there: HashSet<&String> =
            listed.iter().flat_map(|image| image.tags.iter().chain(&image.digests)).collect();
        if expected.iter().flat_map(|image| &image.names).all(|name| there.contains(name)) {
            return Ok(true);
        }
        if still.before.is_none() {
            let text = "the archive is in place; waiting for k3s or RKE2 to import it".to_owned();
            job.ctx.say(Event::Note { text });
        }
        if still.look((blobs, there.len()), took) > proof::PATIENCE + slowest {
            return Ok(false);
        }
        apart = APART;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_still_from_its_last_move_on() {
        let mut still = Still::default();
        let seconds = Duration::from_secs;
        for (now, took, length) in
            [((0, 1), 9, 0), ((0, 1), 3, 3), ((0, 1), 4, 7), ((1, 1), 5, 0), ((1, 2), 5, 0), ((1, 2), 6, 6)]
        {
            assert_eq!(still.look(now, seconds(took)), seconds(length), "{now:?} {took}");
        }
    }
}
