//! `airlift pack`: pins, fetches, signs; what the other side needs to know is what it prints.

use std::path::PathBuf;

use crate::cli::Front;
use crate::cli::args::{RegistryArgs, SelectArgs};
use crate::cli::keys::{SignerArgs, paths};
use crate::cli::printer::Printer;
use crate::domain::selection::{Request, Requests};
use crate::domain::text;
use crate::engine::bundle::readback::Method;
use crate::engine::lockfile;
use crate::engine::pack::{self, PackReport, PackSpec, PlanReport};
use crate::engine::registry::Registry;
use crate::engine::state::State;
use crate::failure::Failure;

/// Assemble and sign a bundle on a medium
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A second run with the same --to and --name goes on where the first stopped: what lies there \
    is hashed, what is missing is fetched. The directory NAME-SERIAL is a bundle only once it is signed.\n\n\
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
    #[arg(long, value_name = "NAME", default_value = "bundle")]
    name: String,
    /// Refuse the bundle on the other side after this time: 90d, 12w, 36h, or a date like 2027-02-18
    #[arg(long, value_name = "WHEN", value_parser = Expiry::parse)]
    expires: Option<Expiry>,
    /// Images and blobs on the network at once
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
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
    /// Pack what can be had, mark the bundle incomplete and exit 3
    #[arg(long)]
    keep_going: bool,
    /// Resolve and show what would be packed; write nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Keep serials here instead of in the data directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// Packs and prints the path of the bundle.
///
/// # Errors
/// 3 incomplete on request, 10 integrity, 13 medium, 14 space, 15 network or registry.
pub async fn run(args: Args, front: &Front) -> Result<(), Failure> {
    // Before the network and before anybody types a passphrase.
    pack::destination(&args.to)?;
    args.signer.keep_off(&args.to, front)?;
    let registry = Registry::new(args.registry.options()?)?;
    let requests = requests(&args.select, &registry, front).await?;
    if !requests.problems.is_empty() && !args.keep_going {
        let all: Vec<String> =
            requests.problems.iter().map(|p| format!("{}: {}", p.origin, p.reason)).collect();
        return Err(Failure::partial(format!("{} places could not be read: {}", all.len(), all.join("; ")))
            .hint("mend them, or --keep-going packs what could be read and marks the bundle incomplete"));
    }
    let spec = PackSpec {
        requests,
        platforms: args.select.platform.clone(),
        signatures: !args.select.no_signatures,
        to: args.to,
        name: args.name,
        expires: args.expires.map(|expiry| expiry.after(front.ctx.clock.now())).transpose()?,
        jobs: usize::from(args.jobs),
        read_back: !args.no_read_back,
        tool: !args.no_tool,
        max_file_size: args.max_file_size,
        keep_going: args.keep_going,
        state: args.state.map_or_else(|| Ok::<_, Failure>(paths()?.state()), Ok)?,
    };
    if args.dry_run {
        let report = pack::plan(spec, &registry, &front.ctx).await?;
        front.printer.report(&report, |out| print_plan(out, &report));
        return Ok(());
    }
    let signer = args.signer.signer(front).await?;
    if let Some(problem) = State::new(front.ctx.files.clone(), spec.state.clone()).read().problem {
        front.ctx.warn(format!("no history of serials, earlier ones may be given again: {problem}"));
    }
    let report = pack::pack(spec, &registry, &signer, &front.ctx).await?;
    front.printer.report(&report, |out| print(out, &report));
    if report.bundle.complete {
        return Ok(());
    }
    let missing = report.bundle.missing.len();
    Err(Failure::partial(format!(
        "the bundle is signed but incomplete: {missing} things asked for are not in it"
    ))
    .hint("run the same command again once they can be had; only what is missing is fetched"))
}

/// What is asked for, held to the content that the lock file names; without any other source, all of the lock file.
async fn requests(select: &SelectArgs, registry: &Registry, front: &Front) -> Result<Requests, Failure> {
    let lock = match &select.lock {
        Some(path) => Some(lockfile::read(path, &front.ctx)?.ok_or_else(|| {
            Failure::usage(format!("there is no lock file {}", path.display()))
                .hint("airlift resolve REF… --lock FILE writes it")
        })?),
        None => None,
    };
    let mut requests = match &lock {
        Some(lock) if select.is_empty() => Requests {
            wanted: lock
                .images()
                .iter()
                .map(|locked| Request::parse(&locked.reference.to_string()))
                .collect::<Result<_, _>>()?,
            ..Requests::default()
        },
        _ => select.requests(registry, &front.ctx).await?,
    };
    let (Some(lock), Some(path)) = (lock, &select.lock) else { return Ok(requests) };
    for request in &mut requests.wanted {
        let by_digest = request.reference.digest().is_some();
        match lock.entry(&request.reference) {
            Some(entry) => {
                let hold = entry.hold(&select.platform).map_err(|outside| {
                    Failure::usage(format!("{}: {} is {outside}", path.display(), request.reference))
                        .hint("name a platform that it is locked for, or resolve with --lock again")
                })?;
                request.pin = (!by_digest).then(|| hold.digest.clone());
                request.hold = Some(hold);
            }
            // What is not listed is said, as that is what a lock is for.
            None if !by_digest => {
                let (reference, file) = (&request.reference, path.display());
                front.ctx.warn(format!("{reference} is not in {file}: its tag decides"));
            }
            None => {}
        }
    }
    Ok(requests)
}

