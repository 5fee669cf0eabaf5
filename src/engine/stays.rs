//! What stays as it is where something is taken back: its names, and why.

use std::fmt;

use serde::Serialize;

/// Something that stays; in reports it is its words alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Stays {
    #[serde(skip)]
    names: Vec<String>,
    words: String,
}

impl Stays {
    /// What of these names or paths stays, in words that begin with them.
    pub fn new(names: impl IntoIterator<Item = String>, words: String) -> Self {
        Self { names: names.into_iter().collect(), words }
    }

    /// Whether it is of exactly this name or path.
    pub fn is(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }

    /// The line for people.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The lines for people of many: what stays for one reason in one of them, its names first and the reason once.
    pub fn grouped<'a>(all: impl IntoIterator<Item = &'a Self>) -> Vec<String> {
        let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
        for stays in all {
            let (name, reason) = stays.parts();
            match groups.iter_mut().find(|(names, known)| !names.is_empty() && *known == reason) {
                Some((names, _)) => names.extend(name),
                None => groups.push((name.into_iter().collect(), reason)),
            }
        }
        groups.into_iter().map(|(names, reason)| line(&names, reason)).collect()
    }

    /// The name that the words begin with, and what they say of it; all of them where that cannot be told apart.
    fn parts(&self) -> (Option<&str>, &str) {
        let [name] = self.names.as_slice() else { return (None, &self.words) };
        let reason = self.words.strip_prefix(name.as_str());
        let reason = reason.filter(|reason| OF_ONE.iter().any(|(one, _)| reason.starts_with(one)));
        reason.map_or((None, &*self.words), |reason| (Some(name), reason))
    }
}

/// How a reason begins behind one name, and how it does behind several.
const OF_ONE: [(&str, &str); 2] = [(" is ", " are "), (": ", ", each: ")];

/// What stays for a reason.
fn line(names: &[&str], reason: &str) -> String {
    let of_many = || OF_ONE.iter().find_map(|(one, many)| Some((reason.strip_prefix(one)?, many)));
    match (names, of_many()) {
        ([_, _, ..], Some((rest, many))) => format!("{}{many}{rest}", names.join(", ")),
        _ => format!("{}{reason}", names.concat()),
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_for_one_reason_is_named_in_one_line_and_the_reason_said_once() {
        let stays = |name: &str, rest: &str| Stays::new([name.to_owned()], format!("{name}{rest}"));
        let wanted = " is wanted by a later run too: airlift undo 2 takes that one back first";
        let two = Stays::new(["x:1".to_owned(), "x:2".to_owned()], "x:1, x:2: in use".to_owned());
        let all = [
            stays("a:1", wanted),
            stays("b:1", ": it is another image's by now"),
            stays("a:2", wanted),
            two.clone(),
            stays("a:3", wanted),
            stays("c:1", " was led back: no"),
            stays("b:2", ": it is another image's by now"),
            stays("c:2", " was led back: no"),
            two,
        ];
        assert_eq!(
            Stays::grouped(&all),
            [
                "a:1, a:2, a:3 are wanted by a later run too: airlift undo 2 takes that one back first",
                "b:1, b:2, each: it is another image's by now",
                "x:1, x:2: in use",
                "c:1 was led back: no",
                "c:2 was led back: no",
                "x:1, x:2: in use",
            ]
        );
        assert_eq!(Stays::grouped(&all[..1]), [all[0].words()]);
    }
}
