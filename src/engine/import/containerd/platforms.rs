//! Which manifest of an index goes into a containerd: the one that was asked for, else the one that it takes on its node.

use crate::domain::platform::Platform;

/// Which platforms are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The one that was asked for; of its variants all, where none was named.
    Asked(Platform),
    /// What a node runs, best first.
    Node(Vec<Platform>),
}

impl Wanted {
    /// The one that was asked for, or what a node runs.
    pub(super) fn new(asked: Option<&Platform>, node: Platform) -> Self {
        asked.map_or_else(|| Self::Node(runs(node)), |asked| Self::Asked(asked.clone()))
    }

    /// The one that there should be.
    pub(super) fn first(&self) -> Option<&Platform> {
        match self {
            Self::Asked(asked) => Some(asked),
            Self::Node(all) => all.first(),
        }
    }

    /// The places of all that were asked for, or of the one that containerd takes on the node: the first of the best.
    pub(super) fn choose(&self, offered: impl Iterator<Item = Option<Platform>>) -> Vec<usize> {
        let offered: Vec<_> = offered.collect();
        let place = |takes: &dyn Fn(&Platform) -> bool| {
            let known = offered.iter().enumerate().filter_map(|(at, offer)| Some((at, offer.as_ref()?)));
            known.filter(|(_, offer)| takes(offer)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        match self {
            Self::Asked(asked) => place(&|offer| asked.accepts(offer)),
            Self::Node(all) => {
                let first = all.iter().find_map(|runs| place(&|offer| runs.is(offer)).first().copied());
                first.into_iter().collect()
            }
        }
    }
}

/// What a node of a platform runs, best first, as containerd has it (its `platforms` package, "platformVector"): older
/// variants of the same architecture, then the one before it.
pub(in crate::engine::import) fn runs(node: Platform) -> Vec<Platform> {
    let variants = |architecture: &'static str, versions: std::ops::RangeInclusive<u8>| {
        let os = node.os.clone();
        versions.rev().map(move |version| Platform {
            os: os.clone(),
            architecture: architecture.to_owned(),
            variant: Some(format!("v{version}")),
        })
    };
    let number = |default| {
        let variant =
            node.variant.as_deref().and_then(|variant| variant.strip_prefix('v')?.parse::<u8>().ok());
        variant.unwrap_or(default)
    };
    let x86 = || Platform { os: node.os.clone(), architecture: "386".to_owned(), variant: None };
    let older: Vec<Platform> = match node.architecture.as_str() {
        "amd64" => variants("amd64", 1..=number(1).saturating_sub(1)).chain([x86()]).collect(),
        "arm" => variants("arm", 5..=number(7).saturating_sub(1)).collect(),
        "arm64" => variants("arm", 5..=8).collect(),
        _ => Vec::new(),
    };
    std::iter::once(node.clone()).chain(older).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platforms(texts: &[&str]) -> Vec<Option<Platform>> {
        texts.iter().map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn on_a_node_the_manifest_is_the_one_that_containerd_takes() {
        for (node, offered, chosen) in [
            ("linux/amd64", vec!["linux/arm64", "linux/amd64", "linux/386"], Some(1)),
            ("linux/amd64", vec!["linux/arm64", "linux/386"], Some(1)),
            ("linux/amd64", vec!["linux/amd64/v3", "linux/amd64"], Some(1)),
            ("linux/amd64", vec!["linux/amd64/v3", "linux/amd64/v1"], Some(1)),
            ("linux/amd64", vec!["linux/amd64/v3"], None),
            ("linux/amd64/v3", vec!["linux/amd64", "linux/amd64/v4", "linux/amd64/v2"], Some(2)),
            ("linux/amd64/v3", vec!["linux/386", "linux/amd64"], Some(1)),
            ("linux/amd64", vec!["linux/arm64", "windows/amd64"], None),
            ("linux/amd64", vec!["linux/amd64", "linux/amd64"], Some(0)),
            ("linux/arm64", vec!["linux/arm/v7", "linux/arm64/v8"], Some(1)),
            ("linux/arm64/v8", vec!["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], Some(2)),
            ("linux/arm64", vec!["linux/arm"], Some(0)),
            ("linux/arm/v7", vec!["linux/arm/v6", "linux/arm/v7", "linux/arm64"], Some(1)),
            ("linux/arm/v7", vec!["linux/arm/v5", "linux/arm/v6"], Some(1)),
            ("linux/arm/v6", vec!["linux/arm/v7", "linux/arm/v5"], Some(1)),
            ("linux/arm/v6", vec!["linux/arm"], None),
            ("linux/arm", vec!["linux/arm/v6", "linux/arm/v7"], Some(1)),
            ("linux/riscv64", vec!["linux/amd64", "linux/riscv64"], Some(1)),
        ] {
            let wanted = Wanted::new(None, node.parse().unwrap());
            let chosen: Vec<usize> = chosen.into_iter().collect();
            assert_eq!(wanted.choose(platforms(&offered).into_iter()), chosen, "{node} {offered:?}");
        }
        let wanted = Wanted::new(None, Platform::host());
        assert_eq!(wanted.choose([None].into_iter()), Vec::<usize>::new());
        assert_eq!(wanted.first(), Some(&Platform::host()));
    }

    #[test]
    fn what_was_asked_for_is_taken_whatever_the_node_is() {
        for (asked, offered, chosen) in [
            ("linux/arm/v7", vec!["linux/amd64", "linux/arm/v6", "linux/arm/v7"], vec![2]),
            ("linux/arm", vec!["linux/arm/v6", "linux/arm/v7"], vec![0, 1]),
            ("linux/arm64", vec!["linux/arm/v7"], vec![]),
        ] {
            let wanted = Wanted::new(Some(&asked.parse().unwrap()), Platform::host());
            assert_eq!(wanted.choose(platforms(&offered).into_iter()), chosen, "{asked} {offered:?}");
        }
    }
}
