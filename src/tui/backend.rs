//! Draws frames as bytes any terminal of the last forty years reads: plain SGR, absolute cursor moves, one write a frame.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// A terminal written to through `W`; its size is told from outside.
#[derive(Debug)]
pub struct Ansi<W: Write> {
    out: W,
    frame: Vec<u8>,
    size: Size,
    pen: Pen,
    at: Option<Position>,
    /// Asked for with every frame; told to the terminal once.
    hidden: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl<W: Write> Ansi<W> {
    /// Over a writer, with the size to draw in.
    pub fn new(out: W, (width, height): (u16, u16)) -> Self {
        Self {
            out,
            frame: Vec::new(),
            size: Size { width, height },
            pen: Pen::default(),
            at: None,
            hidden: false,
        }
    }

    /// What is written to.
    pub(super) const fn out(&self) -> &W {
        &self.out
    }

    /// The same, to be written to.
    pub(super) const fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Takes over another size.
    pub const fn resize(&mut self, (width, height): (u16, u16)) {
        self.size = Size { width, height };
    }

    /// Writes bytes that are no part of a frame, at once and in order with frames.
    ///
    /// # Errors
    /// The writer's.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame.extend_from_slice(bytes);
        self.flush()
    }

    fn put(&mut self, text: &str) {
        self.frame.extend_from_slice(text.as_bytes());
    }

    fn set_pen(&mut self, pen: Pen) {
        if pen == self.pen {
            return;
        }
        let mut codes = vec!["0".to_owned()];
        for (modifier, code) in [
            (Modifier::BOLD, "1"),
            (Modifier::DIM, "2"),
            (Modifier::UNDERLINED, "4"),
            (Modifier::REVERSED, "7"),
        ] {
            if pen.modifier.contains(modifier) {
                codes.push(code.to_owned());
            }
        }
        codes.extend(number(pen.fg).map(|(base, n)| (base + n).to_string()));
        codes.extend(number(pen.bg).map(|(base, n)| (base + n + 10).to_string()));
        let text = format!("\x1b[{}m", codes.join(";"));
        self.put(&text);
        self.pen = pen;
    }
}

/// The SGR number of a foreground colour, as base and offset; the terminal's own has none.
const fn number(color: Color) -> Option<(u8, u8)> {
    Some(match color {
        Color::Black => (30, 0),
        Color::Red => (30, 1),
        Color::Green => (30, 2),
        Color::Yellow => (30, 3),
        Color::Blue => (30, 4),
        Color::Magenta => (30, 5),
        Color::Cyan => (30, 6),
        Color::Gray => (30, 7),
        Color::DarkGray => (90, 0),
        Color::LightRed => (90, 1),
        Color::LightGreen => (90, 2),
        Color::LightYellow => (90, 3),
        Color::LightBlue => (90, 4),
        Color::LightMagenta => (90, 5),
        Color::LightCyan => (90, 6),
        Color::White => (90, 7),
        _ => return None,
    })
}

impl<W: Write> Backend for Ansi<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            // The bottom right corner would scroll terminals that wrap at once.
            if x + 1 >= self.size.width && y + 1 >= self.size.height {
                continue;
            }
            let here = Position { x, y };
            if self.at != Some(here) {
                let text = format!("\x1b[{};{}H", y + 1, x + 1);
                self.put(&text);
            }
            self.set_pen(Pen { fg: cell.fg, bg: cell.bg, modifier: cell.modifier });
            self.put(cell.symbol());
            // Wide characters move it further than one: where it stands then is not relied upon.
            let plain = cell.symbol().len() == 1 && x + 1 < self.size.width;
            self.at = plain.then_some(Position { x: x + 1, y });
        }
        self.set_pen(Pen::default());
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.hidden, true) {
            self.put("\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.hidden = false;
        self.put("\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Never asked of the terminal: a serial line may not answer.
        Ok(self.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        let text = format!("\x1b[{};{}H", position.y + 1, position.x + 1);
        self.put(&text);
        self.at = Some(position);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.put("\x1b[0m\x1b[2J\x1b[H");
        self.pen = Pen::default();
        self.at = Some(Position::ORIGIN);
        Ok(())
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        match clear_type {
            ClearType::All => return self.clear(),
            ClearType::AfterCursor => self.put("\x1b[J"),
            ClearType::BeforeCursor => self.put("\x1b[1J"),
            ClearType::CurrentLine => self.put("\x1b[2K"),
            ClearType::UntilNewLine => self.put("\x1b[K"),
        }
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        self.out.write_all(&frame)?;
        self.out.flush()?;
        self.frame = frame;
        self.frame.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::style::Style;
    use ratatui::widgets::Paragraph;

    use super::*;

    fn drawn(style: Style) -> String {
        let mut bytes = Vec::new();
        let mut terminal = Terminal::new(Ansi::new(&mut bytes, (10, 2))).unwrap();
        terminal.draw(|frame| frame.render_widget(Paragraph::new("ab").style(style), frame.area())).unwrap();
        drop(terminal);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn colours_are_the_old_codes_that_every_terminal_knows() {
        let bytes = drawn(Style::reset().fg(Color::Red).bg(Color::LightBlue).add_modifier(Modifier::BOLD));
        assert!(bytes.contains("\x1b[0;1;31;104mab"), "{bytes:?}");
        assert!(!bytes.contains("38;5"), "{bytes:?}");
    }

    #[test]
    fn the_corner_that_would_scroll_is_left_alone_and_the_pen_is_put_down() {
        let bytes = drawn(Style::reset().add_modifier(Modifier::REVERSED));
        let reversed = bytes.split("\x1b[0;7m").nth(1).unwrap();
        assert_eq!(reversed.matches(' ').count(), 8 + 9);
        assert!(bytes.contains("\x1b[0m"));
    }
}
