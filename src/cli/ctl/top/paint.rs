//! Colours, where people want them; without them, bold and dim say the same.

use ratatui::style::{Color, Modifier, Style};

use super::screen::Screen;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    #[default]
    Plain,
    /// It works.
    Good,
    /// Somebody should look.
    Warning,
    /// Somebody must do something.
    Bad,
    /// Nothing happens there.
    Quiet,
    /// A heading.
    Head,
}

impl Screen {
    /// How it looks. What is old is dim as a whole.
    pub fn style(&self, tone: Tone) -> Style {
        let style = match (tone, self.has_colours) {
            (Tone::Plain, _) => Style::new(),
            (Tone::Good, true) => Style::new().fg(Color::Green),
            (Tone::Good, false) => Style::new(),
            (Tone::Warning, true) => Style::new().fg(Color::Yellow),
            (Tone::Warning, false) => Style::new().add_modifier(Modifier::BOLD),
            (Tone::Bad, true) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Bad, false) => Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED),
            (Tone::Quiet, _) => Style::new().add_modifier(Modifier::DIM),
            (Tone::Head, true) => Style::new().fg(Color::Cyan),
            (Tone::Head, false) => Style::new().add_modifier(Modifier::BOLD),
        };
        if self.trouble.is_some() && tone != Tone::Bad { style.add_modifier(Modifier::DIM) } else { style }
    }
}
