"""Every convolution shape of ResNet-18, forward and both gradients: the kernels against PyTorch."""

import csv

from contest import BENCH, PYTHON, build, median, print_table, run, save, take_turns

SHAPES = BENCH / "resnet18-convolutions.csv"
PASSES = ["forward", "input", "weight"]
SECONDS = 0.1


def measure(*command):
    """`{row of the shapes,pass: milliseconds}`, each the median of SECONDS of calls."""
    lines = run(*command, SECONDS).output.splitlines()
    return {f"{row},{name}": float(milliseconds) for row, name, milliseconds in csv.reader(lines)}


def main(options):
    kernels = build("kiln-kernels", "convolutions")
    peer = BENCH / "peers/convolutions.py"
    contestants = {}
    for threads in options.threads:
        contestants[f"kiln,{threads}"] = lambda threads=threads: measure(kernels, SHAPES, threads)
        contestants[f"pytorch,{threads}"] = lambda threads=threads: measure(PYTHON, peer, SHAPES, threads)
    results = take_turns(options.rounds, contestants)

    columns = [(threads, name) for threads in options.threads for name in PASSES]
    with open(SHAPES) as file:
        shapes = list(csv.DictReader(file))
    rows, faster = [], 0
    for index, shape in enumerate(shapes):
        row = ["{batch}x{channels}x{side} -> {outputs}, {kernel}x{kernel}/{stride}".format(**shape)]
        for threads, name in columns:
            ours, theirs = (
                median(result[f"{index},{name}"] for result in results[f"{who},{threads}"]) for who in ["kiln", "pytorch"]
            )
            faster += theirs >= ours
            row.append(f"{ours:.3f} ({theirs / ours:.2f})")
        rows.append(row)
    header = ["milliseconds (PyTorch / this)", *(f"{name}, {threads} T" for threads, name in columns)]
    print_table("ResNet-18's convolutions", header, rows)
    print(f"\nAt least PyTorch's speed: {faster} of {len(shapes) * len(columns)}.")
    save("convolutions", {"rounds": options.rounds, "seconds": SECONDS, "milliseconds": results})
