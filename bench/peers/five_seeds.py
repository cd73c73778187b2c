"""How much the seed alone moves the lecture's result: lecture_mnist.py (memory loader) from seeds 1 to 5.

    python five_seeds.py --threads 1 --out ../results/pytorch-five-seeds.json

Prints, seed by seed, the test accuracy after epochs 8, 9 and 10 with their mean and sample standard deviation, then
the same across the seeds. The band to compare Kiln's own seeds with is "across_seeds".
"""

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path

import torch

from lecture_mnist import MNIST, loaders, train

EPOCHS = 10
REPORTED = (8, 9, 10)
SEEDS = (1, 2, 3, 4, 5)


def spread(accuracies):
    return {"mean": round(statistics.mean(accuracies), 6), "sd": round(statistics.stdev(accuracies), 6)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data-dir", default=MNIST)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    data = loaders("memory", options.data_dir)
    runs = []
    for seed in SEEDS:
        with contextlib.redirect_stdout(sys.stderr):
            history = train(seed, EPOCHS, *data)
        accuracies = [epoch["accuracy"] for epoch in history]
        reported = [accuracies[epoch - 1] for epoch in REPORTED]
        runs.append({"seed": seed, "accuracies": accuracies, "reported": reported, **spread(reported)})
        print(f"seed {seed}: {reported} mean {runs[-1]['mean']:.5f} sd {runs[-1]['sd']:.5f}", flush=True)

    across = {f"epoch_{epoch}": spread([run["accuracies"][epoch - 1] for run in runs]) for epoch in REPORTED}
    across["epochs_8_to_10"] = spread([run["mean"] for run in runs])
    header = {
        "peer": "pytorch",
        "torch": torch.__version__,
        "command": f"python bench/peers/five_seeds.py --threads {options.threads}",
        "recipe": "batch 64, SGD lr 0.01, momentum 0.5, 10 epochs; test accuracy after each, epochs 8, 9, 10 reported",
    }
    report = json.dumps({"header": header, "seeds": runs, "across_seeds": across}, indent=2)
    print(report)
    if options.out:
        options.out.write_text(report + "\n")


if __name__ == "__main__":
    main()
