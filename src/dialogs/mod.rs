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

impl Dialog {
    /// Hands it a key.
    pub fn key(&mut self, key: Key) -> Reply {
        match self {
            Self::Input(dialog) => dialog.key(key),
            Self::Confirm(dialog) => dialog.key(key),
            Self::Choose(dialog) => dialog.key(key),
            Self::Secret(dialog) => dialog.key(key),
            Self::Page(dialog) => dialog.key(key),
            Self::Path(dialog) => dialog.key(key),
            Self::Wait(dialog) => dialog.key(key),
            Self::Finder(dialog) => dialog.key(key),
            Self::Log(dialog) => dialog.key(key),
        }
    }

    /// Hands it pasted text; those with nothing to type in pass it over.
    pub fn paste(&mut self, text: &str) {
        match self {
            Self::Input(dialog) => dialog.paste(text),
            Self::Confirm(dialog) => dialog.paste(text),
            Self::Choose(dialog) => dialog.paste(text),
            Self::Secret(dialog) => dialog.paste(text),
            Self::Finder(dialog) => dialog.paste(text),
            Self::Path(dialog) => dialog.paste(text),
            Self::Log(dialog) => dialog.paste(text),
            Self::Page(_) | Self::Wait(_) => {}
        }
    }

    /// A row of the screen was clicked: where there is a list, the cursor goes there.
    pub fn click(&mut self, row: u16) {
        match self {
            Self::Choose(dialog) => dialog.click(row),
            Self::Path(dialog) => dialog.click(row),
            Self::Finder(dialog) => dialog.click(row),
            Self::Input(_) | Self::Confirm(_) | Self::Secret(_) => {}
            Self::Page(_) | Self::Wait(_) | Self::Log(_) => {}
        }
    }

    /// The question it was opened for, where it has one.
    pub const fn question(&self) -> Option<Question> {
        match self {
            Self::Input(dialog) => Some(dialog.question),
            Self::Confirm(dialog) => Some(dialog.question),
            Self::Choose(dialog) => Some(dialog.question),
            Self::Secret(dialog) => Some(dialog.question),
            Self::Path(dialog) => Some(dialog.question),
            Self::Wait(dialog) => Some(dialog.question),
            Self::Page(_) | Self::Finder(_) | Self::Log(_) => None,
        }
    }

    /// Draws it over `area`.
    pub fn draw(&self, area: Rect, look: &Look, buffer: &mut Buffer) {
        match self {
            Self::Input(dialog) => dialog.draw(area, look, buffer),
            Self::Confirm(dialog) => dialog.draw(area, look, buffer),
            Self::Choose(dialog) => dialog.draw(area, look, buffer),
            Self::Secret(dialog) => dialog.draw(area, look, buffer),
            Self::Page(dialog) => dialog.draw(area, look, buffer),
            Self::Path(dialog) => dialog.draw(area, look, buffer),
            Self::Wait(dialog) => dialog.draw(area, look, buffer),
            Self::Finder(dialog) => dialog.draw(area, look, buffer),
            Self::Log(dialog) => dialog.draw(area, look, buffer),
        }
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
