//! Counts bytes of a phase from many threads and reports them at most ten times a second, and each time while nothing may follow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::ctx::JobCtx;
use crate::domain::progress::{Event, Phase};

/// Milliseconds between two reports.
const INTERVAL_MS: u64 = 100;

/// The bytes moved in one phase.
pub struct Meter {
    ctx: JobCtx,
    phase: Phase,
    announced: AtomicBool,
    done: AtomicU64,
    spared: AtomicU64,
    kept: AtomicU64,
    began: Instant,
    /// How long the job had been paused by then.
    rested: Duration,
    last_ms: AtomicU64,
}

impl Meter {
    /// Announces a phase of `items` with `bytes` in all.
    pub fn start(ctx: &JobCtx, phase: Phase, items: u64, bytes: u64) -> Self {
        let meter = Self::unannounced(ctx, phase);
        meter.announce(items, bytes);
        meter
    }

    /// For a phase that may not come, and is announced when it does.
    pub fn unannounced(ctx: &JobCtx, phase: Phase) -> Self {
        Self {
            ctx: ctx.clone(),
            phase,
            announced: AtomicBool::new(false),
            done: AtomicU64::new(0),
            spared: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            began: Instant::now(),
            rested: ctx.pause.rested(),
            last_ms: AtomicU64::new(0),
        }
    }

    /// Announces the phase.
    pub fn announce(&self, items: u64, bytes: u64) {
        self.announced.store(true, Relaxed);
        self.ctx.say(Event::Started { phase: self.phase, items, bytes });
    }

    /// Says of a phase that was announced that it comes to so much more.
    pub fn grow(&self, items: u64, bytes: u64) {
        self.ctx.say(Event::Grown { phase: self.phase, items, bytes });
    }

    /// Says that a program writes for the phase, though no bytes are counted.
    pub fn writes(&self, program: &str) {
        self.ctx.say(Event::Writes { phase: self.phase, program: program.to_owned() });
    }

    /// Whether the phase has begun.
    pub fn is_announced(&self) -> bool {
        self.announced.load(Relaxed)
    }

    /// The phase counted here.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Bytes so far.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// How long it has counted, pauses aside.
    pub fn worked(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.ctx.pause.rested().saturating_sub(self.rested))
    }

    /// Counts more bytes.
    pub fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Relaxed) + bytes;
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.last_ms.load(Relaxed);
        let due = now >= last.saturating_add(INTERVAL_MS);
        // The last of what was under way as the job was paused or stopped: no later report tells of it.
        if self.ctx.pause.is_paused() || self.ctx.cancel.is_cancelled() {
            return self.tell(self.done());
        }
        if due && self.last_ms.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            self.tell(done);
        }
    }

    /// Counts bytes that lie there already, and are only hashed.
    pub fn add_kept(&self, bytes: u64) {
        self.kept.fetch_add(bytes, Relaxed);
        self.add(bytes);
    }

    /// They are not right after all.
    pub fn take_back_kept(&self, bytes: u64) {
        self.kept.fetch_sub(bytes.min(self.kept.load(Relaxed)), Relaxed);
        self.take_back(bytes);
    }

    /// Reports the count as it is, where nothing may be added for a while.
    pub fn now(&self) {
        self.tell(self.done());
    }

    fn tell(&self, done: u64) {
        let (phase, kept) = (self.phase, self.kept.load(Relaxed));
        if kept > 0 {
            self.ctx.say(Event::Kept { phase, bytes: kept });
        }
        self.ctx.say(Event::Bytes { phase, done });
    }

    /// Takes back bytes of an item that starts over.
    pub fn take_back(&self, bytes: u64) {
        self.done.fetch_sub(bytes.min(self.done()), Relaxed);
    }

    /// Bytes that need not move after all.
    pub fn spare(&self, bytes: u64) {
        let spared = self.spared.fetch_add(bytes, Relaxed) + bytes;
        if bytes > 0 {
            self.ctx.say(Event::Spared { phase: self.phase, bytes: spared });
        }
    }

    /// They have to, after all.
    pub fn spare_not(&self, bytes: u64) {
        let spared = self.spared.fetch_sub(bytes, Relaxed).saturating_sub(bytes);
        if bytes > 0 {
            self.ctx.say(Event::Spared { phase: self.phase, bytes: spared });
        }
    }

    /// Reports the final count and that the phase is over, where it has begun.
    pub fn finish(&self) {
        if !self.is_announced() {
            return;
        }
        self.tell(self.done());
        self.ctx.say(Event::Finished { phase: self.phase });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ctx::Recording;

    #[test]
    fn what_was_counted_last_is_told_without_waiting_for_more() {
        let said = Arc::new(Recording::default());
        let phase = Phase::Import;
        let meter = Meter::start(&JobCtx::new(said.clone()), phase, 1, 100);
        // Within the interval: nobody was told.
        (0..10).for_each(|_| meter.add(10));
        meter.now();
        assert_eq!(said.events().last(), Some(&Event::Bytes { phase, done: 100 }));
    }

    #[test]
    fn what_comes_while_it_is_paused_or_stopped_is_told_at_once() {
        let said = Arc::new(Recording::default());
        let (phase, ctx) = (Phase::Write, JobCtx::new(said.clone()));
        let meter = Meter::start(&ctx, phase, 1, 100);
        let told = || said.events().last().cloned();
        meter.add(10);
        ctx.pause.set(true);
        meter.add(10);
        assert_eq!(told(), Some(Event::Bytes { phase, done: 20 }));
        ctx.pause.set(false);
        meter.add(10);
        ctx.cancel.cancel();
        meter.add(10);
        assert_eq!(told(), Some(Event::Bytes { phase, done: 40 }));
    }
}
