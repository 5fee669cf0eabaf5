//! Asks for a file or a directory: typed, completed by Tab, or walked to with the arrows; answers with one that fits.

mod complete;
mod judge;
mod show;

use std::path::{Path as FsPath, PathBuf};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::judge::{Judged, Told};
use super::{Answer, Question, Reply, Window, way};
use crate::actions::Act;
use crate::config::key::{Code, Key};
use crate::config::keymap::Keymap;
use crate::widgets::edit::Field;
use crate::widgets::list::{List, Move};
use crate::widgets::look::Look;

/// What lies in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory; links are followed.
    pub directory: bool,
}

/// Why a directory has no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// There is none of that name.
    NotThere,
    /// It cannot be read.
    Refused(String),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A file that is there.
    File,
    /// A file, there or not.
    NewFile,
    /// A directory that is there.
    Directory,
    /// A directory, there or to be made in one that is.
    NewDirectory,
    /// Either, there.
    Any,
}

/// A path to type.
#[derive(Debug)]
pub struct Path {
    /// Who asks.
    pub question: Question,
    title: String,
    help: String,
    wanted: Wanted,
    line: Field,
    places: Box<Places>,
    /// The directory that is listed and what is in it, or why that cannot be told.
    listed: Option<(PathBuf, Result<Vec<Entry>, Unlisted>)>,
    asked: Option<PathBuf>,
    matching: Vec<Entry>,
    list: List,
    /// Whether the cursor was moved among the entries.
    walking: bool,
    refused: Option<String>,
    /// A directory in which nothing is taken, and why.
    closed: Option<Box<(PathBuf, String)>>,
    /// A path that the list of its directory says nothing of, to be looked at by itself; and whether that is asked.
    unsure: Option<(PathBuf, bool)>,
    /// What was told of it.
    told: Option<Box<Told>>,
    /// Where it begins instead, if the directory that it begins with is not there.
    instead: Option<String>,
}

/// What a path that is not from the root begins with.
#[derive(Debug, Default)]
struct Places {
    /// What `~` stands for.
    home: Option<PathBuf>,
    /// Where the workstation was started.
    cwd: PathBuf,
}

impl Path {
    /// Asks under a title, with a sentence on what is expected.
    pub fn new(question: impl Into<Question>, title: &str, help: &str, wanted: Wanted) -> Self {
        Self {
            question: question.into(),
            title: title.to_owned(),
            help: help.to_owned(),
            wanted,
            line: Field::default(),
            places: Box::default(),
            listed: None,
            asked: None,
            matching: Vec::new(),
            list: List::default(),
            walking: false,
            refused: None,
            closed: None,
            unsure: None,
            told: None,
            instead: None,
        }
    }

    /// Begins with that directory where the one of `at` cannot be read.
    #[must_use]
    pub fn or_at(mut self, directory: &FsPath) -> Self {
        self.instead = Some(format!("{}/", directory.display().to_string().trim_end_matches('/')));
        self
    }

