//! What happens in a run, told to whoever shows it or writes it down.

use crate::error::Error;
use kiln_model::{Confusion, Metrics};

use crate::run_dir::progress::Row;
use crate::step::BatchOutput;

/// Which images a batch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Those that the network learns from.
    Train,
    /// Those that the best epoch is chosen by.
    Valid,
}

/// A batch that was trained on or evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Which images it is of.
    pub split: Split,
    /// The epoch that is running, from 1.
    pub epoch: usize,
    /// Images of this pass that are done, this batch's included.
    pub items: usize,
    /// Images of the whole pass.
    pub items_total: usize,
    /// Iterations done since the run began.
    pub iteration: usize,
    /// What the network said.
    pub output: &'a BatchOutput,
    /// The metrics of the pass so far, this batch's included.
    pub total: Metrics,
}

/// The mean over the last iterations, which are as many as the log's interval.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    /// The epoch that is running, from 1.
    pub epoch: usize,
    /// Its batches that are done.
    pub batch: usize,
    /// Iterations done since the run began.
    pub iteration: usize,
    /// The mean loss.
    pub loss: f64,
    /// The learning rate.
    pub lr: f64,
}

/// An epoch that is complete: trained, evaluated and saved.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    /// Its numbers.
    pub row: &'a Row,
    /// Iterations done since the run began.
    pub iteration: usize,
    /// Metrics of the evaluation.
    pub valid: Metrics,
    /// Whether it is the best so far.
    pub is_best: bool,
    /// How often each class was taken for each in the evaluation.
    pub confusion: &'a Confusion,
}

/// What happens in a run.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A batch is done.
    Batch(Batch<'a>),
    /// The loss of the last iterations is due.
    Interval(Interval),
    /// An evaluation begins.
    Evaluation,
    /// An epoch is complete.
    Epoch(Epoch<'a>),
    /// Something to be said in a line.
    Note(&'a str),
}

/// Shows or writes down what happens.
pub trait Observer {
    /// Takes an event.
    ///
    /// # Errors
    /// If it cannot be written, which ends the run.
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error>;

    /// Training is over; only notes follow.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    fn training_ended(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// The observers of a run, which hear of each event in turn.
#[derive(Default)]
pub struct Observers(pub Vec<Box<dyn Observer>>);

impl Observers {
    /// Tells all of them.
    ///
    /// # Errors
    /// The first that occurs; those after it do not hear of the event.
    pub fn tell(&mut self, event: Event<'_>) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|observer| observer.observe(&event))
    }

    /// Tells all of them that training is over.
    ///
    /// # Errors
    /// As [`tell`](Self::tell).
    pub fn training_ended(&mut self) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|observer| observer.training_ended())
    }
}
