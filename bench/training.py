"""An epoch of the lecture's network with evaluation, through `train` itself; PyTorch has its tensors in memory.

The second epoch counts, since the first one warms up. Kiln's clock is `seconds` of its metrics.csv. With one thread it
has no thread that loads images either; with more, one of them does, beside the arithmetic.
"""

import csv
import json
import tempfile
from pathlib import Path

from contest import BENCH, PYTHON, ROOT, build, kiln_environment, median, print_table, run, save, take_turns

EPOCHS = 2


def kiln(train, backend, threads):
    with tempfile.TemporaryDirectory() as runs:
        flags = ["--backend", backend, "--threads", threads, "--epochs", EPOCHS, "--output", runs]
        flags += ["--data-dir", ROOT / "assets/mnist", "--dashboard", "off", "--workers", 0 if threads == 1 else 1]
        process = run(train, *flags, environment=kiln_environment(threads))
        (metrics,) = Path(runs).glob("*/metrics.csv")
        with open(metrics) as file:
            return {"seconds": float(list(csv.DictReader(file))[-1]["seconds"]), "peak_mib": process.peak_mib, "cpu_seconds": process.cpu_seconds}


def pytorch(threads):
    flags = ["--epochs", EPOCHS, "--seed", 1, "--threads", threads, "--loader", "memory", "--json"]
    process = run(PYTHON, BENCH / "peers/lecture_mnist.py", *flags)
    report = json.loads(process.output.splitlines()[-1])
    return {"seconds": report["epochs"][-1]["seconds"], "peak_mib": process.peak_mib, "cpu_seconds": process.cpu_seconds}


def main(options):
    train = build("train")
    contestants = {}
    for threads in options.threads:
        contestants[f"Kiln, ndarray, {threads} T"] = lambda threads=threads: kiln(train, "ndarray", threads)
        contestants[f"Kiln, flex, {threads} T"] = lambda threads=threads: kiln(train, "flex", threads)
        contestants[f"PyTorch, {threads} T"] = lambda threads=threads: pytorch(threads)
    results = take_turns(options.rounds, contestants)

    def middle(name, what):
        return median(result[what] for result in results[name])

    rows = []
    for name in contestants:
        peer = "PyTorch," + name.rsplit(",", 1)[1]
        seconds = middle(name, "seconds")
        ratio = middle(peer, "seconds") / seconds
        rows.append([name, f"{seconds:.2f} s", f"{ratio:.2f}", f"{middle(name, 'peak_mib'):.0f} MiB"])
    header = ["training epoch", "median", "PyTorch / this", "peak memory"]
    print_table("The lecture's network: an epoch with evaluation", header, rows)
    save("training", {"rounds": options.rounds, "results": results})
