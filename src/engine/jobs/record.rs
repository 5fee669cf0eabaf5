//! Records of packs under way, so that one that was killed can be offered again: its spec in a file that is locked while it runs.
//!
//! A record is removed when its pack ends well, or fails with nothing there to go on with; it stays where the process
//! dies, is told to stop, loses its medium, or leaves an unfinished bundle. One that goes where an earlier pack was cut
//! off takes the place of that one's record once its own bundle is begun: until then it has written nothing.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::copies;
use super::made::Made;
use crate::domain::carrier::Carrier;
use crate::domain::strict_json;
use crate::engine::bundle::workdir::{self, Found};
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::open_held;
use crate::engine::select::Source;
use crate::engine::spec::{JobSpec, PackJob, SignerSpec};

const FORMAT: &str = "airlift-job/1";
/// Below the directory of history.
const DIRECTORY: &str = "jobs";
const SUFFIX: &str = ".json";
/// Bytes of one record that are read at most: some ten thousand references.
const MAX_RECORD: u64 = 4 * 1024 * 1024;
/// Records that are looked at, at most.
const MAX_RECORDS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    format: String,
    started: Timestamp,
    /// For people: the lock on the file tells whether it runs.
    pid: u32,
    /// What the destination lay on.
    carrier: Carrier,
    spec: JobSpec,
    /// Records whose place it takes once its bundle is begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaces: Vec<Uuid>,
}

/// A job that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptedJob {
    /// Of its record.
    pub id: Uuid,
    /// When it was started.
    pub started: Timestamp,
    /// What to start again; its paths are absolute.
    pub spec: JobSpec,
    /// What the destination lay on when it was started.
    pub carrier: Carrier,
    /// The unfinished bundle, where the medium is there.
    pub bundle: Option<PathBuf>,
    /// The bundle of that name which is signed there last.
    pub signed: Option<SignedThere>,
}

/// A signed bundle where a pack went that did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedThere {
    /// Its serial.
    pub serial: u64,
    /// Whether that pack made it, by all that its record tells: all is done, and only nobody was told.
    pub own: bool,
}

/// What the records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupted {
    /// Latest first.
    pub jobs: Vec<InterruptedJob>,
    /// Records that cannot be read, each with the reason; they are left as they are.
    pub damaged: Vec<String>,
    /// What this process packs right now, of the copies of what it was given.
    pub under_way: Vec<JobSpec>,
}

/// The record of a pack under way. Dropped without [`Recorded::end`], it stays.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    replaces: Vec<PathBuf>,
    #[expect(dead_code, reason = "the descriptor holds the lock")]
    file: File,
}

impl Recorded {
    /// Removes it: there is nothing to go on with. What it was to take the place of stays.
    ///
    /// # Errors
    /// The kernel's.
    pub fn end(self, ctx: &JobCtx) -> Result<()> {
        Ok(ctx.files.remove(&self.path)?)
    }

    /// Removes it and what it took the place of: it came to its end. Blocks.
    ///
    /// # Errors
    /// The kernel's.
    pub fn done(self, ctx: &JobCtx) -> Result<()> {
        self.replaces.iter().try_for_each(|old| ctx.files.remove(old))?;
        self.end(ctx)
    }

    /// The records whose place it takes, to be removed once its bundle is begun.
    pub fn replaces(&self) -> &[PathBuf] {
        &self.replaces
    }

    /// Whether it took their place, or had none to take: what is offered otherwise is the earlier pack. Blocks.
    pub fn stands(&self) -> bool {
        self.replaces.iter().all(|old| !old.exists())
    }
}

