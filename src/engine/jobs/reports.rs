//! Reports that the workstation keeps by itself: the newest and those of the last month stay, and all of a bundle whose job is not done with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::record;
use crate::domain::bundle::{check_name, directory};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::files::{EntryKind, Files};
use crate::engine::import::changes::Ended;
use crate::engine::import::undo::{UndoSpec, undo};

/// So many stay, however old they are.
const NEWEST: usize = 100;
/// So long each of them stays, however many there are.
const RECENT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What a name ends in behind the last dash.
const DEEDS: [&str; 3] = ["packed.txt", "verified.txt", "imported.txt"];
/// Names that are looked at, at most.
const MAX_ENTRIES: usize = 100_000;

/// What is not done with: its reports stay.
#[derive(Debug, Default)]
struct Unfinished {
    /// Names of series that are packed, or whose pack was cut off.
    series: BTreeSet<String>,
    /// Bundles whose import did not come to its end, as in `site-1`.
    imports: BTreeSet<String>,
}

impl Unfinished {
    /// As the records of packs and the notes of imports below a directory of history have it.
    async fn of(state: &Path, ctx: &JobCtx) -> Result<Self> {
        let spec = UndoSpec { file: None, state: state.to_owned(), list: true, dry_run: true, store: None };
        let mut imports = BTreeSet::new();
        let mut seen = BTreeSet::new();
        // The latest first: what a later run of the same bundle brought to its end is done with.
        for run in undo(spec, ctx).await?.runs {
            if seen.insert(run.begun.bundle.clone()) && run.begun.ended != Some(Ended::Whole) {
                imports.insert(run.begun.bundle);
            }
        }
        let state = state.to_owned();
        let series = blocking(move || Ok(record::series(&state))).await?;
        Ok(Self { series, imports })
    }

    fn holds(&self, report: &Name<'_>) -> bool {
        self.series.contains(report.series) || self.imports.contains(&directory(report.series, report.serial))
    }
}

/// What the name of a report says, as in `site-1-2f6a8e0b-packed.txt`.
struct Name<'a> {
    series: &'a str,
    serial: u64,
}

impl<'a> Name<'a> {
    /// Nothing where a file is called otherwise: it is somebody else's.
    fn of(file: &'a str) -> Option<Self> {
        let mut words = file.rsplitn(4, '-');
        let (deed, id, serial, series) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let is_id = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let ours = DEEDS.contains(&deed) && is_id && check_name(series).is_ok();
        ours.then(|| serial.parse().ok().map(|serial| Self { series, serial }))?
    }
}

