//! Times the program against stock tools on one registry, in alternating runs, and judges the ratios of neighbours.
//!
//! `cargo bench` with `AIRLIFT_CORPUS=HOST:PORT` (what `tests/rig/corpus.sh up` prints); `crane` and `skopeo` are
//! used when on `PATH`. Packs are judged in memory where that has room: a pack makes every byte durable before it
//! signs and the others do not, so on a disk different work is compared. That is shown too, not judged. Verification
//! is judged on a disk with every byte in its page cache, as tmpfs hands bytes out in pages of 4 KiB and media do not.
//!
//! Imports go into a private containerd, of both lines (`containerd-2` and `ctr-2` on `PATH`), beside `skopeo copy` to an
//! archive and `ctr images import`.
//!
//! `AIRLIFT_BENCH_DIR`: where to judge packs (else `/dev/shm`, or `/var/tmp` where that is no tmpfs with room).
//! `AIRLIFT_BENCH_DISK`: the disk (else `/var/tmp`). `AIRLIFT_BENCH_RUNS`: how often (else 9).
//! `AIRLIFT_BENCH_IMAGES`: which of its images, as `busybox:1.35,redis:7.0` (else each that has something
//! of its own).
//! `AIRLIFT_BENCH_PROGRAM`: which program; memory is judged only then, as it counts for the static one.
//! What is wanted and not had says `MISSED`, and ends with an error where `AIRLIFT_BENCH_STRICT=1`.

#[path = "../../tests/rig/corpus.rs"]
mod corpus;
mod imports;
mod measure;
mod wire;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use airlift::engine::files::{Files, RealFiles};

use corpus::CORPUS;
use measure::{Outcome, Quiet, hash_rate, least, median, most, settle, timed};
use wire::Wire;

/// How many images of the corpus are told apart by what is in them: the first so many.
const DIFFERENT: usize = 8;

/// The most memory a pack or a verification of the corpus may take, in KiB.
const MOST_KIB: u64 = 48 << 10;
/// Room that three copies of the corpus need, in bytes.
const ROOM: u64 = 4 << 30;
/// How long to wait in all for the machine to be quiet.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Outcome<()> {
    let Ok(host) = std::env::var("AIRLIFT_CORPUS") else {
        say("nothing measured: AIRLIFT_CORPUS=HOST:PORT says where the corpus is");
        return Ok(());
    };
    let judged = directory("AIRLIFT_BENCH_DIR")
        .or_else(|| Some(PathBuf::from("/dev/shm")).filter(|memory| has_room(memory)))
        .unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let disk = directory("AIRLIFT_BENCH_DISK").unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let cached = Bench::new(&host, &disk, true)?;
    cached.verifies()?;
    imports::imports(&cached)?;
    let bench = Bench::new(&host, &judged, true)?;
    bench.packs()?;
    bench.second_pack()?;
    if kind(&judged)? == "tmpfs" {
        let on_disk = Bench::new(&host, &disk, false)?;
        say("on a disk a pack waits until every byte is durable, crane and skopeo leave that to the kernel:");
        on_disk.packs()?;
    }
    let missed = bench.missed.get() + cached.missed.get();
    if missed > 0 && std::env::var("AIRLIFT_BENCH_STRICT").is_ok_and(|strict| strict == "1") {
        return Err(format!("{missed} of what is wanted was MISSED").into());
    }
    Ok(())
}

fn directory(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn kind(directory: &Path) -> Outcome<&'static str> {
    Ok(RealFiles.space(directory)?.kind)
}

fn has_room(memory: &Path) -> bool {
    let space = RealFiles.space(memory);
    space.is_ok_and(|space| space.kind == "tmpfs" && space.free.is_some_and(|free| free >= ROOM))
}

fn say(line: &str) {
    // A closed stdout ends the interest in the figures, not the run.
    drop(writeln!(std::io::stdout(), "{line}"));
}

