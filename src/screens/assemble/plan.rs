//! The plan of a pack in words: the same ones on the screen and in the question before the start.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::time::time;
use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::page::wrap;
use crate::domain::expiry::Expiry;
use crate::domain::keep_going::KeepGoing;
use crate::domain::text;
use crate::engine::bundle::foresee::Foreseen;
use crate::engine::pack::PlanReport;
use crate::tui::medium::stays;
use crate::tui::model::Model;
use crate::widgets::line;
use crate::widgets::list::List;
use crate::widgets::look::Look;

/// Cells of the names in front.
const NAME: u16 = 14;

/// What is missing and named in the question before the start, at most.
const MISSING: usize = 3;

/// One row: a name, words and their look.
pub(super) type Fact = (&'static str, String, Role);

/// What is known of the bundle before and after it is planned, with the keys that change it.
pub(super) fn facts(model: &Model) -> Vec<Fact> {
    told(model, true)
}

/// The same; with the keys that change it, where there are any.
pub(super) fn told(model: &Model, keys: bool) -> Vec<Fact> {
    let plan = model.assembly.plan.as_ref().and_then(|plan| plan.outcome.as_deref().ok());
    let mut facts = Vec::new();
    let own = model.gone_on_with();
    facts.extend(
        own.map(|name| ("resumed", format!("{name}, with the images it was begun with"), Role::Text)),
    );
    match plan {
        Some(plan) => planned(plan, (model, keys), &mut facts),
        None => {
            let to = model.assembly.to.as_ref().map_or_else(
                || (format!("not chosen yet: {} chooses one", model.key(Act::Step3)), Role::Warn),
                |to| (to.to.display().to_string(), Role::Text),
            );
            let by = model.named_by().map_or_else(String::new, |by| format!(", {by}"));
            facts.push(("name", format!("{}{by}", model.assembly.name), Role::Text));
            if own.is_none() {
                facts.push(("images", format!("{} on the list", model.picked.images.len()), Role::Text));
            }
            facts.push(("destination", to.0, to.1));
        }
    }
    facts.push(expires(plan, (model, keys)));
    facts.push(key(model));
    facts.push(read_back(model));
    facts.push(program(plan, model));
    let left_out = match model.keeps_going() {
        KeepGoing::No => None,
        KeepGoing::Unresolved => Some("! without what failed on Verify; a fetch that fails ends the pack"),
        KeepGoing::All => Some(
            "! without what failed on Verify, and without any image whose fetch fails: a later pack fetches it whole",
        ),
    };
    facts.extend(left_out.map(|words| ("incomplete", words.to_owned(), Role::Warn)));
    facts
}

fn planned(plan: &PlanReport, (model, keys): (&Model, bool), facts: &mut Vec<Fact>) {
    let (place, totals) = (&plan.place, plan.resolved.totals);
    let name = place.path.file_name().unwrap_or_default().to_string_lossy();
    let serial = match place.last_signed {
        _ if place.begun.is_some_and(|begun| !begun.same) => {
            let run =
                if place.unsigned.is_some() { "a bundle without signature" } else { "an interrupted run" };
            format!("serial {}, in place of {run}", place.serial)
        }
        _ if place.goes_on => format!("serial {}, resumes an interrupted run", place.serial),
        _ if place.repeats => format!("serial {}, signed already, same images", place.serial),
        Some(last) => format!("serial {}; the last one signed on this host: {last}", place.serial),
        None => format!("serial {}, the first of that name from this host", place.serial),
    };
    facts.push(("bundle", format!("{name}   {serial}"), Role::Text));
    facts.extend(model.named_by().map(|by| {
        let edit =
            if keys { format!("; {} changes it", model.key(Act::AssembleEdit)) } else { String::new() };
        ("", format!("{}: {by}{edit}", model.assembly.name), Role::Text)
    }));
    facts.extend(place.signed_again().map(|words| ("", format!("! {words}"), Role::Warn)));
    if let Some((begun, becomes)) = place.begun.as_ref().zip(place.becomes()) {
        let edit = || format!("; {} gives this one a name of its own", model.key(Act::AssembleEdit));
        let other = if keys && !begun.same { edit() } else { String::new() };
        facts.push(match begun.same {
            true if begun.is_as_begun() => ("", becomes, Role::Text),
            true => ("", format!("! {becomes}"), Role::Warn),
            false => ("", format!("! {becomes}{other}"), Role::Warn),
        });
    }
    if place.repeats {
        let words = "no new serial: existing files are hashed, damaged ones fetched again".to_owned();
        facts.push(("", words, Role::Text));
    }
    if is_first(place) {
        let words =
            "the other side accepts its first bundle with any serial, then only higher ones".to_owned();
        facts.push(("", words, Role::Text));
    }
    if let (Some(before), Some(chosen)) = (model.left_elsewhere(), &model.chosen) {
        let (name, now) = (&model.assembly.name, &chosen.carrier);
        let words = format!("! {name} was interrupted on {before}; this starts it again on {now}");
        facts.push(("", words, Role::Warn));
    }
    facts.push(("content", content(plan), Role::Text));
    let size = format!("{}{}", text::bytes(totals.bytes), there(totals.bytes, place));
    facts.push(("size", size, Role::Text));
    facts.push(("time", time(plan, (model, keys)), Role::Text));
    facts.push(("destination", destination(place), Role::Text));
    if !place.repeats {
        facts.push(("compared", compared(place), Role::Text));
    }
    // On the screen all of them can be scrolled to; a question stays one that is read.
    let told = if keys { plan.missing.len() } else { MISSING };
    for missing in plan.missing.iter().take(told) {
        facts.push(("missing", format!("! {}: {}", missing.reference, missing.reason), Role::Warn));
    }
    if let more @ 1.. = plan.missing.len().saturating_sub(told) {
        facts.push(("missing", format!("! and {more} more, as the plan lists them"), Role::Warn));
    }
}

/// Whether nothing of that name was signed before, as far as this host and this medium know.
const fn is_first(place: &Foreseen) -> bool {
    place.last_signed.is_none() && place.previous.is_none() && place.begun.is_none()
}

/// What the images consist of.
fn content(plan: &PlanReport) -> String {
    let (place, totals) = (&plan.place, plan.resolved.totals);
    format!("{}{}", text::content(totals.images, totals.blobs, Some(place.files)), parts(place))
}

fn parts(place: &Foreseen) -> String {
    match place.split {
        0 => String::new(),
        1 => ", one blob in parts".to_owned(),
        split => format!(", {split} blobs in parts"),
    }
}

fn there(all: u64, place: &Foreseen) -> String {
    let there = match all.saturating_sub(place.to_write) {
        0 => String::new(),
        there => format!("; {} lie there already", text::bytes(there)),
    };
    match place.to_copy {
        0 => there,
        copied => format!("{there}; {} lie in bundles beside it and are copied", text::bytes(copied)),
    }
}

fn destination(place: &Foreseen) -> String {
    let parent = place.path.parent().unwrap_or(&place.path).display();
    let free = place.free.map_or_else(
        || "free space not known".to_owned(),
        |free| {
            let taken = place.to_write.saturating_add(place.program);
            format!("{} free, {} after", text::bytes(free), text::bytes(free.saturating_sub(taken)))
        },
    );
    format!("{parent} ({}, {free})", place.file_system)
}

/// What is new since the last bundle there, by what that one says of itself.
fn compared(place: &Foreseen) -> String {
    let Some(previous) = &place.previous else {
        return "with nothing: no bundle of that name on this medium".to_owned();
    };
    let there = previous.path.file_name().unwrap_or_default().to_string_lossy();
    match &previous.changes {
        Some(diff) => {
            let new = text::bytes(diff.new.bytes);
            format!("with {there} there: {}; {new} are new", diff.line())
        }
        None => format!("with nothing: {there} there is not readable"),
    }
}

fn expires(plan: Option<&PlanReport>, (model, keys): (&Model, bool)) -> Fact {
    let words = match (plan.and_then(|plan| plan.expires), model.assembly.expires) {
        (Some(time), Some(asked)) => until(time, asked),
        (_, Some(asked)) => asked.to_string(),
        _ if keys => format!("never; {} sets it", model.key(Act::AssembleEdit)),
        _ => "never".to_owned(),
    };
    ("expires", words, Role::Text)
}

/// The time that an expiry means, and who judges by it.
pub(super) fn until(time: jiff::Timestamp, asked: Expiry) -> String {
    let from = match asked {
        Expiry::Hours(_) => format!(" ({asked} from the pack)"),
        Expiry::At(_) => String::new(),
    };
    format!("{} by the other side's clock{from}", time.strftime("%Y-%m-%d %H:%MZ"))
}

fn key(model: &Model) -> Fact {
    match model.key_facts() {
        Some((fingerprint, place)) => ("signed by", format!("{fingerprint}  {place}"), Role::Text),
        None if model.has_key() => {
            ("signed by", "the key that the interrupted pack was begun with".to_owned(), Role::Text)
        }
        None => {
            let [choose, start, make] =
                [Act::AssembleKey, Act::StepStart, Act::KeyGenerate].map(|act| model.key(act));
            let words = format!("! no key yet: {choose} chooses one; {start}, then {make} makes one");
            ("signed by", words, Role::Warn)
        }
    }
}

/// Whether this program is carried: by the plan, and before there is one by what is known of this host.
fn program(plan: Option<&PlanReport>, model: &Model) -> Fact {
    let host = model.host.as_ref().map(|host| host.program);
    let left = |reason: &str| ("program", format!("! not carried: {reason}"), Role::Warn);
    let carried = |more: String| ("program", format!("airlift itself, for the other side{more}"), Role::Text);
    match (plan.map(|plan| &plan.place), host) {
        _ if !model.assembly.tool => ("program", "not carried".to_owned(), Role::Text),
        (Some(Foreseen { not_carried: Some(reason), .. }), _) => left(reason),
        (Some(Foreseen { program: 0, .. }), _) => carried(String::new()),
        (Some(&Foreseen { program: size, .. }), _) | (None, Some(size @ 1..)) => {
            carried(format!(", {}", text::bytes(size)))
        }
        (None, Some(0)) => left("this airlift may not run elsewhere; take a static build along"),
        (None, None) => carried(", if it is a static build".to_owned()),
    }
}

fn read_back(model: &Model) -> Fact {
    let chosen = model.chosen.as_ref();
    if model.assembly.read_back {
        let disk = chosen.is_some_and(|chosen| stays(chosen.medium.as_ref()).is_some());
        let from = if disk { "disk" } else { "medium itself" };
        ("read back", format!("every byte, from the {from}, before signing"), Role::Text)
    } else {
        let words = "! no: nobody knows what the medium really stored".to_owned();
        ("read back", words, Role::Warn)
    }
}

/// A fact on as many rows as it takes in so many columns.
fn folded((name, words, _): &Fact, columns: u16) -> Vec<String> {
    let pieces = wrap(&text::shown(words), usize::from(columns.saturating_sub(NAME + 3)));
    let row = |(at, piece): (usize, String)| {
        let name = format!("   {}", if at == 0 { name } else { "" });
        format!("{}{}", text::padded(&name, usize::from(NAME + 3)), piece.trim())
    };
    pieces.into_iter().enumerate().map(row).collect()
}

/// The plan as it is drawn: facts, and what comes of them below.
pub(super) struct PlanView<'a> {
    /// The keys that lead from row to row.
    pub(super) ways: (String, String),
    /// The facts.
    pub(super) facts: &'a [Fact],
    /// What is in the way, or that nothing is.
    pub(super) outlook: &'a [(String, Role)],
    /// Which of them one is at.
    pub(super) list: &'a List,
}

