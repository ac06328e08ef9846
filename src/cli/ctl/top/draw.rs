//! Draws a screen: a pure function of it, so that tests hold what people see.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell as TableCell, Clear, Paragraph, Row as TableRow, Table as Grid, Wrap};

use super::head;
use super::line::{self, Cell};
use super::paint::Tone;
use super::rows::{self, Table};
use super::screen::{PANES, Pane, Screen};

/// Lines of the help.
const KEYS: [(&str, &str); 6] = [
    ("q, Esc, Ctrl-C", "end"),
    ("1 to 5, Tab, arrows", "another pane"),
    ("up, down, j, k", "scroll by a row"),
    ("page up, page down", "scroll by ten rows"),
    ("Home", "back to the first row"),
    ("?, h", "this help"),
];

/// Draws all of it. A terminal may have any size; 80 × 24 shows everything.
pub fn draw(frame: &mut Frame, screen: &Screen) {
    let parts = Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)]);
    let [top, body, foot] = parts.areas(frame.area());
    frame.render_widget(Paragraph::new(head::lines(screen)), top);
    match screen.pane {
        Pane::Kitchen => kitchen(frame, body, screen),
        Pane::Orders => table(frame, body, screen, "orders", &rows::orders(screen), screen.scroll),
        Pane::Devices => table(frame, body, screen, "devices", &rows::devices(screen), screen.scroll),
        Pane::Cluster => table(frame, body, screen, "replicas, brokers", &rows::cluster(screen), screen.scroll),
        Pane::Incidents => questions(frame, body, screen, true),
    }
    frame.render_widget(Paragraph::new(footer(screen)), foot);
    if screen.has_help {
        help(frame, body, screen);
    }
}

/// The line above; orders, cluster and incidents below.
fn kitchen(frame: &mut Frame, area: Rect, screen: &Screen) {
    let columns = [
        (head::stage(screen, "before the ovens", "prep"), line::robots(screen, "robot.before_oven")),
        (head::stage(screen, "ovens", "bake"), line::ovens(screen)),
        (head::stage(screen, "after the ovens", "finish"), line::robots(screen, "robot.after_oven")),
    ];
    let rows = columns.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0).max(1) + 2;
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height / 2);
    let parts = Layout::vertical([Constraint::Length(rows), Constraint::Length(1), Constraint::Fill(1)]);
    let [upper, cameras, lower] = parts.areas(area);
    let thirds =
        Layout::horizontal([Constraint::Fill(10), Constraint::Fill(11), Constraint::Fill(10)]).areas::<3>(upper);
    for ((title, cells), area) in columns.iter().zip(thirds) {
        column(frame, area, screen, title, cells);
    }
    frame.render_widget(
        Paragraph::new(in_one_line(
            screen,
            &head::stage(screen, "cameras", "inspect"),
            &line::robots(screen, "camera"),
        )),
        cameras,
    );
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(lower);
    let mut orders = rows::orders(screen);
    // What it is made of has a pane of its own.
    orders.head.pop();
    orders.widths = vec![0, 11, 4, 7, 7];
    table(frame, left, screen, "orders", &orders, screen.scroll);
    let mut cluster = rows::cluster(screen);
    cluster.head.pop();
    cluster.widths = vec![9, 0, 5];
    let rows = u16::try_from(cluster.rows.len() + 3).unwrap_or(u16::MAX).min(lower.height.saturating_sub(4));
    let [above, below] = Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(right);
    table(frame, above, screen, "replicas, brokers", &cluster, 0);
    questions(frame, below, screen, false);
}

