//! The text of a systemd drop-in that makes a unit wait for the mounts of image stores: one file, a line for each store.

/// What the file says where it is made.
const HEADER: &str = "# Image stores that must be mounted first.\n[Unit]\n";
const UNIT: &str = "[Unit]";
const KEY: &str = "RequiresMountsFor=";

/// The text with a store, where there is one or not; what else is in it stays.
pub(super) fn add(text: Option<&str>, store: &str) -> String {
    let (text, own) = (text.unwrap_or(HEADER), line(store));
    if text.lines().any(|line| line.trim() == own) {
        return text.to_owned();
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.trim().starts_with(KEY));
    match last.or_else(|| lines.iter().position(|line| line.trim() == UNIT)) {
        Some(at) => lines.insert(at + 1, &own),
        None => lines.extend([UNIT, &own]),
    }
    joined(&lines)
}

/// The text without a store; nothing where only what [`add`] writes around it is left.
pub(super) fn remove(text: &str, store: &str) -> Option<String> {
    let own = line(store);
    let lines: Vec<&str> = text.lines().filter(|line| line.trim() != own).collect();
    if lines.len() == text.lines().count() {
        return Some(text.to_owned());
    }
    let rest = joined(&lines);
    (rest != HEADER).then_some(rest)
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn line(store: &str) -> String {
    // systemd.syntax(7): quotes keep a path with blanks in one piece, a percent sign is doubled.
    format!("{KEY}\"{}\"", store.replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_has_its_line_and_goes_alone() {
        let one = add(None, "/var/images");
        assert_eq!(one, format!("{HEADER}RequiresMountsFor=\"/var/images\"\n"));
        let two = add(Some(&one), "/srv/50 %");
        assert_eq!(two, format!("{one}RequiresMountsFor=\"/srv/50 %%\"\n"));
        assert_eq!(add(Some(&two), "/var/images"), two, "it is there now");
        assert_eq!(remove(&two, "/srv/50 %").as_ref(), Some(&one));
        assert_eq!(remove(&one, "/srv/50 %").as_ref(), Some(&one));
        assert_eq!(remove(&one, "/var/images"), None);
    }

    #[test]
    fn what_the_operator_wrote_stays() {
        let own = "[Unit]\nAfter=srv.mount\n[Service]\nNice=5\n";
        let with = add(Some(own), "/a");
        assert_eq!(with, "[Unit]\nRequiresMountsFor=\"/a\"\nAfter=srv.mount\n[Service]\nNice=5\n");
        assert_eq!(remove(&with, "/a").as_deref(), Some(own));
        assert_eq!(
            add(Some("[Service]\nNice=5\n"), "/a"),
            "[Service]\nNice=5\n[Unit]\nRequiresMountsFor=\"/a\"\n"
        );
    }
}
