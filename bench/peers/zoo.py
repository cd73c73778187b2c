"""Times a training step of torchvision's networks in PyTorch: `zoo.py LAYOUT THREADS NAME..`, LAYOUT contiguous or channels_last.

Prints `name,batch,seconds`, the median of five passes after one to warm up, as Kiln's `zoo` benchmark does.
"""

import statistics
import sys
import time

import torch
import torchvision

PASSES = 5
BATCH = 8


def median(run):
    run()
    seconds = []
    for _ in range(PASSES):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    layout, threads, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(threads)
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    for name in names:
        network = torchvision.models.get_model(name, weights=None).to(memory_format=layout).train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
        images = torch.randn(BATCH, 3, 224, 224).to(memory_format=layout)
        labels = torch.arange(BATCH)

        def step():
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()

        print(f"{name},{BATCH},{median(step):.5f}", flush=True)


main()
