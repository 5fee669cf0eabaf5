//! What the workstation is told and what it asks for: the only ways in and out of its state.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::resume::Cuts;
use crate::actions::Act;
use crate::config::key::Key;
use crate::dialogs::path::{Entry, Unlisted};
use crate::domain::digest::Digest;
use crate::domain::job::JobId;
use crate::domain::node::NodeFacts;
use crate::domain::progress::Event;
use crate::domain::reference::{Reference, Repository};
use crate::domain::selection::Requests;
use crate::domain::view::JobView;
use crate::engine::bundle::offer::Offer;
use crate::engine::host::HostFacts;
use crate::engine::import::changes::NotedRun;
use crate::engine::media::{MediaReport, Mounted, Place};
use crate::engine::select::Source;
use crate::engine::sign::keys::KeyReport;
use crate::engine::spec::{Images, JobReport, JobSpec};
use crate::engine::state::History;
use crate::failure::Failure;

/// Text that was pasted; it may be a passphrase, so it is never shown by `Debug` and wiped when it is dropped.
pub struct Pasted(Zeroizing<String>);

impl fmt::Debug for Pasted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pasted(..)")
    }
}

impl Deref for Pasted {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Pasted {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Pasted {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// Something that happened outside.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(Pasted),
    /// Keys came at once, as from a terminal that does not mark what is pasted.
    Burst(Pasted),
    /// A row was clicked, counted from the top.
    Click(u16),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// Time passed while something moves.
    Tick,
    /// A job goes on.
    Job(JobId, Arc<JobView>),
    /// A job says what became of one of its items.
    Milestone(JobId, Box<Event>),
    /// A job said something for the log.
    Said(Level, String),
    /// What a job that was stopped left, and how that is taken back; its end comes next.
    Left(JobId, Vec<String>),
    /// A job is over.
    Ended(JobId, Ended),
    /// A job did not start.
    NotStarted(Failure),
    /// A query was answered.
    Found(Found),
    /// The answer to [`Effect::AwaitWrites`]: why the list could not be saved, where that is so.
    Written(Option<Failure>),
    /// A job needs a passphrase.
    NeedsPassphrase {
        /// Of this key file.
        key: PathBuf,
        /// How many were wrong already.
        wrong: u32,
    },
    /// A job makes this key and needs a passphrase for it.
    NeedsNewPassphrase(PathBuf),
    /// SIGTERM came: leave, with the terminal as it was; the second one waits for nothing.
    Terminate,
    /// The line is cut, by SIGHUP or the end of input: stop what runs at a safe point, then leave.
    Lost,
    /// Ctrl-C as a signal.
    Interrupt,
    /// It goes on after it was stopped: somebody else had the terminal meanwhile. The loop takes it again.
    Continued,
}

/// Weight of a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What was done.
    Info,
    /// What should be acted on.
    Warn,
    /// What failed.
    Fail,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// With its report.
    Succeeded(Arc<JobReport>),
    /// With a failure.
    Failed(Failure),
    /// On request; it can be gone on with.
    Cancelled,
}

/// A question to the host, the network or a file; it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// What this host is, has and was interrupted at.
    Host,
    /// What these sources name.
    Select(Images),
    /// The repositories of a registry, `HOST[:PORT]`.
    Repositories(String),
    /// The tags of a repository.
    Tags(Repository),
    /// The content that a reference names now.
    Digest(Reference),
    /// The media of this host and the bundles on them.
    Media,
    /// What is free on one of them.
    Room(Mounted),
    /// What lies under a directory.
    Place(PathBuf),
    /// The bundles on media and in these directories.
    Bundles(Vec<PathBuf>),
    /// The runtimes of this node, and the room where these would be written.
    Node(Vec<PathBuf>),
    /// The imports that can be taken back.
    Noted,
    /// What lies in a directory.
    Entries(PathBuf),
    /// Whether this is there, and whether it is a directory.
    Entry(PathBuf),
    /// The list of the last time.
    Last,
    /// The name that it was packed under, and what this host signed.
    Series,
    /// Packs that were cut off.
    Interrupted,
    /// The keys that the ssh-agent holds.
    AgentKeys,
    /// The public half of a private key file that is to sign.
    PublicKey(PathBuf),
    /// The same of one that must not have come with this bundle.
    PaperKey(PathBuf, PathBuf),
}