/// Removes from `reports` what is neither among the newest nor of the last month, but for what an unfinished job is about
/// by the history in `state`; gives how many.
///
/// # Errors
/// They cannot be listed, it is not known what is unfinished, or one cannot be removed: the others stay.
pub async fn prune(reports: PathBuf, state: &Path, ctx: &JobCtx) -> Result<usize> {
    let own = ctx.clone();
    let old = blocking(move || old(&*own.files, &reports, own.clock.now())).await?;
    if old.is_empty() {
        return Ok(0);
    }
    let unfinished = Unfinished::of(state, ctx).await?;
    let files = ctx.files.clone();
    blocking(move || {
        let mut removed = 0;
        for path in old {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(Name::of);
            if name.is_some_and(|name| !unfinished.holds(&name)) {
                files.remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    })
    .await
}

/// The reports that are neither among the newest nor recent.
fn old(files: &dyn Files, directory: &Path, now: Timestamp) -> Result<Vec<PathBuf>> {
    let entries = files.entries(directory, MAX_ENTRIES)?.into_iter();
    let ours = entries.filter(|entry| entry.kind == EntryKind::File && Name::of(&entry.path).is_some());
    let mut found: Vec<(Timestamp, PathBuf)> = ours
        .filter_map(|entry| {
            let path = directory.join(entry.path);
            let written = path.metadata().and_then(|meta| meta.modified()).ok()?;
            Some((Timestamp::try_from(written).ok()?, path))
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    let late = found.into_iter().skip(NEWEST);
    Ok(late.filter(|(written, _)| now.duration_since(*written) > RECENT).map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::domain::carrier::Carrier;
    use crate::engine::spec::{PackJob, SignerSpec};

    fn pack(state: &Path, name: &str) -> PackJob {
        PackJob {
            name: name.to_owned(),
            jobs: 1,
            tool: false,
            ..PackJob::new("medium".into(), SignerSpec::Agent(None), state.to_owned())
        }
    }

    /// A report that was written so many days ago.
    fn report(directory: &Path, name: &str, days: u64) -> PathBuf {
        let path = directory.join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
        path
    }

    fn count(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[tokio::test]
    async fn the_newest_hundred_stay_and_so_does_the_last_month() {
        let (reports, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ctx = JobCtx::silent();
        let prune = || prune(reports.path().to_owned(), state.path(), &ctx);
        assert_eq!(prune().await.unwrap(), 0);
        for number in 0..NEWEST + 20 {
            report(reports.path(), &format!("site-{number}-0123abcd-packed.txt"), 29);
        }
        assert_eq!(prune().await.unwrap(), 0, "all of the last month");
        let old: Vec<_> = ["site-1-ffffffff-imported.txt", "a-b-7-00000000-packed.txt"]
            .map(|name| report(reports.path(), name, 31))
            .to_vec();
        // What a person put there, or what is called otherwise, is nobody's to remove.
        let foreign =
            ["notes.txt", "site-1-packed.txt", "site-x-0123abcd-packed.txt", "site-1-0123abcd-sent.txt"];
        foreign.iter().for_each(|name| drop(report(reports.path(), name, 400)));
        std::fs::create_dir(reports.path().join("dir-9-0123abcd-packed.txt")).unwrap();
        assert_eq!(prune().await.unwrap(), 2);
        assert!(old.iter().all(|path| !path.exists()));
        assert_eq!(count(reports.path()), NEWEST + 20 + foreign.len() + 1);
    }

    #[tokio::test]
    async fn few_stay_however_old_they_are() {
        let (reports, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for number in 0..=NEWEST {
            report(reports.path(), &format!("site-{number}-0123abcd-packed.txt"), 400 + number as u64);
        }
        let removed = prune(reports.path().to_owned(), state.path(), &JobCtx::silent()).await.unwrap();
        assert_eq!((removed, count(reports.path())), (1, NEWEST));
        assert!(!reports.path().join(format!("site-{NEWEST}-0123abcd-packed.txt")).exists(), "the oldest");
    }

    #[tokio::test]
    async fn a_report_of_what_is_not_done_with_stays() {
        let (reports, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ctx = JobCtx::silent();
        for number in 0..NEWEST {
            report(reports.path(), &format!("new-{number}-0123abcd-packed.txt"), 40);
        }
        let begin = |name: &str| {
            let job = pack(state.path(), name);
            let carrier =
                Carrier { mount_point: "/".into(), source: "/dev/sda1".into(), uuid: None, device: None };
            record::begin(&job, carrier, &ctx).unwrap().unwrap()
        };
        drop(begin("cut"));
        let running = begin("running");
        let names =
            ["cut-1-0123abcd-packed.txt", "running-1-0123abcd-packed.txt", "done-1-0123abcd-packed.txt"];
        let [of_cut, of_running, of_done] = names.map(|name| report(reports.path(), name, 50));
        assert_eq!(prune(reports.path().to_owned(), state.path(), &ctx).await.unwrap(), 1);
        assert!(of_cut.exists() && of_running.exists() && !of_done.exists());
        running.end(&ctx).unwrap();
        let cut = record::interrupted(state.path(), &ctx).jobs[0].id;
        record::forget(state.path(), cut, &ctx).unwrap();
        assert_eq!(prune(reports.path().to_owned(), state.path(), &ctx).await.unwrap(), 2);
        assert!(!of_cut.exists() && !of_running.exists());
    }

    #[tokio::test]
    async fn a_report_of_what_was_not_imported_to_the_end_stays_until_it_is() {
        let (reports, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ctx = JobCtx::silent();
        for number in 0..NEWEST {
            report(reports.path(), &format!("new-{number}-0123abcd-packed.txt"), 40);
        }
        let runs = state.path().join("imports");
        std::fs::create_dir(&runs).unwrap();
        let run = |number: u32, end: &str| {
            let begun = r#"{"format":"airlift-changes/1","begun":"2026-01-01T00:00:00Z","bundle":"site-1"}"#;
            std::fs::write(runs.join(format!("{number:06}.jsonl")), format!("{begun}\n{end}")).unwrap();
        };
        run(1, "{\"ended\":\"whole\"}\n");
        run(2, "");
        let [cut, other] = ["site-1-0123abcd-imported.txt", "site-2-0123abcd-imported.txt"]
            .map(|name| report(reports.path(), name, 50));
        assert_eq!(prune(reports.path().to_owned(), state.path(), &ctx).await.unwrap(), 1);
        assert!(cut.exists() && !other.exists());
        run(3, "{\"ended\":\"whole\"}\n");
        assert_eq!(prune(reports.path().to_owned(), state.path(), &ctx).await.unwrap(), 1);
        assert!(!cut.exists());
    }
}