fn print(out: &Printer, report: &PackReport) {
    let bundle = &report.bundle;
    for moved in report.moved() {
        out.warn(moved);
    }
    for missing in &bundle.missing {
        out.warn(format!("missing: {}: {}", missing.reference, missing.reason));
    }
    let totals = bundle.totals;
    let what = if bundle.repeated { "is there already and was gone over" } else { "is assembled and signed" };
    out.note(format!("{} serial {} {what}", bundle.name, bundle.serial));
    out.note(format!(
        "{} images, {} blobs, {}: {} fetched, {} there already, {} copied from beside",
        totals.images,
        totals.blobs,
        text::bytes(totals.bytes),
        text::bytes(bundle.fetched_bytes),
        text::bytes(bundle.kept_bytes),
        text::bytes(bundle.copied_bytes)
    ));
    out.note(match bundle.read_back {
        Some(read) if read.method == Method::Direct => {
            format!("read back from the medium itself (direct I/O): {}", text::bytes(read.bytes))
        }
        Some(read) => format!(
            "read back {}; this file system refuses direct I/O, so part of it may have come from memory",
            text::bytes(read.bytes)
        ),
        None => "not read back: what the medium really kept is not known".to_owned(),
    });
    out.note(format!("signed by {}", bundle.signed_by));
    out.note(format!("document  {}", bundle.document));
    out.note(format!("on the other side: airlift verify {}", bundle.path.display()));
    out.line(bundle.path.display().to_string());
}

fn print_plan(out: &Printer, plan: &PlanReport) {
    for image in &plan.resolved.images {
        out.line(format!("{}  {}  {}", image.reference, image.digest, text::bytes(image.bytes)));
    }
    let free = plan.free.map_or_else(|| "unknown".to_owned(), text::bytes);
    out.note(format!(
        "{} images, {} blobs, {} on {} ({free} free), {} of them in parts; nothing was written",
        plan.resolved.totals.images,
        plan.resolved.totals.blobs,
        text::bytes(plan.resolved.totals.bytes),
        plan.file_system,
        plan.split
    ));
}

/// A span from now, or a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    Seconds(i64),
    At(jiff::Timestamp),
}

impl Expiry {
    fn parse(text: &str) -> Result<Self, String> {
        let expected = || "expected a span like 90d, 12w or 36h, or a date like 2027-02-18".to_owned();
        if let Ok(date) = text.parse::<jiff::civil::Date>() {
            let end = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| expected())?;
            return Ok(Self::At(end.timestamp()));
        }
        let units = [('h', 3600), ('d', 24 * 3600), ('w', 7 * 24 * 3600)];
        let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)));
        let (number, seconds) = found.ok_or_else(expected)?;
        let number: i64 = number.parse().map_err(|_| expected())?;
        let span = number.checked_mul(seconds).filter(|span| (1..=100 * 366 * 24 * 3600).contains(span));
        span.map(Self::Seconds)
            .ok_or_else(|| "a bundle expires between one hour and 100 years from now".to_owned())
    }

    /// The time it means; a bundle that has expired when it is signed is no use to anybody.
    fn after(self, now: jiff::Timestamp) -> Result<jiff::Timestamp, Failure> {
        let expires = match self {
            Self::At(time) => time,
            Self::Seconds(span) => jiff::Timestamp::from_second(now.as_second() + span).unwrap_or(now),
        };
        if expires > now {
            return Ok(expires);
        }
        Err(Failure::usage(format!("--expires {expires} is in the past, it is {now}"))
            .hint("give a later date; if the clock of this host is wrong, set it"))
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
    fn expiry_is_a_span_or_a_day() {
        assert_eq!(Expiry::parse("90d"), Ok(Expiry::Seconds(90 * 86_400)));
        assert_eq!(Expiry::parse("2w"), Ok(Expiry::Seconds(14 * 86_400)));
        assert!(matches!(Expiry::parse("2027-02-18"), Ok(Expiry::At(_))));
        for bad in ["", "d", "0d", "-3d", "90", "soon", "99999999999d", "é"] {
            assert!(Expiry::parse(bad).is_err(), "{bad:?}");
        }
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
