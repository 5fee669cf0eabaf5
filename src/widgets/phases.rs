//! A phase of a job in one row: how far, how fast and how long still, or how it ended; the most needed words first.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::bar::bar;
use super::look::Look;
use crate::config::theme::Role;
use crate::domain::progress::Phase;
use crate::domain::text;
use crate::domain::view::PhaseView;

/// Cells of the name in front.
const NAME: usize = 12;
/// A bar of fewer cells than this says nothing.
const LEAST_BAR: usize = 5;
/// Cells of a percentage with its blanks.
const PERCENT: usize = 6;

/// How the job stands that a phase belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running,
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed,
    /// It ended well.
    Done,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct PhaseRow<'a> {
    /// What the phase is called here.
    pub name: &'a str,
    /// The phase, once it has begun.
    pub view: Option<&'a PhaseView>,
    /// What is said of it before that.
    pub before: &'a str,
    /// Since the job began.
    pub at: Duration,
    /// How the job stands.
    pub standing: Standing,
    /// The phase before whose end it does not come to its own.
    pub awaits: Option<&'a PhaseView>,
}

/// Columns for bar and words in a row of so many.
const fn room(width: usize) -> usize {
    width.saturating_sub(1 + NAME)
}

/// Whom a phase waits for, as a line below its row, where that has no room to say it.
pub fn awaited(view: &PhaseView, at: Duration, width: u16) -> Option<String> {
    let awaited = view.awaited()?;
    let brief = !has_room(&awaited.waits(at), room(usize::from(width)));
    brief.then(|| awaited.gives_up(at))
}

/// Whether a row can say whom it waits for, and how far it is.
fn has_room(waits: &str, room: usize) -> bool {
    text::width(waits) + "  ! ".len() + PERCENT <= room
}

/// Draws one row; of the words as many as there is room for, and those that are needed most before a bar.
pub fn phase(row: &PhaseRow<'_>, area: Rect, look: &Look, buffer: &mut Buffer) {
    let Some(view) = row.view else {
        let words = format!(" {}{}", text::padded(row.name, NAME), row.before);
        return super::line::words(&words, look.style(Role::Dim), area, buffer);
    };
    let width = usize::from(area.width);
    let mut left = room(width);
    let pieces = pieces(view, row, left);
    let columns = (12 + width.saturating_sub(80) / 4).min(30).min(width / 4);
    let columns = columns.min(left.saturating_sub(wanted(&pieces, left)));
    let mut spans = vec![Span::raw(format!(" {}", text::padded(row.name, NAME)))];
    if columns >= LEAST_BAR {
        let (done, all) = filled(view);
        spans.push(Span::styled(bar(done, all, columns), look.style(Role::Bar)));
        left -= columns;
    }
    for (words, role) in pieces {
        let needed = text::width(&words) + 2;
        if needed > left {
            break;
        }
        left -= needed;
        spans.push(Span::styled(format!("  {words}"), look.style(role)));
    }
    Line::from(spans).render(super::line::row(area, 0), buffer);
}

/// Columns for the words that come before a bar: two, and a third one where both have room.
fn wanted(pieces: &[(String, Role)], room: usize) -> usize {
    let mut wanted = 0;
    for (at, (words, _)) in pieces.iter().take(3).enumerate() {
        let with = wanted + text::width(words) + 2;
        if at < 2 || with + LEAST_BAR <= room {
            wanted = with;
        }
    }
    wanted
}

/// Full only where the phase is over.
fn filled(view: &PhaseView) -> (u64, u64) {
    let percent = view.percent().unwrap_or(0);
    (u64::from(percent), 100)
}

/// What is said in so many columns, the most needed first.
fn pieces(view: &PhaseView, row: &PhaseRow<'_>, room: usize) -> Vec<(String, Role)> {
    let (at, standing) = (row.at, row.standing);
    let mut pieces = Vec::new();
    match (view.finished, standing) {
        (true, _) => ended(view, at, &mut pieces),
        // Nothing is under way any more of what was gone on without.
        (false, Standing::Done) if view.failed > 0 => {
            pieces.push((format!("x {} failed", view.failed), Role::Fail));
        }
        (false, Standing::Running | Standing::Done) => under_way(view, row, room, &mut pieces),
        (false, Standing::Stopped) => pieces.push(("! stopped".to_owned(), Role::Warn)),
        (false, Standing::Failed) => pieces.push(("x FAILED".to_owned(), Role::Fail)),
    }
    if !view.finished && standing != Standing::Running && view.bytes > 0 {
        pieces.push((format!("at {}", amount(view.shown, view.bytes)), Role::Text));
    }
    if view.items > 0 && !view.finished {
        pieces.push((format!("{}/{} {}", view.items_done, view.items, view.phase.units()), Role::Text));
    }
    if view.retries > 0 {
        let word = if view.retries == 1 { "retry" } else { "retries" };
        pieces.push((format!("{} {word}", view.retries), Role::Warn));
    }
    // Once it is over, what needed no network is told with how it ended.
    pieces.extend(view.found().filter(|_| !view.finished).map(|words| (words, Role::Text)));
    pieces
}

