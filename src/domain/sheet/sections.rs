//! The sections of a report: what each of its parts becomes in rows.

use super::{
    Carried, Checked, Deed, Fact, GROUP, Grade, Imported, KEY_ENDS_IN, Section, Sheet, Step, ends_in,
    fingerprint_end, has_end,
};
use crate::domain::text;

impl Sheet {
    /// Everything in the order in which it is read; sections with nothing in them are left out.
    pub fn sections(&self) -> Vec<Section> {
        let section = |title, facts| Section { title, facts };
        let mut sections = vec![
            section("Imported", self.imported.iter().flat_map(into).collect()),
            section("Medium", self.medium.iter().map(checked).collect()),
            section("Bundle", self.about()),
            section(
                match self.deed {
                    Deed::Packed => "To carry on paper, not with the medium",
                    Deed::Verified | Deed::Imported => "To compare with the paper",
                },
                self.paper(),
            ),
            section("Checked", self.checked.iter().map(checked).collect()),
            section("Notes", self.to_be_known()),
            section(
                match self.deed {
                    Deed::Packed => "On the other side",
                    Deed::Verified | Deed::Imported => "Next",
                },
                self.next.iter().flat_map(step).collect(),
            ),
            section("Images", self.images.iter().flat_map(carried).collect()),
        ];
        sections.retain(|section| !section.facts.is_empty());
        sections
    }

    fn about(&self) -> Vec<Fact> {
        let time = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let totals = self.totals;
        let content = text::content(totals.images, totals.blobs, None);
        let bytes = text::bytes(totals.bytes);
        let mut facts = vec![
            Fact::new("name", format!("{}  serial {}", self.name, self.serial)).valued(&self.directory),
            Fact::new("id", self.id.to_string()),
            Fact::new("path", self.path.clone()),
            Fact::new("content", format!("{content}, {bytes} ({} bytes)", totals.bytes)),
        ];
        facts.extend(self.origin.iter().map(|origin| Fact::new("came from", origin.clone())));
        facts.extend(self.created.map(|created| Fact::new("created", time(created))));
        facts.push(match (self.expires.map(time), self.deed) {
            (None, _) => Fact::new("expires", "never"),
            (Some(expires), Deed::Packed) => {
                Fact::new("expires", format!("{expires}, by the clock of the other side")).valued(&expires)
            }
            (Some(expires), Deed::Verified | Deed::Imported) => Fact::new("expires", expires),
        });
        facts.push(Fact::new("document", self.document.to_string()));
        for signed in &self.signatures {
            let who = signed.who.as_ref().map_or_else(String::new, |who| format!(" ({who})"));
            let words = format!("{}{who}", signed.fingerprint);
            facts.push(Fact::new("signed by", words).valued(&signed.fingerprint));
        }
        facts
    }

    fn paper(&self) -> Vec<Fact> {
        let document = self.document.to_string();
        let groups = text::groups(self.document.hex(), GROUP);
        let mut facts = two_rows(self.document.algorithm().name(), &groups, &document);
        for (at, signed) in self.signatures.iter().enumerate() {
            let digits = signed.fingerprint.strip_prefix("SHA256:").unwrap_or(&signed.fingerprint);
            facts.extend(two_rows("key", &text::groups(digits, GROUP), &signed.fingerprint));
            // What the other side asks for, as the groups above break it.
            if has_end(&signed.fingerprint) {
                let ends = fingerprint_end(&signed.fingerprint);
                facts.push(Fact::new(KEY_ENDS_IN, ends_in(&signed.fingerprint)).valued(ends));
            }
            // Whose each is stands with it: of the first by its file, which is told from those of the others.
            let public = self.public_key.iter().filter(|_| at == 0);
            let ends = fingerprint_end(&signed.fingerprint);
            let whose = match self.signatures.len() {
                ..=1 => String::new(),
                _ => format!("  (of the key that ends in {ends})"),
            };
            facts.extend(public.map(|path| Fact::new("public key", format!("{path}{whose}")).valued(path)));
            let who = signed.who.iter().filter(|_| self.deed == Deed::Packed);
            facts.extend(who.map(|who| Fact::new("key of", who.clone())));
        }
        facts
    }

    fn to_be_known(&self) -> Vec<Fact> {
        let missing = self.missing.iter().map(|missing| {
            Fact::new("missing", format!("{}: {}", missing.reference, missing.reason)).graded(Grade::Warn)
        });
        let warnings =
            self.warnings.iter().map(|words| Fact::new("warning", words.clone()).graded(Grade::Warn));
        missing.chain(warnings).collect()
    }
}

/// Groups in rows of four, as one reads them.
fn two_rows(label: &str, groups: &str, value: &str) -> Vec<Fact> {
    let groups: Vec<&str> = groups.split(' ').collect();
    let row = |(at, row): (usize, &[&str])| {
        Fact::new(if at == 0 { label } else { "" }, row.join(" ")).valued(value)
    };
    groups.chunks(4).enumerate().map(row).collect()
}

fn checked(checked: &Checked) -> Fact {
    Fact::new(checked.what, checked.how.clone()).graded(checked.grade)
}

/// A target, what was asked of it, and each image with its name there and its digest.
fn into(into: &Imported) -> Vec<Fact> {
    let words = format!("{}: {}", into.target, into.words);
    let mut facts = vec![Fact::new("into", words).graded(into.grade).valued(&into.target)];
    facts.extend(into.checked.iter().map(checked));
    for image in &into.images {
        let name = image.name.as_ref().filter(|name| **name != image.reference);
        let name = name.map_or_else(String::new, |name| format!(" as {name}"));
        let words = format!("{}: {}{name}", image.reference, image.how);
        let digest = image.digest.to_string();
        facts.push(Fact::new("image", words).graded(image.grade).valued(&digest));
    }
    facts
}

fn step(step: &Step) -> [Fact; 2] {
    let command = Fact { command: true, ..Fact::new("", step.command.clone()) };
    [Fact::new(step.what, String::new()), command]
}

fn carried(image: &Carried) -> [Fact; 2] {
    let platforms = image.platforms.join(" ");
    let (reference, digest) = (image.reference.clone(), image.digest.to_string());
    [
        Fact::new("", format!("{reference}  {}  {platforms}", text::bytes(image.bytes))).valued(&reference),
        Fact::new("", format!("  {digest}")).valued(&digest),
    ]
}
