"""Makes clip_ema.safetensors: 20 iterations with clipped gradients and a moving average of the weights, by PyTorch.

    python clip_ema.py [--data-dir DIR]      needs torch, safetensors, numpy (bench/peers/requirements.txt)

    losses            f32 [20]       mean cross-entropy of each batch, before its update
    norms             f32 [20]       norm of all gradients together, before they are clipped
    average.NAME      f32            the averages after the last iteration, by the names of the state_dict

The lecture's CNN starts from the weights of model/tests/golden/formula.py. Batch k is images 64 k .. 64 (k + 1) of MNIST's
training set; SGD, lr 0.1, momentum 0.5; `clip_grad_norm_` to 0.5; after iteration n = 1, 2 .. the average keeps
min(0.5, (1 + n) / (10 + n)) of itself, as in TensorFlow's ExponentialMovingAverage with `num_updates`. Computed in f64, so
that what is stored is exact to f32.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "model" / "tests" / "golden"))
from formula import MNIST, network_by_formula, normalise, read_mnist  # noqa: E402

ITERATIONS, BATCH, LARGEST, DECAY = 20, 64, 0.5, 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=MNIST)
    options = parser.parse_args()
    images, labels = read_mnist(options.data_dir, "train")

    network = network_by_formula("lecture-cnn").double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
    iteration = 0

    def mix(average, weight, _):
        decay = min(DECAY, (1 + iteration) / (10 + iteration))
        return average * decay + weight * (1 - decay)

    averaged = AveragedModel(network, avg_fn=mix)
    averaged.n_averaged += 1  # The first update mixes already, instead of copying.
    losses, norms = [], []
    for rows in torch.arange(ITERATIONS * BATCH).split(BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(normalise(images[rows], torch.float64)), labels[rows])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST))
        optimizer.step()
        iteration += 1
        averaged.update_parameters(network)
        losses.append(loss.detach())

    print("norms:", " ".join(f"{norm:.3f}" for norm in norms))
    golden = {f"average.{name}": tensor.float() for name, tensor in averaged.module.state_dict().items()}
    golden |= {"losses": torch.stack(losses).float(), "norms": torch.stack(norms).float()}
    save_file(golden, HERE / "clip_ema.safetensors", metadata={"source": f"clip_ema.py, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
