//! The configuration file: sparse, nothing in it is needed, nothing unknown in it is passed over.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::keymap::{Keymap, KeymapError};
use super::themes;
use crate::domain::access::RegistryOptions;

/// Bytes of a configuration or theme file that are read at most.
const MAX: u64 = 1 << 20;

/// What the operator set; the default where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A built-in theme, the name of `themes/NAME.toml` beside this file, or a file.
    pub theme: Option<String>,
    /// ASCII alone, whatever the terminal says it can.
    pub ascii: Option<bool>,
    /// Whether the mouse is listened to from the start.
    pub mouse: bool,
    /// Operation id → its keys.
    #[serde(deserialize_with = "lists")]
    pub keys: BTreeMap<String, Vec<String>>,
    registry: Access,
}

/// How registries are reached: names of the options, as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Access {
    #[serde(deserialize_with = "list")]
    plain_http: Vec<String>,
    #[serde(deserialize_with = "list")]
    insecure: Vec<String>,
    #[serde(deserialize_with = "list")]
    ca: Vec<PathBuf>,
    authfile: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is larger than any configuration.
    #[error("{}: expected at most {MAX} bytes, found {size}", .path.display())]
    Size {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Not TOML, with something unknown in it, or with keys that cannot be had.
    #[error("{}: {}", .path.display(), .mistakes.join("; "))]
    Mistakes {
        /// Which.
        path: PathBuf,
        /// All of them, each with its line.
        mistakes: Vec<String>,
    },
}

impl Config {
    /// The file at `path`; the default where it is not there, unless it was named. Whoever reads it, all of it has to be
    /// right; a theme that it names may be one of the files in `themes`, and `faults` tells of the files it names for
    /// registries which cannot be used, each with its option.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load<E: Display>(
        path: &Path,
        named: bool,
        themes: &Path,
        faults: impl Fn(&RegistryOptions) -> Vec<(&'static str, E)>,
    ) -> Result<(Self, Keymap), ConfigError> {
        let text = Self::text(path, named)?;
        let (config, mut mistakes, table) = parse(&text);
        let keys = Keymap::new(&config.keys).map_err(|errors| {
            mistakes.extend(errors.iter().map(|error| keys_mistake(error, &table, &text)));
        });
        let from = path.parent().unwrap_or_else(|| Path::new(""));
        mistakes.extend(faults(&config.registry(path)).into_iter().map(|(name, reason)| {
            let registry = table.get("registry").and_then(|registry| registry.get_ref().as_table());
            let key = registry.and_then(|registry| registry.get_key_value(name));
            let at = key.map_or(0, |(key, _)| key.span().start);
            (at, format!("{}: {reason}", place(at, &text)))
        }));
        let theme = config.theme.as_deref().map(|name| themes::named(name, from, themes));
        if let Some(Err(error)) = theme {
            let at = table.get_key_value("theme").map_or(0, |(key, _)| key.span().start);
            mistakes.push((at, format!("{}: {error}", place(at, &text))));
        }
        match keys {
            Ok(keys) if mistakes.is_empty() => Ok((config, keys)),
            _ => Err(refused(path, mistakes)),
        }
    }

    /// Nothing where it is not there, unless it was named.
    fn text(path: &Path, named: bool) -> Result<String, ConfigError> {
        match text(path) {
            Err(ConfigError::Read { source, .. })
                if !named && source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(String::new())
            }
            read => read,
        }
    }

    /// How registries are reached by the file at `path`, which this is: where files in it are named, it is seen from there.
    pub fn registry(&self, path: &Path) -> RegistryOptions {
        let Access { plain_http, insecure, ca, authfile } = self.registry.clone();
        let options = RegistryOptions { plain_http, insecure, ca, authfile };
        path.parent().map_or(options.clone(), |directory| options.within(directory))
    }
}

/// Where a mistake begins, in bytes, and what is said of it.
type Mistake = (usize, String);

