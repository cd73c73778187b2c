//! Where the run is, how fast it goes and when it will be done.

use std::time::{Duration, Instant};

use crate::event::Split;

/// The speed shown is that of about the last two seconds.
const SPEED_WINDOW: f64 = 2.0;

/// A batch that is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) split: Split,
    /// From 1.
    pub(super) epoch: usize,
    /// Images of this pass that are done, and in all.
    pub(super) items: usize,
    pub(super) items_total: usize,
    pub(super) now: Instant,
}

/// Progress of the run; everything is derived from [`Step`]s.
#[derive(Clone, Debug)]
pub(super) struct RunProgress {
    pub(super) started: Instant,
    pub(super) split: Option<Split>,
    pub(super) epoch: usize,
    pub(super) epochs: usize,
    pub(super) items: usize,
    pub(super) items_total: usize,
    pub(super) iteration: usize,
    iterations_per_epoch: usize,
    /// Iterations, items and seconds of training, all fading at one rate: their ratios are recent speeds.
    fading: (f64, f64, f64),
    /// Iterations and seconds of training since the program began.
    trained: (f64, f64),
    last: Instant,
    /// When the epoch under way began, unless the program began inside it.
    epoch_started: Option<Instant>,
    /// What the last whole epoch took, validation included.
    epoch_time: Option<Duration>,
}

impl RunProgress {
    pub(super) fn new(first_epoch: usize, epochs: usize, iterations_per_epoch: usize, now: Instant) -> Self {
        Self {
            started: now,
            split: None,
            epoch: first_epoch,
            epochs,
            items: 0,
            items_total: 0,
            iteration: 0,
            iterations_per_epoch,
            fading: (0.0, 0.0, 0.0),
            trained: (0.0, 0.0),
            last: now,
            epoch_started: None,
            epoch_time: None,
        }
    }

    /// Whether `step` begins another pass than the one under way.
    pub(super) fn is_new_pass(&self, step: &Step) -> bool {
        self.split != Some(step.split) || self.epoch != step.epoch
    }

    /// Takes one iteration into account.
    pub(super) fn advance(&mut self, step: Step) {
        let new_pass = self.is_new_pass(&step);
        if new_pass && step.split == Split::Train {
            self.start_epoch(&step);
        }
        if step.split == Split::Train && !new_pass {
            // The first iteration of a pass is left out: the time before it went to validation or to a checkpoint.
            let seconds = step.now.saturating_duration_since(self.last).as_secs_f64();
            let fade = 1.0 / (1.0 + seconds / SPEED_WINDOW);
            let items = step.items.saturating_sub(self.items) as f64;
            let (iterations, items_before, seconds_before) = self.fading;
            self.fading = (iterations * fade + 1.0, items_before * fade + items, seconds_before * fade + seconds);
            self.trained.0 += 1.0;
            self.trained.1 += seconds;
        }
        self.split = Some(step.split);
        self.epoch = step.epoch;
        self.items = step.items;
        self.items_total = step.items_total;
        self.last = step.now;
        if step.split == Split::Train {
            self.iteration = (self.pass_fraction() * self.iterations_per_epoch as f64).round() as usize;
        }
    }

    fn start_epoch(&mut self, step: &Step) {
        let whole = self.epoch_started.filter(|_| step.epoch == self.epoch + 1);
        self.epoch_time = whole.map(|started| step.now.saturating_duration_since(started)).or(self.epoch_time);
        let at_its_start = step.items * self.iterations_per_epoch <= step.items_total * 2;
        self.epoch_started = at_its_start.then_some(step.now);
    }

    /// The part of the pass under way that is done, 0 to 1.
    pub(super) fn pass_fraction(&self) -> f64 {
        fraction(self.items as f64, self.items_total as f64)
    }

    /// The part of the run's training that is done, 0 to 1; epochs done before a resume count.
    pub(super) fn run_fraction(&self) -> f64 {
        fraction(self.epochs_done(), self.epochs as f64)
    }

    /// Epochs trained so far, with the fraction of the one under way.
    pub(super) fn epochs_done(&self) -> f64 {
        match self.split {
            None => self.epoch.saturating_sub(1) as f64,
            Some(Split::Train) => self.epoch.saturating_sub(1) as f64 + self.pass_fraction(),
            Some(Split::Valid) => self.epoch as f64,
        }
    }

    /// Training iterations a second, lately.
    pub(super) fn iterations_per_second(&self) -> Option<f64> {
        (self.fading.2 > 0.0).then(|| self.fading.0 / self.fading.2)
    }

