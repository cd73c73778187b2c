//! What the tests share.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, backend::AutodiffBackend};
use kiln_model::Network;

/// A network whose parameters are the gradients: names and layouts come for free. What is not trained stays.
///
/// # Panics
/// If a parameter that is trained has no gradient.
pub fn of_gradients<B: AutodiffBackend>(network: Network<B>, loss: &Tensor<B, 1>) -> Network<B> {
    let grads = GradientsParams::from_grads(loss.backward(), &network);
    network.map(&mut TakeGradients { grads })
}

struct TakeGradients {
    grads: GradientsParams,
}

impl<B: AutodiffBackend> ModuleMapper<B> for TakeGradients {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if !param.val().is_require_grad() {
            return param;
        }
        let gradient = self.grads.remove::<B::InnerBackend, D>(param.id).expect("every parameter has a gradient");
        param.map(|_| Tensor::from_inner(gradient))
    }
}
