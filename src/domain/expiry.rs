//! When a bundle expires, as an operator says it: a span from its making, or a point in time.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DAY: i64 = 24;
const WEEK: i64 = 7 * DAY;
/// The longest span, in hours: 100 years.
const LONGEST: i64 = 100 * 366 * DAY;

/// A span or a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many hours after the bundle is made; from 1.
    Hours(i64),
    /// At this time.
    At(Timestamp),
}

/// Why a text is none, or a time cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// Neither a span nor a date.
    #[error("expected a span like 90d, 12w or 36h, or a date like 2027-02-18")]
    Form,
    /// Too short or too long.
    #[error("a bundle expires between one hour and 100 years from now")]
    Span,
    /// A bundle that has expired when it is signed is no use to anybody.
    #[error("the expiry {expires:.0} is past: now is {now:.0}")]
    Past {
        /// When it would expire.
        expires: Timestamp,
        /// By this host's clock.
        now: Timestamp,
    },
}

/// How far an expiry may lie from another one to mean the same: a span from now moves on with every run. Seconds.
const ALIKE: i64 = 24 * 3600;

/// Whether what is wanted is what a bundle has, so that no new one is made for it.
pub fn alike(wanted: Option<Timestamp>, there: Option<Timestamp>) -> bool {
    match (wanted, there) {
        (None, None) => true,
        (Some(wanted), Some(there)) => (wanted.as_second() - there.as_second()).abs() <= ALIKE,
        _ => false,
    }
}

impl Expiry {
    /// The time it means for a bundle made `now`.
    ///
    /// # Errors
    /// [`ExpiryError::Past`].
    pub fn after(self, now: Timestamp) -> Result<Timestamp, ExpiryError> {
        let expires = match self {
            Self::At(time) => time,
            Self::Hours(hours) => {
                let end = hours.checked_mul(3600).and_then(|span| now.as_second().checked_add(span));
                end.and_then(|end| Timestamp::from_second(end).ok()).ok_or(ExpiryError::Span)?
            }
        };
        if expires > now { Ok(expires) } else { Err(ExpiryError::Past { expires, now }) }
    }
}

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::At(time));
        }
        if let Ok(date) = text.parse::<jiff::civil::Date>() {
            let day = date.to_zoned(TimeZone::UTC).map_err(|_| ExpiryError::Form)?;
            return Ok(Self::At(day.timestamp()));
        }
        let units = [('h', 1), ('d', DAY), ('w', WEEK)];
        let found = units.iter().find_map(|(unit, hours)| Some((text.strip_suffix(*unit)?, *hours)));
        let (number, hours) = found.ok_or(ExpiryError::Form)?;
        let number: i64 = number.parse().map_err(|_| ExpiryError::Form)?;
        let span = number.checked_mul(hours).filter(|span| (1..=LONGEST).contains(span));
        span.map(Self::Hours).ok_or(ExpiryError::Span)
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(hours) if hours % WEEK == 0 => write!(f, "{}w", hours / WEEK),
            Self::Hours(hours) if hours % DAY == 0 => write!(f, "{}d", hours / DAY),
            Self::Hours(hours) => write!(f, "{hours}h"),
            Self::At(time) => {
                let day = time.to_zoned(TimeZone::UTC).date();
                let midnight = day.to_zoned(TimeZone::UTC).is_ok_and(|start| start.timestamp() == *time);
                if midnight { day.fmt(f) } else { time.fmt(f) }
            }
        }
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_a_span_a_day_or_a_time_and_is_written_as_shortly() {
        for (text, written) in [
            ("90d", "90d"),
            ("14d", "2w"),
            ("36h", "36h"),
            ("48h", "2d"),
            ("2027-02-18", "2027-02-18"),
            ("2027-02-18T00:00:00Z", "2027-02-18"),
            ("2027-02-18T12:30:00Z", "2027-02-18T12:30:00Z"),
        ] {
            let expiry: Expiry = text.parse().unwrap();
            assert_eq!(expiry.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(expiry));
        }
        assert_eq!("90d".parse(), Ok(Expiry::Hours(90 * 24)));
        for bad in ["", "d", "0d", "-3d", "90", "soon", "99999999999d", "é"] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_that_has_passed_is_refused_and_a_span_counts_from_now() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(Expiry::Hours(2).after(now), Ok("2026-11-20T12:00:00Z".parse().unwrap()));
        let yesterday: Expiry = "2026-11-19".parse().unwrap();
        let error = yesterday.after(now).unwrap_err().to_string();
        assert_eq!(error, "the expiry 2026-11-19T00:00:00Z is past: now is 2026-11-20T10:00:00Z");
        assert_eq!(Expiry::Hours(i64::MAX).after(now), Err(ExpiryError::Span));
    }
}
