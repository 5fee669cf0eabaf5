//! Failures of one cause, told once with the names that they befell.

/// Names of a group that are told; the others are counted.
const NAMED: usize = 3;

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Befallen {
    /// What failed, as it is told.
    pub name: String,
    /// The same as the reason may name it.
    pub object: String,
    /// Why.
    pub reason: String,
}

impl Befallen {
    /// The reason as it would read of another object: what stands before its name, and after it.
    fn cause(&self) -> (&str, &str) {
        self.reason.split_once(&self.object).unwrap_or(("", &self.reason))
    }
}

/// One line for each cause, in the order in which they came.
pub fn told(failures: &[Befallen]) -> Vec<String> {
    let mut groups: Vec<Vec<&Befallen>> = Vec::new();
    for failure in failures {
        match groups.iter_mut().find(|group| group[0].cause() == failure.cause()) {
            Some(group) => group.push(failure),
            None => groups.push(vec![failure]),
        }
    }
    groups.iter().map(|group| line(group)).collect()
}

fn line(group: &[&Befallen]) -> String {
    let first = group[0];
    if group.len() == 1 {
        return format!("{}: {}", first.name, first.reason);
    }
    let names: Vec<&str> = group.iter().take(NAMED).map(|failure| &*failure.name).collect();
    let more = match group.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (before, after) = first.cause();
    let cause = format!("{}{after}", before.trim_end());
    format!("{} references: {} ({}{more})", group.len(), cause.trim_start(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, reason: &str) -> Befallen {
        let object = format!("docker.io/library/{name}");
        Befallen { name: name.to_owned(), reason: reason.replace("{}", &object), object }
    }

    #[test]
    fn equal_causes_are_one_line_with_the_first_names_and_a_count() {
        let dns = "cannot read the manifest {}: the host name does not resolve: registry-1.docker.io";
        let gone = "cannot read the manifest {}: not found (HTTP 404)";
        let failures: Vec<Befallen> = ["a:1", "b:1", "c:1", "d:1", "e:1"]
            .map(|name| of(name, dns))
            .into_iter()
            .chain([of("f:1", gone)])
            .collect();
        let said = told(&failures);
        assert_eq!(
            said,
            [
                "5 references: cannot read the manifest: the host name does not resolve: registry-1.docker.io \
                 (a:1, b:1, c:1 and 2 more)",
                "f:1: cannot read the manifest docker.io/library/f:1: not found (HTTP 404)",
            ]
        );
        assert_eq!(told(&failures[..2])[0].matches("more").count(), 0);
        // A reason that names nothing.
        let bare = ["a:1", "b:1"].map(|name| of(name, "refused"));
        assert_eq!(told(&bare), ["2 references: refused (a:1, b:1)"]);
        assert!(told(&[]).is_empty());
    }
}
