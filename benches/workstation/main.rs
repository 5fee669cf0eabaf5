//! Times the workstation in a pseudo-terminal: its first frame, from a key to its frame, and what it does while idle.
//!
//! `cargo bench --bench workstation`; `AIRLIFT_BENCH_PROGRAM` names the program, which should be the static release
//! build. `AIRLIFT_CORPUS=HOST:PORT` says where the images are that are packed meanwhile; without it some of noise are
//! made and served by `docker-registry`. What is wanted and not had says `MISSED`, and ends with an error where
//! `AIRLIFT_BENCH_STRICT=1`. Run by `cargo test`, it goes the same ways once with little of everything and judges nothing:
//! so a screen that changed is seen there, and not first by whoever wants figures.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "as in a test: where something is not as it should be, there is nothing to measure"
)]

#[path = "../../tests/pty/console.rs"]
#[expect(dead_code, reason = "the bench uses its part of it")]
mod console;
#[path = "../../tests/rig/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the bench uses its part of the rig, and not its tests")]
mod rig;
#[path = "../../tests/pty/steps.rs"]
#[expect(dead_code, reason = "the bench takes some of the steps")]
mod steps;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use console::{Console, Setting};
use rig::TempRoot;
use rig::world::World;

/// From the start of the process to its first frame.
const FIRST_FRAME: f64 = 50.0;
/// From a key to its frame, of all but one in a hundred.
const KEY: f64 = 16.0;

