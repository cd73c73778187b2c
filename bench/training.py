"""An epoch of the lecture's network with evaluation: Kiln's `train` against PyTorch with its tensors in memory.

    cargo build --release -p train
    python bench/training.py --train target/release/train --threads 1 2 --rounds 5

Each round runs every contestant once, one after the other; an entry of the table is the median over the rounds of the
second epoch's seconds (the first one warms up). Kiln's clock is `seconds` of its metrics.csv. The raw numbers go to
bench/results/training.json. PyTorch and its versions: bench/peers/requirements.txt.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine

BENCH = Path(__file__).resolve().parent
EPOCHS = 2


def kiln(train, backend, threads):
    with tempfile.TemporaryDirectory() as runs:
        command = [train, "--backend", backend, "--threads", threads, "--epochs", EPOCHS, "--output", runs]
        command += ["--data-dir", BENCH.parent / "assets/mnist"]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
        (metrics,) = Path(runs).glob("*/metrics.csv")
        with open(metrics) as file:
            return float(list(csv.DictReader(file))[-1]["seconds"])


def pytorch(threads):
    command = [sys.executable, BENCH / "peers/lecture_mnist.py", "--epochs", EPOCHS, "--seed", 1]
    command += ["--threads", threads, "--loader", "memory", "--json"]
    output = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
    return json.loads(output[output.index("{") :])["epochs"][-1]["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="target/release/train", help="the release build of train")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    contestants = {
        "kiln ndarray": lambda threads: kiln(options.train, "ndarray", threads),
        "kiln flex": lambda threads: kiln(options.train, "flex", threads),
        "pytorch": pytorch,
    }
    seconds = {name: {threads: [] for threads in options.threads} for name in contestants}
    for _ in range(options.rounds):
        for threads in options.threads:
            for name, run in contestants.items():
                seconds[name][threads].append(run(threads))
                print(f"{name}, {threads} thread(s): {seconds[name][threads][-1]:.2f} s", file=sys.stderr, flush=True)
    print(f"| {machine()} |" + "".join(f" {threads} thread(s) | PyTorch / this |" for threads in options.threads))
    print("|---|" + "---|---|" * len(options.threads))
    for name in contestants:
        row = f"| {name} |"
        for threads in options.threads:
            own = statistics.median(seconds[name][threads])
            row += f" {own:.2f} s | {statistics.median(seconds['pytorch'][threads]) / own:.2f} |"
        print(row)
    result = {"machine": machine(), "rounds": options.rounds, "seconds": seconds}
    (BENCH / "results/training.json").write_text(json.dumps(result, indent=1) + "\n")


main()
