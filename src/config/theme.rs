//! Themes: which of the terminal's own 16 colours and attributes each role of the screen has; never the only sign of anything.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::file::reason;

/// What a piece of the screen is, as far as its look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Plain words.
    Text,
    /// Words of less weight.
    Dim,
    /// Titles and headings.
    Title,
    /// Lines around things.
    Border,
    /// Keys in footers and help.
    Key,
    /// The row under the cursor.
    Selected,
    /// A marked row.
    Marked,
    /// The letters that a filter found.
    Match,
    /// A line to type in.
    Input,
    /// OK.
    Ok,
    /// WARN.
    Warn,
    /// FAIL.
    Fail,
    /// The filled part of a bar.
    Bar,
    /// The step one is at.
    Current,
}

/// All roles, in the order of the theme files.
pub const ROLES: &[Role] = &[
    Role::Text,
    Role::Dim,
    Role::Title,
    Role::Border,
    Role::Key,
    Role::Selected,
    Role::Marked,
    Role::Match,
    Role::Input,
    Role::Ok,
    Role::Warn,
    Role::Fail,
    Role::Bar,
    Role::Current,
];

/// One of the terminal's colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names of the sixteen colours say it")]
pub enum Hue {
    /// The terminal's own.
    #[default]
    Default,
    Black,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    White,
    BrightBlack,
    BrightRed,
    BrightGreen,
    BrightYellow,
    BrightBlue,
    BrightMagenta,
    BrightCyan,
    BrightWhite,
}

/// How a role looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paint {
    /// Of the letters.
    pub fg: Hue,
    /// Behind them.
    pub bg: Hue,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub dim: bool,
    /// Underlined.
    pub underline: bool,
    /// Foreground and background exchanged.
    pub reverse: bool,
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None, or none wanted: attributes alone.
    None,
    /// Eight; bright ones become bold.
    Eight,
    /// Sixteen.
    #[default]
    Sixteen,
}

/// A theme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    /// What it is called by.
    pub name: String,
    /// For whom it is.
    pub doc: String,
    paints: BTreeMap<Role, Paint>,
}

/// The themes that come with the program, the first is the one without a choice.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../themes/default.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// A theme that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// No such theme.
    #[error("there is no theme {name:?}: there are {}", .known.join(", "))]
    Unknown {
        /// As asked.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Not a theme file.
    #[error("theme {name}: {reason}")]
    Syntax {
        /// Its name.
        name: String,
        /// The parser's words, with the line.
        reason: String,
    },
    /// A built-in theme says how every role looks; one of a user may leave some out.
    #[error(
        "theme {name}: the selected row would not be told from others; give it reverse, bold, underline or a colour"
    )]
    Invisible {
        /// Its name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    doc: String,
    #[serde(default)]
    paint: BTreeMap<Role, Paint>,
}

impl Theme {
    /// A theme from the text of its file; what that leaves out looks as in the default theme.
    ///
    /// # Errors
    /// [`ThemeError::Syntax`] with the line; [`ThemeError::Invisible`].
    pub fn parse(name: &str, text: &str) -> Result<Self, ThemeError> {
        let file: File = toml::from_str(text)
            .map_err(|error| ThemeError::Syntax { name: name.to_owned(), reason: reason(&error, text) })?;
        let mut paints = base();
        paints.extend(file.paint);
        let theme = Self { name: name.to_owned(), doc: file.doc, paints };
        if theme.paint(Role::Selected) == theme.paint(Role::Text) {
            return Err(ThemeError::Invisible { name: theme.name });
        }
        Ok(theme)
    }

    /// A theme that comes with the program.
    ///
    /// # Errors
    /// [`ThemeError`].
    pub fn built_in(name: &str) -> Result<Self, ThemeError> {
        let known = || BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (name, text) =
            found.ok_or_else(|| ThemeError::Unknown { name: name.to_owned(), known: known() })?;
        Self::parse(name, text)
    }

    /// How a role looks; the terminal's own where the theme does not say.
    pub fn paint(&self, role: Role) -> Paint {
        self.paints.get(&role).copied().unwrap_or_default()
    }
}

/// The looks of the default theme.
fn base() -> BTreeMap<Role, Paint> {
    // Its file is checked by a test: were it none, all roles would look as the terminal's own.
    let file: Option<File> = BUILT_IN.first().and_then(|(_, text)| toml::from_str(text).ok());
    file.map(|file| file.paint).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_is_sound_and_says_how_each_role_looks() {
        for (name, text) in BUILT_IN {
            assert_eq!(Theme::parse(name, text).unwrap(), Theme::built_in(name).unwrap());
            let file: File = toml::from_str(text).unwrap();
            assert!(!file.doc.is_empty());
            for role in ROLES {
                assert!(file.paint.contains_key(role), "{name} leaves out {role:?}");
            }
        }
    }

    #[test]
    fn every_theme_file_is_built_in() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("themes");
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
            .collect();
        files.sort_unstable();
        let mut built_in: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        built_in.sort_unstable();
        assert_eq!(files, built_in);
    }

    #[test]
    fn the_mono_theme_has_no_colour_at_all() {
        let mono = Theme::built_in("mono").unwrap();
        for role in ROLES {
            assert_eq!((mono.paint(*role).fg, mono.paint(*role).bg), (Hue::Default, Hue::Default));
        }
    }

    #[test]
    fn what_a_theme_leaves_out_looks_as_in_the_default_one() {
        let (mine, default) =
            (Theme::parse("mine", "[paint]\nwarn = { fg = 'blue' }\n"), Theme::built_in("default"));
        let (mine, default) = (mine.unwrap(), default.unwrap());
        assert_eq!(mine.paint(Role::Warn), Paint { fg: Hue::Blue, ..Paint::default() });
        for role in ROLES.iter().filter(|role| **role != Role::Warn) {
            assert_eq!(mine.paint(*role), default.paint(*role));
        }
    }

    #[test]
    fn what_is_no_theme_is_refused_with_its_line() {
        let refused = |text: &str| Theme::parse("mine", text).unwrap_err().to_string();
        assert!(refused("doc = 'x'\n[paint.text]\nfg = 'pink'\n").contains("line 3"));
        assert!(refused("doc = 'x'\n[paint.texxt]\n").contains("texxt"));
        assert!(refused("doc = 'x'\n[paint.text]\nblink = true\n").contains("blink"));
        assert!(refused("doc = 'x'\n[paint]\nselected = {}\n").contains("selected row"));
        assert!(refused("dok = 'x'\n").contains("dok"));
        // It is shown where a line end would stand as \u{a}.
        assert!(refused("[\n").starts_with("theme mine: line 1, column 2: "), "{}", refused("[\n"));
        assert!(refused("doc = 'ü' x\n").starts_with("theme mine: line 1, column 11: "));
        for text in ["[\n", "[paint\nx", "dok = 'x'\n", "doc = 'x'\n[paint.text]\nfg = 'pink'\n", "="] {
            assert!(!refused(text).contains(char::is_control), "{:?}", refused(text));
        }
        assert!(
            Theme::built_in("pink").unwrap_err().to_string().contains("default, light, high-contrast, mono")
        );
    }
}