/// Records a pack onto what carries its destination, to take the place of what is left of earlier ones to the same
/// place, and of those to other places where it begins anew. Nothing where it could not be started again: a list that
/// came through a pipe is gone. Blocks.
///
/// # Errors
/// The kernel's.
pub fn begin(job: &PackJob, carrier: Carrier, ctx: &JobCtx) -> Result<Option<Recorded>> {
    let piped = |source: &Source| matches!(source, Source::List(path) | Source::K3s(path) if !path.is_file());
    if job.images.sources.iter().any(piped) {
        return Ok(None);
    }
    let directory = job.state.join(DIRECTORY);
    directory::create(&*ctx.files, &directory)?;
    let anew = job.anew;
    // Where it is gone on with, that is asked again.
    let job = PackJob { anew: false, ..absolute(job.clone()) };
    let replaced = |old: &InterruptedJob| {
        let named = old.pack().is_some_and(|own| own.name == job.name);
        named && (anew || old.is_of(&job.to, &job.name) || old.is_at(&job.to, &carrier))
    };
    let (found, unbegun) = sorted(&job.state, ctx);
    let file = |id: Uuid| directory.join(format!("{id}{SUFFIX}"));
    for (old, _) in unbegun.iter().filter(|(old, _)| replaced(old)) {
        ctx.files.remove(&file(old.id))?;
    }
    let started = ctx.clock.now();
    copies::sweep(&*ctx.files, &directory, (SUFFIX, started));
    let replaces: Vec<Uuid> = found.jobs.iter().filter(|old| replaced(old)).map(|old| old.id).collect();
    let (id, old) = (Uuid::now_v7(), replaces.iter().map(|id| file(*id)).collect());
    let pid = std::process::id();
    let format = FORMAT.to_owned();
    let spec = JobSpec::Pack(copies::keep(&*ctx.files, (&directory, id), job)?);
    let record = Record { format, started, pid, carrier, spec, replaces };
    let path = file(id);
    Ok(Some(Recorded { file: write(&directory, &path, &record)?, path, replaces: old }))
}

/// Packs under the same name that were cut off, wherever they went. Blocks.
pub fn earlier(job: &PackJob, ctx: &JobCtx) -> Vec<InterruptedJob> {
    let mut jobs = interrupted(&job.state, ctx).jobs;
    jobs.retain(|old| old.pack().is_some_and(|own| own.name == job.name));
    jobs
}

impl InterruptedJob {
    /// The pack itself.
    pub const fn pack(&self) -> Option<&PackJob> {
        match &self.spec {
            JobSpec::Pack(job) => Some(job),
            _ => None,
        }
    }

    /// Whether it goes to this directory, given without links to the one one stands in, under this name.
    pub fn is_of(&self, to: &Path, name: &str) -> bool {
        self.pack().is_some_and(|own| (own.to.as_path(), own.name.as_str()) == (to, name))
    }

    /// Whether it goes to this directory, which lies on `now`: on the same medium at the same place of it, wherever
    /// that is mounted.
    pub fn is_at(&self, to: &Path, now: &Carrier) -> bool {
        let there = |to: &Path, carrier: &Carrier| {
            let to = to.canonicalize().unwrap_or_else(|_| to.to_owned());
            to.strip_prefix(&carrier.mount_point).map(Path::to_owned).unwrap_or(to)
        };
        let is_there = |own: &PackJob| own.to == to || there(&own.to, &self.carrier) == there(to, now);
        now.is_still(&self.carrier) && self.pack().is_some_and(is_there)
    }
}

/// Under its name only once it is whole and locked. The lock stays with the file through the rename.
fn write(directory: &Path, path: &Path, record: &Record) -> Result<File> {
    let failed = |operation| move |source| FileError { operation, path: path.to_owned(), source };
    let bytes = serde_json::to_vec(record).map_err(|error| failed("write")(error.into()))?;
    let mut temp = tempfile::NamedTempFile::new_in(directory).map_err(failed("create"))?;
    if let Err(TryLockError::Error(source)) = temp.as_file().try_lock() {
        return Err(failed("lock")(source).into());
    }
    temp.write_all(&bytes).and_then(|()| temp.as_file().sync_all()).map_err(failed("write"))?;
    let file = temp.persist_noclobber(path).map_err(|error| failed("rename to")(error.error))?;
    File::open(directory).and_then(|held| held.sync_all()).map_err(failed("sync"))?;
    Ok(file)
}

/// The packs that did not come to their end, from the records below a directory of history; of those to one place the
/// one that an unfinished bundle there is of, as far as that is known. Blocks.
pub fn interrupted(state: &Path, ctx: &JobCtx) -> Interrupted {
    sorted(state, ctx).0
}

