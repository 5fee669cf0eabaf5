//! The report as text, Markdown and JSON: the same rows in the same order; nothing in them can move a cursor.

use super::{Fact, Grade, Section, Sheet};
use crate::domain::text;

/// Cells of the labels in the text form.
const LABEL: usize = 12;

impl Sheet {
    /// Its first line.
    pub fn title(&self) -> String {
        format!("Airlift report: {}", self.directory)
    }

    fn word(&self) -> &'static str {
        match self.grade {
            Grade::Fail => "FAIL",
            Grade::Warn => "WARN",
            Grade::Ok | Grade::Plain => "OK",
        }
    }

    /// The verdict with its word in front.
    pub fn verdict_line(&self) -> String {
        format!("{}{}  {}", self.grade.sign(), self.word(), self.verdict)
    }

    fn made_line(&self) -> String {
        format!("{} by airlift {}", self.made.strftime("%Y-%m-%d %H:%M:%SZ"), self.version)
    }

    /// Plain text, to be printed.
    pub fn text(&self) -> String {
        let title = self.title();
        let mut lines = vec![title.clone(), "=".repeat(text::width(&title))];
        lines.extend([self.verdict_line(), self.made_line()]);
        for Section { title, facts } in self.sections() {
            lines.extend([String::new(), title.to_owned(), "-".repeat(text::width(title))]);
            lines.extend(facts.iter().map(text_row));
        }
        joined(lines.iter().map(|line| text::shown(line).trim_end().to_owned()))
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        let mut lines = vec![format!("# {}", escaped(&self.title())), String::new()];
        lines.push(format!("**{}** {}", self.word(), escaped(&self.verdict)));
        lines.extend([String::new(), escaped(&self.made_line())]);
        for Section { title, facts } in self.sections() {
            lines.extend([String::new(), format!("## {title}"), String::new()]);
            for fact in &facts {
                markdown_row(fact, &mut lines);
            }
        }
        joined(lines)
    }

    /// JSON, indented.
    ///
    /// # Errors
    /// The JSON writer's; none in practice.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string_pretty(self)?;
        // Line by line: the breaks between them are ours.
        Ok(joined(json.lines().map(|line| text::shown_json(line).into_owned())))
    }
}

fn joined(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn text_row(fact: &Fact) -> String {
    if fact.command {
        return format!("    {}", fact.words);
    }
    if fact.words.is_empty() {
        return fact.label.clone();
    }
    if fact.label.is_empty() && fact.value.is_none() {
        return fact.words.clone();
    }
    format!("{}  {}{}", text::padded(&fact.label, LABEL), fact.grade.sign(), fact.words)
}

fn markdown_row(fact: &Fact, lines: &mut Vec<String>) {
    let words = escaped(fact.words.trim());
    match (fact.command, fact.label.as_str(), words.as_str()) {
        // A fence longer than any run of backticks in it.
        (true, ..) => lines.extend([
            String::new(),
            "~~~~sh".to_owned(),
            text::shown(&fact.words).replace("~~~~", "~~ ~~"),
            "~~~~".to_owned(),
            String::new(),
        ]),
        (_, label, "") => lines.push(format!("{}:", escaped(label))),
        (_, "", words) => lines.push(format!("- {words}")),
        (_, label, words) => lines.push(format!("- {}: {}{words}", escaped(label), fact.grade.sign())),
    }
}

/// Words that Markdown shows as they are.
fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for c in text::shown(words).chars() {
        if "\\`*_[]<>|#&~".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::{Carried, Checked, Deed, FORMAT, Signed, Step};
    use super::*;
    use crate::domain::bundle::{Missing, Totals};
    use crate::domain::digest::Digest;

    fn sheet() -> Sheet {
        Sheet {
            format: FORMAT,
            deed: Deed::Packed,
            made: "2026-11-21T12:00:00Z".parse().unwrap(),
            version: "0.1.0",
            grade: Grade::Warn,
            verdict: "signed, but not read back".into(),
            name: "site".into(),
            serial: 7,
            directory: "site-7".into(),
            path: "/media/stick/site-7".into(),
            id: uuid::Uuid::nil(),
            document: Digest::sha256(&[0xab; 32]),
            created: None,
            expires: Some("2027-02-18T00:00:00Z".parse().unwrap()),
            totals: Totals { images: 1, blobs: 3, bytes: 1_234_567 },
            origin: Some("1.2 MB fetched".into()),
            signatures: vec![Signed {
                fingerprint: "SHA256:abcdefgh01234567".into(),
                key_id: "9c41".into(),
                who: None,
            }],
            checked: vec![Checked { what: "read back", grade: Grade::Warn, how: "not wanted".into() }],
            medium: Vec::new(),
            imported: Vec::new(),
            warnings: vec!["evil \u{1b}[31m|name|".into()],
            missing: vec![Missing { reference: "x:1".into(), reason: "404".into() }],
            public_key: None,
            next: vec![Step { what: "Verify it", command: "airlift verify site-7".into() }],
            images: vec![Carried {
                reference: "docker.io/library/a:1".into(),
                digest: Digest::sha256(&[1; 32]),
                bytes: 7,
                platforms: vec!["linux/amd64".into()],
            }],
        }
    }

    #[test]
    fn the_text_is_what_one_prints() {
        let text = sheet().text();
        let expected = [
            "Airlift report: site-7",
            "======================",
            "! WARN  signed, but not read back",
            "2026-11-21 12:00:00Z by airlift 0.1.0",
            "",
            "Bundle",
            "------",
            "name          site  serial 7",
            "id            00000000-0000-0000-0000-000000000000",
            "path          /media/stick/site-7",
            "content       1 image = 3 blobs, 1.2 MB (1234567 bytes)",
            "came from     1.2 MB fetched",
            "expires       2027-02-18 00:00:00Z",
        ];
        assert!(text.starts_with(&expected.join("\n")), "{text}");
        for line in [
            "sha256        abababab abababab abababab abababab",
            "              abababab abababab abababab abababab",
            "key           abcdefgh 01234567",
            "read back     ! not wanted",
            "missing       ! x:1: 404",
            "warning       ! evil \\u{1b}[31m|name|",
            "    airlift verify site-7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} in {text}");
        }
    }

    #[test]
    fn markdown_shows_names_as_they_are_and_json_keeps_the_values() {
        let markdown = sheet().markdown();
        assert!(markdown.starts_with("# Airlift report: site-7\n\n**WARN** signed"), "{markdown}");
        assert!(markdown.contains("- warning: ! evil \\\\u{1b}\\[31m\\|name\\|"), "{markdown}");
        assert!(markdown.contains("~~~~sh\nairlift verify site-7\n~~~~"));
        assert!(!markdown.contains('\u{1b}'));
        let json: serde_json::Value = serde_json::from_str(&sheet().json().unwrap()).unwrap();
        assert_eq!(json["format"], FORMAT);
        assert_eq!(json["warnings"][0], "evil \u{1b}[31m|name|");
        assert_eq!(json["signatures"][0]["fingerprint"], "SHA256:abcdefgh01234567");
        assert_eq!((json["serial"].as_u64(), json["deed"].as_str()), (Some(7), Some("packed")));
    }
}
