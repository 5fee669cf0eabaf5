//! The pure rules of trust beyond signatures: which time decides, and which serial may follow which.

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// How far a clock may be behind what was seen before, or a bundle ahead of the clock, where the answer does
/// not depend on it. A day covers a clock set to local time and two hosts that never met a time server.
pub const CLOCK_TOLERANCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// A serial this far ahead of the accepted one was not reached by packing bundles.
pub const HUGE_JUMP: u64 = 1_000_000;

/// Which bundle is let through although its serial is lower than an accepted one, or far above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AllowRollback {
    /// None.
    #[default]
    No,
    /// Whichever lies there.
    Any,
    /// The one of this id alone, as its signed document says.
    Only(uuid::Uuid),
}

impl AllowRollback {
    /// Whether it is about the bundle of that id.
    pub fn covers(self, id: uuid::Uuid) -> bool {
        match self {
            Self::No => false,
            Self::Any => true,
            Self::Only(only) => only == id,
        }
    }
}

/// What is known about the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockEvidence {
    /// The latest time at which this host accepted anything.
    pub last_seen: Option<jiff::Timestamp>,
    /// `created` of the newest bundle that was accepted.
    pub newest_accepted: Option<jiff::Timestamp>,
}

impl ClockEvidence {
    /// It is at least this late.
    pub fn floor(self) -> Option<jiff::Timestamp> {
        self.last_seen.max(self.newest_accepted)
    }

    /// The time at which keys must be valid: the latest of everything known.
    pub fn decision_time(self, now: jiff::Timestamp) -> jiff::Timestamp {
        self.floor().map_or(now, |floor| floor.max(now))
    }
}

/// Times of the bundle on offer, from its signed document.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// When it was assembled.
    pub created: jiff::Timestamp,
    /// After this it is refused.
    pub expires: Option<jiff::Timestamp>,
}

/// The time does not allow the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockRefusal {
    /// The clock of this host is wrong, or was.
    #[error("the clock is behind: it says {now}, but it is at least {at_least} ({evidence})")]
    Behind {
        /// What the clock says.
        now: jiff::Timestamp,
        /// What is known.
        at_least: jiff::Timestamp,
        /// From where.
        evidence: &'static str,
    },
    /// The bundle is too old.
    #[error("the bundle expired: it was valid until {expires}, decided at {decided_at}")]
    Expired {
        /// From the document.
        expires: jiff::Timestamp,
        /// The latest time known.
        decided_at: jiff::Timestamp,
    },
}

/// Decides at max(now, last seen, newest accepted). A clock that is behind is called so, never "expired".
///
/// # Errors
/// [`ClockRefusal`].
pub fn decide_clock(
    now: jiff::Timestamp,
    evidence: ClockEvidence,
    bundle: Lifetime,
) -> Result<jiff::Timestamp, ClockRefusal> {
    let decided_at = evidence.decision_time(now);
    let behind = |at_least, evidence| Err(ClockRefusal::Behind { now, at_least, evidence });
    let seen = if evidence.last_seen == Some(decided_at) {
        "that is when this host last accepted a bundle"
    } else {
        "that is when the newest accepted bundle was made"
    };
    if decided_at.duration_since(now) > CLOCK_TOLERANCE {
        return behind(decided_at, seen);
    }
    // A signer that dates bundles into the far future must not push the floor there.
    if bundle.created.duration_since(decided_at) > CLOCK_TOLERANCE {
        return behind(bundle.created, "that is when this bundle was made");
    }
    match bundle.expires {
        Some(expires) if expires < now => Err(ClockRefusal::Expired { expires, decided_at }),
        Some(expires) if expires < decided_at => behind(decided_at, seen),
        _ => Ok(decided_at),
    }
}

/// The highest bundle accepted for one name and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accepted {
    /// Its serial.
    pub serial: u64,
    /// Digest of its signed document.
    pub digest: Digest,
    /// When it was assembled.
    pub created: jiff::Timestamp,
}

/// How the serial on offer relates to the accepted one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "serial", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SerialDecision {
    /// No history for this name and key: rollback cannot be checked.
    First,
    /// Higher.
    Newer {
        /// The accepted one.
        from: u64,
    },
    /// The same bundle again.
    Same,
    /// Lower.
    Rollback {
        /// The accepted one.
        accepted: u64,
        /// The one on offer.
        offered: u64,
    },
    /// The same serial over another document: two bundles claim one place.
    Equivocation {
        /// The serial of both.
        of: u64,
        /// Digest of the accepted document.
        accepted: Digest,
        /// Digest of the one on offer.
        offered: Digest,
    },
    /// Higher by more than [`HUGE_JUMP`]; accepting it would shut out every ordinary bundle after it.
    HugeJump {
        /// The accepted one, 0 without history.
        accepted: u64,
        /// The one on offer.
        offered: u64,
    },
}

