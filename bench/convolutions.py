"""Every convolution shape of ResNet-18, forward and both gradients: Kiln's kernels against PyTorch.

    cargo bench -p kernels --bench convolutions --no-run     # prints where it puts the program
    python bench/convolutions.py --kernels target/release/deps/convolutions-... --threads 1 2 --rounds 3

Each round runs both contestants, one after the other; an entry of the table is the median over the rounds in
milliseconds, each itself a median of calls, and how many times as long PyTorch takes. The raw numbers go to
bench/results/convolutions.json. PyTorch and its versions: bench/peers/requirements.txt.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

from machine import machine

BENCH = Path(__file__).resolve().parent
SHAPES = BENCH / "resnet18-convolutions.csv"
PASSES = ["forward", "input", "weight"]


def run(command, threads, seconds):
    """Milliseconds by (row of the shapes, pass)."""
    command = [str(word) for word in [*command, SHAPES, threads, seconds]]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {(int(row), name): float(milliseconds) for row, name, milliseconds in csv.reader(output.splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", required=True, help="the program of the kernels' benchmark")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.2, help="of calls for each entry and round")
    options = parser.parse_args()
    contestants = {"kiln": [options.kernels], "pytorch": [sys.executable, BENCH / "peers/convolutions.py"]}
    rounds = {name: {threads: [] for threads in options.threads} for name in contestants}
    for number in range(options.rounds):
        for threads in options.threads:
            for name, command in contestants.items():
                rounds[name][threads].append(run(command, threads, options.seconds))
                print(f"round {number + 1}: {name}, {threads} thread(s)", file=sys.stderr, flush=True)

    def milliseconds(name, threads, key):
        return statistics.median(result[key] for result in rounds[name][threads])

    columns = [(threads, name) for threads in options.threads for name in PASSES]
    print(f"| {machine()} |" + "".join(f" {name}, {threads} T |" for threads, name in columns))
    print("|---|" + "---|" * len(columns))
    with open(SHAPES) as file:
        shapes = list(csv.DictReader(file))
    faster = 0
    for row, shape in enumerate(shapes):
        name = "{batch}x{channels}x{side} -> {outputs}, {kernel}x{kernel}/{stride}".format(**shape)
        cells = []
        for threads, direction in columns:
            ours = milliseconds("kiln", threads, (row, direction))
            ratio = milliseconds("pytorch", threads, (row, direction)) / ours
            faster += ratio >= 1
            cells.append(f" {ours:.3f} ({ratio:.2f}) |")
        print(f"| {name} |" + "".join(cells))
    print(f"\nAt least PyTorch's speed: {faster} of {len(shapes) * len(columns)}.")
    raw = {
        name: {threads: [{f"{row},{key}": time for (row, key), time in one.items()} for one in results]
               for threads, results in by_threads.items()}
        for name, by_threads in rounds.items()
    }
    result = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "milliseconds": raw}
    (BENCH / "results/convolutions.json").write_text(json.dumps(result) + "\n")


main()
