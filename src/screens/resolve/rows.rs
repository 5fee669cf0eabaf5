//! What the Verify screen says of one reference, in a row, in the lines below the table and on a page; and of them all.

use crate::actions::Act;
use crate::config::theme::Role;
use crate::dialogs::Page;
use crate::domain::bundle::ImagePlatform;
use crate::domain::digest::Digest;
use crate::domain::lint::{Finding, Severity};
use crate::domain::media_type as mt;
use crate::domain::resolved::ImageView;
use crate::domain::text;
use crate::failure::exit_code;
use crate::tui::checked::{Checked, Miss, Outcomes};
use crate::tui::hints;
use crate::tui::model::Model;
use crate::tui::picked::Picked;
use crate::tui::words::{count, fix as fix_word, grouped, lesser, moment};
use crate::widgets::bar::bar;
use crate::widgets::line;
use crate::widgets::table::{Column, Row, Value};

/// The table; a failure's reason takes the room of everything behind the reference.
pub(super) const COLUMNS: &[Column] = &[
    Column::left("STATE", 5),
    Column::left("REFERENCE", 0),
    Column::left("DIGEST", 12),
    Column::left("TYPE", 12).from(96),
    Column::left("PLATFORMS", 11).from(96),
    Column::right("SIGS", 4).from(70),
    Column::right("SIZE", 8),
];

/// What is typed to filter by is looked for in this.
pub(super) fn searched(picked: &Picked, row: usize) -> String {
    let Some(image) = picked.images.get(row) else { return String::new() };
    let (state, _) = state(&picked.checked, picked.checked(row));
    let reason = match picked.checked(row) {
        Some(Checked::Failed(miss)) => miss.reason.as_str(),
        Some(Checked::Ok(image)) => &image.media_type,
        _ => "",
    };
    format!("{state} {} {} {reason}", image.request.requested, image.request.reference)
}

fn state(outcomes: &Outcomes, checked: Option<&Checked>) -> (&'static str, Role) {
    match checked {
        None => ("wait", Role::Dim),
        Some(Checked::Running) => ("run", Role::Current),
        Some(Checked::Failed(_)) => ("FAIL", Role::Fail),
        Some(Checked::Ok(image)) if outcomes.is_moved(&image.reference.to_string()) => ("moved", Role::Warn),
        Some(Checked::Ok(image)) if outcomes.is_warned(image) => ("warn", Role::Warn),
        Some(Checked::Ok(_)) => ("ok", Role::Ok),
    }
}

/// Why it failed; of what was verified, when a pack was told so.
fn why(miss: &Miss, now: jiff::Timestamp) -> String {
    match miss.packed {
        Some(at) => format!("pack, {}: {}", moment(at, now), miss.why()),
        None => miss.why().to_owned(),
    }
}

/// A row of the table.
pub(super) fn row(model: &Model, row: usize) -> Row {
    let picked = &model.picked;
    let Some(image) = picked.images.get(row) else { return Row { marked: false, values: Vec::new() } };
    let checked = picked.checked(row);
    let (state, role) = state(&picked.checked, checked);
    let name = Value::plain(image.request.reference.to_string());
    let mut values = vec![Value::styled(state, role), name];
    match checked {
        Some(Checked::Failed(miss)) => values.push(Value::styled(why(miss, model.now), Role::Fail)),
        Some(Checked::Ok(image)) => values.extend(found(&picked.checked, image)),
        _ => {}
    }
    Row { marked: image.marked, values }
}

fn found(outcomes: &Outcomes, image: &ImageView) -> [Value; 5] {
    let moved = outcomes.is_moved(&image.reference.to_string());
    let signatures = image.signatures.len();
    [
        Value::styled(image.digest.short(), if moved { Role::Warn } else { Role::Text }),
        Value::plain(kind(&image.media_type)),
        Value::plain(platforms(image)),
        if signatures == 0 { Value::styled("none", Role::Dim) } else { Value::plain(signatures.to_string()) },
        Value::plain(text::bytes(image.bytes)),
    ]
}

