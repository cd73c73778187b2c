"""Makes kernels.json: what PyTorch computes, in f64, for small convolutions, pools and cross-entropies.

    python kernels.py                        needs torch, numpy (bench/peers/requirements.txt)

A line of the file is a case: its sizes, and everything that kernels.rs expects. Inputs come from a formula that Rust
repeats bit for bit. The tensors of a case are numbered: x (or the logits) 0, weight 1, bias 2, the gradient of the
output 3. Value i of tensor p, counted in row-major order, is

    n     = (i * 2654435761 + (p + 1) * 2246822519) mod 2^32        64-bit unsigned integers
    value = n / 2^32 - 0.5                                          rounded to f32

or, in a case of "whole" values, floor(n * 5 / 2^32) - 2, which makes many values equal. An argmax is an index within
the window, in row-major order. Target i of a cross-entropy is i * 7 mod the number of classes; its logits are 8 times
the formula's.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
X, WEIGHT, BIAS, GRAD = range(4)

POOL2 = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0], "ceil_mode": False}
OVERLAPPING = {"kernel": [3, 2], "stride": [2, 1], "padding": [1, 1], "ceil_mode": True}
PLAIN = {"stride": [1, 1], "padding": [[0, 0], [0, 0]], "dilation": [1, 1], "groups": 1}
PLAIN |= {"bias": True, "max_pool": None, "relu": False, "whole": False}

BLOCKS = [
    PLAIN | {"image": [2, 3, 6, 5], "weight": [3, 3, 3, 2], "padding": [[1, 2], [0, 3]]},
    PLAIN | {"image": [2, 2, 9, 8], "weight": [3, 2, 2, 3], "stride": [2, 3], "dilation": [3, 2], "bias": False},
    PLAIN | {"image": [1, 4, 5, 6], "weight": [6, 2, 3, 3], "padding": [[1, 1], [1, 1]], "groups": 2, "relu": True},
    PLAIN | {"image": [2, 5, 4, 3], "weight": [5, 1, 3, 3], "padding": [[0, 1], [1, 1]], "groups": 5},
    PLAIN | {"image": [2, 1, 10, 10], "weight": [10, 1, 5, 5], "max_pool": POOL2, "relu": True},
    PLAIN | {"image": [2, 3, 7, 6], "weight": [4, 3, 3, 3], "max_pool": OVERLAPPING},
    PLAIN | {"image": [2, 1, 9, 9], "weight": [3, 1, 2, 2], "max_pool": POOL2, "relu": True, "whole": True},
    PLAIN | {"image": [2, 2, 7, 8], "weight": [2, 2, 1, 2], "max_pool": OVERLAPPING, "relu": True, "whole": True},
]
POOLS = [
    {"image": [2, 2, 4, 6], "window": POOL2},
    {"image": [1, 2, 7, 9], "window": OVERLAPPING},
    # Windows that reach beyond the padding, where the divisor of a mean is neither the window nor its pixels.
    {"image": [1, 2, 6, 7], "window": {"kernel": [4, 5], "stride": [3, 3], "padding": [2, 1], "ceil_mode": True}},
    {"image": [2, 1, 8, 7], "window": {"kernel": [2, 1], "stride": [3, 4], "padding": [0, 0], "ceil_mode": False}},
]
LOSSES = [(rows, classes, smoothing) for rows, classes in [(1, 2), (5, 10), (3, 17)] for smoothing in (0.0, 0.1, 0.5)]


def formula(shape, position, whole=False):
    i = np.arange(np.prod(shape), dtype=np.uint64)
    n = (i * np.uint64(2654435761) + np.uint64((position + 1) * 2246822519)) % np.uint64(2**32)
    values = np.floor(n * 5.0 / 2**32) - 2 if whole else n / 2**32 - 0.5
    return torch.from_numpy(values.astype(np.float32)).reshape(shape).double().requires_grad_()


def max_pool(x, window):
    """The maxima, and the index of each within its window."""
    y, pixels = F.max_pool2d(
        x, window["kernel"], window["stride"], window["padding"], ceil_mode=window["ceil_mode"], return_indices=True
    )
    row, column = pixels // x.shape[3], pixels % x.shape[3]
    top = torch.arange(y.shape[2]).reshape(-1, 1) * window["stride"][0] - window["padding"][0]
    left = torch.arange(y.shape[3]) * window["stride"][1] - window["padding"][1]
    return y, (row - top) * window["kernel"][1] + (column - left)


def numbers(tensor):
    """Seven digits: ten times what the tolerance asks for."""
    return [float(f"{value:.7g}") for value in tensor.detach().flatten().tolist()]


def block(case):
    whole = case["whole"]
    x, weight = formula(case["image"], X, whole), formula(case["weight"], WEIGHT, whole)
    bias = formula(case["weight"][:1], BIAS, whole) if case["bias"] else None
    (top, bottom), (left, right) = case["padding"]
    padded = F.pad(x, (left, right, top, bottom))
    y = F.conv2d(padded, weight, bias, case["stride"], 0, case["dilation"], case["groups"])
    argmax = []
    if case["max_pool"]:
        y, argmax = max_pool(y, case["max_pool"])
        argmax = argmax.flatten().tolist()
    if case["relu"]:
        y = F.relu(y)
    y.backward(formula(y.shape, GRAD, whole).detach())
    gradients = {"grad_x": numbers(x.grad), "grad_weight": numbers(weight.grad)}
    gradients["grad_bias"] = numbers(bias.grad) if case["bias"] else None
    return {**case, "output_shape": list(y.shape), "output": numbers(y), "argmax": argmax, **gradients}


def pool(case):
    image, window = case["image"], case["window"]

    def with_gradient(operation, whole=False):
        x = formula(image, X, whole)
        y, *argmax = operation(x)
        y.backward(formula(y.shape, GRAD, whole).detach())
        results = {"output": numbers(y), "grad_x": numbers(x.grad)}
        return results | {"argmax": indices.flatten().tolist() for indices in argmax}

    def mean(count_include_pad):
        arguments = [*(window[name] for name in ("kernel", "stride", "padding", "ceil_mode")), count_include_pad]
        return lambda x: (F.avg_pool2d(x, *arguments),)

    return {
        **case,
        "max": with_gradient(lambda x: max_pool(x, window)),
        "max_whole": with_gradient(lambda x: max_pool(x, window), whole=True),
        "mean": with_gradient(mean(False)),
        "mean_with_padding": with_gradient(mean(True)),
    }


def loss(rows, classes, smoothing):
    logits = formula((rows, classes), X)
    targets = torch.arange(rows) * 7 % classes
    value = F.cross_entropy(logits * 8, targets, label_smoothing=smoothing)
    (gradient,) = torch.autograd.grad(value, logits)
    case = {"rows": rows, "classes": classes, "smoothing": smoothing, "loss": numbers(value)[0]}
    return case | {"grad": numbers(gradient / 8)}


def main():
    golden = {
        "blocks": [block(case) for case in BLOCKS],
        "pools": [pool(case) for case in POOLS],
        "losses": [loss(*case) for case in LOSSES],
    }
    sections = []
    for name, cases in golden.items():
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        sections.append(f'"{name}": [\n{lines}\n]')
    source = f"kernels.py, torch {torch.__version__}"
    text = f'{{\n"source": "{source}",\n' + ",\n".join(sections) + "\n}\n"
    (HERE / "kernels.json").write_text(text)
    print(f"{len(text)} bytes")


if __name__ == "__main__":
    main()
