//! Times the program against stock tools on one registry, in alternating runs, and judges the ratios of neighbours.
//!
//! `cargo bench` with `AIRLIFT_CORPUS=HOST:PORT` (what `tests/rig/corpus.sh up` prints); `crane` and `skopeo` are
//! used when on `PATH`. `AIRLIFT_BENCH_RUNS` (default 5) says how often, `AIRLIFT_BENCH_DIR` on which disk,
//! `AIRLIFT_BENCH_PROGRAM` which program; memory is judged only then, as it counts for the static one.
//! What is wanted and not had says `MISSED`, and ends with an error where `AIRLIFT_BENCH_STRICT=1`.

use std::cell::Cell;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use airlift::domain::digest::Algorithm;
use airlift::engine::hash::Hasher;

type Outcome<T> = Result<T, Box<dyn Error>>;

const IMAGES: &[&str] = &[
    "debian:12",
    "python:3.11",
    "nginx:1.22",
    "redis:7.0",
    "postgres:15",
    "node:18",
    "gcc:12",
    "busybox:1.35",
];

/// The most memory a pack or a verification of the corpus may take, in KiB.
const MOST_KIB: u64 = 48 << 10;

fn main() -> Outcome<()> {
    let Ok(host) = std::env::var("AIRLIFT_CORPUS") else {
        say("nothing measured: AIRLIFT_CORPUS=HOST:PORT says where the corpus is");
        return Ok(());
    };
    let bench = Bench::new(host)?;
    bench.packs()?;
    bench.verifies()?;
    bench.second_pack()?;
    let missed = bench.missed.get();
    if missed > 0 && std::env::var("AIRLIFT_BENCH_STRICT").is_ok_and(|strict| strict == "1") {
        return Err(format!("{missed} of what is wanted was MISSED").into());
    }
    Ok(())
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
    missed: Cell<usize>,
}

/// The bound that a measured figure is to keep.
#[derive(Clone, Copy)]
enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

/// One finished run.
struct Run {
    wall: Duration,
    /// The high-water mark of resident memory when last looked at, at most 2 ms before the end, in KiB.
    peak_kib: u64,
}