    /// Begins with this path: a directory, as in `/srv/`, is one to go on from, anything else one to take or replace.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.line = if path.ends_with('/') { Field::begun(path) } else { Field::selected(path) };
        self
    }

    /// What `~` stands for, and what is not from the root is in.
    pub fn set_places(&mut self, home: Option<&FsPath>, cwd: &FsPath) {
        if self.places.home.as_deref() != home || self.places.cwd != cwd {
            *self.places = Places { home: home.map(FsPath::to_owned), cwd: cwd.to_owned() };
        }
    }

    /// The directory whose entries are needed and were not asked for yet.
    pub fn wants(&mut self) -> Option<PathBuf> {
        let directory = self.split().0;
        if self.asked.as_ref() == Some(&directory) {
            return None;
        }
        self.asked = Some(directory.clone());
        Some(directory)
    }

    /// The entries of a directory came.
    pub fn found(&mut self, directory: &FsPath, entries: &Result<Vec<Entry>, Unlisted>) {
        if self.split().0 == directory {
            let begun = self.line.value().ends_with('/');
            if let Some(instead) = self.instead.take().filter(|_| entries.is_err() && begun) {
                self.line = Field::begun(&instead);
                return self.changed();
            }
            self.listed = Some((directory.to_owned(), entries.clone()));
            self.refresh();
        }
    }

    /// The directory that the line is in, and the beginning of a name in it.
    fn split(&self) -> (PathBuf, String) {
        let text = self.line.value();
        let (directory, name) = match text.rfind('/') {
            Some(at) => (&text[..=at], &text[at + 1..]),
            None if text == "~" => ("~/", ""),
            None => ("", text),
        };
        (self.expand(directory), name.to_owned())
    }

    fn expand(&self, text: &str) -> PathBuf {
        match (text.strip_prefix('~'), &self.places.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            _ => self.places.cwd.join(text),
        }
    }

    fn refresh(&mut self) {
        let (directory, begin) = self.split();
        // What is replaced by the next key is no beginning of anything.
        let begin = if self.line.is_selected() { String::new() } else { begin };
        let entries = match &self.listed {
            Some((listed, Ok(entries))) if *listed == directory => entries.as_slice(),
            _ => &[],
        };
        let only_directories = self.of_directories();
        let fits = |entry: &&Entry| {
            entry.name.starts_with(&begin)
                && (begin.starts_with('.') || !entry.name.starts_with('.'))
                && (entry.directory || !only_directories)
        };
        self.matching = entries.iter().filter(fits).cloned().collect();
        self.list.refresh(self.matching.len(), |_| "".into());
    }

    /// Whether files are of no use.
    fn of_directories(&self) -> bool {
        matches!(self.wanted, Wanted::Directory | Wanted::NewDirectory)
    }

    fn changed(&mut self) {
        self.walking = false;
        (self.refused, self.unsure, self.told) = (None, None, None);
        self.refresh();
        self.list.go(Move::First);
    }

    /// Behind a directory, `/` and `~` are no names: another path begins there.
    fn begin_anew(&mut self, next: Option<char>) {
        if matches!(next, Some('/' | '~')) && self.line.is_at_end() && self.line.value().ends_with('/') {
            self.line = Field::default();
        }
    }

    fn walk(&mut self, to: Move) {
        if !self.walking {
            // The first step goes onto the list, not past its first row.
            self.walking = !self.matching.is_empty();
            return;
        }
        self.list.go(to);
    }

    fn entered(&mut self) -> Reply {
        if self.walking {
            let file = self.list.row().and_then(|row| self.matching.get(row)).is_some_and(|e| !e.directory);
            self.take_entry();
            if !file {
                return Reply::Stay;
            }
        }
        let text = self.line.value().trim().to_owned();
        if text.is_empty() {
            self.refused = Some("nothing is typed yet".to_owned());
            return Reply::Stay;
        }
        let path = self.expand(&text);
        match self.judge(&text, &path) {
            Judged::Fits => return Reply::Answered(self.question, Answer::Path(path)),
            Judged::New => return Reply::Answered(self.question, Answer::NewDirectory(path)),
            Judged::Into => {
                self.line = Field::begun(&format!("{}/", text.trim_end_matches('/')));
                self.changed();
            }
            Judged::Refused(reason) => self.refused = Some(reason),
            Judged::Unsure => self.unsure = Some((path, false)),
        }
        // What comes to be there is seen at the next try.
        self.told = None;
        Reply::Stay
    }
}

impl Path {
    /// Whether what is typed is a name that nothing has in the directory that is listed.
    fn is_new(&self) -> bool {
        let (directory, name) = self.split();
        let named = !name.is_empty() && !matches!(name.as_str(), "." | "..");
        match &self.listed {
            Some((listed, Ok(entries))) if *listed == directory => {
                named && entries.iter().all(|entry| entry.name != name)
            }
            _ => false,
        }
    }

    /// How many names are not shown as long as no dot is typed.
    fn hidden(&self) -> usize {
        let entries = self.listed.as_ref().and_then(|(_, entries)| entries.as_ref().ok());
        let useful = |entry: &&Entry| entry.directory || !self.of_directories();
        let all = entries.into_iter().flatten().filter(useful);
        all.filter(|entry| entry.name.starts_with('.')).count()
    }
}

impl Window for Path {
    fn acts(&self) -> Vec<Act> {
        let mut acts = vec![Act::PathComplete, Act::Up, Act::Down, Act::PageUp, Act::PageDown];
        acts.extend(self.walking.then_some(Act::PathInto));
        acts.extend([Act::Take, Act::Back]);
        acts
    }

