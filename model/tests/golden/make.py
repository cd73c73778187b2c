"""Makes logits.safetensors: what PyTorch computes for the first 16 MNIST test images, with weights by formula.py.

    python make.py [--data-dir DIR]          needs torch, safetensors, numpy (bench/peers/requirements.txt)

    images                            u8  [16, 28, 28]
    labels                            i64 [16]
    lecture-cnn, mlp                  f32 [16, 10]    logits
    lecture-cnn.grad.<parameter>      f32             gradient of the mean cross-entropy of the 16: every parameter
    mlp.grad.<parameter>              f32             the same: the biases and fc5.weight only, to keep the file small

Everything is computed in f32. The script prints the largest difference from the same computation in f64, relative to
the largest value of the tensor. With torch 2.15 on one thread: 8.6e-7 for the lecture's CNN's logits and 1.3e-6 for its
gradients, 1.4e-7 and 4e-7 for the mlp's. So a tolerance of 1e-5 is tight and still leaves room for another order of
summation.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from formula import MNIST, NETWORKS, network_by_formula, normalise, read_mnist

HERE = Path(__file__).resolve().parent


def logits_and_gradients(architecture, images, labels, dtype):
    """A dict of the logits and every parameter's gradient, under the names of the file."""
    network = network_by_formula(architecture).to(dtype)
    logits = network(normalise(images, dtype))
    F.cross_entropy(logits, labels).backward()
    gradients = {f"{architecture}.grad.{name}": p.grad for name, p in network.named_parameters()}
    return {architecture: logits.detach(), **gradients}


def stored(name):
    return not name.startswith("mlp.grad.") or name.endswith(".bias") or name == "mlp.grad.fc5.weight"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default=MNIST)
    options = parser.parse_args()
    torch.set_num_threads(1)

    images, labels = (tensor[:16].clone() for tensor in read_mnist(options.data_dir, "t10k"))
    golden = {"images": images, "labels": labels}
    for architecture in NETWORKS:
        single = logits_and_gradients(architecture, images, labels, torch.float32)
        double = logits_and_gradients(architecture, images, labels, torch.float64)
        for name, tensor in single.items():
            difference = (tensor - double[name]).abs().max() / double[name].abs().max()
            print(f"{name:32} largest {tensor.abs().max():9.5f}   f32 to f64, relative {difference:.1e}")
        golden.update((name, tensor) for name, tensor in single.items() if stored(name))
    save_file(golden, HERE / "logits.safetensors", metadata={"source": f"make.py, torch {torch.__version__}"})


if __name__ == "__main__":
    main()