/// Of a manifest's type, in two words.
fn kind(media_type: &str) -> &'static str {
    match media_type {
        mt::OCI_INDEX => "OCI index",
        mt::OCI_MANIFEST => "OCI image",
        mt::DOCKER_LIST => "Docker list",
        mt::DOCKER_MANIFEST => "Docker image",
        _ => "other",
    }
}

fn platforms(image: &ImageView) -> String {
    match (image.platforms.as_slice(), image.omitted_platforms.len()) {
        ([], _) => "-".to_owned(),
        ([one], 0) => one.platform().to_string(),
        (all, 0) => all.len().to_string(),
        (all, omitted) => format!("{} of {}", all.len(), all.len() + omitted),
    }
}

/// How all of them stand, in so many columns.
pub(super) fn summary(model: &Model, columns: usize) -> (String, Role) {
    let picked = &model.picked;
    let (counts, all) = (picked.checked.counts(), picked.images.len());
    let verifying = model.running().is_some_and(|job| job.act == Act::Resolve);
    let failed = if counts.failed > 0 { format!("   {} FAILED", counts.failed) } else { String::new() };
    // It has no row here.
    let unread = picked.unread_words().map_or_else(String::new, |words| {
        format!("   {}: see {}", words.to_uppercase(), model.key(Act::Step1))
    });
    let failed = format!("{failed}{unread}");
    let bytes = text::bytes(picked.checked.bytes());
    if verifying {
        let done = counts.ok + counts.failed;
        let bar = bar(done as u64, all as u64, 22.min((columns + 1) / 4));
        return (format!("{bar} {done}/{all} answered{failed}   {bytes} so far"), Role::Current);
    }
    let verify = model.key(Act::Resolve);
    let moved = if counts.moved > 0 { format!("   {} moved", counts.moved) } else { String::new() };
    let warned = match counts.warn - counts.moved {
        0 => moved,
        1 => format!("{moved}   1 with a warning"),
        warned => format!("{moved}   {warned} with warnings"),
    };
    let words = match () {
        () if all == 0 => {
            return (format!("No images yet: {} fills the list", model.key(Act::Step1)), Role::Warn);
        }
        () if counts.ok + counts.failed == 0 => {
            let what = count(all, "reference");
            let words = format!("Nothing is verified yet: {verify} asks for {what}");
            return (words, Role::Warn);
        }
        () if !picked.was_asked() => {
            let words =
                format!("! Not verified for this bundle yet: {verify} asks for what the tags name now");
            return (words, Role::Warn);
        }
        () if !picked.is_current() => {
            return (format!("! The list was changed: {verify} verifies it as it is now"), Role::Warn);
        }
        () if counts.ok + counts.failed < all => {
            format!(
                "! Stopped: {} of {all} answered{failed}{warned}: {verify} starts again",
                counts.ok + counts.failed
            )
        }
        () => {
            let at = picked.checked.earliest().map(|at| format!(" at {}", moment(at, model.now)));
            let words = format!("{} verified{}{failed}{warned}", counts.ok, at.unwrap_or_default());
            let sizes = [format!("   {bytes} to carry, each blob once"), format!("   {bytes} to carry")];
            let fits = sizes.iter().find(|size| text::width(&words) + text::width(size) <= columns);
            format!("{words}{}", fits.map_or("", String::as_str))
        }
    };
    let role = match counts {
        _ if picked.has_unaccepted() => Role::Fail,
        counts if counts.failed + counts.warn > 0 || picked.leaves_out() => Role::Warn,
        _ => Role::Ok,
    };
    (words, role)
}

/// What is to be known first of a reference, in so many columns and rows.
pub(super) fn about(model: &Model, row: usize, (columns, rows): (usize, usize)) -> Vec<(String, Role)> {
    let picked = &model.picked;
    let Some(image) = picked.images.get(row) else { return Vec::new() };
    match picked.checked(row) {
        Some(Checked::Failed(miss)) => {
            let folded = line::lines(&why(miss, model.now), (columns, rows.saturating_sub(1).max(2)));
            let mut lines: Vec<(String, Role)> = folded.into_iter().map(|line| (line, Role::Fail)).collect();
            lines.extend(miss.packed.map(|_| (helps(model), Role::Text)));
            let hint = miss.view.as_ref().and_then(|view| view.hints.first());
            let hint = hint.map(|hint| format!("next: {}", hints::on("Verify", hint, &model.keymap)));
            let left = (columns, rows.saturating_sub(lines.len()).max(1));
            let folded = hint.iter().flat_map(|hint| line::lines(hint, left));
            lines.extend(folded.map(|words| (words, Role::Text)));
            lines
        }
        Some(Checked::Ok(found)) => about_found(model, found, (columns, rows)),
        Some(Checked::Running) => waits(&format!("resolving {}", image.request.reference), (columns, rows)),
        None => waits(&format!("{} is waiting to be resolved", image.request.reference), (columns, rows)),
    }
}

