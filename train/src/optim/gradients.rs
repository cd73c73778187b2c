//! What is done to gradients before the optimizer gets them.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};

/// Shortens gradients whose norm over all weights together exceeds `largest`, as PyTorch's `clip_grad_norm_` does.
pub fn clip<B: AutodiffBackend, M: Module<B>>(module: &M, grads: GradientsParams, largest: f64) -> GradientsParams {
    struct Norm<'a> {
        grads: &'a GradientsParams,
        squares: f64,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(grad) = self.grads.get::<B::InnerBackend, D>(param.id) {
                self.squares += grad.powi_scalar(2).sum().into_scalar().elem::<f64>();
            }
        }
    }
    let mut norm = Norm { grads: &grads, squares: 0. };
    module.visit(&mut norm);
    let factor = largest / (norm.squares.sqrt() + 1e-6);
    if factor >= 1. || !factor.is_finite() {
        return grads;
    }
    plus(module, GradientsParams::new(), grads, factor)
}

/// `sum + factor * grads`, weight by weight of the module.
pub fn plus<B: AutodiffBackend, M: Module<B>>(
    module: &M,
    sum: GradientsParams,
    grads: GradientsParams,
    factor: f64,
) -> GradientsParams {
    struct Plus {
        sum: GradientsParams,
        grads: GradientsParams,
        factor: f64,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Plus {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let Some(grad) = self.grads.remove::<B::InnerBackend, D>(param.id) else { return };
            let scaled = grad * self.factor;
            let sum = match self.sum.remove::<B::InnerBackend, D>(param.id) {
                Some(sum) => sum + scaled,
                None => scaled,
            };
            self.sum.register::<B::InnerBackend, D>(param.id, sum);
        }
    }
    let mut plus = Plus { sum, grads, factor };
    module.visit(&mut plus);
    plus.sum
}
