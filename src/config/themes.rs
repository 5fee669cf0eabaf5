//! Which theme it is: one that comes with the program, one beside the configuration file, or any file.

use std::path::{Path, PathBuf};

use super::file::{ConfigError, text};
use super::theme::{Theme, ThemeError};

/// A theme that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ThemesError {
    /// Its file cannot be read.
    #[error("theme: {0}")]
    File(#[from] ConfigError),
    /// A file is none.
    #[error("{}: {source}", .path.display())]
    None {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ThemeError,
    },
    /// There is none of that name.
    #[error(transparent)]
    Theme(#[from] ThemeError),
}

/// The themes of the user, `themes/NAME.toml` in `directory`, by name.
///
/// # Errors
/// [`ThemesError`].
pub fn own(directory: &Path) -> Result<Vec<Theme>, ThemesError> {
    let Ok(entries) = std::fs::read_dir(directory.join("themes")) else { return Ok(Vec::new()) };
    let paths = entries.flatten().map(|entry| entry.path());
    let themes = paths.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let mut themes: Vec<Theme> = themes.map(|path| load(&path)).collect::<Result<_, _>>()?;
    themes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(themes)
}

/// The theme that is asked for: a file where there is a `/` in it or `.toml` at its end, from `directory` on where it is
/// relative; else the one of that name, first of `own`, then of those that come with the program. A file is added to `own`.
///
/// # Errors
/// [`ThemesError`].
pub fn choose(asked: &str, directory: &Path, own: &mut Vec<Theme>) -> Result<Theme, ThemesError> {
    if asked.contains('/') || asked.ends_with(".toml") {
        let theme = load(&directory.join(asked))?;
        if !own.contains(&theme) {
            own.push(theme.clone());
        }
        return Ok(theme);
    }
    if let Some(theme) = own.iter().find(|theme| theme.name == asked) {
        return Ok(theme.clone());
    }
    Theme::built_in(asked).map_err(|error| match error {
        ThemeError::Unknown { name, mut known } => {
            known.extend(own.iter().map(|theme| theme.name.clone()));
            ThemeError::Unknown { name, known }.into()
        }
        error => error.into(),
    })
}

/// The same with those of [`own`] in `themes`; what is wrong with others than the one that is asked for does not matter.
///
/// # Errors
/// [`ThemesError`].
pub fn named(asked: &str, directory: &Path, themes: &Path) -> Result<Theme, ThemesError> {
    let file = themes.join("themes").join(format!("{asked}.toml"));
    let mut own = if file.is_file() { vec![load(&file)?] } else { own(themes).unwrap_or_default() };
    choose(asked, directory, &mut own)
}

fn load(path: &Path) -> Result<Theme, ThemesError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Theme::parse(&name, &text(path)?).map_err(|source| ThemesError::None { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_a_name_or_a_file_and_what_is_neither_says_what_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).unwrap();
        std::fs::create_dir(dir.path().join("themes")).unwrap();
        write("themes/dusk.toml", "doc = 'For the evening'\n");
        write("site.toml", "[paint]\nwarn = { fg = 'blue' }\n");
        write("wrong.toml", "[paint]\nwarning = {}\n");
        let mut own = own(dir.path()).unwrap();
        let mut name = |asked: &str| {
            choose(asked, dir.path(), &mut own).map(|theme| theme.name).map_err(|error| error.to_string())
        };
        assert_eq!(name("dusk").unwrap(), "dusk");
        assert_eq!(name("light").unwrap(), "light");
        assert_eq!(name("site.toml").unwrap(), "site");
        assert_eq!(name("./site.toml").unwrap(), "site");
        assert_eq!(name(dir.path().join("site.toml").to_str().unwrap()).unwrap(), "site");
        assert!(name("pink").unwrap_err().contains("mono, dusk"), "those of the user are named, too");
        assert!(name("pink.toml").unwrap_err().contains("cannot read"));
        let wrong = name("wrong.toml").unwrap_err();
        assert!(wrong.contains("unknown variant `warning`"), "{wrong}");
        assert!(wrong.starts_with(dir.path().join("wrong.toml").to_str().unwrap()), "{wrong}");
        let named =
            |asked: &str| super::named(asked, dir.path(), dir.path()).map_err(|error| error.to_string());
        assert!(named("pink").unwrap_err().contains("mono, dusk"));
        write("themes/torn.toml", "[\n");
        assert!(named("dusk").is_ok() && named("light").is_ok(), "another one is torn");
        assert!(named("torn").unwrap_err().contains("themes/torn.toml"));
        assert_eq!(own.len(), 2, "a file can be chosen again by its name");
    }
}