    fn keys(&self) -> Vec<(Act, &'static str)> {
        vec![
            (Act::Take, "accept"),
            (Act::PathComplete, "complete"),
            (Act::Down, "list"),
            (Act::Back, "cancel"),
        ]
    }

    fn types(&self, key: Key) -> bool {
        key.is_letter()
    }

    fn act(&mut self, act: Act) -> Reply {
        match act {
            Act::Back => return Reply::Closed,
            Act::Take => return self.entered(),
            Act::PathComplete => self.complete(),
            Act::PathInto => self.take_entry(),
            act => way(act).into_iter().for_each(|way| self.walk(way)),
        }
        Reply::Stay
    }

    fn typed(&mut self, key: Key) -> Reply {
        if let (Code::Char(c), true) = (key.code, key.is_letter()) {
            self.begin_anew(Some(c));
        }
        if self.line.key(key) {
            self.changed();
        }
        Reply::Stay
    }

    fn question(&self) -> Option<Question> {
        Some(self.question)
    }

    fn paste(&mut self, text: &str) {
        let text = text.trim();
        self.begin_anew(text.chars().next());
        self.line.paste(text);
        self.changed();
    }

    fn click(&mut self, row: u16) {
        self.walking |= self.list.click(row);
    }

    fn draw(&self, area: Rect, look: &Look, keymap: &Keymap, buffer: &mut Buffer) {
        self.show(area, look, keymap, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogs::testing::press;

    const ENTER: Key = Key::plain(Code::Enter);

    #[test]
    fn a_begin_that_is_not_there_gives_way_to_another_one_once() {
        let begun = || {
            let path = Path::new(Act::Sign, "Key file", "", Wanted::File).at("/home/op/.ssh/");
            path.or_at(FsPath::new("/home/op/keys"))
        };
        let gone = || Err(Unlisted::NotThere);
        let mut path = begun();
        path.found(FsPath::new("/home/op/.ssh/"), &gone());
        assert_eq!(path.wants(), Some("/home/op/keys/".into()));
        assert_eq!(path.line.value(), "/home/op/keys/");
        path.found(FsPath::new("/home/op/keys/"), &gone());
        assert_eq!(path.line.value(), "/home/op/keys/");
        let mut path = begun();
        path.found(FsPath::new("/home/op/.ssh/"), &Ok(Vec::new()));
        assert_eq!(path.line.value(), "/home/op/.ssh/");
    }
    const TAB: Key = Key::plain(Code::Tab);
    const DOWN: Key = Key::plain(Code::Down);

    fn entry(name: &str) -> Entry {
        Entry { name: name.trim_end_matches('/').to_owned(), directory: name.ends_with('/') }
    }

    fn open(at: &str, wanted: Wanted, names: &[&str]) -> Path {
        let mut path = Path::new(Act::ImagesLoad, "List", "", wanted).at(at);
        path.set_places(Some(FsPath::new("/home/op")), FsPath::new("/srv/jobs"));
        answer(&mut path, names);
        path
    }

    fn answer(path: &mut Path, names: &[&str]) {
        let directory = path.wants().unwrap();
        path.found(&directory, &Ok(names.iter().map(|name| entry(name)).collect()));
        assert_eq!(path.wants(), None, "asked once");
    }

    fn taken(reply: Reply) -> Option<String> {
        match reply {
            Reply::Answered(_, Answer::Path(path)) => Some(path.display().to_string()),
            _ => None,
        }
    }

    #[test]
    fn tab_completes_what_is_common_and_goes_into_a_directory() {
        let mut path = open("/srv/im", Wanted::File, &["images-a.txt", "images-b.txt", "lists/", ".hidden"]);
        press(&mut path, TAB);
        assert_eq!(path.line.value(), "/srv/images-");
        let mut path = open("/srv/l", Wanted::File, &["images-a.txt", "lists/"]);
        press(&mut path, TAB);
        assert_eq!(path.line.value(), "/srv/lists/");
        answer(&mut path, &["x.txt"]);
        assert_eq!(path.matching.len(), 1);
    }

    #[test]
    fn a_path_from_the_root_is_never_joined_to_what_stood_there() {
        for (begun, typed, expected) in [
            ("/media/stick/", "/tmp/x", "/tmp/x"),
            ("/media/stick/", "~/x", "~/x"),
            ("/media/stick/", "reports", "/media/stick/reports"),
            ("/home/op/images.txt", "/tmp/x", "/tmp/x"),
            ("/home/op/images.txt", "~/x", "~/x"),
            ("/", "/srv", "/srv"),
        ] {
            let path = || Path::new(Act::ImagesLoad, "List", "", Wanted::NewFile).at(begun);
            let (mut by_key, mut pasted) = (path(), path());
            typed.chars().for_each(|c| drop(press(&mut by_key, Key::char(c))));
            pasted.paste(typed);
            assert_eq!((by_key.line.value(), pasted.line.value()), (expected, expected), "{begun}");
        }
        // A file to be edited keeps its beginning.
        let mut path = Path::new(Act::ImagesLoad, "List", "", Wanted::NewFile).at("/home/op/images.txt");
        press(&mut path, Key::plain(Code::Home));
        press(&mut path, Key::char('/'));
        assert_eq!(path.line.value(), "//home/op/images.txt");
    }

    #[test]
    fn what_is_not_from_the_root_is_in_the_directory_where_the_workstation_was_started() {
        let mut path = open("web.txt", Wanted::File, &["web.txt"]);
        assert_eq!(path.asked.as_deref(), Some(FsPath::new("/srv/jobs/")));
        assert_eq!(taken(press(&mut path, ENTER)).as_deref(), Some("/srv/jobs/web.txt"));
    }

    #[test]
    fn a_home_directory_is_written_out_in_the_answer() {
        let mut path = open("~/web.txt", Wanted::File, &["web.txt"]);
        assert_eq!(path.asked.as_deref(), Some(FsPath::new("/home/op/")));
        assert_eq!(taken(press(&mut path, ENTER)).as_deref(), Some("/home/op/web.txt"));
    }

    /// Presses Enter; what has to be looked at for that is so.
    fn entered(path: &mut Path, told: Result<Option<bool>, String>) -> Option<String> {
        let reply = press(path, ENTER);
        match path.looks() {
            Some(asked) => {
                assert!(path.told(&asked, &told) && path.looks().is_none(), "asked once");
                taken(press(path, ENTER))
            }
            None => taken(reply),
        }
    }

    #[test]
    fn what_no_list_shows_is_looked_at_before_it_is_refused() {
        let denied = || Err("permission denied".to_owned());
        for (wanted, told, taken_as, reason) in [
            (Wanted::File, Ok(Some(false)), Some("/a/x"), None),
            (Wanted::Directory, Ok(Some(true)), Some("/a/x"), None),
            (Wanted::Directory, Ok(Some(false)), None, Some("that is a file, not a directory")),
            (Wanted::NewFile, Ok(None), Some("/a/x"), None),
            (Wanted::Any, Ok(None), None, Some("no such file or directory")),
            (Wanted::Any, denied(), None, Some("permission denied")),
        ] {
            // Its directory has no list; or one that it is not in, as there are too many.
            let mut unlisted = Path::new(Act::ImagesLoad, "List", "", wanted).at("/a/x");
            let directory = unlisted.wants().unwrap();
            unlisted.found(&directory, &Err(Unlisted::Refused("permission denied".to_owned())));
            let mut cut = open("/a/x", wanted, &["b", "c"]);
            for path in [&mut unlisted, &mut cut] {
                if wanted == Wanted::NewFile && path.listed.as_ref().is_some_and(|(_, listed)| listed.is_ok())
                {
                    assert_eq!(taken(press(path, ENTER)).as_deref(), taken_as, "there or not");
                    continue;
                }
                assert_eq!(entered(path, told.clone()).as_deref(), taken_as, "{wanted:?} {told:?}");
                assert_eq!(path.refused.as_deref(), reason, "{wanted:?} {told:?}");
            }
        }
        // An answer that comes too late is about another path.
        let mut path = open("/a/x", Wanted::File, &["b"]);
        press(&mut path, ENTER);
        let asked = path.looks().unwrap();
        press(&mut path, Key::char('y'));
        assert!(!path.told(&asked, &Ok(Some(false))));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        for (wanted, text, taken_as, reason) in [
            (Wanted::File, "/a/none.txt", None, Some("no such file or directory")),
            (Wanted::File, "/a/", None, Some("this is a directory: name a file in it")),
            (Wanted::File, "/a/x.txt", Some("/a/x.txt"), None),
            (Wanted::NewFile, "/a/none.txt", Some("/a/none.txt"), None),
            (Wanted::Directory, "/a/x.txt", None, Some("that is a file, not a directory")),
            (Wanted::Directory, "/a/", Some("/a/"), None),
            (Wanted::Any, "/a/sub", Some("/a/sub"), None),
        ] {
            let mut path = open(text, wanted, &["x.txt", "sub/"]);
            assert_eq!(entered(&mut path, Ok(None)).as_deref(), taken_as, "{wanted:?} {text}");
            assert_eq!(path.refused.as_deref(), reason, "{wanted:?} {text}");
        }
        // Enter on a directory where a file is wanted goes into it.
        let mut path = open("/a/sub", Wanted::File, &["sub/"]);
        assert!(taken(press(&mut path, ENTER)).is_none());
        assert_eq!(path.line.value(), "/a/sub/");
    }

    #[test]
    fn a_directory_to_be_written_to_may_be_new_and_that_is_said() {
        let made = |reply| match reply {
            Reply::Answered(_, Answer::NewDirectory(path)) => Some(path.display().to_string()),
            _ => None,
        };
        let mut path = open("/a/new", Wanted::NewDirectory, &["x.txt", "sub/"]);
        press(&mut path, Key::plain(Code::End));
        assert!(path.becomes_new());
        assert!(made(press(&mut path, ENTER)).is_none(), "it is looked at first");
        assert!(path.told(FsPath::new("/a/new"), &Ok(None)));
        assert_eq!(made(press(&mut path, ENTER)).as_deref(), Some("/a/new"));
        for (text, reason) in [("/a/x.txt", Some("that is a file, not a directory")), ("/a/sub", None)] {
            let mut path = open(text, Wanted::NewDirectory, &["x.txt", "sub/"]);
            assert!(!path.becomes_new(), "{text}");
            assert_eq!(taken(press(&mut path, ENTER)).is_some(), reason.is_none(), "{text}");
            assert_eq!(path.refused.as_deref(), reason, "{text}");
        }
    }

    #[test]
    fn before_anything_is_typed_nothing_fails_to_match() {
        for (at, wanted, names, said) in [
            ("/a/", Wanted::Directory, &[".git/", ".cache/", "x"][..], "2 hidden: a dot shows them"),
            ("/a/", Wanted::Directory, &["x"], "no directory in it"),
            ("/a/", Wanted::File, &[], "nothing in it"),
            ("/a/images.txt", Wanted::NewFile, &[], "nothing in it"),
        ] {
            assert_eq!(open(at, wanted, names).nothing(), said, "{at}");
        }
        let mut path = open("/a/", Wanted::Directory, &[".git/", "sub/"]);
        assert_eq!(path.matching, [entry("sub/")]);
        press(&mut path, Key::char('.'));
        assert_eq!(path.matching, [entry(".git/")], "a dot shows them");
        press(&mut path, Key::char('x'));
        assert_eq!((path.matching.len(), path.nothing().as_str()), (0, "no match"));
        // What would be replaced by the next key filters nothing.
        let path = open("/a/images.txt", Wanted::NewFile, &["list.txt"]);
        assert_eq!(path.matching, [entry("list.txt")]);
    }

    #[test]
    fn the_arrows_walk_and_enter_takes_the_file_under_the_cursor() {
        let mut path = open("/a/", Wanted::File, &["one.txt", "two.txt"]);
        press(&mut path, DOWN);
        press(&mut path, DOWN);
        assert_eq!(taken(press(&mut path, ENTER)).as_deref(), Some("/a/two.txt"));
    }

    #[test]
    fn a_directory_that_cannot_be_read_says_why() {
        let mut path = Path::new(Act::ImagesLoad, "List", "", Wanted::File).at("/root/x");
        let directory = path.wants().unwrap();
        path.found(&directory, &Err(Unlisted::Refused("permission denied".to_owned())));
        assert!(entered(&mut path, Err("permission denied".to_owned())).is_none());
        assert_eq!(path.refused.as_deref(), Some("permission denied"));
    }
}
