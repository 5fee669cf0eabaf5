//! What a front shows when something failed: what, why, the next step, and the exit code of its class.

use serde::Serialize;

use crate::engine::error::{EngineError, Explain, Kind};

/// A failure at the edge of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its class.
    pub kind: Kind,
    /// What happened to which object, expected and actual.
    pub message: String,
    /// What it likely means and what to do next, most useful first.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure of a class, without hints.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// A request that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Some items were done and some not; they have been listed.
    pub fn partial(message: impl Into<String>) -> Self {
        Self::new(Kind::Partial, message)
    }

    /// Adds a hint, unless it has that one already.
    #[must_use]
    pub fn hint_once(self, text: String) -> Self {
        if self.hints.contains(&text) { self } else { self.hint(text) }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// The word for its class.
    pub const fn class(&self) -> &'static str {
        match self.kind {
            Kind::Other => "other",
            Kind::Usage => "usage",
            Kind::Partial => "partly done",
            Kind::Integrity => "integrity",
            Kind::Trust => "trust",
            Kind::Rollback => "rollback, expiry or clock",
            Kind::Medium => "medium",
            Kind::Space => "space or file-size limit",
            Kind::Network => "network or registry",
            Kind::Import => "import",
            Kind::Mirror => "mirror",
            Kind::Survival => "survival",
            Kind::Locked => "locked by another run",
            Kind::Interrupted => "interrupted",
        }
    }

    /// The exit code of its class.
    pub const fn exit(&self) -> u8 {
        exit_code(self.kind)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self { kind: error.kind(), message: error.message(), hints: error.hints() }
    }
}

impl<E: Explain + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        EngineError::from(error).into()
    }
}

/// The exit code of a class of failure; these numbers are a promise to scripts.
pub const fn exit_code(kind: Kind) -> u8 {
    match kind {
        Kind::Other => 1,
        Kind::Usage => 2,
        Kind::Partial => 3,
        Kind::Integrity => 10,
        Kind::Trust => 11,
        Kind::Rollback => 12,
        Kind::Medium => 13,
        Kind::Space => 14,
        Kind::Network => 15,
        Kind::Import => 16,
        Kind::Mirror => 17,
        Kind::Survival => 18,
        Kind::Locked => 75,
        Kind::Interrupted => 130,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::{FileError, Interrupted};

    #[test]
    fn each_class_has_its_own_exit_code_and_none_is_success() {
        use Kind::*;
        let kinds = [
            Other,
            Usage,
            Partial,
            Integrity,
            Trust,
            Rollback,
            Medium,
            Space,
            Network,
            Import,
            Mirror,
            Survival,
            Locked,
            Interrupted,
        ];
        let codes: Vec<u8> = kinds.into_iter().map(exit_code).collect();
        assert_eq!(codes, [1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 75, 130]);
    }

    #[test]
    fn an_engine_error_keeps_its_causes_and_its_next_step() {
        let source = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let failure = Failure::from(FileError { operation: "write", path: "/mnt/x".into(), source });
        assert_eq!(failure.exit(), 14);
        assert!(failure.message.starts_with("cannot write /mnt/x: No space left"), "{}", failure.message);
        assert!(failure.hints[0].contains("free space"));
        assert_eq!(Failure::from(Interrupted).exit(), 130);
        let again = ["again", "again", "also"].map(str::to_owned).into_iter();
        let once = again.fold(Failure::from(Interrupted), Failure::hint_once);
        assert_eq!(once.hints, ["again", "also"], "what is said is not said again");
    }
}
