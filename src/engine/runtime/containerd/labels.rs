//! Labels of blobs: which of them are lists, which keep others from being collected, and how ours are added to those that are there.

use std::collections::BTreeSet;

use super::Labels;

/// What the label of a blob's origin begins with; the registry follows.
pub const SOURCE: &str = "containerd.io/distribution.source.";
/// What the labels begin with that keep other blobs from being collected (containerd's garbage-collection.md).
pub const REFERENCE: &str = "containerd.io/gc.ref.content";
/// Bytes of key and value of a label together, at most.
const LONGEST: usize = 4096;

/// Adds labels to others; what keeps something from being collected stays as it is there, and where a blob came from is a list, as containerd keeps it.
pub fn merge(labels: &mut Labels, more: &Labels) {
    for (key, value) in more {
        let there = labels.entry(key.clone()).or_insert_with(|| value.clone());
        if key.starts_with(REFERENCE) {
            // What others hold by it must not become garbage.
        } else if !key.starts_with(SOURCE) {
            there.clone_from(value);
        } else {
            let all: BTreeSet<&str> = there.split(',').chain(value.split(',')).collect();
            let all = all.into_iter().collect::<Vec<_>>().join(",");
            // A label that containerd refuses as too long would keep the blob away.
            if key.len() + all.len() <= LONGEST {
                *there = all;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_blob_is_a_list_and_other_labels_are_replaced() {
        let labels = |source: &str, other: &str| {
            Labels::from([
                (format!("{SOURCE}quay.io"), source.to_owned()),
                ("x".to_owned(), other.to_owned()),
            ])
        };
        for (there, more, merged) in [
            ("b/c", "a/b", "a/b,b/c"),
            ("a/b,b/c", "b/c", "a/b,b/c"),
            ("a/b", "a/b", "a/b"),
            ("a/b,b/c", "a/b,b/c", "a/b,b/c"),
            ("a/b,b/c", "c/d,a/b", "a/b,b/c,c/d"),
            ("b/c,b/c", "b/c", "b/c"),
        ] {
            let mut all = labels(there, "1");
            merge(&mut all, &labels(more, "2"));
            assert_eq!(all, labels(merged, "2"));
        }
        let mut long = labels(&"a".repeat(4000), "1");
        merge(&mut long, &labels(&"b".repeat(100), "1"));
        assert_eq!(long, labels(&"a".repeat(4000), "1"), "a label has its limit");
    }

    #[test]
    fn what_keeps_a_blob_from_being_collected_is_never_taken_over() {
        let of = |key: &str, value: &str| Labels::from([(format!("{REFERENCE}.{key}"), value.to_owned())]);
        let mut all = of("m.0", "another child");
        merge(&mut all, &of("m.0", "ours"));
        merge(&mut all, &of("m.abc", "ours"));
        assert_eq!(all, [of("m.0", "another child"), of("m.abc", "ours")].into_iter().flatten().collect());
    }
}
