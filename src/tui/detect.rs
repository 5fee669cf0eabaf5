//! What the terminal can, from its name and the environment: colours, characters beyond ASCII, or only plain lines.

use crate::config::theme::Depth;

/// The environment as far as it says something about the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// `TERM`.
    pub term: Option<String>,
    /// The first that is set of `LC_ALL`, `LC_CTYPE` and `LANG`.
    pub locale: Option<String>,
    /// Whether `NO_COLOR` is set to anything but nothing.
    pub no_color: bool,
    /// `COLUMNS` and `LINES`, for lines that do not tell their size.
    pub size: Option<(u16, u16)>,
}

impl Env {
    /// This process's.
    pub fn read() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str| get(name)?.parse::<u16>().ok().filter(|number| *number > 0);
        Self {
            term: get("TERM"),
            locale: get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")),
            no_color: get("NO_COLOR").is_some(),
            size: number("COLUMNS").zip(number("LINES")),
        }
    }
}

/// What can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Colours.
    pub depth: Depth,
    /// Characters outside ASCII.
    pub unicode: bool,
    /// Whether the cursor can be placed at all; without that, there are prompts on plain lines.
    pub screen: bool,
    /// A slow line or an old terminal: few frames, no extras.
    pub slow: bool,
    /// Whether it may take OSC 52, which sets the clipboard.
    pub clipboard: bool,
}

/// What the terminal can.
pub fn detect(env: &Env) -> Caps {
    let term = env.term.as_deref().unwrap_or("");
    let utf8 = env.locale.as_deref().is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    let begins = |names: &[&str]| names.iter().any(|name| term.starts_with(name));
    let (depth, unicode, screen, slow) = match term {
        "" | "dumb" | "unknown" | "emacs" | "glasstty" => (Depth::None, false, false, true),
        _ if begins(&["vt1", "vt2", "vt3", "vt4", "vt5", "ansi-m", "wy", "h19", "sun", "tvi"]) => {
            (Depth::None, false, true, true)
        }
        // The kernel's console has line characters in every font and 8 colours.
        _ if term.starts_with("linux") => (Depth::Eight, utf8, true, false),
        _ if begins(&["ansi", "pcansi", "cons25", "screen-m"]) => (Depth::Eight, false, true, false),
        _ if term.ends_with("-m") || term.ends_with("-mono") => (Depth::None, utf8, true, false),
        _ => (Depth::Sixteen, utf8, true, false),
    };
    // Neither a terminal of glass nor the kernel's console has a clipboard.
    let clipboard = !slow && !term.starts_with("linux");
    Caps { clipboard, depth: if env.no_color { Depth::None } else { depth }, unicode, screen, slow }
}

/// The size to draw in: as told, else by the environment, else 80 by 24; a line of no size reports 0 by 0.
pub fn size(told: Option<(u16, u16)>, env: &Env) -> (u16, u16) {
    let told = told.filter(|(columns, rows)| *columns > 0 && *rows > 0);
    told.or(env.size).unwrap_or((80, 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(term: &str, locale: &str) -> Caps {
        detect(&Env { term: Some(term.to_owned()), locale: Some(locale.to_owned()), ..Env::default() })
    }

    #[test]
    fn each_kind_of_terminal_gets_what_it_can() {
        for (term, locale, depth, unicode, screen) in [
            ("xterm-256color", "en_GB.UTF-8", Depth::Sixteen, true, true),
            ("xterm", "C", Depth::Sixteen, false, true),
            ("tmux-256color", "C.utf8", Depth::Sixteen, true, true),
            ("linux", "C.UTF-8", Depth::Eight, true, true),
            ("vt100", "en_GB.UTF-8", Depth::None, false, true),
            ("vt220", "", Depth::None, false, true),
            ("vt420", "C.UTF-8", Depth::None, false, true),
            ("dumb", "C.UTF-8", Depth::None, false, false),
            ("", "", Depth::None, false, false),
        ] {
            let caps = caps(term, locale);
            assert_eq!((caps.depth, caps.unicode, caps.screen), (depth, unicode, screen), "{term}");
        }
    }

    #[test]
    fn no_color_takes_colours_and_nothing_else() {
        let env = Env {
            term: Some("xterm".into()),
            locale: Some("C.UTF-8".into()),
            no_color: true,
            ..Env::default()
        };
        let caps = detect(&env);
        assert_eq!((caps.depth, caps.unicode, caps.screen), (Depth::None, true, true));
    }

    #[test]
    fn a_line_without_a_size_is_taken_for_80_by_24() {
        let env = Env { size: Some((132, 50)), ..Env::default() };
        assert_eq!(size(Some((0, 0)), &Env::default()), (80, 24));
        assert_eq!(size(None, &env), (132, 50));
        assert_eq!(size(Some((100, 30)), &env), (100, 30));
    }
}
