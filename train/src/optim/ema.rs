//! The moving average of the weights over the iterations (EMA): often better than the last weights alone.

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend as BurnBackend};
use kiln_model::Network;

/// A network whose weights, running statistics included, are averages over those of the network that is trained.
#[derive(Debug)]
pub struct Average<B: BurnBackend> {
    /// The averages.
    pub network: Network<B>,
    /// How much of the averages stays at each iteration.
    pub decay: f64,
}

impl<B: BurnBackend> Average<B> {
    /// Begins with the weights as they are. Of the average, `decay` stays at each iteration.
    pub fn new<A: AutodiffBackend<InnerBackend = B>>(network: &Network<A>, decay: f64) -> Self {
        // `valid` copies running statistics, a clone would share them.
        Self { network: network.valid(), decay }
    }

    /// Takes in the weights after `iterations` iterations. The first ones are forgotten sooner: no more than
    /// `(1 + iterations) / (10 + iterations)` stays, as in TensorFlow's `ExponentialMovingAverage`.
    pub fn update<A: AutodiffBackend<InnerBackend = B>>(&mut self, network: &Network<A>, iterations: usize) {
        // Gradients are not meant: it is a bag of tensors by the identity of their parameters.
        struct Collector(GradientsParams);
        impl<B: BurnBackend> ModuleVisitor<B> for Collector {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
                self.0.register::<B, D>(param.id, param.val());
            }
        }
        struct Mixer {
            new: GradientsParams,
            decay: f64,
        }
        impl<B: BurnBackend> ModuleMapper<B> for Mixer {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
                let Some(new) = self.new.remove::<B, D>(param.id) else { return param };
                let decay = self.decay;
                param.map(|old| old * decay + new * (1. - decay))
            }
        }
        let mut collector = Collector(GradientsParams::new());
        network.valid().visit(&mut collector);
        let n = iterations as f64;
        let decay = self.decay.min((1. + n) / (10. + n));
        self.network = self.network.clone().map(&mut Mixer { new: collector.0, decay });
    }
}