/// The same of one that was found.
fn about_found(model: &Model, found: &ImageView, (columns, rows): (usize, usize)) -> Vec<(String, Role)> {
    let moved = moved(&model.picked.checked, found).map(|(since, was)| {
        format!(
            "! moved since {since}: was {}:{}, now {}",
            was.algorithm().name(),
            was.short(),
            found.digest.short()
        )
    });
    // What it was and is now is never cut, and comes before what it is made of.
    let moved = moved.map_or_else(Vec::new, |words| line::lines(&words, (columns, rows)));
    let weighty = found.findings.iter().filter(|finding| finding.severity != Severity::Info);
    // Above it stands what it is made of and below it who signed; it is folded in what they leave.
    let left = rows.saturating_sub(moved.len() + 2).max(1);
    let weighty: Vec<String> =
        weighty.flat_map(|finding| line::lines(&finding_words(finding), (columns, left))).collect();
    let lesser = lesser(&found.findings, &model.key(Act::ResolveDetails));
    // The rows that are empty then.
    let mut left = rows.saturating_sub(moved.len() + 2 + weighty.len() + usize::from(lesser.is_some()));
    let mut folded = |words: &str| {
        let folded = line::lines(words, (columns, left + 1));
        left -= folded.len() - 1;
        folded
    };
    let (made, signed) = (folded(&content(found)), folded(&signed(found)));
    let lesser = lesser.map_or_else(Vec::new, |words| folded(&words));
    let mut lines: Vec<_> = moved.into_iter().map(|words| (words, Role::Warn)).collect();
    lines.extend(made.into_iter().map(|words| (words, Role::Text)));
    lines.extend(weighty.into_iter().map(|words| (words, Role::Warn)));
    lines.extend(signed.into_iter().chain(lesser).map(|words| (words, Role::Dim)));
    lines
}

fn waits(words: &str, room: (usize, usize)) -> Vec<(String, Role)> {
    line::lines(words, room).into_iter().map(|words| (words, Role::Dim)).collect()
}

/// What helps where something is gone since it was verified.
fn helps(model: &Model) -> String {
    let [again, edit, drop] = [Act::Retry, Act::ResolveEdit, Act::ResolveRemove].map(|act| model.key(act));
    format!("next: {again} asks for it again, {edit} writes another one, {drop} drops it")
}

/// Since when a reference names other content, and what it named then; a bundle counts more than what was only looked at.
fn moved<'a>(outcomes: &'a Outcomes, image: &ImageView) -> Option<(String, &'a Digest)> {
    let reference = image.reference.to_string();
    let since = outcomes.moved_since(&reference).map(|was| (format!("bundle {}", was.bundle), &was.digest));
    since.or_else(|| Some(("the last verification".to_owned(), outcomes.moved_from(&reference)?)))
}

fn content(image: &ImageView) -> String {
    let names: Vec<String> = image.platforms.iter().map(|platform| platform.platform().to_string()).collect();
    let left = match image.omitted_platforms.len() {
        0 => String::new(),
        left => format!("; {} left out", count(left, "platform")),
    };
    let names = if names.is_empty() { "no platform named".to_owned() } else { names.join(", ") };
    format!("{} {}: {names}{left}", kind(&image.media_type), image.digest.short())
}

fn signed(image: &ImageView) -> String {
    match image.signatures.len() {
        0 => "no signature found".to_owned(),
        found => format!("{} found; carried along, not verified here", count(found, "signature or referrer")),
    }
}

fn finding_words(finding: &Finding) -> String {
    format!("! {}: {}", finding.id, finding.reason)
}

