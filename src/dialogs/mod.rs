//! Dialogs: windows that ask one thing, over any screen; each ends in one answer to whoever asked.

pub mod choose;
pub mod confirm;
pub mod finder;
pub mod input;
pub mod log;
pub mod page;
pub mod path;
pub mod secret;
pub mod wait;

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use secrecy::SecretString;

use crate::actions::Act;
use crate::config::key::Key;
use crate::config::keymap::Keymap;
use crate::widgets::list::Move;
use crate::widgets::look::Look;

pub use choose::Choose;
pub use confirm::Confirm;
pub use finder::Finder;
pub use input::Input;
pub use log::Log;
pub use page::Page;
pub use path::Path;
pub use secret::Secret;
pub use wait::Wait;

/// What an answer is about: the operation that asked, and which of its questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The operation that goes on with the answer.
    pub act: Act,
    /// Which question of it, from 0.
    pub part: u8,
}

impl From<Act> for Question {
    fn from(act: Act) -> Self {
        Self { act, part: 0 }
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Yes, to a question of yes or no.
    Yes,
    /// Words.
    Text(String),
    /// Rows of a list, by number; more than one where several could be marked.
    Rows(Vec<usize>),
    /// A passphrase.
    Secret(SecretString),
    /// A file or a directory.
    Path(PathBuf),
    /// A directory that is not there and is to be made.
    NewDirectory(PathBuf),
}

/// What a key did to a dialog.
#[derive(Debug)]
pub enum Reply {
    /// It goes on.
    Stay,
    /// It was closed without an answer.
    Closed,
    /// It was answered.
    Answered(Question, Answer),
    /// It asks to do an operation, as help and the palette do.
    Do(Act),
    /// It asks for this text to be copied.
    Copy(String),
    /// It asks something more, in a dialog above it.
    Ask(Box<Dialog>),
}

/// Any dialog.
#[derive(Debug)]
pub enum Dialog {
    /// A line to type.
    Input(Input),
    /// Yes or no, and maybe a name to be typed.
    Confirm(Confirm),
    /// A row of a list, or several.
    Choose(Choose),
    /// A passphrase.
    Secret(Secret),
    /// Text to read.
    Page(Page),
    /// A file or a directory.
    Path(Path),
    /// An answer that is on its way.
    Wait(Wait),
    /// Operations to search and do.
    Finder(Finder),
    /// The log.
    Log(Log),
}

/// What each dialog is. A key that one of its operations has is done by `act`, any other is typed into it.
trait Window {
    /// What can be done in it now; of two with the same key the first one has it.
    fn acts(&self) -> Vec<Act>;

    /// The operations that its keys are named for, the most needed first, each with a word for what it does here.
    fn keys(&self) -> Vec<(Act, &'static str)>;

    /// Whether the key is a letter of what is typed here, whatever operation has it elsewhere.
    fn types(&self, _key: Key) -> bool {
        false
    }

    /// Does one of its operations.
    fn act(&mut self, act: Act) -> Reply;

    /// Takes a key that none of its operations has.
    fn typed(&mut self, _key: Key) -> Reply {
        Reply::Stay
    }

    /// Takes pasted text; those with nothing to type in pass it over.
    fn paste(&mut self, _text: &str) {}

    /// A row of the screen was clicked: where there is a list, the cursor goes there.
    fn click(&mut self, _row: u16) {}

    /// The question it was opened for, where it has one.
    fn question(&self) -> Option<Question> {
        None
    }

    /// Draws it over `area`; the keys that it names are those of the map.
    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer);
}

impl Dialog {
    fn window(&self) -> &dyn Window {
        match self {
            Self::Input(dialog) => dialog,
            Self::Confirm(dialog) => dialog,
            Self::Choose(dialog) => dialog,
            Self::Secret(dialog) => dialog,
            Self::Page(dialog) => dialog,
            Self::Path(dialog) => dialog,
            Self::Wait(dialog) => dialog,
            Self::Finder(dialog) => dialog,
            Self::Log(dialog) => dialog,
        }
    }