impl SerialDecision {
    /// Whether a bundle that passes with it passes with a warning.
    pub const fn is_warned(&self) -> bool {
        !matches!(self, Self::Newer { .. } | Self::Same)
    }

    /// Whether a bundle passes with it only where somebody lets it through.
    pub const fn is_let_through(&self) -> bool {
        matches!(self, Self::Rollback { .. } | Self::HugeJump { .. })
    }
}

/// Compares a serial and the digest of its document with what was accepted before.
pub fn decide_serial(history: Option<&Accepted>, serial: u64, digest: &Digest) -> SerialDecision {
    let accepted = history.map_or(0, |history| history.serial);
    if serial.saturating_sub(accepted) > HUGE_JUMP {
        return SerialDecision::HugeJump { accepted, offered: serial };
    }
    match history {
        None => SerialDecision::First,
        Some(_) if serial > accepted => SerialDecision::Newer { from: accepted },
        Some(_) if serial < accepted => SerialDecision::Rollback { accepted, offered: serial },
        Some(history) if history.digest == *digest => SerialDecision::Same,
        Some(history) => SerialDecision::Equivocation {
            of: serial,
            accepted: history.digest.clone(),
            offered: digest.clone(),
        },
    }
}

/// The serial does not allow the bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SerialRefusal {
    /// Older than what was accepted.
    #[error("rollback: {name} serial {offered} is offered, serial {accepted} was accepted before")]
    Rollback {
        /// Name of the series.
        name: String,
        /// Accepted before.
        accepted: u64,
        /// On offer.
        offered: u64,
    },
    /// Two documents under one serial.
    #[error("equivocation: {name} serial {serial} was accepted as {accepted}, now it is {offered}")]
    Equivocation {
        /// Name of the series.
        name: String,
        /// The serial of both.
        serial: u64,
        /// Digest of the accepted document.
        accepted: Digest,
        /// Digest of the one on offer.
        offered: Digest,
    },
    /// Too far ahead.
    #[error(
        "{name} serial {offered} is offered after {accepted}: more than {HUGE_JUMP} ahead, which would shut out every ordinary bundle after it"
    )]
    HugeJump {
        /// Name of the series.
        name: String,
        /// Accepted before, 0 without history.
        accepted: u64,
        /// On offer.
        offered: u64,
    },
}

impl std::fmt::Display for SerialDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::First => f.write_str("the first one of that name and key here: no history to compare with"),
            Self::Newer { from } => write!(f, "newer than the last accepted one, {from}"),
            Self::Same => f.write_str("the same one as accepted before"),
            Self::Rollback { accepted, offered } => {
                write!(f, "ROLLBACK: {offered} after {accepted} was accepted")
            }
            Self::Equivocation { of, .. } => write!(f, "TWO DIFFERENT bundles of serial {of}"),
            Self::HugeJump { accepted, offered } => write!(f, "a jump from {accepted} to {offered}"),
        }
    }
}