/// All that is known of a reference.
pub(super) fn details(model: &Model, row: usize) -> Page {
    let picked = &model.picked;
    let mut lines: Vec<(String, Role)> = Vec::new();
    if let Some(image) = picked.images.get(row) {
        let (reference, written) = (image.request.reference.to_string(), &image.request.requested);
        let origin = &image.request.origin;
        let from = if *written == reference {
            origin.to_string()
        } else {
            format!("written as {written}, {origin}")
        };
        lines.push((reference, Role::Title));
        lines.push((from, Role::Dim));
        if let Some(note) = &image.request.note {
            lines.push((format!("for {note}"), Role::Dim));
        }
        lines.push((String::new(), Role::Text));
    }
    match picked.checked(row) {
        Some(Checked::Ok(image)) => resolved(&picked.checked, image, &mut lines),
        Some(Checked::Failed(miss)) => missed(miss, model, &mut lines),
        Some(Checked::Running) => lines.push(("run   resolving".to_owned(), Role::Current)),
        None => lines.push(("wait  waiting to be resolved".to_owned(), Role::Dim)),
    }
    let copied: Vec<&str> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let copied = copied.join("\n");
    Page::new("Details", lines).copying(copied)
}

fn missed(miss: &Miss, model: &Model, lines: &mut Vec<(String, Role)>) {
    lines.push((format!("x FAIL  {}", miss.reason), Role::Fail));
    if let Some(at) = miss.packed {
        let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
        lines.push((format!("a pack was told so at {at}; it had been verified before"), Role::Text));
        lines.push((helps(model), Role::Text));
    }
    let Some(view) = &miss.view else { return };
    lines.push((String::new(), Role::Text));
    lines.extend(
        view.hints
            .iter()
            .map(|hint| (format!("next: {}", hints::on("Verify", hint, &model.keymap)), Role::Text)),
    );
    lines.push((format!("class: exit code {}", exit_code(view.kind)), Role::Dim));
}

fn resolved(outcomes: &Outcomes, image: &ImageView, lines: &mut Vec<(String, Role)>) {
    let moved = moved(outcomes, image);
    lines.push(("digest (full)".to_owned(), Role::Dim));
    lines.push((image.digest.to_string(), Role::Text));
    lines.push(("in groups, to compare by eye".to_owned(), Role::Dim));
    lines.extend(grouped(&image.digest).into_iter().map(|line| (format!("  {line}"), Role::Text)));
    if let Some((since, from)) = moved {
        lines.push((format!("! moved since {since}; before that"), Role::Warn));
        lines.extend(grouped(from).into_iter().map(|line| (format!("  {line}"), Role::Warn)));
    }
    lines.push((String::new(), Role::Text));
    lines.push((format!("type      {} ({})", kind(&image.media_type), image.media_type), Role::Text));
    lines.push((format!("size      {} ({} bytes)", text::bytes(image.bytes), image.bytes), Role::Text));
    lines.push((format!("resolved  {}", image.resolved_at.strftime("%Y-%m-%dT%H:%M:%SZ")), Role::Text));
    let platform = |word: &str, platform: &ImagePlatform| {
        let (name, size) = (platform.platform().to_string(), text::bytes(platform.size));
        [format!("{word}  {name:<16} {size}"), format!("  {}", platform.digest)]
    };
    let carried = image.platforms.iter().flat_map(|one| platform("carried ", one));
    lines.extend(carried.map(|line| (line, Role::Text)));
    let omitted = image.omitted_platforms.iter().flat_map(|one| platform("left out", one));
    lines.extend(omitted.map(|line| (line, Role::Dim)));
    lines.push((String::new(), Role::Text));
    lines.push((signed(image), Role::Text));
    lines.extend(image.signatures.iter().map(|digest| (format!("  {digest}"), Role::Dim)));
    for finding in &image.findings {
        let role = if finding.severity == Severity::Info { Role::Dim } else { Role::Warn };
        lines.push((finding_words(finding), role));
        lines.extend(
            finding.fix.as_ref().map(|fix| (format!("  {}: {fix}", fix_word(finding.id)), Role::Text)),
        );
    }
}
