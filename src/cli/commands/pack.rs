//! `airlift pack`: pins, fetches, signs; what the other side needs to know is what it prints.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::cli::args::{RegistryArgs, SelectArgs, given_or};
use crate::cli::keys::SignerArgs;
use crate::cli::printer::Printer;
use crate::domain::bundle::directory;
use crate::domain::expiry::Expiry;
use crate::domain::job::Places;
use crate::domain::keep_going::KeepGoing;
use crate::domain::sheet::{KEY_ENDS_IN, ends_in};
use crate::domain::shell::shell_path;
use crate::domain::text;
use crate::engine::pack::{PackReport, PlanReport};
use crate::engine::spec::{JobSpec, PackJob};
use crate::engine::state::Rated;
use crate::failure::Failure;

/// Assemble and sign a bundle on a medium
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A second run with the same --to and --name goes on where the first stopped: what lies there \
    is hashed, what is missing is fetched. Until it has, that name is refused on another medium and in another \
    place, and here with a list that lacks images it was begun with, unless --anew gives up what was begun. The directory NAME-SERIAL is a bundle only once it is signed.\n\n\
    With --lock FILE the content and the platforms are those that `airlift resolve --lock FILE` wrote, and \
    anything else is refused; --platform narrows them further. What FILE does not list is resolved now and said. \
    FILE itself is only read."
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// Directory on the medium, which must be there; the bundle gets its own inside it, NAME-SERIAL
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Name of the series of bundles
    #[arg(long, value_name = "NAME", default_value = PackJob::NAME)]
    name: String,
    /// Refuse the bundle on the other side after this time: 90d, 12w, 36h, or a date like 2027-02-18
    #[arg(long, value_name = "WHEN", value_parser = clap::value_parser!(Expiry))]
    expires: Option<Expiry>,
    /// Images and blobs on the network at once
    #[arg(long, value_name = "N", default_value_t = PackJob::JOBS, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Split blobs into files of at most this size, as in 2GiB; FAT's own limit is known
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_file_size: Option<u64>,
    /// Do not read everything back from the medium before signing
    #[arg(long)]
    no_read_back: bool,
    /// Do not carry this program for the other side
    #[arg(long)]
    no_tool: bool,
    /// Pack what can be had, mark the bundle incomplete and exit 3; without WHAT, all that cannot be had is left out
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true,
          default_missing_value = KeepGoing::All.word(), value_parser = kept())]
    keep_going: Option<KeepGoing>,
    /// Begin anew although a pack of that name was cut off elsewhere, or here with other images, and give that one up
    #[arg(long)]
    anew: bool,
    /// DIR is meant although no medium is mounted there: do not warn of the system disk, nor refuse what lies below a mount point
    #[arg(long)]
    plain_directory: bool,
    /// Resolve and show what would be packed; write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Keep serials here instead of in the data directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

fn kept() -> impl TypedValueParser<Value = KeepGoing> {
    let words = KeepGoing::TABLE.map(|(what, help)| PossibleValue::new(what.word()).help(help));
    let of = |word: String| KeepGoing::TABLE.into_iter().find(|(what, _)| what.word() == word);
    PossibleValuesParser::new(words).map(move |word| of(word).map_or(KeepGoing::No, |(what, _)| what))
}

impl Args {
    /// Whether it fails, with all causes, where a reference does not resolve.
    pub const fn ends_at_unresolved(&self) -> bool {
        self.keep_going.is_none()
    }

    /// The job.
    ///
    /// # Errors
    /// There is no home directory to look for the key or the serials in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let (images, lock) = self.select.images();
        Ok(JobSpec::Pack(PackJob {
            images,
            lock,
            to: self.to,
            name: self.name,
            expires: self.expires,
            jobs: usize::from(self.jobs),
            read_back: !self.no_read_back,
            tool: !self.no_tool,
            max_file_size: self.max_file_size,
            keep_going: self.keep_going.unwrap_or_default(),
            anew: self.anew,
            plain_directory: self.plain_directory,
            state: given_or(self.state, places, |places| &places.state)?,
            signer: self.signer.spec(places)?,
            registry: self.registry.options(),
            dry_run: self.dry_run,
        }))
    }
}

