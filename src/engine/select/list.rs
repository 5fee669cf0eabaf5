//! List files: one reference per line, `#` comments; also what `kubeadm config images list` prints and `k3s-images.txt`.

use crate::domain::listed::{named, parts, reason};
use crate::domain::reference::Reference;
use crate::domain::selection::{Candidate, Origin, Selection};

/// Reads a list. A line that is no reference is a problem with its number; the others count all the same.
pub fn parse(bytes: &[u8], name: &str) -> Selection {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut selection = Selection::default();
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let origin = || Origin::line(name, number + 1);
        let Ok(line) = std::str::from_utf8(line) else {
            selection.problem(origin(), "the line is not UTF-8 text");
            continue;
        };
        let Some(text) = named(line) else { continue };
        let (written, from) = parts(line);
        let origin = from.map_or_else(origin, Origin::named);
        match (Reference::parse(text), from.and_then(|from| reason(written, from))) {
            (Ok(_), _) => selection.candidates.push(Candidate::sure(text, origin)),
            // A place in another file, of which nothing could be read.
            (Err(_), Some(reason)) => selection.problem(origin, reason),
            (Err(error), None) => selection.misnamed(origin, text, error.to_string()),
        }
    }
    if selection.candidates.is_empty() && selection.problems.is_empty() {
        selection.problem(Origin::named(name), "the list names no image");
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(selection: &Selection) -> Vec<(&str, u64)> {
        selection.candidates.iter().map(|c| (c.text.as_str(), c.origin.line.unwrap())).collect()
    }

    #[test]
    fn comments_carriage_returns_a_bom_and_spaces_are_no_part_of_a_name() {
        let text = "\u{feff}# images\r\nnginx:1.25.3  \r\n\r\n\tquay.io/a/b:1 # web\nbusybox";
        let selection = parse(text.as_bytes(), "list");
        assert_eq!(texts(&selection), [("nginx:1.25.3", 2), ("quay.io/a/b:1", 4), ("busybox", 5)]);
        assert_eq!(selection.problems, []);
    }

    #[test]
    fn what_kubeadm_prints_is_a_list() {
        let text = "W1120 10:00:00.123456    4242 version.go:104] could not fetch a Kubernetes version\n\
                    registry.k8s.io/kube-apiserver:v1.31.2\n[config/images] Pulled registry.k8s.io/pause:3.10\n";
        let selection = parse(text.as_bytes(), "kubeadm-images.txt");
        assert_eq!(
            texts(&selection),
            [("registry.k8s.io/kube-apiserver:v1.31.2", 2), ("registry.k8s.io/pause:3.10", 3)]
        );
        assert_eq!(selection.problems, []);
    }

    #[test]
    fn a_bad_line_is_named_with_its_number_and_does_not_hide_the_others() {
        let list = b"nginx:1\nhttp://x/y\nb\xffd\n- image: redis:7\nnginx redis\n";
        let selection = parse(list, "my/list.txt");
        assert_eq!(texts(&selection), [("nginx:1", 1), ("redis:7", 4)]);
        let at: Vec<_> = selection.problems.iter().map(|p| p.origin.to_string()).collect();
        assert_eq!(at, ["my/list.txt:2", "my/list.txt:3", "my/list.txt:5"]);
    }

    #[test]
    fn a_line_that_says_where_it_came_from_is_told_by_that() {
        let text = "redis:7  # from /x/redis.yml:3\nUPPER:x  # from web.txt:2\n/x/b.yml:4: a template  # from /x/b.yml:4\n";
        let selection = parse(text.as_bytes(), "images.txt");
        assert_eq!(selection.candidates[0].origin.to_string(), "/x/redis.yml:3");
        let told: Vec<_> = selection.problems.iter().map(|p| format!("{}: {}", p.origin, p.reason)).collect();
        assert!(told[0].starts_with("web.txt:2: \"UPPER:x\" is not an image reference"), "{told:?}");
        assert_eq!(told[1], "/x/b.yml:4: a template");
    }

    #[test]
    fn an_empty_list_is_said() {
        for text in ["", "\n\n", "# nothing\n"] {
            assert_eq!(parse(text.as_bytes(), "l").problems.len(), 1, "{text:?}");
        }
    }
}