impl PlanView<'_> {
    /// Each fact and each line below them on its rows, with its look, and the cells of its name. Where not all of it fits,
    /// what comes of the facts is what is seen first.
    fn rows(&self, columns: u16, fits: bool) -> Vec<(Vec<String>, Role, u16)> {
        let facts = self.facts.iter().map(|fact| (folded(fact, columns), fact.2, NAME + 3));
        let room = usize::from(columns.saturating_sub(6));
        let outlook = self.outlook.iter().enumerate().map(|(at, (words, role))| {
            let pieces = wrap(&text::shown(words), room).into_iter().map(|piece| format!("   {piece}"));
            let air = (fits && at == 0).then(String::new);
            (air.into_iter().chain(pieces).collect(), *role, 0)
        });
        if fits { facts.chain(outlook).collect() } else { outlook.chain(facts).collect() }
    }

    /// Draws all of it; where there is more than fits, what is around the cursor.
    pub(super) fn draw(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        let height =
            |rows: &[(Vec<String>, Role, u16)]| rows.iter().map(|(rows, ..)| rows.len()).sum::<usize>();
        let fits = height(&self.rows(area.width, true)) < usize::from(area.height);
        let rows = self.rows(area.width, fits);
        // One row of air above; or one below that says where one is.
        let room = usize::from(area.height).saturating_sub(1);
        let cursor = self.list.row().unwrap_or(0).min(rows.len().saturating_sub(1));
        let mut first = 0;
        while !fits && first < cursor && height(&rows[first..=cursor]) > room {
            first += 1;
        }
        let lines = rows.iter().enumerate().skip(first);
        let lines = lines.flat_map(|(number, row)| row.0.iter().map(move |words| (number, row, words)));
        for (at, (number, (_, role, named), words)) in (u16::from(fits)..).zip(lines.take(room)) {
            let place = line::row(area, at);
            line::words(words, look.style(*role), place, buffer);
            let name = Rect { width: (*named).min(place.width), ..place };
            line::words(
                words.get(..usize::from(name.width)).unwrap_or_default(),
                look.style(Role::Dim),
                name,
                buffer,
            );
            if !fits && number == cursor {
                line::words(
                    ">",
                    look.style(Role::Selected),
                    Rect { width: 1.min(place.width), ..place },
                    buffer,
                );
            }
        }
        if !fits {
            let (up, down) = &self.ways;
            let words = format!("   row {} of {}; {up} and {down} go to the others", cursor + 1, rows.len());
            let last = line::row(area, area.height.saturating_sub(1));
            line::words(&words, look.style(Role::Warn), last, buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diff::Diff;
    use crate::engine::bundle::foresee::Previous;

    fn place() -> Foreseen {
        Foreseen {
            file_system: "ext4",
            free: Some(100_000_000_000),
            split: 0,
            layers: 8,
            files: 10,
            to_write: 60_000_000_000,
            to_fetch: 60_000_000_000,
            to_copy: 0,
            program: 0,
            path: "/media/stick/bundle-7".into(),
            serial: 7,
            goes_on: false,
            begun: None,
            refused: None,
            unsigned: None,
            repeats: false,
            not_carried: None,
            last_signed: Some(6),
            previous: None,
        }
    }

    #[test]
    fn the_medium_is_told_with_what_stays_free() {
        assert_eq!(destination(&place()), "/media/stick (ext4, 100 GB free, 40.0 GB after)");
        let carrying = Foreseen { program: 500_000_000, ..place() };
        assert_eq!(destination(&carrying), "/media/stick (ext4, 100 GB free, 39.5 GB after)");
        let unknown = Foreseen { free: None, ..place() };
        assert_eq!(destination(&unknown), "/media/stick (ext4, free space not known)");
        assert_eq!(there(70_000_000_000, &place()), "; 10.0 GB lie there already");
        assert_eq!(parts(&Foreseen { split: 3, ..place() }), ", 3 blobs in parts");
    }

    #[test]
    fn an_expiry_is_told_as_its_minute_and_whose_clock_it_is_judged_by() {
        let now: jiff::Timestamp = "2026-11-22T03:50:00Z".parse().unwrap();
        for (asked, told) in [
            ("30d", "2026-12-22 03:50Z by the other side's clock (30d from the pack)"),
            ("2027-01-01", "2027-01-01 00:00Z by the other side's clock"),
        ] {
            let asked: Expiry = asked.parse().unwrap();
            assert_eq!(until(asked.after(now).unwrap(), asked), told);
        }
    }

    #[test]
    fn a_bundle_is_compared_with_the_last_one_there_and_a_first_one_says_that_it_is() {
        let before = |changes| {
            let path = "/media/stick/bundle-6".into();
            Foreseen { previous: Some(Previous { path, serial: 6, changes }), ..place() }
        };
        assert_eq!(compared(&place()), "with nothing: no bundle of that name on this medium");
        assert_eq!(compared(&before(None)), "with nothing: bundle-6 there is not readable");
        let told = compared(&before(Some(Diff::default())));
        assert_eq!(told, "with bundle-6 there: 0 added, 0 removed, 0 changed, 0 the same; 0 B are new");
        let first = Foreseen { last_signed: None, ..place() };
        assert!(is_first(&first) && !is_first(&place()));
        assert!(!is_first(&Foreseen { last_signed: None, ..before(None) }));
    }
}