/// What was packed, and what the other side has to type.
pub(super) fn show(report: &PackReport, out: &Printer) {
    let bundle = &report.bundle;
    for missing in &bundle.missing {
        out.warn(format!("missing: {}: {}", missing.reference, missing.reason));
    }
    let totals = bundle.totals;
    let what = if bundle.repeated { "is there already and was gone over" } else { "is assembled and signed" };
    out.note(format!("{} {what}", directory(&bundle.name, bundle.serial)));
    out.note(format!(
        "{}, {}, {}: {} fetched, {} there already, {} copied from beside",
        text::count(totals.images, "image"),
        text::count(totals.blobs, "blob"),
        text::bytes(totals.bytes),
        text::bytes(bundle.fetched_bytes),
        text::bytes(bundle.kept_bytes),
        text::bytes(bundle.copied_bytes)
    ));
    out.note(match bundle.read_back {
        Some(read) => read.to_string(),
        None => "not read back: what the medium really kept is not known".to_owned(),
    });
    out.note(format!("signed by {}", bundle.signed_by));
    out.note(format!("{KEY_ENDS_IN}  {}", ends_in(&bundle.signed_by)));
    out.note(format!("document  {}", bundle.document));
    out.note(format!("on the other side: airlift verify {}", shell_path(&bundle.path)));
    out.line(bundle.path.display().to_string());
}

/// What would be packed.
pub(super) fn show_plan(plan: &PlanReport, out: &Printer) {
    for image in &plan.resolved.images {
        out.line(format!("{}  {}  {}", image.reference, image.digest, text::bytes(image.bytes)));
    }
    let place = &plan.place;
    for missing in &plan.missing {
        out.warn(format!("missing: {}: {}", missing.reference, missing.reason));
    }
    let free = place.free.map_or_else(|| "unknown".to_owned(), text::bytes);
    let totals = plan.resolved.totals;
    out.note(format!(
        "{}, {}, {} on {} ({free} free), {} of them in parts; nothing was written",
        text::count(totals.images, "image"),
        text::count(totals.blobs, "blob"),
        text::bytes(totals.bytes),
        place.file_system,
        place.split
    ));
    let mut left = format!("{} to write", text::bytes(place.to_write));
    if place.to_copy > 0 {
        left.push_str(&format!(", {} of that copied from bundles beside it", text::bytes(place.to_copy)));
    }
    if place.program > 0 {
        left.push_str(&format!(", and {} of this program", text::bytes(place.program)));
    }
    let path = place.path.display();
    out.note(if place.repeats {
        format!("{path} holds the same, signed by this key: it is gone over and mended, and keeps its serial")
    } else {
        let how = match place.begun.map(|begun| begun.same) {
            Some(true) => "goes on with",
            Some(false) if place.unsigned.is_some() => "would replace what has no signature with",
            Some(false) => "would replace what was interrupted with",
            None => "would become",
        };
        format!("{how} {path}, {left}")
    });
    if let Some(rated) = &plan.rated {
        out.note(fetched_at(rated));
    }
    place.signed_again().into_iter().for_each(|words| out.warn(words));
    // That one is refused, and the verdict has it.
    if place.begun.is_some_and(|begun| !begun.is_as_begun() && !begun.refused) {
        place.becomes().into_iter().for_each(|words| out.warn(words));
    }
    if let Some(reason) = &place.not_carried {
        out.warn(format!("the program is not carried: {reason}"));
    }
    if place.repeats {
        return;
    }
    if let Some(changes) = place.previous.as_ref().and_then(|previous| previous.changes.as_ref()) {
        out.note(format!(
            "since serial {}: {}",
            place.previous.as_ref().map_or(0, |p| p.serial),
            changes.line()
        ));
    }
}

/// How fast the last pack onto a medium was.
fn fetched_at(rated: &Rated) -> String {
    let (rate, on) = (text::bytes(rated.bytes), rated.at.strftime("%F"));
    match rated.rough {
        true => format!("a small pack onto that medium was fetched at roughly {rate}/s on {on}"),
        false => format!("a pack onto that medium was fetched at {rate}/s on {on}"),
    }
}

/// A size in bytes, with K, M, G or KiB, MiB, GiB, all of them powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1u64 << 30,
        _ => return Err("expected a number with K, M or G, as in 2GiB".to_owned()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes >= 4096).ok_or_else(|| "expected at least 4096 bytes, as in 2GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_medium_is_known_to_take_is_told_with_its_day_and_roughly_where_the_pack_was_small() {
        let rated = |rough| Rated {
            carrier: crate::domain::carrier::Carrier::of("/mnt".into(), "/dev/sdb1".into(), None),
            bytes: 12_300_000,
            rough,
            at: "2026-11-21T23:30:00Z".parse().unwrap(),
        };
        let words = "a pack onto that medium was fetched at 12.3 MB/s on 2026-11-21";
        assert_eq!(fetched_at(&rated(false)), words);
        let words = "a small pack onto that medium was fetched at roughly 12.3 MB/s on 2026-11-21";
        assert_eq!(fetched_at(&rated(true)), words);
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("1m"), Ok(1 << 20));
        for bad in ["", "1", "G", "1T", "99999999999999G"] {
            assert!(size(bad).is_err(), "{bad:?}");
        }
    }
}
