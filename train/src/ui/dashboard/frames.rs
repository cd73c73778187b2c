//! The drawing thread: reads keys, draws frames, and mostly sleeps.

use std::io;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event};

use super::Shared;
use super::draw::draw;
use super::screen::{self, LiveTerminal};
use super::state::State;
use super::view::{Action, View};
use crate::stop::StopRequest;

/// The shortest time between two frames, and the longest sleep: closing waits for it.
const TICK: Duration = Duration::from_millis(100);
/// The longest time between two frames: clocks tick even where training is silent.
const SLOWEST: Duration = Duration::from_secs(1);
/// Frames are this many times their own duration apart.
const SPACING: u32 = 50;

/// Draws until the dashboard closes or the terminal fails.
pub(super) fn run(shared: &Shared, stop: &StopRequest, mut terminal: LiveTerminal) {
    let mut view = View::new(Instant::now());
    let mut frames = Frames::new(Instant::now());
    let mut keyboard = true;
    while !shared.closing.load(Ordering::Relaxed) && screen::is_up() {
        frames.urgent |= std::mem::replace(&mut view.stops, stop.count()) != stop.count();
        let now = Instant::now();
        if frames.due(now, || shared.state().version) {
            view.now = now;
            let state = shared.state().clone();
            match screen::while_up(|| show(&mut terminal, &state, &mut view)) {
                Some(Ok(())) => frames.drawn(now, state.version, now.elapsed()),
                // The terminal is gone: training goes on without it.
                Some(Err(_)) => break,
                None => break,
            }
        }
        if !keyboard {
            thread::sleep(TICK);
        } else {
            match keys(shared, stop, &mut view) {
                Ok(Input::Nothing) => {}
                Ok(Input::Something) => frames.urgent = true,
                Err(_) => keyboard = false,
            }
        }
    }
    screen::restore_terminal();
}

fn show(terminal: &mut LiveTerminal, state: &State, view: &mut View) -> io::Result<()> {
    terminal.draw(|frame| {
        view.size = frame.area().as_size();
        draw(frame, state, view);
    })?;
    Ok(())
}

enum Input {
    Nothing,
    Something,
}

/// Sleeps until a key or the end of the tick, then takes all that has arrived.
fn keys(shared: &Shared, stop: &StopRequest, view: &mut View) -> io::Result<Input> {
    if !event::poll(TICK)? {
        return Ok(Input::Nothing);
    }
    loop {
        if let Event::Key(key) = event::read()? {
            let action = view.on_key(key, &shared.state());
            match action {
                Action::None => {}
                Action::Stop if stop.is_requested() => {}
                Action::Stop | Action::Interrupt => {
                    if stop.request() {
                        screen::leave_at_once();
                    }
                }
            }
        }
        if !event::poll(Duration::ZERO)? {
            return Ok(Input::Something);
        }
    }
}

/// When to draw.
struct Frames {
    last: Instant,
    next: Instant,
    version: Option<u64>,
    /// The user did something and waits for the answer.
    urgent: bool,
}

impl Frames {
    fn new(now: Instant) -> Self {
        Self { last: now, next: now, version: None, urgent: true }
    }

    fn due(&self, now: Instant, version: impl FnOnce() -> u64) -> bool {
        let Some(drawn) = self.version else { return true };
        let waited = now.saturating_duration_since(self.last);
        (self.urgent && waited >= TICK / 3) || waited >= SLOWEST || (now >= self.next && version() != drawn)
    }

    fn drawn(&mut self, now: Instant, version: u64, took: Duration) {
        self.last = now;
        self.next = now + (took * SPACING).clamp(TICK, SLOWEST);
        self.version = Some(version);
        self.urgent = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_drawn_on_change_and_spaced_by_their_cost() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut frames = Frames::new(start);
        assert!(frames.due(start, || 0), "the first frame at once");
        frames.drawn(start, 0, Duration::from_millis(1));
        assert!(!frames.due(at(99), || 1), "at most ten a second");
        assert!(frames.due(at(100), || 1));
        assert!(!frames.due(at(500), || 0), "nothing changed");
        assert!(frames.due(at(1000), || 0), "the clock ticks");
        frames.drawn(start, 0, Duration::from_millis(8));
        assert!(!frames.due(at(399), || 1), "dear frames are rare");
        assert!(frames.due(at(400), || 1));
        frames.urgent = true;
        assert!(frames.due(at(100), || 0), "a key is answered soon even then");
    }
}