struct Bench {
    host: String,
    runs: usize,
    dir: tempfile::TempDir,
    /// The program to time where it is not the one built along with this.
    program: Option<OsString>,
    /// Whether a figure can be missed.
    judged: bool,
    missed: Cell<usize>,
    patience: RefCell<Duration>,
}

/// The bound that a measured figure is to keep.
#[derive(Clone, Copy)]
enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

/// One of the tools that are compared, and its runs that count, in seconds.
struct Tool {
    name: &'static str,
    makes: &'static str,
    command: Command,
    walls: Vec<f64>,
}

impl Bench {
    fn new(host: &str, base: &Path, judged: bool) -> Outcome<Self> {
        let runs = match std::env::var("AIRLIFT_BENCH_RUNS") {
            Ok(runs) => {
                runs.parse::<NonZeroUsize>().map_err(|error| format!("AIRLIFT_BENCH_RUNS: {error}"))?.get()
            }
            Err(_) => 9,
        };
        let dir = tempfile::Builder::new().prefix("airlift-bench-").tempdir_in(base)?;
        let program = std::env::var_os("AIRLIFT_BENCH_PROGRAM").filter(|program| !program.is_empty());
        let (host, patience) = (host.to_owned(), RefCell::new(PATIENCE));
        let bench = Self { host, runs, dir, program, judged, missed: Cell::new(0), patience };
        bench.airlift(&["key", "generate", "--no-passphrase", "--key"]).arg(bench.key()).quiet_status()?;
        let public = fs::read_to_string(bench.key().with_extension("pub"))?;
        fs::write(bench.path("allowed_signers"), format!("bench {public}"))?;
        let verdict = if judged { "judged" } else { "not judged" };
        say(&format!("in {} ({}), {runs} runs of each, {verdict}", base.display(), kind(base)?));
        Ok(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self) -> PathBuf {
        self.path("key")
    }

    fn airlift(&self, args: &[&str]) -> Command {
        let built_along = env!("CARGO_BIN_EXE_airlift");
        let mut command = Command::new(self.program.as_deref().unwrap_or(built_along.as_ref()));
        command.args(args).env("HOME", self.dir.path()).env("XDG_DATA_HOME", self.path("data"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command
    }

    fn pack(&self, host: &str) -> Outcome<Command> {
        let to = self.path("medium");
        fs::create_dir_all(&to)?;
        let mut command = self.airlift(&["pack", "--no-read-back", "--name", "bench", "--key"]);
        command.arg(self.key()).arg("--to").arg(to).args(references(host));
        Ok(command)
    }

    /// This program, and of the others those that are here.
    fn tools(&self) -> Outcome<Vec<Tool>> {
        let mut crane = Command::new("crane");
        crane
            .args(["pull", "--insecure", "--format=oci"])
            .args(references(&self.host))
            .arg(self.path("crane"));
        let mut skopeo = Command::new("sh");
        skopeo.arg("-ec").arg(
            "to=$1; shift; for image; do \
             skopeo copy -q --src-tls-verify=false \"docker://$image\" \"oci:$to:${image##*/}\"; done",
        );
        skopeo.arg("sh").arg(self.path("skopeo")).args(references(&self.host));
        let has = |tool| {
            Command::new(tool).arg("--version").quiet_status().is_ok()
                || Command::new(tool).arg("version").quiet_status().is_ok()
        };
        let tool = |name, makes, command| Tool { name, makes, command, walls: Vec::new() };
        let mut tools = vec![tool("pack --no-read-back", "medium", self.pack(&self.host)?)];
        if has("crane") {
            tools.push(tool("crane pull --format=oci", "crane", crane));
        }
        if has("skopeo") {
            tools.push(tool("skopeo copy loop", "skopeo", skopeo));
        }
        Ok(tools)
    }

    fn packs(&self) -> Outcome<()> {
        let mut tools = self.tools()?;
        let (mut peak, mut busy) = (0, 0);
        // The first round warms the registry's cache and does not count.
        for round in 0..=self.runs {
            busy += usize::from(!settle(&mut self.patience.borrow_mut()) && round > 0);
            for turn in 0..tools.len() {
                // Each goes first as often as the others: the first finds memory that was just given back.
                let at = (turn + round) % tools.len();
                let tool = &mut tools[at];
                if at == 0 {
                    // A medium is there before it is packed onto; the others make their own directories.
                    fs::create_dir_all(self.path(tool.makes))?;
                }
                let run = timed(&mut tool.command)?;
                if at == 0 {
                    peak = peak.max(run.peak_kib);
                }
                if round > 0 {
                    tool.walls.push(run.wall);
                }
                remove(&self.path(tool.makes))?;
            }
        }
        for tool in &tools {
            let (middle, least) = (median(&tool.walls), least(&tool.walls));
            say(&format!("  {}: median {middle:.2} s, least {least:.2} s", tool.name));
        }
        self.tell_busy(busy);
        self.judge_peak("pack", peak);
        self.compare(&tools, "crane pull --format=oci", 0.8);
        self.compare(&tools, "skopeo copy loop", 0.4);
        Ok(())
    }

    fn verifies(&self) -> Outcome<()> {
        self.pack(&self.host)?.quiet_status()?;
        let bundle = only_entry(&self.path("medium"))?;
        let megabytes = bytes_under(&bundle)? as f64 / 1e6;
        let cores = thread::available_parallelism()?.get() as f64;
        let (mut rates, mut singles, mut peak, mut busy) = (Vec::new(), Vec::new(), 0, 0);
        // Short runs, so more of them; one core by itself is timed right before and right after each.
        for round in 0..=self.runs * 2 {
            let mut command = self.airlift(&["verify", "--trust"]);
            command.arg(self.path("allowed_signers")).arg("--state").arg(self.path("history")).arg(&bundle);
            busy += usize::from(!settle(&mut self.patience.borrow_mut()) && round > 0);
            let before = hash_rate();
            let run = timed(&mut command)?;
            let single = (before + hash_rate()) / 2.0;
            peak = peak.max(run.peak_kib);
            if round > 0 {
                rates.push(megabytes / run.wall);
                singles.push(single);
            }
        }
        let (rate, best, single) = (median(&rates), most(&rates), median(&singles));
        say(&format!(
            "  verify: median {rate:.0} MB/s, most {best:.0} MB/s, of {megabytes:.0} MB in the cache"
        ));
        say(&format!("  one core hashes: median {single:.0} MB/s, most {:.0} MB/s", most(&singles)));
        self.tell_busy(busy);
        self.judge_peak("verify", peak);
        let ratios: Vec<f64> = rates.iter().zip(&singles).map(|(all, one)| all / (cores * one)).collect();
        let of_bests = best / (cores * most(&singles));
        self.judge("verify / (cores x one core)", (&ratios, of_bests), Wanted::AtLeast(0.8));
        remove(&self.path("medium"))
    }

    fn second_pack(&self) -> Outcome<()> {
        let wire = Wire::to(self.host.clone())?;
        let mut packs = Vec::new();
        for name in ["first", "second"] {
            let (down, blobs) = (wire.down.load(Ordering::SeqCst), wire.blobs.load(Ordering::SeqCst));
            let fetched = fetched_bytes(self.pack(&wire.host)?.arg("--json"))?;
            let asked = wire.blobs.load(Ordering::SeqCst) - blobs;
            let came = wire.down.load(Ordering::SeqCst) - down;
            say(&format!(
                "  {name} pack: {fetched} blob bytes fetched; {asked} blob requests and {came} bytes on the wire"
            ));
            packs.push((fetched, asked));
        }
        // Not a matter of speed, so no noise excuses it; the first pack shows that the counts see something.
        match packs[..] {
            [(some, _), (0, 0)] if some > 0 => Ok(()),
            _ => Err(format!("a second pack fetches blobs again: (bytes, requests) {packs:?}").into()),
        }
    }

    /// Judges the program, which is the first of the tools, against another: each run by the one beside it.
    fn compare(&self, tools: &[Tool], with: &str, wanted: f64) {
        let (ours, other) = (tools.first(), tools.iter().find(|tool| tool.name == with));
        let (Some(ours), Some(other)) = (ours, other) else {
            say(&format!("  pack / {with}: not measured: the tool is not on PATH"));
            self.miss();
            return;
        };
        let ratios: Vec<f64> = ours.walls.iter().zip(&other.walls).map(|(own, other)| own / other).collect();
        let of_bests = least(&ours.walls) / least(&other.walls);
        self.judge(&format!("pack / {with}"), (&ratios, of_bests), Wanted::AtMost(wanted));
    }

    /// Counts what could not be measured.
    fn miss(&self) {
        if self.judged {
            self.missed.set(self.missed.get() + 1);
        }
    }

    /// The median decides; the best runs of both show what noise does to it.
    fn judge(&self, name: &str, (ratios, of_bests): (&[f64], f64), wanted: Wanted) {
        let (middle, least, most) = (median(ratios), least(ratios), most(ratios));
        let verdict = self.verdict(middle, wanted);
        say(&format!(
            "  {name}: median {middle:.2}, {least:.2} to {most:.2}, best by best {of_bests:.2} ({verdict})"
        ));
    }

    fn judge_peak(&self, name: &str, kib: u64) {
        self.judge_most(name, kib, MOST_KIB);
    }

    fn judge_most(&self, name: &str, kib: u64, most: u64) {
        let verdict = match self.program {
            Some(_) => self.verdict(kib as f64, Wanted::AtMost(most as f64)),
            None => "not judged: AIRLIFT_BENCH_PROGRAM names no static program".to_owned(),
        };
        say(&format!("  {name}: peak {kib} KiB ({verdict})"));
    }

    fn tell_busy(&self, rounds: usize) {
        if rounds > 0 {
            say(&format!("  other programs wanted the processor before {rounds} of the rounds"));
        }
    }

    /// What was wanted and whether it is missed, which is counted.
    fn verdict(&self, figure: f64, wanted: Wanted) -> String {
        let (kept, sign, bound) = match wanted {
            Wanted::AtMost(bound) => (figure <= bound, "<=", bound),
            Wanted::AtLeast(bound) => (figure >= bound, ">=", bound),
        };
        if !self.judged {
            return "not judged".to_owned();
        }
        if kept {
            return format!("wanted {sign} {bound}");
        }
        self.missed.set(self.missed.get() + 1);
        format!("wanted {sign} {bound}: MISSED")
    }
}

/// Runs a `pack --json` and gives the blob bytes it says it fetched.
fn fetched_bytes(command: &mut Command) -> Outcome<u64> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let result: serde_json::Value = serde_json::from_str(text.lines().last().unwrap_or_default())?;
    let fetched = result["report"]["bundle"]["fetchedBytes"].as_u64();
    fetched
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("{command:?}: {}", output.status).into())
}

fn references(host: &str) -> Vec<String> {
    let given = std::env::var("AIRLIFT_BENCH_IMAGES").unwrap_or_else(|_| CORPUS[..DIFFERENT].join(","));
    given.split(',').map(|image| format!("{host}/library/{image}")).collect()
}

fn only_entry(dir: &Path) -> Outcome<PathBuf> {
    let entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    match &entries[..] {
        [one] => Ok(one.clone()),
        _ => Err(format!("{}: expected one bundle, found {entries:?}", dir.display()).into()),
    }
}

fn bytes_under(dir: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_under(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}

fn remove(path: &Path) -> Outcome<()> {
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}
