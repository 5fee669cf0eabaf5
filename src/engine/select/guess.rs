//! Texts that look like images without being called so: in arguments, variables, annotations and embedded files.

use crate::domain::reference::Reference;

/// Keys below which a name without a registry counts as well.
pub(super) fn is_loose(key: &str) -> bool {
    let plain = matches!(key, "env" | "args" | "command" | "annotations" | "data" | "entrypoint" | "value");
    plain || key.to_ascii_lowercase().ends_with("image")
}

/// Whether a value is filled in by some other program.
pub(super) fn is_template(value: &str) -> bool {
    value.contains("{{") || value.contains("${") || value.contains("$(")
}

/// Words of a text that look like images, with their line in it from 0. `loose`: names without a registry, too.
pub(super) fn in_text(text: &str, loose: bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in line.split(|c: char| c.is_whitespace() || "=\"'`,;()[]{}<>|".contains(c)) {
            let word = word.strip_prefix("docker://").unwrap_or(word).trim_end_matches(['.', ':', '/']);
            if looks_like_image(word, loose) {
                found.push((number, word.to_owned()));
            }
        }
    }
    if text.contains('\n') {
        let more = image_lines(text).into_iter().map(|(line, image)| (line - 1, image));
        found.extend(more.filter(|(_, image)| image.contains([':', '/'])));
        found.sort();
        found.dedup();
    }
    found
}

/// A name with a registry and a tag or digest; where `loose`, one with a slash and a tag that looks like a version.
fn looks_like_image(word: &str, loose: bool) -> bool {
    if word.len() > 512 || !word.contains([':', '@']) || word.contains("://") {
        return false;
    }
    let Ok((reference, implied)) = Reference::parse(word) else { return false };
    if reference.digest().is_some() {
        return true;
    }
    let Some(tag) = reference.tag().filter(|_| !implied.tag) else { return false };
    if !implied.host {
        return host_is_plausible(reference.host());
    }
    let version = tag.strip_prefix('v').unwrap_or(tag).starts_with(|c: char| c.is_ascii_digit());
    // `name:8080` is an address far more often than an image.
    let port = tag.len() > 1 && tag.bytes().all(|b| b.is_ascii_digit());
    let named = word.contains('/') || tag.contains('.') || tag == "latest";
    loose && named && !port && (version || tag == "latest")
}

/// A domain, an address, or a host with a port; not `1.2/x` or `a.b/c` of some other grammar.
fn host_is_plausible(host: &str) -> bool {
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let last = name.rsplit('.').next().unwrap_or("");
    let domain = last.len() >= 2 && last.bytes().all(|b| b.is_ascii_alphabetic());
    !port.is_empty() || name == "localhost" || domain || name.parse::<std::net::IpAddr>().is_ok()
}

/// `image:` lines of a text that may not be YAML, with their line from 1 and the reference where the value is one.
pub(super) fn image_lines(text: &str) -> Vec<(usize, String)> {
    image_values(text)
        .filter(|(_, value)| value.parse::<Reference>().is_ok())
        .map(|(line, value)| (line, value.to_owned()))
        .collect()
}

/// The values of `image:` lines, unquoted, with their line from 1.
pub(super) fn image_values(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(number, line)| {
        let line = line.trim_start().trim_start_matches("- ").trim_start_matches('"');
        let value = line.strip_prefix("image")?.trim_start_matches('"').strip_prefix(':')?;
        let value = value.split(" #").next().unwrap_or(value).trim().trim_end_matches(',');
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then_some((number + 1, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_from_addresses_paths_and_other_words() {
        let digest = format!("quay.io/a/b@sha256:{}", "a".repeat(64));
        for (word, strict, loose) in [
            ("registry.k8s.io/pause:3.9", true, true),
            ("localhost:5000/a/b:v1", true, true),
            ("10.0.0.1:5000/a:1", true, true),
            (digest.as_str(), true, true),
            ("library/busybox:1.35", false, true),
            ("busybox:1.35", false, true),
            ("grafana/grafana:latest", false, true),
            ("localhost:8080", false, false),
            ("my-service:8080", false, false),
            ("10.0.0.1:80", false, false),
            ("https://quay.io/a/b:1", false, false),
            ("/var/lib/x:/y", false, false),
            ("apps/v1", false, false),
            ("system:node:x", false, false),
            ("key:value", false, false),
            ("example.com/path", false, false),
            ("v1.2/x:1", false, false),
        ] {
            assert_eq!(looks_like_image(word, false), strict, "{word} strict");
            assert_eq!(looks_like_image(word, true), loose, "{word} loose");
        }
    }

    #[test]
    fn words_are_found_in_flags_and_embedded_files_with_their_line() {
        assert_eq!(
            in_text("--sidecar=quay.io/a/b:1 --x docker://docker.io/a/b:2.", false),
            [(0, "quay.io/a/b:1".to_owned()), (0, "docker.io/a/b:2".to_owned())]
        );
        let embedded = "spec:\n  - image: \"busybox:1.35\" # x\n  image: plain\n";
        assert_eq!(in_text(embedded, false), [(1, "busybox:1.35".to_owned())]);
    }
}
