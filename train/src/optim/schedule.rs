//! Learning-rate schedules as functions of the iteration alone: to resume one, its iteration is all that is needed.

use burn::lr_scheduler::LrScheduler;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// Always the same.
    Constant,
    /// Half a cosine from the learning rate down to the minimum.
    Cosine,
    /// Times the decay rate every so many epochs.
    Step,
    /// Up and down again in half cosines, as in PyTorch's `OneCycleLR`; the momentum stays.
    Onecycle,
}

impl ScheduleName {
    /// Whether it ends at a learning rate of its own.
    pub fn has_minimum(self) -> bool {
        matches!(self, Self::Cosine | Self::Onecycle)
    }

    /// Whether the learning rate of an iteration depends on how many there are in all.
    pub fn depends_on_the_end(self) -> bool {
        self.has_minimum()
    }
}

impl std::fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Cosine => "cosine",
            Self::Step => "step",
            Self::Onecycle => "onecycle",
        })
    }
}

/// A schedule and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Which schedule.
    pub name: ScheduleName,
    /// The learning rate, for one-cycle its peak.
    pub lr: f64,
    /// Iterations in the run.
    pub total: usize,
    /// Iterations of warm-up; for one-cycle, of the way up.
    pub warmup: f64,
    /// Learning rate at the first iteration of the warm-up.
    pub warmup_lr: f64,
    /// Learning rate at the end of cosine and one-cycle.
    pub min_lr: f64,
    /// Iterations between steps.
    pub decay: usize,
    /// Factor at a step.
    pub decay_rate: f64,
    /// Iterations done.
    pub iteration: usize,
}

impl Schedule {
    /// The learning rate of an iteration, counted from 0.
    pub fn at(&self, iteration: usize) -> f64 {
        let i = iteration as f64;
        if self.name == ScheduleName::Onecycle {
            let last = self.total.saturating_sub(1) as f64;
            let peak = (self.warmup - 1.).max(0.);
            return match i < peak {
                true => cosine(self.warmup_lr, self.lr, i / peak),
                false => cosine(self.lr, self.min_lr, share(i - peak, last - peak)),
            };
        }
        if i < self.warmup {
            return self.warmup_lr + (self.lr - self.warmup_lr) * i / self.warmup;
        }
        match self.name {
            ScheduleName::Cosine => {
                cosine(self.lr, self.min_lr, share(i - self.warmup, self.total as f64 - self.warmup))
            }
            ScheduleName::Step => self.lr * self.decay_rate.powi((iteration / self.decay) as i32),
            ScheduleName::Constant | ScheduleName::Onecycle => self.lr,
        }
    }
}

/// How far `done` is of `all`, 0 to 1.
fn share(done: f64, all: f64) -> f64 {
    if all > 0. { (done / all).clamp(0., 1.) } else { 1. }
}

/// Half a cosine from `from` (share 0) to `to` (share 1).
fn cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1. + (std::f64::consts::PI * share).cos()) / 2.
}

impl LrScheduler for Schedule {
    type Record<B: Backend> = usize;

    fn step(&mut self) -> f64 {
        let lr = self.at(self.iteration);
        self.iteration += 1;
        lr
    }

    fn to_record<B: Backend>(&self) -> usize {
        self.iteration
    }

    fn load_record<B: Backend>(mut self, iteration: usize) -> Self {
        self.iteration = iteration;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(name: ScheduleName) -> Schedule {
        Schedule {
            name,
            lr: 0.1,
            total: 100,
            warmup: 0.,
            warmup_lr: 0.,
            min_lr: 0.,
            decay: 30,
            decay_rate: 0.1,
            iteration: 0,
        }
    }

    fn assert_rates(schedule: &Schedule, expected: &[(usize, f64)]) {
        for &(iteration, lr) in expected {
            assert!((schedule.at(iteration) - lr).abs() < 1e-12, "{iteration}: {} not {lr}", schedule.at(iteration));
        }
    }

    #[test]
    fn rates_are_those_of_pytorchs_schedulers() {
        assert_rates(&schedule(ScheduleName::Constant), &[(0, 0.1), (99, 0.1)]);
        // StepLR(step_size=30, gamma=0.1)
        assert_rates(&schedule(ScheduleName::Step), &[(0, 0.1), (29, 0.1), (30, 0.01), (60, 0.001), (99, 1e-4)]);
        // CosineAnnealingLR(T_max=100, eta_min=0.02)
        let cosine = Schedule { min_lr: 0.02, ..schedule(ScheduleName::Cosine) };
        assert_rates(&cosine, &[(0, 0.1), (25, 0.088_284_271_247_461_9), (50, 0.06), (99, 0.020019737585370737)]);
        // OneCycleLR(max_lr=0.1, total_steps=100): rises over 30 % from lr/25, ends at lr/250,000
        let cycle = Schedule { warmup: 30., warmup_lr: 0.004, min_lr: 4e-7, ..schedule(ScheduleName::Onecycle) };
        assert_rates(&cycle, &[(0, 0.004), (29, 0.1), (10, 0.029516394846410082), (99, 4e-7), (64, 0.0500002)]);
    }

    #[test]
    fn one_cycle_is_pytorchs_where_the_way_up_is_no_whole_number_of_iterations() {
        let cycle = |total: usize| Schedule {
            total,
            warmup: 0.3 * total as f64,
            warmup_lr: 0.004,
            min_lr: 4e-7,
            ..schedule(ScheduleName::Onecycle)
        };
        assert_rates(&cycle(7), &[(0, 0.004), (1, 0.09805566273349588), (3, 0.06726838364805451), (6, 4e-7)]);
        assert_rates(&cycle(55), &[(1, 0.004982562819880271), (27, 0.07955413841020734), (54, 4e-7)]);
    }

    #[test]
    fn a_warm_up_rises_in_a_line_to_the_learning_rate() {
        let warm = Schedule { warmup: 20., warmup_lr: 0.02, ..schedule(ScheduleName::Constant) };
        assert_rates(&warm, &[(0, 0.02), (5, 0.04), (10, 0.06), (20, 0.1), (50, 0.1)]);
    }

    #[test]
    fn stepping_walks_through_the_iterations_and_resumes_anywhere() {
        let mut cosine = schedule(ScheduleName::Cosine);
        let rates: Vec<_> = (0..100).map(|_| cosine.step()).collect();
        let mut resumed = LrScheduler::load_record::<kiln_backend::Reference>(schedule(ScheduleName::Cosine), 40);
        assert_eq!((0..60).map(|_| resumed.step()).collect::<Vec<_>>(), rates[40..]);
    }
}
