//! Whole frames, drawn to a buffer.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use ratatui::style::Color;

use super::draw;
use crate::ui::dashboard::fixture;
use crate::ui::dashboard::state::State;
use crate::ui::dashboard::view::{PlotKind, View};

const KINDS: [PlotKind; 3] = [PlotKind::Full, PlotKind::Recent, PlotKind::Summary];

fn view(width: u16, height: u16) -> View {
    let mut view = View::new(std::time::Instant::now());
    view.size = Size::new(width, height);
    view
}

/// Turns to the tab `tab` places to the right.
fn turned(mut view: View, state: &State, tab: usize) -> View {
    use ratatui::crossterm::event::{KeyCode, KeyEvent};
    for _ in 0..tab {
        view.on_key(KeyEvent::from(KeyCode::Right), state);
    }
    view
}

fn buffer(state: &State, view: &View) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(view.size.width, view.size.height)).unwrap();
    terminal.draw(|frame| draw(frame, state, view)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width).max(1));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

fn shown(state: &State, view: &View) -> String {
    text(&buffer(state, view))
}

#[track_caller]
fn assert_shows(screen: &str, expected: &[&str]) {
    for part in expected {
        assert!(screen.contains(part), "{part:?} is missing:\n{screen}");
    }
}

#[test]
fn no_size_and_no_state_panics() {
    let mut named = fixture::full();
    std::sync::Arc::make_mut(&mut named.run).classes = vec!["猫猫猫猫猫猫猫".into(); 10];
    let sizes = [1, 2, 3, 5, 8, 10, 13, 20, 24, 30, 47, 66, 80, 140, 200, 300];
    for state in [fixture::empty(), fixture::partial().state, fixture::full(), named] {
        for (width, height) in sizes.iter().flat_map(|&width| sizes.map(|height| (width, height))) {
            for tab in 0..6 {
                let mut view = turned(view(width, height), &state, tab);
                view.popup = tab == 5;
                view.stops = u8::from(tab == 4);
                for kind in if height > 100 { &KINDS[..1] } else { &KINDS } {
                    view.kind = *kind;
                    buffer(&state, &view);
                }
            }
        }
    }
}

#[test]
fn a_frame_of_another_size_than_the_view_remembers_is_no_panic() {
    // The terminal shrinks between a key and the next frame.
    let state = fixture::full();
    for size in [(1, 1), (10, 3), (80, 24)] {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| draw(frame, &state, &view(200, 50))).unwrap();
    }
}

#[test]
fn an_ordinary_terminal_shows_keys_numbers_plot_and_progress() {
    let state = fixture::full();
    let screen = shown(&state, &view(80, 24));
    assert_shows(&screen, &["stop training", "← →", "Loss", "Top-5 Acc ", "98.50%", "lecture-cnn-mnist-007"]);
    assert_shows(&screen, &["Training, epoch 4 of 10", "50/100", "200 it/s", "Plots: full history", "epoch 3."]);
    assert_shows(&screen, &["saved epoch 3, the best so", "35 %  ETA", "Confusion", "Misread"]);
    assert!(screen.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)), "no curve:\n{screen}");
}

#[test]
fn a_large_terminal_shows_everything_at_once() {
    let state = fixture::full();
    let screen = shown(&state, &view(200, 50));
    assert_shows(
        &screen,
        &["4→9 37", "10000 of 10057 right", "recall", "4→9 87%", "Plots: full history", "98.50% @3", "Model"],
    );
}

#[test]
fn before_the_first_iteration_it_says_that_it_waits() {
    let state = fixture::Run::new(10, 100, 10).state;
    assert_shows(
        &shown(&state, &view(80, 24)),
        &["Starting, epoch 1 of 10", "waiting for the first iteration", "-:--"],
    );
    assert_shows(&shown(&state, &view(200, 50)), &["after the first validation"]);
}

