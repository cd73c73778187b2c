//! What a network says about a picture.

use std::sync::Arc;

/// A class and how likely it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Index of the class.
    pub class: usize,
    /// Name of the class.
    pub name: Arc<str>,
    /// Softmax probability, 0 to 1, at the temperature of the weights.
    pub probability: f64,
}

/// What a network says about a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    predictions: Vec<Prediction>,
    logits: Vec<f32>,
    blank: bool,
}

impl Answer {
    pub(crate) fn new(logits: Vec<f32>, classes: &[Arc<str>], temperature: f64, blank: bool) -> Self {
        let ranked = kiln_model::top(&logits, classes.len(), temperature).into_iter();
        let predictions = ranked.map(|ranked| Prediction {
            class: ranked.class,
            name: classes[ranked.class].clone(),
            probability: ranked.confidence,
        });
        Self { predictions: predictions.collect(), logits, blank }
    }

    /// The likeliest class.
    pub fn best(&self) -> &Prediction {
        &self.predictions[0]
    }

    /// The `k` likeliest classes, best first; all of them if there are fewer.
    pub fn top(&self, k: usize) -> &[Prediction] {
        &self.predictions[..k.min(self.predictions.len())]
    }

    /// What the network computed, one number a class, in class order.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Whether a digit was looked for and the picture is blank. The predictions then mean nothing.
    pub fn is_blank(&self) -> bool {
        self.blank
    }
}
