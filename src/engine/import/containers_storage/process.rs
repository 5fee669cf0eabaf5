//! A program that is run for the job: its output bounded, its reading watched, ended with all that it started when the job ends or it stands still.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::error::StorageError;
use super::position::Position;
use crate::domain::text;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{FileError, Interrupted, Result};
use crate::engine::import::parts::Parts;
use crate::engine::meter::Meter;
use crate::engine::waited::{TICK, Waited};

/// Longest time without a byte moved by the program.
const PATIENCE: Duration = Duration::from_secs(600);
/// More than this of what it says is not kept; a manifest is shorter.
const MAX_WORDS: u64 = 8 << 20;

/// What a program that has ended left.
pub(super) struct Ended {
    /// Whether it says that it did what it should.
    pub(super) success: bool,
    /// Its standard output.
    pub(super) output: Vec<u8>,
    /// Its standard error.
    pub(super) words: String,
}

/// What is said of a program while it runs.
pub(super) struct Watched<'a> {
    /// Its name.
    pub(super) program: &'static str,
    /// What it writes.
    pub(super) target: &'a str,
    /// For which image.
    pub(super) image: &'a str,
    /// Files of ours that it reads, with their lengths.
    pub(super) files: &'a [(PathBuf, u64)],
    /// Where what it has read is counted.
    pub(super) reading: Option<Reading<'a>>,
}

/// Where what a program has read of an image is counted.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// Of the whole run.
    pub(super) meter: &'a Meter,
    /// Of each image.
    pub(super) parts: &'a Parts,
    /// Bytes of the image that are in the store before.
    pub(super) there: u64,
}

impl Reading<'_> {
    fn count(&self, image: &str, (before, now): (u64, u64)) {
        self.meter.add(now.saturating_sub(before));
        self.parts.reach(image, self.there.saturating_add(now));
    }
}

impl Watched<'_> {
    /// Runs it to its end; it must lead a process group of its own.
    ///
    /// # Errors
    /// That it cannot be run, [`StorageError::Stuck`], or that the job was asked to stop.
    pub(super) async fn run(&self, ctx: &JobCtx, mut command: Command) -> Result<Ended> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.failed("run", source))?;
        let (output, words) = (child.stdout.take(), child.stderr.take());
        let (status, output, words) = tokio::join!(self.watch(ctx, &mut child), read(output), read(words));
        let success = status?.success();
        Ok(Ended { success, output, words: String::from_utf8_lossy(&words).into_owned() })
    }

    fn failed(&self, operation: &'static str, source: std::io::Error) -> FileError {
        FileError { operation, path: PathBuf::from(self.program), source }
    }

    /// Waits for its end, or brings it about.
    async fn watch(&self, ctx: &JobCtx, child: &mut Child) -> Result<std::process::ExitStatus> {
        let mut position = child.id().map(|pid| Position::of(pid, self.files));
        let (mut counted, mut still) = (0, Waited::begin());
        loop {
            tokio::select! {
                ended = child.wait() => return Ok(ended.map_err(|source| self.failed("wait for", source))?),
                () = ctx.cancel.cancelled() => {
                    end(child).await;
                    return Err(Interrupted.into());
                }
                () = tokio::time::sleep(TICK) => {}
            }
            if let Some(position) = &mut position {
                let seen = position.look();
                if let Some(reading) = &self.reading {
                    reading.count(self.image, (counted, seen.read));
                    if seen.wrote && seen.read <= counted {
                        reading.meter.writes(self.program);
                    }
                }
                counted = counted.max(seen.read);
                if seen.moved {
                    still = Waited::begin();
                }
            }
            if still.look() > PATIENCE {
                end(child).await;
                let (image, target) = (self.image.to_owned(), self.target.to_owned());
                let seconds = PATIENCE.as_secs();
                return Err(StorageError::Stuck { image, target, program: self.program, seconds }.into());
            }
        }
    }
}

/// Ends a process and all of its group, and waits until it is gone.
async fn end(child: &mut Child) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It fails only where the group has ended by itself.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    drop(child.wait().await);
}

/// Reads to the end and keeps what is not too much.
async fn read(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    // What cannot be read is not there; the program's end says whether it failed.
    let _ = (&mut from).take(MAX_WORDS).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    kept
}

/// The message of its last line, without the frame that logrus puts around it.
pub(super) fn last_words(words: &str) -> String {
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let message = last.split_once("msg=\"").map_or(last, |(_, rest)| rest.trim_end_matches('"'));
    text::capped(&text::shown(&message.replace("\\\"", "\"")), 400).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_message_alone() {
        let said = "time=\"2026-11-21T07:45:24Z\" level=fatal msg=\"writing blob: \\\"/x\\\": gzip: invalid checksum\"\n\n";
        assert_eq!(last_words(said), "writing blob: \"/x\": gzip: invalid checksum");
        assert_eq!(last_words("Error: no\u{1b}[2J\n"), last_words("Error: no\u{1b}[2J"));
        assert!(!last_words("Error: no\u{1b}[2J").contains('\u{1b}'));
        assert_eq!(last_words(""), "it said nothing");
    }
}
