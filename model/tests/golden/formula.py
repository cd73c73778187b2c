"""The reference networks, their weights by formula, and MNIST: what the golden scripts share.

The weights come from a formula that Rust repeats bit for bit, so no weights file is stored. A network's tensors are
numbered 0, 1, 2 .. in state_dict order (conv1.weight 0, conv1.bias 1, conv2.weight 2 ..). Value i of tensor p, counted
in row-major order, is

    n     = (i * 2654435761 + (p + 1) * 2246822519) mod 2^32        64-bit unsigned integers
    value = (n / 2^32 - 0.5) * (2 / sqrt(fan_in))                   in f64, rounded once to f32

where fan_in is the number of inputs of one output of the layer (25, 250 and 320 in the lecture's CNN), for its weight
and its bias alike. The range, ±1/sqrt(fan_in), is PyTorch's default. Kaiming's, 2.4 times wider, would make the mlp's
logits depend more on the image, but rounding moves 300 iterations of training from there six times as far.
"""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

MNIST = Path(__file__).resolve().parents[3] / "assets" / "mnist"
MEAN, STD = 0.1307, 0.3081


class LectureCnn(nn.Module):
    """[N, 1, 28, 28] -> [N, 10, 12, 12] -> [N, 20, 4, 4] -> [N, 10]"""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc = nn.Linear(320, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc(x.flatten(1))


class Mlp(nn.Module):
    """784 -> 512 -> 256 -> 128 -> 64 -> 10, ReLU between"""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, 128)
        self.fc4 = nn.Linear(128, 64)
        self.fc5 = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        for layer in (self.fc1, self.fc2, self.fc3, self.fc4):
            x = F.relu(layer(x))
        return self.fc5(x)


NETWORKS = {"lecture-cnn": LectureCnn, "mlp": Mlp}


def read_mnist(data_dir, split):
    """Images u8 [N, 28, 28] and labels i64 [N] of "train" or "t10k", in file order."""
    images = gzip.decompress((Path(data_dir) / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((Path(data_dir) / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)
    return torch.tensor(images), torch.tensor(labels)


def normalise(images, dtype=torch.float32):
    """u8 [N, 28, 28] -> [N, 1, 28, 28], (x / 255 - mean) / std"""
    return images.to(dtype).unsqueeze(1).div(255).sub(MEAN).div(STD)


def tensor_by_formula(shape, fan_in, position):
    i = np.arange(np.prod(shape), dtype=np.uint64)
    n = (i * np.uint64(2654435761) + np.uint64((position + 1) * 2246822519)) % np.uint64(2**32)
    values = (n.astype(np.float64) / 2**32 - 0.5) * (2 / np.sqrt(np.float64(fan_in)))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def network_by_formula(architecture):
    """The torch module with the formula's weights."""
    network = NETWORKS[architecture]()
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    state = {}
    for position, (name, shape) in enumerate(shapes.items()):
        weight = name.rsplit(".", 1)[0] + ".weight"
        state[name] = tensor_by_formula(shape, int(np.prod(shapes[weight][1:])), position)
    network.load_state_dict(state)
    return network