/// Those that are offered, and those that were cut off before they took the place of one of them, with what that was.
fn sorted(state: &Path, ctx: &JobCtx) -> (Interrupted, Vec<(InterruptedJob, Vec<Uuid>)>) {
    let (mut found, mut under_way, mut all) = (Interrupted::default(), BTreeSet::new(), Vec::new());
    let Ok(entries) = std::fs::read_dir(state.join(DIRECTORY)) else { return (found, all) };
    let mut made = Made::new(state, ctx);
    for entry in entries.flatten().take(MAX_RECORDS) {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse::<Uuid>().ok());
        let Some(id) = id else { continue };
        match read(&entry.path()) {
            Ok(Some((record, true))) => {
                under_way.extend(record.replaces);
                let own = record.pid == std::process::id();
                found.under_way.extend(own.then_some(record.spec));
            }
            Ok(Some((record, false))) => {
                let (bundle, signed) = left(&record.spec, record.started, &mut made);
                let Record { started, carrier, spec, replaces, .. } = record;
                all.push((InterruptedJob { id, started, spec, carrier, bundle, signed }, replaces));
            }
            Ok(None) => {}
            Err(reason) => found.damaged.push(format!("{}: {reason}", entry.path().display())),
        }
    }
    let there: BTreeSet<Uuid> = all.iter().map(|(job, _)| job.id).collect();
    let (begun, unbegun): (Vec<_>, _) =
        all.into_iter().partition(|(_, replaces)| !replaces.iter().any(|old| there.contains(old)));
    let offered = begun.into_iter().map(|(job, _)| job).filter(|job| !under_way.contains(&job.id));
    found.jobs = offered.collect();
    found.jobs.sort_by_key(|job| std::cmp::Reverse((job.started, job.id)));
    found.damaged.sort();
    (found, unbegun)
}

/// Names of the series whose pack is under way or was cut off, by the records below a directory of history. Blocks.
pub fn series(state: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(state.join(DIRECTORY)) else { return BTreeSet::new() };
    let records = entries
        .flatten()
        .take(MAX_RECORDS)
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX));
    let specs = records.filter_map(|entry| Some(read(&entry.path()).ok()??.0.spec));
    specs.filter_map(|spec| if let JobSpec::Pack(job) = spec { Some(job.name) } else { None }).collect()
}

/// Removes a record, and those that were to take its place and never began. Blocks.
///
/// # Errors
/// The kernel's.
pub fn forget(state: &Path, id: Uuid, ctx: &JobCtx) -> Result<()> {
    let file = |id: Uuid| state.join(DIRECTORY).join(format!("{id}{SUFFIX}"));
    let (_, unbegun) = sorted(state, ctx);
    for (job, _) in unbegun.iter().filter(|(_, replaces)| replaces.contains(&id)) {
        ctx.files.remove(&file(job.id))?;
    }
    Ok(ctx.files.remove(&file(id))?)
}

/// A record, and whether its process runs. Nothing where that has just removed it.
fn read(path: &Path) -> std::result::Result<Option<(Record, bool)>, String> {
    match open_held(path).map_err(|error| error.source.to_string())? {
        None => Ok(None),
        Some((file, false)) => parsed(file).map(|record| Some((record, false))),
        Some((file, true)) => Ok(parsed(file).ok().map(|record| (record, true))),
    }
}

