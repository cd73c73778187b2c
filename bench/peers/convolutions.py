"""Times PyTorch's convolutions: `convolutions.py SHAPES.csv THREADS [SECONDS]`.

Prints `row,pass,milliseconds`, the median of the calls of SECONDS (0.3) for each pass: forward, input (its gradient)
and weight (its gradient). A gradient takes the cheaper of PyTorch's two ways to ask for it.
"""

import csv
import sys
import time

import torch
from torch.nn import functional, grad


def median(work, seconds):
    """The median time of a call in milliseconds, after two to warm up."""
    work()
    work()
    times, began = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return sorted(times)[len(times) // 2]


def passes(batch, channels, side, outputs, kernel, stride, padding, seconds):
    x, weight = torch.randn(batch, channels, side, side), torch.randn(outputs, channels, kernel, kernel)
    gradient = torch.randn_like(functional.conv2d(x, weight, None, stride, padding))

    def backward(mask):
        return torch.ops.aten.convolution_backward(
            gradient, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask
        )

    yield "forward", median(lambda: functional.conv2d(x, weight, None, stride, padding), seconds)
    yield "input", min(
        median(lambda: backward([True, False, False]), seconds),
        median(lambda: grad.conv2d_input(x.shape, weight, gradient, stride, padding), seconds),
    )
    yield "weight", min(
        median(lambda: backward([False, True, False]), seconds),
        median(lambda: grad.conv2d_weight(x, weight.shape, gradient, stride, padding), seconds),
    )


def main():
    shapes, threads = sys.argv[1], int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.3
    torch.set_num_threads(threads)
    with open(shapes) as file, torch.no_grad():
        for row, sizes in enumerate(list(csv.reader(file))[1:]):
            for name, milliseconds in passes(*map(int, sizes), seconds):
                print(f"{row},{name},{milliseconds:.4f}", flush=True)


main()
