//! The question before training stops.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use super::area::{centered, lines};
use crate::ui::dashboard::view::View;

/// Draws the popup over whatever is there.
pub(super) fn draw(frame: &mut Frame, screen: Rect, view: &View) {
    let key = |key: &'static str| Span::styled(key, Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD));
    let content = if view.stops == 0 {
        vec![
            Line::default(),
            Line::from(vec![key("  y  "), Span::raw("stop: finish the batch, save, leave (or Enter)")]),
            Line::from(vec![key("  n  "), Span::raw("continue training (or Esc)")]),
        ]
    } else {
        vec![
            Line::raw("  Stopping already: the checkpoint is on its way."),
            Line::from(vec![key("  Ctrl-C  "), Span::raw("leave at once, without saving")]),
            Line::from(vec![key("  n       "), Span::raw("back (or Esc)")]),
        ]
    };
    let area = centered(screen, 52, 6);
    let title = Span::styled(" Stop training? ", Style::new().fg(Color::Reset).add_modifier(Modifier::BOLD));
    let block = Block::bordered().border_style(Style::new().fg(Color::Yellow)).title(title);
    // Without room for a frame the two choices are all there is.
    let framed = area.height >= 5 && area.width >= 12;
    frame.render_widget(Clear, area);
    let inner = if framed { block.inner(area) } else { area };
    if framed {
        frame.render_widget(block, area);
    }
    let skip = usize::from(!framed);
    lines(frame, inner, content.into_iter().skip(skip).collect());
}