/// What is asked is read as a whole: it takes as many lines as it needs.
fn questions(frame: &mut Frame, area: Rect, screen: &Screen, is_whole: bool) {
    let lines = rows::questions(screen, is_whole);
    let title = match super::super::items(&screen.seen.incidents).len() {
        0 => " questions: none ".to_owned(),
        count => format!(" questions: {count} "),
    };
    let text: Vec<Line> = lines.into_iter().map(|line| Line::styled(line, screen.style(Tone::Warning))).collect();
    let scroll = if is_whole { u16::try_from(screen.scroll.min(text.len())).unwrap_or(0) } else { 0 };
    let text = Paragraph::new(text).wrap(Wrap { trim: false }).scroll((scroll, 0));
    frame.render_widget(text.block(block(screen, &title)), area);
}

fn column(frame: &mut Frame, area: Rect, screen: &Screen, title: &str, cells: &[Cell]) {
    let block = block(screen, &format!(" {title} "));
    let line = |(text, tone): &Cell| Line::styled(text.clone(), screen.style(*tone));
    let hidden = cells.len().saturating_sub(usize::from(block.inner(area).height));
    let block = if hidden > 0 { block.title_bottom(format!(" {hidden} more ")) } else { block };
    frame.render_widget(Paragraph::new(cells.iter().map(line).collect::<Vec<_>>()).block(block), area);
}

fn in_one_line(screen: &Screen, title: &str, cells: &[Cell]) -> Line<'static> {
    let piece = |(text, tone): &Cell| {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        [Span::raw("  "), Span::styled(words, screen.style(*tone))]
    };
    let head = Span::styled(format!(" {title}"), screen.style(Tone::Head));
    std::iter::once(head).chain(cells.iter().flat_map(piece)).collect()
}

fn table(frame: &mut Frame, area: Rect, screen: &Screen, title: &str, table: &Table, scroll: usize) {
    let inner = usize::from(area.height.saturating_sub(3));
    // The last page stays full.
    let first = scroll.min(table.rows.len().saturating_sub(inner));
    let shown = table.rows.iter().skip(first).take(inner);
    let row = |(cells, tone): &rows::Row| {
        let cells = cells.iter().take(table.head.len()).map(|cell| TableCell::from(cell.clone()));
        TableRow::new(cells).style(screen.style(*tone))
    };
    let widths = table.widths.iter().map(|width| match width {
        0 => Constraint::Fill(1),
        width => Constraint::Length(*width),
    });
    let place = match table.rows.len() {
        0 => format!(" {title}: none "),
        count if count > inner => format!(" {title}: {} to {} of {count} ", first + 1, (first + inner).min(count)),
        count => format!(" {title}: {count} "),
    };
    let grid = Grid::new(shown.map(row).collect::<Vec<_>>(), widths)
        .header(TableRow::new(table.head.clone()).style(screen.style(Tone::Quiet)))
        .block(block(screen, &place));
    frame.render_widget(grid, area);
}

fn block(screen: &Screen, title: &str) -> Block<'static> {
    Block::bordered()
        .border_style(screen.style(Tone::Quiet))
        .title(Span::styled(title.to_owned(), screen.style(Tone::Head)))
}

fn footer(screen: &Screen) -> Line<'static> {
    if let Some(trouble) = &screen.trouble {
        let text = format!(" Nothing was read for {} s: {trouble}", screen.age_ms / 1_000);
        return Line::styled(text, screen.style(Tone::Bad));
    }
    let pane = |(n, (pane, name)): (usize, &(Pane, &str))| {
        let tone = if *pane == screen.pane { Tone::Head } else { Tone::Quiet };
        Span::styled(format!(" {} {name} ", n + 1), screen.style(tone))
    };
    let end = Span::styled("  ? keys  q end", screen.style(Tone::Quiet));
    PANES.iter().enumerate().map(pane).chain([end]).collect()
}

fn help(frame: &mut Frame, area: Rect, screen: &Screen) {
    let (width, height) = (46.min(area.width), (KEYS.len() as u16 + 2).min(area.height));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    let area = Rect { x, y, width, height };
    let lines: Vec<Line> = KEYS.iter().map(|(key, what)| Line::raw(format!(" {key:<20} {what}"))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block(screen, " keys ")), area);
}
