"""Makes losses.safetensors: the loss of the first 300 iterations of the lecture's recipe, as PyTorch computes it.

    python losses.py [--data-dir DIR]        needs torch, safetensors, numpy (bench/peers/requirements.txt)

    order     u16 [19200]    indices into the MNIST training set: batch k is order[64 k .. 64 (k + 1)]
    losses    f32 [300]      mean cross-entropy of each batch, before its update

The lecture's CNN starts from the weights of model/tests/golden/formula.py; SGD, lr 0.01, momentum 0.5, f32.
Rounding grows along a training (each max-pool or ReLU that tips the other way adds to it), so the script also trains
from weights changed in their last bit and in f64, and prints how far the losses so far were from `losses`, relatively.
With torch 2.15 on one thread: 2.1e-7 within 20 iterations, 8.6e-7 within 30, 2.1e-5 within 50, 3.7e-4 within 100,
3.6e-3 within 300; the mean of all 300 losses moved by 6.1e-5.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "model" / "tests" / "golden"))
from formula import MNIST, network_by_formula, normalise, read_mnist  # noqa: E402

ITERATIONS, BATCH = 300, 64


def train(images, labels, order, dtype=torch.float32, noise_seed=None):
    """The loss of each iteration. A noise seed changes each starting weight by one last bit, up or down."""
    network = network_by_formula("lecture-cnn").to(dtype)
    if noise_seed is not None:
        generator = torch.Generator().manual_seed(noise_seed)
        for parameter in network.parameters():
            up = torch.rand(parameter.shape, generator=generator) < 0.5
            parameter.data = torch.nextafter(parameter, torch.where(up, torch.inf, -torch.inf)).detach()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
    losses = []
    for rows in order.split(BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(normalise(images[rows], dtype)), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=MNIST)
    options = parser.parse_args()
    torch.set_num_threads(1)

    images, labels = read_mnist(options.data_dir, "train")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))[: ITERATIONS * BATCH]
    losses = train(images, labels, order)
    print(f"first {losses[0]:.6f}, last {losses[-1]:.6f}, mean {losses.mean():.6f}")
    others = [train(images, labels, order, noise_seed=seed) for seed in range(8)]
    others = torch.stack([*others, train(images, labels, order, torch.float64)])
    difference = (losses / others - 1).abs()
    for count in (10, 20, 30, 50, 100, 200, ITERATIONS):
        print(f"first {count:3} iterations: {difference[:, :count].max():.1e}")
    print(f"mean of all: {(losses.mean() / others.mean(1) - 1).abs().max():.1e}")
    golden = {"order": order.to(torch.uint16), "losses": losses}
    save_file(golden, HERE / "losses.safetensors", metadata={"source": f"losses.py, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
