//! One run at a time in a namespace of a containerd: each says by its lease who it is; what dead runs left is told from what lives.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::shell::shell_words;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;
use crate::engine::host;
use crate::engine::import::error::ImportError;
use crate::engine::import::undo::Unfinished;
use crate::engine::runtime::containerd::Containerd;
use crate::engine::runtime::containerd::leases::Lease;
use crate::engine::stays::Stays;

/// How long another run is waited for: one that ends just now, or that began in the same moment, is over by then.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long apart it is looked for, at least.
const PAUSE: Duration = Duration::from_millis(20);

/// A process of this machine, told from a later one of the same number by when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    /// In ticks since the boot.
    began: u64,
    /// Its name space of process numbers.
    space: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid, self.began, self.space)
    }
}

impl FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().ok_or(());
        let pid = word()?.parse().map_err(drop)?;
        Ok(Self { pid, began: word()?.parse().map_err(drop)?, space: word()?.to_owned() })
    }
}

/// State and begin of a process from `/proc/PID/stat` (proc_pid_stat(5)); the name before them may hold anything.
fn state_and_begin(stat: &str) -> Option<(&str, u64)> {
    let mut words = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    Some((words.next()?, words.nth(18)?.parse().ok()?))
}

impl Process {
    /// This one; nothing where the kernel does not tell.
    fn own() -> Option<Self> {
        let pid = std::process::id();
        let (_, began) = state_and_begin(&fs::read_to_string("/proc/self/stat").ok()?)?;
        let space = fs::read_link("/proc/self/ns/pid").ok()?.display().to_string();
        Some(Self { pid, began, space })
    }
}

/// What has become of the run behind a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Runs,
    /// It ended without a word, in this boot.
    Dead,
    /// It ran before this boot: what it brought may never have reached the disk.
    Before,
    /// It cannot be told.
    Unknown,
}

/// Where leases are judged from.
#[derive(Clone, Debug)]
struct Here {
    boot: String,
    own: Option<Process>,
}

impl Here {
    async fn look(ctx: &JobCtx) -> Result<Self> {
        let files = ctx.files.clone();
        blocking(move || {
            // Where it cannot be read, nothing is known of any lease.
            Ok(Self { boot: host::boot_id(&*files).unwrap_or_default(), own: Process::own() })
        })
        .await
    }

    fn fate(&self, lease: &Lease) -> Fate {
        if self.boot.is_empty() || lease.boot.is_empty() {
            return Fate::Unknown;
        }
        if self.boot != lease.boot {
            return Fate::Before;
        }
        match (lease.process.parse::<Process>(), &self.own) {
            (Ok(of), Some(own)) if of == *own => {
                if held().contains(&lease.id) {
                    Fate::Runs
                } else {
                    Fate::Dead
                }
            }
            (Ok(of), Some(own)) if of.space == own.space => alive(&of),
            _ => Fate::Unknown,
        }
    }
}

/// Whether a process of this boot and name space runs.
fn alive(process: &Process) -> Fate {
    let pid = i32::try_from(process.pid).ok().and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else { return Fate::Unknown };
    if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return Fate::Dead;
    }
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap_or_default();
    match state_and_begin(&stat) {
        // Ended, and nobody has asked for its end yet.
        Some(("Z" | "X", _)) => Fate::Dead,
        Some((_, began)) if began == process.began => Fate::Runs,
        Some(_) => Fate::Dead,
        // There, but not to be looked at.
        None => Fate::Unknown,
    }
}

/// The leases that runs of this process hold. One that names this process and is not among them is of a run that could
/// not end it, as its daemon died.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn held() -> MutexGuard<'static, BTreeSet<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a lease among those that this process holds.
#[derive(Debug)]
struct Holding(String);

impl Holding {
    fn of(lease: &Lease) -> Self {
        held().insert(lease.id.clone());
        Self(lease.id.clone())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        held().remove(&self.0);
    }
}

