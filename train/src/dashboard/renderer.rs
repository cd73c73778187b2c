//! burn-train's view of the dashboard.

use std::error::Error;
use std::time::Instant;

use burn_train::LearnerSummary;
use burn_train::metric::MetricDefinition;
use burn_train::renderer::{
    EvaluationName, EvaluationProgress, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining, ProgressType, TrainingProgress,
};

use super::metric::Split;
use super::progress::Step;
use super::{Dashboard, Shared};

impl Shared {
    fn update(&self, split: Split, state: MetricState) {
        self.state().update(split, state);
    }

    fn training(&self, split: Split, progress: &TrainingProgress) {
        self.state().commit(training_step(split, progress, Instant::now()));
    }

    fn evaluation(&self, progress: &EvaluationProgress) {
        let mut state = self.state();
        let epoch = state.progress.epoch;
        let (items, items_total) = (progress.progress.items_processed, progress.progress.items_total);
        state.commit(Step { split: Split::Test, epoch, items, items_total, now: Instant::now() });
    }

    fn finish(&self) {
        let mut state = self.state();
        state.finished = true;
        state.version += 1;
    }

    fn hold(&self) {
        let mut state = self.state();
        state.held = true;
        state.version += 1;
    }
}

/// Supervised training counts items in `progress` and epochs in `global_progress`; a loop without epochs has only the
/// latter, which then counts items.
pub(super) fn training_step(split: Split, progress: &TrainingProgress, now: Instant) -> Step {
    let (epoch, items) = match &progress.progress {
        Some(items) => (progress.global_progress.items_processed, items),
        None => (1, &progress.global_progress),
    };
    Step { split, epoch, items: items.items_processed, items_total: items.items_total, now }
}

impl MetricsRendererTraining for Dashboard {
    fn update_train(&mut self, state: MetricState) {
        self.shared.update(Split::Train, state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.shared.update(Split::Valid, state);
    }

    fn render_train(&mut self, item: TrainingProgress, _: Vec<ProgressType>) {
        self.shared.training(Split::Train, &item);
    }

    fn render_valid(&mut self, item: TrainingProgress, _: Vec<ProgressType>) {
        self.shared.training(Split::Valid, &item);
    }

    /// Prints nothing: the caller has the summary, and the alternate screen is no place for it.
    fn on_train_end(&mut self, _: Option<LearnerSummary>) -> Result<(), Box<dyn Error>> {
        self.shared.finish();
        Ok(())
    }
}

impl MetricsRendererEvaluation for Dashboard {
    /// Several evaluations share one column; the last one stays.
    fn update_test(&mut self, _: EvaluationName, state: MetricState) {
        self.shared.update(Split::Test, state);
    }

    fn render_test(&mut self, item: EvaluationProgress, _: Vec<ProgressType>) {
        self.shared.evaluation(&item);
    }

    fn on_test_end(&mut self, _: Option<LearnerSummary>) -> Result<(), Box<dyn Error>> {
        self.shared.finish();
        Ok(())
    }
}

impl MetricsRenderer for Dashboard {
    /// Keeps the dashboard up until the user closes it with a key.
    fn manual_close(&mut self) {
        self.shared.hold();
        self.join();
    }

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.shared.state().register(definition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{RunInfo, fixture};
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// The renderer without a terminal.
    fn headless() -> Dashboard {
        let info = RunInfo { epochs: 2, first_epoch: 1, iterations_per_epoch: 10, ..RunInfo::default() };
        let state = super::super::State::new(info, Instant::now());
        let shared = Arc::new(Shared { state: state.into(), closing: AtomicBool::new(false) });
        Dashboard { shared, thread: None, ended: std::sync::mpsc::channel().1.into(), screen: None }
    }

    #[test]
    fn what_burn_sends_reaches_the_state() {
        let mut dashboard = headless();
        dashboard.update_train(fixture::value("Loss", 9.0, 1));
        assert!(dashboard.shared.state().metrics.is_empty(), "an unregistered metric has no name");
        dashboard.register_metric(fixture::definition("Loss", None, false));
        dashboard.update_train(fixture::value("Loss", 2.5, 64));
        dashboard.render_train(fixture::training_progress(1, 2, 64, 640), vec![]);
        dashboard.update_valid(fixture::value("Loss", 1.5, 100));
        dashboard.render_valid(fixture::training_progress(1, 2, 100, 100), vec![]);
        dashboard.update_test(EvaluationName::new("test"), fixture::value("Loss", 1.25, 100));
        dashboard.render_test(fixture::evaluation_progress(100, 100), vec![]);
        dashboard.on_train_end(None).unwrap();
        dashboard.manual_close();
        let state = dashboard.shared.state();
        let shown = Split::ALL.map(|split| state.metrics[0].shown(split));
        assert_eq!(shown, [Some(2.5), Some(1.5), Some(1.25)]);
        assert!(state.finished);
    }

    #[test]
    fn a_loop_without_epochs_counts_items_globally() {
        let progress = TrainingProgress { progress: None, ..fixture::training_progress(3, 10, 0, 0) };
        let step = training_step(Split::Train, &progress, Instant::now());
        assert_eq!((step.epoch, step.items, step.items_total), (1, 3, 10));
    }

    #[test]
    fn a_feed_outlives_its_dashboard() {
        let dashboard = headless();
        let feed = dashboard.feed();
        drop(dashboard);
        feed.note("late".into());
        feed.confusion(vec![1]);
        feed.misread(vec![]);
    }
}