fn ended(view: &PhaseView, at: Duration, pieces: &mut Vec<(String, Role)>) {
    match view.failed {
        0 => pieces.push(("+ ok".to_owned(), Role::Ok)),
        failed => pieces.push((format!("x {failed} failed"), Role::Fail)),
    }
    if view.brought() > 0 {
        pieces.push((text::bytes(view.brought()), Role::Text));
        pieces.push((format!("avg {}/s", text::bytes(view.rate(at))), Role::Text));
    }
    pieces.push((format!("took {}", text::span(view.worked(at))), Role::Text));
    // A registry or a runtime is taken at its word.
    let told = view.phase == Phase::Import;
    if view.kept > 0 {
        let words = if told { "there already" } else { "lay there, hashed" };
        pieces.push((format!("{} {words}", text::bytes(view.kept)), Role::Text));
    }
    if view.phase == Phase::Fetch {
        // Of a bundle beside it, too, and the part of what was gone on with: what was written is told by the phase that
        // writes.
        let spared = (view.spared > 0).then(|| format!("{} needed no network", text::bytes(view.spared)));
        pieces.extend(spared.map(|words| (words, Role::Text)));
    } else if view.skipped > 0 && !(told && view.kept > 0) {
        pieces.push((format!("{} there already", text::bytes(view.skipped_bytes)), Role::Text));
    }
}

fn under_way(view: &PhaseView, row: &PhaseRow<'_>, room: usize, pieces: &mut Vec<(String, Role)>) {
    let (at, awaits) = (row.at, row.awaits);
    if view.failed > 0 {
        pieces.push((format!("x {} failed", view.failed), Role::Fail));
    }
    // A name comes last, after its layers are unpacked where that is done: what is left of it moves no bytes.
    if view.phase == Phase::Import && view.bytes > 0 && view.left() == 0 {
        pieces.push((format!("{} are in; names come last", text::bytes(view.bytes)), Role::Text));
        pieces.extend(view.is_paused().then(|| ("! paused".to_owned(), Role::Warn)));
        return;
    }
    if let Some(percent) = view.percent().filter(|_| view.bytes > 0 || view.items > 0) {
        pieces.push((format!("{percent:>2} %"), Role::Text));
    } else {
        pieces.push((view.under_way(at), Role::Text));
    }
    if view.bytes > 0 && view.phase == Phase::Flush {
        pieces.push((format!("dirty {}", text::bytes(view.left())), Role::Text));
    } else if view.bytes > 0 {
        pieces.push((amount(view.shown, view.bytes), Role::Text));
    }
    if view.is_paused() {
        pieces.push(("! paused".to_owned(), Role::Warn));
        return;
    }
    if let Some(awaited) = view.awaited() {
        let waits = Some(awaited.waits(at)).filter(|waits| has_room(waits, room));
        let waits = waits.unwrap_or_else(|| awaited.waits_in_brief(at));
        // It comes first: what is known of bytes stands still.
        pieces.insert(0, (format!("! {waits}"), Role::Warn));
        return;
    }
    if let Some(still) = view.stalled(at) {
        pieces.push((format!("! stalled {}", text::span(still)), Role::Warn));
    } else if let Some(program) = view.writer(at) {
        pieces.push((format!("{program} writes"), Role::Text));
    } else if view.bytes > 0 {
        pieces.push((pace(view, at), Role::Text));
    }
    // What is not fetched cannot be written: by its own rate it would be over before its time.
    let least = awaits.filter(|before| !before.finished).map_or(Some(Duration::ZERO), |on| on.remaining(at));
    if let Some(left) = view.remaining(at).zip(least).map(|(left, least)| left.max(least)) {
        pieces.push((format!("ETA {}", soon(left)), Role::Text));
    }
    if view.brought() > 0 {
        pieces.push((format!("avg {}/s", text::bytes(view.rate(at))), Role::Text));
    }
}