/// The leases of other runs.
#[derive(Default)]
struct Others {
    running: Option<Lease>,
    dead: Vec<Lease>,
    before: Vec<Lease>,
    unknown: Vec<Lease>,
}

async fn others(daemon: &Containerd, here: &Here, own: Option<&str>) -> Result<Others> {
    let mut others = Others::default();
    for lease in daemon.our_leases().await?.into_iter().filter(|lease| Some(lease.id.as_str()) != own) {
        match here.fate(&lease) {
            Fate::Runs => others.running = Some(lease),
            Fate::Dead => others.dead.push(lease),
            Fate::Before => others.before.push(lease),
            Fate::Unknown => others.unknown.push(lease),
        }
    }
    Ok(others)
}

/// The right to change a namespace of a containerd. It ends with [`Claim::end`]; that of a run that dies, with the next run.
#[derive(Debug)]
pub(super) struct Claim {
    /// Works under the lease.
    pub(super) daemon: Containerd,
    lease: Lease,
    /// What runs of this boot left that were cut off; it is kept until the end, for what of it is wanted.
    left: Vec<Lease>,
    _holding: Holding,
}

impl Claim {
    /// Takes it, for work on `of`. Leases of earlier boots are ended first.
    ///
    /// The lease has no time at which it ends: a clock that is set meanwhile would end it in the middle.
    ///
    /// # Errors
    /// [`ImportError::Claimed`] where another run has it; as the daemon answers.
    pub(super) async fn take(ctx: &JobCtx, daemon: &Containerd, of: &str) -> Result<Self> {
        let (here, began) = (Here::look(ctx).await?, Instant::now());
        loop {
            let mut running = others(daemon, &here, None).await?.running;
            if running.is_none() {
                let lease = Lease {
                    id: format!("airlift-{}", uuid::Uuid::now_v7()),
                    of: of.to_owned(),
                    boot: here.boot.clone(),
                    process: here.own.as_ref().map(ToString::to_string).unwrap_or_default(),
                };
                let holding = Holding::of(&lease);
                let leased = daemon.leased(&lease).await?;
                // Of two that begin in one moment, each sees the other's lease, and both give way.
                let others = others(daemon, &here, Some(&lease.id)).await?;
                if others.running.is_none() {
                    release(daemon, &others.before, true).await?;
                    return Ok(Self { daemon: leased, lease, left: others.dead, _holding: holding });
                }
                daemon.release(&lease.id, false).await?;
                running = others.running;
            }
            ctx.check()?;
            if let Some(lease) = running.filter(|_| began.elapsed() > PATIENCE) {
                return Err(claimed(daemon, &lease).into());
            }
            tokio::time::sleep(PAUSE + PAUSE * (std::process::id() % 7)).await;
        }
    }

    /// Ends what dead runs left, without taking anything.
    ///
    /// # Errors
    /// As the daemon answers.
    pub(super) async fn sweep(ctx: &JobCtx, daemon: &Containerd) -> Result<()> {
        let others = others(daemon, &Here::look(ctx).await?, None).await?;
        if others.running.is_none() {
            release(daemon, &others.dead, false).await?;
            release(daemon, &others.before, true).await?;
        }
        Ok(())
    }

    /// What runs that were cut off left here: it is gone once a claim ends. Of what stays it cannot be told whether a run
    /// is still at it.
    ///
    /// # Errors
    /// As the daemon answers.
    pub(super) async fn unfinished(ctx: &JobCtx, daemon: &Containerd) -> Result<Unfinished> {
        let Others { dead, before, unknown, .. } = others(daemon, &Here::look(ctx).await?, None).await?;
        let removed = dead.into_iter().chain(before);
        let removed =
            removed.map(|lease| format!("lease {} ({}), with what it alone kept", lease.id, lease.of));
        let kept = unknown.into_iter().map(|lease| stays(daemon, lease));
        Ok(Unfinished { removed: removed.collect(), kept: kept.collect() })
    }

