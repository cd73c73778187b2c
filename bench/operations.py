"""The operations of the lecture's network one by one, and how near they come to what multiply-adds in registers reach.

The work is what an operation's definition asks for. Gradients of pooled blocks skip multiplications by zero, three in four:
they may come to more than 100 %.
"""

import csv

from contest import build, median, print_table, run, save, take_turns


def measure(*command):
    """`{"level, operation": [milliseconds, GFLOP/s]}`."""
    lines = csv.reader(run(*command).output.splitlines())
    return {f"{level}, {name}": [float(milliseconds), float(speed)] for level, name, milliseconds, speed in lines}


def main(options):
    kernels = build("kiln-kernels", "lecture")
    contestants = {f"{threads} T": lambda threads=threads: measure(kernels, threads) for threads in options.threads}
    results = take_turns(options.rounds, contestants)
    rows = []
    for name in results[f"{options.threads[0]} T"][0]:
        row, peak = [name], name.split(", ")[0] + ", peak"
        for contestant, rounds in results.items():
            milliseconds, speed, most = (
                median(result[what][index] for result in rounds) for what, index in [(name, 0), (name, 1), (peak, 1)]
            )
            row.append(f"{milliseconds:.3f} ms, {speed:.0f} GFLOP/s, {100 * speed / most:.0f} %")
        rows.append(row)
    title = "The lecture's network, a batch of 64, operation by operation: work by definition, of which gradients skip zeros"
    print_table(title, ["operation", *results], rows)
    save("operations", {"rounds": options.rounds, "results": results})
