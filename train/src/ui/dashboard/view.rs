//! What the user looks at, and what each key does to it.

use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;

use super::state::State;

/// A terminal at least this large shows the confusion matrix and the misread images beside the plots.
const LARGE: Size = Size::new(140, 34);

/// How a metric is plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlotKind {
    /// The whole run.
    Full,
    /// The last iterations.
    Recent,
    /// The means of each epoch.
    Summary,
}

impl PlotKind {
    fn next(self) -> Self {
        match self {
            PlotKind::Full => PlotKind::Recent,
            PlotKind::Recent => PlotKind::Summary,
            PlotKind::Summary => PlotKind::Full,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            PlotKind::Full => "full history",
            PlotKind::Recent => "recent",
            PlotKind::Summary => "summary",
        }
    }
}

/// A tab of the plots pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    /// The plotted metric of this index.
    Metric(usize),
    Confusion,
    Misread,
}

/// What a key asks of the rest of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    None,
    /// Stop training, chosen in the popup.
    Stop,
    /// Ctrl-C.
    Interrupt,
}

/// What the user looks at.
#[derive(Clone, Debug)]
pub(super) struct View {
    selected: usize,
    pub(super) kind: PlotKind,
    pub(super) popup: bool,
    /// Stop requests so far, from wherever they came.
    pub(super) stops: u8,
    pub(super) size: Size,
    pub(super) now: Instant,
}

impl View {
    pub(super) fn new(now: Instant) -> Self {
        Self { selected: 0, kind: PlotKind::Full, popup: false, stops: 0, size: Size::default(), now }
    }

    /// Whether there is room for the panes that otherwise are tabs.
    pub(super) fn is_large(&self) -> bool {
        self.size.width >= LARGE.width && self.size.height >= LARGE.height
    }

    /// The tabs there are: one for each plotted metric and, where they have no pane, confusion and misread.
    pub(super) fn tabs(&self, state: &State) -> Vec<Tab> {
        let mut tabs: Vec<_> = (0..state.metrics.len()).map(Tab::Metric).collect();
        if !self.is_large() {
            tabs.extend([Tab::Confusion, Tab::Misread]);
        }
        tabs
    }

    /// The index of the tab in front; `tabs` may have become fewer since it was chosen.
    pub(super) fn selected(&self, tabs: &[Tab]) -> usize {
        self.selected.min(tabs.len().saturating_sub(1))
    }

    /// Takes one key.
    pub(super) fn on_key(&mut self, key: KeyEvent, state: &State) -> Action {
        // Some terminals report releases too.
        if key.kind == KeyEventKind::Release {
            return Action::None;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Action::Interrupt;
        }
        match key.code {
            code if self.popup => self.answer(code),
            KeyCode::Char('q' | 'Q') => {
                self.popup = true;
                Action::None
            }
            KeyCode::Right | KeyCode::Tab => self.turn(state, 1),
            KeyCode::Left | KeyCode::BackTab => self.turn(state, -1),
            KeyCode::Down => {
                self.kind = self.kind.next();
                Action::None
            }
            KeyCode::Up => {
                self.kind = self.kind.next().next();
                Action::None
            }
            _ => Action::None,
        }
    }

    fn answer(&mut self, code: KeyCode) -> Action {
        match code {
            KeyCode::Char('s' | 'S' | 'y' | 'Y' | 'q' | 'Q') | KeyCode::Enter => {
                self.popup = false;
                Action::Stop
            }
            KeyCode::Char('c' | 'C' | 'n' | 'N') | KeyCode::Esc => {
                self.popup = false;
                Action::None
            }
            _ => Action::None,
        }
    }

    fn turn(&mut self, state: &State, by: isize) -> Action {
        let tabs = self.tabs(state);
        if !tabs.is_empty() {
            let next = self.selected(&tabs) as isize + by;
            self.selected = next.rem_euclid(tabs.len() as isize) as usize;
        }
        Action::None
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn press(view: &mut View, state: &State, code: KeyCode) -> Action {
        view.on_key(KeyEvent::new(code, KeyModifiers::NONE), state)
    }

    fn view(width: u16, height: u16) -> View {
        View { size: Size::new(width, height), ..View::new(Instant::now()) }
    }

    #[test]
    fn keys_before_the_first_metric_do_no_harm() {
        let state = fixture::empty();
        for mut view in [view(80, 24), view(200, 50), view(0, 0)] {
            for code in [KeyCode::Left, KeyCode::Left, KeyCode::Right, KeyCode::Up, KeyCode::Down, KeyCode::Char('x')] {
                assert_eq!(press(&mut view, &state, code), Action::None);
            }
        }
    }

    #[test]
    fn arrows_go_round_the_tabs() {
        let state = fixture::full();
        let mut view = view(80, 24);
        let front = |view: &View| view.tabs(&state)[view.selected(&view.tabs(&state))];
        assert_eq!(front(&view), Tab::Metric(0));
        press(&mut view, &state, KeyCode::Left);
        assert_eq!(front(&view), Tab::Misread);
        press(&mut view, &state, KeyCode::Left);
        assert_eq!(front(&view), Tab::Confusion);
        // Enlarged, the matrix has a pane of its own and the tab is gone: the last metric is in front.
        view.size = Size::new(200, 50);
        assert_eq!(front(&view), Tab::Metric(2));
        press(&mut view, &state, KeyCode::Right);
        assert_eq!(front(&view), Tab::Metric(0));
    }

    #[test]
    fn up_and_down_are_opposite() {
        let state = fixture::full();
        let mut view = view(80, 24);
        press(&mut view, &state, KeyCode::Down);
        assert_eq!(view.kind, PlotKind::Recent);
        press(&mut view, &state, KeyCode::Up);
        press(&mut view, &state, KeyCode::Up);
        assert_eq!(view.kind, PlotKind::Summary);
    }

    #[test]
    fn the_popup_asks_before_it_stops() {
        let state = fixture::full();
        let mut view = view(80, 24);
        assert_eq!(press(&mut view, &state, KeyCode::Char('s')), Action::None, "no popup, no stop");
        for cancel in [KeyCode::Char('c'), KeyCode::Esc, KeyCode::Char('n')] {
            assert_eq!(press(&mut view, &state, KeyCode::Char('q')), Action::None);
            assert!(view.popup);
            assert_eq!(press(&mut view, &state, KeyCode::Char('x')), Action::None);
            assert!(view.popup, "a stray key neither stops nor closes");
            assert_eq!(press(&mut view, &state, cancel), Action::None);
            assert!(!view.popup);
        }
        for confirm in [KeyCode::Char('s'), KeyCode::Char('y'), KeyCode::Enter, KeyCode::Char('q')] {
            press(&mut view, &state, KeyCode::Char('q'));
            assert_eq!(press(&mut view, &state, confirm), Action::Stop);
            assert!(!view.popup);
        }
    }

    #[test]
    fn ctrl_c_works_in_the_popup_too() {
        let state = fixture::full();
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let mut view = view(80, 24);
        assert_eq!(view.on_key(ctrl_c, &state), Action::Interrupt);
        view.popup = true;
        assert_eq!(view.on_key(ctrl_c, &state), Action::Interrupt);
    }
}