    fn window_mut(&mut self) -> &mut dyn Window {
        match self {
            Self::Input(dialog) => dialog,
            Self::Confirm(dialog) => dialog,
            Self::Choose(dialog) => dialog,
            Self::Secret(dialog) => dialog,
            Self::Page(dialog) => dialog,
            Self::Path(dialog) => dialog,
            Self::Wait(dialog) => dialog,
            Self::Finder(dialog) => dialog,
            Self::Log(dialog) => dialog,
        }
    }

    /// What can be done in it now.
    pub fn acts(&self) -> Vec<Act> {
        self.window().acts()
    }

    /// The operations that its keys are named for, the most needed first, each with a word for what it does here.
    pub fn keys(&self) -> Vec<(Act, &'static str)> {
        self.window().keys()
    }

    /// Whether the key is a letter of what is typed here.
    pub fn types(&self, key: Key) -> bool {
        self.window().types(key)
    }

    /// Whether it is only read or waited for: a key that does nothing there means nothing at all.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Page(_) | Self::Wait(_))
    }

    /// Whether it stands in the place of a question that is over.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Page(page) if page.is_over())
    }

    /// Whether it is answered by a button alone.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Confirm(confirm) if confirm.answers().is_some())
    }

    /// Whether text is typed in it.
    pub fn is_typed(&self) -> bool {
        match self {
            Self::Confirm(confirm) => confirm.answers().is_none(),
            Self::Page(_) | Self::Wait(_) => false,
            dialog => dialog.types(Key::char('x')),
        }
    }

    /// Hands it a key.
    pub fn key(&mut self, key: Key, keymap: &Keymap) -> Reply {
        press(self.window_mut(), key, keymap)
    }

    /// Does one of its operations.
    pub fn act(&mut self, act: Act) -> Reply {
        self.window_mut().act(act)
    }

    /// Hands it pasted text; those with nothing to type in pass it over.
    pub fn paste(&mut self, text: &str) {
        self.window_mut().paste(text);
    }

    /// A row of the screen was clicked: where there is a list, the cursor goes there.
    pub fn click(&mut self, row: u16) {
        self.window_mut().click(row);
    }

    /// The question it was opened for, where it has one.
    pub fn question(&self) -> Option<Question> {
        self.window().question()
    }

    /// Draws it over `area`.
    pub fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        self.window().draw(area, look, keymap, buffer);
    }
}

fn press(window: &mut (impl Window + ?Sized), key: Key, keymap: &Keymap) -> Reply {
    let act = if window.types(key) { None } else { keymap.among(&window.acts(), key) };
    match act {
        Some(act) => window.act(act),
        None => window.typed(key),
    }
}

/// The last line of a dialog: keys, each with a word.
fn hints(keymap: &Keymap, hints: &[(Act, &str)]) -> String {
    let hint = |(act, word): &(Act, &str)| format!("{} {word}", keymap.first(*act));
    hints.iter().map(hint).collect::<Vec<_>>().join("   ")
}

/// Where the operation leads in a list.
pub const fn way(act: Act) -> Option<Move> {
    Some(match act {
        Act::Up => Move::Up,
        Act::Down => Move::Down,
        Act::PageUp => Move::PageUp,
        Act::PageDown => Move::PageDown,
        Act::First => Move::First,
        Act::Last => Move::Last,
        _ => return None,
    })
}

#[cfg(test)]
mod testing {
    use std::collections::BTreeMap;

    use super::{Key, Keymap, Reply, Window};

    pub(super) fn keymap() -> Keymap {
        Keymap::new(&BTreeMap::new()).unwrap()
    }

    /// Presses a key where nothing is mapped.
    pub(super) fn press(window: &mut impl Window, key: Key) -> Reply {
        super::press(window, key, &keymap())
    }
}

macro_rules! into_dialog {
    ($($name:ident)*) => {
        $(impl From<$name> for Dialog {
            fn from(dialog: $name) -> Self {
                Self::$name(dialog)
            }
        })*
    };
}

into_dialog! { Input Confirm Choose Secret Page Path Wait Finder Log }