impl Bench {
    fn new(host: String) -> Outcome<Self> {
        let runs = match std::env::var("AIRLIFT_BENCH_RUNS") {
            Ok(runs) => {
                runs.parse::<NonZeroUsize>().map_err(|error| format!("AIRLIFT_BENCH_RUNS: {error}"))?.get()
            }
            Err(_) => 5,
        };
        let base =
            std::env::var_os("AIRLIFT_BENCH_DIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        let dir = tempfile::Builder::new().prefix("airlift-bench-").tempdir_in(base)?;
        let program = std::env::var_os("AIRLIFT_BENCH_PROGRAM").filter(|program| !program.is_empty());
        let bench = Self { host, runs, dir, program, missed: Cell::new(0) };
        bench.airlift(&["key", "generate", "--no-passphrase", "--key"]).arg(bench.key()).quiet_status()?;
        let public = fs::read_to_string(bench.key().with_extension("pub"))?;
        fs::write(bench.path("allowed_signers"), format!("bench {public}"))?;
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

    fn pack(&self, host: &str, to: &Path) -> Outcome<Command> {
        fs::create_dir_all(to)?;
        let mut command = self.airlift(&["pack", "--no-read-back", "--no-tool", "--name", "bench", "--key"]);
        command.arg(self.key()).arg("--to").arg(to).args(references(host));
        Ok(command)
    }

    fn packs(&self) -> Outcome<()> {
        let crane = || {
            let mut command = Command::new("crane");
            command.args(["pull", "--insecure", "--format=oci"]).args(references(&self.host));
            command.arg(self.path("crane"));
            command
        };
        let skopeo = || {
            let mut command = Command::new("sh");
            command.arg("-ec").arg(
                "to=$1; shift; for image; do \
                 skopeo copy -q --src-tls-verify=false \"docker://$image\" \"oci:$to:${image##*/}\"; done",
            );
            command.arg("sh").arg(self.path("skopeo")).args(references(&self.host));
            command
        };
        let has = |tool| {
            Command::new(tool).arg("--version").quiet_status().is_ok()
                || Command::new(tool).arg("version").quiet_status().is_ok()
        };
        let (has_crane, has_skopeo) = (has("crane"), has("skopeo"));
        let (mut ours, mut cranes, mut skopeos, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0);
        // The first round warms the registry's cache and does not count.
        for round in 0..=self.runs {
            let run = timed(&mut self.pack(&self.host, &self.path("medium"))?)?;
            peak = peak.max(run.peak_kib);
            if round > 0 {
                ours.push(run.wall.as_secs_f64());
            }
            for (has, times, command) in
                [(has_crane, &mut cranes, crane()), (has_skopeo, &mut skopeos, skopeo())]
            {
                let mut command = command;
                if has {
                    let run = timed(&mut command)?;
                    if round > 0 {
                        times.push(run.wall.as_secs_f64());
                    }
                }
            }
            for made in ["medium", "crane", "skopeo"] {
                remove(&self.path(made))?;
            }
        }
        say(&format!("pack --no-read-back, {} images: {:.2} s", IMAGES.len(), median(&ours)));
        self.judge_peak("pack", peak);
        self.compare("pack / crane pull --format=oci", &ours, &cranes, 0.8);
        self.compare("pack / skopeo copy loop", &ours, &skopeos, 0.4);
        Ok(())
    }

    fn verifies(&self) -> Outcome<()> {
        self.pack(&self.host, &self.path("medium"))?.quiet_status()?;
        let bundle = only_entry(&self.path("medium"))?;
        let bytes = bytes_under(&bundle)?;
        let cores = thread::available_parallelism()?.get() as f64;
        let (mut rates, mut singles, mut peak) = (Vec::new(), Vec::new(), 0);
        for round in 0..=self.runs {
            let mut command = self.airlift(&["verify", "--trust"]);
            command.arg(self.path("allowed_signers")).arg("--state").arg(self.path("history")).arg(&bundle);
            let run = timed(&mut command)?;
            let single = hash_rate();
            peak = peak.max(run.peak_kib);
            if round > 0 {
                rates.push(bytes as f64 / run.wall.as_secs_f64() / 1e6);
                singles.push(single);
            }
        }
        let (rate, single) = (median(&rates), median(&singles));
        let megabytes = bytes as f64 / 1e6;
        say(&format!("verify: {rate:.0} MB/s of {megabytes:.0} MB; one core hashes {single:.0} MB/s"));
        self.judge_peak("verify", peak);
        let ratios: Vec<f64> = rates.iter().zip(&singles).map(|(all, one)| all / (cores * one)).collect();
        self.judge("verify / (cores x one core)", &ratios, Wanted::AtLeast(0.8));
        remove(&self.path("medium"))
    }

    fn second_pack(&self) -> Outcome<()> {
        let wire = Wire::to(self.host.clone())?;
        let to = self.path("medium");
        let mut packs = Vec::new();
        for name in ["first", "second"] {
            let (down, blobs) = (wire.down.load(Ordering::SeqCst), wire.blobs.load(Ordering::SeqCst));
            let fetched = fetched_bytes(self.pack(&wire.host, &to)?.arg("--json"))?;
            let asked = wire.blobs.load(Ordering::SeqCst) - blobs;
            let came = wire.down.load(Ordering::SeqCst) - down;
            say(&format!(
                "{name} pack: {fetched} blob bytes fetched; {asked} blob requests and {came} bytes on the wire"
            ));
            packs.push((fetched, asked));
        }
        // Not a matter of speed, so no noise excuses it; the first pack shows that the counts see something.
        match packs[..] {
            [(some, _), (0, 0)] if some > 0 => Ok(()),
            _ => Err(format!("a second pack fetches blobs again: (bytes, requests) {packs:?}").into()),
        }
    }

    /// Judges `ours` against `others`, each run by the one beside it.
    fn compare(&self, name: &str, ours: &[f64], others: &[f64], wanted: f64) {
        if others.is_empty() {
            self.missed.set(self.missed.get() + 1);
            say(&format!("{name}: MISSED, not measured: the tool is not on PATH"));
        } else {
            let ratios: Vec<f64> = ours.iter().zip(others).map(|(own, other)| own / other).collect();
            self.judge(name, &ratios, Wanted::AtMost(wanted));
        }
    }

    fn judge(&self, name: &str, ratios: &[f64], wanted: Wanted) {
        let middle = median(ratios);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let verdict = self.verdict(middle, wanted);
        say(&format!("{name}: median {middle:.2}, {least:.2} to {most:.2} ({verdict})"));
    }

    fn judge_peak(&self, name: &str, kib: u64) {
        let verdict = match self.program {
            Some(_) => self.verdict(kib as f64, Wanted::AtMost(MOST_KIB as f64)),
            None => "not judged: AIRLIFT_BENCH_PROGRAM names no static program".to_owned(),
        };
        say(&format!("{name}: peak {kib} KiB ({verdict})"));
    }

    /// What was wanted and whether it is missed, which is counted.
    fn verdict(&self, figure: f64, wanted: Wanted) -> String {
        let (kept, sign, bound) = match wanted {
            Wanted::AtMost(bound) => (figure <= bound, "<=", bound),
            Wanted::AtLeast(bound) => (figure >= bound, ">=", bound),
        };
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
    IMAGES.iter().map(|image| format!("{host}/library/{image}")).collect()
}

trait Quiet {
    /// Runs to the end without output; an error names the command when it fails.
    fn quiet_status(&mut self) -> Outcome<()>;
}

impl Quiet for Command {
    fn quiet_status(&mut self) -> Outcome<()> {
        timed(self).map(drop)
    }
}

fn timed(command: &mut Command) -> Outcome<Run> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let status = loop {
        let text = fs::read_to_string(&status_file).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let mark = mark.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak_kib = peak_kib.max(mark.unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let wall = start.elapsed();
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(Run { wall, peak_kib })
}

/// The middle figure; the mean of the middle two where there are as many on both sides.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    (middle(sorted.len() / 2) + middle(sorted.len().saturating_sub(1) / 2)) / 2.0
}

/// MB/s of SHA-256 on one core, over memory that stays in its cache.
fn hash_rate() -> f64 {
    let buffer = vec![0x5a_u8; 256 * 1024];
    let rounds = 4000;
    let start = Instant::now();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for _ in 0..rounds {
        hasher.update(&buffer);
    }
    std::hint::black_box(hasher.finish());
    (rounds * buffer.len()) as f64 / start.elapsed().as_secs_f64() / 1e6
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

/// A wire to the registry that counts what goes over it.
struct Wire {
    host: String,
    down: Arc<AtomicU64>,
    blobs: Arc<AtomicU64>,
}

impl Wire {
    fn to(target: String) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let host = listener.local_addr()?.to_string();
        let (down, blobs) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let counters = (Arc::clone(&down), Arc::clone(&blobs));
        // Ends with the process: nothing asks the listener to stop.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let (Ok(client_in), Ok(server_out)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let (down, blobs) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
                thread::spawn(move || {
                    relay(client_in, server_out, |bytes| count_blob_requests(bytes, &blobs))
                });
                thread::spawn(move || {
                    relay(server, client, |bytes| {
                        down.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                    });
                });
            }
        });
        Ok(Self { host, down, blobs })
    }
}

fn count_blob_requests(bytes: &[u8], blobs: &AtomicU64) {
    // A request's head goes out in one write, so it is never cut in two here.
    let text = String::from_utf8_lossy(bytes);
    let requests = text.lines().filter(|line| line.starts_with("GET ") && line.contains("/blobs/"));
    blobs.fetch_add(requests.count() as u64, Ordering::SeqCst);
}

fn relay(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // The other half ends by itself when its own peer does.
    drop(to.shutdown(Shutdown::Write));
}
