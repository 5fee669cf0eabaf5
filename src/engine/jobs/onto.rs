//! What a pack goes onto: looked at before its first byte, and refused where the same pack was cut off on something else.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::mounted;
use super::record::{self, InterruptedJob, Recorded, SignedThere};
use crate::domain::carrier::Carrier;
use crate::domain::progress::Event;
use crate::engine::blocking::blocking;
use crate::engine::bundle::unfinished::find_interrupted;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Explain, Kind, Result};
use crate::engine::media::{ListSpec, MediaError, Place, place_of};
use crate::engine::spec::PackJob;

/// The destination is not where it was.
#[derive(Debug, thiserror::Error)]
pub enum OntoError {
    /// A pack of that name was cut off on another medium.
    #[error("{name} was cut off on {before}, but {} is on {now}", to.display())]
    Elsewhere {
        /// Of the series.
        name: String,
        /// The destination.
        to: PathBuf,
        /// What it lay on.
        before: Box<Carrier>,
        /// What it lies on.
        now: Box<Carrier>,
    },
    /// A pack of that name was cut off in another place: a series goes on in one place at a time.
    #[error("{name} was cut off in {}{}", begun.display(), not_here((before, now), to))]
    Begun {
        /// Of the series.
        name: String,
        /// Where it went.
        begun: PathBuf,
        /// What that lay on.
        before: Box<Carrier>,
        /// The destination.
        to: PathBuf,
        /// What it lies on.
        now: Box<Carrier>,
    },
    /// It was changed between the first look and the first byte.
    #[error("{} was on {before} a moment ago, and is on {now} now", to.display())]
    Changed {
        /// The destination.
        to: PathBuf,
        /// What it lay on.
        before: Box<Carrier>,
        /// What it lies on.
        now: Box<Carrier>,
    },
}

/// What tells the other place from this one: what they lie on, unless that is the same.
fn not_here((before, now): (&Carrier, &Carrier), to: &Path) -> String {
    let to = to.display();
    if now.is_still(before) {
        format!(", not in {to}")
    } else {
        format!(", on {before}, but {to} is on {now}")
    }
}

impl Explain for OntoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Elsewhere { .. } | Self::Changed { .. } => Kind::Medium,
            Self::Begun { .. } => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        if let Self::Begun { begun, .. } = self {
            return vec![
                format!("nothing was written; --to as before goes on with that one, in {}", begun.display()),
                "--anew gives that one up and begins here".to_owned(),
                "for another delivery, pack under another --name".to_owned(),
            ];
        }
        let mut hints = vec!["nothing was written; mount that medium there again, and it goes on".to_owned()];
        if let Self::Elsewhere { .. } = self {
            hints.push("where the other one is gone for good: --anew, or D on the Start screen".to_owned());
        }
        hints
    }
}

/// What the destination lies on. A pack that was cut off on something else, or in another place, is not begun anew
/// unless that is wanted.
///
/// # Errors
/// [`OntoError::Elsewhere`], [`OntoError::Begun`], [`mounted::NotMounted`], [`MediaError::Blocked`]; the destination cannot be asked.
pub async fn look(job: &PackJob, ctx: &JobCtx) -> Result<Carrier> {
    let place = place(&job.to, ctx).await?;
    // What only looks writable is found out before a passphrase is typed for it.
    if let (true, Some(why)) = (place.after_error, place.why_read_only()) {
        return Err(MediaError::Blocked { path: job.to.clone(), why }.into());
    }
    let now = place.carrier();
    let (own, context) = (job.clone(), ctx.clone());
    let earlier = blocking(move || Ok(record::earlier(&own, &context))).await?;
    let own = std::path::absolute(&job.to).unwrap_or_else(|_| job.to.clone());
    let here = earlier.iter().find(|old| old.is_at(&own, &now));
    if let Some(other) = earlier.first().filter(|_| here.is_none() && !job.anew) {
        return Err(refused(job, other, (&own, now)).into());
    }
    // What goes on here was let begin here.
    if here.is_none() {
        mounted::look(job, &place, ctx).await?;
    }
    if let Some(old) = here.filter(|old| old.bundle.is_none()) {
        let (name, to) = (&job.name, job.to.display());
        let text = match old.signed {
            Some(SignedThere { serial, .. }) => format!(
                "{name}-{serial} is signed in {to}, by its own word, and is kept: with the same images every byte of it \
                 is hashed once more, with others the next serial is written beside it"
            ),
            None => format!("nothing of the {name} that was cut off is in {to}: it begins anew"),
        };
        ctx.say(Event::Note { text });
    }
    Ok(now)
}

/// Why a pack does not begin while that other one of its name is not done with.
fn refused(job: &PackJob, other: &InterruptedJob, (to, now): (&Path, Carrier)) -> OntoError {
    let (name, before) = (job.name.clone(), Box::new(other.carrier.clone()));
    match other.pack() {
        Some(own) if own.to != to => {
            let begun = own.to.clone();
            OntoError::Begun { name, begun, before, to: job.to.clone(), now: Box::new(now) }
        }
        _ => OntoError::Elsewhere { name, to: job.to.clone(), before, now: Box::new(now) },
    }
}