fn main() -> ExitCode {
    let bench = Bench {
        program: std::env::var_os("AIRLIFT_BENCH_PROGRAM").filter(|name| !name.is_empty()),
        // What cargo passes to a bench, and not to a test.
        full: std::env::args().any(|argument| argument == "--bench"),
    };
    let missed = [
        bench.first_frame(),
        bench.idle(),
        bench.many_references(),
        bench.many_tags(),
        bench.pack_under_way(),
    ];
    if !bench.full {
        say("every way was gone; `cargo bench` judges");
        return ExitCode::SUCCESS;
    }
    let strict = std::env::var("AIRLIFT_BENCH_STRICT").is_ok_and(|strict| strict == "1");
    let missed = missed.into_iter().filter(|kept| !kept).count();
    if missed > 0 && strict {
        say(&format!("{missed} of what is wanted was MISSED"));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn say(line: &str) {
    // A closed stdout ends the interest in the figures, not the run.
    drop(writeln!(std::io::stdout(), "{line}"));
}

struct Bench {
    /// The program to time where it is not the one built along with this.
    program: Option<OsString>,
    /// With as much of everything as the figures need.
    full: bool,
}

impl Bench {
    fn start(&self, home: &Path) -> Console {
        Console::start(&Setting { program: self.program.as_deref(), ..Setting::new(home) })
    }

    /// How much of something: for figures, or to go the way once.
    fn of(&self, figures: usize, way: usize) -> usize {
        if self.full { figures } else { way }
    }

    fn first_frame(&self) -> bool {
        let mut times = Vec::new();
        for _ in 0..self.of(200, 3) {
            let root = TempRoot::new();
            let start = Instant::now();
            let mut console = self.start(root.path());
            times.push(console.came(|screen| screen.contents().contains("? help")) - start);
            console.keys("q");
            console.end();
        }
        judge("first frame after exec", &times, FIRST_FRAME)
    }

    /// Bytes that reach the terminal, and how often any thread of the process came back after it had given up the
    /// processor (`voluntary_ctxt_switches` of each of its threads): a thread that only waits stays where it is.
    fn idle(&self) -> bool {
        let root = TempRoot::new();
        let mut console = self.start(root.path());
        console.wait("net ");
        console.settle();
        let (drawn, woken) = (console.bytes.len(), console.wake_ups());
        let seconds = self.of(10, 1);
        std::thread::sleep(Duration::from_secs(seconds as u64));
        console.settle();
        let (drawn, woken) = (console.bytes.len() - drawn, console.woken_since(&woken));
        let kept = drawn == 0 && woken == 0;
        let verdict = if kept { "wanted: none" } else { "wanted: none: MISSED" };
        say(&format!("  idle for {seconds} s: {drawn} bytes drawn, {woken} wake-ups ({verdict})"));
        kept
    }

    fn many_references(&self) -> bool {
        let root = TempRoot::new();
        let mut console = self.start(root.path());
        console.wait("? help").keys("b").wait("step 1/5 Images");
        let lines: String = (0..500).map(|n| format!("registry.example/team/app-{n:03}:1.{n}\n")).collect();
        console.paste(&lines).wait("500 added");
        let mut times = moves(&mut console, self.of(200, 40));
        console.keys("/").wait("filter");
        for _ in 0..self.of(20, 1) {
            for typed in ["app-4", "app-49"] {
                let (last, all) = (typed.chars().last().unwrap().to_string(), format!(": {typed}"));
                if typed == "app-4" {
                    console.keys("app-").wait(": app-");
                }
                times.push(console.timed(&last, |screen| screen.contents().contains(&all)));
            }
            console.keys("Ctrl-U").wait_for("nothing typed", |screen| !screen.contains("app-49 "));
        }
        judge("key to frame, 500 references", &times, KEY)
    }

    fn many_tags(&self) -> bool {
        let Some(world) = World::start() else { return unmeasured("key to frame, 20,000 tags") };
        world.push(|layout, host| {
            layout.image(&format!("{host}/team/app:0"), &ImageSpec::small("a")).unwrap()
        });
        // As 20,000 pushes would leave them.
        let tags = world.registry.root().join("docker/registry/v2/repositories/team/app/_manifests/tags");
        let link = std::fs::read(tags.join("0/current/link")).unwrap();
        let count = self.of(20_000, 500);
        for n in 1..count {
            let current = tags.join(format!("1.{}.{}", n / 100, n % 100)).join("current");
            std::fs::create_dir_all(&current).unwrap();
            std::fs::write(current.join("link"), &link).unwrap();
        }
        let mut console = self.start(&world.root.join("home"));
        console.wait("? help").keys("b").wait("step 1/5 Images");
        console.keys("b").wait("Browse a registry").keys(&world.reference("team/app")).keys("Enter");
        console.wait(&format!("{count} tags")).settle();
        let mut times = Vec::new();
        for _ in 0..self.of(20, 1) {
            for key in ["1", ".", "7", "Down", "Up", "Backspace", "Backspace", "Backspace"] {
                let before = console.screen();
                times.push(console.timed(key, |screen| screen.contents() != before));
            }
        }
        judge("key to frame, 20,000 tags", &times, KEY)
    }

    fn pack_under_way(&self) -> bool {
        let Some(world) = World::start() else { return unmeasured("key to frame while a pack runs") };
        let references = self.images(&world);
        let mut times = Vec::new();
        // Each onto an empty medium; several, as a registry on the same cores makes one unlike the other.
        for _ in 0..self.of(6, 1) {
            let mut console = self.start(&world.root.join("home"));
            steps::pick(&mut console, &references);
            steps::verify(&mut console);
            steps::choose(&mut console, &world.medium());
            steps::assemble(&mut console);
            // The program was started as anyone's is; when a key is pressed is to be known even on a busy machine.
            let pressing = Priority::raised();
            while !console.screen().contains("Assemble ok") && (self.full || times.len() < 40) {
                console.watch(Duration::from_millis(7));
                // The palette is above whatever else changes.
                times.push(console.timed(":", |screen| screen.contents().contains("Commands")));
                times.push(console.timed("z", |screen| screen.contents().contains("│ z ")));
                times.push(console.timed("Esc", |screen| !screen.contents().contains("│ z ")));
                times.push(console.timed("Esc", |screen| !screen.contents().contains("Commands")));
                // Another screen, its list, and back to what goes on.
                times.push(console.timed("1", |screen| screen.contents().contains("step 1/5")));
                times.extend(there_and_back(&mut console));
                times.push(console.timed("4", |screen| screen.contents().contains("step 4/5")));
            }
            drop(pressing);
            console.wait("Assemble ok").keys("q");
            console.end();
            for made in std::fs::read_dir(world.medium()).unwrap() {
                std::fs::remove_dir_all(made.unwrap().path()).unwrap();
            }
            std::fs::remove_dir_all(world.root.join("home/.local/share/airlift/work")).unwrap();
        }
        judge("key to frame while a pack runs", &times, KEY)
    }

    /// What is packed: the corpus, or images of noise in the world's own registry.
    fn images(&self, world: &World) -> Vec<String> {
        if let (true, Ok(host)) = (self.full, std::env::var("AIRLIFT_CORPUS")) {
            return rig::corpus::CORPUS.iter().map(|name| format!("{host}/library/{name}")).collect();
        }
        let (count, size) = (self.of(6, 2), self.of(40_000_000, 5_000_000) as u64);
        let names: Vec<String> = (1..=count).map(|n| format!("noise/app-{n}:1.{n}")).collect();
        world.push(|layout, host| {
            for (seed, name) in (0..).zip(&names) {
                let layers = (1..=4).map(|layer| LayerSpec::noise(seed * 10 + layer, size)).collect();
                layout.image(&format!("{host}/{name}"), &ImageSpec::new(layers)).unwrap();
            }
        });
        names.iter().map(|name| world.reference(name)).collect()
    }
}

/// Says what could not be measured: a figure that is not there is not kept.
fn unmeasured(name: &str) -> bool {
    say(&format!("  {name}: not measured: MISSED"));
    false
}

/// This thread is served before others that want the processor; what it starts meanwhile would be, too. As anyone but root
/// it changes nothing.
struct Priority;

impl Priority {
    fn raised() -> Self {
        let _ = rustix::process::setpriority_process(None, -10);
        Self
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        let _ = rustix::process::setpriority_process(None, 0);
    }
}

/// The row of the screen that is chosen in a list.
fn chosen(screen: &vt100::Screen) -> Option<u16> {
    (3..20).find(|row| screen.contents_between(*row, 0, *row, 1) == ">")
}

/// Goes one reference further in a list, and back; how long each key took.
fn there_and_back(console: &mut Console) -> [Duration; 2] {
    let at = chosen(console.terminal()).expect("a row is chosen");
    let below = console.terminal().contents_between(at + 1, 0, at + 1, 80);
    let (keys, other) = if below.contains('/') { (["Down", "Up"], at + 1) } else { (["Up", "Down"], at - 1) };
    let there = console.timed(keys[0], |screen| chosen(screen) == Some(other));
    [there, console.timed(keys[1], |screen| chosen(screen) == Some(at))]
}

/// Goes down and up again in a list; how long each key took.
fn moves(console: &mut Console, count: usize) -> Vec<Duration> {
    let mut down = true;
    let mut times = Vec::new();
    for _ in 0..count {
        let before = chosen(console.terminal()).expect("a row is chosen");
        let turn = if down { before >= 15 } else { before <= 5 };
        down ^= turn;
        let wanted = if down { before + 1 } else { before - 1 };
        let key = if down { "Down" } else { "Up" };
        times.push(console.timed(key, |screen| chosen(screen) == Some(wanted)));
    }
    times
}

/// Says median, 99th percentile and most of `times`; the percentile is held to `wanted` milliseconds, where there are
/// enough of them to have one.
fn judge(name: &str, times: &[Duration], wanted: f64) -> bool {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted[(sorted.len() * share).div_ceil(100).max(1) - 1];
    if times.len() < 100 {
        say(&format!("  {name}: {} times, too few to judge: MISSED", times.len()));
        return false;
    }
    let kept = at(99) <= wanted;
    say(&format!(
        "  {name}: median {:.1} ms, p99 {:.1} ms, most {:.1} ms of {} (wanted p99 <= {wanted} ms{})",
        at(50),
        at(99),
        at(100),
        sorted.len(),
        if kept { "" } else { ": MISSED" }
    ));
    kept
}
