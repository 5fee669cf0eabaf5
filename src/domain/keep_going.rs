//! What a pack goes on without: nothing, what its references do not lead to, or all that cannot be had.

use serde::{Deserialize, Serialize};

/// What is left out of a bundle, which is then marked incomplete, instead of failing the pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Recorded", rename_all = "kebab-case")]
pub enum KeepGoing {
    /// Nothing.
    #[default]
    No,
    /// What cannot be resolved or read; an image whose fetch fails ends the pack, which can be gone on with.
    Unresolved,
    /// That, and images whose fetch fails.
    All,
}

/// As a record has it: earlier ones knew of all or nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recorded {
    Whether(bool),
    What(What),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    No,
    Unresolved,
    All,
}

impl From<Recorded> for KeepGoing {
    fn from(recorded: Recorded) -> Self {
        match recorded {
            Recorded::Whether(false) | Recorded::What(What::No) => Self::No,
            Recorded::What(What::Unresolved) => Self::Unresolved,
            Recorded::Whether(true) | Recorded::What(What::All) => Self::All,
        }
    }
}

impl KeepGoing {
    /// What can be asked for, and what each leaves out.
    pub const TABLE: [(Self, &'static str); 2] = [
        (
            Self::Unresolved,
            "what cannot be resolved or read; a fetch that fails ends the pack, which can be gone on with",
        ),
        (Self::All, "also an image whose fetch fails; a later pack fetches it whole"),
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Unresolved => "unresolved",
            Self::All => "all",
        }
    }

    /// All where that is not wanted yet, else nothing.
    #[must_use]
    pub const fn toggled(self) -> Self {
        match self {
            Self::All => Self::No,
            Self::No | Self::Unresolved => Self::All,
        }
    }

    /// Whether an image is left out whose bytes cannot be had.
    pub fn leaves_out_lost(self) -> bool {
        self == Self::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_what_is_left_out_and_an_earlier_one_whether_anything_is() {
        for (json, what) in [
            ("false", KeepGoing::No),
            ("true", KeepGoing::All),
            ("\"no\"", KeepGoing::No),
            ("\"unresolved\"", KeepGoing::Unresolved),
            ("\"all\"", KeepGoing::All),
        ] {
            assert_eq!(serde_json::from_str::<KeepGoing>(json).unwrap(), what, "{json}");
        }
        assert!(serde_json::from_str::<KeepGoing>("\"some\"").is_err());
        for (what, _) in KeepGoing::TABLE {
            assert_eq!(serde_json::to_value(what).unwrap(), what.word());
        }
    }
}
