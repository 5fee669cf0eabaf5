//! What the terminal says, read by a thread that does nothing else.
//!
//! Where half a character came, crossterm's reader waits for the other half, and its stream shares the reader's lock with the
//! thread that waits for it: each look of ours would find it taken, and give up the processor to every thread of a job.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crossterm::event::{Event, poll, read};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// What is read ahead at most, in events that came at once; the kernel keeps the rest.
const AHEAD: usize = 64;
/// Events that are handed on at once at most.
const MOST: usize = 1024;

/// How long crossterm looks whether there is more: given no time at all, it does not look.
const LOOK: Duration = Duration::from_micros(50);

/// Events that came at once, and the error that ended the reading behind them.
type Said = (VecDeque<Event>, Option<io::Error>);

/// The events of the terminal, in their order.
pub(super) struct Events {
    said: Receiver<Said>,
    /// What came along with the events before.
    along: VecDeque<Event>,
    error: Option<io::Error>,
}

impl Events {
    /// Reads from now on. The thread ends with the terminal or with the process: nothing wakes it before.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn of_terminal() -> io::Result<Self> {
        let (say, said) = channel(AHEAD);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || hand_on(&say))?;
        Ok(Self::of(said))
    }

    fn of(said: Receiver<Said>) -> Self {
        Self { said, along: VecDeque::new(), error: None }
    }

    /// The next one; nothing after an error. Nothing is lost where this is given up.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        loop {
            if let Some(event) = self.along.pop_front() {
                return Some(Ok(event));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            (self.along, self.error) = self.said.recv().await?;
        }
    }

    /// The next one, where it came along with the one before or comes within `gap`.
    pub(super) async fn along(&mut self, gap: Duration) -> Option<Option<io::Result<Event>>> {
        timeout(gap, self.next()).await.ok()
    }
}

/// Reads what is there as often as something is, and hands it on at once: each time the other thread is woken, it may have
/// to wait for the processor.
fn hand_on(to: &Sender<Said>) {
    loop {
        let mut events = VecDeque::new();
        let error = gather(&mut events).err();
        let last = error.is_some();
        let said = !events.is_empty() || last;
        if said && to.blocking_send((events, error)).is_err() || last {
            return;
        }
    }
}

/// Adds what came at once, after waiting for it.
fn gather(events: &mut VecDeque<Event>) -> io::Result<()> {
    if !more()? {
        wait()?;
    }
    while events.len() < MOST && more()? {
        events.push_back(read()?);
    }
    Ok(())
}

/// Whether an event is there already.
fn more() -> io::Result<bool> {
    loop {
        let began = Instant::now();
        let more = poll(LOOK)?;
        // Who was kept from the processor meanwhile has not looked either.
        if more || began.elapsed() < 2 * LOOK {
            return Ok(more);
        }
    }
}

/// Waits until the terminal says something. One that is gone is an error: crossterm would ask it again and again.
fn wait() -> io::Result<()> {
    let terminal = io::stdin();
    let mut waited = [PollFd::new(&terminal, PollFlags::IN)];
    match rustix::event::poll(&mut waited, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    if waited[0].revents().intersects(gone) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if the thread had said this, and says no more or goes on.
    fn said(all: Vec<Said>) -> (Sender<Said>, Events) {
        let (say, said) = channel(AHEAD);
        all.into_iter().for_each(|one| assert!(say.try_send(one).is_ok()));
        (say, Events::of(said))
    }

    #[tokio::test]
    async fn what_was_read_at_once_is_told_from_what_came_later() {
        let [one, two, three] = [Event::FocusGained, Event::FocusLost, Event::Resize(1, 1)];
        let (say, mut events) = said(vec![([one.clone(), two.clone()].into(), None)]);
        assert_eq!(events.next().await.unwrap().unwrap(), one);
        assert_eq!(events.along(Duration::ZERO).await.unwrap().unwrap().unwrap(), two);
        assert!(events.along(Duration::ZERO).await.is_none());
        assert!(say.try_send(([three.clone()].into(), None)).is_ok());
        assert_eq!(events.next().await.unwrap().unwrap(), three);
    }

    #[tokio::test]
    async fn nothing_is_waited_for_and_the_end_of_the_line_is_told_behind_what_came_before_it() {
        let cut = || Some(io::ErrorKind::BrokenPipe.into());
        let (say, mut events) = said(vec![([Event::FocusGained].into(), cut())]);
        assert_eq!(events.next().await.unwrap().unwrap(), Event::FocusGained);
        let end = events.along(Duration::ZERO).await.unwrap().unwrap().unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::BrokenPipe);
        assert!(events.along(Duration::ZERO).await.is_none(), "the thread is held up and says nothing");
        drop(say);
        assert!(events.next().await.is_none());
    }
}