/// Refuses a destination that lies on something else by now.
///
/// # Errors
/// [`OntoError::Changed`]; the destination cannot be asked.
pub async fn still(to: &Path, before: &Carrier, ctx: &JobCtx) -> Result<()> {
    let now = place(to, ctx).await?.carrier();
    if now.is_still(before) {
        return Ok(());
    }
    let (before, now) = (Box::new(before.clone()), Box::new(now));
    Err(OntoError::Changed { to: to.to_owned(), before, now }.into())
}

/// Whether a pack that ended, with this error if any, can be gone on with: it was stopped, what it went onto was taken
/// away, or it failed and the unfinished bundle that lies there is its own: begun since it was started.
pub async fn cut_off(
    error: Option<&EngineError>,
    (job, before, started): (&PackJob, &Carrier, Timestamp),
    ctx: &JobCtx,
) -> bool {
    let Some(error) = error else { return false };
    error.kind() == Kind::Interrupted
        || still(&job.to, before, ctx).await.is_err()
        // Where another run is at work, what is begun is that run's.
        || (error.kind() != Kind::Locked && is_begun(job, started, ctx).await)
}

/// Whether an unfinished bundle lies there that a pack under this name has begun, or gone on with, since then.
async fn is_begun(job: &PackJob, since: Timestamp, ctx: &JobCtx) -> bool {
    let there = find_interrupted(job.to.clone(), job.state.clone(), ctx).await.unwrap_or_default();
    // A document tells when it was made in whole seconds.
    let begun = |begun: Timestamp| begun.as_second() >= since.as_second();
    there.iter().any(|one| one.resumable && one.name == job.name && begun(one.begun))
}

/// A pack goes on without a record: only the offer to resume it is lost, and that is said.
pub async fn recorded(job: &PackJob, carrier: Carrier, ctx: &JobCtx) -> Option<Recorded> {
    let (job, context) = (job.clone(), ctx.clone());
    match blocking(move || record::begin(&job, carrier, &context)).await {
        Ok(recorded) => recorded,
        Err(error) => {
            ctx.warn(format!("if this is cut off, it will not be offered again: {}", error.message()));
            None
        }
    }
}

/// Keeps the record of a pack that can be gone on with. One that wrote nothing leaves what lies there to the pack that
/// was cut off there before it.
pub async fn settle(recorded: Recorded, (goes_on, is_done): (bool, bool), ctx: &JobCtx) {
    let own = ctx.clone();
    let settled = blocking(move || match (is_done, goes_on && recorded.stands()) {
        (true, _) => recorded.done(&own),
        (false, true) => Ok(()),
        (false, false) => recorded.end(&own),
    });
    if let Err(error) = settled.await {
        ctx.warn(format!("what was under way stays recorded: {}", error.message()));
    }
}

