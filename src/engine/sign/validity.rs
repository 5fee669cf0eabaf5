//! Times in `allowed_signers`, read as OpenSSH reads them (ssh-keygen(1), ALLOWED SIGNERS).

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

/// Reads `YYYYMMDD[HHMM[SS]]`, with `Z` or `UTC` in UTC, else in the local *standard* time of `zone`: OpenSSH
/// does not apply summer time here. Times past what can be held, like 99991231, mean the last one that can.
///
/// Nothing where it is no such time, or not after 1970-01-01.
pub fn parse(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let upper = text.to_ascii_uppercase();
    let utc = upper.strip_suffix("UTC").or_else(|| upper.strip_suffix('Z'));
    let digits = utc.unwrap_or(&upper);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Ok(0), str::parse::<i16>).ok();
    let small = |from, to| number(from, to).and_then(|value| i8::try_from(value).ok());
    let date = Date::new(number(0, 4)?, small(4, 6)?, small(6, 8)?).ok()?;
    let time = Time::new(small(8, 10)?, small(10, 12)?, small(12, 14)?, 0).ok()?;
    let civil = date.to_datetime(time);
    let zone = if utc.is_some() { &TimeZone::UTC } else { zone };
    let Ok(at) = zone.to_timestamp(civil) else {
        return (date.year() == 9999).then_some(Timestamp::MAX);
    };
    let standard = if zone.to_offset_info(at).dst().is_dst() {
        at.checked_add(jiff::SignedDuration::from_hours(1)).unwrap_or(Timestamp::MAX)
    } else {
        at
    };
    (standard > Timestamp::UNIX_EPOCH).then_some(standard)
}

/// Writes a time so that every host reads it alike.
pub fn write(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ssh_keygen_reads_them() {
        let central = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, expected) in [
            ("20260101", Some("2025-12-31T23:00:00Z")),
            ("20260101Z", Some("2026-01-01T00:00:00Z")),
            ("20260101UTC", Some("2026-01-01T00:00:00Z")),
            ("20260101z", Some("2026-01-01T00:00:00Z")),
            ("202601011200", Some("2026-01-01T11:00:00Z")),
            // Measured: standard time in summer too.
            ("202607011200", Some("2026-07-01T11:00:00Z")),
            ("20260701120001Z", Some("2026-07-01T12:00:01Z")),
            ("99991231", Some("9999-12-30T22:00:00.999999999Z")),
            ("20380119031408Z", Some("2038-01-19T03:14:08Z")),
            ("19700101Z", None),
            ("1969", None),
            ("202601", None),
            ("2026010112Z", None),
            ("20261301", None),
            ("", None),
            ("Z", None),
            ("2026-01-01", None),
            ("+2026010", None),
        ] {
            assert_eq!(parse(text, &central), expected.map(|text| text.parse().unwrap()), "{text:?}");
        }
        let at = "2026-07-01T12:00:01Z".parse().unwrap();
        assert_eq!(parse(&write(at), &central), Some(at));
    }
}
