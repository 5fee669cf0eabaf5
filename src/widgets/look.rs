//! The look of the moment: theme, colours and characters that the terminal has, turned into styles.

use ratatui::style::{Color, Modifier, Style};

use crate::config::theme::{Depth, Hue, Role, Theme};

/// How things are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The theme.
    pub theme: Theme,
    /// The colours there are.
    pub depth: Depth,
    /// Whether characters outside ASCII may be drawn.
    pub unicode: bool,
}

impl Look {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        let paint = self.theme.paint(role);
        let mut style = Style::reset();
        let bright = self.depth == Depth::Eight && is_bright(paint.fg);
        for (wanted, modifier) in [
            (paint.bold || bright, Modifier::BOLD),
            (paint.dim, Modifier::DIM),
            (paint.underline, Modifier::UNDERLINED),
            (paint.reverse, Modifier::REVERSED),
        ] {
            if wanted {
                style = style.add_modifier(modifier);
            }
        }
        if self.depth == Depth::None {
            // A row that only its background tells from others must still be told.
            let reverse = paint.bg != Hue::Default;
            return if reverse { style.add_modifier(Modifier::REVERSED) } else { style };
        }
        style.fg(color(paint.fg, self.depth)).bg(color(paint.bg, self.depth))
    }
}

const fn is_bright(hue: Hue) -> bool {
    matches!(
        hue,
        Hue::BrightBlack
            | Hue::BrightRed
            | Hue::BrightGreen
            | Hue::BrightYellow
            | Hue::BrightBlue
            | Hue::BrightMagenta
            | Hue::BrightCyan
            | Hue::BrightWhite
    )
}

const fn color(hue: Hue, depth: Depth) -> Color {
    let eight = matches!(depth, Depth::Eight);
    match hue {
        Hue::Default => Color::Reset,
        Hue::Black => Color::Black,
        Hue::Red => Color::Red,
        Hue::Green => Color::Green,
        Hue::Yellow => Color::Yellow,
        Hue::Blue => Color::Blue,
        Hue::Magenta => Color::Magenta,
        Hue::Cyan => Color::Cyan,
        Hue::White => Color::Gray,
        Hue::BrightBlack if eight => Color::Black,
        Hue::BrightRed if eight => Color::Red,
        Hue::BrightGreen if eight => Color::Green,
        Hue::BrightYellow if eight => Color::Yellow,
        Hue::BrightBlue if eight => Color::Blue,
        Hue::BrightMagenta if eight => Color::Magenta,
        Hue::BrightCyan if eight => Color::Cyan,
        Hue::BrightWhite if eight => Color::Gray,
        Hue::BrightBlack => Color::DarkGray,
        Hue::BrightRed => Color::LightRed,
        Hue::BrightGreen => Color::LightGreen,
        Hue::BrightYellow => Color::LightYellow,
        Hue::BrightBlue => Color::LightBlue,
        Hue::BrightMagenta => Color::LightMagenta,
        Hue::BrightCyan => Color::LightCyan,
        Hue::BrightWhite => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::theme::ROLES;

    fn look(theme: &str, depth: Depth) -> Look {
        Look { theme: Theme::built_in(theme).unwrap(), depth, unicode: true }
    }

    #[test]
    fn without_colours_no_role_has_one_and_the_selected_row_is_still_told() {
        for theme in ["default", "light", "high-contrast", "mono"] {
            let look = look(theme, Depth::None);
            for role in ROLES {
                let style = look.style(*role);
                assert!(matches!(style.fg, None | Some(Color::Reset)), "{theme} {role:?}");
                assert!(matches!(style.bg, None | Some(Color::Reset)), "{theme} {role:?}");
            }
            assert_ne!(look.style(Role::Selected), look.style(Role::Text), "{theme}");
        }
    }

    #[test]
    fn with_eight_colours_bright_ones_are_bold() {
        let style = look("high-contrast", Depth::Eight).style(Role::Bar);
        assert_eq!(style.fg, Some(Color::Cyan));
        assert!(style.add_modifier.contains(Modifier::BOLD));
    }
}
