//! What is on the screen, and which key changes it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::link::Seen;

/// What fills the screen below the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// A bit of everything.
    #[default]
    Kitchen,
    /// Open orders.
    Orders,
    /// All devices.
    Devices,
    /// Replicas and brokers.
    Cluster,
    /// Questions to people.
    Incidents,
}

/// In the order of their keys.
pub const PANES: [(Pane, &str); 5] = [
    (Pane::Kitchen, "kitchen"),
    (Pane::Orders, "orders"),
    (Pane::Devices, "devices"),
    (Pane::Cluster, "cluster"),
    (Pane::Incidents, "incidents"),
];

/// All that is drawn.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// What was read last.
    pub seen: Seen,
    /// How long ago, in milliseconds.
    pub age_ms: i64,
    /// Why nothing has been read since.
    pub trouble: Option<String>,
    /// Which pane.
    pub pane: Pane,
    /// So many rows of it are above the screen.
    pub scroll: usize,
    /// Whether the keys are explained.
    pub has_help: bool,
    /// False for people who do without (NO_COLOR).
    pub has_colours: bool,
}

impl Screen {
    /// Does what a key asks for. False: the view ends.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return false,
            KeyCode::Char('q') | KeyCode::Esc if !self.has_help => return false,
            KeyCode::Char('?' | 'h') => self.has_help = !self.has_help,
            KeyCode::Char('q') | KeyCode::Esc => self.has_help = false,
            KeyCode::Char(digit @ '1'..='5') => self.show(digit as usize - '1' as usize),
            KeyCode::Tab | KeyCode::Right => self.show(self.position() + 1),
            KeyCode::BackTab | KeyCode::Left => self.show(self.position() + PANES.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll = self.scroll.saturating_add(10),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        true
    }

    fn position(&self) -> usize {
        PANES.iter().position(|(pane, _)| *pane == self.pane).unwrap_or(0)
    }

    fn show(&mut self, position: usize) {
        (self.pane, self.scroll) = (PANES[position % PANES.len()].0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(screen: &mut Screen, code: KeyCode) -> bool {
        screen.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_change_panes_scroll_explain_and_end() {
        let mut screen = Screen::default();
        assert!(press(&mut screen, KeyCode::Tab) && screen.pane == Pane::Orders);
        assert!(press(&mut screen, KeyCode::PageDown) && press(&mut screen, KeyCode::Up) && screen.scroll == 9);
        assert!(press(&mut screen, KeyCode::Char('5')) && screen.pane == Pane::Incidents && screen.scroll == 0);
        assert!(press(&mut screen, KeyCode::Right) && screen.pane == Pane::Kitchen);
        assert!(press(&mut screen, KeyCode::Left) && screen.pane == Pane::Incidents);
        assert!(press(&mut screen, KeyCode::Char('?')) && screen.has_help);
        assert!(press(&mut screen, KeyCode::Char('q')) && !screen.has_help, "it closes the help first");
        assert!(!press(&mut screen, KeyCode::Char('q')) && !press(&mut screen, KeyCode::Esc));
        assert!(!screen.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(press(&mut screen, KeyCode::Char('c')), "without control it is a letter");
    }
}