fn parsed(file: File) -> std::result::Result<Record, String> {
    let mut bytes = Vec::new();
    file.take(MAX_RECORD + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_RECORD {
        return Err(format!("it has more than {MAX_RECORD} bytes"));
    }
    let record: Record = strict_json::parse(&bytes).map_err(|error| error.to_string())?;
    if record.format != FORMAT {
        return Err(format!("format is {:?}, this version reads {FORMAT:?}", record.format));
    }
    Ok(record)
}

/// The unfinished bundle that a pack goes on with, and the one of its name that is signed there last.
fn left(spec: &JobSpec, started: Timestamp, made: &mut Made<'_>) -> (Option<PathBuf>, Option<SignedThere>) {
    let JobSpec::Pack(job) = spec else { return (None, None) };
    let found = workdir::find(&*made.ctx.files, &job.to, &job.name).unwrap_or_default();
    let bundle = found.iter().find_map(|found| match found {
        Found::Unfinished(path, _) => Some(path.clone()),
        Found::Finished(..) => None,
    });
    let signed = found.iter().find_map(|found| match found {
        Found::Finished(path, serial) => Some((path, *serial)),
        Found::Unfinished(..) => None,
    });
    let signed = signed.map(|(path, serial)| {
        // One that is to be gone on with has made none.
        let own = bundle.is_none() && made.is_of(job, started, (path, serial));
        SignedThere { serial, own }
    });
    (bundle, signed)
}

/// The same job for whoever stands in another directory.
fn absolute(mut job: PackJob) -> PackJob {
    let full = |path: &mut PathBuf| {
        if let Ok(absolute) = std::path::absolute(&*path) {
            *path = absolute;
        }
    };
    for source in &mut job.images.sources {
        if let Source::List(path) | Source::K3s(path) | Source::Manifests(path) = source {
            full(path);
        }
    }
    if let SignerSpec::Key(path) = &mut job.signer {
        full(path);
    }
    [&mut job.to, &mut job.state].into_iter().for_each(full);
    job.lock.iter_mut().chain(&mut job.registry.ca).chain(&mut job.registry.authfile).for_each(full);
    job
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::spec::Images;

    fn job(state: &Path, name: &str) -> PackJob {
        PackJob {
            images: Images { references: vec!["a:1".to_owned()], ..Images::default() },
            lock: Some("air.lock".into()),
            name: name.to_owned(),
            jobs: 6,
            anew: true,
            ..PackJob::new("medium".into(), SignerSpec::Agent(None), state.to_owned())
        }
    }

    fn carrier() -> Carrier {
        Carrier { mount_point: "/".into(), source: "/dev/sda1".into(), uuid: None, device: None }
    }

    #[test]
    fn a_record_lists_once_its_process_has_let_go_and_a_pack_to_the_same_place_takes_it_over() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        let begin = |name: &str| begin(&job(state.path(), name), carrier(), &ctx).unwrap().unwrap();
        let listed = || interrupted(state.path(), &ctx);
        let (first, other) = (begin("site"), begin("other"));
        let both = listed();
        assert!(both.jobs.is_empty() && both.damaged.is_empty(), "both run: {both:?}");
        let titles: BTreeSet<String> = both.under_way.iter().map(JobSpec::title).collect();
        assert_eq!(titles.len(), 2, "{titles:?}");
        drop(first);
        let jobs = listed().jobs;
        assert_eq!(jobs.len(), 1);
        let JobSpec::Pack(kept) = &jobs[0].spec else { panic!("{jobs:?}") };
        assert_eq!((kept.name.as_str(), kept.to.is_absolute()), ("site", true));
        assert_eq!((kept.anew, &jobs[0].carrier), (false, &carrier()));
        assert!(kept.lock.as_ref().unwrap().is_absolute() && jobs[0].bundle.is_none());
        let again = begin("site");
        assert!(listed().jobs.is_empty());
        again.done(&ctx).unwrap();
        drop(other);
        let jobs = listed().jobs;
        assert_eq!(jobs.len(), 1);
        forget(state.path(), jobs[0].id, &ctx).unwrap();
        assert_eq!(std::fs::read_dir(state.path().join(DIRECTORY)).unwrap().count(), 0);
    }

    #[test]
    fn a_pack_takes_the_place_of_an_earlier_record_only_once_its_bundle_is_begun() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        let asking = |image: &str| PackJob {
            images: Images { references: vec![image.to_owned()], ..Images::default() },
            ..job(state.path(), "site")
        };
        let begin = |image: &str| begin(&asking(image), carrier(), &ctx).unwrap().unwrap();
        let listed = || {
            let jobs = interrupted(state.path(), &ctx).jobs;
            jobs.iter().map(|job| job.pack().unwrap().images.references[0].clone()).collect::<Vec<_>>()
        };
        let files = || std::fs::read_dir(state.path().join(DIRECTORY)).unwrap().count();
        drop(begin("a:1"));
        let second = begin("b:1");
        assert!(listed().is_empty() && !second.stands(), "the earlier one is not offered while this runs");
        drop(second);
        assert_eq!((listed(), files()), (vec!["a:1".to_owned()], 2), "killed before it wrote anything");
        let third = begin("c:1");
        assert_eq!(files(), 2, "what never began is not kept");
        third.end(&ctx).unwrap();
        assert_eq!((listed(), files()), (vec!["a:1".to_owned()], 1));
        let fourth = begin("d:1");
        fourth.replaces().iter().for_each(|old| ctx.files.remove(old).unwrap());
        assert!(fourth.stands());
        drop(fourth);
        assert_eq!(listed(), ["d:1"]);
        begin("e:1").done(&ctx).unwrap();
        assert_eq!(files(), 0, "one that ends well leaves nothing to go on with");
        drop(begin("f:1"));
        drop(begin("g:1"));
        let offered = interrupted(state.path(), &ctx).jobs.remove(0).id;
        forget(state.path(), offered, &ctx).unwrap();
        assert_eq!(files(), 0, "what was to take its place is not offered in its stead");
    }

    #[test]
    fn a_damaged_record_is_named_and_hides_no_other() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        drop(begin(&job(state.path(), "site"), carrier(), &ctx).unwrap());
        let whole = interrupted(state.path(), &ctx).jobs[0].id;
        let directory = state.path().join(DIRECTORY);
        let text = std::fs::read_to_string(directory.join(format!("{whole}{SUFFIX}"))).unwrap();
        let twice = text.replacen('{', "{\"pid\":1,", 1);
        let newer = text.replace(FORMAT, "airlift-job/9");
        let unknown = text.replacen('{', "{\"more\":1,", 1);
        for (at, damage) in [&text[..text.len() / 2], &twice, &newer, &unknown, ""].into_iter().enumerate() {
            std::fs::write(directory.join(format!("{}{SUFFIX}", Uuid::from_u128(at as u128))), damage)
                .unwrap();
        }
        std::os::unix::fs::symlink("/dev/zero", directory.join(format!("{}{SUFFIX}", Uuid::max()))).unwrap();
        std::fs::write(directory.join("notes.txt"), "").unwrap();
        let found = interrupted(state.path(), &ctx);
        assert_eq!((found.jobs.len(), found.damaged.len()), (1, 6), "{found:?}");
        assert!(found.damaged.iter().all(|line| line.contains(SUFFIX)));
    }

    #[test]
    fn a_pack_is_gone_on_with_over_the_list_and_the_lock_file_it_began_with() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        let [list, lock] = ["images.txt", "air.lock"].map(|name| state.path().join(name));
        let mut job = PackJob { lock: Some(lock.clone()), ..job(state.path(), "site") };
        job.images.sources = vec![Source::Kubeadm("1.31".into()), Source::List(list.clone())];
        let written = |text: &str| [&list, &lock].map(|file| std::fs::write(file, text).unwrap());
        let given = |job: &PackJob| {
            let Source::List(list) = &job.images.sources[1] else { panic!("{job:?}") };
            [list, job.lock.as_ref().unwrap()].map(|file| std::fs::read_to_string(file).unwrap())
        };
        let offered = || interrupted(state.path(), &ctx).jobs.remove(0);
        let count = || std::fs::read_dir(state.path().join(DIRECTORY)).unwrap().count();
        written("a:1\n");
        drop(begin(&job, carrier(), &ctx).unwrap());
        written("b:1\n");
        let first = offered().pack().unwrap().clone();
        assert_eq!(given(&first), ["a:1\n", "a:1\n"]);
        // Gone on with, cut off once more, and what it took the place of removed as its bundle was begun.
        let again = begin(&first, carrier(), &ctx).unwrap().unwrap();
        again.replaces().iter().for_each(|old| ctx.files.remove(old).unwrap());
        drop(again);
        assert_eq!(given(offered().pack().unwrap()), ["a:1\n", "a:1\n"]);
        assert_eq!(count(), 3, "the copies of the first stay for a day: a command may name them");
        let second = offered().pack().unwrap().clone();
        let place = |job: &PackJob| job.lock.as_ref().unwrap().parent().unwrap().to_owned();
        let days_ago = Uuid::from_u128(Uuid::now_v7().as_u128() - (172_800_000_u128 << 80));
        std::fs::rename(place(&first), place(&first).with_file_name(days_ago.to_string())).unwrap();
        begin(&second, carrier(), &ctx).unwrap().unwrap().done(&ctx).unwrap();
        assert_eq!(interrupted(state.path(), &ctx), Interrupted::default());
        assert_eq!((count(), given(&second)), (2, ["a:1\n", "a:1\n"].map(str::to_owned)));
    }

    #[test]
    fn a_list_from_a_pipe_leaves_no_record() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        let mut piped = job(state.path(), "site");
        piped.images.sources.push(Source::List("-".into()));
        assert!(begin(&piped, carrier(), &ctx).unwrap().is_none());
        assert_eq!(interrupted(state.path(), &ctx), Interrupted::default());
    }
}