/// How fast bytes move; what lies there already only has to be read.
fn pace(view: &PhaseView, at: Duration) -> String {
    match view.current_rate(at) {
        0 if view.kept > 0 && view.phase != Phase::Import => "hashing what is there".to_owned(),
        rate => format!("{}/s", text::bytes(rate)),
    }
}

/// The time that is left: in seconds only where one waits for it.
fn soon(left: Duration) -> String {
    let seconds = left.as_secs();
    if seconds < 600 { format!("{}:{:02}", seconds / 60, seconds % 60) } else { text::span(left) }
}

/// As in `24.9/61.2 GB`; both units where they differ.
fn amount(done: u64, all: u64) -> String {
    let (done, all) = (text::bytes(done), text::bytes(all));
    match (done.split_once(' '), all.split_once(' ')) {
        (Some((figure, unit)), Some((_, same))) if unit == same => format!("{figure}/{all}"),
        _ => format!("{done}/{all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::progress::Event;
    use crate::domain::view::JobView;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn words(job: &JobView, at: u64, standing: Standing) -> String {
        let view = &job.phases[0];
        let row = PhaseRow { name: "", view: Some(view), before: "", at: s(at), standing, awaits: None };
        let pieces = pieces(view, &row, usize::MAX);
        pieces.into_iter().map(|(words, _)| words).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn a_host_that_is_waited_for_comes_first_in_a_row() {
        let phase = Phase::Fetch;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 10, bytes: 1000 }, s(0));
        job.apply(&Event::Awaited { phase, host: "h:5000".into(), attempt: 3, left_ms: 30_000 }, s(0));
        let row = "! waiting for h:5000, try 3, 10 s left |  0 % | 0 B/1.0 kB | 0/10 blobs";
        assert_eq!(words(&job, 20, Standing::Running), row);
    }

    #[test]
    fn a_row_says_what_matters_at_each_moment() {
        let phase = Phase::ReadBack;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 10, bytes: 10_000_000_000 }, s(0));
        assert_eq!(words(&job, 1, Standing::Running), " 0 % | 0 B/10.0 GB | 0 B/s | 0/10 files");
        for second in 1..=20 {
            job.apply(&Event::Bytes { phase, done: second * 100_000_000 }, s(second));
        }
        assert_eq!(
            words(&job, 20, Standing::Running),
            "20 % | 2.0/10.0 GB | 100 MB/s | ETA 1:20 | avg 100 MB/s | 0/10 files"
        );
        assert_eq!(
            words(&job, 32, Standing::Running),
            "20 % | 2.0/10.0 GB | ! stalled 12 s | avg 62.5 MB/s | 0/10 files"
        );
        assert_eq!(words(&job, 32, Standing::Failed), "x FAILED | at 2.0/10.0 GB | 0/10 files");
        assert_eq!(words(&job, 32, Standing::Stopped), "! stopped | at 2.0/10.0 GB | 0/10 files");
        job.apply(&Event::Paused { paused: true }, s(32));
        assert_eq!(words(&job, 60, Standing::Running), "20 % | 2.0/10.0 GB | ! paused | 0/10 files");
        job.apply(&Event::Paused { paused: false }, s(60));
        job.apply(&Event::Bytes { phase, done: 10_000_000_000 }, s(128));
        assert!(words(&job, 128, Standing::Running).starts_with("99 % | 10.0/10.0 GB"));
        job.apply(&Event::Finished { phase }, s(128));
        assert_eq!(words(&job, 500, Standing::Done), "+ ok | 10.0 GB | avg 100 MB/s | took 1 min 40 s");
    }

    #[test]
    fn a_phase_that_counts_nothing_says_for_how_long_it_is_under_way() {
        let phase = Phase::Flush;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 0, bytes: 0 }, s(0));
        assert_eq!(words(&job, 2, Standing::Running), "under way");
        assert_eq!(words(&job, 12, Standing::Running), "under way for 12 s");
        assert_eq!(job.phases[0].line(s(75)), "flush: under way for 1 min 15 s");
        // Where items are counted, it is known that none moved.
        job.apply(&Event::Started { phase: Phase::Sign, items: 1, bytes: 0 }, s(75));
        assert!(job.phases[1].line(s(87)).ends_with("stalled 12 s"), "{}", job.phases[1].line(s(87)));
    }

    #[test]
    fn what_lay_there_and_was_only_hashed_has_no_rate() {
        let phase = Phase::Write;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 0, bytes: 590_000_000 }, s(0));
        job.apply(&Event::Kept { phase, bytes: 295_000_000 }, s(1));
        job.apply(&Event::Bytes { phase, done: 295_000_000 }, s(1));
        assert_eq!(words(&job, 1, Standing::Running), "50 % | 295/590 MB | hashing what is there | ETA 0:01");
        job.apply(&Event::Kept { phase, bytes: 590_000_000 }, s(2));
        job.apply(&Event::Bytes { phase, done: 590_000_000 }, s(2));
        job.apply(&Event::Finished { phase }, s(2));
        assert_eq!(words(&job, 9, Standing::Done), "+ ok | took 2 s | 590 MB lay there, hashed");
    }

    #[test]
    fn what_lay_on_the_medium_needed_no_network() {
        let phase = Phase::Fetch;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 1, bytes: 590_000_000 }, s(0));
        let (item, reason) = ("nginx:1".to_owned(), "copied from another bundle".to_owned());
        job.apply(&Event::Skipped { phase, item, bytes: 295_000_000, reason }, s(1));
        // A part of what was gone on with is no blob that was passed over.
        job.apply(&Event::Spared { phase, bytes: 590_000_000 }, s(1));
        job.apply(&Event::Finished { phase }, s(1));
        assert_eq!(words(&job, 9, Standing::Done), "+ ok | took 1 s | 590 MB needed no network");
    }

    #[test]
    fn what_a_target_has_already_is_told_once_and_has_no_rate() {
        let phase = Phase::Import;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 1, bytes: 590_000_000 }, s(0));
        job.apply(&Event::Kept { phase, bytes: 590_000_000 }, s(0));
        job.apply(&Event::Bytes { phase, done: 590_000_000 }, s(0));
        let (item, reason) = ("nginx:1".to_owned(), "there".to_owned());
        job.apply(&Event::Skipped { phase, item, bytes: 590_000_000, reason }, s(1));
        job.apply(&Event::Finished { phase }, s(1));
        assert_eq!(words(&job, 9, Standing::Done), "+ ok | took 1 s | 590 MB there already");
        assert!(!job.phases[0].line(s(9)).contains("/s"), "{}", job.phases[0].line(s(9)));
    }

    #[test]
    fn an_import_whose_bytes_are_all_in_has_no_time_left_and_is_not_over() {
        let phase = Phase::Import;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 2, bytes: 590_000_000 }, s(0));
        job.apply(&Event::Bytes { phase, done: 589_000_000 }, s(20));
        assert!(
            words(&job, 20, Standing::Running).contains("ETA 0:0"),
            "{}",
            words(&job, 20, Standing::Running)
        );
        job.apply(&Event::Bytes { phase, done: 590_000_000 }, s(20));
        let said = words(&job, 60, Standing::Running);
        assert_eq!(said, "590 MB are in; names come last | 0/2 images");
        job.apply(&Event::Paused { paused: true }, s(61));
        assert!(words(&job, 61, Standing::Running).contains("! paused"));
    }

    #[test]
    fn what_was_gone_on_without_is_neither_stalled_nor_on_its_way_once_the_job_is_over() {
        let phase = Phase::Fetch;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 6, bytes: 100_000_000 }, s(0));
        job.apply(&Event::Bytes { phase, done: 76_000_000 }, s(4));
        job.apply(&Event::Failed { phase, item: "a".to_owned(), reason: "away".to_owned() }, s(5));
        let said = words(&job, 18, Standing::Done);
        assert!(said.starts_with("x 1 failed | at 76.0/100 MB | "), "{said}");
        assert!(["stalled", "ETA", "%"].iter().all(|word| !said.contains(word)), "{said}");
    }

    #[test]
    fn a_flush_tells_what_memory_still_holds() {
        let phase = Phase::Flush;
        let mut job = JobView::default();
        job.apply(&Event::Started { phase, items: 0, bytes: 900_000_000 }, s(0));
        job.apply(&Event::Bytes { phase, done: 600_000_000 }, s(2));
        assert!(words(&job, 2, Standing::Running).starts_with("66 % | dirty 300 MB | 300 MB/s"));
    }
}