async fn place(to: &Path, ctx: &JobCtx) -> Result<Place> {
    place_of(to.to_owned(), ListSpec::default(), ctx).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::bundle;
    use crate::domain::carrier::Device;
    use crate::engine::ctx::Recording;
    use crate::engine::error::Interrupted;
    use crate::engine::journal::{Header, Journal};
    use crate::engine::spec::SignerSpec;

    fn job(state: &Path, to: &Path) -> PackJob {
        PackJob {
            name: "site".to_owned(),
            jobs: 1,
            tool: false,
            ..PackJob::new(to.to_owned(), SignerSpec::Agent(None), state.to_owned())
        }
    }

    /// As a pack is killed after its bundle was begun.
    fn written(recorded: Option<Recorded>) {
        recorded.unwrap().replaces().iter().for_each(|old| std::fs::remove_file(old).unwrap());
    }

    #[tokio::test]
    async fn a_pack_that_was_cut_off_on_another_medium_is_begun_anew_only_where_that_is_wanted() {
        let (state, to, ctx) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), JobCtx::silent());
        let job = job(state.path(), to.path());
        let here = look(&job, &ctx).await.unwrap();
        drop(record::begin(&job, here.clone(), &ctx).unwrap());
        assert_eq!(look(&job, &ctx).await.unwrap(), here, "the same place");
        let stick = Carrier {
            mount_point: to.path().to_owned(),
            source: "/dev/sdz1".into(),
            uuid: Some("1234-ABCD".to_owned()),
            device: Some(Device { name: "STICK ..7F2A".to_owned(), serial: None, size: 9 }),
        };
        written(record::begin(&job, stick.clone(), &ctx).unwrap());
        let error = look(&job, &ctx).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Medium);
        assert!(error.message().contains("site was cut off on"), "{error}");
        assert!(error.hints().iter().any(|hint| hint.contains("--anew")));
        assert!(look(&PackJob { name: "other".to_owned(), ..job.clone() }, &ctx).await.is_ok());
        assert_eq!(look(&PackJob { anew: true, ..job }, &ctx).await.unwrap(), here);
        let changed = still(to.path(), &stick, &ctx).await.unwrap_err();
        assert!(changed.message().contains("a moment ago"), "{changed}");
        still(to.path(), &here, &ctx).await.unwrap();
    }

    #[tokio::test]
    async fn a_series_that_was_cut_off_in_one_place_is_begun_in_another_only_where_that_is_wanted() {
        let (state, ctx) = (tempfile::tempdir().unwrap(), JobCtx::silent());
        let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = places.each_ref().map(|place| job(state.path(), place.path()));
        let here = look(&first, &ctx).await.unwrap();
        drop(record::begin(&first, here.clone(), &ctx).unwrap());
        let error = look(&second, &ctx).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        let (begun, hints) = (first.to.display().to_string(), error.hints().join("\n"));
        let words = format!("site was cut off in {begun}, not in {}", second.to.display());
        assert_eq!(error.message(), words, "both lie on one disk");
        assert!(hints.contains(&format!("goes on with that one, in {begun}")), "{hints}");
        assert!(hints.contains("--anew gives that one up and begins here"), "{hints}");
        // Where the first one is gone on with, nothing is in the way; by another way to the same place, neither.
        let link = state.path().join("link");
        std::os::unix::fs::symlink(&first.to, &link).unwrap();
        for to in [&first.to, &link] {
            look(&PackJob { to: to.clone(), ..first.clone() }, &ctx).await.unwrap();
        }
        // What begins anew elsewhere takes its place: the series has one unfinished bundle to be offered.
        let anew = PackJob { anew: true, ..second.clone() };
        let there = look(&anew, &ctx).await.unwrap();
        written(record::begin(&anew, there, &ctx).unwrap());
        let left: Vec<_> = record::interrupted(state.path(), &ctx).jobs;
        assert_eq!(
            left.iter().filter_map(|job| job.pack()).map(|job| &job.to).collect::<Vec<_>>(),
            [&second.to]
        );
        look(&second, &ctx).await.unwrap();
        assert!(look(&first, &ctx).await.is_err());
    }

    #[tokio::test]
    async fn a_pack_that_goes_over_a_signed_bundle_is_not_said_to_begin_anew() {
        let (state, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = job(state.path(), to.path());
        for (signed, words) in [(false, "it begins anew"), (true, "site-4 is signed in")] {
            let root = to.path().join("site-4");
            std::fs::create_dir_all(root.join(bundle::SIGNATURES)).unwrap();
            if signed {
                std::fs::write(root.join(bundle::MANIFEST), "{}").unwrap();
                std::fs::write(root.join(bundle::SIGNATURES).join("0123456789abcdef.sig"), "").unwrap();
            } else {
                std::fs::remove_dir_all(&root).unwrap();
            }
            let said = Arc::new(Recording::default());
            let ctx = JobCtx::new(said.clone());
            let here = look(&job, &ctx).await.unwrap();
            drop(record::begin(&job, here, &ctx).unwrap());
            look(&job, &ctx).await.unwrap();
            let notes = said.events();
            let [.., Event::Note { text }] = notes.as_slice() else { panic!("{notes:?}") };
            assert!(text.contains(words), "{text}");
            assert_eq!(text.contains("begins anew"), !signed, "{text}");
        }
    }

    #[tokio::test]
    async fn a_pack_is_cut_off_by_a_stop_its_medium_taken_away_or_a_failure_that_leaves_an_unfinished_bundle()
    {
        let (state, to, ctx) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), JobCtx::silent());
        let job = job(state.path(), to.path());
        let here = place(to.path(), &ctx).await.unwrap().carrier();
        let stick = Device { name: "STICK ..7F2A".to_owned(), serial: None, size: 9 };
        let taken = Carrier { uuid: None, device: Some(stick), ..here.clone() };
        let failed: EngineError = crate::engine::spec::ImagesError::Nothing.into();
        let (start, before, after) = (Timestamp::UNIX_EPOCH, Timestamp::MIN, Timestamp::MAX);
        assert!(!cut_off(None, (&job, &taken, start), &ctx).await);
        assert!(!cut_off(Some(&failed), (&job, &here, start), &ctx).await, "nothing lies there");
        assert!(cut_off(Some(&failed), (&job, &taken, start), &ctx).await);
        assert!(cut_off(Some(&Interrupted.into()), (&job, &here, start), &ctx).await);
        // On a medium that got full, for one.
        let root = to.path().join("site-4");
        std::fs::create_dir_all(root.join("airlift")).unwrap();
        let header = Header {
            journal: "airlift-journal/1".to_owned(),
            id: uuid::Uuid::now_v7(),
            name: "site".to_owned(),
            serial: 4,
            begun: start,
            first: None,
            images: 1,
            blobs: 2,
            bytes: 600,
            asked: Vec::new(),
            named: BTreeMap::new(),
        };
        drop(Journal::begin(&*ctx.files, &root, &header).unwrap());
        for since in [before, start] {
            assert!(cut_off(Some(&failed), (&job, &here, since), &ctx).await);
        }
        assert!(!cut_off(Some(&failed), (&job, &here, after), &ctx).await, "an earlier pack left that");
        let other = PackJob { name: "other".to_owned(), ..job };
        assert!(!cut_off(Some(&failed), (&other, &here, start), &ctx).await, "that is another series");
    }
}
