//! Runs a command and measures it; figures of several runs; how fast one core hashes; whether the machine is quiet.

use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use airlift::domain::digest::Algorithm;
use airlift::engine::hash::Hasher;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Between two looks at the memory of a run.
const LOOK: Duration = Duration::from_millis(5);

/// One finished run.
pub(crate) struct Run {
    /// From the start of the process to its end, in seconds.
    pub(crate) wall: f64,
    /// The high-water mark of resident memory when last looked at, at most 5 ms before the end, in KiB.
    pub(crate) peak_kib: u64,
}

pub(crate) trait Quiet {
    /// Runs to the end without output; an error names the command when it fails.
    fn quiet_status(&mut self) -> Outcome<()>;
}

impl Quiet for Command {
    fn quiet_status(&mut self) -> Outcome<()> {
        timed(self).map(drop)
    }
}

/// Runs to the end without output and measures.
pub(crate) fn timed(command: &mut Command) -> Outcome<Run> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let status_file = format!("/proc/{}/status", child.id());
    let ended = AtomicBool::new(false);
    let (status, wall, peak_kib) = thread::scope(|scope| {
        // Looking is left to another thread, so that the end is seen when it comes and not at the next look.
        let looking = scope.spawn(|| {
            let mut peak_kib = 0;
            while !ended.load(Ordering::Relaxed) {
                peak_kib = peak_kib.max(high_water(&status_file));
                thread::park_timeout(LOOK);
            }
            peak_kib
        });
        let status = child.wait();
        let wall = start.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        looking.thread().unpark();
        (status, wall, looking.join().unwrap_or(0))
    });
    let status = status?;
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    Ok(Run { wall, peak_kib })
}

fn high_water(status_file: &str) -> u64 {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    mark.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The middle figure; the mean of the middle two where there are as many on both sides.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    (middle(sorted.len() / 2) + middle(sorted.len().saturating_sub(1) / 2)) / 2.0
}

/// The smallest figure.
pub(crate) fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The largest figure.
pub(crate) fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// MB/s of SHA-256 on one core, over memory that stays in its cache; about as long as one core of a verification works.
pub(crate) fn hash_rate() -> f64 {
    let buffer = vec![0x5a_u8; 256 * 1024];
    let rounds = 1200;
    let start = Instant::now();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for _ in 0..rounds {
        hasher.update(&buffer);
    }
    std::hint::black_box(hasher.finish());
    (rounds * buffer.len()) as f64 / start.elapsed().as_secs_f64() / 1e6
}

/// Waits until nothing else wants to run, at most as long as `patience` lasts in all; whether that came to be.
pub(crate) fn settle(patience: &mut Duration) -> bool {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut in_a_row = 0;
    loop {
        in_a_row = if runnable() <= 1 { in_a_row + 1 } else { 0 };
        if in_a_row >= 6 {
            return true;
        }
        if patience.is_zero() {
            return false;
        }
        thread::sleep(PAUSE);
        *patience = patience.saturating_sub(PAUSE);
    }
}

/// Threads of the machine that run or could (proc(5), "loadavg"); this one is among them.
fn runnable() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = text.split(' ').nth(3).and_then(|field| field.split('/').next());
    field.and_then(|count| count.parse().ok()).unwrap_or(1)
}
