//! An additional image store in the text of a `storage.conf`: put in or taken out, and not another byte changed.

use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// Where the list is.
const PATH: [&str; 2] = ["storage", "options"];
const KEY: &str = "additionalimagestores";

/// A file for a node that has none: what root's containers/storage is set to without one.
pub const FRESH: &str = "# See containers-storage.conf(5).\n[storage]\ndriver = \"overlay\"\nrunroot = \"/run/containers/storage\"\n\
                         graphroot = \"/var/lib/containers/storage\"\n";

/// A file for a user who has none, where the system has none either: places are left to be found by the library.
pub const FRESH_USER: &str = "# See containers-storage.conf(5).\n[storage]\ndriver = \"overlay\"\n";

/// The text of the system's file as a user's own, which is read in its place: without the places of root's images.
///
/// # Errors
/// In words: no TOML.
pub fn for_user(text: &str) -> Result<String, String> {
    let mut document = parse(text)?;
    if let Some(storage) = document.get_mut(PATH[0]).and_then(Item::as_table_like_mut) {
        for key in ["graphroot", "runroot", "imagestore"] {
            storage.remove(key);
        }
    }
    Ok(document.to_string())
}

/// Whether the text says anything of additional stores.
///
/// # Errors
/// In words: no TOML.
pub fn names_stores(text: &str) -> Result<bool, String> {
    let document = parse(text)?;
    let mut item = Some(document.as_item());
    for part in PATH.into_iter().chain([KEY]) {
        item = item.and_then(|item| item.as_table_like()).and_then(|table| table.get(part));
    }
    Ok(item.is_some())
}

/// The text with a store at the end of the list; nothing where it is in it.
///
/// # Errors
/// In words: no TOML, or a list that is none.
pub fn add(text: &str, store: &str) -> Result<Option<String>, String> {
    let mut document = parse(text)?;
    let mut table: &mut Table = document.as_table_mut();
    for part in PATH {
        let made = || {
            let mut table = Table::new();
            // `[storage]` alone is not written where only `[storage.options]` has something in it.
            table.set_implicit(part == PATH[0]);
            Item::Table(table)
        };
        let item = table.entry(part).or_insert_with(made);
        table = item.as_table_mut().ok_or_else(|| format!("{part} is no table with a header of its own"))?;
    }
    let list = table.entry(KEY).or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let list = list.as_array_mut().ok_or_else(|| format!("{KEY} is no list"))?;
    if list.iter().any(|one| same(one, store)) {
        return Ok(None);
    }
    push(list, store);
    Ok(Some(document.to_string()))
}

/// The text without a store; nothing where it is not in it. A list that it was alone in goes too, where it was made for it.
///
/// # Errors
/// As [`add`].
pub fn remove(text: &str, store: &str) -> Result<Option<String>, String> {
    Ok(match without_list(text, store) {
        Some(former) => Some(former),
        None => without_entry(text, store)?,
    })
}

/// Whether to enter a store into a text gives another one, byte by byte.
pub fn leads(before: &str, store: &str, after: &str) -> bool {
    add(before, store).ok().flatten().as_deref() == Some(after)
}

/// The text without the list and, where nothing else is in it, its table.
fn without_list(text: &str, store: &str) -> Option<String> {
    let mut bare = parse(text).ok()?;
    let options = bare.get_mut(PATH[0])?.get_mut(PATH[1])?.as_table_like_mut()?;
    options.remove(KEY)?;
    let last = options.is_empty();
    let mut barer = bare.clone();
    if last {
        barer.get_mut(PATH[0])?.as_table_like_mut()?.remove(PATH[1]);
    } else if let Some(options) = barer.get_mut(PATH[0])?.get_mut(PATH[1])?.as_table_mut() {
        // Other tables in it may have been there without its header.
        options.set_implicit(true);
    }
    [barer, bare].into_iter().map(|one| one.to_string()).find(|former| leads(former, store, text))
}

fn without_entry(text: &str, store: &str) -> Result<Option<String>, String> {
    let mut document = parse(text)?;
    let mut item = document.as_item_mut();
    for part in PATH.into_iter().chain([KEY]) {
        let Some(inner) = item.as_table_like_mut().and_then(|table| table.get_mut(part)) else {
            return Ok(None);
        };
        item = inner;
    }
    let list = item.as_array_mut().ok_or_else(|| format!("{KEY} is no list"))?;
    let Some(at) = list.iter().position(|one| same(one, store)) else { return Ok(None) };
    let removed = list.remove(at);
    let before = removed.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
    if before.contains('#') {
        // A comment before it is that of the entry above, or of nobody: it stays where it is.
        let kept = before.rsplit_once('\n').map_or(before.as_str(), |(lines, _)| lines).to_owned();
        match list.get_mut(at) {
            Some(next) => {
                let prefix = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
                let prefix = format!("{kept}{prefix}");
                next.decor_mut().set_prefix(prefix);
            }
            None => {
                let trailing = list.trailing().as_str().unwrap_or_default().to_owned();
                list.set_trailing(format!("{kept}{trailing}"));
            }
        }
    } else if let Some(first) = list.get_mut(0).filter(|_| at == 0 && !before.contains('\n')) {
        // What stood before the removed one is not its successor's.
        first.decor_mut().set_prefix(before);
    }
    Ok(Some(document.to_string()))
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())
}

fn same(value: &Value, store: &str) -> bool {
    let text = |path: &str| path.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    value.as_str().is_some_and(|one| text(one) == text(store))
}

/// Whether each entry stands on a line of its own.
fn list_is_tall(list: &Array) -> bool {
    let prefix = |value: &Value| value.decor().prefix().and_then(|prefix| prefix.as_str()).map(str::to_owned);
    list.iter().filter_map(prefix).any(|prefix| prefix.contains('\n'))
}