    /// Ends it, and with it whatever nothing names.
    ///
    /// # Errors
    /// As the daemon answers.
    pub(super) async fn end(&self) -> Result<()> {
        release(&self.daemon, &self.left, false).await?;
        Ok(self.daemon.release(&self.lease.id, true).await?)
    }
}

async fn release(daemon: &Containerd, leases: &[Lease], sync: bool) -> Result<()> {
    for lease in leases {
        daemon.release(&lease.id, sync).await?;
    }
    Ok(())
}

/// Why it could not be taken now, where another run has it.
///
/// # Errors
/// As the daemon answers.
pub(super) async fn running(ctx: &JobCtx, daemon: &Containerd) -> Result<Option<ImportError>> {
    let others = others(daemon, &Here::look(ctx).await?, None).await?;
    Ok(others.running.map(|lease| claimed(daemon, &lease)))
}

/// Why a lease stays, and how it goes.
fn stays(daemon: &Containerd, Lease { id, of, .. }: Lease) -> Stays {
    let socket = daemon.path().display().to_string();
    let words =
        ["ctr", "--address", &socket, "--namespace", daemon.namespace(), "leases", "delete", "--sync", &id];
    let command = shell_words(&words.map(str::to_owned));
    let words = format!(
        "lease {id} ({of}) is of a process that cannot be seen from here; once that has ended: {command}"
    );
    Stays::new([id], words)
}

fn claimed(daemon: &Containerd, lease: &Lease) -> ImportError {
    let pid = lease.process.split(' ').next().unwrap_or_default().to_owned();
    ImportError::Claimed {
        socket: daemon.path().to_owned(),
        namespace: daemon.namespace().to_owned(),
        pid,
        of: lease.of.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(boot: &str, process: &str) -> Lease {
        Lease { id: "l".to_owned(), of: "b".to_owned(), boot: boot.to_owned(), process: process.to_owned() }
    }

    #[test]
    fn a_run_is_dead_only_when_its_process_of_this_boot_is_seen_to_be_gone() {
        let own = Process::own().unwrap();
        let here = Here { boot: "now".to_owned(), own: Some(own.clone()) };
        let holding = Holding::of(&lease("", ""));
        let later = Process { began: own.began + 1, ..own.clone() };
        // One that was waited for has no entry any more.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = Process { pid: child.id(), ..own.clone() };
        child.wait().unwrap();
        let elsewhere = Process { space: "pid:[1]".to_owned(), ..gone.clone() };
        for (boot, process, fate) in [
            ("now", own.to_string(), Fate::Runs),
            ("now", later.to_string(), Fate::Dead),
            ("now", gone.to_string(), Fate::Dead),
            ("now", elsewhere.to_string(), Fate::Unknown),
            ("now", String::new(), Fate::Unknown),
            ("now", "x y".to_owned(), Fate::Unknown),
            ("before", own.to_string(), Fate::Before),
            ("", own.to_string(), Fate::Unknown),
        ] {
            assert_eq!(here.fate(&lease(boot, &process)), fate, "{boot} {process}");
        }
        drop(holding);
        let left = lease("now", &own.to_string());
        assert_eq!(here.fate(&left), Fate::Dead, "of a run of this process that could not end it");
        let blind = Here { boot: String::new(), own: Some(own.clone()) };
        assert_eq!(
            blind.fate(&lease("before", &gone.to_string())),
            Fate::Unknown,
            "an unknown boot ends nothing"
        );
    }

    #[test]
    fn the_begin_of_a_process_is_found_behind_any_name() {
        let numbers = (4..=30).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(state_and_begin(&format!("7 (a) b) S {numbers}")), Some(("S", 22)));
        assert_eq!(state_and_begin("7 (a) S 1"), None);
        assert_eq!(state_and_begin(""), None);
    }
}
