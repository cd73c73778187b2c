//! What the evaluation of the best epoch found, kept until the report is written.

use std::cell::RefCell;
use std::rc::Rc;

use kiln_backend::Backend;
use kiln_model::{Confusion, Judgement, Network};

use crate::data::RunData;
use crate::error::Error;
use crate::event::{Batch, Epoch, Event, Observer, Split};
use crate::options::Options;
use crate::step::{self, BatchOutput};

/// How many mistakes are kept.
const KEPT: usize = 25;

/// What the evaluation of an epoch found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The epoch, from 1.
    pub epoch: usize,
    /// How often each class was taken for each; `None` of very many classes, where a copy would take too much memory.
    pub confusion: Option<Confusion>,
    /// The misclassified images of the highest loss, the worst first: which one of the set, and what the network said.
    pub worst: Vec<(usize, Judgement)>,
}

impl Evaluation {
    /// Keeps what was found.
    fn new(epoch: usize, confusion: &Confusion, worst: Vec<(usize, Judgement)>) -> Self {
        /// Classes whose matrix takes 32 MB.
        const MOST: usize = 2000;
        Self { epoch, confusion: (confusion.classes() <= MOST).then(|| confusion.clone()), worst }
    }

    /// Classifies the validation set with the weights of an epoch.
    ///
    /// # Errors
    /// If the dataset fails.
    pub fn of<B: Backend>(
        network: &Network<B>,
        epoch: usize,
        data: &RunData,
        options: &Options,
        device: &B::Device,
    ) -> Result<Self, Error> {
        let (mut confusion, mut worst) = (Confusion::new(data.classes.len()), WorstMistakes::default());
        for batch in data.test_loader(&data.valid, options).epoch(1, 0) {
            let batch = batch?;
            if !batch.labels.is_empty() {
                let output = step::evaluate(network, batch, device);
                confusion.add(&output.logits, &output.labels);
                worst.add(&output);
            }
        }
        Ok(Self::new(epoch, &confusion, worst.take()))
    }
}

/// The misclassified images of the highest loss.
#[derive(Clone, Debug, Default)]
struct WorstMistakes(Vec<(usize, Judgement)>);

impl WorstMistakes {
    /// Takes in a batch.
    fn add(&mut self, output: &BatchOutput) {
        let classes = output.logits.len() / output.labels.len().max(1);
        let rows = output.logits.chunks_exact(classes.max(1)).zip(&output.labels).zip(&output.indices);
        let judged = rows.map(|((row, &label), &index)| (index, Judgement::of(row, label, 1.)));
        self.0.extend(judged.filter(|(_, judgement)| !judgement.is_correct()));
        self.0.sort_by(|(a, first), (b, second)| second.loss.total_cmp(&first.loss).then(a.cmp(b)));
        self.0.truncate(KEPT);
    }

    /// Those of all batches, the worst first.
    fn take(&mut self) -> Vec<(usize, Judgement)> {
        std::mem::take(&mut self.0)
    }
}

/// Hears of evaluations and keeps that of the best epoch. Clones share it.
#[derive(Clone, Default)]
pub struct BestEvaluation(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    running: WorstMistakes,
    best: Option<Evaluation>,
}

impl BestEvaluation {
    /// What was found; `None` if no epoch was evaluated since this process began.
    pub fn take(&self) -> Option<Evaluation> {
        self.0.borrow_mut().best.take()
    }
}

impl Observer for BestEvaluation {
    fn observe(&mut self, event: &Event<'_>) -> Result<(), Error> {
        let State { running, best } = &mut *self.0.borrow_mut();
        match event {
            Event::Evaluation => running.0.clear(),
            Event::Batch(Batch { split: Split::Valid, output, .. }) => running.add(output),
            Event::Epoch(Epoch { row, is_best: true, confusion, .. }) => {
                *best = Some(Evaluation::new(row.epoch, confusion, running.take()));
            }
            _ => {}
        }
        Ok(())
    }
}