/// What is right of a text, and all that is not: one mistake hides no other.
fn parse(text: &str) -> (Config, Vec<Mistake>, DeTable<'_>) {
    let (whole, unread) = DeTable::parse_recoverable(text);
    let mistake = |error: &Error| (error.span().map_or(0, |span| span.start), reason(error, text));
    let mut mistakes: Vec<Mistake> = unread.iter().map(mistake).collect();
    let table = whole.get_ref().clone();
    let mut rest = whole;
    loop {
        match Config::deserialize(Deserializer::from(rest.clone())) {
            Ok(config) => return (config, mistakes, table),
            Err(error) => {
                mistakes.push(mistake(&error));
                if !error.span().is_some_and(|span| take_out(rest.get_mut(), span.start)) {
                    return (Config::default(), mistakes, table);
                }
            }
        }
    }
}

/// A list of words; one alone is told how a list is written.
fn list<'de, D, W>(deserializer: D) -> Result<Vec<W>, D::Error>
where
    D: serde::Deserializer<'de>,
    W: From<String>,
{
    struct Words<W>(std::marker::PhantomData<W>);

    impl<'de, W: From<String>> Visitor<'de> for Words<W> {
        type Value = Vec<W>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of words in quotes")
        }

        fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Vec<W>, E> {
            Err(E::custom(format!("expected a list, written as [{word:?}]")))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<W>, A::Error> {
            let mut all = Vec::new();
            while let Some(word) = words.next_element::<String>()? {
                all.push(word.into());
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(Words(std::marker::PhantomData))
}

/// A table of such lists.
fn lists<'de, D>(deserializer: D) -> Result<BTreeMap<String, Vec<String>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    #[derive(Deserialize)]
    struct Words(#[serde(deserialize_with = "list")] Vec<String>);

    let lists = BTreeMap::<String, Words>::deserialize(deserializer)?;
    Ok(lists.into_iter().map(|(id, Words(words))| (id, words)).collect())
}

/// Takes the entry out that is written at that place; whether there is one.
fn take_out(table: &mut DeTable<'_>, at: usize) -> bool {
    let inner = |value: &mut DeValue<'_>| match value {
        DeValue::Table(table) => take_out(table, at),
        _ => false,
    };
    if table.iter_mut().any(|(_, value)| inner(value.get_mut())) {
        return true;
    }
    let here = |span: std::ops::Range<usize>| span.contains(&at);
    let found = table.iter().find(|(key, value)| here(key.span()) || here(value.span()));
    let key = found.map(|(key, _)| key.clone());
    key.is_some_and(|key| table.remove(&key).is_some())
}

/// What is wrong with the keys of an operation, at the line that gives them.
fn keys_mistake(error: &KeymapError, table: &DeTable<'_>, text: &str) -> Mistake {
    let keys = table.get("keys").and_then(|keys| keys.get_ref().as_table());
    let given = |id: &str| keys?.get_key_value(id).map(|(key, _)| key.span().start);
    match error.ids().into_iter().find_map(given) {
        Some(at) => (at, format!("{}: {error}", place(at, text))),
        None => (text.len(), error.to_string()),
    }
}

fn refused(path: &Path, mut mistakes: Vec<Mistake>) -> ConfigError {
    mistakes.sort();
    mistakes.dedup();
    ConfigError::Mistakes {
        path: path.to_owned(),
        mistakes: mistakes.into_iter().map(|(_, mistake)| mistake).collect(),
    }
}

/// What the parser says against a text, with the place, in one line: it goes where lines cannot be drawn.
pub(super) fn reason(error: &Error, text: &str) -> String {
    let message = error.message().lines().map(str::trim).filter(|line| !line.is_empty());
    let message = message.collect::<Vec<_>>().join("; ");
    match error.span() {
        Some(span) => format!("{}: {message}", place(span.start, text)),
        None => message,
    }
}

/// As in `line 3, column 1`.
fn place(at: usize, text: &str) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// The text of a small file.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::Size`].
pub fn text(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX {
        return Err(ConfigError::Size { path: path.to_owned(), size });
    }
    std::fs::read_to_string(path).map_err(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<(Config, Keymap), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path, true, dir.path(), unusable)
    }

    /// Takes each file that has a name with `none` in it for one that cannot be used.
    fn unusable(options: &RegistryOptions) -> Vec<(&'static str, String)> {
        let ca = options.ca.iter().map(|file| ("ca", file));
        let files = ca.chain(options.authfile.iter().map(|file| ("authfile", file)));
        let named = files.map(|(option, file)| (option, file.display().to_string()));
        named.filter(|(_, file)| file.contains("none")).collect()
    }

    #[test]
    fn an_empty_or_missing_file_is_the_default() {
        assert_eq!(load("").unwrap().0, Config::default());
        assert_eq!(
            Config::load(Path::new("/nonexistent/config.toml"), false, Path::new("/"), unusable).unwrap().0,
            Config::default()
        );
        assert!(Config::load(Path::new("/nonexistent/config.toml"), true, Path::new("/"), unusable).is_err());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_line() {
        let error = load("theme = \"mono\"\ncolour = \"red\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("colour"), "{error}");
        let error = load("[keys]\nquitt = [\"Q\"]\n").unwrap_err().to_string();
        assert!(error.contains("did you mean \"quit\""), "{error}");
    }

    #[test]
    fn all_mistakes_are_named_with_their_lines() {
        let text = "theme = 5\ncolour = \"red\"\n[keys]\nquitt = [\"Q\"]\nhelp = \"h\"\nzzz = []\n[registry]\nca = 1\n";
        let error = load(text).unwrap_err().to_string();
        let said: Vec<usize> = (1..=8).filter(|line| error.contains(&format!("line {line}, "))).collect();
        assert_eq!(said, [1, 2, 4, 5, 6, 8], "{error}");
        assert!(error.contains("\"zzz\"; airlift man lists them"), "{error}");
        let error = load("[keys]\nquit = []\nlogs = [\"h\", \"?\"]\n").unwrap_err().to_string();
        assert!(error.contains("line 2, column 1: keys: quit needs at least one key"), "{error}");
        assert!(error.contains("line 3, column 1: keys: ? would mean both"), "{error}");
        let error = load("theme = \"lihgt\"\nmouse = 1\n[keys]\npause = \"p\"\n").unwrap_err().to_string();
        for said in [
            "config.toml: line 1, column 1: there is no theme \"lihgt\": there are default, light",
            "line 2, ",
            "line 4, column 9: expected a list, written as [\"p\"]",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
        let error = load("theme = \nascii = yes\n").unwrap_err().to_string();
        assert!(error.contains("line 1, ") && error.contains("line 2, "), "{error}");
    }

    #[test]
    fn registries_are_reached_as_a_table_says_and_nothing_unknown_in_it_is_passed_over() {
        let text = "[registry]\nca = [\"own.pem\", \"/etc/ca.pem\"]\nplain-http = [\"lab:5000\"]\n";
        let options = parse(text).0.registry(Path::new("/home/a/config.toml"));
        assert_eq!(options.ca, [Path::new("/home/a/own.pem"), Path::new("/etc/ca.pem")]);
        assert_eq!((options.plain_http, options.authfile), (vec!["lab:5000".to_owned()], None));
        let error = load("[registry]\npassword = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("password"), "{error}");
    }

    #[test]
    fn files_that_cannot_be_used_are_named_with_the_line_that_names_them() {
        let text = "ascii = true\n[registry]\nauthfile = \"none.json\"\nca = [\"none.pem\", \"own.pem\"]\n";
        let error = load(text).unwrap_err().to_string();
        for said in ["config.toml: line 3, column 1: /", "/none.json; line 4, column 1: /", "/none.pem"] {
            assert!(error.contains(said), "{said}: {error}");
        }
        assert!(!error.contains("own.pem"), "{error}");
    }

    #[test]
    fn one_line_changes_one_thing() {
        let (config, keys) = load("theme = \"light\"\n[keys]\nquit = [\"Q\"]\n").unwrap();
        assert_eq!(config.theme.as_deref(), Some("light"));
        assert_eq!(keys.keys(crate::actions::Act::Quit).len(), 1);
    }
}