    /// Images a second, lately; `None` where the loop reports batches instead of images.
    pub(super) fn items_per_second(&self) -> Option<f64> {
        let (iterations, items, seconds) = self.fading;
        (seconds > 0.0 && items > iterations * 1.5).then(|| items / seconds)
    }

    fn training_left_in_epoch(&self) -> Option<f64> {
        let (iterations, seconds) = self.trained;
        if iterations == 0.0 {
            return None;
        }
        let left = match self.split {
            Some(Split::Train) => 1.0 - self.pass_fraction(),
            _ => 0.0,
        };
        Some(left * self.iterations_per_epoch as f64 * seconds / iterations)
    }

    /// Time until the end of the epoch, validation included once an epoch has shown how long that takes.
    pub(super) fn epoch_left(&self, now: Instant) -> Option<Duration> {
        let training = self.training_left_in_epoch()?;
        let whole = match (self.epoch_time, self.epoch_started) {
            (Some(time), Some(started)) => (time.as_secs_f64() - since(started, now)).max(0.0),
            _ => 0.0,
        };
        Duration::try_from_secs_f64(training.max(whole)).ok()
    }

    /// Time until the end of the run.
    pub(super) fn run_left(&self, now: Instant) -> Option<Duration> {
        let (iterations, seconds) = self.trained;
        let epoch_left = self.epoch_left(now)?.as_secs_f64();
        let training = seconds / iterations * self.iterations_per_epoch as f64;
        let epoch = self.epoch_time.map_or(training, |time| time.as_secs_f64());
        Duration::try_from_secs_f64(epoch_left + epoch * self.epochs.saturating_sub(self.epoch) as f64).ok()
    }

    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }
}

fn since(start: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(start).as_secs_f64()
}

/// `part / whole` within 0 to 1; 0 for an empty whole.
fn fraction(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epochs of ten iterations of a tenth of a second (64 images each) and a validation pass of one second.
    fn after(epochs: usize, first_epoch: usize, whole_epochs: usize, iterations: usize) -> (RunProgress, Instant) {
        let start = Instant::now();
        let mut now = start;
        let mut progress = RunProgress::new(first_epoch, epochs, 10, start);
        for epoch in first_epoch..=first_epoch + whole_epochs {
            let last = epoch == first_epoch + whole_epochs;
            for i in 1..=(if last { iterations } else { 10 }) {
                now += Duration::from_millis(100);
                progress.advance(Step { split: Split::Train, epoch, items: i * 64, items_total: 640, now });
            }
            for i in 1..=(if last { 0 } else { 2 }) {
                now += Duration::from_millis(500);
                progress.advance(Step { split: Split::Valid, epoch, items: i, items_total: 2, now });
            }
        }
        (progress, now)
    }

    fn seconds(time: Option<Duration>) -> f64 {
        time.expect("an estimate").as_secs_f64()
    }

    #[test]
    fn before_the_first_epoch_is_over_the_estimate_is_that_of_training() {
        let (progress, now) = after(4, 1, 0, 5);
        assert!((progress.run_fraction() - 0.125).abs() < 1e-9);
        assert!((seconds(progress.epoch_left(now)) - 0.5).abs() < 1e-6);
        assert!((seconds(progress.run_left(now)) - 3.5).abs() < 1e-6);
        assert_eq!(progress.iteration, 5);
    }

    #[test]
    fn later_the_estimate_knows_how_long_validation_takes() {
        let (progress, now) = after(4, 1, 2, 5);
        assert!((seconds(progress.run_left(now)) - 3.6).abs() < 0.11, "{:?}", progress.run_left(now));
        assert!((seconds(progress.epoch_left(now)) - 1.6).abs() < 0.11, "{:?}", progress.epoch_left(now));
    }

    #[test]
    fn speed_leaves_validation_out() {
        let (progress, _) = after(4, 1, 2, 5);
        assert!((progress.iterations_per_second().unwrap() - 10.0).abs() < 1e-6);
        assert!((progress.items_per_second().unwrap() - 640.0).abs() < 1e-6);
    }

    #[test]
    fn a_resumed_run_counts_the_epochs_before_it() {
        let (progress, now) = after(10, 9, 0, 5);
        assert!((progress.run_fraction() - 0.85).abs() < 1e-9);
        assert!((seconds(progress.run_left(now)) - 1.5).abs() < 1e-6);
    }

    #[test]
    fn nothing_known_yields_no_estimate() {
        let now = Instant::now();
        let progress = RunProgress::new(1, 0, 0, now);
        assert_eq!(progress.run_left(now), None);
        assert_eq!(progress.run_fraction(), 0.0);
        assert_eq!(progress.iterations_per_second(), None);
    }
}
