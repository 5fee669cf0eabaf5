//! Lines of lists as people have them: what of a line names an image, without comments and what other tools put around it.

/// In front of what `kubeadm config images pull` prints.
const PULLED: &str = "[config/images] Pulled ";
/// In front of what skopeo and podman are given.
const TRANSPORT: &str = "docker://";

/// Stands between a name and where it came from, in lists that the workstation writes: a comment to everybody else.
const FROM: &str = "  # from ";

/// Where a name came from that was typed or pasted.
pub const TYPED: &str = "typed here";
/// The same, before the number of a line among several.
const TYPED_LINE: &str = "typed here, line ";
/// Where a line came from of which a kept list does not say it.
pub const KEPT: &str = "the list of last time";

/// The origin of a line that was typed or pasted.
pub fn typed(line: usize) -> String {
    format!("{TYPED_LINE}{line}")
}

/// Where a name came from that another workstation had on its list.
pub const ELSEWHERE: &str = "another workstation";
/// The same, before where it had that from.
const AND: &str = "another workstation, ";

/// What an origin was for another workstation: nothing where that is not known.
pub fn was_elsewhere(origin: &str) -> Option<&str> {
    if origin == ELSEWHERE { Some("") } else { origin.strip_prefix(AND) }
}

/// The origin of what came from another workstation, which may have had it from somewhere.
pub fn elsewhere(origin: Option<&str>) -> String {
    match origin {
        Some(origin) if was_elsewhere(origin).is_some() => origin.to_owned(),
        Some(origin) => format!("{AND}{origin}"),
        None => ELSEWHERE.to_owned(),
    }
}

/// A line of a list that says where its name came from.
pub fn from(name: &str, origin: &str) -> String {
    format!("{name}{FROM}{origin}")
}

/// What of a line names an image or was meant to, and where that came from, where the line says so.
pub fn parts(line: &str) -> (&str, Option<&str>) {
    match line.split_once(FROM) {
        Some((name, origin)) if is_place(origin.trim()) => (name.trim(), Some(origin.trim())),
        _ => (line.trim(), None),
    }
}

/// Whether it is a line of a file or of what was typed, a registry that was browsed, a kept list or another workstation:
/// the comments of people say other things.
fn is_place(origin: &str) -> bool {
    let place = was_elsewhere(origin).unwrap_or(origin);
    let is_number = |line: &str| line.parse::<u64>().is_ok();
    let line = place.rsplit_once(':').is_some_and(|(file, line)| !file.is_empty() && is_number(line))
        || place.strip_prefix(TYPED_LINE).is_some_and(is_number);
    line || place.starts_with("browsing ") || place == KEPT || origin == ELSEWHERE
}

/// Why a line could not be read that stands for a place in a file, `PLACE: REASON`.
pub fn reason<'a>(name: &'a str, origin: &str) -> Option<&'a str> {
    name.strip_prefix(origin)?.strip_prefix(": ")
}

/// What of a line names an image; nothing in blank lines, comments and log lines.
pub fn named(line: &str) -> Option<&str> {
    let line = line.trim();
    let line = line.strip_prefix(PULLED).unwrap_or(line);
    let comment = line.find('#').filter(|at| *at == 0 || line[..*at].ends_with([' ', '\t']));
    let line = comment.map_or(line, |at| &line[..at]).trim();
    (!line.is_empty() && !is_log_line(line)).then(|| bare(line))
}

/// Without what stands around a name in YAML, `- image: "name"`, and without the transport.
fn bare(line: &str) -> &str {
    let item = after(line, "-").unwrap_or(line);
    let value = after(item, "image:").unwrap_or(item);
    let quoted = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
    value.strip_prefix(TRANSPORT).unwrap_or(value)
}

/// What follows a word and blanks.
fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim_start)
}

/// `W1120 01:02:03.000000   1 version.go:104] …`, as Kubernetes programs log.
fn is_log_line(line: &str) -> bool {
    let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
    let digits = head.get(1..).unwrap_or("");
    head.starts_with(['I', 'W', 'E', 'F'])
        && digits.len() == 4
        && digits.bytes().all(|b| b.is_ascii_digit())
        && rest.contains(".go:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_what_other_tools_write_around_it() {
        for (line, expected) in [
            ("nginx:1", Some("nginx:1")),
            ("  nginx:1 # web", Some("nginx:1")),
            ("docker://quay.io/a/b:1", Some("quay.io/a/b:1")),
            ("- quay.io/a/b:1", Some("quay.io/a/b:1")),
            ("image: quay.io/a/b:1", Some("quay.io/a/b:1")),
            ("  - image: 'quay.io/a/b:1'  # web", Some("quay.io/a/b:1")),
            ("-\timage:  \"quay.io/a/b:1\"", Some("quay.io/a/b:1")),
            ("- docker://quay.io/a/b:1", Some("quay.io/a/b:1")),
            ("[config/images] Pulled registry.k8s.io/pause:3.10", Some("registry.k8s.io/pause:3.10")),
            ("W1120 10:00:00.123456    4242 version.go:104] could not fetch", None),
            ("# nginx:1", None),
            ("   ", None),
        ] {
            assert_eq!(named(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_says_where_its_name_came_from_and_why_there_is_none() {
        let line = from("nginx:1", "/x/web.yml:4");
        assert_eq!((parts(&line), named(&line)), (("nginx:1", Some("/x/web.yml:4")), Some("nginx:1")));
        for origin in [elsewhere(None), elsewhere(Some("/x/web.yml:4")), elsewhere(Some("browsing h"))] {
            let line = from("nginx:1", &origin);
            assert_eq!((parts(&line), named(&line)), (("nginx:1", Some(origin.as_str())), Some("nginx:1")));
            assert_eq!(elsewhere(Some(&origin)), origin, "it is said once");
        }
        assert_eq!(was_elsewhere("another workstation, /x/web.yml:4"), Some("/x/web.yml:4"));
        for origin in [typed(3), KEPT.to_owned(), elsewhere(Some(&typed(3)))] {
            assert_eq!(parts(&from("rubbish here", &origin)), ("rubbish here", Some(origin.as_str())));
        }
        for comment in ["nginx:1 # mine", "nginx:1  # from the platform team", "nginx:1  # from us: ask"] {
            assert_eq!((parts(comment), named(comment)), ((comment, None), Some("nginx:1")));
        }
        assert_eq!(parts(&from("nginx:1", "")), ("nginx:1  # from", None), "a comment that says nothing");
        let line = from("/x/web.yml:4: a template", "/x/web.yml:4");
        let (name, origin) = parts(&line);
        assert_eq!(reason(name, origin.unwrap()), Some("a template"));
        assert_eq!(reason("UPPER:x", "/x/web.yml:4"), None);
    }

    #[test]
    fn what_is_not_around_a_name_is_left_to_be_refused() {
        for line in [
            "skopeo copy docker://c:1 dir:c",
            "http://x/y",
            "oci:dir",
            "image:1.0",
            "-nginx:1",
            "\"nginx:1'",
            "image:",
            "nginx:1#web",
        ] {
            assert_eq!(named(line), Some(line));
        }
    }
}
