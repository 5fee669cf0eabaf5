//! The real images of the registry that `corpus.sh` fills, below `library/`.

/// All of them; from the ninth on they are that busybox in other forms.
pub(crate) const CORPUS: &[&str] = &[
    "debian:12",
    "python:3.11",
    "nginx:1.22",
    "redis:7.0",
    "postgres:15",
    "node:18",
    "gcc:12",
    "busybox:1.35",
    "busybox:latest",
    "busybox:v2s2",
    "busybox:multi",
    "busybox-zstd:1.35",
];
