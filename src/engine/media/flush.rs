//! Waits until a medium has what was written, and tells meanwhile how much memory still holds.

use std::time::Duration;

use crate::domain::progress::{Event, Phase};
use crate::engine::blocking::{blocking, joined};
use crate::engine::ctx::JobCtx;
use crate::engine::error::Result;

/// How often it is told.
const BEAT: Duration = Duration::from_millis(200);

/// Runs work that makes things durable, as the phase of that name. Of what memory holds for all of the host, no more than
/// `most` is told: what a run did not write is none of its own.
///
/// # Errors
/// What the work says.
pub async fn flush<T: Send + 'static>(
    ctx: &JobCtx,
    items: u64,
    most: u64,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let at_first = blocking(|| Ok(unwritten())).await?.min(most);
    ctx.say(Event::Started { phase: Phase::Flush, items, bytes: at_first });
    let mut work = tokio::task::spawn_blocking(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break joined(done)?,
            () = tokio::time::sleep(BEAT) => {
                let left = blocking(|| Ok(unwritten())).await?;
                ctx.say(Event::Bytes { phase: Phase::Flush, done: at_first.saturating_sub(left) });
            }
        }
    };
    ctx.say(Event::Finished { phase: Phase::Flush });
    Ok(done)
}

/// Bytes that memory holds for all devices of this host and that are not written yet (proc(5), meminfo).
fn unwritten() -> u64 {
    unwritten_of(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn unwritten_of(table: &str) -> u64 {
    let kibibytes = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let figure = rest.split_whitespace().next()?.parse::<u64>().ok()?;
        ["Dirty", "Writeback"].contains(&name).then_some(figure)
    };
    table.lines().filter_map(kibibytes).sum::<u64>() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ctx::Recording;

    #[test]
    fn what_is_dirty_and_what_is_under_way_to_a_device_is_not_written() {
        let table = "MemTotal: 16 kB\nDirty:   300 kB\nWriteback:  20 kB\nWritebackTmp: 7 kB\n";
        assert_eq!(unwritten_of(table), 320 * 1024);
        assert_eq!(unwritten_of("Dirty: many kB"), 0);
    }

    #[tokio::test]
    async fn no_more_is_told_than_was_written() {
        let seen = std::sync::Arc::new(Recording::default());
        let dir = tempfile::tempdir().unwrap();
        // So that memory holds more for a device than that, where there is one.
        std::fs::write(dir.path().join("others"), vec![7; 1 << 20]).unwrap();
        flush(&JobCtx::new(seen.clone()), 0, 4096, || Ok(())).await.unwrap();
        let told = seen.events().into_iter().find_map(|event| match event {
            Event::Started { phase: Phase::Flush, bytes, .. } => Some(bytes),
            _ => None,
        });
        assert!(told.is_some_and(|bytes| bytes <= 4096), "{told:?}");
    }

    #[tokio::test]
    async fn the_phase_is_over_only_when_the_work_went_well() {
        let seen = std::sync::Arc::new(Recording::default());
        let ctx = JobCtx::new(seen.clone());
        assert_eq!(flush(&ctx, 1, u64::MAX, || Ok(7)).await.unwrap(), 7);
        assert!(matches!(seen.events().last(), Some(Event::Finished { phase: Phase::Flush })));
        let before = seen.events().len();
        let failed: Result<()> =
            flush(&ctx, 1, u64::MAX, || Err(crate::engine::error::Interrupted.into())).await;
        assert!(failed.is_err());
        assert!(seen.events()[before..].iter().all(|event| !matches!(event, Event::Finished { .. })));
    }
}
