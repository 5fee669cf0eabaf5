//! The import into a containerd against what stock tools do: an archive by skopeo, then `ctr images import` of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{Outcome, Quiet, least, median, settle, timed};
use crate::{Bench, Wanted, bytes_under, only_entry, remove, say};

/// The most memory that an import may take, in KiB.
const MOST_KIB: u64 = 64 << 10;
/// How long containerd may take to answer first.
const STARTING: Duration = Duration::from_secs(20);

/// The programs of a line of versions.
#[derive(Clone, Copy)]
struct Line {
    containerd: &'static str,
    ctr: &'static str,
}

/// Debian's 1.6 as it is named there, and the current one as it is built for the tests.
const LINES: [Line; 2] =
    [Line { containerd: "containerd", ctr: "ctr" }, Line { containerd: "containerd-2", ctr: "ctr-2" }];

/// A containerd with root, state and socket of its own; ends when dropped.
struct Daemon {
    child: Child,
    line: Line,
    dir: PathBuf,
}

impl Daemon {
    fn start(line: Line, dir: &Path) -> Outcome<Self> {
        remove(dir)?;
        fs::create_dir_all(dir)?;
        let path = |name: &str| dir.join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\n[grpc]\n  address = {:?}\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\n  path = {:?}\n",
            path("root"),
            path("state"),
            path("sock"),
            path("opt")
        );
        fs::write(dir.join("config.toml"), config)?;
        let mut command = Command::new(line.containerd);
        command.args(["--config", &path("config.toml")]).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(fs::File::create(dir.join("log"))?).spawn()?;
        let daemon = Self { child, line, dir: dir.to_owned() };
        let began = Instant::now();
        while daemon.ctr(&["version"]).quiet_status().is_err() {
            if began.elapsed() > STARTING {
                return Err(format!("containerd does not answer; see {}", path("log")).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    fn socket(&self) -> String {
        self.dir.join("sock").display().to_string()
    }

    fn ctr(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.line.ctr);
        command.args(["--address", &self.socket(), "--connect-timeout", "1s", "-n", "k8s.io"]).args(words);
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // By SIGTERM, so that it unmounts what it has mounted.
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // Fails only when it has ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        drop(self.child.wait());
    }
}

/// Times first and second imports of the corpus beside the stock way, each into a containerd that is new, of either line.
pub(crate) fn imports(bench: &Bench) -> Outcome<()> {
    let has = |tool: &str| Command::new(tool).arg("--version").quiet_status().is_ok();
    for line in LINES {
        let Line { containerd, ctr } = line;
        if rustix::process::geteuid().is_root() && [containerd, ctr, "skopeo"].into_iter().all(has) {
            imports_into(bench, line)?;
        } else {
            say(&format!(
                "  import into {containerd}: not measured: it needs root, {containerd}, {ctr} and skopeo"
            ));
            bench.miss();
        }
    }
    Ok(())
}

fn imports_into(bench: &Bench, line: Line) -> Outcome<()> {
    bench.pack(&bench.host)?.quiet_status()?;
    let bundle = only_entry(&bench.path("medium"))?;
    let megabytes = bytes_under(&bundle)? as f64 / 1e6;
    let (mut own, mut again, mut stock) = (Vec::new(), Vec::new(), Vec::new());
    let (mut peak, mut busy) = (0, 0);
    for round in 0..=bench.runs {
        busy += usize::from(!settle(&mut bench.patience.borrow_mut()) && round > 0);
        for turn in 0..2 {
            let daemon = Daemon::start(line, &bench.path("containerd"))?;
            if (turn + round) % 2 == 0 {
                let first = timed(&mut import(bench, &bundle, &daemon))?;
                let second = timed(&mut import(bench, &bundle, &daemon))?;
                peak = peak.max(first.peak_kib);
                if round > 0 {
                    own.push(first.wall);
                    again.push(second.wall);
                }
            } else {
                let run = timed(&mut by_stock_tools(&bench.host, &bundle, &daemon))?;
                if round > 0 {
                    stock.push(run.wall);
                }
            }
            drop(daemon);
            remove(&bench.path("containerd"))?;
        }
    }
    let Line { containerd, ctr } = line;
    let by_stock = format!("skopeo copy, {ctr} images import");
    let (once, twice) = (format!("import into {containerd}"), format!("import again into {containerd}"));
    for (name, walls) in [(&once, &own), (&twice, &again), (&by_stock, &stock)] {
        let (middle, least) = (median(walls), least(walls));
        say(&format!("  {name}: median {middle:.2} s, least {least:.2} s, of {megabytes:.0} MB"));
    }
    bench.tell_busy(busy);
    bench.judge_most(&once, peak, MOST_KIB);
    let by = |one: &[f64], other: &[f64]| one.iter().zip(other).map(|(a, b)| a / b).collect::<Vec<_>>();
    let bests = least(&own) / least(&stock);
    bench.judge(&format!("{once} / {by_stock}"), (&by(&own, &stock), bests), Wanted::AtMost(0.7));
    let bests = least(&again) / least(&own);
    bench.judge(&format!("{twice} / the first"), (&by(&again, &own), bests), Wanted::AtMost(0.05));
    remove(&bench.path("medium"))
}

fn import(bench: &Bench, bundle: &Path, daemon: &Daemon) -> Command {
    let mut command = bench.airlift(&["import", "--trust"]);
    command.arg(bench.path("allowed_signers")).arg("--state").arg(bench.path("history")).arg(bundle);
    command.args(["--into", &format!("containerd:{}", daemon.socket())]);
    command
}

/// What the import does, by others' tools: each image into an archive, that into containerd, and all of it on disk.
fn by_stock_tools(host: &str, bundle: &Path, daemon: &Daemon) -> Command {
    let mut command = Command::new("sh");
    command.arg("-ec").arg(
        "bundle=$1; socket=$2; dir=$3; ctr=$4; shift 4; for image; do rm -f \"$dir/archive.tar\"; \
         skopeo copy -q \"oci:$bundle:$image\" \"oci-archive:$dir/archive.tar:$image\"; \
         \"$ctr\" --address \"$socket\" -n k8s.io images import \"$dir/archive.tar\" >/dev/null; done; sync -f \"$dir\"",
    );
    command
        .arg("sh")
        .arg(bundle)
        .arg(daemon.socket())
        .arg(&daemon.dir)
        .arg(daemon.line.ctr)
        .args(crate::references(host));
    command
}