impl SerialDecision {
    /// Whether the bundle may be used. `allow_rollback` lets a lower serial or a huge jump through, but never
    /// two documents under one serial.
    ///
    /// # Errors
    /// [`SerialRefusal`].
    pub fn enforce(&self, name: &str, allow_rollback: bool) -> Result<(), SerialRefusal> {
        let name = name.to_owned();
        match self {
            Self::Rollback { accepted, offered } if !allow_rollback => {
                Err(SerialRefusal::Rollback { name, accepted: *accepted, offered: *offered })
            }
            Self::HugeJump { accepted, offered } if !allow_rollback => {
                Err(SerialRefusal::HugeJump { name, accepted: *accepted, offered: *offered })
            }
            Self::Equivocation { of, accepted, offered } => Err(SerialRefusal::Equivocation {
                name,
                serial: *of,
                accepted: accepted.clone(),
                offered: offered.clone(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> jiff::Timestamp {
        text.parse().unwrap()
    }

    fn digest(fill: char) -> Digest {
        format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()
    }

    #[test]
    fn the_clock_decides_by_the_latest_time_known() {
        let noon = "2026-06-01T12:00:00Z";
        // now, last seen, newest accepted, created, expires -> decided at, or what is wrong
        for (now, seen, newest, created, expires, expected) in [
            (noon, None, None, "2026-05-01T00:00:00Z", None, Ok(noon)),
            (noon, None, None, "2026-05-01T00:00:00Z", Some(noon), Ok(noon)),
            (noon, None, None, "2026-05-01T00:00:00Z", Some("2026-06-01T11:59:59Z"), Err("expired")),
            (noon, None, None, "2026-05-01T00:00:00Z", Some("2026-06-01T12:00:01Z"), Ok(noon)),
            // No battery: 1970 without any history is still recognised by the bundle itself.
            ("1970-01-01T00:00:00Z", None, None, noon, None, Err("behind")),
            ("1970-01-01T00:00:00Z", Some(noon), None, noon, Some("2026-05-01T00:00:00Z"), Err("behind")),
            // Behind by a second or a day is fine while nothing depends on it.
            ("2026-06-01T11:59:59Z", Some(noon), None, noon, None, Ok(noon)),
            ("2026-05-31T12:00:00Z", None, Some(noon), noon, None, Ok(noon)),
            ("2026-05-31T11:59:59Z", None, Some(noon), noon, None, Err("behind")),
            // … and "behind", not "expired", when something does.
            ("2026-06-01T11:00:00Z", Some(noon), None, noon, Some("2026-06-01T11:30:00Z"), Err("behind")),
            ("2026-06-01T11:00:00Z", Some(noon), None, noon, Some("2026-06-01T10:30:00Z"), Err("expired")),
            // 2038 and the end of time.
            (
                "2038-01-19T03:14:08Z",
                Some("2038-01-19T03:14:07Z"),
                None,
                noon,
                None,
                Ok("2038-01-19T03:14:08Z"),
            ),
            (noon, None, None, "9999-12-30T00:00:00Z", None, Err("behind")),
            (noon, None, None, noon, Some("9999-12-30T00:00:00Z"), Ok(noon)),
            ("9999-12-30T00:00:00Z", None, None, noon, Some("2038-01-19T03:14:08Z"), Err("expired")),
        ] {
            let evidence = ClockEvidence { last_seen: seen.map(at), newest_accepted: newest.map(at) };
            let bundle = Lifetime { created: at(created), expires: expires.map(at) };
            let decided = decide_clock(at(now), evidence, bundle);
            let actual = decided.map_err(|refusal| match refusal {
                ClockRefusal::Behind { .. } => "behind",
                ClockRefusal::Expired { .. } => "expired",
            });
            assert_eq!(
                actual,
                expected.map(at),
                "now {now} seen {seen:?} {newest:?} made {created} until {expires:?}"
            );
        }
    }

    #[test]
    fn a_serial_follows_what_was_accepted() {
        use SerialDecision as D;
        let accepted =
            |serial| Some(Accepted { serial, digest: digest('a'), created: at("2026-01-01T00:00:00Z") });
        for (history, serial, fill, expected, allowed, forced) in [
            (None, 1, 'a', D::First, true, true),
            (None, 1 << 63, 'a', D::HugeJump { accepted: 0, offered: 1 << 63 }, false, true),
            (accepted(3), 4, 'b', D::Newer { from: 3 }, true, true),
            (accepted(3), 900, 'b', D::Newer { from: 3 }, true, true),
            (accepted(3), 3, 'a', D::Same, true, true),
            (accepted(3), 2, 'b', D::Rollback { accepted: 3, offered: 2 }, false, true),
            (accepted(3), 0, 'a', D::Rollback { accepted: 3, offered: 0 }, false, true),
            (
                accepted(3),
                3,
                'b',
                D::Equivocation { of: 3, accepted: digest('a'), offered: digest('b') },
                false,
                false,
            ),
            (accepted(3), 1 << 63, 'b', D::HugeJump { accepted: 3, offered: 1 << 63 }, false, true),
            (accepted(3), 1_000_003, 'b', D::Newer { from: 3 }, true, true),
            (accepted(3), 1_000_004, 'b', D::HugeJump { accepted: 3, offered: 1_000_004 }, false, true),
            (accepted(u64::MAX), u64::MAX, 'a', D::Same, true, true),
        ] {
            let decision = decide_serial(history.as_ref(), serial, &digest(fill));
            assert_eq!(decision, expected);
            assert_eq!(decision.enforce("n", false).is_ok(), allowed, "{decision:?}");
            assert_eq!(decision.enforce("n", true).is_ok(), forced, "{decision:?}");
        }
    }

    #[test]
    fn bundles_one_to_three_in_every_order_leave_the_highest() {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let mut history: Option<Accepted> = None;
            for serial in order {
                let decision = decide_serial(history.as_ref(), serial, &digest('a'));
                let lower = history.as_ref().is_some_and(|history| serial < history.serial);
                assert_eq!(decision.enforce("n", false).is_err(), lower, "{order:?} {decision:?}");
                if !lower {
                    history =
                        Some(Accepted { serial, digest: digest('a'), created: jiff::Timestamp::UNIX_EPOCH });
                }
            }
            assert_eq!(history.unwrap().serial, 3);
        }
    }
}