/// Appends in the form of the entries before.
fn push(list: &mut Array, store: &str) {
    let mut value = Value::from(store);
    if list_is_tall(list) {
        let prefixes: Vec<&str> = list.iter().filter_map(|one| one.decor().prefix()?.as_str()).collect();
        let indent = prefixes.iter().find_map(|prefix| {
            let (_, indent) = prefix.rsplit_once('\n')?;
            indent.chars().all(char::is_whitespace).then(|| indent.to_owned())
        });
        // What follows the last entry, a comment perhaps, stays with it only where a comma ends that.
        let trailing = list.trailing().as_str().unwrap_or_default().to_owned();
        let kept = if list.trailing_comma() { trailing.trim_end().to_owned() } else { String::new() };
        *value.decor_mut() =
            toml_edit::Decor::new(format!("{kept}\n{}", indent.unwrap_or_else(|| "  ".to_owned())), "");
        if list.trailing_comma() {
            list.set_trailing("\n");
        }
        list.push_formatted(value);
    } else {
        list.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "/var/images";

    #[test]
    fn only_the_list_changes_and_what_stands_there_stays() {
        for (before, after) in [
            (
                "# mine\n[storage]\n  driver = \"overlay\" # native\n\n[storage.options]\n# kept for ock\nadditionalimagestores = [ \"/usr/ock/containers\" ]  # do not touch\npull_options = {use_hard_links = \"false\"}\n",
                "# mine\n[storage]\n  driver = \"overlay\" # native\n\n[storage.options]\n# kept for ock\nadditionalimagestores = [ \"/usr/ock/containers\" , \"/var/images\"]  # do not touch\npull_options = {use_hard_links = \"false\"}\n",
            ),
            (
                "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [\n  # ock\n  \"/usr/ock/containers\", # keep\n]\n[storage.options.overlay]\nmountopt = \"nodev\"\n",
                "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [\n  # ock\n  \"/usr/ock/containers\", # keep\n  \"/var/images\",\n]\n[storage.options.overlay]\nmountopt = \"nodev\"\n",
            ),
            (
                "[storage]\ndriver = \"overlay\"\n",
                "[storage]\ndriver = \"overlay\"\n\n[storage.options]\nadditionalimagestores = [\"/var/images\"]\n",
            ),
            (
                "[storage.options]\nadditionalimagestores = [\n]\n",
                "[storage.options]\nadditionalimagestores = [\"/var/images\"\n]\n",
            ),
        ] {
            let edited = add(before, STORE).unwrap().unwrap();
            assert_eq!(edited, after);
            assert_eq!(add(&edited, "/var//images/").unwrap(), None, "it is there now");
            let undone = remove(&edited, STORE).unwrap().unwrap();
            let read = |text: &str| super::super::conf::parse(text).unwrap().additional;
            assert_eq!(read(&undone), read(before));
            assert_eq!(undone.matches('#').count(), before.matches('#').count(), "comments stay: {undone}");
            assert_eq!(remove(&undone, STORE).unwrap(), None);
        }
    }

    #[test]
    fn a_list_that_was_made_for_the_store_goes_with_it_and_one_with_words_stays() {
        for before in [
            "",
            "[storage]\ndriver = \"overlay\"\n",
            "[storage]\ndriver = \"overlay\"\n[storage.options]\npull_options = {}\n[storage.options.overlay]\nmountopt = \"nodev\"\n",
            "[storage]\ndriver = \"overlay\"\n[storage.options.overlay]\nmountopt = \"nodev\"\n",
            "[storage.options]\n# ours\nadditionalimagestores = [] # none yet\n",
            FRESH,
            FRESH_USER,
        ] {
            let entered = add(before, STORE).unwrap().unwrap();
            assert!(leads(before, STORE, &entered) && !leads(before, "/srv", &entered));
            assert_eq!(remove(&entered, STORE).unwrap().as_deref(), Some(before));
        }
    }

    #[test]
    fn a_fresh_file_says_what_no_file_means() {
        let text = add(FRESH, STORE).unwrap().unwrap();
        let conf = super::super::conf::parse(&text).unwrap();
        assert_eq!(conf.additional, [std::path::PathBuf::from(STORE)]);
        assert_eq!(conf.driver, "overlay");
    }

    #[test]
    fn a_users_file_keeps_all_but_the_places_of_roots_images() {
        let system = "# the vendor's\n[storage]\ndriver = \"overlay\"\ngraphroot = \"/var/lib/containers/storage\"\n\
                      runroot = \"/run/containers/storage\"\n[storage.options]\nadditionalimagestores = [\"/usr/ock\"]\n";
        let text = for_user(system).unwrap();
        assert!(!text.contains("graphroot") && !text.contains("runroot"), "{text}");
        assert!(text.contains("# the vendor's") && text.contains("/usr/ock"), "{text}");
        assert!(for_user("[storage").is_err());
        let conf = super::super::conf::parse(&add(FRESH_USER, STORE).unwrap().unwrap()).unwrap();
        assert_eq!(conf.additional, [std::path::PathBuf::from(STORE)]);
        assert!(names_stores(system).unwrap() && !names_stores(FRESH_USER).unwrap());
    }

    #[test]
    fn what_cannot_be_edited_is_refused() {
        for bad in ["[storage", "storage = 3\n", "[storage.options]\nadditionalimagestores = \"/a\"\n"] {
            assert!(add(bad, STORE).is_err(), "{bad}");
        }
        assert!(remove("[storage.options]\nadditionalimagestores = 3\n", STORE).is_err());
        assert_eq!(remove("", STORE).unwrap(), None);
    }
}