impl Query {
    /// The version of Kubernetes that it looks up.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Select(Images { sources, .. }) => match sources.as_slice() {
                [Source::Kubeadm(version)] => Some(version),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// The answer to [`Query::Host`].
    Host(Arc<HostFacts>),
    /// The answer to [`Query::Select`].
    Selected(Images, Box<Requests>),
    /// The answer to [`Query::Repositories`].
    Repositories(String, Result<Vec<String>, Failure>),
    /// The answer to [`Query::Tags`].
    Tags(Repository, Result<Vec<String>, Failure>),
    /// The answer to [`Query::Digest`].
    Digest(Reference, Result<Digest, Failure>),
    /// The answer to [`Query::Media`].
    Media(Arc<MediaReport>),
    /// The answer to [`Query::Room`], in bytes; nothing where that is not told any more.
    Room(Mounted, Option<u64>),
    /// The answer to [`Query::Place`].
    Place(PathBuf, Box<Place>),
    /// The answer to [`Query::Bundles`].
    Bundles(Vec<PathBuf>, Arc<Vec<Offer>>),
    /// The answer to [`Query::Node`], with the bytes free at each place.
    Node(Vec<PathBuf>, Arc<NodeFacts>, Vec<Option<u64>>),
    /// The answer to [`Query::Noted`], the latest first.
    Noted(Vec<NotedRun>),
    /// The answer to [`Query::Entries`], sorted by name.
    Entries(PathBuf, Result<Vec<Entry>, Unlisted>),
    /// The answer to [`Query::Entry`]: nothing where it is not there; the reason where that cannot be told.
    Entry(PathBuf, Result<Option<bool>, String>),
    /// The answer to [`Query::Last`]: its text, and when it was written.
    Last(String, jiff::Timestamp),
    /// The answer to [`Query::Series`].
    Series(Option<String>, Arc<History>),
    /// The kept list, as the workstation left it that had it until now.
    Freed(String),
    /// Who has the kept list now, which another workstation had until now.
    Holder(String),
    /// What the list was when it was written last, and what somebody else made of its file since; that is in it again.
    Edited(String, String),
    /// The answer to [`Query::AgentKeys`].
    AgentKeys(Result<Vec<KeyReport>, Failure>),
    /// The answer to [`Query::PublicKey`] and [`Query::PaperKey`].
    PublicKey(PathBuf, Box<KeyReport>),
    /// The answer to [`Query::Interrupted`].
    Interrupted(Arc<Cuts>),
    /// A query that failed as a whole.
    Failed(Query, Failure),
    /// Files that were to be new, of which some are there already; none was written.
    Exists(Vec<(PathBuf, String)>),
    /// Files were written.
    Saved(Vec<PathBuf>),
    /// A file was not written.
    NotSaved(PathBuf, Failure),
}

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Start a job for an operation.
    Start(Act, Box<JobSpec>),
    /// Stop a job at a safe point.
    Cancel(JobId),
    /// Pause a job, or let it go on.
    Pause(JobId, bool),
    /// Ask something.
    Ask(Query),
    /// Wait no longer for the answer.
    Leave(Query),
    /// Hand a passphrase to the job that waits for it; nothing where the operator would not.
    Passphrase(Option<SecretString>),
    /// Offer a job no longer that was cut off; its files stay.
    Forget(uuid::Uuid),
    /// Offer an import that ended early no longer, by what it noted; what it brought stays.
    Dismiss(PathBuf),
    /// Write a small file, over what is there.
    Save(PathBuf, String),
    /// Wait until the other workstation lets go of the kept list, and take it.
    AwaitList,
    /// Wait until everything is written that was asked for, and tell whether the list is.
    AwaitWrites,
    /// Keep what the list of images is now beside the one that is written next.
    Aside,
    /// So many changes that [`Found::Edited`] told of are in the list of images from now on.
    TakenIn(usize),
    /// Write a lock file anew without these references.
    LeaveOut(PathBuf, BTreeSet<Reference>),
    /// Write a lock file anew that speaks of these references again, as it did before it was to leave them out.
    PutBack(PathBuf, BTreeSet<Reference>),
    /// Write small files where none of them is there yet.
    SaveNew(Vec<(PathBuf, String)>),
    /// Write small files, over what is there.
    Replace(Vec<(PathBuf, String)>),
    /// Make a directory in one that is there, then look at it as [`Query::Place`] does.
    Make(PathBuf),
    /// Put text into the terminal's clipboard.
    Copy(String),
    /// Listen to the mouse or not.
    Mouse(bool),
    /// Draw everything anew.
    Redraw,
    /// Give the terminal to the shell and stand still until that has us go on.
    Suspend,
    /// Leave.
    Quit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_is_never_debugged() {
        let msg = Msg::Paste("hunter2".into());
        assert!(!format!("{msg:?}").contains("hunter2"));
    }
}
