//! The one list of things a job can say while it runs, and the one way they add up to a view.

use serde::Serialize;

use super::digest::Digest;
use super::import::Target;
use super::resolved::ImageView;
use super::text;

/// What a job is doing, in the order in which jobs do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Marking free space of a medium.
    Probe,
    /// Turning references into digests.
    Resolve,
    /// Reading blobs from registries.
    Fetch,
    /// Putting blobs onto the medium; what an earlier run left there counts once it was hashed. Beside the fetch.
    Write,
    /// Waiting until the medium has everything.
    Flush,
    /// Reading everything back from the medium itself.
    ReadBack,
    /// Signing.
    Sign,
    /// Hashing what a bundle lists.
    Verify,
    /// Writing into a target.
    Import,
    /// Unpacking layers in a runtime; those that were there count. Beside the import.
    Unpack,
    /// Asking the target for what was written.
    Prove,
}

impl Phase {
    /// What its items are.
    pub const fn units(self) -> &'static str {
        match self {
            Self::ReadBack | Self::Verify => "files",
            Self::Resolve => "references",
            Self::Fetch => "blobs",
            Self::Import | Self::Unpack => "images",
            Self::Prove => "names",
            Self::Probe | Self::Write | Self::Flush | Self::Sign => "items",
        }
    }

    /// So many of its items, in words.
    pub fn count(self, items: u64) -> String {
        text::count(items, self.units().trim_end_matches('s'))
    }

    /// The word for it, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Resolve => "resolve",
            Self::Fetch => "fetch",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::ReadBack => "read-back",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Import => "import",
            Self::Unpack => "unpack",
            Self::Prove => "prove",
        }
    }
}

/// What a verification checks, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The signed document could be read.
    Document,
    /// Enough different trusted keys signed exactly its bytes.
    Signatures,
    /// The clock is not behind and the bundle not expired.
    Clock,
    /// The serial is not behind what was accepted before.
    Serial,
    /// The files are those of the signed list.
    Files,
    /// Everything the index reaches is there and fits.
    Graph,
    /// Every byte has the digest it should have.
    Bytes,
}

impl Check {
    /// All, in order.
    pub const ALL: [Self; 7] =
        [Self::Document, Self::Signatures, Self::Clock, Self::Serial, Self::Files, Self::Graph, Self::Bytes];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Signatures => "signatures",
            Self::Clock => "clock",
            Self::Serial => "rollback",
            Self::Files => "file list",
            Self::Graph => "manifests",
            Self::Bytes => "every byte",
        }
    }
}

/// One thing that a phase will go through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedItem {
    /// Reference, blob or path; the name it has in every later event.
    pub item: String,
    /// Its bytes; 0 where unknown.
    pub bytes: u64,
}

/// Where an import that ended early left a target; where a plan could not be made for all, what it foresees of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Landed {
    /// The target.
    pub target: Target,
    /// Images that it has, by reference.
    pub there: Vec<String>,
    /// Those of them that this import brought; in a plan, those of the missing that would be brought.
    pub added: Vec<String>,
    /// Images that were wanted and that it does not have; none are named where nothing was looked at yet.
    pub missing: Vec<String>,
    /// What went wrong with this target; nothing where something else ended the import.
    pub reason: Option<String>,
}

/// One thing a job says. All but [`Event::Bytes`] are milestones and are never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A phase begins; totals that are not known yet are 0.
    Started {
        /// The phase.
        phase: Phase,
        /// Items in it.
        items: u64,
        /// Bytes in it.
        bytes: u64,
    },
    /// Bytes moved in a phase since it began; grows, except when an item starts over.
    Bytes {
        /// The phase.
        phase: Phase,
        /// Bytes so far.
        done: u64,
    },
    /// Bytes of a phase that need not move after all, since it began; they count as done, and not as moved.
    Spared {
        /// The phase.
        phase: Phase,
        /// Bytes so far.
        bytes: u64,
    },
    /// Bytes of those counted in a phase that lay there right already: they were hashed and did not move.
    Kept {
        /// The phase.
        phase: Phase,
        /// Bytes so far.
        bytes: u64,
    },
    /// What a phase will go through, largest or first asked first; at most so many as a view lists.
    Planned {
        /// The phase.
        phase: Phase,
        /// The items.
        items: Vec<PlannedItem>,
    },
    /// The job was paused, or goes on.
    Paused {
        /// Whether it stands still now.
        paused: bool,
    },
    /// An item begins.
    Item {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// Its bytes.
        bytes: u64,
    },
    /// So much of an item is done by now: of its bytes, or where layers are unpacked, of its layers.
    Part {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// How much.
        done: u64,
        /// Of how much.
        all: u64,
    },
    /// So many items were there when the phase began; they are counted with the others, and are none of its work.
    Had {
        /// The phase.
        phase: Phase,
        /// How many.
        items: u64,
    },
    /// A program that does the work of a phase writes, though no bytes of it are counted.
    Writes {
        /// The phase.
        phase: Phase,
        /// The program.
        program: String,
    },
    /// A phase that has begun comes to so much more than was announced.
    Grown {
        /// The phase.
        phase: Phase,
        /// How many items more.
        items: u64,
        /// How many bytes more.
        bytes: u64,
    },
    /// An item needs no work.
    Skipped {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// Its bytes.
        bytes: u64,
        /// Why not.
        reason: String,
    },
    /// An item is finished.
    Done {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// Its bytes.
        bytes: u64,
    },
    /// A reference was resolved; [`Event::Done`] follows.
    Resolved {
        /// To what.
        image: Box<ImageView>,
    },
    /// An item failed; the job may go on.
    Failed {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// What happened.
        reason: String,
    },
    /// A registry says that it does not have what an image needs; [`Event::Failed`] comes beside it.
    Absent {
        /// The full reference of the image.
        reference: String,
        /// What it was asked for; nothing where that was a tag.
        digest: Option<Digest>,
        /// What it said.
        reason: String,
    },
    /// An attempt failed and another one follows.
    Retry {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// What happened.
        reason: String,
        /// Milliseconds until then.
        wait_ms: u64,
    },
    /// What was tried again is answered.
    Answered {
        /// The phase.
        phase: Phase,
        /// Reference, digest or path.
        item: String,
    },
    /// A registry that gave bytes cannot be reached any more; that it comes back is waited for.
    Awaited {
        /// The phase.
        phase: Phase,
        /// Its host.
        host: String,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// Milliseconds for which it is waited for still.
        left_ms: u64,
    },
    /// A check of a verification held.
    Passed {
        /// Which.
        check: Check,
        /// What was found, in words.
        words: String,
    },
    /// An import ends early, and leaves a target like this.
    Landed(Landed),
    /// Something the operator should know.
    Note {
        /// In words.
        text: String,
    },
    /// Something the operator should act on.
    Warning {
        /// In words.
        text: String,
    },
    /// A phase is over.
    Finished {
        /// The phase.
        phase: Phase,
    },
}
