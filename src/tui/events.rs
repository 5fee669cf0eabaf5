//! What the terminal says, read by a thread that does nothing else.
//!
//! Where half a character came, crossterm's reader waits for the other half, and its stream shares the reader's lock with the
//! thread that waits for it: each look of ours would find it taken, and give up the processor to every thread of a job.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, poll, read};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

/// Events that are read ahead at most; the kernel keeps the rest.
const AHEAD: usize = 1024;
/// How long what was read along with an event is waited for. The thread says so at once that there is no more, but for the
/// half of a character.
const SETTLES: Duration = Duration::from_millis(5);

/// What the thread says.
enum Said {
    Event(Event),
    /// Nothing more came along with the events before.
    Settled,
}

/// The events of the terminal, in their order.
pub(super) struct Events {
    said: Receiver<io::Result<Said>>,
    settled: bool,
}

impl Events {
    /// Reads from now on. The thread ends with the terminal or with the process: nothing wakes it before.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn of_terminal() -> io::Result<Self> {
        let (say, said) = channel(AHEAD);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || hand_on(&say))?;
        Ok(Self { said, settled: true })
    }

    /// The next one; nothing after an error. Nothing is lost where this is given up.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        loop {
            match self.said.recv().await? {
                Ok(Said::Event(event)) => {
                    self.settled = false;
                    return Some(Ok(event));
                }
                Ok(Said::Settled) => self.settled = true,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next one, where it came along with the one before or comes within `gap`.
    pub(super) async fn along(&mut self, gap: Duration) -> Option<Option<io::Result<Event>>> {
        if !self.settled {
            match timeout(SETTLES, self.said.recv()).await {
                Err(_) => self.settled = true,
                Ok(None) => return Some(None),
                Ok(Some(Ok(Said::Settled))) => self.settled = true,
                Ok(Some(Ok(Said::Event(event)))) => return Some(Some(Ok(event))),
                Ok(Some(Err(error))) => return Some(Some(Err(error))),
            }
        }
        timeout(gap, self.next()).await.ok()
    }
}

fn hand_on(to: &Sender<io::Result<Said>>) {
    let mut said = read().map(Said::Event);
    loop {
        let last = said.is_err();
        if to.blocking_send(said).is_err() || last {
            return;
        }
        said = match poll(Duration::ZERO) {
            Ok(true) => read().map(Said::Event),
            Ok(false) => {
                if to.blocking_send(Ok(Said::Settled)).is_err() {
                    return;
                }
                read().map(Said::Event)
            }
            Err(error) => Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if the thread had said this, and says no more or goes on.
    fn said(all: Vec<io::Result<Said>>) -> (Sender<io::Result<Said>>, Events) {
        let (say, said) = channel(AHEAD);
        all.into_iter().for_each(|one| assert!(say.try_send(one).is_ok()));
        (say, Events { said, settled: true })
    }

    #[tokio::test]
    async fn what_was_read_at_once_is_told_from_what_came_later() {
        let [one, two, three] = [Event::FocusGained, Event::FocusLost, Event::Resize(1, 1)];
        let all = [Said::Event(one.clone()), Said::Event(two.clone()), Said::Settled];
        let (say, mut events) = said(all.map(Ok).into());
        assert_eq!(events.next().await.unwrap().unwrap(), one);
        assert_eq!(events.along(Duration::ZERO).await.unwrap().unwrap().unwrap(), two);
        assert!(events.along(Duration::ZERO).await.is_none());
        say.try_send(Ok(Said::Event(three.clone()))).ok().unwrap();
        assert_eq!(events.next().await.unwrap().unwrap(), three);
    }

    #[tokio::test]
    async fn the_other_half_of_a_character_is_not_waited_for_and_the_end_of_the_line_is_told() {
        let (say, mut events) = said(vec![Ok(Said::Event(Event::FocusGained))]);
        assert_eq!(events.next().await.unwrap().unwrap(), Event::FocusGained);
        assert!(events.along(Duration::ZERO).await.is_none(), "the thread is held up and says nothing");
        say.try_send(Err(io::ErrorKind::BrokenPipe.into())).ok().unwrap();
        drop(say);
        assert_eq!(events.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(events.next().await.is_none());
    }
}