#[test]
fn a_loss_that_became_nan_is_told() {
    let screen = shown(&fixture::partial().state, &view(80, 24));
    assert_shows(&screen, &["NaN"]);
}

#[test]
fn the_confusion_tab_shows_counts_and_marks_errors() {
    let state = fixture::full();
    let view = turned(view(80, 24), &state, 3);
    let buffer = buffer(&state, &view);
    let screen = text(&buffer);
    assert_shows(&screen, &["Confusion", "1000", "37", "4→9 37"]);
    let row = screen.lines().position(|line| line.contains("37") && line.contains("1000")).expect("the row of class 4");
    let backgrounds = |color: u8| {
        let row = buffer.content.chunks(80).nth(row).unwrap();
        row.iter().any(|cell| cell.bg == Color::Indexed(color))
    };
    assert!(backgrounds(34), "the diagonal is green");
    assert!(backgrounds(160), "the confused pair is red");
}

#[test]
fn columns_headed_by_class_numbers_have_them_in_the_rows_too() {
    let mut state = fixture::full();
    std::sync::Arc::make_mut(&mut state.run).classes = (0..10).map(|class| format!("garment-{class}")).collect();
    assert_shows(&shown(&state, &view(200, 50)), &["4 garment…", "   8    9 "]);
}

#[test]
fn a_hundred_classes_still_have_a_matrix() {
    let mut state = fixture::full();
    std::sync::Arc::make_mut(&mut state.run).classes = (0..100).map(|class| format!("class {class}")).collect();
    state.set_confusion(fixture::confusion(100));
    let buffer = buffer(&state, &turned(view(80, 24), &state, 3));
    let blocks: Vec<_> = buffer.content.iter().filter(|cell| cell.symbol() == "▀").collect();
    assert!(blocks.len() >= 25 * 12, "{} half-blocks", blocks.len());
    assert!(blocks.iter().any(|cell| cell.fg == Color::Indexed(34)), "the diagonal is there");
    assert_shows(&text(&buffer), &["cells 4 x 4"]);
}

#[test]
fn the_misread_tab_shows_images_with_captions() {
    let state = fixture::full();
    let buffer = buffer(&state, &turned(view(80, 24), &state, 4));
    let screen = text(&buffer);
    assert_eq!(screen.matches("4→9 87%").count(), 6, "{screen}");
    let light = buffer.content.iter().filter(|cell| cell.symbol() == "▀" && matches!(cell.fg, Color::Indexed(250..)));
    assert!(light.count() > 20, "the ink is light");
}

#[test]
fn the_summary_marks_the_best_epoch() {
    let state = fixture::full();
    let mut view = turned(view(80, 24), &state, 1);
    view.kind = PlotKind::Summary;
    let screen = shown(&state, &view);
    let best = screen.lines().find(|line| line.contains('★')).expect("a best epoch");
    assert!(best.contains("98.50%"), "{best}");
}

#[test]
fn the_recent_plot_says_how_far_back_it_goes() {
    let state = fixture::full();
    let mut view = view(80, 24);
    view.kind = PlotKind::Recent;
    let screen = shown(&state, &view);
    assert_shows(&screen, &["recent", "-349", "latest iteration", "mean of 25"]);
}

#[test]
fn the_popup_and_the_stop_are_visible() {
    let state = fixture::full();
    let mut view = view(80, 24);
    view.popup = true;
    assert_shows(&shown(&state, &view), &["Stop training?", "finish the batch, save, leave", "continue training"]);
    view.stops = 1;
    assert_shows(&shown(&state, &view), &["leave at once, without saving"]);
    view.popup = false;
    assert_shows(&shown(&state, &view), &["Stopping after this batch"]);
}

#[test]
fn a_tiny_terminal_shows_the_numbers() {
    let state = fixture::full();
    assert_shows(&shown(&state, &view(10, 3)), &["35% E4/10", "0.1667"]);
    let screen = shown(&state, &view(40, 12));
    assert_shows(&screen, &["Loss", "Train", "Run"]);
}
