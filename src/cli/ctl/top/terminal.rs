//! The terminal, taken and given back: also when the program panics or is told to end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;

use super::draw::draw;
use super::screen::Screen;

/// How long the keyboard is waited for before it is looked whether the view has ended.
const POLL: Duration = Duration::from_millis(100);

/// What a person does at the terminal.
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The terminal has another size.
    Size,
}

/// A terminal that is this program's until the value is dropped.
pub struct Terminal {
    terminal: DefaultTerminal,
    ended: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes it. A panic gives it back before it is told.
    pub fn open() -> io::Result<(Self, mpsc::Receiver<Input>)> {
        let terminal = ratatui::try_init()?;
        // Nobody types faster than the screen is drawn; what is beyond is left out.
        let (inputs, received) = mpsc::channel(16);
        let ended = Arc::new(AtomicBool::new(false));
        let until = ended.clone();
        // It is not joined: where the terminal is gone, its read may never come back. The program ends with the view.
        std::thread::spawn(move || read(&inputs, &until));
        Ok((Self { terminal, ended }, received))
    }

    /// Draws.
    pub fn show(&mut self, screen: &Screen) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, screen)).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        ratatui::restore();
    }
}

/// Reads the keyboard until the view ends, or the terminal is gone: the channel then closes.
fn read(inputs: &mpsc::Sender<Input>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let input = match event::poll(POLL).and_then(|is_there| is_there.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => Input::Key(key),
            Ok(Some(Event::Resize(..))) => Input::Size,
            Ok(_) => continue,
            Err(_) => return,
        };
        let _ = inputs.try_send(input);
    }
}
